"""The engine's regular work: what is due now, what a restart must begin again, and what may be forgotten."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..errors import InputError
from ..ids import Instant, chat_name
from ..seam import Key, Publish, RecordKind, TimerStep
from . import changing, chats, clock, fetching, ordering, outbox, parking, queue, receipts, shelf, waiting
from .conversations import working
from .conversations.file_records import KEY_LETTER
from .conversations.records import COPY
from .core import Core
from .effects import PublishMaterial
from .events import PrekeysLow, ProtocolNoted, StoreRolledBack
from .groups import applying as groups_applying
from .groups import receiving as groups_receiving
from .record_values import Upkeep
from .records import CHANGE, DELIVERY, EVENT_LOG, HELD, INBOX, MATERIAL, UPKEEP, event_key
from .step import Turn

__all__ = ["clock_set_back", "on_published", "on_timer", "rolled_back", "start"]

_PRUNED_AT_ONCE = 2_000
_PRUNE_ON_MS = 5_000
"""When there was more than that: a busy number must not grow faster than it is pruned (SR-08)."""
_PREKEY_NOTES = ("prekeys_drained", "prekeys_low")


def start(core: Core, turn: Turn) -> None:
    """See Engine.start."""
    clock.set_back(core, turn)  # the clock may have been set while we were away
    shelf.index_all(turn)
    outbox.resend_all(core, turn)
    working.start(core, turn)
    fetching.ask_all(core, turn)
    groups_applying.sync_all(core, turn)
    upkeep = turn.staged.get(UPKEEP) or Upkeep(self_check_at=turn.now + core.limits.self_check_ms)
    again = tuple((name, payload, attempts, turn.now) for name, payload, attempts, _ in upkeep.publishing)
    turn.staged.put(UPKEEP, replace(upkeep, protocols=(), publishing=again))
    _work(core, turn)


def clock_set_back(core: Core, turn: Turn) -> None:
    """See Engine.clock_set_back."""
    clock.set_back(core, turn)
    on_timer(core, turn)


def on_timer(core: Core, turn: Turn) -> None:
    """See Engine.on_timer."""
    outbox.retry_due(core, turn)
    working.retry_due(core, turn)
    fetching.due(core, turn)
    _work(core, turn)


def on_published(core: Core, turn: Turn, name: str, publish: Publish, remaining: int | None) -> None:
    """See Engine.on_published."""
    protocol = core.protocols.get(name)
    if protocol is None:
        raise InputError(f"no protocol {name!r}", code="input.protocol")
    turn.staged.merge(protocol.published(turn.staged, publish, remaining, turn.now))
    upkeep = turn.staged.get(UPKEEP) or Upkeep()
    publishing = tuple(item for item in upkeep.publishing if item[:2] != (name, publish.payload))
    protocols = tuple(item for item in upkeep.protocols if item[0] != name)
    turn.staged.put(UPKEEP, replace(upkeep, publishing=publishing, protocols=protocols))
    # There may be more to publish, now that the directory has said what it holds.
    _protocols(core, turn)


def rolled_back(core: Core, turn: Turn) -> None:
    """See Engine.rolled_back."""
    turn.tell(StoreRolledBack())
    for protocol in (*core.protocols.values(), *core.keeping.values()):
        turn.staged.merge(protocol.rolled_back(turn.staged))
    for key in list(turn.staged.scan(MATERIAL)):
        # Its one-time keys may have been used since.
        turn.staged.delete(key)
    # New keys go out before anything comes in: until they are there, peers are handed keys that nobody holds any more.
    upkeep = turn.staged.get(UPKEEP) or Upkeep()
    turn.staged.put(UPKEEP, replace(upkeep, protocols=(), publishing=()))
    _protocols(core, turn)
    _publish(core, turn)


def _work(core: Core, turn: Turn) -> None:
    receipts.send_all_owed(core, turn)
    waiting.expire_waiting(core, turn)
    for chat in queue.chats_waiting(turn):
        waiting.flush(core, turn, chat)
    parking.drop(core, turn)
    _overdue(core, turn)
    groups_receiving.ask_again(core, turn)
    groups_receiving.drop_letters(core, turn)
    _protocols(core, turn)
    working.timers(core, turn)
    _publish(core, turn)
    _self_check(core, turn)
    _prune(core, turn)


def _overdue(core: Core, turn: Turn) -> None:
    for number in sorted({chat_name(key.name.split("/")[1]) for key in turn.staged.scan(HELD)}):
        chat = chats.load(turn, number)
        due = ordering.next_due(chat)
        if due is not None and due <= turn.now:
            chat = chats.save(core, turn, ordering.overdue(core, turn, chat))
            due = ordering.next_due(chat)
        if due is not None:
            turn.wake(due)


# --- protocols -----------------------------------------------------------------------------------------------
def _protocols(core: Core, turn: Turn) -> None:
    for name, protocol in core.protocols.items():
        upkeep = turn.staged.get(UPKEEP) or Upkeep()
        due = dict(upkeep.protocols).get(name, 0)
        if due > turn.now:
            turn.wake(due)
            continue
        step = protocol.on_timer(turn.staged, turn.now, turn.rng)
        turn.staged.merge(step.writes)
        _take(turn, name, upkeep, step)


def _take(turn: Turn, name: str, upkeep: Upkeep, step: TimerStep) -> None:
    next_at = step.next_at if step.next_at is not None else turn.now + 86_400_000
    turn.wake(next_at)
    protocols = (*(item for item in upkeep.protocols if item[0] != name), (name, next_at))
    publishing = upkeep.publishing
    if step.publish is not None:
        # The newest upload says all; it goes out until it is confirmed.
        others = tuple(item for item in publishing if item[0] != name)
        publishing = (*others, (name, step.publish.payload, 0, turn.now))
        turn.wake(turn.now)
    turn.staged.put(UPKEEP, replace(upkeep, protocols=protocols, publishing=publishing))
    for note in step.notes:
        turn.tell(PrekeysLow(name) if note in _PREKEY_NOTES else ProtocolNoted(None, name, note))


def _publish(core: Core, turn: Turn) -> None:
    upkeep = turn.staged.get(UPKEEP) or Upkeep()
    publishing = []
    for name, payload, attempts, at in upkeep.publishing:
        if at > turn.now:
            publishing.append((name, payload, attempts, at))
            turn.wake(at)
            continue
        pause = min(core.limits.fetch_longest_ms, core.limits.fetch_first_ms << min(attempts, 30))
        publishing.append((name, payload, attempts + 1, turn.now + pause))
        turn.effects.append(PublishMaterial(name, Publish(payload)))
        turn.wake(turn.now + pause)
    if tuple(publishing) != upkeep.publishing:
        turn.staged.put(UPKEEP, replace(upkeep, publishing=tuple(publishing)))


# --- what strangers are told, what may go --------------------------------------------------------------------
def _self_check(core: Core, turn: Turn) -> None:
    """Look our own number up as a stranger would (SR-22)."""
    upkeep = turn.staged.get(UPKEEP) or Upkeep()
    own = chats.contact_of(turn, core.me.number)
    if own is None:
        return
    at = upkeep.self_check_at
    if at <= turn.now:
        if at:
            fetching.lists(core, turn, core.me.number, own.list.serial)
        at = turn.now + core.limits.self_check_ms
        turn.staged.put(UPKEEP, replace(upkeep, self_check_at=at))
    turn.wake(at)


def _prune(core: Core, turn: Turn) -> None:
    """Forget old events and the ids of messages that nobody sends any more."""
    upkeep = turn.staged.get(UPKEEP) or Upkeep()
    if upkeep.prune_at > turn.now:
        turn.wake(upkeep.prune_at)
        return
    log = turn.staged.get(EVENT_LOG)
    more = False
    if log is not None and log.next - log.first > core.limits.events_kept:
        until = min(log.next - core.limits.events_kept, log.first + _PRUNED_AT_ONCE)
        for cursor in range(log.first, until):
            turn.staged.delete(event_key(cursor))
        turn.staged.put(EVENT_LOG, replace(log, first=until))
        more = log.next - until > core.limits.events_kept
    groups_applying.forget_unjoined(core, turn)
    forgotten = _older(turn, turn.now - core.limits.remember_ms)
    for key in forgotten:
        turn.staged.delete(key)
    more = more or len(forgotten) == _PRUNED_AT_ONCE
    for name, count in changing.expire_pending(core, turn).items():
        chat = chats.load(turn, chat_name(name))
        chats.save(core, turn, replace(chat, pending=max(0, chat.pending - count)))
    at = turn.now + (min(_PRUNE_ON_MS, core.limits.prune_ms) if more else core.limits.prune_ms)
    turn.staged.put(UPKEEP, replace(turn.staged.get(UPKEEP) or upkeep, prune_at=at))
    turn.wake(at)


def _older(turn: Turn, before: Instant) -> list[Key[Any]]:
    kinds: tuple[RecordKind[Any], ...] = (INBOX, DELIVERY, CHANGE, COPY, KEY_LETTER)
    found: list[Key[Any]] = []
    for kind in kinds:
        for key in turn.staged.scan(kind):
            if len(found) == _PRUNED_AT_ONCE:
                return found
            entry = turn.staged.get(key)
            if entry is not None and entry.at < before:
                found.append(key)
    return found
