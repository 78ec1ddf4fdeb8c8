"""The ML-KEM Braid: a state machine that agrees on one post-quantum secret after another.

Epoch by epoch one side makes an ML-KEM-768 key and the other encapsulates to it. Key and ciphertext travel
in chunks, one per message, both ways at once; then the roles change. Here is what surrounds a state, and what any
state is; the specification's eleven are in `states`, its numbered transitions in `TRANSITIONS`.

The braid knows nothing of key chains and message counters. Messages of earlier epochs end here, unused.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import ClassVar, Final, NamedTuple, final

from ...crypto.provider import CryptoProvider
from ...errors import DecodeError, TooFarAhead
from ...ids import Rng
from . import erasure
from .authenticator import Authenticator
from .erasure import CHUNK, EMPTY, POINTS, Received
from .wire import Message, MessageType, varint

__all__ = ["TRANSITIONS", "Braid", "State", "Transition"]


class Transition(NamedTuple):
    """One arrow of the diagram. `number` is the specification's."""

    number: int
    source: str
    event: str
    target: str


TRANSITIONS: Final = (
    Transition(1, "KeysUnsampled", "send: draw a key's seed, begin its header", "KeysSampled"),
    Transition(2, "KeysSampled", "receive the first chunk of ct1", "HeaderSent"),
    Transition(3, "HeaderSent", "receive the last chunk of ct1", "Ct1Received"),
    Transition(4, "Ct1Received", "receive the first chunk of ct2", "EkSentCt1Received"),
    Transition(5, "EkSentCt1Received", "receive the last chunk of ct2: decapsulate", "NoHeaderReceived"),
    Transition(6, "NoHeaderReceived", "receive the last chunk of the header", "HeaderReceived"),
    Transition(7, "HeaderReceived", "send: encapsulate, begin ct1", "Ct1Sampled"),
    Transition(8, "Ct1Sampled", "receive ct1's acknowledgement", "Ct1Acknowledged"),
    Transition(9, "Ct1Sampled", "receive ct1's acknowledgement with the last chunk of ek", "Ct2Sampled"),
    Transition(10, "Ct1Sampled", "receive the last chunk of ek", "EkReceivedCt1Sampled"),
    Transition(11, "Ct1Acknowledged", "receive the last chunk of ek", "Ct2Sampled"),
    Transition(12, "EkReceivedCt1Sampled", "receive ct1's acknowledgement", "Ct2Sampled"),
    Transition(13, "Ct2Sampled", "receive a message of the next epoch", "KeysUnsampled"),
)
"""Every way from one state to another; the tests check that there is no other. (5) and (13) raise the epoch."""


@final
class Braid:
    """A state with what surrounds it. Immutable."""

    __slots__ = ("auth", "epoch", "received", "sent", "state")

    def __init__(self, epoch: int, auth: Authenticator, state: State, sent: int, received: Received) -> None:
        self.epoch = epoch
        self.auth = auth
        self.state = state
        self.sent = sent
        """Index of the next chunk of the value being sent."""
        self.received = received
        """Chunks so far of the value being received."""

    @classmethod
    def start(cls, provider: CryptoProvider, pqr_key: bytes, state: State) -> Braid:
        """The first epoch, in its first state."""
        return cls(1, Authenticator.start(provider, pqr_key), state, 0, EMPTY)

    def send(self, provider: CryptoProvider, rng: Rng) -> tuple[Braid, bytes, bytes | None]:
        """(next value, type and chunk for the wire, the epoch's secret if it was agreed just now)."""
        state = self.state
        secret = None
        if state.acts_on_send:
            self, secret = state.on_send(self, provider, rng)
            state = self.state
        value = state.outgoing
        if not value:
            return self, _TYPE[state.sends], secret
        index = self.sent
        start = index * CHUNK
        chunk = value[start : start + CHUNK] or erasure.chunk(value, index)
        after = Braid(self.epoch, self.auth, state, (index + 1) % POINTS, self.received)
        return after, _TYPE[state.sends] + varint(index) + chunk, secret

    def receive(self, provider: CryptoProvider, message: Message) -> tuple[Braid, bytes | None]:
        """(next value, the epoch's secret if it was agreed just now).

        Raises TooFarAhead, MalformedMessage, BadMac, BadPublicKey.
        """
        ahead = message.epoch - self.epoch
        if not ahead:
            return self.state.on_receive(self, provider, message)
        if ahead < 0:
            return self, None  # late; its chunk is of no use any more
        following = self.state.on_next_epoch(self) if ahead == 1 else None
        if following is None:
            # Only who has our ct2 can be ahead of us, and only by one.
            raise TooFarAhead("message of an epoch that cannot have begun", code="spqr.epoch_ahead")
        return following, None

    def enter(self, state: State, *, auth: Authenticator | None = None) -> Braid:
        """Another state of the same epoch, sending and receiving new values from their beginnings."""
        return Braid(self.epoch, self.auth if auth is None else auth, state, 0, EMPTY)

    def keep_sending(self, state: State) -> Braid:
        """Another state that sends on where this one stopped."""
        return Braid(self.epoch, self.auth, state, self.sent, EMPTY)

    def keep_receiving(self, state: State) -> Braid:
        """Another state that collects on where this one stopped."""
        return Braid(self.epoch, self.auth, state, 0, self.received)

    def next_epoch(self, state: State, auth: Authenticator) -> Braid:
        """The beginning of the next epoch."""
        return Braid(self.epoch + 1, auth, state, 0, EMPTY)

    def take(self, message: Message) -> Braid:
        """The same state with the message's chunk added."""
        size = self.state.incoming_bytes
        received = erasure.add(self.received, message.chunk_index, message.chunk, size)
        return Braid(self.epoch, self.auth, self.state, self.sent, received)

    def value(self) -> bytes | None:
        """The value being received, if it is complete."""
        return erasure.decode(self.received, self.state.incoming_bytes)

    def pack(self) -> bytes:
        """At most 2.4 kB."""
        state, received = self.state, self.received
        return b"".join(
            (
                _FIXED.pack(state.tag, self.epoch, self.auth.root, self.auth.mac_key, self.sent, len(received)),
                received,
                *[getattr(state, name) for name, _ in state.fields],
            )
        )

    @classmethod
    def unpack(cls, data: bytes, at: int, kinds: Sequence[type[State]]) -> tuple[Braid, int]:
        """What `pack` returned, from position `at`, and where it ends; `kinds` are the states by tag. Raises DecodeError."""
        if len(data) - at < _FIXED.size:
            raise DecodeError("packed braid ends early", code="spqr.packed")
        tag, epoch, root, mac_key, sent, length = _FIXED.unpack_from(data, at)
        if tag >= len(kinds) or not epoch:
            raise DecodeError("no such braid state", code="spqr.packed")
        kind = kinds[tag]
        at += _FIXED.size
        sizes = [size for _, size in kind.fields]
        if len(data) - at < length + sum(sizes):
            raise DecodeError("packed braid ends early", code="spqr.packed")
        received = erasure.check_received(data[at : at + length], kind.incoming_bytes)
        at += length
        values = []
        for size in sizes:
            values.append(data[at : at + size])
            at += size
        return cls(epoch, Authenticator(root, mac_key), kind(*values), sent, received), at


class State:
    """What the eleven have in common. Fields are secrets or bulky, so none is shown (SR-10)."""

    __slots__ = ()
    tag: ClassVar[int] = 0
    sends: ClassVar[MessageType] = MessageType.NONE
    incoming_bytes: ClassVar[int] = 0
    """Size of the value whose chunks are collected here; 0 if none."""
    acts_on_send: ClassVar[bool] = False
    fields: ClassVar[tuple[tuple[str, int], ...]] = ()
    """Names and sizes of what is stored."""

    @property
    def outgoing(self) -> bytes:
        """The value whose chunks are sent here; empty if none."""
        return b""

    def on_send(self, braid: Braid, provider: CryptoProvider, rng: Rng) -> tuple[Braid, bytes | None]:
        """What happens before a message is made."""
        return braid, None

    def on_receive(self, braid: Braid, provider: CryptoProvider, message: Message) -> tuple[Braid, bytes | None]:
        """What a message of this epoch does; by default nothing."""
        return braid, None

    def on_next_epoch(self, braid: Braid) -> Braid | None:
        """What a message of the next epoch proves; None where there can be none."""
        return None


_FIXED: Final = struct.Struct(">BQ32s32sHH")
_TYPE: Final = tuple(bytes((kind,)) for kind in MessageType)
