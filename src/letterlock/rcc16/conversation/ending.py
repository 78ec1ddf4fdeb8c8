"""Ending encryption and taking it up again (rcc16.md 5.7).

By itself that happens only where no person has ended it: a member's program, which says what failed it. Then it is tried
after a wait that doubles with each time, member after member. Nothing is sent meanwhile either.

`end_mls` is an extension of the GroupContext, so only a member can set it, and everybody sees who did. From then on
nothing is sent here at all until the user decides: where RCC.16 would permit plaintext, ours keeps the composer closed.
A revival drops the extension by a commit; where we no longer hold the group that counts, by a new era.
"""

from __future__ import annotations

from typing import Final

from ...conversation_seam import Ended
from ...ids import Instant, Number
from ..health.election import rank
from ..health.ending import Cause, Ending, Reviving, end_guard, revive_guard
from ..health.latch import latched_after
from ..health.states import State as HealthState
from ..wire.control import EndReason
from ..wire.extensions import END_MLS, EndMls, end_mls_extension, merge
from .chat import Kind
from .committing import change_context
from .eras import advance
from .step import Work
from .wishes import drop_revival

__all__ = ["end", "end_failed", "has_ended", "has_revived", "lifted_at", "revive", "revive_failed"]

_USER: Final = "user"
_FAILURES: Final = frozenset(
    reason.label
    for reason in EndReason
    # No reason may well be a person's; and what a member does not trust, a person has to look at.
    if reason
    not in (
        EndReason.UNSET,
        EndReason.UNTRUSTED_ROOT,
        EndReason.CONTINUITY_TOKEN_MISMATCH,
        EndReason.CONTINUITY_TOKEN_NOT_RECEIVED,
    )
)
"""Why a program ends encryption."""


def end(work: Work) -> None:
    """The user's wish to end encryption is next."""
    chat = work.chat
    gap = chat.group is None or chat.rejoin or bool(chat.stalled)
    match end_guard(work.health, bool(chat.ended), chat.operation is not None, gap):
        case Ending.DONE:
            work.update(ends="", ended=_USER)  # now it is a person's decision, whoever began
        case Ending.ONGOING:
            work.update(ends="")
        case Ending.PENDING:
            pass
        case Ending.LOCAL_ONLY:
            _end_here(work)
        case Ending.SEND:
            _send_end(work)


def _send_end(work: Work) -> None:
    group = work.group()
    if group is None or not work.can_move(HealthState.END_MLS_REQUESTED):
        _end_here(work)
        return
    work.move(HealthState.END_MLS_REQUESTED)
    extension = end_mls_extension(EndReason.UNSET, work.core.settings.choices.revision)
    change_context(work, Kind.END_MLS, merge(group.state.extensions, {END_MLS: extension}))
    work.move(HealthState.ONGOING_END_MLS)


def _end_here(work: Work) -> None:
    """We cannot commit to the group that counts. In a group others are told by a new era that is born ended, for which
    nobody's packages are needed ("phoenix"); else it is ended for us alone (state 15)."""
    if work.chat.stalled and not work.is_pair and work.can_move(HealthState.PHOENIX_MODE_REQUESTED):
        work.move(HealthState.PHOENIX_MODE_REQUESTED)
        work.move(HealthState.ONGOING_PHOENIX_MODE)
        advance(work, Kind.PHOENIX)
    elif work.can_move(HealthState.CANNOT_HEAL_DURING_END_MLS):
        work.move(HealthState.CANNOT_HEAL_DURING_END_MLS)
    elif work.health in (HealthState.ONGOING_ERA_ADVANCEMENT, HealthState.ERA_ADVANCEMENT_REQUESTED):
        work.force_health(HealthState.CANNOT_HEAL_DURING_END_MLS)
    _mark(work, None, Cause.ENGINE_REQUESTED.label)


def end_failed(work: Work, retries_spent: bool) -> None:
    """Our end_mls was not taken: another commit was first (edge ECC), or nobody answered (EFX)."""
    if retries_spent:
        _end_here(work)
    elif work.can_move(HealthState.HEALTHY):
        work.move(HealthState.HEALTHY)  # the wish stands, and is looked at again


def has_ended(work: Work, by: Number, found: EndMls) -> None:
    """The epoch that we are in has end_mls."""
    if not work.health.has_end_mls or work.health.is_phoenix:
        _move_to_end(work)
    if not work.chat.ended:
        _mark(work, by, found.reason.label)


def _move_to_end(work: Work) -> None:
    for state in (HealthState.DONE_END_MLS, HealthState.CANNOT_HEAL_DURING_END_MLS):
        if work.can_move(state):
            work.move(state)
            return
    work.restart_health(HealthState.UNKNOWN)
    work.move(HealthState.DONE_END_MLS)


def _mark(work: Work, by: Number | None, reason: str) -> None:
    chat = work.chat
    work.update(
        ended=reason,
        ended_by=by or "",
        ends="",
        heal=None,
        latched=latched_after(chat.latched, work.health, False),
        backoff=chat.backoff.downgraded(work.core.settings.budgets, work.now),
    )
    work.notices.append(Ended(work.conversation, by, reason))


def has_revived(work: Work) -> None:
    """The epoch that we are in has no end_mls."""
    work.update(latched=latched_after(work.chat.latched, HealthState.HEALTHY, True))
    if work.chat.ended:
        work.update(ended="", ended_by="", revives=False)


def revive(work: Work) -> None:
    """Taking encryption up again is next: at once for a person who asks, for ourselves after the wait."""
    chat = work.chat
    in_sync = chat.group is not None and not chat.rejoin
    due = work.now if chat.revives else lifted_at(work) or work.now
    match revive_guard(work.health, bool(chat.ended), chat.operation is not None, in_sync, work.now, due):
        case Reviving.NOTHING:
            work.update(revives=False)
        case Reviving.PENDING | Reviving.LATER:
            pass
        case Reviving.IN_PLACE:
            _revive_in_place(work)
        case Reviving.NEW_ERA:
            _revive_in_new_era(work)


def _revive_in_place(work: Work) -> None:
    group = work.group()
    if group is None:
        return
    work.move(HealthState.ONGOING_REVIVE_MLS)
    change_context(work, Kind.REVIVE, merge(group.state.extensions, {END_MLS: None}))


def _revive_in_new_era(work: Work) -> None:
    if work.can_move(HealthState.ONGOING_ERA_ADVANCEMENT_FOR_REVIVE):
        work.move(HealthState.ONGOING_ERA_ADVANCEMENT_FOR_REVIVE)
    advance(work, Kind.REVIVE_IN_NEW_ERA)


def lifted_at(work: Work) -> Instant | None:
    """When we take up by ourselves what a member's program has ended; None where a person decides (our choice)."""
    chat, settings = work.chat, work.core.settings
    if chat.ended not in _FAILURES or chat.ended_by in ("", work.core.number):
        return None
    turn = rank(work.core.number, (one.number for one in chat.members)) * settings.commit_turn_ms
    at = chat.backoff.due(settings.budgets, chat.backoff.last) + turn
    # Further away than any wait is long: the clock was set back.
    return at if at - work.now < settings.budgets.upgrade_stable_ms else work.now


def revive_failed(work: Work) -> None:
    """Our revival was not taken."""
    drop_revival(work, work.chat.blocked or "refused")
    work.update(backoff=work.chat.backoff.downgraded(work.core.settings.budgets, work.now))
    if work.health is HealthState.ONGOING_REVIVE_MLS:
        work.move(HealthState.ONGOING_ERA_ADVANCEMENT_FOR_REVIVE)
    if work.can_move(HealthState.DONE_END_MLS):
        work.move(HealthState.DONE_END_MLS)
