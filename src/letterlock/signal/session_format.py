"""How a session lies in the store: fixed structs behind a format version, about 3 kB.

The whole of it is written after every message, so packing must be cheap: two struct calls, one join,
and what never changes is kept packed.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from ..crypto.provider import CryptoProvider
from ..errors import DecodeError
from .double_ratchet import SKIPPED_SIZE, Ratchet, ReceivingChain, SendingChain
from .origin import Origin
from .spqr import Spqr

__all__ = ["Pending", "pack_session", "unpack_session"]

_FORMAT: Final = 1
_HAS_SENDING: Final = 1
_HAS_PENDING: Final = 2
_HAS_ONE_TIME: Final = 4

_HEAD = struct.Struct(">BB32sIBI")  # format, flags, root key, previous counter, receiving chains, bytes of SPQR
_SENDING = struct.Struct(">32s32s32sI")
_RECEIVING = struct.Struct(">32s32sII")  # ratchet key, chain key, next counter, bytes of skipped keys
_PENDING = struct.Struct(">III1568s")


class Pending(NamedTuple):
    """What a pre-key message repeats until the peer has answered: ids of its pre-keys, and the KEM ciphertext."""

    one_time_id: int | None
    signed_id: int
    kem_id: int
    kem_ciphertext: bytes


def pack_session(origin: Origin, ratchet: Ratchet, pending: Pending | None) -> bytes:
    """The bytes of a session."""
    root_key, sending, receiving, previous_counter, spqr = ratchet
    flags = 0
    parts = [b"", origin.packed]
    if sending is not None:
        flags |= _HAS_SENDING
        parts.append(_SENDING.pack(*sending))
    if pending is not None:
        flags |= _HAS_PENDING
        one_time_id, signed_id, kem_id, kem_ciphertext = pending
        if one_time_id is not None:
            flags |= _HAS_ONE_TIME
        parts.append(_PENDING.pack(one_time_id or 0, signed_id, kem_id, kem_ciphertext))
    for ratchet_key, chain_key, counter, skipped in receiving:
        parts.append(_RECEIVING.pack(ratchet_key, chain_key, counter, len(skipped)))
        if skipped:
            parts.append(skipped)
    packed_spqr = spqr.pack()
    parts.append(packed_spqr)
    parts[0] = _HEAD.pack(_FORMAT, flags, root_key, previous_counter, len(receiving), len(packed_spqr))
    return b"".join(parts)


def unpack_session(crypto: CryptoProvider, data: bytes) -> tuple[Origin, Ratchet, Pending | None]:
    """The inverse. Raises DecodeError."""
    if data[:1] != b"\x01":
        raise DecodeError("not a session of this format", code="signal.session.format")
    try:
        _, flags, root_key, previous_counter, chains, spqr_size = _HEAD.unpack_from(data)
        position = _HEAD.size
        origin = Origin.unpack(data[position : position + Origin.SIZE])
        position += Origin.SIZE
        sending = pending = None
        if flags & _HAS_SENDING:
            sending = SendingChain(*_SENDING.unpack_from(data, position))
            position += _SENDING.size
        if flags & _HAS_PENDING:
            one_time_id, signed_id, kem_id, kem_ciphertext = _PENDING.unpack_from(data, position)
            pending = Pending(one_time_id if flags & _HAS_ONE_TIME else None, signed_id, kem_id, kem_ciphertext)
            position += _PENDING.size
        receiving = []
        for _ in range(chains):
            ratchet_key, chain_key, counter, size = _RECEIVING.unpack_from(data, position)
            position += _RECEIVING.size
            skipped = data[position : position + size]
            if len(skipped) != size or size % SKIPPED_SIZE:
                raise DecodeError("skipped keys end in the middle", code="signal.session.format")
            position += size
            receiving.append(ReceivingChain(ratchet_key, chain_key, counter, skipped))
    except struct.error as error:
        raise DecodeError("the session ends in the middle", code="signal.session.format") from error
    if flags > 7 or len(data) - position != spqr_size or (sending is None and not receiving):
        raise DecodeError("not a session of this format", code="signal.session.format")
    spqr = Spqr.unpack(crypto, data[position:])
    return origin, Ratchet(root_key, sending, tuple(receiving), previous_counter, spqr), pending
