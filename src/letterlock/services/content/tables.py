"""The content server's tables: which uploads there are, whose, how far, and until when.

`Tables` is the small interface that the logic decides over; all its calls happen on the writer's thread inside one
transaction (services/writer.py). Who downloads what is kept nowhere (SR-17).
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import NamedTuple

from ...ids import Instant
from ..database import open_database

__all__ = ["Kept", "Tables", "Upload", "Usage"]

SCHEMA_VERSION = 2
_APPLICATION_ID = 0x4C4C434F  # "LLCO"

_SCHEMA = """
CREATE TABLE uploads (
    id TEXT PRIMARY KEY, account TEXT NOT NULL, tid TEXT NOT NULL, expires INTEGER NOT NULL,
    reserved INTEGER NOT NULL, complete INTEGER NOT NULL, received INTEGER NOT NULL, total INTEGER,
    name TEXT NOT NULL, content_type TEXT NOT NULL, blob TEXT NOT NULL, token TEXT NOT NULL UNIQUE, sha256 BLOB,
    thumbnail_size INTEGER NOT NULL, thumbnail_type TEXT NOT NULL, thumbnail_blob TEXT NOT NULL,
    thumbnail_token TEXT NOT NULL UNIQUE, thumbnail_sha256 BLOB, UNIQUE (account, tid)
) WITHOUT ROWID;
CREATE INDEX uploads_usage ON uploads (account, complete, reserved);
CREATE INDEX uploads_expires ON uploads (expires);
"""
_FOLDER = """
CREATE TABLE folder (id TEXT NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Upload:
    """One upload; a file once it is `complete`. `received` bytes are on the disk for certain.

    `id` is its secret name for PUT, `token` and `thumbnail_token` are those for downloads. `reserved` is what it
    takes of the account's budget. `total` is None as long as nobody has said it.
    """

    id: str = field(repr=False)
    account: str
    tid: str
    expires: Instant
    reserved: int
    complete: bool
    received: int
    total: int | None
    name: str
    content_type: str
    blob: str
    token: str = field(repr=False)
    sha256: bytes | None
    thumbnail_size: int
    thumbnail_type: str
    thumbnail_blob: str
    thumbnail_token: str = field(repr=False)
    thumbnail_sha256: bytes | None

    @property
    def blobs(self) -> tuple[str, ...]:
        return (self.blob, self.thumbnail_blob)


class Kept(NamedTuple):
    """A file as a download sees it."""

    blob: str
    size: int
    sha256: bytes
    expires: Instant


class Usage(NamedTuple):
    """What an account, or all of them, take."""

    reserved: int
    files: int
    unfinished: int


_COLUMNS = tuple(column.name for column in dataclasses.fields(Upload))
_ALL = ", ".join(_COLUMNS)
_PUT = (
    f"INSERT INTO uploads ({_ALL}) VALUES ({', '.join('?' * len(_COLUMNS))}) "  # noqa: S608
    f"ON CONFLICT (id) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in _COLUMNS if name != 'id')}"
)


class Tables:
    """Rows in, rows out. Every method is one or two statements; decisions are made elsewhere."""

    def __init__(self, path: str) -> None:
        self.connection = open_database(
            path,
            _SCHEMA + _FOLDER,
            version=SCHEMA_VERSION,
            application_id=_APPLICATION_ID,
            name="content",
            hint="the content server is up already; or give another one --folder",
            exclusive=True,
            upgrades={1: _FOLDER},
        )

    def close(self) -> None:
        self.connection.close()

    # --- the folder ------------------------------------------------------------------------------
    def folder(self, new: str) -> str:
        """Which folder the rows are about: what was said the first time, `new` if that is now."""
        row = self.connection.execute("SELECT id FROM folder").fetchone()
        if row is None:
            self.connection.execute("INSERT INTO folder VALUES (?)", (new,))
            return new
        found: str = row[0]
        return found

    # --- uploads ---------------------------------------------------------------------------------
    def put(self, upload: Upload) -> None:
        values = [getattr(upload, name) for name in _COLUMNS]
        self.connection.execute(_PUT, values)

    def upload(self, upload: str) -> Upload | None:
        return self._one("id = ?", upload)

    def of_account(self, account: str, tid: str) -> Upload | None:
        return self._one("account = ? AND tid = ?", account, tid)

    def _one(self, where: str, *values: object) -> Upload | None:
        row = self.connection.execute(f"SELECT {_ALL} FROM uploads WHERE {where}", values).fetchone()  # noqa: S608
        if row is None:
            return None
        found = Upload(*row)
        return dataclasses.replace(found, complete=bool(found.complete))

    def delete(self, upload: str) -> None:
        self.connection.execute("DELETE FROM uploads WHERE id = ?", (upload,))

    # --- downloads -------------------------------------------------------------------------------
    def kept(self, token: str) -> Kept | None:
        """The complete file behind a download token."""
        row = self.connection.execute(
            "SELECT blob, received, sha256, expires FROM uploads WHERE token = ?1 AND complete = 1 "
            "UNION ALL SELECT thumbnail_blob, thumbnail_size, thumbnail_sha256, expires FROM uploads "
            "WHERE thumbnail_token = ?1 AND complete = 1 AND thumbnail_sha256 IS NOT NULL",
            (token,),
        ).fetchone()
        return Kept(*row) if row else None

    # --- budgets and retention -------------------------------------------------------------------
    def usage(self, account: str | None = None) -> Usage:
        """Of one account; of all without a name."""
        where = "" if account is None else "WHERE account = ?"
        row = self.connection.execute(
            "SELECT CAST(COALESCE(SUM(reserved), 0) AS BIGINT), "  # noqa: S608
            "COUNT(*) FILTER (WHERE complete = 1), COUNT(*) FILTER (WHERE complete = 0) "
            f"FROM uploads {where}",
            () if account is None else (account,),
        ).fetchone()
        return Usage(*row)

    def expired(self, now: Instant) -> list[Upload]:
        rows = self.connection.execute(f"SELECT {_ALL} FROM uploads WHERE expires <= ?", (now,))  # noqa: S608
        return [Upload(*row) for row in rows]

    def blobs(self) -> set[str]:
        """The names of all blobs that belong to a row."""
        rows = self.connection.execute("SELECT blob, thumbnail_blob FROM uploads").fetchall()
        return {name for row in rows for name in row}
