"""The gateway's tables: devices, their credentials at the carrier, their inboxes, answers that may be asked for again.

All calls happen on the writer's thread inside one transaction (services/writer.py). An inbox is numbered by itself, one
number after another, so that a cursor tells nothing of other accounts. Sums are kept in rows. Credentials stand in a
table of their own; what is in it is sealed (`sealing.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ...carriage import NetworkResult
from ...ids import Instant, Number
from ..database import open_database

__all__ = ["Credentials", "Device", "Stored", "Tables"]

SCHEMA_VERSION = 1
_APPLICATION_ID = 0x4C4C4757  # "LLGW"

_SCHEMA = """
CREATE TABLE devices (
    id INTEGER PRIMARY KEY AUTOINCREMENT, number TEXT NOT NULL, instance TEXT NOT NULL, token BLOB NOT NULL,
    enrolled INTEGER NOT NULL, linked INTEGER NOT NULL, tags BLOB NOT NULL, inbox BLOB NOT NULL,
    newest INTEGER NOT NULL, acknowledged INTEGER NOT NULL, gap INTEGER NOT NULL, gap_reason INTEGER NOT NULL,
    kept INTEGER NOT NULL, bytes INTEGER NOT NULL
);
CREATE UNIQUE INDEX devices_name ON devices (number, instance);
CREATE TABLE credentials (
    device INTEGER NOT NULL REFERENCES devices ON DELETE CASCADE, username TEXT NOT NULL, sealed BLOB NOT NULL,
    PRIMARY KEY (device)
);
CREATE TABLE messages (
    device INTEGER NOT NULL REFERENCES devices ON DELETE CASCADE, cursor INTEGER NOT NULL, at INTEGER NOT NULL,
    size INTEGER NOT NULL, frame BLOB NOT NULL, PRIMARY KEY (device, cursor)
);
CREATE INDEX messages_at ON messages (at);
CREATE TABLE results (
    device INTEGER NOT NULL REFERENCES devices ON DELETE CASCADE, request BLOB NOT NULL, at INTEGER NOT NULL,
    accepted INTEGER NOT NULL, status INTEGER NOT NULL, reason TEXT NOT NULL, retry_after_ms INTEGER,
    PRIMARY KEY (device, request)
);
CREATE INDEX results_at ON results (at);
CREATE TABLE conferences (
    device INTEGER NOT NULL REFERENCES devices ON DELETE CASCADE, name TEXT NOT NULL, address TEXT NOT NULL,
    PRIMARY KEY (device, name)
);
CREATE TABLE totals (bytes INTEGER NOT NULL);
INSERT INTO totals VALUES (0);
"""

_DEVICE = (
    "id, number, instance, token, enrolled, linked, tags, inbox, newest, acknowledged, gap, gap_reason, kept, bytes"
)


@dataclass(frozen=True, slots=True)
class Device:
    """A device of an account, and how its inbox stands. `linked` 0: never yet. `gap`: the highest cursor that was dropped
    before it was acknowledged, and why; nothing up to there is kept."""

    id: int
    number: Number
    instance: str
    token: bytes = field(repr=False)
    """SHA-256 of it: what is stored lets nobody in (SR-10)."""
    enrolled: Instant
    linked: Instant
    tags: bytes
    inbox: bytes
    newest: int
    acknowledged: int
    gap: int
    gap_reason: int
    kept: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Credentials:
    """At the carrier. The password is sealed."""

    username: str
    sealed: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Stored:
    """A message of an inbox: an encoded frame, without its place in it."""

    cursor: int
    frame: bytes = field(repr=False)


class Tables:
    """Rows in, rows out. Decisions are made in `logic.py`."""

    def __init__(self, url: str) -> None:
        self.connection = open_database(
            url,
            _SCHEMA,
            version=SCHEMA_VERSION,
            application_id=_APPLICATION_ID,
            name="gateway",
            hint="the gateway is up already; or give another one --database",
            exclusive=True,
        )

    def close(self) -> None:
        self.connection.close()

    # --- devices ---------------------------------------------------------------------------------
    def devices(self) -> list[Device]:
        """All of them."""
        return [_device(row) for row in self.connection.execute(f"SELECT {_DEVICE} FROM devices ORDER BY id")]  # noqa: S608

    def device(self, number: Number, instance: str) -> Device | None:
        rows = self.connection.execute(
            f"SELECT {_DEVICE} FROM devices WHERE number = ? AND instance = ?",  # noqa: S608
            (number, instance),
        )
        row = rows.fetchone()
        return None if row is None else _device(row)

    def device_by_id(self, device: int) -> Device | None:
        row = self.connection.execute(f"SELECT {_DEVICE} FROM devices WHERE id = ?", (device,)).fetchone()  # noqa: S608
        return None if row is None else _device(row)

    def devices_of(self, number: Number) -> list[Device]:
        """The devices of an account, the one that linked longest ago first."""
        rows = self.connection.execute(
            f"SELECT {_DEVICE} FROM devices WHERE number = ? ORDER BY linked, id",  # noqa: S608
            (number,),
        )
        return [_device(row) for row in rows]

    def count(self) -> int:
        found: int = self.connection.execute("SELECT COUNT(*) FROM devices").fetchone()[0]
        return found

    def add(self, number: Number, instance: str, token: bytes, inbox: bytes, now: Instant) -> int:
        """A new device with an empty inbox; its id."""
        found: int = self.connection.execute(
            "INSERT INTO devices (number, instance, token, enrolled, linked, tags, inbox, newest, acknowledged, gap, "
            "gap_reason, kept, bytes) VALUES (?, ?, ?, ?, 0, ?, ?, 0, 0, 0, 0, 0, 0) RETURNING id",
            (number, instance, token, now, b"", inbox),
        ).fetchone()[0]
        return found

    def readmit(self, device: int, token: bytes) -> None:
        """Another token from now on."""
        self.connection.execute("UPDATE devices SET token = ? WHERE id = ?", (token, device))

    def remove(self, device: Device) -> None:
        """The device and all that is kept for it."""
        self.connection.execute("DELETE FROM devices WHERE id = ?", (device.id,))
        self._sum(-device.bytes)

    def seen(self, device: int, now: Instant, tags: bytes) -> None:
        """It has linked, with these tags."""
        self.connection.execute("UPDATE devices SET linked = ?, tags = ? WHERE id = ?", (now, tags, device))

    def still_linked(self, devices: list[int], now: Instant) -> None:
        """They have not gone since they came."""
        self.connection.executemany("UPDATE devices SET linked = ? WHERE id = ?", [(now, device) for device in devices])

    def unlinked(self, before: Instant, enrolled_before: Instant) -> list[Device]:
        """Devices that linked last, or were enrolled and never linked, before these instants."""
        rows = self.connection.execute(
            f"SELECT {_DEVICE} FROM devices WHERE (linked > 0 AND linked < ?) OR (linked = 0 AND enrolled < ?)",  # noqa: S608
            (before, enrolled_before),
        )
        return [_device(row) for row in rows]

    def credentials(self, device: int) -> Credentials | None:
        row = self.connection.execute("SELECT username, sealed FROM credentials WHERE device = ?", (device,)).fetchone()
        return None if row is None else Credentials(*row)

    def set_credentials(self, device: int, credentials: Credentials) -> None:
        self.connection.execute(
            "INSERT INTO credentials VALUES (?, ?, ?) ON CONFLICT (device) "
            "DO UPDATE SET username = excluded.username, sealed = excluded.sealed",
            (device, credentials.username, credentials.sealed),
        )

    # --- inboxes ---------------------------------------------------------------------------------
    def total(self) -> int:
        """Bytes in all inboxes."""
        found: int = self.connection.execute("SELECT bytes FROM totals").fetchone()[0]
        return found

    def put(self, device: int, frame: bytes, now: Instant) -> int:
        """At the end of the inbox; where that is."""
        run = self.connection.execute
        cursor: int = run(
            "UPDATE devices SET newest = newest + 1, kept = kept + 1, bytes = bytes + ? WHERE id = ? RETURNING newest",
            (len(frame), device),
        ).fetchone()[0]
        run("INSERT INTO messages VALUES (?, ?, ?, ?, ?)", (device, cursor, now, len(frame), frame))
        self._sum(len(frame))
        return cursor

    def page(self, device: int, after: int, count: int, max_bytes: int) -> list[Stored]:
        """The messages behind a cursor, oldest first: so many, or fewer that have so many bytes, but one at least."""
        run = self.connection.execute
        sizes = run(
            "SELECT cursor, size FROM messages WHERE device = ? AND cursor > ? ORDER BY cursor LIMIT ?",
            (device, after, count),
        )
        last, total = after, 0
        for cursor, size in sizes:
            total += size
            if last > after and total > max_bytes:
                break
            last = cursor
        rows = run(
            "SELECT cursor, frame FROM messages WHERE device = ? AND cursor > ? AND cursor <= ? ORDER BY cursor",
            (device, after, last),
        )
        return [Stored(*row) for row in rows]

    def oldest(self, device: int, after: int, count: int) -> list[tuple[int, int]]:
        """(cursor, size) of the oldest messages behind a cursor."""
        return [
            (cursor, size)
            for cursor, size in self.connection.execute(
                "SELECT cursor, size FROM messages WHERE device = ? AND cursor > ? ORDER BY cursor LIMIT ?",
                (device, after, count),
            )
        ]

    def drop_to(self, device: int, cursor: int) -> int:
        """Everything up to there; how many messages that were."""
        run = self.connection.execute
        gone, size = run(
            "SELECT COUNT(*), COALESCE(CAST(SUM(size) AS BIGINT), 0) FROM messages WHERE device = ? AND cursor <= ?",
            (device, cursor),
        ).fetchone()
        if gone:
            run("DELETE FROM messages WHERE device = ? AND cursor <= ?", (device, cursor))
            run("UPDATE devices SET kept = kept - ?, bytes = bytes - ? WHERE id = ?", (gone, size, device))
            self._sum(-size)
        return int(gone)

    def acknowledged(self, device: int, cursor: int) -> None:
        self.connection.execute(
            "UPDATE devices SET acknowledged = ? WHERE id = ? AND acknowledged < ?", (cursor, device, cursor)
        )

    def note_gap(self, device: int, cursor: int, reason: int) -> None:
        """What was kept up to there is gone, and was not acknowledged."""
        self.connection.execute(
            "UPDATE devices SET gap = ?, gap_reason = ? WHERE id = ? AND gap < ?", (cursor, reason, device, cursor)
        )

    def renumber(self, inboxes: list[tuple[int, bytes]]) -> None:
        """Other inboxes, by device: the cursors of those before count for nothing any more."""
        self.connection.executemany(
            "UPDATE devices SET inbox = ? WHERE id = ?", [(inbox, device) for device, inbox in inboxes]
        )

    def expired(self, before: Instant, count: int) -> list[tuple[int, int]]:
        """(device, highest cursor) of inboxes with messages from before this instant."""
        rows = self.connection.execute(
            "SELECT device, MAX(cursor) FROM messages WHERE at < ? GROUP BY device LIMIT ?", (before, count)
        )
        return [(device, cursor) for device, cursor in rows]

    # --- answers ---------------------------------------------------------------------------------
    def remember(self, device: int, request: bytes, result: NetworkResult, now: Instant) -> None:
        self.connection.execute(
            "INSERT INTO results VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (device, request) DO UPDATE SET at = excluded.at, "
            "accepted = excluded.accepted, status = excluded.status, reason = excluded.reason, "
            "retry_after_ms = excluded.retry_after_ms",
            (device, request, now, int(result.accepted), result.status, result.reason, result.retry_after_ms),
        )

    def results(self, device: int) -> list[tuple[bytes, Instant, NetworkResult]]:
        """Those that are remembered, oldest first."""
        rows = self.connection.execute(
            "SELECT request, at, accepted, status, reason, retry_after_ms FROM results WHERE device = ? ORDER BY at",
            (device,),
        )
        return [(bytes(request), at, NetworkResult(accepted == 1, *rest)) for request, at, accepted, *rest in rows]

    def settle(self, device: int, requests: list[bytes]) -> None:
        self.connection.executemany(
            "DELETE FROM results WHERE device = ? AND request = ?", [(device, request) for request in requests]
        )

    def forget_results(self, before: Instant) -> None:
        self.connection.execute("DELETE FROM results WHERE at < ?", (before,))

    # --- conferences -----------------------------------------------------------------------------
    def conferences(self, device: int) -> dict[str, str]:
        rows = self.connection.execute("SELECT name, address FROM conferences WHERE device = ?", (device,))
        return dict(iter(rows))

    def set_conferences(self, device: int, changed: dict[str, str | None]) -> None:
        run = self.connection.execute
        for name, address in changed.items():
            if address is None:
                run("DELETE FROM conferences WHERE device = ? AND name = ?", (device, name))
            else:
                run(
                    "INSERT INTO conferences VALUES (?, ?, ?) ON CONFLICT (device, name) "
                    "DO UPDATE SET address = excluded.address",
                    (device, name, address),
                )

    def _sum(self, size: int) -> None:
        if size:
            self.connection.execute("UPDATE totals SET bytes = bytes + ?", (size,))


def _device(row: tuple[object, ...]) -> Device:
    return Device(*row)  # type: ignore[arg-type]
