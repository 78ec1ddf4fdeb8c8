"""Checking a group that we are told about: GroupInfo and its tree (RFC 9420 sections 12.4.3, 12.4.3.3 and 13.4).

For a joiner, by Welcome or by external commit, and for a server that starts to order the commits of a group.
"""

from __future__ import annotations

from collections.abc import Container

from ...errors import BadPublicKey, BadSignature, DecodeError
from ...ids import Instant
from ..authentication import Authentication
from ..policy import Policy
from ..registries import DEFAULT_EXTENSIONS, RATCHET_TREE
from ..rules import rule
from ..schedule.transcript import interim_transcript_hash
from ..suites import CipherSuite
from ..tree.member_index import MemberIndex
from ..tree.ratchet_tree import RatchetTree
from ..tree.validation import check_tree
from ..wire.extensions import Extension, find_extension
from ..wire.tree_nodes import decode_ratchet_tree
from ..wire.welcome import GroupInfo
from .leaf_rules import LeafJudge, check_extensions_once
from .membership import check_all_members, check_external_senders, check_width
from .state import PublicState

__all__ = ["check_group_info"]

_SUITE = rule("MLS-12.4.3-01", "RFC 9420 section 12.4.3", "the group's cipher suite is ours", module=__name__)
_TREE = rule("MLS-12.4.3.3-01", "RFC 9420 section 12.4.3.3", "the ratchet tree is there", module=__name__)
_TREE_HASH = rule(
    "MLS-12.4.3.1-05", "RFC 9420 section 12.4.3.1", "the tree has the hash of the GroupInfo", module=__name__
)
_SIGNER = rule("MLS-12.4.3.1-06", "RFC 9420 section 12.4.3.1", "the signer's leaf is not blank", module=__name__)
_SIGNATURE = rule(
    "MLS-12.4.3.1-07", "RFC 9420 section 12.4.3.1", "the GroupInfo is signed by the leaf that it names", module=__name__
)
_SUPPORTED = rule(
    "MLS-13.4-04", "RFC 9420 section 13.4", "a joiner supports every GroupContext extension", module=__name__
)


def check_group_info(
    suite: CipherSuite,
    group_info: GroupInfo,
    tree: bytes | None,
    authentication: Authentication,
    policy: Policy,
    now: Instant,
    *,
    supported: Container[int] | None = None,
) -> tuple[PublicState, MemberIndex]:
    """Everything about a GroupInfo that needs no secret: signature, tree, leaves (sections 12.4.3 and 13.4).

    `supported` are the extension types that a joiner knows; a server need not know any. `tree` if it came beside
    the GroupInfo. Raises InvalidGroupMessage, DecodeError.
    """
    context = group_info.group_context
    if context.cipher_suite != suite.number:
        _SUITE.fail(f"the group uses cipher suite {context.cipher_suite}, we have {suite.number}")
    check_extensions_once(group_info.extensions)
    check_extensions_once(context.extensions)
    if supported is not None:
        _check_supported(supported, context.extensions)
    check_external_senders(suite, context.extensions, authentication, now)
    data = find_extension(group_info.extensions, RATCHET_TREE) if tree is None else tree
    if data is None:
        _TREE.fail("the GroupInfo has no ratchet tree, and none was given beside it")
        raise DecodeError("no ratchet tree", code="mls.ratchet_tree")
    nodes = decode_ratchet_tree(data, policy.max_message_bytes)
    check_width(len(nodes), policy)
    ratchet_tree = RatchetTree.from_nodes(suite, nodes)
    if ratchet_tree.tree_hash() != context.tree_hash:
        _TREE_HASH.fail("the tree is another one than the GroupInfo says")
    signer = ratchet_tree.leaf(group_info.signer)
    if signer is None:
        _SIGNER.fail(f"leaf {group_info.signer}, which signs the GroupInfo, is blank")
        raise DecodeError("no signer", code="mls.signer")
    try:
        suite.verify_with_label(signer.signature_key, "GroupInfoTBS", group_info.tbs(), group_info.signature)
    except (BadSignature, BadPublicKey):
        _SIGNATURE.fail("the GroupInfo is not signed by the leaf that it names")
    check_tree(ratchet_tree)
    judge = LeafJudge(suite, context.group_id, context.extensions, authentication, policy, now)
    for leaf_index, leaf in ratchet_tree.leaves():
        judge.leaf(leaf, None, leaf_index, check_lifetime=policy.check_tree_lifetimes)
    index = MemberIndex.of(ratchet_tree)
    check_all_members(index, ratchet_tree, policy)
    judge.batch.verify()
    interim = interim_transcript_hash(suite, context.confirmed_transcript_hash, group_info.confirmation_tag)
    return PublicState(suite, context, ratchet_tree, group_info.confirmation_tag, interim), index


def _check_supported(supported: Container[int], extensions: tuple[Extension, ...]) -> None:
    for extension in extensions:
        kind = extension.extension_type
        if kind not in DEFAULT_EXTENSIONS and kind not in supported:
            _SUPPORTED.fail(f"the group uses extension {kind:#06x}, which we do not support")
