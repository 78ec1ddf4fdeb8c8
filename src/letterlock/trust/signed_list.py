"""A device list as bytes and as what they say; nothing in it may be believed before `device_list` has verified it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from .. import ids
from ..codec import tls
from ..errors import DecodeError, InputError, LimitExceeded
from ..ids import DeviceId, Instant, Number
from . import ecdsa, labels
from .device_entry import DeviceEntry, decode_entry, encode_entry

__all__ = [
    "LIMITS",
    "NO_HEAD",
    "PRIMARY",
    "DeviceList",
    "ListLimits",
    "decode_list",
    "encode_body",
    "encode_list",
    "head_of",
]

PRIMARY = DeviceId(1)
"""The device that holds the participant key; every list has it."""

NO_HEAD = bytes(32)
"""The previous head of the first list."""

_VERSION = 1
_MAX_SPKI = 128


@dataclass(frozen=True, slots=True)
class ListLimits:
    """Bounds of the format; the values of docs/spec/device-list.md are `LIMITS`."""

    max_bytes: int
    max_devices: int
    max_lifetime_ms: int
    clock_skew_ms: int
    max_chain: int


LIMITS = ListLimits(
    max_bytes=32_768,
    max_devices=32,
    max_lifetime_ms=30 * 86_400_000,
    clock_skew_ms=10 * 60_000,
    max_chain=1024,
)


@dataclass(frozen=True, slots=True)
class DeviceList:
    """A decoded list. Nothing in it may be believed before it has been verified."""

    number: Number
    participant_spki: bytes
    serial: int
    previous_head: bytes
    issued: Instant
    expires: Instant
    devices: tuple[DeviceEntry, ...]
    signature: bytes


def head_of(data: bytes) -> bytes:
    """The head of an encoded list: 32 bytes that stand for all of it, signature included."""
    return hashlib.sha256(labels.DEVICE_LIST_HEAD + data).digest()


def encode_body(content: DeviceList) -> bytes:
    """The bytes that the participant key signs, behind their label."""
    return b"".join(
        (
            tls.u8(_VERSION),
            tls.opaque(content.number.encode()),
            tls.opaque(content.participant_spki),
            tls.u32(content.serial),
            content.previous_head,
            tls.u64(content.issued),
            tls.u64(content.expires),
            tls.opaque(b"".join(encode_entry(entry) for entry in content.devices)),
        )
    )


def encode_list(content: DeviceList) -> bytes:
    """The bytes of a signed list."""
    return encode_body(content) + tls.opaque(content.signature)


def decode_list(data: bytes, limits: ListLimits = LIMITS) -> DeviceList:
    """Read a list without judging it. Raises DecodeError, or LimitExceeded over a bound (SR-08, SR-09)."""
    if len(data) > limits.max_bytes:
        raise LimitExceeded(f"device list of {len(data)} bytes", code="device_list.limit")
    reader = tls.Reader(data)
    version = reader.u8()
    if version != _VERSION:
        raise DecodeError(
            f"device list version {version}",
            code="device_list.version",
            hint="the other side runs a newer Letterlock; update this one",
        )
    number = _number(reader.opaque(16))
    spki = reader.opaque(_MAX_SPKI)
    serial, previous_head, issued, expires = reader.u32(), reader.take(32), reader.u64(), reader.u64()
    entries = tls.Reader(reader.opaque(limits.max_bytes))
    signature = reader.opaque(ecdsa.MAX_SIGNATURE)
    reader.end()
    devices: list[DeviceEntry] = []
    while entries.more():
        if len(devices) == limits.max_devices:
            raise LimitExceeded(f"more than {limits.max_devices} devices", code="device_list.limit")
        devices.append(decode_entry(entries))
    return DeviceList(number, spki, serial, previous_head, issued, expires, tuple(devices), signature)


def _number(data: bytes) -> Number:
    try:
        return ids.number(data.decode("ascii"))
    except (UnicodeDecodeError, InputError) as error:
        raise DecodeError("not a phone number", code="device_list.number") from error
