"""The braid's eleven states: what each holds, sends and does with a message (ML-KEM Braid section 2.5).

A state is an immutable value that never sees a message of another epoch. What served its purpose is not
carried into the next state (SR-10): the seed goes with the decapsulation, the coins with the encapsulation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

from ...crypto import mlkem_split
from ...crypto.mlkem_split import CT1_BYTES, CT2_BYTES, HEADER_BYTES, SECRET_BYTES, VECTOR_BYTES
from ...crypto.provider import CryptoProvider
from ...ids import Rng
from .authenticator import MAC, check_mac, epoch_secret
from .braid import Braid, State
from .wire import Message, MessageType

__all__ = ["STATES", "first_state"]

_SEED: Final = 64
_LATER: Final = bytes(HEADER_BYTES + MAC - 32)
"""Stands for the hash and the MAC of a header that are not made yet."""


# --- the side that makes the key ---------------------------------------------------------------------------
@final
@dataclass(frozen=True, slots=True, repr=False)
class KeysUnsampled(State):
    """Will make a key with the next message."""

    tag = 0
    acts_on_send = True

    def on_send(self, braid: Braid, provider: CryptoProvider, rng: Rng) -> tuple[Braid, bytes | None]:
        # The first chunk is rho, which is known before the key is. The key costs a tenth of what a new session does,
        # and the message that opens one need not wait for it.
        seed = rng(_SEED)
        return braid.enter(KeysSampled(seed, mlkem_split.rho_of(seed) + _LATER)), None  # transition 1


@final
@dataclass(frozen=True, slots=True, repr=False)
class KeysSampled(State):
    """Sends the header, until the peer shows that it has it."""

    seed: bytes
    """d || z of the decapsulation key (FIPS 203): 64 bytes instead of 2400."""
    header: bytes
    """Header and MAC; of the header only rho, with zeros behind, until the second chunk is sent."""

    tag = 1
    sends = MessageType.HEADER
    acts_on_send = True
    fields = (("seed", _SEED), ("header", HEADER_BYTES + MAC))

    @property
    def outgoing(self) -> bytes:
        return self.header

    def on_send(self, braid: Braid, provider: CryptoProvider, rng: Rng) -> tuple[Braid, bytes | None]:
        if not self.header.endswith(_LATER):
            return braid, None
        header = mlkem_split.header_of(provider.mlkem768_public(self.seed))
        mac = braid.auth.mac_header(provider, braid.epoch, header)
        return braid.keep_sending(KeysSampled(self.seed, header + mac)), None

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
        return braid.keep_sending(Ct1Received(self.seed, self.vector, ct1)), None  # transition 3


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
        return braid.next_epoch(NoHeaderReceived(), auth), secret  # transition 5


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
            return braid.keep_receiving(Ct1Acknowledged(self.encapsulation, self.ct1)), None  # transition 8
        if vector is None:
            return braid, None
        mlkem_split.check_vector(self.encapsulation[:HEADER_BYTES], vector)
        return braid.keep_sending(EkReceivedCt1Sampled(self.encapsulation, self.ct1, vector)), None  # transition 10


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

    def on_next_epoch(self, braid: Braid) -> Braid | None:
        return braid.next_epoch(KeysUnsampled(), braid.auth)  # transition 13


def _finish(braid: Braid, provider: CryptoProvider, encapsulation: bytes, ct1: bytes, vector: bytes) -> Braid:
    ct2 = mlkem_split.encapsulate2(encapsulation, vector)
    return braid.enter(Ct2Sampled(ct2 + braid.auth.mac_ciphertext(provider, braid.epoch, ct1, ct2)))


def first_state(*, is_initiator: bool) -> State:
    """Section 2.6: the initiator will make the first key."""
    return KeysUnsampled() if is_initiator else NoHeaderReceived()


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
