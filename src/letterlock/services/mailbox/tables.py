"""The mailbox's tables: messages once, a copy of each for every device that has yet to get it.

All calls happen on the writer's thread inside one transaction (services/writer.py): what was committed survives the
power switch. Sums are kept in rows, so that a bound is looked up and
not found out by counting, and a step that is undone undoes them too.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...ids import Instant, Number
from ..database import open_database
from .requests import Arrival, Copy

__all__ = ["Tables", "Waiting"]

SCHEMA_VERSION = 1
_APPLICATION_ID = 0x4C4C4D42  # "LLMB"

_SCHEMA = """
CREATE TABLE messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT, sender TEXT NOT NULL, number TEXT NOT NULL, repeat BLOB,
    stored_at INTEGER NOT NULL, expires INTEGER NOT NULL, size INTEGER NOT NULL, copies INTEGER NOT NULL,
    head BLOB NOT NULL, body BLOB NOT NULL
);
CREATE UNIQUE INDEX messages_repeat ON messages (repeat) WHERE repeat IS NOT NULL;
CREATE INDEX messages_expires ON messages (expires);
CREATE TABLE copies (
    number TEXT NOT NULL, device TEXT NOT NULL, message INTEGER NOT NULL REFERENCES messages ON DELETE CASCADE,
    PRIMARY KEY (number, device, message)
) WITHOUT ROWID;
CREATE INDEX copies_message ON copies (message);
CREATE TABLE devices (
    number TEXT NOT NULL, device TEXT NOT NULL, seen INTEGER NOT NULL,
    kept INTEGER NOT NULL DEFAULT 0, bytes INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (number, device)
) WITHOUT ROWID;
CREATE INDEX devices_seen ON devices (seen);
CREATE TABLE senders (
    number TEXT NOT NULL, device TEXT NOT NULL, sender TEXT NOT NULL, kept INTEGER NOT NULL,
    PRIMARY KEY (number, device, sender)
) WITHOUT ROWID;
CREATE TABLE totals (devices INTEGER NOT NULL, bytes INTEGER NOT NULL);
INSERT INTO totals VALUES (0, 0);
"""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A device for which something is kept."""

    number: Number
    device: str


class Tables:
    """Rows in, rows out. Decisions are made in `logic.py`."""

    def __init__(self, path: str) -> None:
        self.connection = open_database(
            path,
            _SCHEMA,
            version=SCHEMA_VERSION,
            application_id=_APPLICATION_ID,
            name="mailbox",
            hint="the mailbox is up already; or give another one --database",
            exclusive=True,
        )

    def close(self) -> None:
        self.connection.close()

    # --- devices ---------------------------------------------------------------------------------
    def see(self, number: Number, device: str, now: Instant) -> None:
        """The device is there now."""
        run = self.connection.execute
        seen = run("UPDATE devices SET seen = ? WHERE number = ? AND device = ?", (now, number, device))
        if not seen.rowcount:
            run("INSERT INTO devices (number, device, seen) VALUES (?, ?, ?)", (number, device, now))
            run("UPDATE totals SET devices = devices + 1")

    def devices(self, number: Number) -> list[str]:
        """The known devices of a number, the one that was there last first."""
        rows = self.connection.execute("SELECT device FROM devices WHERE number = ? ORDER BY seen DESC", (number,))
        return [device for (device,) in rows]

    def forget_device(self, number: Number, device: str) -> None:
        """The device, and what was kept for it."""
        run = self.connection.execute
        copies = run("SELECT message FROM copies WHERE number = ? AND device = ?", (number, device)).fetchall()
        for (message,) in copies:
            self.remove(number, device, message)
        if run("DELETE FROM devices WHERE number = ? AND device = ?", (number, device)).rowcount:
            run("UPDATE totals SET devices = devices - 1")

    def unseen(self, before: Instant, count: int) -> list[Waiting]:
        """Devices that were there last before this instant."""
        rows = self.connection.execute("SELECT number, device FROM devices WHERE seen < ? LIMIT ?", (before, count))
        return [Waiting(number, device) for number, device in rows]

    # --- messages --------------------------------------------------------------------------------
    def totals(self) -> tuple[int, int]:
        """(devices, bytes of all messages)"""
        devices, size = self.connection.execute("SELECT devices, bytes FROM totals").fetchone()
        return devices, size

    def has(self, repeat: bytes) -> bool:
        """Whether a message that this one repeats is still kept."""
        if not repeat:
            return False
        return self.connection.execute("SELECT 1 FROM messages WHERE repeat = ?", (repeat,)).fetchone() is not None

    def kept_for(self, number: Number, device: str) -> tuple[int, int]:
        """(messages, bytes) that wait for a known device."""
        row = self.connection.execute(
            "SELECT kept, bytes FROM devices WHERE number = ? AND device = ?", (number, device)
        )
        kept, size = row.fetchone() or (0, 0)
        return kept, size

    def kept_from(self, number: Number, device: str, sender: str) -> int:
        """How many messages of one sender wait for a device."""
        row = self.connection.execute(
            "SELECT kept FROM senders WHERE number = ? AND device = ? AND sender = ?", (number, device, sender)
        ).fetchone()
        return row[0] if row else 0

    def put(self, arrival: Arrival, devices: list[str], now: Instant, expires: Instant) -> None:
        """Keep a message, with a copy for each of these devices."""
        run = self.connection.execute
        message = run(
            "INSERT INTO messages (sender, number, repeat, stored_at, expires, size, copies, head, body) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
            (
                *(arrival.sender, arrival.number, arrival.repeat or None, now, expires, arrival.size, len(devices)),
                *(arrival.head, arrival.body),
            ),
        ).fetchone()[0]
        for device in devices:
            run("INSERT INTO copies VALUES (?, ?, ?)", (arrival.number, device, message))
            self._count(arrival.number, device, arrival.sender, 1, arrival.size)
        run("UPDATE totals SET bytes = bytes + ?", (arrival.size,))

    def oldest(self, number: Number, device: str, count: int) -> list[Copy]:
        """The oldest messages for a device, in the order in which they came."""
        rows = self.connection.execute(
            "SELECT message, copies.number, device, head, body FROM copies JOIN messages ON messages.id = message "
            "WHERE copies.number = ? AND device = ? ORDER BY message LIMIT ?",
            (number, device, count),
        )
        return [Copy(*row) for row in rows]

    def remove(self, number: Number, device: str, message: int) -> None:
        """One copy; with the last of them the message itself."""
        run = self.connection.execute
        gone = run("DELETE FROM copies WHERE number = ? AND device = ? AND message = ?", (number, device, message))
        if not gone.rowcount:
            return
        left, size, sender = run(
            "UPDATE messages SET copies = copies - 1 WHERE id = ? RETURNING copies, size, sender", (message,)
        ).fetchone()
        self._count(number, device, sender, -1, -size)
        if left == 0:
            run("DELETE FROM messages WHERE id = ?", (message,))
            run("UPDATE totals SET bytes = bytes - ?", (size,))

    def expire(self, now: Instant, count: int) -> int:
        """Drop messages whose time is over, with their copies; how many."""
        run = self.connection.execute
        old = run("SELECT id FROM messages WHERE expires <= ? LIMIT ?", (now, count)).fetchall()
        for (message,) in old:
            for number, device in run("SELECT number, device FROM copies WHERE message = ?", (message,)).fetchall():
                self.remove(number, device, message)
        return len(old)

    def waiting(self) -> list[Waiting]:
        """Every device for which something is kept."""
        rows = self.connection.execute("SELECT DISTINCT number, device FROM copies")
        return [Waiting(number, device) for number, device in rows]

    def _count(self, number: Number, device: str, sender: str, messages: int, size: int) -> None:
        run = self.connection.execute
        run(
            "UPDATE devices SET kept = kept + ?, bytes = bytes + ? WHERE number = ? AND device = ?",
            (messages, size, number, device),
        )
        key = (number, device, sender)
        run(
            "INSERT INTO senders VALUES (?, ?, ?, ?) ON CONFLICT (number, device, sender) "
            "DO UPDATE SET kept = senders.kept + excluded.kept",
            (*key, messages),
        )
        if messages < 0:
            run("DELETE FROM senders WHERE number = ? AND device = ? AND sender = ? AND kept <= 0", key)
