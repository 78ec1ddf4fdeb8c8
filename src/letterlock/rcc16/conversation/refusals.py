"""The order has refused the pending operation: roll back, and do what the reason asks for (rcc16.md 2.3, 4.5)."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from ...ids import Instant, Number
from ...mls.wire.proposals import SelfRemove
from ..credentials.leaf import certified_number
from ..health.ladder import look_after
from ..health.states import State as HealthState
from ..wire.reasons import SERVER_REMEDIES, ServerReason, ServerRemedy, token_of
from .chat import Kind, Operation
from .ending import end_failed, revive_failed
from .members import others_of
from .operations import rollback
from .step import Work
from .trouble import suspect
from .wishes import drop_adds, drop_icon, drop_metadata, drop_removes

__all__ = ["lost", "refused"]

_ROSTERS: Final = (ServerReason.PENDING_PROPOSAL, ServerReason.MISMATCHED_RCS_GROUP_STATE)
_OVERTAKEN: Final = (
    ServerReason.INCORRECT_ERA,
    ServerReason.INCORRECT_EPOCH,
    ServerReason.INCORRECT_EPOCH_AUTHENTICATOR,
)
_WAIT_BYTES: Final = 4


def refused(work: Work, reason: ServerReason) -> None:
    """By the table. What was wanted stays wanted where another try can succeed."""
    remedy = SERVER_REMEDIES[reason]
    operation = work.chat.operation
    assert operation is not None
    if remedy is ServerRemedy.RETRY_SAME_BYTES:
        attempts = operation.attempts + 1
        work.operation(attempts=attempts, next_at=work.now + look_after(attempts, work.core.settings.budgets))
        return
    base = operation.epoch - 1, operation.era
    lost(work, overtaken=reason in _OVERTAKEN)
    revival = operation.kind in (Kind.REVIVE, Kind.REVIVE_IN_NEW_ERA)
    if revival and work.can_move(HealthState.EPOCH_ADVANCEMENT_REQUESTED):
        # Somebody was faster, perhaps with the same wish: whatever the reason is, only a look tells (edge RSH).
        work.move(HealthState.EPOCH_ADVANCEMENT_REQUESTED, token_of(reason))
        suspect(work, token_of(reason), certain=True)
        return
    work.update(refusals=work.chat.refusals + 1)
    heal = work.chat.heal
    if heal is not None and operation.kind is Kind.ERA_ADVANCE and reason is ServerReason.MISMATCHED_RCS_GROUP_STATE:
        work.update(heal=replace(heal, mismatched=True))
    spent = work.chat.refusals >= work.core.settings.budgets.slot_attempts
    # However often it was refused before: that somebody is gone may have been told since. Only removing them has to work.
    if reason in _ROSTERS and not (spent and operation.kind is Kind.REMOVE) and (gone := _departed(work)):
        work.update(removes=tuple(dict.fromkeys((*work.chat.removes, *gone))))
        return
    if operation.kind is Kind.REMOVE and reason is ServerReason.MISMATCHED_RCS_GROUP_STATE:
        # Perhaps gone from the RCS group already, and then there is no change of it to ask for (5.8). It is the user's wish.
        work.update(roster=tuple(number for number in work.chat.roster if number not in operation.numbers))
    if spent:
        _give_up(work, operation, token_of(reason))
        return
    match remedy:
        case ServerRemedy.SELF_HEAL:
            if operation.kind.makes_group or work.chat.group is None or (work.chat.epoch, work.chat.group.era) == base:
                suspect(work, token_of(reason), certain=True)
        case ServerRemedy.COMMIT_PENDING | ServerRemedy.TERMINAL | ServerRemedy.CREATE_AGAIN:
            suspect(work, token_of(reason), certain=True)
        case ServerRemedy.REPLACE_EXPIRED:
            _expired(work, operation)
        case ServerRemedy.NEW_ERA:
            _give_up(work, operation, token_of(reason))
            if operation.kind is not Kind.EXTERNAL:
                suspect(work, token_of(reason), certain=True)
        case ServerRemedy.RECORD | ServerRemedy.NONE | ServerRemedy.OWN_BUG:
            _give_up(work, operation, token_of(reason))


def lost(work: Work, *, overtaken: bool = False) -> None:
    """Roll back; tell the parts of the machine whose operation it was. `overtaken`: somebody else's has its epoch."""
    operation = rollback(work)
    match operation.kind:
        case Kind.END_MLS:
            end_failed(work, retries_spent=False)
        case Kind.REVIVE | Kind.REVIVE_IN_NEW_ERA:
            revive_failed(work)
        case Kind.PHOENIX:
            if work.can_move(HealthState.CANNOT_HEAL_DURING_END_MLS):
                work.move(HealthState.CANNOT_HEAL_DURING_END_MLS)
        case Kind.ERA_ADVANCE:
            if work.can_move(HealthState.ERA_ADVANCEMENT_REQUESTED):
                work.move(HealthState.ERA_ADVANCEMENT_REQUESTED)
        case Kind.CREATE if work.is_pair and work.chat.group is None:
            work.update(mls_id="")
        case Kind.COMMIT_PROPOSALS if not work.chat.commit_at:
            # They wait as before, and letters with them: another try, if nobody else was faster.
            work.update(commit_at=work.now + work.core.settings.budgets.look_step_ms)
        case _:
            pass
    heal = work.chat.heal
    if heal is not None and operation.kind is Kind.EXTERNAL:
        again = overtaken and work.chat.refusals + 1 < work.core.settings.budgets.slot_attempts
        work.update(heal=replace(heal, external_failed=not again, next_at=work.now + _wait(work) * again))
    if heal is not None and operation.kind is Kind.ERA_ADVANCE:
        # Where it was to take the place of a group that the order had lost: perhaps there is one now, or always was.
        work.update(heal=replace(heal, not_found=False, next_at=work.now))


def _wait(work: Work) -> Instant:
    """Before an external commit is tried once more, a random time within a window that doubles with each race lost.

    All whose Welcomes were lost, say, hear the same letter and come in at once; each epoch takes one of them. Who lost has
    no group in which the next commit could be waited for, and all that lose at once would race again (our choice).
    """
    window = work.core.settings.budgets.look_short_ms << work.chat.refusals
    return int.from_bytes(work.rng(_WAIT_BYTES)) % window


def _departed(work: Work) -> tuple[Number, ...]:
    """Who is in the tree, gone from the RCS group, and proposed nothing that we could commit: it left by the RCS group
    alone, or with a SelfRemove that no member can take. Somebody has to take its leaves out, or no commit is accepted
    and it goes on reading (9.5.1). It is the order that asked for it; a roster alone removes nobody (SR-04)."""
    group, chat = work.group(), work.chat
    if group is None or work.is_pair or not chat.roster:
        return ()
    leaving = {sender.index for _, proposal, sender in group.proposals() if isinstance(proposal, SelfRemove)}
    there = {*chat.roster, work.core.number}
    left = {certified_number(leaf.credential) for index, leaf in group.members() if index in leaving}
    return tuple(number for number in others_of(work) if number not in there and number not in left)


def _give_up(work: Work, operation: Operation, why: str) -> None:
    """Another try would end the same way: the wish is dropped."""
    match operation.kind:
        case Kind.ADD:
            drop_adds(work, operation.numbers, why)
        case Kind.REMOVE:
            drop_removes(work, operation.numbers, why)
        case Kind.METADATA:
            drop_metadata(work, why)
        case Kind.ICON:
            drop_icon(work, why)
        case Kind.ASK_KEYS:
            work.update(asks_keys=False)
        case Kind.REFRESH:
            work.update(refreshes=False, refreshed_at=work.now)
        case Kind.END_MLS:
            end_failed(work, retries_spent=True)
        case Kind.CREATE:
            work.update(blocked=why)
        case _:
            pass
    heal = work.chat.heal
    if heal is not None and operation.kind is Kind.ERA_ADVANCE:
        work.update(heal=replace(heal, advance_failed=True, next_at=work.now))


def _expired(work: Work, operation: Operation) -> None:
    """Somebody's certificate ends within thirty days (rcc16.md 1.6). Ours is renewed by enrolment, and a fresh leaf
    brings it in; for another's only a new era with fresh packages helps."""
    if operation.kind is Kind.REFRESH:
        work.update(refreshes=False, refreshed_at=work.now)
        suspect(work, "expired-credential", certain=True)
    else:
        work.update(refreshes=True)
