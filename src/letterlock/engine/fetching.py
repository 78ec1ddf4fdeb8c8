"""Look-ups at the directory: asked once at a time, tried again with back-off, remembered across restarts."""

from __future__ import annotations

from dataclasses import replace

from ..ids import DeviceId, Instant, Number
from ..seam import Key, MaterialNeeded
from .core import NOBODY, Core
from .effects import FetchLists, FetchMaterial
from .record_values import Chat, Contact, Fetch
from .records import FETCH
from .step import Turn

__all__ = ["answered", "ask_all", "due", "failed", "hasten", "lists", "look_up", "material", "pending", "started"]


def look_up(core: Core, turn: Turn, chat: Chat, contact: Contact | None, *, waiting: bool = False) -> None:
    """There is a reason to know what the directory says about this number: the user looks at the chat or writes, or the
    contact did. `waiting` for it, ask in any case."""
    number = Number(chat.number)
    if contact is None:
        # Whoever was not there a moment ago may be now, and the user is waiting for just that.
        again = chat.absent_at + core.limits.look_again_ms if 0 < chat.absent_at <= turn.now else turn.now
        lists(core, turn, number, 0, again)
        hasten(core, turn, number)
        return
    expired = contact.list.expired(turn.now)
    pause = core.limits.fetch_first_ms if expired else core.limits.list_refresh_ms
    at = contact.fetched_at + pause if contact.fetched_at <= turn.now else turn.now  # the clock was set back since
    if waiting or at <= turn.now:
        lists(core, turn, number, contact.list.serial, at)
    if expired:
        hasten(core, turn, number)


def lists(core: Core, turn: Turn, number: Number, since_serial: int, not_before: Instant = 0) -> None:
    """Ask for device lists, now or from `not_before` on, unless that is under way."""
    _ask(core, turn, Fetch(number, NOBODY, 0, since_serial, 0, turn.now, not_before))


def material(core: Core, turn: Turn, need: MaterialNeeded) -> None:
    """Ask for a device's key material, unless that is under way."""
    _ask(core, turn, Fetch(need.number, need.account, need.device, 0, 0, turn.now, 0))


def hasten(core: Core, turn: Turn, number: Number) -> None:
    """Somebody waits for it now: what failed and was put off for long is asked for soon, however often this is said (SR-08)."""
    fetch, latest = pending(turn, number), turn.now + core.limits.look_again_ms
    if fetch is not None and fetch.next_at > latest:
        turn.staged.put(_key(number), replace(fetch, next_at=latest))
        turn.wake(latest)


def started(turn: Turn, what: Number | MaterialNeeded) -> int | None:
    """Since when we ask; None if we do not."""
    fetch = pending(turn, what)
    return None if fetch is None else fetch.started


def pending(turn: Turn, what: Number | MaterialNeeded) -> Fetch | None:
    """What we ask for and have not been answered."""
    return turn.staged.get(_key(what))


def answered(turn: Turn, what: Number | MaterialNeeded) -> Fetch | None:
    """There is an answer: stop asking. Gives what was asked."""
    key = _key(what)
    fetch = turn.staged.get(key)
    if fetch is not None:
        turn.staged.delete(key)
    return fetch


def failed(core: Core, turn: Turn, what: Number | MaterialNeeded) -> None:
    """No answer, or a useless one: ask again later, each time after twice as long."""
    key = _key(what)
    fetch = turn.staged.get(key)
    if fetch is None:
        account, device = (NOBODY, 0) if isinstance(what, str) else (what.account, what.device)
        number = what if isinstance(what, str) else what.number
        fetch = Fetch(number, account, device, 0, 0, turn.now, 0)
    pause = min(core.limits.fetch_longest_ms, core.limits.fetch_first_ms << min(fetch.attempts, 30))
    fetch = replace(fetch, attempts=fetch.attempts + 1, next_at=turn.now + pause)
    turn.staged.put(key, fetch)
    turn.wake(fetch.next_at)


def due(core: Core, turn: Turn) -> None:
    """Ask again for what is due."""
    for key in turn.staged.scan(FETCH):
        fetch = turn.staged.get(key)
        if fetch is None:
            continue
        if fetch.next_at <= turn.now:
            fetch = _emit(core, turn, key, fetch)
        turn.wake(fetch.next_at)


def put_off_no_longer(core: Core, turn: Turn) -> None:
    """The clock was set back: nothing is asked for later than the longest pause from now."""
    for key in turn.staged.scan(FETCH):
        fetch = turn.staged.get(key)
        if fetch is not None and fetch.next_at > turn.now + core.limits.fetch_longest_ms:
            turn.staged.put(key, replace(fetch, next_at=turn.now + core.limits.fetch_longest_ms))


def ask_all(core: Core, turn: Turn) -> None:
    """After a restart nobody is asking any more: ask for everything."""
    for key in turn.staged.scan(FETCH):
        fetch = turn.staged.get(key)
        if fetch is not None:
            _emit(core, turn, key, fetch)


def _ask(core: Core, turn: Turn, wanted: Fetch) -> None:
    key = _key_of(wanted)
    known = turn.staged.get(key)
    if known is not None:
        since = min(known.since_serial, wanted.since_serial)
        if known.next_at > turn.now and since == known.since_serial:
            return
        wanted = replace(known, since_serial=since)
    elif wanted.next_at > turn.now:
        turn.staged.put(key, wanted)
        turn.wake(wanted.next_at)
        return
    _emit(core, turn, key, wanted)


def _emit(core: Core, turn: Turn, key: Key[Fetch], fetch: Fetch) -> Fetch:
    # Until the answer: should it never come, because the process died, the timer asks again.
    fetch = replace(fetch, next_at=turn.now + core.limits.fetch_longest_ms)
    turn.staged.put(key, fetch)
    turn.wake(fetch.next_at)
    if fetch.device:
        turn.effects.append(FetchMaterial(MaterialNeeded(fetch.number, fetch.account, DeviceId(fetch.device))))
    else:
        turn.effects.append(FetchLists(fetch.number, fetch.since_serial))
    return fetch


def _key(what: Number | MaterialNeeded) -> Key[Fetch]:
    if isinstance(what, str):
        return Key(FETCH, f"fetch/lists.{what}")
    return Key(FETCH, f"fetch/material.{what.account.hex()}.{what.device}")


def _key_of(fetch: Fetch) -> Key[Fetch]:
    if fetch.device:
        return _key(MaterialNeeded(fetch.number, fetch.account, DeviceId(fetch.device)))
    return _key(fetch.number)
