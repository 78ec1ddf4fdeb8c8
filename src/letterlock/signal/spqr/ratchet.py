"""The ratchet as a session holds it: one immutable value, two verbs, and its packed form.

Nothing here is authenticated by itself at the time it is read: the caller must check the message's
MAC, whose key depends on the key returned here, and keep the new value only if it holds (SR-05,
SR-07). A refused message costs nothing but the old value, which stays as it was.
"""

from __future__ import annotations

from typing import Final, NoReturn, final

from ...crypto.provider import CryptoProvider
from ...errors import DecodeError
from ...ids import Rng
from . import braid as _braid
from . import chain as _chain
from . import wire
from .states import STATES, first_state
from .wire import varint

__all__ = ["LIMITS", "Spqr", "key_index"]

LIMITS: Final = _chain.ChainLimits(max_jump=25_000, max_skipped=2_000)
"""What SPQR version 1 peers allow each other. A smaller `max_jump` would refuse what a peer may send."""

_PACKED_VERSION: Final = b"\x01"


@final
class Spqr:
    """One side of a post-quantum ratchet. Immutable: `send` and `receive` return the next value.

    Keys come in pairs: the key that `send` returns with a message is the key that the peer's
    `receive` returns for it. No key is returned twice on either side.
    """

    __slots__ = ("_braid", "_chains", "_limits", "_provider")

    def __init__(
        self,
        provider: CryptoProvider,
        braid: _braid.Braid,
        chains: _chain.Chains,
        limits: _chain.ChainLimits,
    ) -> None:
        """Not for callers: use `initiate` or `unpack`."""
        self._provider = provider
        self._braid = braid
        self._chains = chains
        self._limits = limits

    @classmethod
    def initiate(
        cls,
        provider: CryptoProvider,
        pqr_key: bytes,
        is_initiator: bool,
        *,
        limits: _chain.ChainLimits = LIMITS,
    ) -> Spqr:
        """A fresh ratchet from the third 32 bytes of the PQXDH derivation.

        `is_initiator` is true for the sender of the pre-key message (the braid's Alice).
        """
        return cls(
            provider,
            _braid.Braid.start(provider, pqr_key, first_state(is_initiator=is_initiator)),
            _chain.Chains.start(provider, pqr_key, is_initiator=is_initiator),
            limits,
        )

    @property
    def epoch(self) -> int:
        """The epoch being negotiated, from 1; it rises by one whenever a post-quantum secret was agreed."""
        return self._braid.epoch

    @property
    def state(self) -> str:
        """Name of the braid's state, for diagnostics."""
        return type(self._braid.state).__name__

    def send(self, rng: Rng) -> tuple[Spqr, bytes, bytes]:
        """(next value, SPQR message, 32-byte key) for one outgoing message.

        `rng` is asked for 64 bytes once per epoch that this side opens, and for 32 once per epoch that it answers.
        Raises ProtocolError with code `spqr.exhausted` after 2**32 - 1 messages without an answer.
        """
        provider, before = self._provider, self._braid
        braid, payload, secret = before.send(provider, rng)
        epoch = before.epoch
        chains = self._chains
        if secret is not None:
            chains = chains.add_epoch(provider, epoch, secret)
        # The peer is only sure to have the secret of the epoch before the one being negotiated.
        chains, index, key = chains.next_send_key(provider, epoch - 1)
        message = b"\x01" + varint(epoch) + varint(index) + payload
        return Spqr(provider, braid, chains, self._limits), message, key

    def receive(self, message: bytes) -> tuple[Spqr, bytes]:
        """(next value, 32-byte key) for one incoming message. On any error this value is unchanged.

        Raises Downgrade (no or another version), MalformedMessage (does not parse, or contradicts an
        earlier one), DuplicateMessage (its key was used or is no longer kept), TooFarAhead (counter or epoch
        beyond what may be skipped), ProtocolError with code `spqr.epoch_past` (its epoch is forgotten),
        BadMac or BadPublicKey (what was put together from the peer's parts does not hold).
        """
        provider = self._provider
        parsed = wire.decode(message)
        # The key first: a replay is refused before any expensive step of the braid.
        chains, key = self._chains.receive_key(provider, parsed.epoch - 1, parsed.key_index, self._limits)
        braid, secret = self._braid.receive(provider, parsed)
        if secret is not None:
            chains = chains.add_epoch(provider, parsed.epoch, secret)
        return Spqr(provider, braid, chains, self._limits), key

    def pack(self) -> bytes:
        """The whole ratchet as bytes, for the encrypted store: at most 2.6 kB, and 36 bytes per skipped key."""
        return _PACKED_VERSION + self._chains.pack() + self._braid.pack()

    @classmethod
    def unpack(cls, provider: CryptoProvider, data: bytes, *, limits: _chain.ChainLimits = LIMITS) -> Spqr:
        """What `pack` returned. Raises DecodeError on anything else."""
        if data[:1] != _PACKED_VERSION:
            raise DecodeError("packed ratchet of an unknown version", code="spqr.packed")
        chains, at = _chain.Chains.unpack(data, 1)
        braid, at = _braid.Braid.unpack(data, at, STATES)
        if at != len(data):
            raise DecodeError("packed ratchet is too long", code="spqr.packed")
        return cls(provider, braid, chains, limits)

    def __repr__(self) -> str:
        return f"<Spqr epoch={self.epoch} {self.state}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a ratchet is not pickled; use pack (SR-10)")


def key_index(message: bytes) -> int:
    """Which key of its epoch a message takes, so how many chain steps `Spqr.receive` may run for it at most.

    Raises Downgrade or MalformedMessage.
    """
    return wire.decode(message).key_index
