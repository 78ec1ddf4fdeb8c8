"""Which lists of proposals a commit may cover (RFC 9420 sections 12.1 and 12.2), and what they do to the tree.

`ProposalList.check` looks at the list itself; whether the tree that results is valid is asked in `membership`
afterwards. SelfRemove is of draft-ietf-mls-extensions section 6.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ...ids import Instant
from ..authentication import Authentication
from ..policy import Policy
from ..registries import PROTOCOL_VERSION_MLS10
from ..rules import rule
from ..tree.ratchet_tree import RatchetTree
from ..wire.commit import Commit
from ..wire.extensions import Extension
from ..wire.framing import AuthenticatedContent, Sender
from ..wire.leaf_node import LeafNode, LeafNodeSource
from ..wire.proposals import (
    Add,
    CustomProposal,
    ExternalInit,
    GroupContextExtensions,
    PreSharedKey,
    Proposal,
    ReInit,
    Remove,
    SelfRemove,
    Update,
)
from ..wire.psk import PreSharedKeyID, PSKType, ResumptionPSKUsage
from .leaf_rules import LeafJudge, check_extensions_once, required_capabilities
from .membership import check_external_senders
from .state import PublicState

__all__ = [
    "ProposalList",
    "QueuedProposal",
    "check_proposal",
    "check_psk",
    "check_reinit",
    "check_replacement",
    "check_resync",
    "check_room",
    "collect",
    "judge_leaves",
    "path_required",
    "queue_proposal",
]

_UPDATE_OWN = rule("MLS-12.2-01", "RFC 9420 section 12.2", "no Update by the committer", module=__name__)
_REMOVE_OWN = rule("MLS-12.2-02", "RFC 9420 section 12.2", "no Remove of the committer", module=__name__)
_ONE_PER_LEAF = rule("MLS-12.2-03", "RFC 9420 section 12.2", "at most one Update or Remove a leaf", module=__name__)
_ADD_TWICE = rule("MLS-12.2-04", "RFC 9420 section 12.2", "no client is added twice", module=__name__)
_PSK_TWICE = rule("MLS-12.2-05", "RFC 9420 section 12.2", "no pre-shared key twice", module=__name__)
_CONTEXT_TWICE = rule("MLS-12.2-06", "RFC 9420 section 12.2", "one GroupContextExtensions at most", module=__name__)
_REINIT_ALONE = rule("MLS-12.2-07", "RFC 9420 section 12.2", "ReInit stands alone", module=__name__)
_EXTERNAL_INIT = rule("MLS-12.2-08", "RFC 9420 section 12.2", "no ExternalInit in a regular commit", module=__name__)
_EXTERNAL_ONE_INIT = rule(
    "MLS-12.2-10", "RFC 9420 section 12.2", "an external commit has exactly one ExternalInit", module=__name__
)
_EXTERNAL_ONE_REMOVE = rule(
    "MLS-12.2-11", "RFC 9420 section 12.2", "an external commit has at most one Remove", module=__name__
)
_EXTERNAL_ONLY = rule(
    "MLS-12.2-12", "RFC 9420 section 12.2", "an external commit has no other proposals", module=__name__
)
_EXTERNAL_REFERENCE = rule(
    "MLS-12.4.3.2-01",
    "RFC 9420 section 12.4.3.2",
    "an external commit has no proposals by reference (but SelfRemove)",
    module=__name__,
)
_EXTERNAL_SAME = rule(
    "MLS-12.2-13", "RFC 9420 section 12.2", "an external commit removes only the joiner's old leaf", module=__name__
)
_REMOVED = rule("MLS-12.1.3-01", "RFC 9420 section 12.1.3", "Remove names a leaf that is not blank", module=__name__)
_PSK_USAGE = rule(
    "MLS-12.1.4-01", "RFC 9420 section 12.1.4", "no PSK for reinit or branch outside of those", module=__name__
)
_PSK_NONCE = rule("MLS-12.1.4-02", "RFC 9420 section 12.1.4", "psk_nonce has length KDF.Nh", module=__name__)
_REINIT_VERSION = rule("MLS-12.1.5-01", "RFC 9420 section 12.1.5", "ReInit does not lower the version", module=__name__)
_UPDATE_KEY = rule("MLS-7.3-07", "RFC 9420 section 7.3", "an Update brings a new encryption_key", module=__name__)
_SUCCESSOR = rule(
    "MLS-5.3.1-02", "RFC 9420 section 5.3.1", "a new credential is a valid successor of the old one", module=__name__
)
_SELF_REMOVE_REFERENCE = rule(
    "MLS-X.6.3-01", "draft-ietf-mls-extensions section 6.3.1", "SelfRemove only by reference", module=__name__
)
_SELF_REMOVE_OWN = rule(
    "MLS-X.6.3-02", "draft-ietf-mls-extensions section 6.3.1", "no SelfRemove by the committer", module=__name__
)
_TOO_MANY = rule("MLS-P-05", "our policy", "no more proposals than max_proposals in one epoch", module=__name__)


@dataclass(frozen=True, slots=True)
class QueuedProposal:
    """A proposal with what a commit needs to know about it."""

    proposal: Proposal
    sender: Sender
    reference: bytes | None
    """None for a proposal by value: then the sender is the committer."""
    judged: bool = False
    """Whether its leaf and key package have been checked in this epoch already, signatures included."""


@dataclass(slots=True)
class ProposalList:
    """A list sorted by what it does. Order within a kind is the order of the commit."""

    adds: list[Add] = field(default_factory=list)
    updates: list[tuple[int, LeafNode]] = field(default_factory=list)
    removes: list[int] = field(default_factory=list)
    self_removes: list[int] = field(default_factory=list)
    custom_removes: list[int] = field(default_factory=list)
    """Removed by proposals of a type that an application added (`CustomProposalType.removes`)."""
    psks: list[PreSharedKeyID] = field(default_factory=list)
    reinit: ReInit | None = None
    external_init: ExternalInit | None = None
    context_extensions: tuple[Extension, ...] | None = None
    custom: list[tuple[Sender, CustomProposal]] = field(default_factory=list)
    path_required: bool = False

    @property
    def removed(self) -> tuple[int, ...]:
        """All leaves that go, whichever proposal removes them."""
        return (*self.self_removes, *self.removes, *self.custom_removes)

    def apply(self, tree: RatchetTree) -> tuple[RatchetTree, list[int]]:
        """The tree after updates, removes and adds in the order of section 12.3, and the leaves of the added."""
        for leaf_index, leaf in self.updates:
            tree = tree.update(leaf_index, leaf)
        for leaf_index in self.removed:
            tree = tree.remove(leaf_index)
        if not self.adds:
            return tree, []
        return tree.add_all([add.key_package.leaf_node for add in self.adds])


def collect(
    queued: Sequence[QueuedProposal],
    state: PublicState,
    committer: int | None,
    policy: Policy,
    *,
    linking: ResumptionPSKUsage | None = None,
) -> ProposalList:
    """Sort and check a list of proposals; `committer` None for an external commit.

    `linking` is set for the first commit of a group that continues or branches from another (section 11.2, 11.3).
    Raises InvalidGroupMessage. Leaves and key packages are judged by `judge_leaves`, the result by `membership`.
    """
    found = ProposalList()
    touched: set[int] = set()
    added: set[bytes] = set()
    psks: set[PreSharedKeyID] = set()
    external_inits = 0
    for entry in queued:
        proposal, sender = entry.proposal, entry.sender
        if committer is None:
            _check_external(entry, policy)
        if path_required(proposal, policy):
            found.path_required = True
        match proposal:
            case Add(key_package=package):
                key = package.leaf_node.signature_key
                if key in added:
                    _ADD_TWICE.fail("the same client is added twice")
                added.add(key)
                found.adds.append(proposal)
            case Update(leaf_node=leaf):
                if sender.index == committer:
                    _UPDATE_OWN.fail("the committer covers its own Update")
                _touch(touched, sender.index)
                found.updates.append((sender.index, leaf))
            case Remove(removed=removed):
                _check_removed(removed, state, committer)
                _touch(touched, removed)
                found.removes.append(removed)
            case SelfRemove():
                if entry.reference is None:
                    _SELF_REMOVE_REFERENCE.fail("a SelfRemove by value")
                if sender.index == committer:
                    _SELF_REMOVE_OWN.fail("the committer covers its own SelfRemove")
                _touch(touched, sender.index)
                found.self_removes.append(sender.index)
            case PreSharedKey(psk=psk):
                check_psk(psk, state.suite.hash_length, linking)
                if psk in psks:
                    _PSK_TWICE.fail("the same pre-shared key twice")
                psks.add(psk)
                found.psks.append(psk)
            case ReInit():
                if len(queued) > 1:
                    _REINIT_ALONE.fail("a ReInit together with other proposals")
                check_reinit(proposal)
                found.reinit = proposal
            case ExternalInit():
                if committer is not None:
                    _EXTERNAL_INIT.fail("an ExternalInit in a commit of a member")
                external_inits += 1
                found.external_init = proposal
            case GroupContextExtensions(extensions=extensions):
                if found.context_extensions is not None:
                    _CONTEXT_TWICE.fail("two GroupContextExtensions proposals")
                check_extensions_once(extensions)
                found.context_extensions = extensions
            case CustomProposal():
                found.custom.append((sender, proposal))
                if (custom_removed := _removed_by_custom(proposal, policy)) is not None:
                    _check_removed(custom_removed, state, committer)
                    _touch(touched, custom_removed)
                    found.custom_removes.append(custom_removed)
    if committer is None:
        if external_inits != 1:
            _EXTERNAL_ONE_INIT.fail(f"{external_inits} ExternalInit proposals in an external commit")
        if len(found.removes) > 1:
            _EXTERNAL_ONE_REMOVE.fail("more than one Remove in an external commit")
    return found


def judge_leaves(
    queued: Sequence[QueuedProposal],
    state: PublicState,
    judge: LeafJudge,
    authentication: Authentication,
    *,
    sending: bool,
) -> None:
    """The leaves and key packages of Adds and Updates (sections 7.3 and 10.1). Signatures go to the judge's batch."""
    # What was judged when it arrived was judged by the group's extensions of now, not by those a commit brings.
    again = any(isinstance(entry.proposal, GroupContextExtensions) for entry in queued)
    for entry in queued:
        proposal = entry.proposal
        if isinstance(proposal, Add) and (again or not entry.judged):
            judge.key_package(proposal.key_package, sending=sending)
        elif isinstance(proposal, Update):  # which no other sender than a member may have sent (`senders`)
            old = state.tree.leaf(entry.sender.index)
            if old is not None:
                check_replacement(old, proposal.leaf_node, authentication)
            if again or not entry.judged:
                judge.leaf(proposal.leaf_node, LeafNodeSource.UPDATE, entry.sender.index)


def check_room(kept: int, policy: Policy) -> None:
    """Before a further proposal is kept beside so many."""
    if kept >= policy.max_proposals:
        _TOO_MANY.fail("too many proposals in this epoch")


def queue_proposal(
    state: PublicState,
    content: AuthenticatedContent,
    authentication: Authentication,
    policy: Policy,
    now: Instant,
    *,
    sending: bool = False,
) -> QueuedProposal:
    """A proposal as it arrives, judged by itself, so that a bad one is refused where its sender is known.

    `sending` is for one of our own, which has to meet what section 7.3 asks of senders alone.
    Raises InvalidGroupMessage, DecodeError.
    """
    framed = content.content
    proposal = framed.content
    assert not isinstance(proposal, (bytes, Commit))
    reference = state.suite.proposal_ref(content.encode())
    queued = QueuedProposal(proposal, framed.sender, reference)
    check_proposal(queued, state, policy)
    judge = LeafJudge(state.suite, state.group_id, state.extensions, authentication, policy, now)
    judge_leaves([queued], state, judge, authentication, sending=sending)
    if isinstance(proposal, GroupContextExtensions):
        required_capabilities(proposal.extensions)
        check_external_senders(state.suite, proposal.extensions, authentication, now)
    judge.batch.verify()
    return replace(queued, judged=True)


def check_proposal(entry: QueuedProposal, state: PublicState, policy: Policy) -> None:
    """One proposal by itself, as it arrives; whether it fits beside others is asked when it is committed."""
    proposal = entry.proposal
    match proposal:
        case Remove(removed=removed):
            _check_removed(removed, state, None)
        case CustomProposal():
            if (custom_removed := _removed_by_custom(proposal, policy)) is not None:
                _check_removed(custom_removed, state, None)
        case PreSharedKey(psk=psk):
            check_psk(psk, state.suite.hash_length, None)
        case ReInit():
            check_reinit(proposal)
        case ExternalInit():
            _EXTERNAL_INIT.fail("an ExternalInit by itself")
        case GroupContextExtensions(extensions=extensions):
            check_extensions_once(extensions)


def check_replacement(old: LeafNode, new: LeafNode, authentication: Authentication) -> None:
    """A member's next leaf: another encryption_key (7.3) and a credential that may follow the old one (5.3.1)."""
    if old.encryption_key == new.encryption_key:
        _UPDATE_KEY.fail("the leaf keeps its encryption_key")
    if old.credential != new.credential and authentication.identity(old.credential) != authentication.identity(
        new.credential
    ):
        _SUCCESSOR.fail("the new credential names somebody else")


def check_resync(old: LeafNode, new: LeafNode, authentication: Authentication) -> None:
    """A joiner may remove nobody but its own former self (section 12.2)."""
    if authentication.identity(old.credential) != authentication.identity(new.credential):
        _EXTERNAL_SAME.fail("an external commit removes a leaf of somebody else")


def check_psk(psk: PreSharedKeyID, hash_length: int, linking: ResumptionPSKUsage | None) -> None:
    """One PreSharedKeyID of a proposal (section 12.1.4)."""
    if len(psk.psk_nonce) != hash_length:
        _PSK_NONCE.fail(f"psk_nonce has {len(psk.psk_nonce)} bytes")
    if psk.psktype == PSKType.RESUMPTION and psk.usage not in (ResumptionPSKUsage.APPLICATION, linking):
        _PSK_USAGE.fail("a resumption PSK for reinit or branch in another place")


def check_reinit(proposal: ReInit) -> None:
    """Section 12.1.5."""
    if proposal.version < PROTOCOL_VERSION_MLS10:
        _REINIT_VERSION.fail("ReInit to an older version")
    check_extensions_once(proposal.extensions)


def path_required(proposal: Proposal, policy: Policy) -> bool:
    """Whether a commit that covers it needs an UpdatePath (section 12.4)."""
    if isinstance(proposal, CustomProposal):
        known = policy.proposal_types.custom.get(proposal.proposal_type)
        return known is None or known.path_required
    return not isinstance(proposal, (Add, PreSharedKey, ReInit))


def _check_removed(removed: int, state: PublicState, committer: int | None) -> None:
    if state.tree.leaf(removed) is None:
        _REMOVED.fail(f"leaf {removed} is blank")
    if removed == committer:
        _REMOVE_OWN.fail("the committer removes itself")


def _removed_by_custom(proposal: CustomProposal, policy: Policy) -> int | None:
    known = policy.proposal_types.custom.get(proposal.proposal_type)
    return None if known is None or known.removes is None else known.removes(proposal.body)


def _touch(touched: set[int], leaf_index: int) -> None:
    if leaf_index in touched:
        _ONE_PER_LEAF.fail(f"two proposals change leaf {leaf_index}")
    touched.add(leaf_index)


def _check_external(entry: QueuedProposal, policy: Policy) -> None:
    if entry.reference is not None and not isinstance(entry.proposal, SelfRemove):
        _EXTERNAL_REFERENCE.fail("a proposal by reference in an external commit")
    proposal = entry.proposal
    if isinstance(proposal, CustomProposal):
        known = policy.proposal_types.custom.get(proposal.proposal_type)
        allowed = known is not None and known.external_commit
    else:
        allowed = isinstance(proposal, (ExternalInit, Remove, PreSharedKey, SelfRemove))
    if not allowed:
        _EXTERNAL_ONLY.fail(f"{type(proposal).__name__} in an external commit")
