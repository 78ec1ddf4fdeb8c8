"""The content server's tables: which uploads there are, whose, how far, and until when.

Every row expires: a file after its lifetime, an unfinished upload a while after its last byte (SR-17).

`Tables` is the small interface that the logic decides over; all its calls happen on the writer's thread inside one
transaction (services/writer.py). Who downloads what is kept nowhere (SR-17).
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import NamedTuple

from ...ids import Instant
from ..database import open_database
from .blobs import Blob

__all__ = ["Kept", "Tables", "Upload", "Usage"]

SCHEMA_VERSION = 3
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
_SHARED = """
ALTER TABLE uploads ADD COLUMN state TEXT NOT NULL DEFAULT '';
ALTER TABLE uploads ADD COLUMN holder TEXT NOT NULL DEFAULT '';
CREATE INDEX uploads_blob ON uploads (blob);
CREATE INDEX uploads_thumbnail ON uploads (thumbnail_blob);
CREATE TABLE nonces (key BLOB NOT NULL);
CREATE TABLE total (reserved INTEGER NOT NULL);
INSERT INTO total SELECT CAST(COALESCE(SUM(reserved), 0) AS BIGINT) FROM uploads;
"""
"""For stores that several processes share: how to go on with a blob, who does, what it is of; one key of nonces. And what
all accounts take together, because a sum over all rows for each block that comes would be the slowest of all."""


@dataclass(frozen=True, slots=True)
class Upload:
    """One upload; a file once it is `complete`. `received` bytes are durable, and `state` is their store's note of it.

    `holder` is whoever writes, by a random name: when another connection goes on with it, maybe in another process,
    nothing that the earlier one says counts any more.

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
    state: str
    holder: str

    @property
    def blobs(self) -> tuple[Blob, ...]:
        return (Blob(self.blob, self.state), Blob(self.thumbnail_blob))


class Kept(NamedTuple):
    """A file as a download sees it."""

    blob: str
    size: int
    sha256: bytes
    expires: Instant


class Usage(NamedTuple):
    """What an account takes."""

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

    def __init__(self, path: str, *, exclusive: bool) -> None:
        """`exclusive`: the blobs are this process's alone."""
        self.connection = open_database(
            path,
            _SCHEMA + _FOLDER + _SHARED,
            version=SCHEMA_VERSION,
            application_id=_APPLICATION_ID,
            name="content",
            hint="the content server is up already; or give another one --folder",
            exclusive=exclusive,
            upgrades={1: _FOLDER, 2: _SHARED},
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

    def nonce_key(self, new: bytes) -> bytes:
        """The key of login nonces, the same in all processes: a client's next request may come to another one."""
        row = self.connection.execute("SELECT key FROM nonces").fetchone()
        if row is None:
            self.connection.execute("INSERT INTO nonces VALUES (?)", (new,))
            return new
        return bytes(row[0])

    # --- uploads ---------------------------------------------------------------------------------
    def put(self, upload: Upload) -> None:
        self._count(upload.id, upload.reserved)
        values = [getattr(upload, name) for name in _COLUMNS]
        self.connection.execute(_PUT, values)

    def _count(self, upload: str, reserved: int) -> None:
        row = self.connection.execute("SELECT reserved FROM uploads WHERE id = ?", (upload,)).fetchone()
        more = reserved - (0 if row is None else row[0])
        if more:
            self.connection.execute("UPDATE total SET reserved = reserved + ?", (more,))

    def upload(self, upload: str) -> Upload | None:
        return self._one("id = ?", upload)

    def of_account(self, account: str, tid: str) -> Upload | None:
        return self._one("account = ? AND tid = ?", account, tid)

    def _one(self, where: str, *values: object) -> Upload | None:
        row = self.connection.execute(f"SELECT {_ALL} FROM uploads WHERE {where}", values).fetchone()  # noqa: S608
        return None if row is None else _upload(row)

    def delete(self, upload: str) -> None:
        self._count(upload, 0)
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
    def usage(self, account: str) -> Usage:
        row = self.connection.execute(
            "SELECT CAST(COALESCE(SUM(reserved), 0) AS BIGINT), "
            "COUNT(*) FILTER (WHERE complete = 1), COUNT(*) FILTER (WHERE complete = 0) "
            "FROM uploads WHERE account = ?",
            (account,),
        ).fetchone()
        return Usage(*row)

    def total(self) -> int:
        """What all accounts have reserved."""
        found: int = self.connection.execute("SELECT reserved FROM total").fetchone()[0]
        return found

    def expired(self, now: Instant, most: int) -> list[Upload]:
        rows = self.connection.execute(
            f"SELECT {_ALL} FROM uploads WHERE expires <= ? LIMIT ?",  # noqa: S608
            (now, most),
        )
        return [_upload(row) for row in rows]

    def whole(self, blob: str) -> bool | None:
        """Whether the upload that this blob belongs to is a file; None when it belongs to none."""
        row = self.connection.execute(
            "SELECT complete FROM uploads WHERE blob = ?1 UNION ALL SELECT complete FROM uploads WHERE thumbnail_blob = ?1",
            (blob,),
        ).fetchone()
        return None if row is None else bool(row[0])


def _upload(row: tuple[object, ...]) -> Upload:
    found = Upload(*row)  # type: ignore[arg-type]
    return dataclasses.replace(found, complete=bool(found.complete))
