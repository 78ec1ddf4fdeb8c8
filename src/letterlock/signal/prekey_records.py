"""The records that our own pre-keys are kept in: a private half each, one that counts them, and base keys met."""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

from ..errors import DecodeError
from ..ids import Instant
from ..seam import Key, RecordKind

__all__ = [
    "BASE_KEYS",
    "KEM_PREKEYS",
    "NO_UPLOAD",
    "ONE_TIME_PREKEYS",
    "RECORD_KINDS",
    "SIGNED_PREKEYS",
    "STOCK",
    "EcPreKeyPair",
    "KemPreKeyPair",
    "Stock",
    "base_keys_key",
    "kem_key",
    "one_time_key",
    "signed_key",
]

NO_UPLOAD = bytes(32)

_STOCK = struct.Struct(">BBIIIIQIIIQ32sQ")
_STOCK_1 = struct.Struct(">BBIIIIQIIIQ32s")
_EC_PAIR = struct.Struct(">32s32sQQ")
_KEM_PAIR = struct.Struct(">64sBQQ")
_NEVER = 0xFFFFFFFFFFFFFFFF


class EcPreKeyPair(NamedTuple):
    """A signed or one-time Curve25519 pre-key. `retired_at` is set when a newer signed one took its place."""

    private: bytes
    public: bytes
    created_at: Instant
    retired_at: Instant | None

    def pack(self) -> bytes:
        """The record's bytes."""
        retired_at = _NEVER if self.retired_at is None else self.retired_at
        return _EC_PAIR.pack(self.private, self.public, self.created_at, retired_at)

    @classmethod
    def unpack(cls, data: bytes) -> EcPreKeyPair:
        """The inverse. Raises DecodeError."""
        if len(data) != _EC_PAIR.size:
            raise DecodeError("not a pre-key record", code="signal.prekey.format")
        private, public, created_at, retired_at = _EC_PAIR.unpack(data)
        return cls(private, public, created_at, None if retired_at == _NEVER else retired_at)

    def __repr__(self) -> str:
        return f"EcPreKeyPair(created_at={self.created_at})"


class KemPreKeyPair(NamedTuple):
    """A Kyber1024 pre-key as its seed."""

    seed: bytes
    is_last_resort: bool
    created_at: Instant
    retired_at: Instant | None

    def pack(self) -> bytes:
        """The record's bytes."""
        retired_at = _NEVER if self.retired_at is None else self.retired_at
        return _KEM_PAIR.pack(self.seed, self.is_last_resort, self.created_at, retired_at)

    @classmethod
    def unpack(cls, data: bytes) -> KemPreKeyPair:
        """The inverse. Raises DecodeError."""
        if len(data) != _KEM_PAIR.size:
            raise DecodeError("not a pre-key record", code="signal.prekey.format")
        seed, is_last_resort, created_at, retired_at = _KEM_PAIR.unpack(data)
        return cls(seed, is_last_resort == 1, created_at, None if retired_at == _NEVER else retired_at)

    def __repr__(self) -> str:
        return f"KemPreKeyPair(is_last_resort={self.is_last_resort}, created_at={self.created_at})"


class Stock(NamedTuple):
    """Which pre-keys are current, what the directory should still hold, and what is on its way there.

    `remaining` counts one-time keys believed to be at the directory when there were `held` private halves here,
    `uploading` those on their way.
    `renewed_at` says since when every one-time key at the directory was made.
    `awaiting` is the hash of an upload that was not confirmed yet, zero when there is none. `drained` says
    that the directory held far fewer keys than messages explain, `worn` that the last-resort key has served
    for many sessions.
    """

    signed_id: int
    last_resort_id: int
    next_ec_id: int
    next_kem_id: int
    rotated_at: Instant
    remaining: int = 0
    held: int = 0
    uploading: int = 0
    uploaded_at: Instant = 0
    awaiting: bytes = NO_UPLOAD
    renewed_at: Instant = 0
    drained: bool = False
    worn: bool = False

    def pack(self) -> bytes:
        """The record's bytes."""
        return _STOCK.pack(
            2,
            self.drained | self.worn << 1,
            self.signed_id,
            self.last_resort_id,
            self.next_ec_id,
            self.next_kem_id,
            self.rotated_at,
            self.remaining,
            self.held,
            self.uploading,
            self.uploaded_at,
            self.awaiting,
            self.renewed_at,
        )

    @classmethod
    def unpack(cls, data: bytes) -> Stock:
        """The inverse. Raises DecodeError."""
        layout = {1: _STOCK_1, 2: _STOCK}.get(data[0]) if data else None
        if layout is None or len(data) != layout.size:
            raise DecodeError("not a pre-key stock of this format", code="signal.prekey.format")
        _, flags, *counts = layout.unpack(data)
        return cls(*counts)._replace(drained=flags & 1 == 1, worn=flags & 2 == 2)


SIGNED_PREKEYS = RecordKind("signal-signed-prekey", EcPreKeyPair.pack, EcPreKeyPair.unpack)
KEM_PREKEYS = RecordKind("signal-kem-prekey", KemPreKeyPair.pack, KemPreKeyPair.unpack)
ONE_TIME_PREKEYS = RecordKind("signal-one-time-prekey", EcPreKeyPair.pack, EcPreKeyPair.unpack)
BASE_KEYS: RecordKind[frozenset[bytes]] = RecordKind(
    "signal-base-keys",
    lambda keys: b"".join(sorted(keys)),
    lambda data: frozenset(data[at : at + 32] for at in range(0, len(data), 32)),
)
_STOCKS = RecordKind("signal-stock", Stock.pack, Stock.unpack)
STOCK = _STOCKS.key("own")
"""The one record of its kind."""
RECORD_KINDS: tuple[RecordKind[Any], ...] = (SIGNED_PREKEYS, KEM_PREKEYS, ONE_TIME_PREKEYS, BASE_KEYS, _STOCKS)
"""All there is of our own pre-keys."""


def signed_key(prekey_id: int) -> Key[EcPreKeyPair]:
    """The record of a signed pre-key."""
    return SIGNED_PREKEYS.key(_part(prekey_id))


def kem_key(prekey_id: int) -> Key[KemPreKeyPair]:
    """The record of a KEM pre-key of either sort."""
    return KEM_PREKEYS.key(_part(prekey_id))


def one_time_key(prekey_id: int) -> Key[EcPreKeyPair]:
    """The record of a one-time Curve25519 pre-key."""
    return ONE_TIME_PREKEYS.key(_part(prekey_id))


def base_keys_key(prekey_id: int) -> Key[frozenset[bytes]]:
    """The record of the base keys that a last-resort pre-key has met."""
    return BASE_KEYS.key(_part(prekey_id))


def _part(prekey_id: int) -> str:
    return f"{prekey_id:010d}"
