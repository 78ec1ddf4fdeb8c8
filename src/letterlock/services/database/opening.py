"""Opening a service's database: durable at each commit, of a schema that we know, and ours alone where it has to be."""

from __future__ import annotations

from collections.abc import Mapping

from ...errors import StoreError
from .connection import Connection, Layout
from .sqlite import SqliteConnection
from .url import is_url, sqlite_path

__all__ = ["open_database"]


def open_database(
    url: str,
    schema: str,
    *,
    version: int,
    application_id: int,
    name: str,
    hint: str,
    exclusive: bool,
    upgrades: Mapping[int, str] | None = None,
) -> Connection:
    """The connection; a new database gets `schema`. See `Layout` for the rest.

    Raises StoreLocked when another process has it: always for a file, on PostgreSQL for an `exclusive` service. StoreError
    `store.schema` for a version that is newer than ours, and StoreError, with a hint, for what cannot be opened. InputError
    for a URL that is none, or that would send rows in the clear (SR-19).
    """
    layout = Layout(name, schema, version, application_id, hint, exclusive, upgrades or {})
    if not is_url(url):
        return SqliteConnection.opened(sqlite_path(url), layout)
    try:
        # Here, because only operators of PostgreSQL need the driver.
        from .postgresql import PostgresqlConnection
    except ImportError as error:
        raise StoreError("asyncpg is not installed", code="store.driver", hint="pip install asyncpg") from error
    return PostgresqlConnection.opened(url, layout)
