"""Pre-keys: what a device leaves here for others, and what each of them is given once (SR-13)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from ...codec import prekeys as codec
from ...codec.prekeys import KemPreKey, OneTimePreKey, PreKeyBundle, PreKeyUpload
from ...crypto.provider import CryptoProvider
from ...errors import CryptoError, DirectoryError
from ...ids import AccountId, DeviceId, Instant, Number
from ...trust.device_entry import DeviceEntry
from ...trust.device_list import from_store
from .callers import Callers, SignedRequest, registered
from .limits import DirectoryLimits
from .tables import Alert, Tables

__all__ = ["Counts", "PreKeys"]

_EC = "ec"
_KEM = "kem"


@dataclass(frozen=True, slots=True)
class Counts:
    """One-time keys of a device that still wait."""

    one_time: int
    one_time_kem: int


class PreKeys:
    """Of one directory."""

    def __init__(self, callers: Callers, crypto: CryptoProvider, limits: DirectoryLimits) -> None:
        self._callers = callers
        self._crypto = crypto
        self._limits = limits

    def upload(self, tables: Tables, request: SignedRequest, data: bytes, now: Instant) -> Counts:
        """Take a device's pre-keys. Keys that are known, spent ones included, are not added again.

        An upload that replaces spends all others that wait: their private halves are gone.
        """
        caller = self._callers.authenticate(tables, request, now)
        account, device = caller.account.account, caller.entry.device
        self._callers.spend("prekeys", (account, device), self._limits.prekey_uploads, now)
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
        caller = self._callers.authenticate(tables, request, now)
        asker = caller.account.account
        self._callers.spend("bundles", asker, self._limits.bundles, now)
        # One asker must not drain one device: the last-resort key is worse than a one-time key.
        self._callers.spend("bundle", (asker, account, device), self._limits.bundles_of_one_device, now)
        owner = registered(tables, number)
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


def _counts(tables: Tables, account: AccountId, device: DeviceId) -> Counts:
    return Counts(tables.count_one_time(account, device, _EC), tables.count_one_time(account, device, _KEM))


def _kem(row: tuple[int, bytes]) -> KemPreKey:
    key_id, data = row
    return KemPreKey(key_id, data[: codec.KEM_PUBLIC_SIZE], data[codec.KEM_PUBLIC_SIZE :])
