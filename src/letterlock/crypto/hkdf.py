"""HMAC and HKDF (RFC 2104, RFC 5869) over the hashes of the standard library.

HMAC is written out: for the short inputs of a key schedule this takes half the time of `hmac.digest`.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from typing import Final, Protocol

from ..errors import InputError

__all__ = ["SHA256", "SHA384", "SHA512", "Hkdf"]

_IPAD: Final = bytes(x ^ 0x36 for x in range(256))
_OPAD: Final = bytes(x ^ 0x5C for x in range(256))


class _Hash(Protocol):
    def digest(self) -> bytes: ...


class Hkdf:
    """One hash function with its HMAC and HKDF. `length` is the size of all its outputs."""

    __slots__ = ("_block", "_hash", "length", "name")

    def __init__(self, name: str, hash_: Callable[[bytes], _Hash], length: int, block: int) -> None:
        self.name = name
        self.length = length
        self._hash = hash_
        self._block = block

    def hash(self, data: bytes) -> bytes:
        return self._hash(data).digest()

    def mac(self, key: bytes, message: bytes) -> bytes:
        """HMAC; also HKDF-Extract(salt, ikm), which is the same function."""
        hash_, block = self._hash, self._block
        if len(key) > block:
            key = hash_(key).digest()
        key = key.ljust(block, b"\x00")
        return hash_(key.translate(_OPAD) + hash_(key.translate(_IPAD) + message).digest()).digest()

    def mac_of_long(self, key: bytes, start: bytes, rest: bytes) -> bytes:
        """HMAC of start || rest without joining them, for messages of megabytes."""
        state = hmac.new(key, start, self.name)
        state.update(rest)
        return state.digest()

    def expand(self, prk: bytes, info: bytes, length: int) -> bytes:
        """HKDF-Expand. Raises InputError for more than 255 blocks."""
        if length <= self.length:
            return self.mac(prk, info + b"\x01")[:length]
        if length > 255 * self.length:
            raise InputError(f"HKDF gives at most {255 * self.length} bytes", code="input.length")
        block, made = b"", []
        for count in range(1, -(-length // self.length) + 1):
            block = self.mac(prk, b"".join((block, info, bytes((count,)))))
            made.append(block)
        return b"".join(made)[:length]


SHA256: Final = Hkdf("sha256", hashlib.sha256, 32, 64)
SHA384: Final = Hkdf("sha384", hashlib.sha384, 48, 128)
SHA512: Final = Hkdf("sha512", hashlib.sha512, 64, 128)
