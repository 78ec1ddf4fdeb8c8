"""Key chains: every epoch starts one chain per direction, every message takes the next key of one.

Kept are the epoch that we send in and the one before (Double Ratchet section 5.7, ClearOldEpochs), besides
one that is agreed but not yet sent in; what is still under way from an older one cannot be read any more.
Values are immutable; each step returns the next.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from ...crypto.provider import CryptoProvider
from ...errors import DecodeError, DuplicateMessage, ProtocolError, TooFarAhead

__all__ = ["ChainLimits", "Chains", "EpochChains"]

_START: Final = b"Signal PQ Ratchet V1 Chain  Start"  # two spaces: so it is on the wire
_ADD_EPOCH: Final = b"Signal PQ Ratchet V1 Chain Add Epoch"
_NEXT: Final = b"Signal PQ Ratchet V1 Chain Next"
_NO_SALT: Final = b""
_MAX_LINKS: Final = 3
_MAX_INDEX: Final = (1 << 32) - 1
_RECORD: Final = 36  # one skipped key: 4-byte index, 32-byte key
_HEAD: Final = struct.Struct(">BQ32s")
_FIXED: Final = struct.Struct(">I32sI32sH")


class ChainLimits(NamedTuple):
    """What a peer may ask of us (SR-08)."""

    max_jump: int
    """How many keys one message may skip: the work before its MAC can be checked."""
    max_skipped: int
    """How many skipped keys are kept per epoch; the oldest go first."""


class EpochChains(NamedTuple):
    """The two chains of one epoch. `skipped` is index and key pairs in ascending order of index."""

    sent: int
    send_key: bytes
    received: int
    receive_key: bytes
    skipped: bytes

    def __repr__(self) -> str:
        return f"<EpochChains sent={self.sent} received={self.received} skipped={len(self.skipped) // _RECORD}>"

    def pack(self) -> bytes:
        """78 bytes and 36 per skipped key."""
        count = len(self.skipped) // _RECORD
        return _FIXED.pack(self.sent, self.send_key, self.received, self.receive_key, count) + self.skipped

    @classmethod
    def unpack(cls, data: bytes, at: int) -> tuple[EpochChains, int]:
        """What `pack` returned, from position `at`, and where it ends. Raises DecodeError."""
        try:
            sent, send_key, received, receive_key, count = _FIXED.unpack_from(data, at)
        except struct.error:
            raise DecodeError("packed chains end early", code="spqr.packed") from None
        at += _FIXED.size
        end = at + count * _RECORD
        if end > len(data):
            raise DecodeError("packed chains end early", code="spqr.packed")
        return cls(sent, send_key, received, receive_key, data[at:end]), end


class Chains(NamedTuple):
    """The chains of the newest epochs and the root that the next epoch starts from."""

    is_initiator: bool
    root: bytes
    epoch: int
    """The newest epoch; `links[i]` belongs to `epoch - i`."""
    links: tuple[EpochChains, ...]

    def __repr__(self) -> str:
        return f"<Chains epoch={self.epoch}>"

    @classmethod
    def start(cls, provider: CryptoProvider, pqr_key: bytes, *, is_initiator: bool) -> Chains:
        """The chains of epoch 0, whose secret is the handshake's (KDF_SCKA_INIT)."""
        okm = provider.hkdf_sha256(pqr_key, _NO_SALT, _START, 96)
        return cls(is_initiator, okm[:32], 0, (_epoch_chains(okm, is_initiator),))

    def pack(self) -> bytes:
        """At most 275 bytes, and 36 per skipped key."""
        flags = self.is_initiator | len(self.links) << 1
        return b"".join((_HEAD.pack(flags, self.epoch, self.root), *[link.pack() for link in self.links]))

    @classmethod
    def unpack(cls, data: bytes, at: int) -> tuple[Chains, int]:
        """What `pack` returned, from position `at`, and where it ends. Raises DecodeError."""
        if len(data) - at < _HEAD.size:
            raise DecodeError("packed chains end early", code="spqr.packed")
        flags, epoch, root = _HEAD.unpack_from(data, at)
        count = flags >> 1
        if not 1 <= count <= min(_MAX_LINKS, epoch + 1):
            raise DecodeError("packed chains contradict themselves", code="spqr.packed")
        at += _HEAD.size
        links = []
        for _ in range(count):
            link, at = EpochChains.unpack(data, at)
            links.append(link)
        return cls(bool(flags & 1), root, epoch, tuple(links)), at

    def add_epoch(self, provider: CryptoProvider, epoch: int, secret: bytes) -> Chains:
        """With the chains of a newly agreed epoch (KDF_SCKA_RK)."""
        okm = provider.hkdf_sha256(secret, self.root, _ADD_EPOCH, 96)
        links = (_epoch_chains(okm, self.is_initiator), *self.links[: _MAX_LINKS - 1])
        return Chains(self.is_initiator, okm[:32], epoch, links)

    def next_send_key(self, provider: CryptoProvider, epoch: int) -> tuple[Chains, int, bytes]:
        """(next value, index, key) for a message sent in `epoch`; forgets what is older than the epoch before it.

        Raises ProtocolError: `spqr.exhausted` after 2**32 - 1 messages of one epoch, `spqr.epoch_past` never for the braid's own epochs.
        """
        links = self.links
        position = self.epoch - epoch
        link = links[position] if 0 <= position < len(links) else None
        if link is None or link.send_key == _GONE:
            raise ProtocolError("no chain to send in", code="spqr.epoch_past")
        index = link.sent + 1
        if index > _MAX_INDEX:
            raise ProtocolError("the sending chain is used up", code="spqr.exhausted")
        okm = provider.hkdf_sha256(link.send_key, _NO_SALT, index.to_bytes(4, "big") + _NEXT, 64)
        link = EpochChains(index, okm[:32], link.received, link.receive_key, link.skipped)
        older = links[position + 1 : position + 2]
        if older and older[0].send_key != _GONE:
            # We never send in an older epoch again: its sending key goes (Double Ratchet section 5.5).
            older = (older[0]._replace(send_key=_GONE),)
        return Chains(self.is_initiator, self.root, self.epoch, (*links[:position], link, *older)), index, okm[32:]

    def receive_key(
        self, provider: CryptoProvider, epoch: int, index: int, limits: ChainLimits
    ) -> tuple[Chains, bytes]:
        """(next value, key) for a message received in `epoch` with counter `index`.

        Raises TooFarAhead, DuplicateMessage, or ProtocolError `spqr.epoch_past` for a forgotten epoch.
        """
        links = self.links
        position = self.epoch - epoch
        if position < 0:
            raise TooFarAhead("message of an epoch that is not agreed yet", code="spqr.epoch_ahead")
        if position >= len(links):
            raise ProtocolError("message of an epoch whose keys are gone", code="spqr.epoch_past")
        link, key = _receive(provider, links[position], index, limits)
        links = (*links[:position], link, *links[position + 1 :])
        return Chains(self.is_initiator, self.root, self.epoch, links), key


_GONE: Final = bytes(32)
"""Stands for a sending key that was deleted."""


def _epoch_chains(okm: bytes, is_initiator: bool) -> EpochChains:
    first, second = okm[32:64], okm[64:]
    return EpochChains(0, first, 0, second, b"") if is_initiator else EpochChains(0, second, 0, first, b"")


def _receive(
    provider: CryptoProvider, chain: EpochChains, index: int, limits: ChainLimits
) -> tuple[EpochChains, bytes]:
    received = chain.received
    skipped = chain.skipped
    if index <= received:
        at = _find(skipped, index)
        if at < 0:
            raise DuplicateMessage("this key was used or is no longer kept", code="spqr.duplicate")
        rest = skipped[:at] + skipped[at + _RECORD :]
        key = skipped[at + 4 : at + _RECORD]
        return EpochChains(chain.sent, chain.send_key, received, chain.receive_key, rest), key
    if index - received > limits.max_jump:
        raise TooFarAhead("the message counter jumps too far", code="spqr.jump")
    link = chain.receive_key
    if index > received + 1:
        keep_from = index - limits.max_skipped
        kept = bytearray(skipped)
        for number in range(received + 1, index):
            counter = number.to_bytes(4, "big")
            okm = provider.hkdf_sha256(link, _NO_SALT, counter + _NEXT, 64)
            link = okm[:32]
            if number >= keep_from:
                kept += counter + okm[32:]
        skipped = bytes(kept[max(0, len(kept) - limits.max_skipped * _RECORD) :])
    okm = provider.hkdf_sha256(link, _NO_SALT, index.to_bytes(4, "big") + _NEXT, 64)
    return EpochChains(chain.sent, chain.send_key, index, okm[:32], skipped), okm[32:]


def _find(skipped: bytes, index: int) -> int:
    """Position of an index's record, or -1. Bisection: the records are in ascending order."""
    low, high = 0, len(skipped) // _RECORD
    while low < high:
        middle = (low + high) // 2
        at = middle * _RECORD
        found = int.from_bytes(skipped[at : at + 4], "big")
        if found == index:
            return at
        if found < index:
            low = middle + 1
        else:
            high = middle
    return -1
