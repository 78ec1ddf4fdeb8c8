"""What the steps of the ladder do (rcc16.md 5.5); which one is next, `healing` finds out."""

from __future__ import annotations

from dataclasses import replace

from ...conversation_seam import Packet, Stalled
from ...ids import MessageId
from ..health.budgets import Charge
from ..health.election import Presence, looks_to_wait, rank
from ..health.ladder import Step
from ..health.states import State as HealthState
from ..health.transitions import Moment
from ..health.verdict import Verdict
from ..wire.content_types import SERVER_CONTROL
from ..wire.control import EnhancedGroupInfo, MlsMessage
from ..wire.reasons import ClientReason
from . import eras
from .chat import Heal, Kind
from .control import apply_control
from .fetched import Fetched
from .joining import come_in
from .members import numbers_of
from .operations import standing
from .parking import release_due, release_failed, waiting
from .posting import pull_packet
from .reports import cannot_read, report
from .step import Work
from .strangers import is_stranger
from .trouble import UNREADABLE

__all__ = ["ask_user", "begin_repair", "charge", "come_back", "give_up", "healed", "hear", "make_era", "pull", "replay"]


def begin_repair(work: Work) -> None:
    """State 1."""
    heal = work.chat.heal
    assert heal is not None
    if work.can_move(HealthState.EPOCH_ADVANCEMENT_REQUESTED):
        work.move(HealthState.EPOCH_ADVANCEMENT_REQUESTED, heal.cause)
    work.update(heal=replace(heal, begun=True))


def charge(work: Work) -> bool:
    heal = work.chat.heal
    ledger = work.chat.ledger.spend(Charge.SELF_HEAL, work.core.settings.budgets, work.now)
    if ledger is None or heal is None:
        return False
    work.update(ledger=ledger, heal=replace(heal, spent=True))
    return True


def pull(work: Work) -> None:
    heal, budgets = work.chat.heal, work.core.settings.budgets
    assert heal is not None
    ledger = work.chat.ledger.spend(Charge.FETCH, budgets, work.now)
    if ledger is not None:
        work.update(ledger=ledger.pruned(budgets, work.now))
    here = None if work.chat.rejoin else standing(work)
    work.packets.append(pull_packet(work, here))
    work.update(heal=replace(heal, asked=True, not_found=False, next_at=work.now + budgets.answer_ms))


def healed(work: Work) -> None:
    """We hold what the order holds."""
    heal = work.chat.heal
    if heal is not None and heal.cause == UNREADABLE and work.health is not HealthState.ONGOING_EPOCH_ADVANCEMENT:
        # Nothing was wrong with us.
        ledger = work.chat.ledger.spend(Charge.PARK, work.core.settings.budgets, work.now)
        work.update(ledger=ledger or work.chat.ledger)
    work.update(heal=None, runs=0, stalled="")
    if work.can_move(HealthState.HEALTHY):
        work.move(HealthState.HEALTHY)
    tried_again(work)
    release_due(work)
    for _, parked in waiting(work):
        # We hold what the order holds, and this is of a later moment: its sender believes in an epoch that never was.
        # Only a signed word has it look (rcc16.md 4.5, reason 13). It stays parked: the order may have moved meanwhile.
        if parked.sender is not None and Moment(parked.era, parked.epoch) > work.chat.moment:
            report(work, parked.packet, parked.sender, ClientReason.CONTROL_MESSAGE_FAILED)


def tried_again(work: Work) -> None:
    """What failed before the repair is tried once more; what fails now is lost, and its sender told."""
    for parked in release_failed(work):
        work.retried.add(parked.packet.message_id)
        work.unread.append((parked.packet, parked.sender))


def hear(work: Work, info: EnhancedGroupInfo) -> None:
    """We hold what the order holds, but for what waits for a commit: where its delivery was lost every commit of ours
    would be refused for skipping it."""
    for missed in info.messages:
        if isinstance(missed.message, MlsMessage):
            packet = Packet(work.conversation, None, MessageId(missed.message_id), SERVER_CONTROL, (), b"")
            apply_control(work, packet, missed.message, work.conversation.peer)


def replay(work: Work, info: EnhancedGroupInfo) -> Verdict | None:
    """The missed control messages, strictly in order. Any failure abandons this way (10.1.2)."""
    heal = work.chat.heal
    assert heal is not None
    if work.can_move(HealthState.ONGOING_EPOCH_ADVANCEMENT):
        work.move(HealthState.ONGOING_EPOCH_ADVANCEMENT)
    before, was_ended = work.chat.moment, bool(work.chat.ended)
    for missed in info.messages:
        packet = Packet(work.conversation, None, MessageId(missed.message_id), SERVER_CONTROL, (), b"")
        apply_control(work, packet, missed.message, work.conversation.peer)
        if work.chat.left:
            return None
    now_at = standing(work)
    in_step = now_at is not None and now_at == info.latest
    if work.chat.ended and (in_step or not was_ended):
        # Ended by what was missed. But who was ended before looks for a revival, which may be behind a proposal.
        work.update(heal=None)
        return None
    heal = work.chat.heal or heal
    if in_step:
        work.update(heal=heal)
        work.update(ledger=work.chat.ledger.cleared(Charge.SELF_HEAL))
        return Verdict.IN_SYNC
    if work.chat.moment > before and info.page_end is not None and now_at == info.page_end:
        work.update(heal=replace(heal, begun=True))
        pull(work)  # the next page
        return None
    work.update(heal=replace(heal, begun=True, replay_failed=True))
    return Verdict.BEHIND


def come_back(work: Work, fetched: Fetched) -> Verdict | None:
    heal, budgets = work.chat.heal, work.core.settings.budgets
    assert heal is not None
    ledger = work.chat.ledger.spend(Charge.EXTERNAL_COMMIT, budgets, work.now)
    if ledger is not None:
        work.update(ledger=ledger)
    if work.can_move(HealthState.ONGOING_EPOCH_ADVANCEMENT):
        work.move(HealthState.ONGOING_EPOCH_ADVANCEMENT)
    error = work.attempt(lambda: come_in(work, fetched))
    if error is None:
        return None
    work.update(heal=replace(heal, external_failed=True))
    return Verdict.NOT_IN_GROUP


def make_era(work: Work, step: Step, found: Verdict) -> Verdict | None:
    """A new era, if it is our turn (rcc16.md 2.3)."""
    if is_stranger(work.chat):
        work.update(heal=None)  # nobody has wished for it, and nobody's key packages are claimed for it (SR-13)
        return None
    heal, budgets, chat = work.chat.heal, work.core.settings.budgets, work.chat
    assert heal is not None
    others = [number for number in numbers_of(chat.members) if number != work.core.number]
    if step is Step.ADVANCE_ERA and heal.election_waits < 0:
        waits = looks_to_wait(rank(work.core.number, others), Presence.QUIET)
        work.update(heal=replace(heal, election_waits=waits))
        if waits:
            if work.can_move(HealthState.ERA_ADVANCEMENT_REQUESTED):
                work.move(HealthState.ERA_ADVANCEMENT_REQUESTED)
            return found
    kinds = [Charge.ERA_ADVANCE if step is Step.ADVANCE_ERA else Charge.REBUILD]
    if found is Verdict.GROUP_NOT_FOUND:
        kinds.append(Charge.REESTABLISH)
    for kind in kinds:
        ledger = work.chat.ledger.spend(kind, budgets, work.now)
        if ledger is not None:
            work.update(ledger=ledger)
    work.update(runs=chat.runs + 1)
    for state in (HealthState.ERA_ADVANCEMENT_REQUESTED, HealthState.ONGOING_ERA_ADVANCEMENT):
        if work.can_move(state):
            work.move(state)
    eras.advance(work, Kind.ERA_ADVANCE)
    return None


def give_up(work: Work) -> None:
    """State 6: reporting is allowed now."""
    if work.can_move(HealthState.SELF_HEAL_FAILED):
        work.move(HealthState.SELF_HEAL_FAILED)
    else:
        work.restart_health(HealthState.UNKNOWN)
        work.move(HealthState.EPOCH_ADVANCEMENT_REQUESTED)
        work.move(HealthState.SELF_HEAL_FAILED)
    for parked in release_failed(work):
        cannot_read(work, parked.packet, parked.sender, "repair-failed")


def ask_user(work: Work) -> None:
    """Nothing is left to try by ourselves."""
    if is_stranger(work.chat):
        work.update(heal=None)  # there is nothing here that the user has ever seen
        return
    heal = work.chat.heal
    cause = heal.cause if isinstance(heal, Heal) else "repair"
    work.update(stalled=cause, heal=None)
    work.notices.append(Stalled(work.conversation, cause))
