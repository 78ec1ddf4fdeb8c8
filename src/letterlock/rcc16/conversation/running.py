"""What a step leads to, until nothing more follows from it: packets that became readable, repair, the next wish.

Wishes wait in the record and are begun one at a time: the operation slot is free, the conversation healthy. What is due
later is said in `wake_at`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ...conversation_seam import HealthMoved, KeysSeen, Packet, Progress, Secured
from ...errors import LetterlockError
from ...ids import Instant, Number
from ..health.states import State as HealthState
from . import eras
from .chat import Heal
from .committing import commit_proposals, refresh, remove
from .ending import end, lifted_at, revive, revive_failed
from .healing import due as heal_due
from .letters import waiting
from .metadata import set_icon, set_subject
from .operations import overdue
from .own_devices import take_out, unwanted
from .pins import broken
from .recovery import ask, give
from .resending import next_at, send_due
from .step import Work
from .wishes import drop_all

__all__ = ["on_time", "settle"]

TakeIn = Callable[[Work, Packet, Number | None], None]

_MAX_ROUNDS = 10_000
"""Packets that become readable in one step are bounded by what was parked; more is a bug."""


def settle(work: Work, take_in: TakeIn) -> Progress:
    """Everything that follows from the step, then the step itself."""
    for _ in range(_MAX_ROUNDS):
        if not work.unread:
            if not _next(work):
                break
            continue
        packet, sender = work.unread.pop(0)
        take_in(work, packet, sender)
    _say_that_waiting_is_over(work)
    progress = work.finish()
    return replace(progress, wake_at=wake_at(work))


def _say_that_waiting_is_over(work: Work) -> None:
    """Letters that wait are tried again at a Secured, HealthMoved or KeysSeen: give one if the step has none."""
    over = waiting(work.before) is not None and waiting(work.chat) is None
    failed = bool(work.chat.blocked) and not work.before.blocked
    if (over or failed) and not any(isinstance(one, (Secured, HealthMoved, KeysSeen)) for one in work.notices):
        work.notices.append(HealthMoved(work.conversation, work.health.label, ""))


def on_time(work: Work) -> None:
    """Whatever of this conversation is due now."""
    chat, now = work.chat, work.now
    operation = chat.operation
    if operation is not None and 0 < operation.next_at <= now:
        if operation.control_id:
            overdue(work)
        elif not operation.request:
            eras.ask_again(work)
    send_due(work)
    budgets = work.core.settings.budgets
    if work.chat.ledger.entries:
        work.update(ledger=work.chat.ledger.pruned(budgets, now))
    old = now - chat.refreshed_at >= budgets.rotate_after_ms or chat.sends >= budgets.rotate_after_sends
    if old and chat.group is not None and not chat.ended:
        work.update(refreshes=True)


def wake_at(work: Work) -> Instant | None:
    """When something of this conversation is due; only what could then be done, or it would be due for ever."""
    chat = work.chat
    if work.client is None or chat.left:
        return None
    times = []
    if chat.operation is not None:
        times.append(chat.operation.next_at)
    elif chat.heal is not None:
        times.append(chat.heal.next_at)
    elif work.health is HealthState.HEALTHY and not chat.ended and not chat.stalled:
        times.append(chat.commit_at)
        if not broken(work, chat.members):
            times.append(chat.gives_keys_at)
    if chat.operation is None and chat.heal is None:
        times.append(lifted_at(work) or 0)
    if chat.group is not None and not chat.ended and not chat.refreshes:
        times.append(chat.refreshed_at + work.core.settings.budgets.rotate_after_ms)
    times.append(next_at(work) or 0)
    return min((at for at in times if at), default=None)


def _next(work: Work) -> bool:
    """Begin one thing, if there is one. Whether something was done."""
    before = work.chat
    chat = work.chat
    if work.client is None or chat.left or chat.operation is not None:
        return False
    if chat.rejoin and chat.heal is None and not chat.stalled and not chat.ended:
        work.update(heal=Heal(since=work.now - work.core.settings.budgets.welcome_race_ms, cause="old-copy"))
        return True
    if work.health is HealthState.ONGOING_ERA_ADVANCEMENT_FOR_REVIVE:
        revive_failed(work)
        return work.chat != before
    action = _wish(work)
    if action is None:
        heal_due(work)
        return work.chat != before and bool(work.unread)
    error = work.attempt(action)
    if error is not None:
        _impossible(work, error)
    return work.chat != before


def _wish(work: Work) -> Callable[[], None] | None:
    """What is wanted next. Ending and reviving come first; everything else needs a healthy conversation."""
    chat = work.chat
    if chat.ends and (chat.heal is None or chat.stalled):
        return lambda: end(work)
    lifted = lifted_at(work) if chat.heal is None else None
    if chat.revives or (lifted is not None and lifted <= work.now):
        return lambda: revive(work)
    if chat.ended or chat.stalled:
        return None
    if chat.group is None:
        return (lambda: eras.create(work)) if chat.wants and not chat.blocked and chat.heal is None else None
    if chat.heal is not None or work.health is not HealthState.HEALTHY:
        return None
    if chat.commit_at and chat.commit_at <= work.now:
        return lambda: commit_proposals(work)
    if chat.removes:
        return lambda: remove(work, chat.removes)
    if chat.adds:
        return lambda: eras.claim_to_add(work, chat.adds)
    if unwanted(work):
        return lambda: take_out(work)
    if chat.subject_wish is not None and work.conversation.group is not None and not broken(work, chat.members):
        return lambda: set_subject(work)
    if chat.icon_wish is not None and work.conversation.group is not None and not broken(work, chat.members):
        return lambda: set_icon(work)
    if chat.gives_keys_at and chat.gives_keys_at <= work.now and not broken(work, chat.members):
        return lambda: give(work)
    if chat.asks_keys:
        return lambda: ask(work)
    if chat.refreshes:
        return lambda: refresh(work)
    return None


def _impossible(work: Work, error: LetterlockError) -> None:
    """A wish that cannot even be built: it is given up, or it would be tried for ever."""
    why = f"refused: {error.code}"
    drop_all(work, why)
    work.update(refreshes=False, commit_at=0, asks_keys=False, gives_keys_at=0, blocked=why)
