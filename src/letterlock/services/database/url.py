"""Which database a name means, and that nothing of it crosses a network in the clear (SR-19)."""

from __future__ import annotations

import os
import ssl
from urllib.parse import parse_qs, parse_qsl, quote, urlsplit

from ...codec.addresses import is_loopback
from ...errors import InputError

__all__ = ["is_url", "shown", "sqlite_path", "tls_for"]

_SCHEMES = ("postgresql:", "postgres:")


def is_url(database: str) -> bool:
    """Whether it is PostgreSQL; otherwise it is a file for SQLite. Raises InputError for another kind."""
    scheme, colon, _ = database.partition("://")
    if colon and f"{scheme}:" not in _SCHEMES and scheme != "sqlite":
        raise InputError(
            "not a database that this runs on",
            code="input.database",
            hint="give a file, or postgresql://USER@HOST/DATABASE",
        )
    return database.startswith(_SCHEMES)


def sqlite_path(database: str) -> str:
    """The file of a path or of `sqlite:PATH`."""
    return database.removeprefix("sqlite:")


def shown(database: str) -> str:
    """The name without its password, for people and logs."""
    if not is_url(database):
        return database
    try:
        parts = urlsplit(database)
    except ValueError:
        return "postgresql://..."  # where the password stands in it cannot be told
    user, at, host = parts.netloc.rpartition("@")
    kept = [(key, value) for key, value in parse_qsl(parts.query) if key != "password"]
    query = "&".join(f"{key}={quote(value, safe='/')}" for key, value in kept)
    place = user.partition(":")[0] + at + host
    return f"{parts.scheme}://{place}{parts.path}{'?' if query else ''}{query}"


def tls_for(url: str) -> ssl.SSLContext | None:
    """How to speak TLS with the server of this URL, None to let its `sslmode` decide. Raises InputError.

    Beyond this machine it is TLS with a checked certificate. asyncpg's own default would go on without when the server
    has none, or when somebody in between says so.
    """
    try:
        parts = urlsplit(url)
        query = parse_qs(parts.query)
    except ValueError as error:
        raise InputError("not a database URL", code="input.database") from error
    given = query.get("host") or [parts.netloc.rpartition("@")[2]]
    hosts = [_host(each) for each in given[-1].split(",")]
    hosts = [host or os.environ.get("PGHOST", "") for host in hosts]
    if all(not host or host.startswith("/") or is_loopback(host) for host in hosts):
        return None
    mode = (query.get("sslmode") or [os.environ.get("PGSSLMODE", "")])[-1]
    if mode == "verify-full":
        return None
    if mode:
        raise InputError(
            f"sslmode={mode} beyond this machine",
            code="input.database_tls",
            hint="leave it out, or say sslmode=verify-full with sslrootcert=FILE",
        )
    return ssl.create_default_context()


def _host(place: str) -> str:
    if place.startswith("["):
        return place[1:].partition("]")[0]
    return place if place.startswith("/") else place.partition(":")[0]
