"""Who asks: the device that signed a request, how often it may, and which account holds a number."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from ...codec import tls
from ...crypto.provider import CryptoProvider
from ...errors import CryptoError, DirectoryError
from ...ids import Instant, Number
from ...trust import labels
from ...trust.device_entry import DeviceEntry
from ...trust.device_list import from_store
from ...trust.requests import RequestSignature, verify_request
from ..buckets import Buckets, Rate
from .limits import DirectoryLimits
from .tables import Account, Tables

__all__ = ["Caller", "Callers", "SignedRequest", "registered", "unauthenticated"]


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A request as it came: the parts that its signature covers."""

    method: str
    path: str
    body: bytes = field(repr=False)
    signature: RequestSignature


@dataclass(frozen=True, slots=True)
class Caller:
    """A device that signed its request. `account` may have been replaced meanwhile."""

    account: Account
    entry: DeviceEntry


class Callers:
    """Of one directory; what they have spent is in memory."""

    def __init__(self, crypto: CryptoProvider, limits: DirectoryLimits) -> None:
        self._crypto = crypto
        self._limits = limits
        self._buckets = Buckets(limits.max_buckets)

    def authenticate(self, tables: Tables, request: SignedRequest, now: Instant, *, replaced: bool = False) -> Caller:
        """The device behind a request (SR-17). Devices of a replaced account pass only with `replaced`."""
        signed = request.signature
        self.check_time(signed, now)
        account = tables.account(signed.account)
        entry = None
        if account is not None and account.number == signed.number:
            entry = from_store(account.list).device(signed.device)
        # One answer for an unknown device and a wrong signature: nobody learns who is registered.
        if account is None or entry is None:
            raise unauthenticated()
        self.check_signature(tables, entry, request, now)
        self.spend("calls", account.account, self._limits.calls, now)
        if account.replaced_at is not None and not replaced:
            raise DirectoryError(
                "this number was claimed with another key",
                code="directory.replaced",
                hint="if that was not you, ask your operator for a code and claim it again",
                status=403,
            )
        return Caller(account, entry)

    def check_time(self, signed: RequestSignature, now: Instant) -> None:
        """Whether it was made now."""
        if abs(signed.timestamp - now) > self._limits.request_window_ms:
            raise DirectoryError(
                "the request's time is too far from the directory's",
                code="directory.clock",
                hint="set this device's clock",
                status=401,
            )

    def check_signature(self, tables: Tables, entry: DeviceEntry, request: SignedRequest, now: Instant) -> None:
        """Whether this device made it, and it is seen for the first time."""
        signed = request.signature
        try:
            verify_request(self._crypto, entry.identity_key, signed, request.method, request.path, request.body)
        except CryptoError as error:
            raise unauthenticated() from error
        # After the signature: otherwise anybody could burn another's nonce or fill the table.
        digest = hashlib.sha256(labels.DIRECTORY_NONCE + signed.account + tls.u8(signed.device) + signed.nonce).digest()
        if not tables.remember_nonce(digest, signed.timestamp + self._limits.request_window_ms, now):
            raise DirectoryError("this request was made before", code="directory.replay", status=401)

    def spend(self, purpose: str, key: object, rate: Rate, now: Instant) -> None:
        """Of what a caller may do in a time (SR-17)."""
        self._buckets.spend(DirectoryError, purpose, key, rate, now)


def registered(tables: Tables, number: Number) -> Account:
    """The account that holds a number now."""
    account = tables.current(number)
    if account is None:
        raise DirectoryError("no keys for this number", code="directory.unknown_number", status=404)
    return account


def unauthenticated() -> DirectoryError:
    """The one refusal of a request whose device is unknown or did not sign it."""
    return DirectoryError("the request is not signed by a listed device", code="directory.unauthenticated", status=401)
