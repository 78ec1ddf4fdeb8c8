"""What asyncpg raises, as our errors. A server's text may quote rows, so only its code and a constraint's name are told (SR-17)."""

from __future__ import annotations

import ssl

import asyncpg

from ...errors import InputError, LetterlockError, StoreError
from .connection import BatchLost, TryAgain

__all__ = ["ConnectionLost", "failure_of", "refusal_of"]


class ConnectionLost(BatchLost):
    """The server went away, or the way to it."""

    code = "store.connection"


_AGAIN = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError, asyncpg.LockNotAvailableError)
_LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    OSError,
    TimeoutError,
)


def failure_of(error: Exception, name: str) -> StoreError | None:
    """What a statement's failure means; None for one that is not the database's."""
    if isinstance(error, _AGAIN):
        return TryAgain(f"the {name} database is busy", hint="try again")
    if isinstance(error, _LOST):
        return ConnectionLost(f"the connection to the {name} database was lost", hint="it is made again by itself")
    if isinstance(error, asyncpg.DataError) or (
        isinstance(error, asyncpg.InterfaceError) and isinstance(error, ValueError)
    ):
        return StoreError(f"the {name} database does not take a value")
    if isinstance(error, asyncpg.PostgresError):
        constraint = f", {error.constraint_name}" if error.constraint_name else ""
        return StoreError(f"the {name} database failed: {type(error).__name__} ({error.sqlstate}{constraint})")
    if isinstance(error, asyncpg.InterfaceError):
        return ConnectionLost(f"the connection to the {name} database was lost", hint="it is made again by itself")
    return None


def refusal_of(error: Exception, name: str, where: str) -> LetterlockError | None:
    """Why there is no connection, and what to do. `where` is the URL without its password."""
    if isinstance(error, asyncpg.InvalidAuthorizationSpecificationError):  # a wrong password is one of them
        return StoreError(
            f"PostgreSQL does not let us in at {where}",
            code="store.denied",
            hint="check user and password: in the URL, in PGPASSWORD, or in a PGPASSFILE that nobody else can read",
        )
    if isinstance(error, asyncpg.InvalidCatalogNameError):
        return StoreError(
            f"there is no such PostgreSQL database: {where}",
            code="store.missing",
            hint="make it: createdb --encoding=UTF8 NAME",
        )
    if isinstance(error, asyncpg.InsufficientPrivilegeError):
        return StoreError(
            f"this user may not make the {name} schema at {where}",
            code="store.denied",
            hint="GRANT CREATE ON DATABASE ... TO this user",
        )
    if isinstance(error, ssl.SSLError | ssl.CertificateError):
        return StoreError(
            f"no trusted TLS with PostgreSQL at {where}",
            code="store.tls",
            hint="give the server's authority: sslmode=verify-full&sslrootcert=FILE",
        )
    if isinstance(error, _LOST):
        return ConnectionLost(
            f"no PostgreSQL server answers at {where}", hint="is it running, and may this machine reach it?"
        )
    if isinstance(error, asyncpg.ClientConfigurationError | ValueError):
        return InputError("not a PostgreSQL URL that can be used", code="input.database", hint=where)
    return failure_of(error, name)
