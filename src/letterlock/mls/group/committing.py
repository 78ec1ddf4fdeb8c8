"""Making a commit (RFC 9420 section 12.4.1): staged like anybody else's, with our fresh path in it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ...errors import DecodeError, InputError, InvalidGroupMessage, MissingPsk
from ...ids import Instant, Rng
from ..client import Client
from ..evolution.effects import effects_of
from ..evolution.next_epoch import (
    NextEpoch,
    apply_proposals,
    check_path_leaf,
    check_path_present,
    conclude,
    confirmed_context,
    next_state,
)
from ..evolution.proposal_list import QueuedProposal
from ..evolution.state import PublicState
from ..registries import PRIVATE_MESSAGE, PUBLIC_MESSAGE
from ..schedule.transcript import confirmation_tag
from ..tree.member_index import MemberIndex
from ..tree.update_path import OwnPath, create_path, encrypt_path
from ..wire.commit import Commit, ProposalRef, UpdatePath
from ..wire.extensions import Extension
from ..wire.framing import AuthenticatedContent, FramedContent, FramedContentAuthData, Sender
from ..wire.leaf_node import LeafNode, LeafNodeSource
from ..wire.proposals import Proposal
from ..wire.psk import ResumptionPSKUsage
from .choosing import choose, without_offenders
from .epoch import EpochState
from .following import advance, kept_keys
from .group_infos import make_group_info
from .member import Member
from .messages import authenticate, protect
from .psks import FindPsk, combine
from .results import PendingCommit, StagedCommit, WelcomeFor
from .welcoming import make_welcomes

__all__ = ["CommitOptions", "commit_waiting", "make_commit"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitOptions:
    """Choices about one commit. The defaults are the ones that lose nothing."""

    path: bool = True
    """False leaves the UpdatePath out where the proposals permit it: smaller, without post-compromise security."""
    authenticated_data: bytes = b""
    public: bool | None = None
    """Overrides the policy's wire format for this commit."""
    welcome_each: bool = False
    """One Welcome for each new member instead of one for all."""
    tree_in_welcome: bool = True
    group_info_extensions: tuple[Extension, ...] = ()
    """More extensions for the GroupInfo inside the Welcome, which only new members read."""
    rotate: Client | None = None
    """Ourselves with another signature key, credential or capabilities: the commit's path brings the new leaf."""


def commit_waiting(
    member: Member,
    given: Sequence[Proposal],
    references: Sequence[bytes] | None,
    options: CommitOptions,
    find_psk: FindPsk,
    rng: Rng,
    now: Instant,
) -> PendingCommit:
    """See `Group.commit`: a commit of what is given and what waits, kept as `pending`."""
    epoch = member.active()
    if member.pending is not None:
        raise InputError("a commit of ours is pending", code="mls.input.pending", hint="merge or discard it first")

    def made(queued: Sequence[QueuedProposal]) -> PendingCommit:
        return make_commit(member.client, member.state, member.index, epoch, queued, find_psk, options, rng, now)

    kept = member.kept_proposals(references)
    queued = choose(epoch.own_leaf, given, [entry.queued for entry in kept])
    try:
        member.pending = made(queued)
    except (InvalidGroupMessage, MissingPsk):
        if references is not None or all(entry.reference is None for entry in queued):
            raise
        member.pending = made(without_offenders(queued, lambda part: _can_commit(member, part, find_psk, now)))
    member.note_pending()
    return member.pending


def make_commit(
    client: Client,
    state: PublicState,
    index: MemberIndex,
    epoch: EpochState,
    queued: Sequence[QueuedProposal],
    find_psk: FindPsk,
    options: CommitOptions,
    rng: Rng,
    now: Instant,
    *,
    linking: ResumptionPSKUsage | None = None,
) -> PendingCommit:
    """A commit of a member. Changes nothing but the ratchet generation that a PrivateMessage uses up.

    Raises InvalidGroupMessage if the proposals are not a valid list, MissingPsk.
    """
    suite, policy, own = state.suite, client.policy, epoch.own_leaf
    after = options.rotate or client
    if after is not client and not options.path:
        raise InputError("a new signature key needs a path", code="mls.input.rotate")
    applied = apply_proposals(
        state, index, queued, own, client.authentication, policy, now, sending=True, linking=linking
    )
    with_path = options.path or applied.proposals.path_required or not queued
    check_path_present(applied, len(queued), with_path)
    tree, own_path = applied.tree, None
    if with_path:
        tree, own_path = create_path(applied.tree, own, _leaf_builder(after, state.group_id, own), rng)
        leaf = tree.leaf(own)
        if after is not client and leaf is not None:
            # Another credential or capabilities: the others will judge them, so we had better do it first.
            check_path_leaf(applied, leaf, client.authentication, policy)
    next_epoch = conclude(applied, index, tree, policy)
    path = None if own_path is None else _encrypt(next_epoch, own_path, own, rng)

    wire_format = PUBLIC_MESSAGE if _public(options, policy.public_handshakes) else PRIVATE_MESSAGE
    commit = Commit(tuple(q.proposal if q.reference is None else ProposalRef(q.reference) for q in queued), path)
    content = FramedContent.build(
        group_id=state.group_id,
        epoch=state.epoch,
        sender=Sender.member(own),
        authenticated_data=options.authenticated_data,
        content=commit,
        types=policy.proposal_types,
    )
    signed = authenticate(client, state, wire_format, content)
    context = confirmed_context(next_epoch, signed)
    private_keys = kept_keys(epoch, next_epoch, {})
    if own_path is not None:
        private_keys = own_path.private_keys
    fresh = advance(
        suite,
        next_epoch,
        context,
        own,
        epoch.keys.init_secret,
        suite.zero if own_path is None else own_path.commit_secret,
        private_keys,
        find_psk,
    )
    tag = confirmation_tag(suite, fresh.epoch.keys.confirmation_key, context.confirmed_transcript_hash)
    confirmed = AuthenticatedContent(wire_format, content, FramedContentAuthData(signed.auth.signature, tag))
    message = protect(state, epoch, confirmed, policy.padding(len(content.encoded)), rng)
    after_state = next_state(next_epoch, context, tag)
    added = list(zip(applied.added, (add.key_package for add in applied.proposals.adds), strict=True))
    welcomes: tuple[WelcomeFor, ...] = ()
    if added:
        inside = make_group_info(
            after,
            after_state,
            fresh.epoch,
            with_tree=options.tree_in_welcome,
            with_external_pub=False,
            extensions=options.group_info_extensions,
        )
        welcomes = make_welcomes(
            after_state, fresh, own_path, added, applied.proposals.psks, inside, rng, one_each=options.welcome_each
        )
    staged = StagedCommit(
        base_epoch=state.epoch,
        effects=effects_of(next_epoch, own, options.authenticated_data),
        digest=hashlib.sha256(message).digest(),
        state=after_state,
        next_epoch=next_epoch,
        secrets=fresh.epoch,
    )
    return PendingCommit(staged, message, welcomes, confirmed, tuple(queued), linking, after)


def _can_commit(member: Member, queued: Sequence[QueuedProposal], find_psk: FindPsk, now: Instant) -> bool:
    """Whether a commit of this list would hold. Changes nothing."""
    client, state = member.client, member.state
    try:
        applied = apply_proposals(
            state,
            member.index,
            queued,
            member.active().own_leaf,
            client.authentication,
            client.policy,
            now,
            sending=True,
        )
        conclude(applied, member.index, applied.tree, client.policy)
        combine(state.suite, applied.proposals.psks, find_psk)
    except (InvalidGroupMessage, DecodeError, MissingPsk):
        return False
    return True


def _leaf_builder(client: Client, group_id: bytes, own: int) -> Callable[[bytes, bytes], LeafNode]:
    def build(encryption_key: bytes, parent_hash: bytes) -> LeafNode:
        return client.leaf(
            encryption_key, LeafNodeSource.COMMIT, parent_hash=parent_hash, group_id=group_id, leaf_index=own
        )

    return build


def _encrypt(next_epoch: NextEpoch, own_path: OwnPath, own: int, rng: Rng) -> UpdatePath:
    context = next_epoch.provisional.encoded
    return encrypt_path(next_epoch.tree, own_path, own, context, frozenset(next_epoch.applied.added), rng)


def _public(options: CommitOptions, default: bool) -> bool:
    return default if options.public is None else options.public
