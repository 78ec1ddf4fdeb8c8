"""The provisioning server's tables: hashes of codes and tokens, and which key a number was set up with.

`Tables` is the small interface that the logic decides over; all its calls happen on the writer's thread inside one
transaction (services/writer.py). No code, token or password is kept, only hashes of the first two (SR-17). Of the
participant key its public half is, once a client has shown it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ...ids import Instant, Number
from ..database import open_database
from .limits import ProvisioningLimits

__all__ = ["Account", "PendingCode", "Tables", "Token"]

SCHEMA_VERSION = 2
_APPLICATION_ID = 0x4C4C5052  # "LLPR"

_SCHEMA = """
CREATE TABLE accounts (
    number TEXT PRIMARY KEY, key_hash BLOB NOT NULL, state INTEGER NOT NULL, changed_at INTEGER NOT NULL,
    participant BLOB
) WITHOUT ROWID;
CREATE TABLE codes (
    number TEXT NOT NULL, key_hash BLOB NOT NULL, code_hash BLOB NOT NULL, session_hash BLOB NOT NULL,
    expires INTEGER NOT NULL, tries_left INTEGER NOT NULL, PRIMARY KEY (number, key_hash)
) WITHOUT ROWID;
CREATE TABLE tokens (
    hash BLOB PRIMARY KEY, number TEXT NOT NULL, key_hash BLOB NOT NULL, expires INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX tokens_number ON tokens (number, expires);
"""

_UPGRADES = {1: "ALTER TABLE accounts ADD COLUMN participant BLOB;\n"}


@dataclass(frozen=True, slots=True)
class Account:
    """A number that was set up. `state` is the operator's: 1 in use, else a version that is no configuration.

    `participant` is the key of that hash in DER, empty while nobody has shown it.
    """

    number: Number
    key_hash: bytes
    state: int
    participant: bytes = b""


@dataclass(frozen=True, slots=True)
class PendingCode:
    """A one-time code that waits to be used, for whoever began that very contact; only hashes are kept."""

    code_hash: bytes = field(repr=False)
    session_hash: bytes = field(repr=False)
    expires: Instant
    tries_left: int


@dataclass(frozen=True, slots=True)
class Token:
    """By which a client is known at later contacts."""

    number: Number
    key_hash: bytes
    expires: Instant


class Tables:
    """Rows in, rows out. Every method is one or two statements; decisions are made elsewhere."""

    def __init__(self, path: str) -> None:
        self.connection = open_database(
            path,
            _SCHEMA,
            version=SCHEMA_VERSION,
            application_id=_APPLICATION_ID,
            name="provisioning",
            hint="the provisioning server is up already; or give another one --database",
            exclusive=False,
            upgrades=_UPGRADES,
        )

    def close(self) -> None:
        self.connection.close()

    # --- accounts --------------------------------------------------------------------------------
    def account(self, number: Number) -> Account | None:
        row = self.connection.execute(
            "SELECT number, key_hash, state, participant FROM accounts WHERE number = ?", (number,)
        ).fetchone()
        if row is None:
            return None
        named, key_hash, state, participant = row
        return Account(named, key_hash, state, participant or b"")

    def put_account(self, account: Account, now: Instant) -> None:
        self.connection.execute(
            "INSERT INTO accounts VALUES (?, ?, ?, ?, ?) ON CONFLICT (number) DO UPDATE SET key_hash = "
            "excluded.key_hash, state = excluded.state, changed_at = excluded.changed_at, "
            "participant = excluded.participant",
            (account.number, account.key_hash, account.state, now, account.participant),
        )

    # --- codes -----------------------------------------------------------------------------------
    def code(self, number: Number, key_hash: bytes) -> PendingCode | None:
        row = self.connection.execute(
            "SELECT code_hash, session_hash, expires, tries_left FROM codes WHERE number = ? AND key_hash = ?",
            (number, key_hash),
        ).fetchone()
        return PendingCode(*row) if row else None

    def put_code(self, number: Number, key_hash: bytes, code: PendingCode) -> None:
        self.connection.execute(
            "INSERT INTO codes VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (number, key_hash) DO UPDATE SET "
            "code_hash = excluded.code_hash, session_hash = excluded.session_hash, expires = excluded.expires, "
            "tries_left = excluded.tries_left",
            (number, key_hash, code.code_hash, code.session_hash, code.expires, code.tries_left),
        )

    def spend_try(self, number: Number, key_hash: bytes) -> None:
        self.connection.execute(
            "UPDATE codes SET tries_left = tries_left - 1 WHERE number = ? AND key_hash = ?", (number, key_hash)
        )

    def return_try(self, number: Number, key_hash: bytes) -> None:
        self.connection.execute(
            "UPDATE codes SET tries_left = tries_left + 1 WHERE number = ? AND key_hash = ?", (number, key_hash)
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

    # --- tokens ----------------------------------------------------------------------------------
    def token(self, digest: bytes) -> Token | None:
        row = self.connection.execute(
            "SELECT number, key_hash, expires FROM tokens WHERE hash = ?", (digest,)
        ).fetchone()
        return Token(*row) if row else None

    def put_token(self, digest: bytes, token: Token, most: int) -> None:
        """Keep a token; of its number no more than `most`, those that expire last."""
        run = self.connection.execute
        run(
            "INSERT INTO tokens VALUES (?, ?, ?, ?) ON CONFLICT (hash) DO UPDATE SET "
            "number = excluded.number, key_hash = excluded.key_hash, expires = excluded.expires",
            (digest, token.number, token.key_hash, token.expires),
        )
        run(
            "DELETE FROM tokens WHERE number = ?1 AND hash NOT IN "
            "(SELECT hash FROM tokens WHERE number = ?1 ORDER BY expires DESC, hash LIMIT ?2)",
            (token.number, most),
        )

    def delete_tokens_of_other_keys(self, number: Number, key_hash: bytes) -> None:
        self.connection.execute("DELETE FROM tokens WHERE number = ? AND key_hash != ?", (number, key_hash))

    # --- retention -------------------------------------------------------------------------------
    def purge(self, now: Instant, limits: ProvisioningLimits) -> None:
        """Drop what is older than its bound, in every table (SR-17)."""
        run = self.connection.execute
        run("DELETE FROM codes WHERE expires <= ?", (now,))
        run("DELETE FROM tokens WHERE expires <= ?", (now,))
        run(
            "DELETE FROM accounts WHERE changed_at < ? AND state > 0 "
            "AND NOT EXISTS (SELECT 1 FROM tokens t WHERE t.number = accounts.number)",
            (now - limits.account_age_ms,),
        )
