"""Whether the tree that a commit leads to is one that all of its members can live with.

RFC 9420 sections 7.3, 12.1.7, 12.2 and 13: keys are unique, credential types and extensions are understood by
everybody. Asked of the member index, so that it costs as much as what changed and not as the group.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ...ids import Instant
from ..authentication import Authentication, check_credential
from ..policy import Policy
from ..registries import DEFAULT_EXTENSIONS, DEFAULT_PROPOSALS, EXTERNAL_SENDERS
from ..rules import rule
from ..suites import CipherSuite
from ..tree.member_index import MemberIndex, StagedIndex
from ..tree.ratchet_tree import Node, RatchetTree
from ..wire.extensions import Extension, decode_external_senders, find_extension
from ..wire.leaf_node import LeafNode
from .leaf_rules import required_capabilities

__all__ = [
    "check_all_members",
    "check_extensions_supported",
    "check_external_senders",
    "check_members",
    "check_proposals_supported",
    "check_width",
    "stage_index",
]

_SIGNATURE_KEY = rule("MLS-7.3-08", "RFC 9420 section 7.3", "signature_key is unique in the group", module=__name__)
_ENCRYPTION_KEY = rule("MLS-7.3-09", "RFC 9420 section 7.3", "encryption_key is unique in the group", module=__name__)
_CREDENTIAL_KNOWN = rule(
    "MLS-7.3-10", "RFC 9420 section 7.3", "every member supports the leaf's credential type", module=__name__
)
_CREDENTIALS_IN_USE = rule(
    "MLS-7.3-11", "RFC 9420 section 7.3", "the leaf supports every credential type in use", module=__name__
)
_REQUIRED_BY_ALL = rule(
    "MLS-12.1.7-01", "RFC 9420 section 12.1.7", "every member has newly required capabilities", module=__name__
)
_EXTENSION_BY_ALL = rule(
    "MLS-13.4-03", "RFC 9420 section 13.4", "every member supports new GroupContext extensions", module=__name__
)
_PROPOSAL_BY_ALL = rule(
    "MLS-12.2-09", "RFC 9420 section 12.2", "members support non-default proposal types", module=__name__
)
_SIZE = rule("MLS-P-01", "our policy", "the group does not outgrow max_members", module=__name__)


def stage_index(index: MemberIndex, old: RatchetTree, new: RatchetTree) -> tuple[StagedIndex, dict[int, Node]]:
    """The index of `new`, given the one of `old`, and the nodes that differ."""
    changed = new.changed_nodes(old)
    return index.stage({node: (old.node(node), value) for node, value in changed.items()}), changed


def check_members(index: StagedIndex, tree: RatchetTree, changed: Mapping[int, Node], policy: Policy) -> None:
    """Every leaf and parent that is new in `tree`, beside all others. Raises InvalidGroupMessage."""
    if tree.member_count > policy.max_members:
        _SIZE.fail(f"{tree.member_count} members, at most {policy.max_members}")
    in_use: Iterable[int] | None = None
    types_checked: set[int] = set()
    for value in changed.values():
        if value is None:
            continue
        if index.encryption_key_shared(value.encryption_key):
            _ENCRYPTION_KEY.fail("an encryption_key occurs twice in the tree")
        if not isinstance(value, LeafNode):
            continue
        if index.signature_key_shared(value.signature_key):
            _SIGNATURE_KEY.fail("a signature_key occurs twice in the group")
        kind = value.credential.credential_type
        if kind not in types_checked:
            types_checked.add(kind)
            if not index.all_support_credential(kind):
                _CREDENTIAL_KNOWN.fail(f"some members do not support credential type {kind}")
        if in_use is None:
            in_use = index.credential_types()
        for other in in_use:
            if other not in value.capabilities.credentials:
                _CREDENTIALS_IN_USE.fail(f"the leaf does not support credential type {other}, which is in use")


def check_width(nodes: int, policy: Policy) -> None:
    """The array of a tree, before a tree is made of it: a blank node is one byte on the wire, and much more here."""
    if nodes >= 4 * policy.max_members:  # never reached by a tree that was always filled from the left
        _SIZE.fail(f"a tree of {nodes} nodes for at most {policy.max_members} members")


def check_all_members(index: MemberIndex, tree: RatchetTree, policy: Policy) -> None:
    """A whole tree that we join; that its keys are unique has been checked with its shape."""
    if tree.member_count > policy.max_members:
        _SIZE.fail(f"{tree.member_count} members, at most {policy.max_members}")
    for kind in index.credential_types():
        if not index.all_support_credential(kind):
            _CREDENTIALS_IN_USE.fail(f"some members do not support credential type {kind}, which is in use")


def check_extensions_supported(index: MemberIndex | StagedIndex, extensions: tuple[Extension, ...]) -> None:
    """New GroupContext extensions, with all members after the commit."""
    for extension in extensions:
        kind = extension.extension_type
        if kind not in DEFAULT_EXTENSIONS and not index.all_support_extension(kind):
            _EXTENSION_BY_ALL.fail(f"some members do not support extension {kind:#06x}")
    required = required_capabilities(extensions)
    if required is None:
        return
    if (
        not all(k in DEFAULT_EXTENSIONS or index.all_support_extension(k) for k in required.extension_types)
        or not all(k in DEFAULT_PROPOSALS or index.all_support_proposal(k) for k in required.proposal_types)
        or not all(index.all_support_credential(k) for k in required.credential_types)
    ):
        _REQUIRED_BY_ALL.fail("some members lack a capability that is to be required")


def check_external_senders(
    suite: CipherSuite, extensions: tuple[Extension, ...], authentication: Authentication, now: Instant
) -> None:
    """The credentials of new external senders (sections 5.3.1 and 12.1.8.1). Raises DecodeError if malformed."""
    data = find_extension(extensions, EXTERNAL_SENDERS)
    if data is not None:
        for sender in decode_external_senders(data):
            check_credential(suite, authentication, sender.credential, sender.signature_key, now)


def check_proposals_supported(index: MemberIndex | StagedIndex, kinds: Iterable[int]) -> None:
    """Non-default proposals, with the members that stay."""
    for kind in kinds:
        if kind not in DEFAULT_PROPOSALS and not index.all_support_proposal(kind):
            _PROPOSAL_BY_ALL.fail(f"some members do not support proposal type {kind:#06x}")
