"""An epoch takes force: a commit of ours that was accepted, one of somebody else, or a group that we entered.

This is the only place where the group in force changes. What people see of it is read off the roster before and after
(members), never off what was announced; encryption that ends or begins again is read off the GroupContext.
"""

from __future__ import annotations

from ...conversation_seam import HealthMoved, RosterChanged, Secured
from ...ids import Number
from ...mls.group.group import Group
from ...mls.group.results import PendingCommit, StagedCommit
from ..credentials.leaf import certified_number
from ..health.budgets import Charge
from ..health.election import rank
from ..health.states import State as HealthState
from ..health.transitions import Moment
from ..wire.extensions import end_mls_of
from .chat import Device, HeldGroup
from .described import show_described
from .ending import has_ended, has_revived
from .members import device_id, devices_of, numbers_of, show_difference
from .metadata import keep_known
from .operations import rollback
from .parking import release_due
from .step import Work
from .withdrawn import look

__all__ = ["enter", "follow"]


def enter(work: Work, held: HeldGroup, group: Group, by: Number, gone: tuple[Number, ...] = ()) -> None:
    """A group takes the place of the one in force: a first one, one of a new era, or ours after we came back. `gone` had
    said before that they leave, and are in it still."""
    former = work.chat.group
    leaving = list(work.chat.leaving) if former is not None and former.era == held.era else []
    leaving += [
        device_id(leaf.signature_key) for _, leaf in group.members() if certified_number(leaf.credential) in gone
    ]
    if former is not None and former.number != held.number:
        work.drop(former)  # joining clears what earlier epochs left (rcc16.md 2.3)
    work.update(
        group=held,
        mls_id=group.group_id.decode(),
        left=False,
        leaving=tuple(dict.fromkeys(leaving)),
        rejoin=False,
        blocked="",
        stalled="",
        wants=False,
        heal=None,
        runs=0,
        commit_at=0,
        refreshed_at=work.now,
        sends=0,
    )
    _now_in(work, group, by)
    if not work.chat.ended:
        work.notices.append(Secured(work.conversation, held.era, by))


def follow(work: Work, group: Group, commit: StagedCommit | PendingCommit, by: Number) -> None:
    """The group in force goes on by one epoch."""
    staged = commit.staged if isinstance(commit, PendingCommit) else commit
    ours = isinstance(commit, PendingCommit)
    group.merge(commit, now=work.now)
    if staged.effects.self_removed:
        _out(work, by)
        return
    if ours and staged.effects.updated:
        work.update(refreshed_at=work.now, sends=0, refreshes=False)
    work.update(commit_at=0)
    if work.chat.ended and end_mls_of(group.state.extensions) is None and work.chat.group is not None:
        work.notices.append(Secured(work.conversation, work.chat.group.era, by))
    _now_in(work, group, by)


def _now_in(work: Work, group: Group, by: Number) -> None:
    held = work.chat.group
    assert held is not None
    end = end_mls_of(group.state.extensions)
    work.update(
        epoch=group.epoch,
        authenticator=group.epoch_authenticator,
        context=group.state.extensions,
        era_seen=max(work.chat.era_seen, held.era),
        held=max(work.chat.held, Moment(held.era, group.epoch)),
        ledger=work.chat.ledger.cleared(Charge.PARK),
        strangers=(),
        refusals=0,
    )
    after = devices_of(group.members(), work.chat.members, group.epoch)
    gone = _leave_still(work, after)
    if end is None or len(after) > 1:  # a group that was born ended has nobody in it; the conversation still has
        show_difference(work, after, by, held.era, group.epoch)
        # The order takes a commit only if both rosters are the same after it (rcc16.md 5.8).
        work.update(roster=tuple(number for number in numbers_of(after) if number not in (work.core.number, *gone)))
    if end is not None:
        has_ended(work, by, end)
    else:
        has_revived(work)
        _healthy(work)
    keep_known(work, group)
    show_described(work, group)
    if look(work, group):
        work.notices.append(HealthMoved(work.conversation, work.health.label, ""))
    release_due(work)


def _leave_still(work: Work, after: tuple[Device, ...]) -> tuple[Number, ...]:
    """Who has proposed to leave and was not taken out by this epoch: an external commit takes no proposal of others with
    it, and who left is not there to propose it once more. Its own word stands, and one of us acts on it, in turn."""
    still = [one for one in after if one.device in work.chat.leaving]
    work.update(leaving=tuple(one.device for one in still))
    gone = numbers_of(still)
    if gone:
        turn = rank(work.core.number, (number for number in numbers_of(after) if number not in gone))
        work.update(commit_at=work.now + turn * work.core.settings.commit_turn_ms)
    return gone


def _healthy(work: Work) -> None:
    """Forward progress: whatever was being repaired is repaired (edge HRC, EpOK, ErOK, RvN or GC by where we were)."""
    if work.can_move(HealthState.HEALTHY):
        work.move(HealthState.HEALTHY)
    else:
        work.restart_health(HealthState.HEALTHY)
    work.update(heal=None, runs=0, stalled="")


def _out(work: Work, by: Number) -> None:
    """We were removed: nothing of the group is kept, and only a Welcome brings us back (rcc16.md 6)."""
    chat = work.chat
    held = chat.group
    assert held is not None
    work.notices.append(RosterChanged(work.conversation, by, (), (work.core.number,), held.era, chat.epoch + 1))
    if work.chat.operation is not None:
        rollback(
            work
        )  # its key packages may still be on their way, and there is nothing that anybody could be added to
    work.drop(held)
    work.update(group=None, left=True, members=(), heal=None, commit_at=0, epoch=0, authenticator=b"")
