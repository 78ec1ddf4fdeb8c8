"""One-time codes, with which a number is claimed: bound to one participant key, few tries, ten minutes (SR-21)."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field

from ...codec import tls
from ...errors import DirectoryError
from ...ids import Instant, Number, Rng
from ...trust import labels
from ...trust.device_list import VerifiedDeviceList, from_store
from ...trust.requests import participant_key_hash
from ..buckets import too_many
from .callers import Callers
from .limits import DirectoryLimits
from .tables import Account, PendingCode, Tables

__all__ = ["Codes", "IssuedCode"]

_CODE_DIGITS = 8


@dataclass(frozen=True, slots=True)
class IssuedCode:
    """A one-time code for the operator to pass to the owner of the number, never to the requester (SR-21)."""

    number: Number
    code: str = field(repr=False)
    expires: Instant
    replaces: bool
    """Whether using it would replace an account that exists: a reset."""


class Codes:
    """Of one directory."""

    def __init__(self, callers: Callers, limits: DirectoryLimits) -> None:
        self._callers = callers
        self._limits = limits

    def issue(self, tables: Tables, number: Number, key_hash: bytes, now: Instant, rng: Rng) -> IssuedCode:
        """Make a code for a number, bound to the hash of one participant key."""
        if len(key_hash) != 32:
            raise DirectoryError("a key hash is 32 bytes", code="directory.body", status=400)
        self._callers.spend("codes", number, self._limits.codes_by_number, now)
        current = tables.current(number)
        if current is not None and hmac.compare_digest(_key_hash_of(current), key_hash):
            raise DirectoryError(
                "this key holds the number already",
                code="directory.claimed",
                hint="upload a list that follows the current one",
                status=409,
            )
        mine, total = tables.count_codes(number, now)
        if mine >= self._limits.max_codes_per_number or total >= self._limits.max_codes:
            raise too_many(DirectoryError, self._limits.code_lifetime_ms)
        digits = f"{int.from_bytes(rng(16), 'big') % 10**_CODE_DIGITS:0{_CODE_DIGITS}d}"
        expires = now + self._limits.code_lifetime_ms
        code = PendingCode(_code_hash(number, key_hash, digits), expires, self._limits.code_tries)
        tables.put_code(number, key_hash, code)
        return IssuedCode(number, digits, expires, replaces=current is not None)

    def use(self, tables: Tables, offered: VerifiedDeviceList, digits: str, now: Instant) -> None:
        """Spend the code that was made for this number and this key; a wrong one costs a try."""
        key_hash = participant_key_hash(offered.participant_spki)
        pending = tables.code(offered.number, key_hash)
        # Refused in one voice: whether a code is there, spent or wrong is nobody's business.
        if pending is None or now >= pending.expires or pending.tries_left < 1:
            raise _wrong_code()
        tables.spend_try(offered.number, key_hash)
        if not hmac.compare_digest(pending.code_hash, _code_hash(offered.number, key_hash, digits)):
            raise _wrong_code()
        tables.delete_code(offered.number, key_hash)


def _key_hash_of(account: Account) -> bytes:
    return participant_key_hash(from_store(account.list).participant_spki)


def _code_hash(number: Number, key_hash: bytes, digits: str) -> bytes:
    return hashlib.sha256(labels.DIRECTORY_CODE + tls.opaque(number.encode()) + key_hash + digits.encode()).digest()


def _wrong_code() -> DirectoryError:
    return DirectoryError(
        "wrong, used or expired code",
        code="directory.code",
        hint="after five wrong tries or ten minutes ask for a new code",
        status=403,
    )
