"""One signature, one encoding: strict DER with the smaller s for ECDSA over P-256.

With (r, s) also (r, n - s) verifies. A list's head covers its signature, so without this rule
anybody on the way could give one signed list a second head and cry fork.
"""

from __future__ import annotations

from ..errors import DecodeError

__all__ = ["MAX_SIGNATURE", "is_canonical", "low_s"]

MAX_SIGNATURE = 72
"""Bytes of the longest DER signature: two integers of 33 bytes with their headers."""

_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def low_s(signature: bytes) -> bytes:
    """The signature in the one accepted form. Hardware keys give either s. Raises DecodeError."""
    r, s = _parse(signature)
    return _encode(r, min(s, _ORDER - s))


def is_canonical(signature: bytes) -> bool:
    """Whether these are the bytes that `low_s` would give."""
    try:
        return low_s(signature) == signature
    except DecodeError:
        return False


def _parse(signature: bytes) -> tuple[int, int]:
    if not 8 <= len(signature) <= MAX_SIGNATURE or signature[0] != 0x30 or signature[1] != len(signature) - 2:
        raise DecodeError("not an ECDSA signature", code="ecdsa.malformed")
    r, rest = _integer(signature[2:])
    s, rest = _integer(rest)
    if rest or not (0 < r < _ORDER and 0 < s < _ORDER):
        raise DecodeError("not an ECDSA signature", code="ecdsa.malformed")
    return r, s


def _integer(data: bytes) -> tuple[int, bytes]:
    if len(data) < 3 or data[0] != 0x02 or not 1 <= data[1] <= min(33, len(data) - 2):
        raise DecodeError("not an ECDSA signature", code="ecdsa.malformed")
    stop = 2 + data[1]
    return int.from_bytes(data[2:stop], "big", signed=True), data[stop:]


def _encode(r: int, s: int) -> bytes:
    body = b"".join(_der_integer(value) for value in (r, s))
    return bytes((0x30, len(body))) + body


def _der_integer(value: int) -> bytes:
    data = value.to_bytes(value.bit_length() // 8 + 1, "big")
    return bytes((0x02, len(data))) + data
