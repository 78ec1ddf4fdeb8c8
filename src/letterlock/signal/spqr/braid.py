"""The ML-KEM Braid: a state machine that agrees on one post-quantum secret after another.

Epoch by epoch one side makes an ML-KEM-768 key and the other encapsulates to it. Key and ciphertext travel
in chunks, one per message, both ways at once; then the roles change. The specification's eleven states are
the classes below, its numbered transitions are `TRANSITIONS`.

Rules: a state knows nothing of key chains and messages' counters; a message of another epoch never reaches
it (one exception, transition 13); secrets that served their purpose are not carried into the next state.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import ClassVar, Final, NamedTuple, final

from ...crypto import mlkem_split
from ...crypto.mlkem_split import CT1_BYTES, CT2_BYTES, HEADER_BYTES, SECRET_BYTES, VECTOR_BYTES
from ...crypto.provider import CryptoProvider
from ...errors import DecodeError, TooFarAhead
from ...ids import Rng
from . import erasure
from .authenticator import MAC, Authenticator, check_mac, epoch_secret
from .erasure import CHUNK, EMPTY, POINTS, Received
from .wire import Message, MessageType, varint

__all__ = ["STATES", "TRANSITIONS", "Braid", "State", "Transition"]

_SEED: Final = 64


class Transition(NamedTuple):
    """One arrow of the diagram. `number` is the specification's."""

    number: int
    source: str
    event: str
    target: str


TRANSITIONS: Final = (
    Transition(1, "KeysUnsampled", "send: make a key, begin its header", "KeysSampled"),
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
    def start(cls, provider: CryptoProvider, pqr_key: bytes, *, is_initiator: bool) -> Braid:
        """Section 2.6: the initiator will make the first key."""
        state = KeysUnsampled() if is_initiator else NoHeaderReceived()
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
        if ahead == 1 and isinstance(self.state, Ct2Sampled):
            return Braid(message.epoch, self.auth, KeysUnsampled(), 0, EMPTY), None  # transition 13
        # Only who has our ct2 can be ahead of us, and only by one.
        raise TooFarAhead("message of an epoch that cannot have begun", code="spqr.epoch_ahead")

    def enter(self, state: State, *, auth: Authenticator | None = None) -> Braid:
        """Another state of the same epoch, sending and receiving new values from their beginnings."""
        return Braid(self.epoch, self.auth if auth is None else auth, state, 0, EMPTY)

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
    def unpack(cls, data: bytes, at: int) -> tuple[Braid, int]:
        """What `pack` returned, from position `at`, and where it ends. Raises DecodeError."""
        if len(data) - at < _FIXED.size:
            raise DecodeError("packed braid ends early", code="spqr.packed")
        tag, epoch, root, mac_key, sent, length = _FIXED.unpack_from(data, at)
        if tag >= len(STATES) or not epoch:
            raise DecodeError("no such braid state", code="spqr.packed")
        kind = STATES[tag]
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


_FIXED: Final = struct.Struct(">BQ32s32sHH")
_TYPE: Final = tuple(bytes((kind,)) for kind in MessageType)


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


# --- the side that makes the key ---------------------------------------------------------------------------
@final
@dataclass(frozen=True, slots=True, repr=False)
class KeysUnsampled(State):
    """Will make a key with the next message."""

    tag = 0
    acts_on_send = True

    def on_send(self, braid: Braid, provider: CryptoProvider, rng: Rng) -> tuple[Braid, bytes | None]:
        seed = rng(_SEED)
        header = mlkem_split.header_of(provider.mlkem768_public(seed))
        mac = braid.auth.mac_header(provider, braid.epoch, header)
        return braid.enter(KeysSampled(seed, header + mac)), None  # transition 1


@final
@dataclass(frozen=True, slots=True, repr=False)
class KeysSampled(State):
    """Sends the header, until the peer shows that it has it."""

    seed: bytes
    """d || z of the decapsulation key (FIPS 203): 64 bytes instead of 2400."""
    header: bytes
    """Header and MAC."""

    tag = 1
    sends = MessageType.HEADER
    fields = (("seed", _SEED), ("header", HEADER_BYTES + MAC))

    @property
    def outgoing(self) -> bytes:
        return self.header

    def on_receive(self, braid: Braid, provider: CryptoProvider, message: Message) -> tuple[Braid, bytes | None]:
        if message.type != MessageType.CT1:
            return braid, None
        vector = provider.mlkem768_public(self.seed)[:VECTOR_BYTES]
        return braid.enter(HeaderSent(self.seed, vector)).take(message), None  # transition 2


@final
@dataclass(frozen=True, slots=True, repr=False)
class HeaderSent(State):
    """Sends the key's vector and collects ct1."""

    seed: bytes
    vector: bytes

    tag = 2
    sends = MessageType.EK
    incoming_bytes = CT1_BYTES
    fields = (("seed", _SEED), ("vector", VECTOR_BYTES))

    @property
    def outgoing(self) -> bytes:
        return self.vector

    def on_receive(self, braid: Braid, provider: CryptoProvider, message: Message) -> tuple[Braid, bytes | None]:
        if message.type != MessageType.CT1:
            return braid, None
        braid = braid.take(message)
        ct1 = braid.value()
        if ct1 is None:
            return braid, None
        state = Ct1Received(self.seed, self.vector, ct1)
        return Braid(braid.epoch, braid.auth, state, braid.sent, EMPTY), None  # transition 3


@final
@dataclass(frozen=True, slots=True, repr=False)
class Ct1Received(State):
    """Goes on sending the vector, and says with it that ct1 is complete."""

    seed: bytes
    vector: bytes
    ct1: bytes

    tag = 3
    sends = MessageType.EK_CT1_ACK
    fields = (("seed", _SEED), ("vector", VECTOR_BYTES), ("ct1", CT1_BYTES))

    @property
    def outgoing(self) -> bytes:
        return self.vector

    def on_receive(self, braid: Braid, provider: CryptoProvider, message: Message) -> tuple[Braid, bytes | None]:
        if message.type != MessageType.CT2:
            return braid, None
        return braid.enter(EkSentCt1Received(self.seed, self.ct1)).take(message), None  # transition 4


@final
@dataclass(frozen=True, slots=True, repr=False)
class EkSentCt1Received(State):
    """Collects ct2. The specification sends nothing here; libsignal repeats the acknowledgement, and so do we."""

    seed: bytes
    ct1: bytes

    tag = 4
    sends = MessageType.CT1_ACK
    incoming_bytes = CT2_BYTES + MAC
    fields = (("seed", _SEED), ("ct1", CT1_BYTES))

    def on_receive(self, braid: Braid, provider: CryptoProvider, message: Message) -> tuple[Braid, bytes | None]:
        if message.type != MessageType.CT2:
            return braid, None
        braid = braid.take(message)
        value = braid.value()
        if value is None:
            return braid, None
        ct2, mac = value[:CT2_BYTES], value[CT2_BYTES:]
        secret = epoch_secret(provider, braid.epoch, provider.mlkem768_decapsulate(self.seed, self.ct1 + ct2))
        auth = braid.auth.update(provider, braid.epoch, secret)
        check_mac(auth.mac_ciphertext(provider, braid.epoch, self.ct1, ct2), mac)
        return Braid(braid.epoch + 1, auth, NoHeaderReceived(), 0, EMPTY), secret  # transition 5


# --- the side that encapsulates ----------------------------------------------------------------------------
@final
@dataclass(frozen=True, slots=True, repr=False)
class NoHeaderReceived(State):
    """Collects the header."""

    tag = 5
    incoming_bytes = HEADER_BYTES + MAC

    def on_receive(self, braid: Braid, provider: CryptoProvider, message: Message) -> tuple[Braid, bytes | None]:
        if message.type != MessageType.HEADER:
            return braid, None
        braid = braid.take(message)
        value = braid.value()
        if value is None:
            return braid, None
        header, mac = value[:HEADER_BYTES], value[HEADER_BYTES:]
        check_mac(braid.auth.mac_header(provider, braid.epoch, header), mac)
        return braid.enter(HeaderReceived(header)), None  # transition 6


@final
@dataclass(frozen=True, slots=True, repr=False)
class HeaderReceived(State):
    """Will encapsulate with the next message."""

    header: bytes

    tag = 6
    acts_on_send = True
    fields = (("header", HEADER_BYTES),)

    def on_send(self, braid: Braid, provider: CryptoProvider, rng: Rng) -> tuple[Braid, bytes | None]:
        encapsulation, ct1, shared = mlkem_split.encapsulate1(self.header, rng(32))
        secret = epoch_secret(provider, braid.epoch, shared)
        auth = braid.auth.update(provider, braid.epoch, secret)
        return braid.enter(Ct1Sampled(encapsulation, ct1), auth=auth), secret  # transition 7


@final
@dataclass(frozen=True, slots=True, repr=False)
class Ct1Sampled(State):
    """Sends ct1 and collects the vector; either may be complete first."""

    encapsulation: bytes
    ct1: bytes

    tag = 7
    sends = MessageType.CT1
    incoming_bytes = VECTOR_BYTES
    fields = (("encapsulation", SECRET_BYTES), ("ct1", CT1_BYTES))

    @property
    def outgoing(self) -> bytes:
        return self.ct1

    def on_receive(self, braid: Braid, provider: CryptoProvider, message: Message) -> tuple[Braid, bytes | None]:
        if message.type not in (MessageType.EK, MessageType.EK_CT1_ACK):
            return braid, None
        braid = braid.take(message)
        vector = braid.value()
        if message.type == MessageType.EK_CT1_ACK:
            if vector is not None:
                return _finish(braid, provider, self.encapsulation, self.ct1, vector), None  # transition 9
            state = Ct1Acknowledged(self.encapsulation, self.ct1)
            return Braid(braid.epoch, braid.auth, state, 0, braid.received), None  # transition 8
        if vector is None:
            return braid, None
        mlkem_split.check_vector(self.encapsulation[:HEADER_BYTES], vector)
        held = EkReceivedCt1Sampled(self.encapsulation, self.ct1, vector)
        return Braid(braid.epoch, braid.auth, held, braid.sent, EMPTY), None  # transition 10


@final
@dataclass(frozen=True, slots=True, repr=False)
class EkReceivedCt1Sampled(State):
    """Has the vector; goes on sending ct1 until it is acknowledged."""

    encapsulation: bytes
    ct1: bytes
    vector: bytes

    tag = 8
    sends = MessageType.CT1
    fields = (("encapsulation", SECRET_BYTES), ("ct1", CT1_BYTES), ("vector", VECTOR_BYTES))

    @property
    def outgoing(self) -> bytes:
        return self.ct1

    def on_receive(self, braid: Braid, provider: CryptoProvider, message: Message) -> tuple[Braid, bytes | None]:
        if message.type != MessageType.EK_CT1_ACK:
            return braid, None
        return _finish(braid, provider, self.encapsulation, self.ct1, self.vector), None  # transition 12


@final
@dataclass(frozen=True, slots=True, repr=False)
class Ct1Acknowledged(State):
    """Has nothing to send; collects the rest of the vector."""

    encapsulation: bytes
    ct1: bytes

    tag = 9
    incoming_bytes = VECTOR_BYTES
    fields = (("encapsulation", SECRET_BYTES), ("ct1", CT1_BYTES))

    def on_receive(self, braid: Braid, provider: CryptoProvider, message: Message) -> tuple[Braid, bytes | None]:
        # The specification counts only acknowledging chunks here; a late unacknowledging one is as good.
        if message.type not in (MessageType.EK, MessageType.EK_CT1_ACK):
            return braid, None
        braid = braid.take(message)
        vector = braid.value()
        if vector is None:
            return braid, None
        return _finish(braid, provider, self.encapsulation, self.ct1, vector), None  # transition 11


@final
@dataclass(frozen=True, slots=True, repr=False)
class Ct2Sampled(State):
    """Sends ct2 until the peer shows by its epoch that it has decapsulated."""

    ct2: bytes
    """ct2 and MAC."""

    tag = 10
    sends = MessageType.CT2
    fields = (("ct2", CT2_BYTES + MAC),)

    @property
    def outgoing(self) -> bytes:
        return self.ct2


def _finish(braid: Braid, provider: CryptoProvider, encapsulation: bytes, ct1: bytes, vector: bytes) -> Braid:
    ct2 = mlkem_split.encapsulate2(encapsulation, vector)
    return braid.enter(Ct2Sampled(ct2 + braid.auth.mac_ciphertext(provider, braid.epoch, ct1, ct2)))


STATES: Final[tuple[type[State], ...]] = (
    KeysUnsampled,
    KeysSampled,
    HeaderSent,
    Ct1Received,
    EkSentCt1Received,
    NoHeaderReceived,
    HeaderReceived,
    Ct1Sampled,
    EkReceivedCt1Sampled,
    Ct1Acknowledged,
    Ct2Sampled,
)
"""By tag. Packed states name them by it: never reorder."""
