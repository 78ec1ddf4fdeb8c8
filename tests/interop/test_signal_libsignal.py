"""Our sessions against libsignal's, both ways, on libsignal's own wire."""

from __future__ import annotations

import os
import random
from collections.abc import Callable

import pytest

from interop.libsignal_device import LibsignalDevice
from interop.peer import LibsignalPeer, PeerError
from letterlock.codec import protobuf
from letterlock.crypto.pyca import Pyca
from letterlock.errors import (
    BadMac,
    Downgrade,
    DuplicateMessage,
    MalformedMessage,
    NoSession,
    RemoteError,
    UnknownPrekey,
)
from letterlock.signal.messages import PREKEY_TYPE, SIGNAL_TYPE, decode_prekey_message, decode_signal_message
from signal_device import SignalDevice

pytestmark = pytest.mark.node

CRYPTO = Pyca()
Device = SignalDevice | LibsignalDevice
Pair = Callable[..., tuple[SignalDevice, LibsignalDevice]]
_count = 0


@pytest.fixture
def pair(peer: LibsignalPeer) -> Pair:
    """Makes one device of each kind. `ours_first` says who starts; without it nobody has."""

    def make(*, ours_first: bool | None = None, one_time: bool = True) -> tuple[SignalDevice, LibsignalDevice]:
        global _count
        _count += 1
        ours = SignalDevice(CRYPTO, os.urandom, b"\x00" + os.urandom(16) + b"\x01")
        theirs = LibsignalDevice(peer, f"peer{_count}")
        if ours_first is not None:
            first, second = (ours, theirs) if ours_first else (theirs, ours)
            first.process_bundle(second.address, second.bundle(one_time=one_time))
        return ours, theirs

    return make


def deliver(sender: Device, receiver: Device, text: str) -> int:
    """Send one message and have it read; gives its type."""
    kind, message = sender.encrypt(receiver.address, text.encode())
    assert receiver.decrypt(sender.address, kind, message) == text.encode()
    return kind


def converse(a: Device, b: Device, turns: int) -> None:
    for turn in range(turns):
        deliver(a, b, f"ping {turn}")
        deliver(b, a, f"pong {turn}")


def epoch(ours: SignalDevice, theirs: LibsignalDevice) -> int:
    session = ours.record(theirs.address).current
    assert session is not None
    return session.epoch


@pytest.mark.parametrize("one_time", [True, False])
@pytest.mark.parametrize("ours_first", [True, False])
def test_pre_key_messages_both_ways(pair: Pair, ours_first: bool, one_time: bool) -> None:
    ours, theirs = pair(ours_first=ours_first, one_time=one_time)
    first, second = (ours, theirs) if ours_first else (theirs, ours)
    # Until the answer every message is a pre-key message, and all of them make one session.
    assert [deliver(first, second, f"hello {n}") for n in range(3)] == [PREKEY_TYPE] * 3
    assert deliver(second, first, "hello back") == SIGNAL_TYPE
    assert deliver(first, second, "now we talk") == SIGNAL_TYPE
    converse(first, second, 10)
    assert len(ours.records) == 1 and not ours.record(theirs.address).archived


def test_sr_13_last_resort_pre_key_serves_and_one_time_ones_serve_once(pair: Pair) -> None:
    ours, theirs = pair()
    bundle = ours.bundle(last_resort=True, one_time=False)
    theirs.process_bundle(ours.address, bundle)
    kind, message = theirs.encrypt(ours.address, b"first")
    assert ours.decrypt(theirs.address, kind, message) == b"first"
    ours.records.clear()  # the session is lost, the pre-keys are not
    with pytest.raises(DuplicateMessage):
        ours.decrypt(theirs.address, kind, message)
    bundle = ours.bundle()
    theirs.process_bundle(ours.address, bundle)
    kind, message = theirs.encrypt(ours.address, b"second")
    assert ours.decrypt(theirs.address, kind, message) == b"second"
    ours.records.clear()
    with pytest.raises(UnknownPrekey):
        ours.decrypt(theirs.address, kind, message)


@pytest.mark.parametrize("ours_first", [True, False])
def test_400_round_trips(pair: Pair, ours_first: bool) -> None:
    ours, theirs = pair(ours_first=ours_first)
    first, second = (ours, theirs) if ours_first else (theirs, ours)
    largest = 0
    for turn in range(400):
        deliver(first, second, f"ping {turn}")
        deliver(second, first, f"pong {turn}")
        largest = max(largest, len(ours.record(theirs.address).pack()))
    assert epoch(ours, theirs) >= 8
    assert largest <= 4096


@pytest.mark.parametrize("ours_first", [True, False])
def test_shuffled_bursts(pair: Pair, ours_first: bool) -> None:
    ours, theirs = pair(ours_first=ours_first)
    dice = random.Random(7)
    first, second = (ours, theirs) if ours_first else (theirs, ours)
    deliver(first, second, "hello")
    for burst in range(12):
        for sender, receiver in ((ours, theirs), (theirs, ours)):
            sent = [
                (f"{burst}-{n}".encode(), *sender.encrypt(receiver.address, f"{burst}-{n}".encode())) for n in range(20)
            ]
            dice.shuffle(sent)
            for text, kind, message in sent:
                assert receiver.decrypt(sender.address, kind, message) == text


@pytest.mark.parametrize("ours_first", [True, False])
def test_30_percent_loss_with_reordering_over_eight_epochs(pair: Pair, ours_first: bool) -> None:
    ours, theirs = pair(ours_first=ours_first)
    dice = random.Random(11)
    first, second = (ours, theirs) if ours_first else (theirs, ours)
    deliver(first, second, "hello")
    held: list[tuple[Device, Device, bytes, int, bytes]] = []
    read = 0
    for turn in range(3000):
        sender, receiver = (ours, theirs) if dice.random() < 0.5 else (theirs, ours)
        text = f"message {turn}".encode()
        sent = (sender, receiver, text, *sender.encrypt(receiver.address, text))
        if dice.random() < 0.3:
            continue  # lost
        held.append(sent)
        if len(held) < 6:
            continue
        # Both sides keep five turns and one earlier epoch, so a message may be overtaken, not forgotten.
        dice.shuffle(held)
        for sender, receiver, text, kind, message in held:
            assert receiver.decrypt(sender.address, kind, message) == text
            read += 1
        held.clear()
        if epoch(ours, theirs) >= 9 and turn > 400:
            break
    assert epoch(ours, theirs) >= 9
    assert read > 250


def test_simultaneous_initiation(pair: Pair) -> None:
    ours, theirs = pair()
    ours.process_bundle(theirs.address, theirs.bundle())
    theirs.process_bundle(ours.address, ours.bundle())
    from_us = ours.encrypt(theirs.address, b"from us")
    from_them = theirs.encrypt(ours.address, b"from them")
    assert ours.decrypt(theirs.address, *from_them) == b"from them"
    assert theirs.decrypt(ours.address, *from_us) == b"from us"
    converse(ours, theirs, 20)
    converse(theirs, ours, 20)
    assert len(ours.record(theirs.address).archived) == 1


def test_simultaneous_initiation_with_the_first_messages_lost(pair: Pair) -> None:
    ours, theirs = pair()
    ours.process_bundle(theirs.address, theirs.bundle())
    theirs.process_bundle(ours.address, ours.bundle())
    ours.encrypt(theirs.address, b"lost")
    theirs.encrypt(ours.address, b"lost too")
    converse(ours, theirs, 10)


def test_restart_from_packed_bytes_at_every_step(pair: Pair) -> None:
    ours, theirs = pair(ours_first=True)
    ours.always_pack = True
    converse(ours, theirs, 120)
    assert epoch(ours, theirs) >= 3


def test_repeated_pre_key_message_makes_no_second_session(pair: Pair) -> None:
    ours, theirs = pair(ours_first=False)
    kind, first = theirs.encrypt(ours.address, b"one")
    _, second = theirs.encrypt(ours.address, b"two")
    assert ours.decrypt(theirs.address, kind, second) == b"two"
    left = dict(ours.memory.records)
    assert ours.decrypt(theirs.address, kind, first) == b"one"
    with pytest.raises(DuplicateMessage):
        ours.decrypt(theirs.address, kind, first)
    assert ours.memory.records == left and not ours.record(theirs.address).archived


def test_sr_03_wrong_addresses_are_refused_both_ways(pair: Pair) -> None:
    ours, theirs = pair(ours_first=True)
    other = b"\x00" + os.urandom(16) + b"\x01"
    kind, message = ours.encrypt(theirs.address, b"who am I?")
    with pytest.raises(PeerError):
        theirs.decrypt(other, kind, message)  # delivered under another sender
    deliver(ours, theirs, "the right name works")
    ours, theirs = pair(ours_first=False)
    kind, message = theirs.encrypt(ours.address, b"who am I?")
    with pytest.raises(MalformedMessage) as caught:
        ours.decrypt(other, kind, message)
    assert caught.value.code == "signal.message.addresses"
    assert ours.decrypt(theirs.address, kind, message) == b"who am I?"


def test_version_3_is_refused_both_ways(pair: Pair) -> None:
    ours, theirs = pair(ours_first=True)
    kind, message = ours.encrypt(theirs.address, b"old")
    with pytest.raises(PeerError):
        theirs.decrypt(ours.address, kind, b"\x33" + message[1:])
    with pytest.raises(Downgrade):
        decode_prekey_message(b"\x33" + message[1:], 1 << 20)
    with pytest.raises(Downgrade):
        decode_signal_message(b"\x33" + message[1:], 1 << 20)
    # A pre-key message whose KEM part was taken out: nothing to fall back to.
    fields = protobuf.decode(message, 1)
    stripped = b"".join(
        [
            b"\x44",
            *(protobuf.varint_field(number, value) for number, value in fields.varints.items() if number != 7),
            *(protobuf.bytes_field(number, value) for number, value in fields.chunks.items() if number != 8),
        ]
    )
    with pytest.raises(Downgrade):
        decode_prekey_message(stripped, 1 << 20)


@pytest.mark.parametrize("kind", [PREKEY_TYPE, SIGNAL_TYPE])
def test_sr_07_tampered_messages_leave_our_state_untouched(pair: Pair, kind: int) -> None:
    """Every byte of a libsignal message, flipped: a documented error, and not one byte of state moves."""
    ours, theirs = pair(ours_first=False)
    if kind == SIGNAL_TYPE:
        converse(theirs, ours, 3)
    got, message = theirs.encrypt(ours.address, b"genuine")
    assert got == kind
    before = ours.snapshot()
    records = dict(ours.records)
    unauthenticated = []
    for position in range(len(message)):
        broken = bytearray(message)
        broken[position] ^= 0x01
        try:
            ours.decrypt(theirs.address, kind, bytes(broken))
        except RemoteError:
            assert ours.snapshot() == before, position
        else:
            unauthenticated.append(position)
            # libsignal leaves this much of a pre-key message outside every MAC, and none of it decides anything.
            assert position == 0 or without_registration_id(broken) == without_registration_id(message), position
            ours.records, ours.memory.records = dict(records), dict(before[0])
    assert kind == PREKEY_TYPE or not unauthenticated
    assert ours.decrypt(theirs.address, kind, message) == b"genuine"


def without_registration_id(message: bytes) -> tuple[dict[int, int], dict[int, bytes]]:
    fields = protobuf.decode(bytes(message), 1)
    return {number: value for number, value in fields.varints.items() if number != 5}, fields.chunks


def test_sr_07_libsignal_survives_our_tampered_message_too(pair: Pair) -> None:
    ours, theirs = pair(ours_first=True)
    converse(ours, theirs, 2)
    kind, message = ours.encrypt(theirs.address, b"genuine")
    with pytest.raises(PeerError):
        theirs.decrypt(ours.address, kind, message[:-1] + bytes((message[-1] ^ 1,)))
    assert theirs.decrypt(ours.address, kind, message) == b"genuine"
    with pytest.raises(PeerError):
        theirs.decrypt(ours.address, kind, message)


def test_a_message_for_no_session_says_so(pair: Pair) -> None:
    ours, theirs = pair(ours_first=False)
    converse(theirs, ours, 1)
    kind, message = theirs.encrypt(ours.address, b"lost session")
    ours.records.clear()
    with pytest.raises(NoSession):
        ours.decrypt(theirs.address, kind, message)
    with pytest.raises((NoSession, BadMac)):
        stranger, _ = pair()
        stranger.decrypt(theirs.address, kind, message)
