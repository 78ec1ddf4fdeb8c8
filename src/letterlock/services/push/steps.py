"""What the push service does, each as one step on the tables inside a transaction: the ledger's machine on its row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ...codec import push_subscription
from ...codec.push_subscription import Subscription
from ...errors import DecodeError
from ...ids import Instant, Number
from . import logic
from .limits import PushLimits
from .logic import NEW, Step
from .outcome import Fate, Outcome, Reason
from .tables import Device, Tables

__all__ = ["Job", "Jobs", "Target", "arrive", "finish", "purge", "subscribe", "take", "unsubscribe", "wake"]

_OVERDUE_STEP = 500


@dataclass(frozen=True, slots=True)
class Target:
    """A subscription that was checked: which provider wakes it, at whose machines."""

    subscription: Subscription
    pool: str
    place: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Job:
    """An attempt that is committed, and has to be made."""

    account: Number
    device: str
    attempt: int
    generation: int
    subscription: Subscription
    collapse: str
    pool: str
    place: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Jobs:
    """Attempts; `more`: others are due that there was no room for at their place. `next_due`: when to look again."""

    jobs: tuple[Job, ...]
    more: bool
    next_due: Instant | None


def subscribe(
    tables: Tables, limits: PushLimits, account: Number, device: str, target: Target, collapse: str, now: Instant
) -> None:
    """The device is woken there. `collapse` is for an address that is new."""
    encoded = push_subscription.encode(target.subscription)
    known = tables.device(account, device)
    if known is None or known.subscription != encoded:
        entry = NEW if known is None else logic.moved(known.entry, now)
        generation = 1 if known is None else known.generation + 1
        for other in tables.subscribed(account):
            if other.subscription == encoded and other.device != device:
                # The same app under a new name: it is not to be woken twice, nor within the window of the old name.
                entry = logic.after(entry, other.entry, limits)
                _remove(tables, other, Reason.EXPIRED)
        tables.put(Device(account, device, encoded, target.pool, target.place, collapse, now, generation, entry))
    else:
        tables.put(replace(known, subscribed_at=now))
    for each in tables.subscribed(account)[limits.max_devices :]:
        _remove(tables, each, Reason.EXPIRED)


def unsubscribe(tables: Tables, account: Number, device: str) -> None:
    known = tables.device(account, device)
    if known is not None and known.pool:
        _remove(tables, known, Reason.NO_SUBSCRIPTION)


def wake(tables: Tables, account: Number, device: str, now: Instant) -> Fate | None:
    """How the wake-up has ended, None when it has not."""
    known = tables.device(account, device)
    if known is None or not known.pool:
        tables.count(((Fate.DROPPED, Reason.NO_SUBSCRIPTION),))
        return Fate.DROPPED
    step = logic.asked(known.entry, now)
    _keep(tables, known, step)
    return step.ended[0][0] if step.ended else None


def arrive(tables: Tables, account: Number, device: str) -> None:
    known = tables.device(account, device)
    if known is not None:
        _keep(tables, known, logic.arrived(known.entry))


def take(tables: Tables, limits: PushLimits, room: Mapping[str, int], busy: Mapping[str, int], now: Instant) -> Jobs:
    """Begin what is due and there is room for, by pool; `busy` is how many are under way at each place already.

    Whoever is at its limit holds up nobody else: its rows are passed over.
    """
    for each in tables.overdue(now, _OVERDUE_STEP):
        _keep(tables, each, logic.lost(each.entry, limits, subscribed=bool(each.pool)))
    at = Counter(busy)
    full = {place for place, count in at.items() if count >= limits.max_per_origin}
    jobs: list[Job] = []
    more = False
    for pool, places in room.items():
        if places <= 0:
            continue
        for each in tables.due(pool, full, now, places):
            if each.place and at[each.place] >= limits.max_per_origin:
                more = True
                continue
            try:
                subscription = push_subscription.decode(each.subscription)
            except DecodeError:  # of a version that took other ones: the device registers again
                _remove(tables, each, Reason.EXPIRED)
                continue
            at[each.place] += 1
            entry = logic.taken(each.entry, now, limits)
            tables.keep(each, entry)
            jobs.append(
                Job(
                    each.account, each.device, entry.attempt, each.generation, subscription, each.collapse,
                    each.pool, each.place,
                )
            )  # fmt: skip
    return Jobs(tuple(jobs), more, tables.next_due(now))


def finish(tables: Tables, limits: PushLimits, job: Job, outcome: Outcome, now: Instant) -> None:
    known = tables.device(job.account, job.device)
    if known is None:
        return
    step = logic.finished(
        known.entry, job.attempt, outcome, now, limits,
        subscribed_at=known.subscribed_at if known.pool else None, same=known.generation == job.generation,
    )  # fmt: skip
    _keep(tables, known, step)


def purge(tables: Tables, limits: PushLimits, now: Instant) -> None:
    """Drop what is older than its bound, in every table (SR-17)."""
    tables.bound_times(now, limits.longest_retry_ms + limits.attempt_ms + limits.grace_ms + limits.window_ms)
    for each in tables.stale(now, limits):
        _remove(tables, each, Reason.EXPIRED)
    tables.forget(now)


def _keep(tables: Tables, device: Device, step: Step) -> None:
    if step.unsubscribe:
        tables.put(_bare(replace(device, entry=step.entry)))
    elif step.entry is not device.entry:
        tables.keep(device, step.entry)
    tables.count(step.ended)


def _remove(tables: Tables, device: Device, reason: Reason) -> None:
    step = logic.removed(device.entry, reason)
    tables.put(_bare(replace(device, entry=step.entry)))
    tables.count(step.ended)


def _bare(device: Device) -> Device:
    """Without its subscription. The row stays until the window has passed."""
    return replace(device, subscription=b"", pool="", place="", collapse="", generation=device.generation + 1)
