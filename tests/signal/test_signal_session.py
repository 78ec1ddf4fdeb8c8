"""Sessions of our own on both ends: order, loss, limits, errors, and what stays untouched."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.deterministic import seeded_rng
from letterlock.crypto.pyca import Pyca
from letterlock.errors import (
    BadMac,
    DecodeError,
    Downgrade,
    DuplicateMessage,
    MalformedMessage,
    NoSession,
    RemoteError,
    TooFarAhead,
)
from letterlock.signal.double_ratchet import SKIPPED_SIZE
from letterlock.signal.limits import LIBSIGNAL_LIMITS, Limits
from letterlock.signal.messages import (
    PREKEY_TYPE,
    SIGNAL_TYPE,
    decode_prekey_message,
    decode_signal_message,
    encode_signal_body,
)
from letterlock.signal.record import SessionRecord
from letterlock.signal.session import Session
from signal_device import SignalDevice

CRYPTO = Pyca()
DAY_MS = 24 * 60 * 60 * 1000


def pair(
    seed: object, *, limits: Limits = LIBSIGNAL_LIMITS, answered: bool = True
) -> tuple[SignalDevice, SignalDevice]:
    """Two devices with a session that `a` began; `answered` exchanges one message each way."""
    rng = seeded_rng(repr(seed))
    a = SignalDevice(CRYPTO, rng, b"\x00" + b"a" * 16 + b"\x01", limits=limits)
    b = SignalDevice(CRYPTO, rng, b"\x00" + b"b" * 16 + b"\x02", limits=limits)
    a.process_bundle(b.address, b.bundle())
    if answered:
        assert b.decrypt(a.address, *a.encrypt(b.address, b"hello")) == b"hello"
        assert a.decrypt(b.address, *b.encrypt(a.address, b"hello back")) == b"hello back"
    return a, b


def current(device: SignalDevice, peer: SignalDevice) -> Session:
    session = device.record(peer.address).current
    assert session is not None
    return session


def test_types_and_sizes() -> None:
    a, b = pair("types", answered=False)
    kind, message = a.encrypt(b.address, bytes(200))
    assert (kind, message[0]) == (PREKEY_TYPE, 0x44) and len(message) < 2200
    b.decrypt(a.address, kind, message)
    kind, message = b.encrypt(a.address, bytes(200))
    assert (kind, message[0]) == (SIGNAL_TYPE, 0x44) and len(message) < 320


def test_sr_05_a_replay_is_a_duplicate_whether_it_came_in_order_or_late() -> None:
    a, b = pair("replay")
    sent = [a.encrypt(b.address, bytes((n,))) for n in range(4)]
    for n in (2, 0, 1, 3):
        assert b.decrypt(a.address, *sent[n]) == bytes((n,))
        before = b.snapshot()
        with pytest.raises(DuplicateMessage):
            b.decrypt(a.address, *sent[n])
        assert b.snapshot() == before


def test_sr_08_a_jump_over_the_limit_is_refused_and_one_at_the_limit_is_read() -> None:
    a, b = pair("jump", limits=replace(LIBSIGNAL_LIMITS, max_forward_jump=10))
    assert b.decrypt(a.address, *a.encrypt(b.address, b"x")) == b"x"
    sent = [a.encrypt(b.address, b"x") for _ in range(12)]
    with pytest.raises(TooFarAhead):
        b.decrypt(a.address, *sent[11])
    assert b.decrypt(a.address, *sent[10]) == b"x"
    # On a chain that the session has not met, the counter says as little as the rest: it may be another session's.
    a.decrypt(b.address, *b.encrypt(a.address, b"turn"))
    sent = [a.encrypt(b.address, b"y") for _ in range(12)]
    with pytest.raises(NoSession):
        b.decrypt(a.address, *sent[11])
    assert b.decrypt(a.address, *sent[10]) == b"y"


def test_sr_08_libsignals_own_limit_of_25000_is_where_it_is_said_to_be() -> None:
    a, b = pair("25000")
    message = decode_signal_message(b.encrypt(a.address, b"x")[1], 1 << 20)
    chain = next(c for c in current(a, b)._ratchet.receiving)
    ratchet = current(a, b)._ratchet
    with pytest.raises(TooFarAhead):
        ratchet.receive(CRYPTO, chain.ratchet_key, chain.counter + 25_001, message.pq_ratchet, LIBSIGNAL_LIMITS)
    after, _ = ratchet.receive(CRYPTO, chain.ratchet_key, chain.counter + 25_000, message.pq_ratchet, LIBSIGNAL_LIMITS)
    assert len(after.receiving[0].skipped) == 2_000 * SKIPPED_SIZE


def test_sr_08_skipped_keys_are_bounded_and_the_oldest_go_first() -> None:
    limits = replace(LIBSIGNAL_LIMITS, max_message_keys=5)
    a, b = pair("skipped", limits=limits)
    sent = [a.encrypt(b.address, bytes((n,))) for n in range(10)]
    assert b.decrypt(a.address, *sent[9]) == b"\x09"
    assert len(current(b, a)._ratchet.receiving[0].skipped) == 5 * SKIPPED_SIZE
    for n in range(4):
        with pytest.raises(DuplicateMessage):
            b.decrypt(a.address, *sent[n])
    for n in (8, 4, 6, 5, 7):
        assert b.decrypt(a.address, *sent[n]) == bytes((n,))
    assert current(b, a)._ratchet.receiving[0].skipped == b""


def test_sr_08_skipped_keys_of_several_jumps_count_together() -> None:
    a, b = pair("several", limits=replace(LIBSIGNAL_LIMITS, max_message_keys=5))
    sent = [a.encrypt(b.address, bytes((n,))) for n in range(10)]
    for n in (4, 9):  # four skipped, then four more
        assert b.decrypt(a.address, *sent[n]) == bytes((n,))
    assert len(current(b, a)._ratchet.receiving[0].skipped) == 5 * SKIPPED_SIZE
    readable = []
    for n in (0, 1, 2, 3, 5, 6, 7, 8):
        try:
            b.decrypt(a.address, *sent[n])
            readable.append(n)
        except DuplicateMessage:
            pass
    assert readable == [3, 5, 6, 7, 8]


class Counting(Pyca):
    """Counts the steps of the chains."""

    steps = 0

    def hmac_sha256(self, key: bytes, message: bytes) -> bytes:
        Counting.steps += 1
        return super().hmac_sha256(key, message)

    def hkdf_sha256(self, ikm: bytes, salt: bytes, info: bytes, length: int) -> bytes:
        Counting.steps += 1
        return super().hkdf_sha256(ikm, salt, info, length)


def test_sr_08_a_forged_counter_costs_two_full_jumps_however_many_sessions_there_are() -> None:
    jump = 50
    a, b = pair("flood", limits=replace(LIBSIGNAL_LIMITS, max_forward_jump=jump))
    b.crypto = Counting()
    late = []
    for _ in range(10):
        a.process_bundle(b.address, b.bundle())
        b.decrypt(a.address, *a.encrypt(b.address, b"another session"))
        a.decrypt(b.address, *b.encrypt(a.address, b"answer"))
        late.append(a.encrypt(b.address, b"late"))  # begins a chain that b has not met
    b.records[a.address] = SessionRecord.unpack(b.crypto, b.record(a.address).pack())
    fresh_key = CRYPTO.x25519_generate(a.rng)[1]
    body = encode_signal_body(fresh_key, jump, 0, bytes(32), b"\x01\x01" + bytes((jump,)) + b"\x00", b"")
    Counting.steps = 0
    with pytest.raises(NoSession):
        b.decrypt(a.address, SIGNAL_TYPE, body + bytes(8))
    assert 4 * jump < Counting.steps < 8 * jump
    for message in late:
        assert b.decrypt(a.address, *message) == b"late"


def test_sr_08_archived_sessions_are_bounded_and_the_oldest_go_first() -> None:
    a, b = pair("archive", limits=replace(LIBSIGNAL_LIMITS, max_archived_sessions=3))
    sent = []
    for _ in range(5):
        sent.append(b.encrypt(a.address, b"late"))
        a.process_bundle(b.address, b.bundle())
        assert b.decrypt(a.address, *a.encrypt(b.address, b"new session")) == b"new session"
    assert len(a.record(b.address).archived) == len(b.record(a.address).archived) == 3
    for message in sent[:2]:
        with pytest.raises((NoSession, BadMac)):
            a.decrypt(b.address, *message)
    # Reading with an earlier session makes it the current one, and the order changes: so only the next two are sure.
    for message in sent[2:4]:
        assert a.decrypt(b.address, *message) == b"late"


def test_sr_08_five_receiving_chains_stay_readable() -> None:
    a, b = pair("chains")
    late = []
    for _ in range(7):
        late.append(a.encrypt(b.address, b"late"))
        assert b.decrypt(a.address, *a.encrypt(b.address, b"ping")) == b"ping"
        assert a.decrypt(b.address, *b.encrypt(a.address, b"pong")) == b"pong"
    assert len(current(b, a)._ratchet.receiving) == 5
    for message in late[:2]:
        with pytest.raises((NoSession, BadMac)):
            b.decrypt(a.address, *message)
    for message in late[2:]:
        assert b.decrypt(a.address, *message) == b"late"


def test_a_session_that_nobody_answers_is_used_for_30_days() -> None:
    a, b = pair("silence", answered=False)
    start = a.now
    a.now = start + 30 * DAY_MS
    a.encrypt(b.address, b"still trying")
    a.now += 1
    with pytest.raises(NoSession) as caught:
        a.encrypt(b.address, b"too late")
    assert caught.value.code == "protocol.no_session.unacknowledged"
    a.now = start
    assert b.decrypt(a.address, *a.encrypt(b.address, b"hi")) == b"hi"
    assert a.decrypt(b.address, *b.encrypt(a.address, b"hi")) == b"hi"
    a.now = start + 400 * DAY_MS
    a.encrypt(b.address, b"an answered session stays")


def test_sr_03_addresses_are_checked_and_required_in_first_messages() -> None:
    a, b = pair("addresses", answered=False)
    kind, message = a.encrypt(b.address, b"to b")
    before = b.snapshot()
    stranger = b"\x00" + b"c" * 16 + b"\x01"
    with pytest.raises(MalformedMessage) as caught:
        b.decrypt(stranger, kind, message)
    assert caught.value.code == "signal.message.addresses"
    assert b.snapshot() == before
    session = current(a, b)
    a.records[b.address] = SessionRecord(_without_addresses(session))
    kind, message = a.encrypt(b.address, b"to whom?")
    with pytest.raises(Downgrade) as caught_downgrade:
        b.decrypt(a.address, kind, message)
    assert caught_downgrade.value.code == "protocol.downgrade.addresses"
    assert b.snapshot() == before


def _without_addresses(session: Session) -> Session:
    origin = copy.copy(session.origin)
    origin.addresses_out = b""
    return Session(origin, session._ratchet, session._pending)


def test_a_message_without_the_post_quantum_ratchet_is_a_downgrade() -> None:
    body = encode_signal_body(bytes(32), 1, 0, bytes(16), b"", b"") + bytes(8)
    with pytest.raises(Downgrade):
        decode_signal_message(body, 1 << 20)


@pytest.mark.parametrize("kind", [SIGNAL_TYPE, PREKEY_TYPE])
def test_sr_07_every_flipped_bit_is_refused_and_changes_nothing(kind: int) -> None:
    a, b = pair(("flip", kind), answered=kind == SIGNAL_TYPE)
    got, message = a.encrypt(b.address, b"genuine")
    assert got == kind
    before = b.snapshot()
    records = dict(b.records)
    for position in range(len(message)):
        broken = bytearray(message)
        broken[position] ^= 1 << position % 8
        try:
            b.decrypt(a.address, kind, bytes(broken))
        except RemoteError:
            assert b.snapshot() == before, position
        else:
            # The version of the outer message and the registration id are under no MAC, and decide nothing.
            assert kind == PREKEY_TYPE
            was, now = decode_prekey_message(message, 1 << 20), decode_prekey_message(bytes(broken), 1 << 20)
            assert now._replace(registration_id=was.registration_id) == was
            b.records, b.memory.records = dict(records), dict(before[0])
    assert b.decrypt(a.address, kind, message) == b"genuine"


@pytest.mark.parametrize("kind", [SIGNAL_TYPE, PREKEY_TYPE])
def test_sr_09_every_truncation_is_refused(kind: int) -> None:
    a, b = pair(("cut", kind), answered=kind == SIGNAL_TYPE)
    _, message = a.encrypt(b.address, b"genuine")
    before = b.snapshot()
    for size in range(len(message)):
        with pytest.raises(RemoteError):
            b.decrypt(a.address, kind, message[:size])
    assert b.snapshot() == before


def test_packed_state_survives_and_stays_under_4_kb_through_whole_epochs() -> None:
    a, b = pair("size", answered=False)
    largest = len(a.record(b.address).pack())
    assert largest <= 4096
    epochs = set()
    for turn in range(160):
        for x, y in ((a, b), (b, a)):
            assert y.decrypt(x.address, *x.encrypt(y.address, b"ping")) == b"ping"
            x.restart()
            y.restart()
            largest = max(largest, len(x.record(y.address).pack()), len(y.record(x.address).pack()))
            epochs.add(current(x, y).epoch)
        if turn % 10 == 5:  # one-sided runs: the erasure code goes past its end
            for _ in range(50):
                assert b.decrypt(a.address, *a.encrypt(b.address, b"run")) == b"run"
    assert len(epochs) >= 4
    assert largest <= 4096


@given(st.binary(max_size=600), st.integers(0, 2**31))
@settings(max_examples=200)
def test_sr_09_unpacking_anything_gives_a_session_or_a_decode_error(data: bytes, position: int) -> None:
    packed = bytearray(_PACKED)
    packed[position % len(packed)] ^= 1 + position % 255
    for candidate in (data, bytes(packed), _PACKED[: position % len(_PACKED)], _PACKED + data[:1]):
        try:
            Session.unpack(CRYPTO, candidate)
            SessionRecord.unpack(CRYPTO, candidate)
        except DecodeError:
            pass


def _packed() -> bytes:
    a, b = pair("packed")
    return current(a, b).pack()


_PACKED = _packed()


def test_sr_10_nothing_secret_in_a_repr_and_no_pickle() -> None:
    a, b = pair("repr")
    session = current(a, b)
    ratchet = session._ratchet
    shown = " ".join(
        repr(thing)
        for thing in (
            session,
            ratchet,
            *ratchet.receiving,
            ratchet.sending,
            a.record(b.address),
            a.identity,
            ratchet.send(CRYPTO, a.rng),
        )
    )
    secrets = [ratchet.root_key, a.identity.private, *(chain.chain_key for chain in ratchet.receiving)]
    assert ratchet.sending is None or secrets.append(ratchet.sending.private) is None
    for secret in secrets:
        assert secret.hex() not in shown and repr(secret)[2:-1] not in shown
    with pytest.raises(TypeError):
        pickle.dumps(session)


def test_the_old_value_is_untouched_by_sending_and_reading() -> None:
    a, b = pair("values")
    before_a, before_b = current(a, b), current(b, a)
    packed_a, packed_b = before_a.pack(), before_b.pack()
    sent = a.encrypt(b.address, b"x")
    b.decrypt(a.address, *sent)
    assert (before_a.pack(), before_b.pack()) == (packed_a, packed_b)
    # From the same value and the same randomness the same message: encryption is a function (SR-06 relies on it).
    again = before_a.encrypt(CRYPTO, b"x", a.now, a.limits, seeded_rng(1))
    assert again[1:] == before_a.encrypt(CRYPTO, b"x", a.now, a.limits, seeded_rng(1))[1:]
