"""The push service's tables: where each device is woken, what its wake-ups are doing, and how many ended how.

`Tables` is the small interface that the steps decide over; its calls happen on the writer's thread inside a transaction
(services/writer.py). Nothing is kept of a single wake-up once it has ended: the counts have no device and no time (SR-17).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from ...ids import Instant, Number
from ..database import open_database
from .limits import PushLimits
from .logic import Ended, Entry, State
from .outcome import Fate, Reason

__all__ = ["Device", "Tables"]

SCHEMA_VERSION = 1
_APPLICATION_ID = 0x4C4C5055  # "LLPU"

_SCHEMA = """
CREATE TABLE devices (
    account TEXT NOT NULL, device TEXT NOT NULL, subscription BLOB NOT NULL, pool TEXT NOT NULL, place TEXT NOT NULL,
    collapse TEXT NOT NULL, subscribed_at INTEGER NOT NULL, generation INTEGER NOT NULL,
    state INTEGER NOT NULL, quiet_until INTEGER NOT NULL, due INTEGER NOT NULL, tries INTEGER NOT NULL,
    again INTEGER NOT NULL, attempt INTEGER NOT NULL, PRIMARY KEY (account, device)
) WITHOUT ROWID;
CREATE INDEX devices_due ON devices (state, pool, due);
CREATE INDEX devices_next ON devices (state, due);
CREATE INDEX devices_subscribed ON devices (subscribed_at);
CREATE TABLE counts (
    fate TEXT NOT NULL, reason TEXT NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (fate, reason)
) WITHOUT ROWID;
"""
_PURGE_STEP = 500
_COLUMNS = (
    "account, device, subscription, pool, place, collapse, subscribed_at, generation, "
    "state, quiet_until, due, tries, again, attempt"
)


@dataclass(frozen=True, slots=True)
class Device:
    """One device. `subscription` is encoded, empty without one; `generation` counts its addresses.

    `pool` is which provider wakes it; `place` is whose machines that are. `collapse` is what a push service merges by:
    random, so that it says nothing about the device (SR-17).
    """

    account: Number
    device: str
    subscription: bytes = field(repr=False)
    pool: str
    place: str = field(repr=False)
    collapse: str
    subscribed_at: Instant
    generation: int
    entry: Entry


class Tables:
    """Rows in, rows out; decisions are made elsewhere."""

    def __init__(self, database: str) -> None:
        self.connection = open_database(
            database,
            _SCHEMA,
            version=SCHEMA_VERSION,
            application_id=_APPLICATION_ID,
            name="push",
            hint="the push service is up already; or give another one its own database",
            exclusive=False,
        )

    def close(self) -> None:
        self.connection.close()

    # --- devices ---------------------------------------------------------------------------------
    def device(self, account: Number, device: str) -> Device | None:
        found = self._devices("WHERE account = ? AND device = ?", (account, device))
        return found[0] if found else None

    def subscribed(self, account: Number) -> list[Device]:
        """Those of an account that have a subscription, from the one that registered last."""
        return self._devices("WHERE account = ? AND pool <> '' ORDER BY subscribed_at DESC, device", (account,))

    def put(self, device: Device) -> None:
        entry = device.entry
        self.connection.execute(
            f"INSERT INTO devices ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "  # noqa: S608
            "ON CONFLICT (account, device) DO UPDATE SET subscription = excluded.subscription, pool = excluded.pool, "
            "place = excluded.place, collapse = excluded.collapse, subscribed_at = excluded.subscribed_at, "
            "generation = excluded.generation, state = excluded.state, quiet_until = excluded.quiet_until, "
            "due = excluded.due, tries = excluded.tries, again = excluded.again, attempt = excluded.attempt",
            (
                device.account, device.device, device.subscription, device.pool, device.place, device.collapse,
                device.subscribed_at, device.generation, int(entry.state), entry.quiet_until, entry.due, entry.tries,
                int(entry.again), entry.attempt,
            ),
        )  # fmt: skip

    def keep(self, device: Device, entry: Entry) -> None:
        """Only the entry has changed."""
        self.connection.execute(
            "UPDATE devices SET state = ?, quiet_until = ?, due = ?, tries = ?, again = ?, attempt = ? "
            "WHERE account = ? AND device = ?",
            (
                int(entry.state), entry.quiet_until, entry.due, entry.tries, int(entry.again), entry.attempt,
                device.account, device.device,
            ),
        )  # fmt: skip

    # --- what is due -----------------------------------------------------------------------------
    def overdue(self, now: Instant, limit: int) -> list[Device]:
        """In flight for too long."""
        return self._devices("WHERE state = ? AND due <= ? ORDER BY due LIMIT ?", (int(State.IN_FLIGHT), now, limit))

    def due(self, pool: str, busy: Collection[str], now: Instant, limit: int) -> list[Device]:
        """Waiting until now, from the one that has waited longest, except at these places."""
        places = ", ".join("?" * len(busy))
        return self._devices(
            f"WHERE state = ? AND pool = ? AND due <= ? AND place NOT IN ({places}) ORDER BY due LIMIT ?"
            if busy
            else "WHERE state = ? AND pool = ? AND due <= ? ORDER BY due LIMIT ?",
            (int(State.WAITING), pool, now, *busy, limit),
        )

    def next_due(self, now: Instant) -> Instant | None:
        """The next time after now."""
        found = []
        for state in (State.WAITING, State.IN_FLIGHT):  # each by itself, so that an index has the answer
            row = self.connection.execute(
                "SELECT MIN(due) FROM devices WHERE state = ? AND due > ?", (int(state), now)
            ).fetchone()
            found.append(row[0])
        return min((due for due in found if due is not None), default=None)

    def _devices(self, where: str, values: tuple[object, ...]) -> list[Device]:
        rows = self.connection.execute(f"SELECT {_COLUMNS} FROM devices {where}", values)  # noqa: S608 - words of ours
        return [_device(row) for row in rows.fetchall()]

    # --- counts ----------------------------------------------------------------------------------
    def count(self, ended: Ended) -> None:
        for fate, reason in ended:
            self.add(fate, reason, 1)

    def add(self, fate: Fate, reason: Reason, count: int) -> None:
        self.connection.execute(
            "INSERT INTO counts VALUES (?, ?, ?) ON CONFLICT (fate, reason) DO UPDATE SET "
            "count = counts.count + excluded.count",
            (fate.value, reason.value, count),
        )

    def counts(self) -> dict[tuple[Fate, Reason], int]:
        rows = self.connection.execute("SELECT fate, reason, count FROM counts ORDER BY fate, reason")
        return {(Fate(fate), Reason(reason)): count for fate, reason, count in rows}

    def waiting(self) -> int:
        """Wake-ups that have not ended."""
        found: int = self.connection.execute(
            "SELECT CAST(COALESCE(SUM(1 + again), 0) AS BIGINT) FROM devices WHERE state > 0"
        ).fetchone()[0]
        return found

    # --- retention (SR-17) -----------------------------------------------------------------------
    def stale(self, now: Instant, limits: PushLimits) -> list[Device]:
        """Some that did not register for too long, and have nothing under way."""
        return self._devices(
            "WHERE subscribed_at < ? AND pool <> '' AND state < ? LIMIT ?",
            (now - limits.subscription_ms, int(State.IN_FLIGHT), _PURGE_STEP),
        )

    def forget(self, now: Instant) -> None:
        """Devices without a subscription; not before their window has passed, or another one would wake them twice in it."""
        self.connection.execute(
            "DELETE FROM devices WHERE pool = '' AND state = ? AND quiet_until <= ?", (int(State.IDLE), now)
        )

    def bound_times(self, now: Instant, ahead_ms: int) -> None:
        """What a clock that was set back has put far off is due no later than it can be."""
        latest = now + ahead_ms
        self.connection.execute("UPDATE devices SET due = ? WHERE state > 0 AND due > ?", (latest, latest))
        self.connection.execute("UPDATE devices SET quiet_until = ? WHERE quiet_until > ?", (latest, latest))


def _device(row: tuple[Any, ...]) -> Device:
    account, device, subscription, pool, place, collapse, subscribed_at, generation = row[:8]
    state, quiet_until, due, tries, again, attempt = row[8:]
    entry = Entry(State(state), quiet_until, due, tries, again == 1, attempt)
    return Device(account, device, subscription, pool, place, collapse, subscribed_at, generation, entry)
