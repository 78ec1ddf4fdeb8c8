"""The tables of a key distribution server: which key speaks for a number, its devices, their packages, what was spent.

`Tables` is the small interface that the logic decides over; its calls happen on the writer's thread inside a
transaction (services/writer.py). Several processes may run on one PostgreSQL: a package is taken by the statement that
deletes it. No private key, no account of who claimed whom is kept (SR-17).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ...ids import Instant, Number
from ..database import open_database
from .limits import KdsLimits
from .packages import CheckedPackage, CheckedPool

__all__ = ["AnchorList", "Device", "Owner", "Tables", "Taken"]

SCHEMA_VERSION = 1
_APPLICATION_ID = 0x4C4C4B44  # "LLKD"

_SCHEMA = """
CREATE TABLE owners (
    number TEXT PRIMARY KEY, participant BLOB NOT NULL, proof_expires INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE devices (
    number TEXT NOT NULL, device BLOB NOT NULL, ends INTEGER NOT NULL, uploaded_at INTEGER NOT NULL,
    last_resort BLOB NOT NULL, last_resort_until INTEGER NOT NULL, last_resort_served INTEGER NOT NULL,
    PRIMARY KEY (number, device)
) WITHOUT ROWID;
CREATE INDEX devices_ends ON devices (ends);
CREATE TABLE packages (
    number TEXT NOT NULL, device BLOB NOT NULL, place INTEGER NOT NULL, digest BLOB NOT NULL,
    usable_until INTEGER NOT NULL, package BLOB NOT NULL, PRIMARY KEY (number, device, place)
);
CREATE INDEX packages_until ON packages (usable_until);
CREATE TABLE spent (digest BLOB PRIMARY KEY, until INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX spent_until ON spent (until);
CREATE TABLE withdrawn (
    number TEXT NOT NULL, device BLOB NOT NULL, until INTEGER NOT NULL, PRIMARY KEY (number, device)
) WITHOUT ROWID;
CREATE TABLE nonces (digest BLOB PRIMARY KEY, until INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX nonces_until ON nonces (until);
CREATE TABLE anchor_lists (generation INTEGER PRIMARY KEY, list BLOB NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose a number is: a participant key in DER, and the latest end of a proof for it that was seen, in seconds."""

    number: Number
    participant: bytes
    proof_expires: int


@dataclass(frozen=True, slots=True)
class Device:
    """A leaf key that was certified for a number, until `ends`. `uploaded_at` is 0 while it never uploaded."""

    number: Number
    device: bytes
    ends: Instant
    uploaded_at: Instant
    last_resort_until: Instant
    last_resort_served: int


@dataclass(frozen=True, slots=True)
class Taken:
    """A package on its way out."""

    message: bytes = field(repr=False)
    last_resort: bool


@dataclass(frozen=True, slots=True)
class AnchorList:
    """A signed list of trust anchors."""

    generation: int
    encoded: bytes = field(repr=False)


class Tables:
    """Rows in, rows out; decisions are made elsewhere."""

    def __init__(self, database: str) -> None:
        self.connection = open_database(
            database,
            _SCHEMA,
            version=SCHEMA_VERSION,
            application_id=_APPLICATION_ID,
            name="kds",
            hint="the key distribution server is up already; or give another one --database",
            exclusive=False,
        )

    def close(self) -> None:
        self.connection.close()

    # --- owners and devices ----------------------------------------------------------------------
    def owner(self, number: Number) -> Owner | None:
        row = self.connection.execute(
            "SELECT number, participant, proof_expires FROM owners WHERE number = ?", (number,)
        ).fetchone()
        return Owner(*row) if row else None

    def put_owner(self, owner: Owner) -> None:
        self.connection.execute(
            "INSERT INTO owners VALUES (?, ?, ?) ON CONFLICT (number) DO UPDATE SET "
            "participant = excluded.participant, proof_expires = excluded.proof_expires",
            (owner.number, owner.participant, owner.proof_expires),
        )

    def count_devices(self, number: Number) -> int:
        found: int = self.connection.execute("SELECT COUNT(*) FROM devices WHERE number = ?", (number,)).fetchone()[0]
        return found

    def claimable(self, number: Number, now: Instant) -> tuple[tuple[Device, bool], ...]:
        """The devices that have uploaded, and whether a one-time package of each could be handed out now."""
        rows = self.connection.execute(
            "SELECT number, device, ends, uploaded_at, last_resort_until, last_resort_served, CASE WHEN EXISTS ("
            "SELECT 1 FROM packages p WHERE p.number = d.number AND p.device = d.device AND p.usable_until >= ?2"
            ") THEN 1 ELSE 0 END FROM devices d WHERE number = ?1 AND uploaded_at > 0 AND ends > ?2 ORDER BY device",
            (number, now),
        )
        return tuple((Device(*row[:6]), row[6] == 1) for row in rows)

    def device(self, number: Number, device: bytes) -> Device | None:
        row = self.connection.execute(
            "SELECT number, device, ends, uploaded_at, last_resort_until, last_resort_served FROM devices "
            "WHERE number = ? AND device = ?",
            (number, device),
        ).fetchone()
        return Device(*row) if row else None

    def put_device(self, number: Number, device: bytes, ends: Instant) -> None:
        """Certified, perhaps anew; its packages stay."""
        self.connection.execute(
            "INSERT INTO devices VALUES (?, ?, ?, 0, ?, 0, 0) ON CONFLICT (number, device) DO UPDATE SET "
            "ends = excluded.ends",
            (number, device, ends, b""),
        )

    def delete_devices(self, number: Number) -> None:
        for table in ("packages", "devices"):
            self.connection.execute(f"DELETE FROM {table} WHERE number = ?", (number,))  # noqa: S608 - two words of ours

    def delete_device(self, number: Number, device: bytes) -> None:
        for table in ("packages", "devices"):
            self.connection.execute(
                f"DELETE FROM {table} WHERE number = ? AND device = ?",  # noqa: S608 - two words of ours
                (number, device),
            )

    # --- withdrawn -------------------------------------------------------------------------------
    def withdraw(self, number: Number, device: bytes, until: Instant) -> None:
        self.delete_device(number, device)
        self.connection.execute(
            "INSERT INTO withdrawn VALUES (?, ?, ?) ON CONFLICT (number, device) DO UPDATE SET until = excluded.until",
            (number, device, until),
        )

    def is_withdrawn(self, number: Number, device: bytes) -> bool:
        found = self.connection.execute("SELECT 1 FROM withdrawn WHERE number = ? AND device = ?", (number, device))
        return found.fetchone() is not None

    # --- packages --------------------------------------------------------------------------------
    def unspent(self, packages: Iterable[CheckedPackage]) -> tuple[CheckedPackage, ...]:
        """Those that were never handed out."""
        return tuple(
            package
            for package in packages
            if self.connection.execute("SELECT 1 FROM spent WHERE digest = ?", (package.digest,)).fetchone() is None
        )

    def replace_pool(self, number: Number, device: bytes, pool: CheckedPool, now: Instant) -> None:
        run = self.connection.execute
        run("DELETE FROM packages WHERE number = ? AND device = ?", (number, device))
        self.connection.executemany(
            "INSERT INTO packages VALUES (?, ?, ?, ?, ?, ?)",
            [
                (number, device, place, package.digest, package.usable_until, package.message)
                for place, package in enumerate(pool.one_time)
            ],
        )
        run(
            "UPDATE devices SET uploaded_at = ?, last_resort = ?, last_resort_until = ?, last_resort_served = 0 "
            "WHERE number = ? AND device = ?",
            (now, pool.last_resort.message, pool.last_resort.usable_until, number, device),
        )

    def count(self, number: Number, device: bytes, now: Instant) -> int:
        """One-time packages that could be handed out now."""
        found: int = self.connection.execute(
            "SELECT COUNT(*) FROM packages WHERE number = ? AND device = ? AND usable_until >= ?", (number, device, now)
        ).fetchone()[0]
        return found

    def take(self, number: Number, device: bytes, now: Instant, *, remember_ms: int) -> Taken | None:
        """The oldest one-time package, gone from here; None without one.

        The statement that finds it deletes it: nothing stands between the two, whoever else writes (SR-13).
        """
        run = self.connection.execute
        row = run(
            "DELETE FROM packages WHERE number = ?1 AND device = ?2 AND place = ("
            "SELECT place FROM packages WHERE number = ?1 AND device = ?2 AND usable_until >= ?3 ORDER BY place LIMIT 1"
            ") RETURNING digest, package, usable_until",
            (number, device, now),
        ).fetchone()
        if row is None:
            return None
        digest, message, until = row
        run("INSERT INTO spent VALUES (?, ?) ON CONFLICT (digest) DO NOTHING", (digest, until + remember_ms))
        return Taken(message, last_resort=False)

    def take_last_resort(self, number: Number, device: bytes) -> Taken:
        row = self.connection.execute(
            "UPDATE devices SET last_resort_served = last_resort_served + 1 WHERE number = ? AND device = ? "
            "RETURNING last_resort",
            (number, device),
        ).fetchone()
        return Taken(row[0], last_resort=True)

    # --- replay ----------------------------------------------------------------------------------
    def remember_nonce(self, digest: bytes, until: Instant) -> bool:
        """False when it is known already."""
        return (
            self.connection.execute(
                "INSERT INTO nonces VALUES (?, ?) ON CONFLICT (digest) DO NOTHING", (digest, until)
            ).rowcount
            == 1
        )

    # --- anchors ---------------------------------------------------------------------------------
    def newest_anchors(self) -> AnchorList | None:
        row = self.connection.execute(
            "SELECT generation, list FROM anchor_lists ORDER BY generation DESC LIMIT 1"
        ).fetchone()
        return AnchorList(*row) if row else None

    def anchors(self, generation: int) -> AnchorList | None:
        row = self.connection.execute(
            "SELECT generation, list FROM anchor_lists WHERE generation = ?", (generation,)
        ).fetchone()
        return AnchorList(*row) if row else None

    def put_anchors(self, listed: AnchorList) -> None:
        """Unless the generation is there."""
        self.connection.execute(
            "INSERT INTO anchor_lists VALUES (?, ?) ON CONFLICT (generation) DO NOTHING",
            (listed.generation, listed.encoded),
        )

    # --- retention -------------------------------------------------------------------------------
    def purge(self, now: Instant, limits: KdsLimits) -> None:
        """Drop what is older than its bound, in every table (SR-17)."""
        run = self.connection.execute
        gone = now - limits.certificate_grace_ms
        run(
            "DELETE FROM packages WHERE usable_until < ? OR EXISTS (SELECT 1 FROM devices d "
            "WHERE d.number = packages.number AND d.device = packages.device AND d.ends < ?)",
            (now, gone),
        )
        run("DELETE FROM devices WHERE ends < ?", (gone,))
        run(
            "DELETE FROM owners WHERE proof_expires < ? "
            "AND NOT EXISTS (SELECT 1 FROM devices d WHERE d.number = owners.number)",
            (gone // 1000,),
        )
        run("DELETE FROM spent WHERE until < ?", (now,))
        run("DELETE FROM withdrawn WHERE until < ?", (now,))
        run("DELETE FROM nonces WHERE until < ?", (now,))
        newest = self.newest_anchors()
        if newest is not None:
            run("DELETE FROM anchor_lists WHERE generation <= ?", (newest.generation - limits.max_anchor_lists,))
