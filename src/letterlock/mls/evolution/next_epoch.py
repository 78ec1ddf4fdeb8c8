"""The public half of a commit: from one epoch's state to the next one's tree and context.

Creating and processing go the same way; they differ in who makes the UpdatePath. Nothing here changes what
it was given: the caller keeps `NextEpoch` and installs it when the delivery service has accepted the commit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ...errors import MissingProposal
from ...ids import Instant
from ..authentication import Authentication
from ..policy import Policy
from ..rules import rule
from ..schedule.transcript import confirmed_transcript_hash, interim_transcript_hash
from ..tree.member_index import MemberIndex, StagedIndex
from ..tree.ratchet_tree import Node, RatchetTree
from ..tree.update_path import merge_path
from ..wire.commit import Commit, ProposalRef, UpdatePath
from ..wire.extensions import Extension
from ..wire.framing import AuthenticatedContent, Sender, SenderType
from ..wire.leaf_node import LeafNode, LeafNodeSource
from ..wire.proposals import CustomProposal, SelfRemove, proposal_type_of
from ..wire.psk import ResumptionPSKUsage
from ..wire.welcome import GroupContext
from .leaf_rules import LeafJudge
from .membership import (
    check_extensions_supported,
    check_external_senders,
    check_members,
    check_proposals_supported,
    stage_index,
)
from .proposal_list import ProposalList, QueuedProposal, check_replacement, check_resync, collect, judge_leaves
from .state import PublicState

__all__ = [
    "Applied",
    "NextEpoch",
    "apply_proposals",
    "check_path_leaf",
    "check_path_present",
    "committer_of",
    "conclude",
    "confirmed_context",
    "follow_commit",
    "install_path",
    "next_state",
    "resolve_proposals",
    "restage",
]

_PATH = rule("MLS-12.4-01", "RFC 9420 section 12.4", "a commit that needs an UpdatePath has one", module=__name__)
_PATH_KEYS = rule(
    "MLS-12.4.2-02", "RFC 9420 section 12.4.2", "keys of the UpdatePath are new to the tree", module=__name__
)
_LAST_EPOCH = rule("MLS-12-01", "RFC 9420 sections 8.1 and 12", "an epoch has eight octets", module=__name__)
_EXTERNAL_ALLOWED = rule("MLS-P-02", "our policy", "external commits and resync may be refused", module=__name__)

_MAX_EPOCH: Final = 2**64 - 1


@dataclass(frozen=True, slots=True)
class Applied:
    """The state after the proposals and before the path."""

    before: PublicState
    proposals: ProposalList
    tree: RatchetTree
    added: tuple[int, ...]
    extensions: tuple[Extension, ...]
    committer: int
    """Leaf of the committer; for an external commit the one that it is given."""
    external: bool
    judge: LeafJudge


@dataclass(frozen=True, slots=True)
class NextEpoch:
    """What a commit leads to, without its transcript. `provisional` is the context that path secrets are bound to."""

    applied: Applied
    tree: RatchetTree
    index: StagedIndex
    changed: Mapping[int, Node]
    provisional: GroupContext


def resolve_proposals(commit: Commit, sender: Sender, known: Mapping[bytes, QueuedProposal]) -> list[QueuedProposal]:
    """The proposals that a commit covers. Raises MissingProposal for references that we have not seen."""
    found: list[QueuedProposal] = []
    missing: list[bytes] = []
    for entry in commit.proposals:
        if isinstance(entry, ProposalRef):
            queued = known.get(entry.reference)
            if queued is None:
                missing.append(entry.reference)
            else:
                found.append(queued)
        else:
            found.append(QueuedProposal(entry, sender, None))
    if missing:
        raise MissingProposal(
            f"the commit refers to {len(missing)} proposals that are not here",
            references=tuple(missing),
            hint="fetch the missing messages and process the commit again",
        )
    return found


def apply_proposals(
    state: PublicState,
    index: MemberIndex,
    queued: Sequence[QueuedProposal],
    committer: int | None,
    authentication: Authentication,
    policy: Policy,
    now: Instant,
    *,
    sending: bool = False,
    linking: ResumptionPSKUsage | None = None,
) -> Applied:
    """Check a proposal list and apply it (sections 12.2 and 12.3). Raises InvalidGroupMessage.

    Signatures of new leaves are collected in `judge.batch`; `conclude` checks them.
    """
    proposals = collect(queued, state, committer, policy, linking=linking)
    extensions = state.extensions if proposals.context_extensions is None else proposals.context_extensions
    judge = LeafJudge(state.suite, state.group_id, extensions, authentication, policy, now)
    judge_leaves(queued, state, judge, authentication, sending=sending)
    tree, added = proposals.apply(state.tree)
    kinds = {
        proposal_type_of(entry.proposal, policy.proposal_types)
        for entry in queued
        if isinstance(entry.proposal, (CustomProposal, SelfRemove))
    }
    if kinds:
        staying = ProposalList(removes=list(proposals.removed)).apply(state.tree)[0]
        check_proposals_supported(stage_index(index, state.tree, staying)[0], kinds)
    if proposals.context_extensions is not None:
        check_external_senders(state.suite, extensions, authentication, now)
    return Applied(
        before=state,
        proposals=proposals,
        tree=tree,
        added=tuple(added),
        extensions=extensions,
        committer=tree.first_blank_leaf() if committer is None else committer,
        external=committer is None,
        judge=judge,
    )


def check_path_present(applied: Applied, covered: int, present: bool) -> None:
    """A commit that covers nothing, or anything that needs a path, must have one (section 12.4)."""
    if not present and (covered == 0 or applied.proposals.path_required):
        _PATH.fail("the commit needs an UpdatePath and has none")


def install_path(
    applied: Applied, index: MemberIndex, path: UpdatePath, authentication: Authentication, policy: Policy
) -> RatchetTree:
    """Check a received UpdatePath and merge it into the tree (sections 7.5 and 12.4.2)."""
    leaf = path.leaf_node
    check_path_leaf(applied, leaf, authentication, policy)
    keys = [leaf.encryption_key, *(node.encryption_key for node in path.nodes)]
    if len(set(keys)) != len(keys):
        _PATH_KEYS.fail("an UpdatePath has a key twice")
    fresh = {entry.key_package.leaf_node.encryption_key for entry in applied.proposals.adds}
    fresh.update(leaf.encryption_key for _, leaf in applied.proposals.updates)
    for key in keys:
        holder = index.encryption_key_holder(key)
        if key in fresh or (holder is not None and _still_has(applied.tree, holder, key)):
            _PATH_KEYS.fail("a key of the UpdatePath is in the tree already")
    return merge_path(applied.tree, applied.committer, path, frozenset(applied.added))


def _still_has(tree: RatchetTree, node: int, key: bytes) -> bool:
    value = tree.node(node)
    return value is not None and value.encryption_key == key


def check_path_leaf(applied: Applied, leaf: LeafNode, authentication: Authentication, policy: Policy) -> None:
    """The committer's next leaf: for what others commit, and for our own where it says something new.

    Its signature only joins the batch, which `conclude` verifies.
    """
    applied.judge.leaf(leaf, LeafNodeSource.COMMIT, applied.committer)
    if applied.external:
        _check_joiner(applied, leaf, authentication, policy)
        return
    old = applied.before.tree.leaf(applied.committer)
    if old is not None:
        check_replacement(old, leaf, authentication)


def _check_joiner(applied: Applied, leaf: LeafNode, authentication: Authentication, policy: Policy) -> None:
    """An external commit: allowed at all, and what it removes is the joiner's own (section 12.2)."""
    removes = (*applied.proposals.removes, *applied.proposals.custom_removes)
    if not policy.external_commits or (removes and not policy.resync):
        _EXTERNAL_ALLOWED.fail("this group takes no external commits of that kind")
    for removed in removes:
        old = applied.before.tree.leaf(removed)
        if old is not None:
            check_resync(old, leaf, authentication)
            check_replacement(old, leaf, authentication)


def conclude(applied: Applied, index: MemberIndex, tree: RatchetTree, policy: Policy) -> NextEpoch:
    """Check the resulting tree and make its provisional context."""
    state = applied.before
    if state.epoch >= _MAX_EPOCH:
        _LAST_EPOCH.fail("no epoch comes after this one")
    staged, changed = stage_index(index, state.tree, tree)
    check_members(staged, tree, changed, policy)
    if applied.proposals.context_extensions is not None:
        check_extensions_supported(staged, applied.extensions)
    applied.judge.batch.verify()
    return NextEpoch(applied, tree, staged, changed, _provisional(applied, tree))


def _provisional(applied: Applied, tree: RatchetTree) -> GroupContext:
    state = applied.before
    return GroupContext(
        cipher_suite=state.suite.number,
        group_id=state.group_id,
        epoch=state.epoch + 1,
        tree_hash=tree.tree_hash(),
        confirmed_transcript_hash=state.context.confirmed_transcript_hash,
        extensions=applied.extensions,
    )


def follow_commit(
    state: PublicState,
    index: MemberIndex,
    content: AuthenticatedContent,
    known: Mapping[bytes, QueuedProposal],
    authentication: Authentication,
    policy: Policy,
    now: Instant,
) -> NextEpoch:
    """Everything that can be checked and computed about a received commit without a secret.

    Raises MissingProposal, InvalidGroupMessage, DecodeError.
    """
    commit = content.content.content
    assert isinstance(commit, Commit)
    sender = content.content.sender
    queued = resolve_proposals(commit, sender, known)
    applied = apply_proposals(state, index, queued, committer_of(sender), authentication, policy, now)
    check_path_present(applied, len(queued), commit.path is not None)
    tree = applied.tree
    if commit.path is not None:
        tree = install_path(applied, index, commit.path, authentication, policy)
    return conclude(applied, index, tree, policy)


def restage(
    state: PublicState,
    index: MemberIndex,
    commit: Commit,
    queued: Sequence[QueuedProposal],
    committer: int,
    authentication: Authentication,
    policy: Policy,
    *,
    linking: ResumptionPSKUsage | None,
) -> NextEpoch:
    """A commit of our own, read back from a store. It was judged when it was made, and may have been accepted since:
    so leaves, credentials and lifetimes are not judged again by what has become of them.
    """
    proposals = collect(queued, state, committer, policy, linking=linking)
    extensions = state.extensions if proposals.context_extensions is None else proposals.context_extensions
    tree, added = proposals.apply(state.tree)
    applied = Applied(
        before=state,
        proposals=proposals,
        tree=tree,
        added=tuple(added),
        extensions=extensions,
        committer=committer,
        external=False,
        judge=LeafJudge(state.suite, state.group_id, extensions, authentication, policy, 0),
    )
    if commit.path is not None:
        tree = merge_path(tree, committer, commit.path, frozenset(added))
    staged, changed = stage_index(index, state.tree, tree)
    return NextEpoch(applied, tree, staged, changed, _provisional(applied, tree))


def confirmed_context(next_epoch: NextEpoch, message: AuthenticatedContent) -> GroupContext:
    """The next epoch's GroupContext, with the commit in its transcript (section 8.2)."""
    state = next_epoch.applied.before
    provisional = next_epoch.provisional
    return GroupContext(
        cipher_suite=provisional.cipher_suite,
        group_id=provisional.group_id,
        epoch=provisional.epoch,
        tree_hash=provisional.tree_hash,
        confirmed_transcript_hash=confirmed_transcript_hash(
            state.suite, state.interim_transcript_hash, message.wire_format, message.content, message.auth.signature
        ),
        extensions=provisional.extensions,
    )


def next_state(next_epoch: NextEpoch, context: GroupContext, confirmation_tag: bytes) -> PublicState:
    """The public state of the next epoch."""
    suite = next_epoch.applied.before.suite
    return PublicState(
        suite=suite,
        context=context,
        tree=next_epoch.tree,
        confirmation_tag=confirmation_tag,
        interim_transcript_hash=interim_transcript_hash(suite, context.confirmed_transcript_hash, confirmation_tag),
    )


def committer_of(sender: Sender) -> int | None:
    """The committing leaf; None for a joiner that commits itself in."""
    return sender.index if sender.sender_type == SenderType.MEMBER else None
