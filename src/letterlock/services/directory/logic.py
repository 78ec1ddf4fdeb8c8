"""What the directory decides, as functions of tables, request, time and randomness.

Nothing here touches a socket, a clock or a disk. A refusal is a `DirectoryError` with the HTTP status
and the code that the caller sees; what was written before it stands (a spent try, a nonce).
The directory is not trusted by clients: every check here protects honest users from each other and
the tables from nonsense, and clients check all of it again.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field

from ...codec import prekeys as codec
from ...codec import tls
from ...codec.prekeys import KemPreKey, OneTimePreKey, PreKeyBundle, PreKeyUpload
from ...crypto.provider import CryptoProvider
from ...errors import CryptoError, DeviceListError, DirectoryError
from ...ids import AccountId, DeviceId, Instant, Number, Rng
from ...trust import labels
from ...trust.device_entry import DeviceEntry
from ...trust.device_list import (
    PRIMARY,
    VerifiedDeviceList,
    changes_between,
    from_store,
    verify_list,
    verify_successor,
)
from ...trust.requests import RequestSignature, participant_key_hash, verify_request
from ..buckets import Buckets, Rate, too_many
from .limits import DirectoryLimits
from .tables import Account, Alert, PendingCode, Tables

__all__ = ["Caller", "Counts", "IssuedCode", "Registry", "SignedRequest"]

_CODE_DIGITS = 8
_EC = "ec"
_KEM = "kem"


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


@dataclass(frozen=True, slots=True)
class IssuedCode:
    """A one-time code for the operator to pass to the owner of the number, never to the requester (SR-21)."""

    number: Number
    code: str = field(repr=False)
    expires: Instant
    replaces: bool
    """Whether using it would replace an account that exists: a reset."""


@dataclass(frozen=True, slots=True)
class Counts:
    """One-time keys of a device that still wait."""

    one_time: int
    one_time_kem: int


class Registry:
    """The directory's rules over its tables."""

    def __init__(self, crypto: CryptoProvider, limits: DirectoryLimits) -> None:
        self._crypto = crypto
        self._limits = limits
        self._buckets = Buckets(limits.max_buckets)

    # --- who asks --------------------------------------------------------------------------------
    def authenticate(self, tables: Tables, request: SignedRequest, now: Instant, *, replaced: bool = False) -> Caller:
        """The device behind a request (SR-17). Devices of a replaced account pass only with `replaced`."""
        signed = request.signature
        self._check_time(signed, now)
        account = tables.account(signed.account)
        entry = None
        if account is not None and account.number == signed.number:
            entry = from_store(account.list).device(signed.device)
        # One answer for an unknown device and a wrong signature: nobody learns who is registered.
        if account is None or entry is None:
            raise _unauthenticated()
        self._check_signature(tables, entry, request, now)
        self._spend("calls", account.account, self._limits.calls, now)
        if account.replaced_at is not None and not replaced:
            raise DirectoryError(
                "this number was claimed with another key",
                code="directory.replaced",
                hint="if that was not you, ask your operator for a code and claim it again",
                status=403,
            )
        return Caller(account, entry)

    def _check_time(self, signed: RequestSignature, now: Instant) -> None:
        if abs(signed.timestamp - now) > self._limits.request_window_ms:
            raise DirectoryError(
                "the request's time is too far from the directory's",
                code="directory.clock",
                hint="set this device's clock",
                status=401,
            )

    def _check_signature(self, tables: Tables, entry: DeviceEntry, request: SignedRequest, now: Instant) -> None:
        signed = request.signature
        try:
            verify_request(self._crypto, entry.identity_key, signed, request.method, request.path, request.body)
        except CryptoError as error:
            raise _unauthenticated() from error
        # After the signature: otherwise anybody could burn another's nonce or fill the table.
        digest = hashlib.sha256(labels.DIRECTORY_NONCE + signed.account + tls.u8(signed.device) + signed.nonce).digest()
        if not tables.remember_nonce(digest, signed.timestamp + self._limits.request_window_ms, now):
            raise DirectoryError("this request was made before", code="directory.replay", status=401)

    def _spend(self, purpose: str, key: object, rate: Rate, now: Instant) -> None:
        self._buckets.spend(DirectoryError, purpose, key, rate, now)

    # --- claims (SR-21) --------------------------------------------------------------------------
    def begin_claim(self, tables: Tables, number: Number, key_hash: bytes, now: Instant, rng: Rng) -> IssuedCode:
        """Make a code for a number, bound to the hash of one participant key."""
        if len(key_hash) != 32:
            raise DirectoryError("a key hash is 32 bytes", code="directory.body", status=400)
        self._spend("codes", number, self._limits.codes_by_number, now)
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

    def claim(self, tables: Tables, request: SignedRequest, digits: str, data: bytes, now: Instant) -> Account:
        """Give a number to the account whose primary device signed the request and whose key the code was made for.

        Saying the same again after a lost answer changes nothing.
        """
        self._check_time(request.signature, now)
        known = tables.account(request.signature.account)
        offered = self._follow(known, data, now)
        entry = offered.device(PRIMARY)
        signed = request.signature
        if entry is None or (signed.number, signed.account, signed.device) != (
            offered.number,
            offered.account,
            PRIMARY,
        ):
            raise _unauthenticated()
        # Before the code is looked at: only the key's holder may spend its tries.
        self._check_signature(tables, entry, request, now)
        if known is not None and known.replaced_at is None:
            if known.list == data:
                return known
            raise DirectoryError("this key holds the number already", code="directory.claimed", status=409)
        self._check_code(tables, offered, digits, now)
        current = tables.current(offered.number)
        if current is not None:
            tables.mark_replaced(current.account, now)
            tables.put_alert(current.account, 0, Alert("replaced", now))
        tables.put_account(offered.account, offered.number, now)
        tables.delete_alert(offered.account, 0, "replaced")
        if known is None or known.list != data:
            tables.append_list(offered.account, offered.serial, data, offered.expires, now)
        return _known(tables.account(offered.account))

    def _check_code(self, tables: Tables, offered: VerifiedDeviceList, digits: str, now: Instant) -> None:
        key_hash = participant_key_hash(offered.participant_spki)
        pending = tables.code(offered.number, key_hash)
        # Refused in one voice: whether a code is there, spent or wrong is nobody's business.
        if pending is None or now >= pending.expires or pending.tries_left < 1:
            raise _wrong_code()
        tables.spend_try(offered.number, key_hash)
        if not hmac.compare_digest(pending.code_hash, _code_hash(offered.number, key_hash, digits)):
            raise _wrong_code()
        tables.delete_code(offered.number, key_hash)

    # --- device lists (SR-04, SR-22) -------------------------------------------------------------
    def upload_list(self, tables: Tables, request: SignedRequest, data: bytes, now: Instant) -> Account:
        """Take the next list of the caller's own account. The same list again changes nothing."""
        caller = self.authenticate(tables, request, now)
        account = caller.account
        if account.list == data:
            return account
        self._spend("lists", account.account, self._limits.list_uploads, now)
        old = from_store(account.list)
        new = self._follow(account, data, now)
        tables.append_list(account.account, new.serial, data, new.expires, now)
        changes = changes_between(old, new)
        for device in changes.removed + changes.rekeyed:
            tables.forget_device(account.account, device)
        return _known(tables.account(account.account))

    def lists(
        self, tables: Tables, request: SignedRequest, number: Number, since: int, now: Instant
    ) -> tuple[Account, Sequence[bytes]]:
        """The current account of a number and its lists after `since`, oldest first, but always the newest.

        `since` 0 asks for the newest alone: history is of no use to one who holds nothing of it.
        """
        # A replaced device may still ask about its own number: the new list is how it hears of the reset (SR-21).
        caller = self.authenticate(tables, request, now, replaced=number == request.signature.number)
        self._spend("lookups", caller.account.account, self._limits.lookups, now)
        account = self._registered(tables, number)
        # An account that replaced another starts at 1 again: `since` may lie beyond its end.
        if not 0 < since < account.serial:
            return account, (account.list,)
        found = tables.lists_since(account.account, since, self._limits.max_lists_per_answer)
        return account, found

    def _follow(self, known: Account | None, data: bytes, now: Instant) -> VerifiedDeviceList:
        try:
            if known is None:
                first = verify_list(data, self._crypto, now)
                if first.serial != 1:
                    raise DeviceListError("the first list of an account has serial 1", code="device_list.serial")
                return first
            return verify_successor(from_store(known.list), (data,), self._crypto, now)
        except DeviceListError as error:
            raise DirectoryError(str(error), code=error.code, hint=error.hint, status=422) from error

    def _registered(self, tables: Tables, number: Number) -> Account:
        account = tables.current(number)
        if account is None:
            raise DirectoryError("no keys for this number", code="directory.unknown_number", status=404)
        return account

    # --- pre-keys (SR-13) ------------------------------------------------------------------------
    def upload_prekeys(self, tables: Tables, request: SignedRequest, data: bytes, now: Instant) -> Counts:
        """Take a device's pre-keys. Keys that are known, spent ones included, are not added again.

        An upload that replaces spends all others that wait: their private halves are gone.
        """
        caller = self.authenticate(tables, request, now)
        account, device = caller.account.account, caller.entry.device
        self._spend("prekeys", (account, device), self._limits.prekey_uploads, now)
        upload = codec.decode_upload(data, max_one_time=self._limits.max_one_time)
        self._check_upload(upload, caller.entry)
        # Both sorts are looked at before either is written: a refusal must leave the tables as they were.
        ec_rows = [(key.id, key.public) for key in upload.one_time]
        kem_rows = [(key.id, key.public + key.signature) for key in upload.one_time_kem]
        one_time = self._fresh(tables, account, device, _EC, ec_rows, upload.replaces)
        one_time_kem = self._fresh(tables, account, device, _KEM, kem_rows, upload.replaces)
        if upload.replaces:
            tables.spend_one_time(account, device, _EC, {key_id for key_id, _ in ec_rows}, now)
            tables.spend_one_time(account, device, _KEM, {key_id for key_id, _ in kem_rows}, now)
        tables.add_one_time(account, device, _EC, one_time)
        tables.add_one_time(account, device, _KEM, one_time_kem)
        lasting = PreKeyUpload(upload.registration_id, upload.signed, upload.last_resort, (), ())
        tables.put_prekeys(account, device, codec.encode_upload(lasting))
        tables.delete_alert(account, device, "prekeys_drained")
        return _counts(tables, account, device)

    def _check_upload(self, upload: PreKeyUpload, entry: DeviceEntry) -> None:
        identity = entry.identity_key[1:]
        try:
            self._crypto.xeddsa_verify(identity, upload.signed.public, upload.signed.signature)
            for key in (upload.last_resort, *upload.one_time_kem):
                self._crypto.xeddsa_verify(identity, key.public, key.signature)
            for public in (upload.signed.public, *(key.public for key in upload.one_time)):
                self._crypto.x25519_check(public[1:])
        except CryptoError as error:
            raise DirectoryError(
                "a pre-key is not signed by this device's identity key", code="directory.prekeys", status=422
            ) from error
        if upload.registration_id != entry.registration_id:
            raise DirectoryError("pre-keys of another registration", code="directory.prekeys", status=422)

    def _fresh(
        self,
        tables: Tables,
        account: AccountId,
        device: DeviceId,
        sort: str,
        keys: Sequence[tuple[int, bytes]],
        replaces: bool,
    ) -> list[tuple[int, bytes, bytes]]:
        """The (id, digest, data) of the keys that were never here."""
        known = tables.one_time_digests(account, device, sort)
        rows = [(key_id, hashlib.sha256(data).digest(), data) for key_id, data in keys]
        # One id for two keys would make the device open with the wrong one.
        if any(key_id in known and known[key_id] != digest for key_id, digest, _ in rows):
            raise DirectoryError("a pre-key id was used for another key", code="directory.prekey_id", status=409)
        fresh = [row for row in rows if row[0] not in known]
        waiting = 0 if replaces else tables.count_one_time(account, device, sort)
        if waiting + len(fresh) > self._limits.max_one_time:
            raise DirectoryError(
                f"more than {self._limits.max_one_time} one-time keys waiting",
                code="directory.prekeys_full",
                status=413,
            )
        return fresh

    def bundle(
        self,
        tables: Tables,
        request: SignedRequest,
        number: Number,
        account: AccountId,
        device: DeviceId,
        now: Instant,
    ) -> bytes:
        """A bundle of one device. Its one-time keys are out of the tables when this is committed, and never come back."""
        caller = self.authenticate(tables, request, now)
        asker = caller.account.account
        self._spend("bundles", asker, self._limits.bundles, now)
        # One asker must not drain one device: the last-resort key is worse than a one-time key.
        self._spend("bundle", (asker, account, device), self._limits.bundles_of_one_device, now)
        owner = self._registered(tables, number)
        entry = from_store(owner.list).device(device) if owner.account == account else None
        stored = tables.prekeys(account, device)
        if entry is None or stored is None:
            raise DirectoryError("no pre-keys of this device", code="directory.no_prekeys", status=404)
        lasting = codec.decode_upload(stored, max_one_time=0)
        one_time = tables.take_one_time(account, device, _EC, now)
        kem = tables.take_one_time(account, device, _KEM, now)
        left = _counts(tables, account, device)
        if not (left.one_time and left.one_time_kem):
            tables.put_alert(account, device, Alert("prekeys_drained", now))
        bundle = PreKeyBundle(
            registration_id=lasting.registration_id,
            device=device,
            identity_key=entry.identity_key,
            signed=lasting.signed,
            kem=_kem(kem) if kem else lasting.last_resort,
            kem_is_last_resort=kem is None,
            one_time=OneTimePreKey(*one_time) if one_time else None,
        )
        return codec.encode_bundle(bundle)

    # --- alerts ----------------------------------------------------------------------------------
    def alerts(self, tables: Tables, request: SignedRequest, now: Instant) -> Sequence[Alert]:
        """What this device should hear, also when its account was replaced (SR-21)."""
        caller = self.authenticate(tables, request, now, replaced=True)
        return tables.alerts(caller.account.account, caller.entry.device)


def _counts(tables: Tables, account: AccountId, device: DeviceId) -> Counts:
    return Counts(tables.count_one_time(account, device, _EC), tables.count_one_time(account, device, _KEM))


def _kem(row: tuple[int, bytes]) -> KemPreKey:
    key_id, data = row
    return KemPreKey(key_id, data[: codec.KEM_PUBLIC_SIZE], data[codec.KEM_PUBLIC_SIZE :])


def _key_hash_of(account: Account) -> bytes:
    return participant_key_hash(from_store(account.list).participant_spki)


def _code_hash(number: Number, key_hash: bytes, digits: str) -> bytes:
    return hashlib.sha256(labels.DIRECTORY_CODE + tls.opaque(number.encode()) + key_hash + digits.encode()).digest()


def _known(account: Account | None) -> Account:
    assert account is not None  # written in this very transaction
    return account


def _unauthenticated() -> DirectoryError:
    return DirectoryError("the request is not signed by a listed device", code="directory.unauthenticated", status=401)


def _wrong_code() -> DirectoryError:
    return DirectoryError(
        "wrong, used or expired code",
        code="directory.code",
        hint="after five wrong tries or ten minutes ask for a new code",
        status=403,
    )
