"""Making device lists: what the primary device does with the participant key.

The key itself never comes here: `sign` is a callable, so a hardware key does. Every function returns
the new list already verified, so that a list that others would refuse is never published.
"""

from __future__ import annotations

import dataclasses

from ..crypto.provider import CryptoProvider
from ..errors import DeviceListError, InputError
from ..ids import DeviceId, Instant, Number
from . import ecdsa, labels
from .device_entry import DeviceEntry, Sign
from .device_list import VerifiedDeviceList, verify_list, verify_successor
from .signed_list import LIMITS, NO_HEAD, PRIMARY, DeviceList, encode_body, encode_list

__all__ = ["add_device", "create_list", "next_device", "remove_device", "renew_list", "replace_device"]


def create_list(
    *,
    number: Number,
    participant_spki: bytes,
    primary: DeviceEntry,
    sign: Sign,
    crypto: CryptoProvider,
    now: Instant,
    lifetime_ms: int = LIMITS.max_lifetime_ms,
) -> VerifiedDeviceList:
    """The first list of an account: the primary device alone. Raises InputError if it would not verify."""
    primary = dataclasses.replace(primary, added_at=now)
    body = DeviceList(number, participant_spki, 1, NO_HEAD, now, now + lifetime_ms, (primary,), b"")
    data = _signed(body, sign)
    try:
        return verify_list(data, crypto, now)
    except DeviceListError as error:
        raise InputError(f"cannot make this list: {error}", code="input.device_list") from error


def add_device(
    old: VerifiedDeviceList,
    entry: DeviceEntry,
    *,
    sign: Sign,
    crypto: CryptoProvider,
    now: Instant,
    lifetime_ms: int = LIMITS.max_lifetime_ms,
) -> VerifiedDeviceList:
    """The next list, with one device more. Raises InputError if the id is taken or the device did not agree."""
    if old.device(entry.device) is not None:
        raise InputError(f"device {entry.device} is listed already", code="input.device_taken")
    entry = dataclasses.replace(entry, added_at=max(now, old.content.issued))
    return _successor(old, (*old.devices, entry), sign, crypto, now, lifetime_ms)


def replace_device(
    old: VerifiedDeviceList,
    entry: DeviceEntry,
    *,
    sign: Sign,
    crypto: CryptoProvider,
    now: Instant,
    lifetime_ms: int = LIMITS.max_lifetime_ms,
) -> VerifiedDeviceList:
    """The next list, with a device's entry changed (name, capabilities, keys). Raises InputError if it is not listed."""
    listed = old.device(entry.device)
    if listed is None:
        raise InputError(f"device {entry.device} is not listed", code="input.device_unknown")
    entry = dataclasses.replace(entry, added_at=listed.added_at)
    kept = (other for other in old.devices if other.device != entry.device)
    return _successor(old, (*kept, entry), sign, crypto, now, lifetime_ms)


def remove_device(
    old: VerifiedDeviceList,
    device: DeviceId,
    *,
    sign: Sign,
    crypto: CryptoProvider,
    now: Instant,
    lifetime_ms: int = LIMITS.max_lifetime_ms,
) -> VerifiedDeviceList:
    """The next list, without a device. Raises InputError for the primary and for one that is not listed."""
    if device == PRIMARY:
        raise InputError("the primary device cannot be removed", code="input.device_primary")
    if old.device(device) is None:
        raise InputError(f"device {device} is not listed", code="input.device_unknown")
    return _successor(
        old, tuple(entry for entry in old.devices if entry.device != device), sign, crypto, now, lifetime_ms
    )


def renew_list(
    old: VerifiedDeviceList,
    *,
    sign: Sign,
    crypto: CryptoProvider,
    now: Instant,
    lifetime_ms: int = LIMITS.max_lifetime_ms,
) -> VerifiedDeviceList:
    """The next list, with the same devices and a new lifetime. Works on an expired one too."""
    return _successor(old, old.devices, sign, crypto, now, lifetime_ms)


def next_device(old: VerifiedDeviceList) -> DeviceId:
    """The lowest device id that is free. Raises InputError when the list is full."""
    taken = {entry.device for entry in old.devices}
    if len(taken) >= LIMITS.max_devices:
        raise InputError("the device list is full", code="input.devices_full", hint="remove a device first")
    return next(DeviceId(n) for n in range(1, 128) if n not in taken)


def _successor(
    old: VerifiedDeviceList,
    entries: tuple[DeviceEntry, ...],
    sign: Sign,
    crypto: CryptoProvider,
    now: Instant,
    lifetime_ms: int,
) -> VerifiedDeviceList:
    # A clock that was set back must not make a list that everybody refuses.
    issued = max(now, old.content.issued)
    body = DeviceList(
        number=old.number,
        participant_spki=old.participant_spki,
        serial=old.serial + 1,
        previous_head=old.head,
        issued=issued,
        expires=issued + lifetime_ms,
        devices=tuple(sorted(entries, key=lambda entry: entry.device)),
        signature=b"",
    )
    try:
        return verify_successor(old, (_signed(body, sign),), crypto, now)
    except DeviceListError as error:
        raise InputError(f"cannot make this list: {error}", code="input.device_list") from error


def _signed(body: DeviceList, sign: Sign) -> bytes:
    signature = ecdsa.low_s(sign(labels.DEVICE_LIST_SIGNATURE + encode_body(body)))
    return encode_list(dataclasses.replace(body, signature=signature))
