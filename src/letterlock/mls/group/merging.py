"""A commit takes force: the only place where a member moves to another epoch."""

from __future__ import annotations

import contextlib

from ...errors import DuplicateMessage, InputError
from ...ids import Instant
from .epoch import PastEpochState
from .member import Member
from .results import PendingCommit, StagedCommit
from .row_keys import held_key
from .rows import note_epoch, prune_past

__all__ = ["merge"]


def merge(member: Member, commit: StagedCommit | PendingCommit, now: Instant) -> list[bytes]:
    """Move on; gives the messages that were held for the new epoch. Raises InputError for a stale commit."""
    staged = commit.staged if isinstance(commit, PendingCommit) else commit
    before = member.state
    if staged.next_epoch.applied.before is not before:
        raise InputError(
            "this commit was staged for another state of the group", code="mls.input.stale", hint="process it again"
        )
    epoch = member.epoch
    assert epoch is not None  # nothing can be staged without
    if staged.key is not None:
        with contextlib.suppress(DuplicateMessage):  # the same commit was staged twice, and this is the other one
            epoch.messages.consume(staged.key)
    past = PastEpochState(
        epoch=before.epoch,
        ended_at=now,
        own_leaf=epoch.own_leaf,
        digest=staged.digest,
        resumption_psk=epoch.keys.resumption_psk,
        sender_data_secret=epoch.keys.sender_data_secret,
        context=before.context.encoded,
        messages=epoch.messages,
        replaced={node >> 1: before.tree.leaf(node >> 1) for node in staged.next_epoch.changed if not node & 1},
    )
    staged.next_epoch.index.apply()
    member.state = staged.state
    member.epoch = staged.secrets
    if isinstance(commit, PendingCommit):
        member.client = commit.client
    member.reinit = staged.effects.reinit
    note_epoch(member, epoch, staged.next_epoch.changed)
    member.proposals.clear()
    member.updates.clear()
    member.pending = None
    member.past.add(past)
    prune_past(member, now)
    ended = member.epoch is None or member.reinit is not None
    due = member.held.release(None if ended else member.state.epoch)
    for key, _ in due:
        member.dirty.add(held_key(key))
    return [] if ended else [data for _, data in due]
