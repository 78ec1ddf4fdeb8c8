"""The security code: sixty digits, or bytes for a QR code, that two people compare (libsignal's safety number).

The computation is libsignal's numeric fingerprint. Two versions of it are in use: libsignal's own
(version 2, Curve25519 identity keys), kept so that it can be checked against libsignal, and ours,
over the two P-256 participant keys and the numbers. The code of an account therefore stays the same
when a device is linked or removed.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

from ..codec import tls
from ..errors import DecodeError
from ..ids import Number

__all__ = ["VERSION", "SecurityCode", "libsignal_code", "matches", "security_code"]

VERSION = 0x4C01
"""Ours: 'L' and 1. Stands in the hash and in the scannable bytes, so that no code of another kind can match."""

ITERATIONS = 5200
_LIBSIGNAL_VERSION = 2
_LIBSIGNAL_HASH_VERSION = 0
_HALF = 32


@dataclass(frozen=True, slots=True)
class SecurityCode:
    """One check in two renderings. `digits` is the same on both phones; `scannable` is crosswise."""

    digits: str
    scannable: bytes

    @property
    def groups(self) -> tuple[str, ...]:
        """Twelve groups of five digits, for people."""
        return tuple(self.digits[i : i + 5] for i in range(0, 60, 5))


def security_code(local: Number, local_spki: bytes, remote: Number, remote_spki: bytes) -> SecurityCode:
    """The code of two accounts, from the numbers and participant keys of verified device lists."""
    return _code(
        _half(VERSION, local_spki, local.encode()),
        _half(VERSION, remote_spki, remote.encode()),
        VERSION,
    )


def libsignal_code(local_id: bytes, local_key: bytes, remote_id: bytes, remote_key: bytes) -> SecurityCode:
    """What libsignal (fingerprint version 2) shows for two identity keys of 33 bytes."""
    return _code(
        _half(_LIBSIGNAL_HASH_VERSION, local_key, local_id),
        _half(_LIBSIGNAL_HASH_VERSION, remote_key, remote_id),
        _LIBSIGNAL_VERSION,
    )


def matches(ours: SecurityCode, scanned: bytes) -> bool:
    """Whether the bytes scanned from the other phone belong to the same two keys.

    Raises DecodeError if they are no code, `security_code.version` if they are one of another version.
    """
    version, local, remote = _decode(ours.scannable)
    their_version, their_local, their_remote = _decode(scanned)
    if their_version != version:
        raise DecodeError(
            "a security code of another version",
            code="security_code.version",
            hint="update Letterlock on both phones, then compare again",
        )
    # Both halves are compared always and in constant time, crosswise: what is local here is remote there.
    first = hmac.compare_digest(local, their_remote)
    second = hmac.compare_digest(remote, their_local)
    return first and second


def _half(version: int, key: bytes, identifier: bytes) -> bytes:
    digest = hashlib.sha512(tls.u16(version) + key + identifier + key).digest()
    for _ in range(ITERATIONS - 1):
        digest = hashlib.sha512(digest + key).digest()
    return digest


def _code(local: bytes, remote: bytes, version: int) -> SecurityCode:
    digits = "".join(sorted((_digits(local), _digits(remote))))
    return SecurityCode(digits, _encode(version, local[:_HALF], remote[:_HALF]))


def _digits(half: bytes) -> str:
    return "".join(f"{int.from_bytes(half[i : i + 5], 'big') % 100_000:05d}" for i in range(0, 30, 5))


# --- scannable bytes: protobuf { 1: version, 2: { 1: local half }, 3: { 1: remote half } } --------------
def _encode(version: int, local: bytes, remote: bytes) -> bytes:
    return (
        b"\x08"
        + _varint(version)
        + b"".join(b"%c\x22\x0a\x20" % tag + half for tag, half in ((0x12, local), (0x1A, remote)))
    )


def _decode(data: bytes) -> tuple[int, bytes, bytes]:
    """Our encoder's and libsignal's form, and no other: field order and lengths are fixed."""
    reader = tls.Reader(data)
    if len(data) > 100 or reader.u8() != 0x08:
        raise DecodeError("not a security code", code="security_code.malformed")
    version = shift = 0
    while True:
        byte = reader.u8()
        version |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
        if shift > 28:
            raise DecodeError("not a security code", code="security_code.malformed")
    halves = []
    for tag in (0x12, 0x1A):
        if reader.take(4) != bytes((tag, 0x22, 0x0A, 0x20)):
            raise DecodeError("not a security code", code="security_code.malformed")
        halves.append(reader.take(_HALF))
    reader.end()
    return version, halves[0], halves[1]


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
