"""The ledger of one device's wake-ups, as a pure machine: what is asked for, tried, answered, lost in a crash.

Every wake-up that is asked for ends in exactly one `Fate`. None reaches the device twice within the window: an attempt is
written down before its request goes out; one without an answer counts as sent for the window, and is tried again after
it. A device has at most one wake-up that is tried, and one that waits for that attempt's end; all others join them.

What is asked for within the window after a wake-up is not taken as answered by it: the device may have fetched what there
was and gone to sleep. It waits for the window's end.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from typing import NamedTuple

from ...ids import Instant
from .limits import PushLimits
from .outcome import Fate, Gone, Later, Outcome, Reason, Refused, Sent, Unknown

__all__ = [
    "NEW",
    "Ended",
    "Entry",
    "State",
    "Step",
    "arrived",
    "asked",
    "finished",
    "lost",
    "moved",
    "removed",
    "taken",
]

Ended = tuple[tuple[Fate, Reason], ...]


class State(enum.IntEnum):
    """What a device's wake-ups are doing."""

    IDLE = 0
    WAITING = 1
    IN_FLIGHT = 2


@dataclass(frozen=True, slots=True)
class Entry:
    """One device. `due`: when the next attempt is to be made, or, in flight, when the one under way is given up for lost.

    No attempt begins before `quiet_until`. `again`: another wake-up waits for the end of the attempt.
    """

    state: State
    quiet_until: Instant
    due: Instant
    tries: int
    again: bool
    attempt: int

    @property
    def waiting(self) -> int:
        """How many wake-ups have not ended."""
        return (self.state is not State.IDLE) + self.again


NEW = Entry(State.IDLE, quiet_until=0, due=0, tries=0, again=False, attempt=0)


class Step(NamedTuple):
    """The next entry, what ended, and whether the subscription has to go."""

    entry: Entry
    ended: Ended = ()
    unsubscribe: bool = False


def asked(entry: Entry, now: Instant) -> Step:
    """A wake-up is asked for, of a device that has a subscription."""
    if entry.state is State.IDLE:
        return Step(_waiting(entry, max(now, entry.quiet_until)))
    if entry.state is State.IN_FLIGHT and not entry.again:
        return Step(replace(entry, again=True))
    return Step(entry, ((Fate.COALESCED, Reason.NONE),))


def taken(entry: Entry, now: Instant, limits: PushLimits) -> Entry:
    """An attempt begins, once this is committed, and has `limits.attempt_ms`. For an entry that waits and is due."""
    ends = now + limits.attempt_ms + limits.grace_ms
    return replace(entry, state=State.IN_FLIGHT, due=ends, tries=entry.tries + 1, attempt=entry.attempt + 1)


def finished(
    entry: Entry,
    attempt: int,
    outcome: Outcome,
    now: Instant,
    limits: PushLimits,
    *,
    subscribed_at: Instant | None,
    same: bool,
) -> Step:
    """An attempt has ended. `subscribed_at` is None without a subscription; `same`: it is the one that was tried."""
    if entry.state is not State.IN_FLIGHT or entry.attempt != attempt:
        return Step(entry)  # given up for lost meanwhile, and counted so
    reached = isinstance(outcome, Sent | Unknown)
    entry = replace(entry, quiet_until=now + limits.window_ms if reached else now)
    if isinstance(outcome, Sent):
        return _over(entry, (Fate.SENT, Reason.NONE), entry.quiet_until, subscribed_at is not None)
    if subscribed_at is None:
        return _over(entry, (Fate.DROPPED, Reason.NO_SUBSCRIPTION), now, False)
    if isinstance(outcome, Gone | Refused) and not same:
        outcome = Later(outcome.reason)  # of an address that the device has left already
    if isinstance(outcome, Gone):
        if outcome.since is None or outcome.since >= subscribed_at:
            step = _over(entry, (Fate.DROPPED, outcome.reason), now, False)
            return step._replace(unsubscribe=True)
        outcome = Later(outcome.reason)  # it has registered the same address since
    wait = _retry_ms(entry.tries, outcome.after_ms if isinstance(outcome, Later) else None, limits)
    due = max(now + wait, entry.quiet_until)
    if isinstance(outcome, Refused) or entry.tries >= limits.max_tries:
        return _over(entry, (Fate.GIVEN_UP, outcome.reason), due, True)
    return Step(*_joined(replace(entry, state=State.WAITING, due=due)))


def lost(entry: Entry, limits: PushLimits, *, subscribed: bool) -> Step:
    """An attempt of which nothing was heard until `due`: its process has ended, or could not write down how it went.

    The window begins at `due`: nobody knows when the request went out, only that it was not later.
    """
    return finished(
        entry, entry.attempt, Unknown(Reason.NO_ANSWER), entry.due, limits,
        subscribed_at=0 if subscribed else None, same=True,
    )  # fmt: skip


def arrived(entry: Entry) -> Step:
    """The device is there by itself: what waits is not needed. What is under way can no longer be held back."""
    return _without_waiting(entry, (Fate.UNNEEDED, Reason.NONE))


def removed(entry: Entry, reason: Reason) -> Step:
    """The subscription is gone."""
    return _without_waiting(entry, (Fate.DROPPED, reason))


def moved(entry: Entry, now: Instant) -> Entry:
    """The device has another address: what waited for the old one has all its tries again."""
    return _waiting(entry, max(now, entry.quiet_until)) if entry.state is State.WAITING else entry


def after(entry: Entry, other: Entry, limits: PushLimits) -> Entry:
    """The device was known by another name until now: it has that one's window."""
    quiet_until = other.due + limits.window_ms if other.state is State.IN_FLIGHT else other.quiet_until
    quiet_until = max(quiet_until, entry.quiet_until)
    due = max(entry.due, quiet_until) if entry.state is State.WAITING else entry.due
    return replace(entry, quiet_until=quiet_until, due=due)


def _waiting(entry: Entry, due: Instant) -> Entry:
    return replace(entry, state=State.WAITING, due=due, tries=0, again=False)


def _over(entry: Entry, end: tuple[Fate, Reason], due: Instant, subscribed: bool) -> Step:
    """The wake-up under way has ended; the one behind it waits from now on, or ends with it when nobody is there."""
    if entry.again and subscribed:
        return Step(_waiting(entry, due), (end,))
    behind = ((Fate.DROPPED, end[1] or Reason.NO_SUBSCRIPTION),) if entry.again else ()
    return Step(replace(entry, state=State.IDLE, again=False, tries=0), (end, *behind))


def _joined(entry: Entry) -> tuple[Entry, Ended]:
    """The wake-up under way waits again, and the one behind it is the same now."""
    if not entry.again:
        return entry, ()
    return replace(entry, again=False), ((Fate.COALESCED, Reason.NONE),)


def _without_waiting(entry: Entry, end: tuple[Fate, Reason]) -> Step:
    if entry.state is State.WAITING:
        return Step(replace(entry, state=State.IDLE, tries=0), (end,))
    if entry.again:
        return Step(replace(entry, again=False), (end,))
    return Step(entry)


def _retry_ms(tries: int, asked_ms: int | None, limits: PushLimits) -> int:
    """Longer each time, never shorter than the push service asked for, but for the longest."""
    own = limits.first_retry_ms << min(tries - 1, 20)
    return min(limits.longest_retry_ms, max(own, asked_ms or 0))
