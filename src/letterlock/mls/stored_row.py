"""What is around every stored row: a version in front, and behind it a check of the row and the key it stands under.

The check keeps nobody out who can write to the store; that the store is encrypted does (SR-11). It tells a row
that was damaged, cut off or put in another one's place from a row that we wrote, so that loading ends in one error
and not in a group that is silently another one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Final, TypeVar

from ..codec.tls import u8
from ..errors import DecodeError, LetterlockError

__all__ = ["bad_row", "open_row", "read_stored", "seal_row"]

_T = TypeVar("_T")

_VERSION: Final = 1
_CHECK_BYTES: Final = 4


def seal_row(key: str, body: bytes) -> bytes:
    """The row to store under `key`."""
    row = u8(_VERSION) + body
    return row + _check(key, row)


def open_row(key: str, row: bytes) -> bytes:
    """The body of a row. Raises DecodeError for a version that we do not know, and for damage."""
    if row[:1] != u8(_VERSION):
        raise bad_row(f"row {key} has a version that is not known here" if row else f"row {key} is empty")
    body, check = row[:-_CHECK_BYTES], row[-_CHECK_BYTES:]
    if len(row) <= _CHECK_BYTES or _check(key, body) != check:
        raise bad_row(f"row {key} is damaged")
    return body[1:]


def bad_row(what: str) -> DecodeError:
    """The one error of everything that is read back from a store."""
    return DecodeError(what, code="mls.row", hint="restore the store, or join the group again")


def read_stored(read: Callable[[], _T]) -> _T:
    """The value of `read`. Whatever it finds wrong with what is stored is that one error."""
    try:
        return read()
    except LetterlockError as error:
        if error.code == "mls.row":
            raise
        raise bad_row(f"what is stored does not hold: {error}") from error


def _check(key: str, row: bytes) -> bytes:
    return hashlib.sha256(key.encode() + b"\0" + row).digest()[:_CHECK_BYTES]
