"""Repair: the ladder's steps, carried out (rcc16.md 5.5).

`health.ladder` decides, this does: asks the order where the group stands, replays what we missed, comes back by an
external commit, makes a new era where it is our turn. What whoever orders says is compared and verified, never simply
believed. Only a repair that found us out of step is charged: what a stranger's garbage set off costs a question.
"""

from __future__ import annotations

from dataclasses import replace

from ...errors import LetterlockError
from ...ids import Number
from ..credentials.leaf import certified_number
from ..health.budgets import Charge
from ..health.ladder import Facts, HealStep, Step, look_after, next_step
from ..health.states import State as HealthState
from ..health.transitions import Moment
from ..health.verdict import Standing, Verdict, verdict
from ..wire.control import EnhancedGroupInfo, EpochIdentifier, MlsMessage
from ..wire.extensions import end_mls_of
from .continuity import continues, show_strangers
from .control import accepted
from .ending import has_ended
from .fetched import Fetched, read_fetched, saw_era
from .members import numbers_of
from .operations import matches, standing
from .refusals import lost
from .repairs import ask_user, begin_repair, charge, come_back, give_up, healed, hear, make_era, pull, replay
from .step import Work
from .trouble import suspect

__all__ = ["due", "take_answer"]

_MAX_STEPS = 12
"""The ladder has fewer rungs; a loop that does not end is a bug."""


def due(work: Work) -> None:
    """A repair is open, and it is time for its next step."""
    heal = work.chat.heal
    if heal is None or heal.next_at > work.now or work.client is None or work.chat.operation is not None:
        return
    if heal.asked:
        # Nobody has answered: ask again, later each time.
        looks, budgets = heal.looks + 1, work.core.settings.budgets
        wait = max(0, look_after(looks, budgets) - budgets.answer_ms)
        heal = replace(heal, asked=False, looks=looks, next_at=work.now + wait)
        work.update(heal=heal)
        if wait:
            return
    if heal.not_found:
        _climb(work, None, Verdict.GROUP_NOT_FOUND)
    else:
        _climb(work, None, Verdict.UNKNOWN)


def take_answer(work: Work, info: EnhancedGroupInfo, sender: Number | None) -> None:
    """Whoever orders says where the group stands."""
    if sender != work.conversation.peer or work.client is None or work.chat.left:
        return
    if work.chat.operation is not None and work.chat.operation.control_id:
        _about_operation(work, info.latest)
        if work.chat.operation is not None:
            return
    heal = work.chat.heal
    if heal is None or not heal.asked:
        return
    work.update(heal=replace(heal, asked=False))
    try:
        waiting = [one.message.message for one in info.messages if isinstance(one.message, MlsMessage)]
        fetched = read_fetched(work, info.group_info, waiting)
        wrong = (fetched.era, fetched.epoch) != (info.latest.era, info.latest.epoch)
    except LetterlockError:
        wrong = True
    if wrong:
        # What does not hold together is no answer. Look again later; meanwhile we stay where we are.
        _climb(work, None, Verdict.UNKNOWN)
        return
    saw_era(work, fetched.era)
    says = Standing(Moment(info.latest.era, info.latest.epoch), info.latest.authenticator)
    here = standing(work)
    local = None if here is None else Standing(Moment(here.era, here.epoch), here.authenticator)
    if work.chat.rejoin:
        local = None
    found = verdict(local, says)
    if found is Verdict.LOCAL_AHEAD and not heal.looks:
        # Most often an answer that was on its way while a commit came: look once more before anything is done.
        work.update(
            heal=replace(heal, asked=False, looks=1, next_at=work.now + work.core.settings.budgets.look_short_ms)
        )
        return
    if found is Verdict.IN_SYNC:
        hear(work, info)
    elif not _is_ours(work, fetched):
        show_strangers(work, fetched)
    _climb(work, (info, fetched), found, answered=True)


def _about_operation(work: Work, latest: EpochIdentifier) -> None:
    """We had asked because our commit was not answered (rcc16.md 2.3): did it count?"""
    operation = work.chat.operation
    assert operation is not None
    if matches(work, operation.control_id, latest):
        accepted(work)
        return
    here, there = Moment(operation.era, operation.epoch), Moment(latest.era, latest.epoch)
    if there >= here:
        # Somebody else's commit has that epoch: ours was lost.
        lost(work, overtaken=True)
        work.update(refusals=work.chat.refusals + 1)
        suspect(work, "lost-commit", certain=True)
    # Behind: not there yet, or never. The same bytes are sent again.


_Answer = tuple[EnhancedGroupInfo, Fetched]


def _climb(work: Work, answer: _Answer | None, found: Verdict, *, answered: bool = False) -> None:
    """Step after step until one has to wait for somebody."""
    pulled = answered or found is Verdict.GROUP_NOT_FOUND
    for _ in range(_MAX_STEPS):
        heal = work.chat.heal
        if heal is None or work.chat.operation is not None:
            return
        if pulled and found not in (Verdict.IN_SYNC, Verdict.UNKNOWN) and not heal.spent and not charge(work):
            ask_user(work)
            return
        step = next_step(_facts(work, answer, found, pulled), work.core.settings.budgets)
        outcome = _do(work, step, answer, found)
        if outcome is None:
            return
        found = outcome


def _facts(work: Work, answer: _Answer | None, found: Verdict, pulled: bool) -> Facts:
    chat, heal = work.chat, work.chat.heal
    assert heal is not None
    ledger, budgets = chat.ledger, work.core.settings.budgets
    info, fetched = answer if answer is not None else (None, None)
    return Facts(
        state=work.health,
        left=chat.left,
        verdict=found,
        pulled=pulled,
        waited_ms=max(0, work.now - heal.since),
        from_future=heal.from_future,
        charged=heal.begun,
        server_has_end_mls=fetched is not None and _ended_by_member(work, fetched),
        replayable=info is not None and info.page_end is not None and bool(info.messages) and not chat.rejoin,
        replay_failed=heal.replay_failed,
        external_pub=fetched is not None and _may_enter(work, fetched),
        external_failed=heal.external_failed,
        election_waits=max(0, heal.election_waits),
        looks=heal.looks,
        runs=chat.runs,
        self_heal_left=ledger.left(Charge.SELF_HEAL, budgets, work.now),
        fetch_left=ledger.left(Charge.FETCH, budgets, work.now),
        external_left=ledger.left(Charge.EXTERNAL_COMMIT, budgets, work.now),
        advance_left=ledger.left(Charge.ERA_ADVANCE, budgets, work.now),
        rebuild_left=ledger.left(Charge.REBUILD, budgets, work.now),
        reestablish_left=ledger.left(Charge.REESTABLISH, budgets, work.now),
        advance_failed=heal.advance_failed,
    )


def _may_enter(work: Work, fetched: Fetched) -> bool:
    """Whether we would come in there by an external commit (SR-04); else a new era is made, with whom we know to be there.

    Not into the past: in an earlier epoch stand those who were removed since, and the order may be one with them. And
    only where a member vouches for it: whoever has a certificate can make a group of our name, with leaves of everybody
    from the key server, and come in with us.
    """
    latest = Moment(fetched.era, fetched.epoch) >= work.chat.held
    return fetched.joinable and latest and _is_ours(work, fetched)


def _is_ours(work: Work, fetched: Fetched) -> bool:
    known = numbers_of(work.chat.members)
    return (not known or fetched.signer[0] in known) and continues(work, fetched)


def _narrow(work: Work, fetched: Fetched) -> None:
    """A new era is for whom we believe in, and was refused. Who is not in the group that the order holds was perhaps never
    added: we were told so of a commit that nobody else has seen. It is the order that asked for it (SR-04), a member
    vouches for that group, and people are told who is out; nobody is taken in because of it."""
    there = {certified_number(leaf.credential) for _, leaf in fetched.leaves}
    kept = tuple(number for number in work.chat.roster if number in there)
    if kept:
        work.update(roster=kept)


def _ended_by_member(work: Work, fetched: Fetched) -> bool:
    """end_mls in a fetched GroupInfo counts if somebody who was in the group with us vouches for it: nobody outside can
    end encryption, whatever tree a server shows (SR-01). And not if it is of the past: it may have been begun again
    since (SR-05)."""
    if end_mls_of(fetched.extensions) is None or Moment(fetched.era, fetched.epoch) < work.chat.held:
        return False
    return fetched.signer in {(one.number, one.device) for one in work.chat.members}


def _do(work: Work, step: HealStep, answer: _Answer | None, found: Verdict) -> Verdict | None:
    """One step. None: it waits for somebody; else what is known now."""
    heal = work.chat.heal
    assert heal is not None
    info, fetched = answer if answer is not None else (None, None)
    match step.step:
        case Step.STOP:
            work.update(heal=None)
        case Step.WAIT | Step.PARK:
            waits = max(0, heal.election_waits - 1) if heal.election_waits >= 0 else heal.election_waits
            # That there is no group is so for one step: whoever waits asks again, because somebody may make one meanwhile.
            after = work.now + max(step.after, 1)
            work.update(heal=replace(heal, not_found=False, next_at=after, election_waits=waits))
        case Step.CHARGE:
            begin_repair(work)
            return found
        case Step.PULL:
            pull(work)
        case Step.HEALED:
            healed(work)
        case Step.ADOPT_END:
            assert fetched is not None
            end = end_mls_of(fetched.extensions)
            assert end is not None
            # We are not in that epoch: a revival has to make a new era.
            work.update(rejoin=found is not Verdict.IN_SYNC)
            has_ended(work, fetched.signer[0], end)
            if work.can_move(HealthState.DONE_END_MLS):
                work.move(HealthState.DONE_END_MLS)  # we had looked whether others had revived it
            work.update(heal=None)
        case Step.REPLAY:
            assert info is not None
            return replay(work, info)
        case Step.EXTERNAL_COMMIT:
            assert fetched is not None
            return come_back(work, fetched)
        case Step.ASK_WELCOME:
            work.update(
                heal=replace(
                    heal,
                    looks=heal.looks + 1,
                    next_at=work.now + look_after(heal.looks + 1, work.core.settings.budgets),
                )
            )
        case Step.ADVANCE_ERA | Step.REBUILD:
            if heal.mismatched and fetched is not None and _is_ours(work, fetched):
                _narrow(work, fetched)
            return make_era(work, step.step, found)
        case Step.REPORT:
            give_up(work)
            return found
        case Step.ASK_USER:
            ask_user(work)
    return None
