"""The focus's tables: conferences, members, how far their devices have read, messages not read by all (SR-17).

All calls happen on the writer's thread inside one transaction (services/writer.py): what was committed survives the
power switch. A body is stored once, however many read it, as ciphertext where it is one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ...codec.conference_info import EncryptedDescription
from ...ids import Instant, Number
from ..database import open_database
from .conference import Change, Conference, Member
from .journal import Entry
from .mls.tables import SCHEMA as MLS_SCHEMA
from .mls.tables import MlsGroup, MlsTables

__all__ = ["Place", "Stored", "Tables"]

SCHEMA_VERSION = 2
_APPLICATION_ID = 0x4C4C464F  # "LLFO"
_SLICE = 500
_TARGETS = ("subject", "icon")
_MAX_GROUP_INFO = 8192
"""What stands in rosters; one that is larger has its tree in it, and is fetched by who needs it."""

_SCHEMA = """
CREATE TABLE conferences (
    name TEXT PRIMARY KEY, contribution TEXT NOT NULL, conversation TEXT NOT NULL, creator TEXT NOT NULL,
    subject TEXT NOT NULL, icon TEXT NOT NULL, created_at INTEGER NOT NULL,
    used_at INTEGER NOT NULL, version INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE members (
    conference TEXT NOT NULL REFERENCES conferences ON DELETE CASCADE, number TEXT NOT NULL,
    place INTEGER NOT NULL, since INTEGER NOT NULL, reached INTEGER NOT NULL, invited_by TEXT NOT NULL,
    joined INTEGER NOT NULL, PRIMARY KEY (conference, number)
) WITHOUT ROWID;
CREATE TABLE devices (
    conference TEXT NOT NULL, number TEXT NOT NULL, device TEXT NOT NULL, position INTEGER NOT NULL,
    seen INTEGER NOT NULL, PRIMARY KEY (conference, number, device),
    FOREIGN KEY (conference, number) REFERENCES members ON DELETE CASCADE
) WITHOUT ROWID;
CREATE TABLE journal (
    position INTEGER PRIMARY KEY AUTOINCREMENT, conference TEXT NOT NULL REFERENCES conferences ON DELETE CASCADE,
    sender TEXT NOT NULL, recipient TEXT, message_id TEXT NOT NULL, at INTEGER NOT NULL, data BLOB NOT NULL,
    audience TEXT, own_devices INTEGER NOT NULL DEFAULT 0, origin TEXT NOT NULL DEFAULT ''
);
CREATE INDEX journal_conference ON journal (conference, recipient);
CREATE TABLE known (
    conference TEXT NOT NULL REFERENCES conferences ON DELETE CASCADE, message_id TEXT NOT NULL, sender TEXT NOT NULL,
    recipient TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (conference, message_id, sender, recipient)
) WITHOUT ROWID;
CREATE INDEX known_at ON known (at);
"""

_SINCE_2 = """
CREATE TABLE descriptions (
    conference TEXT NOT NULL REFERENCES conferences ON DELETE CASCADE, target TEXT NOT NULL, content TEXT NOT NULL,
    participant TEXT NOT NULL, changed TEXT NOT NULL, PRIMARY KEY (conference, target)
) WITHOUT ROWID;
"""
_UPGRADES = {
    1: "ALTER TABLE journal ADD COLUMN audience TEXT;\n"
    "ALTER TABLE journal ADD COLUMN own_devices INTEGER NOT NULL DEFAULT 0;\n"
    "ALTER TABLE journal ADD COLUMN origin TEXT NOT NULL DEFAULT '';\n" + _SINCE_2 + MLS_SCHEMA
}


@dataclass(frozen=True, slots=True)
class Place:
    """How far a device has read."""

    number: Number
    device: str
    position: int
    seen: Instant


@dataclass(frozen=True, slots=True)
class Stored:
    """All that is kept of one conference, the bodies of messages left on the disk."""

    conference: Conference
    version: int
    used_at: Instant
    reached: dict[Number, int]
    places: tuple[Place, ...]
    entries: tuple[Entry, ...]
    group: MlsGroup | None


class Tables:
    """Rows in, rows out. Decisions are made elsewhere."""

    def __init__(self, path: str) -> None:
        self.connection = open_database(
            path,
            _SCHEMA + _SINCE_2 + MLS_SCHEMA,
            version=SCHEMA_VERSION,
            application_id=_APPLICATION_ID,
            name="focus",
            hint="the focus is up already; or give another one --database",
            exclusive=True,
            upgrades=_UPGRADES,
        )
        self.mls = MlsTables(self.connection)

    def close(self) -> None:
        self.connection.close()

    # --- conferences -------------------------------------------------------------------------------
    def save(self, change: Change, now: Instant) -> int:
        """What a step changed. Returns the last position of the journal, behind which new members read."""
        conference, run = change.conference, self.connection.execute
        for departure in change.departed:
            self._drop_member(conference.name, departure.number)
        if not conference.members:
            run("DELETE FROM conferences WHERE name = ?", (conference.name,))
            return self.last_position()
        run(
            "INSERT INTO conferences VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0) ON CONFLICT (name) DO UPDATE SET "
            "subject = excluded.subject, icon = excluded.icon, "
            "used_at = excluded.used_at",
            (
                *(conference.name, conference.contribution, conference.conversation, conference.creator),
                *(conference.subject, conference.icon, conference.created_at, now),
            ),
        )
        for target, description in zip(
            _TARGETS, (conference.encrypted_subject, conference.encrypted_icon), strict=True
        ):
            if change.described and description is not None:
                run(
                    "INSERT INTO descriptions VALUES (?, ?, ?, ?, ?) ON CONFLICT (conference, target) DO UPDATE SET "
                    "content = excluded.content, participant = excluded.participant, changed = excluded.changed",
                    (conference.name, target, description.text, description.participant, description.timestamp),
                )
        places = {number: place for place, number in enumerate(conference.members)}
        touched = [conference.members[number] for number in (*change.added, *change.altered)]
        base = run("SELECT COALESCE(MAX(place), 0) FROM members WHERE conference = ?", (conference.name,)).fetchone()[0]
        self.connection.executemany(
            "INSERT INTO members VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (conference, number) DO UPDATE SET "
            "joined = excluded.joined",
            [
                (
                    *(conference.name, member.number, base + 1 + places[member.number], member.since, member.since),
                    *(member.invited_by, member.joined),
                )
                for member in touched
            ],
        )
        return self.last_position()

    def _drop_member(self, conference: str, number: Number) -> None:
        """A member that is gone, and what was kept for it alone."""
        run = self.connection.execute
        run("DELETE FROM members WHERE conference = ? AND number = ?", (conference, number))
        run("DELETE FROM journal WHERE conference = ? AND recipient = ?", (conference, number))

    def last_position(self) -> int:
        """The highest position that was ever used."""
        return self.connection.last_identity("journal", "position")

    def load(self) -> list[Stored]:
        """Everything, at the start."""
        run = self.connection.execute
        stored = []
        for row in run("SELECT * FROM conferences").fetchall():
            name = row[0]
            found = run(
                "SELECT number, since, invited_by, joined, reached FROM members WHERE conference = ? ORDER BY place",
                (name,),
            ).fetchall()
            members = {row[0]: Member(Number(row[0]), row[1], Number(row[2]), bool(row[3])) for row in found}
            places = run("SELECT number, device, position, seen FROM devices WHERE conference = ?", (name,)).fetchall()
            entries = run(
                "SELECT position, sender, recipient, message_id, LENGTH(data), at, audience, own_devices, origin FROM journal "
                "WHERE conference = ? ORDER BY position",
                (name,),
            ).fetchall()
            described = run("SELECT * FROM descriptions WHERE conference = ?", (name,))
            encrypted = {each[1]: EncryptedDescription(*each[2:]) for each in described}
            stored.append(
                Stored(
                    _conference(row, members, encrypted),
                    row[8],
                    row[7],
                    {Number(row[0]): row[4] for row in found},
                    tuple(Place(*place) for place in places),
                    tuple(_entry(*entry) for entry in entries),
                    self.mls.group(name, _MAX_GROUP_INFO),
                )
            )
        return stored

    def set_version(self, conference: str, version: int) -> None:
        self.connection.execute("UPDATE conferences SET version = ? WHERE name = ?", (version, conference))

    def forget(self, conference: str) -> None:
        """A conference and all that belongs to it."""
        self.connection.execute("DELETE FROM conferences WHERE name = ?", (conference,))

    # --- messages ----------------------------------------------------------------------------------
    def append(
        self,
        conference: str,
        sender: Number,
        recipient: Number | None,
        message_id: str,
        data: bytes,
        now: Instant,
        *,
        origin: str = "",
        own_devices: bool = False,
    ) -> int | None:
        """Keep a message; None when this sender sent it to the same before. With `own_devices` it is also for the sender's
        devices but `origin`."""
        run = self.connection.execute
        key = (conference, message_id, sender, recipient or "", now)
        if (
            run(
                "INSERT INTO known VALUES (?, ?, ?, ?, ?) ON CONFLICT (conference, message_id, sender, recipient) DO NOTHING",
                key,
            ).rowcount
            == 0
        ):
            return None
        position: int = run(
            "INSERT INTO journal (conference, sender, recipient, message_id, at, data, own_devices, origin) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING position",
            (conference, sender, recipient, message_id, now, data, int(own_devices), origin),
        ).fetchone()[0]
        return position

    def append_control(
        self,
        conference: str,
        sender: Number,
        origin: str,
        audience: frozenset[Number] | None,
        message_id: str,
        data: bytes,
        now: Instant,
    ) -> int:
        """Keep what the focus itself tells because of `sender`'s request: for the audience, or everybody, the sender's
        devices but `origin` among them. Receipts for it go to the sender."""
        run = self.connection.execute
        run(
            "INSERT INTO known VALUES (?, ?, ?, '', ?) ON CONFLICT (conference, message_id, sender, recipient) DO NOTHING",
            (conference, message_id, sender, now),
        )
        names = None if audience is None else " ".join(sorted(audience))
        position: int = run(
            "INSERT INTO journal (conference, sender, message_id, at, data, audience, own_devices, origin) "
            "VALUES (?, ?, ?, ?, ?, ?, 1, ?) RETURNING position",
            (conference, sender, message_id, now, data, names, origin),
        ).fetchone()[0]
        return position

    def append_answer(self, conference: str, recipient: Number, message_id: str, data: bytes, now: Instant) -> int:
        """Keep what the focus itself has to say to one member."""
        position: int = self.connection.execute(
            "INSERT INTO journal (conference, sender, recipient, message_id, at, data) VALUES (?, ?, ?, ?, ?, ?) "
            "RETURNING position",
            (conference, recipient, recipient, message_id, now, data),
        ).fetchone()[0]
        return position

    def authors(self, conference: str, message_id: str) -> list[Number]:
        """Who has sent a message of this id."""
        rows = self.connection.execute(
            "SELECT DISTINCT sender FROM known WHERE conference = ? AND message_id = ? LIMIT 2",
            (conference, message_id),
        )
        return [Number(sender) for (sender,) in rows]

    def bodies(self, positions: Sequence[int]) -> dict[int, bytes]:
        """The messages at these positions, as far as they are still there."""
        found: dict[int, bytes] = {}
        for start in range(0, len(positions), _SLICE):
            part = positions[start : start + _SLICE]
            marks = ",".join("?" * len(part))
            found.update(
                self.connection.execute(f"SELECT position, data FROM journal WHERE position IN ({marks})", part)  # noqa: S608
            )
        return found

    def remove(self, positions: Iterable[int]) -> None:
        """Messages that nobody waits for any more."""
        self.connection.executemany("DELETE FROM journal WHERE position = ?", [(each,) for each in positions])

    # --- devices -----------------------------------------------------------------------------------
    def put_places(self, conference: str, places: Iterable[Place]) -> None:
        """How far devices have read; one of a member that is gone is passed over."""
        self.connection.executemany(
            "INSERT INTO devices SELECT conference, number, CAST(?3 AS TEXT), CAST(?4 AS BIGINT), CAST(?5 AS BIGINT) "
            "FROM members WHERE conference = ?1 AND number = ?2 "
            "ON CONFLICT (conference, number, device) DO UPDATE SET position = excluded.position, seen = excluded.seen",
            [(conference, place.number, place.device, place.position, place.seen) for place in places],
        )

    def put_reached(self, conference: str, reached: dict[Number, int]) -> None:
        """How far any device of a member has read."""
        self.connection.executemany(
            "UPDATE members SET reached = ? WHERE conference = ? AND number = ?",
            [(position, conference, number) for number, position in reached.items()],
        )

    def forget_device(self, conference: str, number: Number, device: str) -> None:
        self.connection.execute(
            "DELETE FROM devices WHERE conference = ? AND number = ? AND device = ?", (conference, number, device)
        )

    # --- retention ---------------------------------------------------------------------------------
    def purge_known(self, before: Instant) -> None:
        """Forget message ids that are too old."""
        self.connection.execute("DELETE FROM known WHERE at < ?", (before,))

    def limit_known(self, conference: str, max_known: int) -> None:
        """Forget the oldest message ids of a conference where there are too many."""
        self.connection.execute(
            "DELETE FROM known WHERE conference = ?1 AND at < "
            "(SELECT at FROM known WHERE conference = ?1 ORDER BY at DESC LIMIT 1 OFFSET ?2)",
            (conference, max_known),
        )


def _conference(row: Any, members: dict[Number, Member], encrypted: dict[str, EncryptedDescription]) -> Conference:
    name, contribution, conversation, creator, subject, icon, created_at = row[:7]
    return Conference(
        *(name, contribution, conversation, creator, subject, icon, created_at),
        members,
        encrypted.get("subject"),
        encrypted.get("icon"),
    )


def _entry(
    position: int,
    sender: Number,
    recipient: Number | None,
    message_id: str,
    size: int,
    at: Instant,
    audience: str | None,
    own_devices: int,
    origin: str,
) -> Entry:
    heard = None if audience is None else frozenset(map(Number, audience.split()))
    return Entry(position, sender, recipient, message_id, size, at, None, origin, heard, bool(own_devices))
