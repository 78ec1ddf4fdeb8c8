"""The directory's tables: what is kept, and nothing about who looked up whom (SR-17).

`Tables` is the small interface that the logic decides over; all its calls happen on the writer's
thread inside one transaction (services/writer.py), which is durable before anybody hears of it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from ...ids import AccountId, DeviceId, Instant, Number
from ..database import open_database
from .limits import DirectoryLimits

__all__ = ["Account", "Alert", "PendingCode", "Tables"]

SCHEMA_VERSION = 1
_APPLICATION_ID = 0x4C4C4449  # "LLDI"

_SCHEMA = """
CREATE TABLE accounts (
    account BLOB PRIMARY KEY, number TEXT NOT NULL, serial INTEGER NOT NULL, list BLOB NOT NULL,
    expires INTEGER NOT NULL, claimed_at INTEGER NOT NULL, replaced_at INTEGER
) WITHOUT ROWID;
CREATE UNIQUE INDEX accounts_current ON accounts (number) WHERE replaced_at IS NULL;
CREATE TABLE lists (
    account BLOB NOT NULL REFERENCES accounts ON DELETE CASCADE, serial INTEGER NOT NULL, data BLOB NOT NULL,
    at INTEGER NOT NULL, PRIMARY KEY (account, serial)
) WITHOUT ROWID;
CREATE TABLE codes (
    number TEXT NOT NULL, key_hash BLOB NOT NULL, code_hash BLOB NOT NULL, expires INTEGER NOT NULL,
    tries_left INTEGER NOT NULL, PRIMARY KEY (number, key_hash)
) WITHOUT ROWID;
CREATE TABLE nonces (hash BLOB PRIMARY KEY, expires INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX nonces_expires ON nonces (expires);
CREATE TABLE prekeys (
    account BLOB NOT NULL REFERENCES accounts ON DELETE CASCADE, device INTEGER NOT NULL, upload BLOB NOT NULL,
    PRIMARY KEY (account, device)
) WITHOUT ROWID;
CREATE TABLE one_time (
    place INTEGER PRIMARY KEY, account BLOB NOT NULL REFERENCES accounts ON DELETE CASCADE,
    device INTEGER NOT NULL, sort TEXT NOT NULL, id INTEGER NOT NULL, digest BLOB NOT NULL,
    data BLOB, spent_at INTEGER, UNIQUE (account, device, sort, id)
);
CREATE INDEX one_time_waiting ON one_time (account, device, sort, place) WHERE spent_at IS NULL;
CREATE INDEX one_time_spent ON one_time (spent_at) WHERE spent_at IS NOT NULL;
CREATE TABLE alerts (
    account BLOB NOT NULL REFERENCES accounts ON DELETE CASCADE, device INTEGER NOT NULL, kind TEXT NOT NULL,
    at INTEGER NOT NULL, PRIMARY KEY (account, device, kind)
) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Account:
    """One account; the current one of its number unless `replaced_at` is set. `list` is its newest device list."""

    account: AccountId
    number: Number
    serial: int
    list: bytes = field(repr=False)
    replaced_at: Instant | None


@dataclass(frozen=True, slots=True)
class PendingCode:
    """A one-time code that waits to be used; only its hash is kept."""

    code_hash: bytes = field(repr=False)
    expires: Instant
    tries_left: int


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that a device should hear: `replaced` or `prekeys_drained`."""

    kind: str
    at: Instant


class Tables:
    """Rows in, rows out. Every method is one or two statements; decisions are made elsewhere."""

    def __init__(self, path: str) -> None:
        self.connection = open_database(
            path,
            _SCHEMA,
            version=SCHEMA_VERSION,
            application_id=_APPLICATION_ID,
            name="directory",
            hint="the directory is up already; or give another one --database",
            exclusive=False,
        )

    def close(self) -> None:
        self.connection.close()

    # --- accounts and lists ----------------------------------------------------------------------
    def account(self, account: AccountId) -> Account | None:
        return self._account("account = ?", account)

    def current(self, number: Number) -> Account | None:
        return self._account("number = ? AND replaced_at IS NULL", number)

    def _account(self, where: str, value: object) -> Account | None:
        row = self.connection.execute(
            f"SELECT account, number, serial, list, replaced_at FROM accounts WHERE {where}",  # noqa: S608
            (value,),
        ).fetchone()
        return Account(*row) if row else None

    def put_account(self, account: AccountId, number: Number, now: Instant) -> None:
        """Make an account the current one of its number; a list must follow in the same transaction."""
        self.connection.execute(
            "INSERT INTO accounts VALUES (?, ?, 0, ?, 0, ?, NULL) "
            "ON CONFLICT (account) DO UPDATE SET replaced_at = NULL, claimed_at = excluded.claimed_at",
            (account, number, b"", now),
        )

    def append_list(self, account: AccountId, serial: int, data: bytes, expires: Instant, now: Instant) -> None:
        self.connection.execute("INSERT INTO lists VALUES (?, ?, ?, ?)", (account, serial, data, now))
        self.connection.execute(
            "UPDATE accounts SET serial = ?, list = ?, expires = ? WHERE account = ?", (serial, data, expires, account)
        )

    def lists_since(self, account: AccountId, serial: int, count: int) -> list[bytes]:
        rows = self.connection.execute(
            "SELECT data FROM lists WHERE account = ? AND serial > ? ORDER BY serial LIMIT ?", (account, serial, count)
        )
        return [data for (data,) in rows]

    def mark_replaced(self, account: AccountId, now: Instant) -> None:
        """Keep of a replaced account its newest list, to know its devices when they ask, and which keys are spent.

        The account may come back and publish the same keys: those that were handed out stay so (SR-13).
        """
        run = self.connection.execute
        run("UPDATE accounts SET replaced_at = ? WHERE account = ?", (now, account))
        run(
            "DELETE FROM lists WHERE account = ?1 AND serial < (SELECT serial FROM accounts WHERE account = ?1)",
            (account,),
        )
        run("DELETE FROM prekeys WHERE account = ?", (account,))
        run("DELETE FROM one_time WHERE account = ? AND spent_at IS NULL", (account,))

    # --- codes -----------------------------------------------------------------------------------
    def code(self, number: Number, key_hash: bytes) -> PendingCode | None:
        row = self.connection.execute(
            "SELECT code_hash, expires, tries_left FROM codes WHERE number = ? AND key_hash = ?", (number, key_hash)
        ).fetchone()
        return PendingCode(*row) if row else None

    def put_code(self, number: Number, key_hash: bytes, code: PendingCode) -> None:
        self.connection.execute(
            "INSERT INTO codes VALUES (?, ?, ?, ?, ?) ON CONFLICT (number, key_hash) DO UPDATE SET "
            "code_hash = excluded.code_hash, expires = excluded.expires, tries_left = excluded.tries_left",
            (number, key_hash, code.code_hash, code.expires, code.tries_left),
        )

    def spend_try(self, number: Number, key_hash: bytes) -> None:
        self.connection.execute(
            "UPDATE codes SET tries_left = tries_left - 1 WHERE number = ? AND key_hash = ?", (number, key_hash)
        )

    def delete_code(self, number: Number, key_hash: bytes) -> None:
        self.connection.execute("DELETE FROM codes WHERE number = ? AND key_hash = ?", (number, key_hash))

    def count_codes(self, number: Number, now: Instant) -> tuple[int, int]:
        """(of this number, of all) after dropping those that have expired."""
        self.connection.execute("DELETE FROM codes WHERE expires <= ?", (now,))
        mine, total = self.connection.execute(
            "SELECT COUNT(*) FILTER (WHERE number = ?), COUNT(*) FROM codes", (number,)
        ).fetchone()
        return mine, total

    # --- nonces ----------------------------------------------------------------------------------
    def remember_nonce(self, digest: bytes, expires: Instant, now: Instant) -> bool:
        """Whether it is new. Forgets those whose time window has passed."""
        self.connection.execute("DELETE FROM nonces WHERE expires < ?", (now,))
        new = self.connection.execute(
            "INSERT INTO nonces VALUES (?, ?) ON CONFLICT (hash) DO NOTHING", (digest, expires)
        )
        return new.rowcount == 1

    # --- pre-keys --------------------------------------------------------------------------------
    def prekeys(self, account: AccountId, device: DeviceId) -> bytes | None:
        """The device's upload without its one-time keys."""
        row = self.connection.execute(
            "SELECT upload FROM prekeys WHERE account = ? AND device = ?", (account, device)
        ).fetchone()
        return row[0] if row else None

    def put_prekeys(self, account: AccountId, device: DeviceId, upload: bytes) -> None:
        self.connection.execute(
            "INSERT INTO prekeys VALUES (?, ?, ?) ON CONFLICT (account, device) DO UPDATE SET upload = excluded.upload",
            (account, device, upload),
        )

    def one_time_digests(self, account: AccountId, device: DeviceId, sort: str) -> dict[int, bytes]:
        """Id to digest of all known one-time keys, spent ones included."""
        return dict(
            self.connection.execute(
                "SELECT id, digest FROM one_time WHERE account = ? AND device = ? AND sort = ?", (account, device, sort)
            ).fetchall()
        )

    def add_one_time(
        self, account: AccountId, device: DeviceId, sort: str, keys: Sequence[tuple[int, bytes, bytes]]
    ) -> None:
        """Add (id, digest, data) rows."""
        self.connection.executemany(
            "INSERT INTO one_time (account, device, sort, id, digest, data) VALUES (?, ?, ?, ?, ?, ?)",
            [(account, device, sort, *key) for key in keys],
        )

    def take_one_time(self, account: AccountId, device: DeviceId, sort: str, now: Instant) -> tuple[int, bytes] | None:
        """Hand out the oldest waiting key: (id, data). Its row stays as spent so that it cannot come back (SR-13)."""
        row = self.connection.execute(
            "SELECT place, id, data FROM one_time WHERE account = ? AND device = ? AND sort = ? AND spent_at IS NULL "
            "ORDER BY place LIMIT 1",
            (account, device, sort),
        ).fetchone()
        if row is None:
            return None
        place, key_id, data = row
        self.connection.execute("UPDATE one_time SET spent_at = ?, data = NULL WHERE place = ?", (now, place))
        return key_id, data

    def spend_one_time(
        self, account: AccountId, device: DeviceId, sort: str, but: Collection[int], now: Instant
    ) -> None:
        """Mark all waiting keys but some as spent."""
        rows = self.connection.execute(
            "SELECT place, id FROM one_time WHERE account = ? AND device = ? AND sort = ? AND spent_at IS NULL",
            (account, device, sort),
        ).fetchall()
        self.connection.executemany(
            "UPDATE one_time SET spent_at = ?, data = NULL WHERE place = ?",
            [(now, place) for place, key_id in rows if key_id not in but],
        )

    def count_one_time(self, account: AccountId, device: DeviceId, sort: str) -> int:
        row = self.connection.execute(
            "SELECT COUNT(*) FROM one_time WHERE account = ? AND device = ? AND sort = ? AND spent_at IS NULL",
            (account, device, sort),
        ).fetchone()
        count: int = row[0]
        return count

    def forget_device(self, account: AccountId, device: DeviceId) -> None:
        """Drop the pre-keys of a device that was removed or has new keys."""
        self.connection.execute("DELETE FROM prekeys WHERE account = ? AND device = ?", (account, device))
        self.connection.execute("DELETE FROM one_time WHERE account = ? AND device = ?", (account, device))
        self.connection.execute("DELETE FROM alerts WHERE account = ? AND device = ?", (account, device))

    # --- alerts ----------------------------------------------------------------------------------
    def put_alert(self, account: AccountId, device: int, alert: Alert) -> None:
        """One alert of a kind per device; device 0 stands for all of the account."""
        self.connection.execute(
            "INSERT INTO alerts VALUES (?, ?, ?, ?) ON CONFLICT (account, device, kind) DO UPDATE SET at = excluded.at",
            (account, device, alert.kind, alert.at),
        )

    def delete_alert(self, account: AccountId, device: int, kind: str) -> None:
        self.connection.execute(
            "DELETE FROM alerts WHERE account = ? AND device = ? AND kind = ?", (account, device, kind)
        )

    def alerts(self, account: AccountId, device: DeviceId) -> list[Alert]:
        rows = self.connection.execute(
            "SELECT kind, at FROM alerts WHERE account = ? AND device IN (0, ?) ORDER BY at, kind", (account, device)
        )
        return [Alert(kind, at) for kind, at in rows]

    # --- retention -------------------------------------------------------------------------------
    def purge(self, now: Instant, limits: DirectoryLimits) -> None:
        """Drop what is older than its bound, in every table (SR-17)."""
        run = self.connection.execute
        run("DELETE FROM codes WHERE expires <= ?", (now,))
        run("DELETE FROM nonces WHERE expires < ?", (now,))
        run("DELETE FROM alerts WHERE at < ?", (now - limits.alert_age_ms,))
        run("DELETE FROM one_time WHERE spent_at < ?", (now - limits.spent_age_ms,))
        run("DELETE FROM accounts WHERE replaced_at < ?", (now - limits.replaced_age_ms,))
        run("DELETE FROM accounts WHERE expires < ?", (now - limits.abandoned_age_ms,))
        run(
            "DELETE FROM lists WHERE (at < ?1 OR serial <= (SELECT serial FROM accounts a WHERE a.account = lists.account) - ?2) "
            "AND serial < (SELECT serial FROM accounts a WHERE a.account = lists.account)",
            (now - limits.list_age_ms, limits.max_lists_kept),
        )
