"""A service's database, chosen by its URL: a path or `sqlite:PATH`, or `postgresql://...`.

One `Connection` serves both; tables are written in the SQL that both understand:

- Types in a schema are TEXT, INTEGER (64 bits) and BLOB; `INTEGER PRIMARY KEY [AUTOINCREMENT]` numbers rows by itself, and
  what was inserted says `RETURNING`. A truth is an INTEGER, compared with 1: neither `WHERE complete` nor `SUM(a = b)`.
- Places for values are `?`, or `?1`, `?2` where one is used twice; one that stands in a SELECT list needs a CAST to BIGINT,
  TEXT or BLOB. SUM over integers, too: `CAST(SUM(size) AS BIGINT)`. Bytes are values, never `x''`.
- `INSERT ... ON CONFLICT (columns) DO NOTHING | DO UPDATE SET`, with the columns, and `table.column` for what stood there;
  never `INSERT OR`.
- No PRAGMA, no sqlite_ tables, no rowid, no lastrowid. `last_identity` is the highest number that a table has given.
- A text holds no NUL character: PostgreSQL has none.
"""

from __future__ import annotations

from .connection import Connection, Rows
from .opening import open_database
from .url import is_url, shown

__all__ = ["Connection", "Rows", "is_url", "open_database", "shown"]
