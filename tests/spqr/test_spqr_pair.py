"""Two ends over good and bad networks: they agree on every key, and the machine takes only its own transitions."""

from __future__ import annotations

import copy
import pickle
import random
import subprocess
import sys

import pytest

from crypto.deterministic import seeded_rng
from letterlock.crypto.pyca import Pyca
from letterlock.errors import (
    BadMac,
    BadPublicKey,
    DecodeError,
    Downgrade,
    DuplicateMessage,
    MalformedMessage,
    ProtocolError,
    TooFarAhead,
)
from letterlock.signal.spqr import TRANSITIONS, ChainLimits, Spqr
from letterlock.signal.spqr.states import STATES
from letterlock.signal.spqr.wire import MessageType, decode, encode

from .pair import PROVIDER, Flight, Pair

ARROWS = {(t.source, t.target) for t in TRANSITIONS}
NAMES = [state.__name__ for state in STATES]


def repacked(end: Spqr) -> Spqr:
    """What a restart does to a ratchet, with the size bound looked at on the way."""
    data = end.pack()
    assert len(data) - sum(len(link.skipped) for link in end._chains.links) <= 2600, (end.state, len(data))
    again = Spqr.unpack(PROVIDER, data)
    assert again.pack() == data
    return again


def lossy(pair: Pair, rounds: int, loss: float, seed: object, *, shuffle: bool = False, most: int = 4) -> int:
    """Bursts both ways; what is not lost arrives at once, or shuffled and partly much later.

    Returns how many came so late that their epoch was forgotten.
    """
    too_late = 0
    dice = random.Random(repr(seed))
    waiting: list[list[Flight]] = [[], []]
    for _ in range(rounds):
        for sender in (0, 1):
            queue = waiting[1 - sender]
            for _ in range(dice.randint(0, most)):
                flight = pair.send(sender)
                if dice.random() >= loss:
                    queue.append(flight)
            if shuffle:
                dice.shuffle(queue)
            arriving = dice.randint(0, len(queue)) if shuffle else len(queue)
            for flight in queue[:arriving]:
                try:
                    pair.receive(1 - sender, flight)
                except ProtocolError as error:
                    if error.code != "spqr.epoch_past":
                        raise
                    too_late += 1
            del queue[:arriving]
    return too_late


@pytest.mark.parametrize("seed", range(2))
def test_in_order_for_twelve_epochs(seed: int) -> None:
    pair = Pair(seed)
    pair.round_trips(530)
    assert pair.ends[0].epoch >= 12
    assert abs(pair.ends[0].epoch - pair.ends[1].epoch) <= 1
    assert pair.seen <= ARROWS


@pytest.mark.parametrize("seed", range(3))
def test_thirty_percent_loss_for_ten_epochs(seed: int) -> None:
    pair = Pair(seed)
    lossy(pair, 420, 0.3, seed)
    assert pair.ends[0].epoch >= 10
    assert pair.seen <= ARROWS


@pytest.mark.parametrize("seed", range(3))
def test_reordered_and_lossy_for_ten_epochs(seed: int) -> None:
    pair = Pair(seed)
    assert lossy(pair, 520, 0.1, seed, shuffle=True) < 10
    assert pair.ends[0].epoch >= 10
    assert pair.seen <= ARROWS


def test_one_way_traffic_and_replies_for_ten_epochs() -> None:
    """Who talks to himself sends chunks beyond the value's own; any of them serve."""
    pair = Pair("one way")
    for turn in range(90):
        for number in range(45):
            flight = pair.send(turn % 2)
            if number % 3 == 1:
                pair.receive(1 - turn % 2, flight)
    assert pair.ends[0].epoch >= 10


def test_all_thirteen_transitions_happen_and_no_other() -> None:
    seen: set[tuple[str, str]] = set()
    for seed, loss in (("a", (0.0, 0.0)), ("b", (0.7, 0.0)), ("c", (0.0, 0.7))):
        pair = Pair(seed)
        dice = random.Random(seed)
        for _ in range(700):
            for sender in (0, 1):
                flight = pair.send(sender)
                if dice.random() >= loss[sender]:
                    pair.receive(1 - sender, flight)
        seen |= pair.seen
    assert seen <= ARROWS
    assert ARROWS - seen <= {("Ct1Sampled", "Ct2Sampled")}  # rare; made on purpose below
    pair = Pair("both at once")
    assert _both_at_once(pair) == "Ct2Sampled"
    assert ("Ct1Sampled", "Ct2Sampled") in pair.seen
    assert pair.seen <= ARROWS
    pair.round_trips(100)
    assert pair.ends[0].epoch >= 3


def _both_at_once(pair: Pair) -> str:
    """The acknowledgement of ct1 comes with the chunk that completes ek (transition 9)."""
    pair.until(1, "Ct1Sampled")
    while pair.ends[0].state != "HeaderSent":
        pair.receive(0, pair.send(1))
    for _ in range(35):
        pair.receive(1, pair.send(0))
    while pair.ends[0].state != "Ct1Received":
        pair.receive(0, pair.send(1))
    pair.receive(1, pair.send(0))
    return pair.ends[1].state


def test_the_transition_table_is_well_formed() -> None:
    """Documentation draws from it: every state is there, entered and left; numbers are the specification's."""
    assert [t.number for t in TRANSITIONS] == list(range(1, 14))
    assert {t.source for t in TRANSITIONS} == {t.target for t in TRANSITIONS} == set(NAMES)


@pytest.mark.parametrize("seed", range(2))
def test_sr06_a_restart_after_every_step_changes_nothing(seed: int) -> None:
    """Packed and unpacked after every send and receive, beside the same conversation without."""
    kept, restarted = Pair(seed), Pair(seed, on_step=repacked)
    for pair in (kept, restarted):
        lossy(pair, 160, 0.25, "restart", shuffle=True)
    assert [end.pack() for end in kept.ends] == [end.pack() for end in restarted.ends]
    assert kept.keys == restarted.keys
    assert kept.ends[0].epoch >= 3


def test_packed_size_in_all_eleven_states() -> None:
    """The bound that the session's record counts on, skipped keys apart; `repacked` asserts it at every step."""
    met = set()

    def measured(end: Spqr) -> Spqr:
        met.add(end.state)
        return repacked(end)

    for seed, loss in (("a", (0.0, 0.0)), ("b", (0.7, 0.0)), ("c", (0.0, 0.7))):
        pair = Pair(seed, on_step=measured)
        dice = random.Random(seed)
        for _ in range(500):
            for sender in (0, 1):
                flight = pair.send(sender)
                if dice.random() >= loss[sender]:
                    pair.receive(1 - sender, flight)
    assert met == set(NAMES)


def test_sr08_memory_is_bounded_however_long_one_side_talks() -> None:
    limits = ChainLimits(max_jump=1000, max_skipped=20)
    pair = Pair("bounded", limits=limits)
    largest = 0
    for number in range(3000):
        flight = pair.send(number % 2)
        if number % 7 < 2:
            pair.receive(1 - number % 2, flight)
        largest = max(largest, *(len(end.pack()) for end in pair.ends))
    assert largest < 2600 + 2 * 20 * 36


def test_sr05_a_replay_is_refused_and_changes_nothing() -> None:
    pair = Pair("replay")
    for _ in range(60):
        for sender in (0, 1):
            flight = pair.send(sender)
            pair.receive(1 - sender, flight)
            before = pair.ends[1 - sender].pack()
            with pytest.raises(DuplicateMessage):
                pair.ends[1 - sender].receive(flight.message)
            assert pair.ends[1 - sender].pack() == before


def test_sr05_a_message_played_back_to_its_sender_gives_other_keys() -> None:
    pair = Pair("reflection")
    flight = pair.send(0)
    assert pair.ends[0].receive(flight.message)[1] != flight.key


@pytest.mark.parametrize("state", NAMES)
def test_sr07_sr09_every_flipped_byte_gives_a_documented_error_or_another_key(state: str) -> None:
    """The session's MAC refuses the message then; here it counts that the old value stands and serves on."""
    pair, receiver = _in_state(state)
    flight = pair.send(1 - receiver)
    end = pair.ends[receiver]
    before = end.pack()
    for position in range(len(flight.message)):
        for bit in (0x01, 0x80):
            forged = bytearray(flight.message)
            forged[position] ^= bit
            try:
                _, key = end.receive(bytes(forged))
            except (BadMac, BadPublicKey, ProtocolError):
                pass
            else:
                # A changed chunk is found by the session's MAC, or by the braid's when the value is complete.
                assert key != flight.key or position >= 3
            assert end.pack() == before
    pair.receive(receiver, flight)
    pair.round_trips(60)


def _in_state(state: str) -> tuple[Pair, int]:
    """A pair one of whose ends is in that state, and which one."""
    if state == "EkReceivedCt1Sampled":  # needs loss: ek is complete before ct1 is
        pair = Pair(state)
        pair.until(1, "Ct1Sampled")
        pair.receive(0, pair.send(1))
        while pair.ends[1].state == "Ct1Sampled":
            pair.receive(1, pair.send(0))
        return pair, 1
    for who in (1, 0):
        pair = Pair(state)
        try:
            pair.until(who, state)
        except AssertionError:
            continue
        return pair, who
    raise AssertionError(f"nobody comes to {state}")


def test_downgrade_is_named() -> None:
    end = Pair(0).ends[0]
    for message in (b"", b"\x00", b"\x02" + Pair(0).send(0).message[1:]):
        with pytest.raises(Downgrade):
            end.receive(message)


@pytest.mark.parametrize("state", NAMES)
def test_an_epoch_that_cannot_have_begun_is_refused(state: str) -> None:
    """Only Ct2Sampled can meet a message one epoch ahead; nobody meets one two ahead."""
    pair, who = _in_state(state)
    end = pair.ends[who]
    for ahead in (1, 2, 3, 1 << 40):
        message = encode(decode(pair.ends[1 - who].send(pair.rng)[1])._replace(epoch=end.epoch + ahead, key_index=1))
        if ahead == 1 and state == "Ct2Sampled":
            assert end.receive(message)[0].epoch == end.epoch + 1
            continue
        with pytest.raises(TooFarAhead) as caught:
            end.receive(message)
        assert caught.value.code == "spqr.epoch_ahead"


def test_a_message_of_a_forgotten_epoch_is_refused() -> None:
    pair = Pair("past")
    old = pair.send(0)
    pair.round_trips(140)
    assert pair.ends[1].epoch >= 3
    with pytest.raises(ProtocolError) as caught:
        pair.ends[1].receive(old.message)
    assert caught.value.code == "spqr.epoch_past"


def test_a_late_message_of_the_previous_epoch_still_has_its_key() -> None:
    pair = Pair("late")
    pair.round_trips(30)
    late = [pair.send(who) for who in (0, 1)]
    epochs = [end.epoch for end in pair.ends]
    while min(end.epoch for end in pair.ends) == min(epochs):
        pair.round_trips(1)
    for who, flight in enumerate(late):
        pair.receive(1 - who, flight)
    pair.round_trips(100)


def _change_chunk(message: bytes, kind: MessageType) -> bytes:
    parsed = decode(message)
    assert parsed.type == kind
    return encode(parsed._replace(chunk=bytes(byte ^ 1 for byte in parsed.chunk)))


def test_the_key_is_made_with_the_second_message_and_once() -> None:
    """The message that opens a session does not wait for it; a restart in between loses nothing."""

    class Counting(Pyca):
        made = 0

        def mlkem768_public(self, seed: bytes) -> bytes:
            self.made += 1
            return super().mlkem768_public(seed)

    provider = Counting()
    rng = seeded_rng("lazy")
    pqr_key = rng(32)
    alice = Spqr.initiate(provider, pqr_key, True)
    bob = Spqr.initiate(PROVIDER, pqr_key, False)
    for made in (0, 1, 1, 1, 1):
        alice, message, key = alice.send(rng)
        bob, received = bob.receive(message)
        assert received == key
        assert provider.made == made
        alice = Spqr.unpack(provider, alice.pack())
    assert bob.state == "HeaderReceived"


def test_a_wrong_header_is_caught_by_its_mac() -> None:
    pair = Pair("header")
    for _ in range(2):
        pair.receive(1, pair.send(0))
    last = pair.send(0)
    with pytest.raises(BadMac) as caught:
        pair.ends[1].receive(_change_chunk(last.message, MessageType.HEADER))
    assert caught.value.code == "spqr.mac"
    pair.receive(1, last)
    assert pair.ends[1].state == "HeaderReceived"


def test_a_wrong_key_vector_is_caught_by_its_hash() -> None:
    pair = Pair("vector")
    pair.until(1, "Ct1Sampled")
    pair.receive(0, pair.send(1))
    for _ in range(35):
        pair.receive(1, pair.send(0))
    last = pair.send(0)
    with pytest.raises(BadPublicKey):
        pair.ends[1].receive(_change_chunk(last.message, MessageType.EK))
    pair.receive(1, last)
    assert pair.ends[1].state == "EkReceivedCt1Sampled"


def test_a_wrong_ciphertext_is_caught_by_its_mac() -> None:
    pair = Pair("ciphertext")
    pair.until(0, "EkSentCt1Received")
    for _ in range(3):
        pair.receive(0, pair.send(1))
    last = pair.send(1)
    with pytest.raises(BadMac):
        pair.ends[0].receive(_change_chunk(last.message, MessageType.CT2))
    pair.receive(0, last)
    assert pair.ends[0].state == "NoHeaderReceived"


def test_a_contradicting_chunk_is_refused() -> None:
    pair = Pair("conflict")
    first = decode(pair.send(0).message)
    second = pair.send(0).message
    pair.ends[1] = pair.ends[1].receive(encode(first))[0]
    forged = encode(decode(second)._replace(chunk_index=first.chunk_index, chunk=bytes(32)))
    with pytest.raises(MalformedMessage) as caught:
        pair.ends[1].receive(forged)
    assert caught.value.code == "spqr.chunk_conflict"


def test_chunk_indices_start_again_after_the_last() -> None:
    pair = Pair("wrap")
    end = pair.send(0) and pair.ends[0]
    braid = end._braid
    braid = type(braid)(braid.epoch, braid.auth, braid.state, 65535, braid.received)
    end = Spqr(PROVIDER, braid, end._chains, end._limits)
    indices = []
    for _ in range(3):
        end, message, _ = end.send(pair.rng)
        indices.append(decode(message).chunk_index)
    assert indices == [65535, 0, 1]


def test_sr10_nothing_secret_in_any_repr_and_no_pickling() -> None:
    pair = Pair("repr", on_step=repacked)
    for _ in range(200):
        pair.round_trips(1)
        for end in pair.ends:
            secrets = [getattr(end._braid.state, name) for name, _ in end._braid.state.fields]
            secrets += [*end._braid.auth, end._chains.root, end._chains.links[0].send_key]
            text = repr(end) + repr(end._braid.state) + repr(end._braid.auth) + repr(end._chains)
            text += repr(end._chains.links) + repr(end._braid)
            for secret in secrets:
                assert repr(secret)[2:20] not in text and secret.hex()[:16] not in text
    assert repr(Pair(0).ends[0]) == "<Spqr epoch=1 KeysUnsampled>"
    for attempt in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError):
            attempt(pair.ends[0])


def test_sr10_coins_and_seeds_are_gone_when_their_epoch_is_over() -> None:
    """What `rng` gave for an epoch is in no packed state after that epoch's secret was agreed."""
    drawn: list[bytes] = []
    pair = Pair("gone")
    inner = pair.rng

    def recording(n: int) -> bytes:
        drawn.append(inner(n))
        return drawn[-1]

    pair.rng = recording
    pair.round_trips(200)
    assert len(drawn) >= 6
    assert {len(piece) for piece in drawn} == {32, 64}
    packed = b"".join(end.pack() for end in pair.ends)
    for piece in drawn[:-2]:
        assert piece not in packed


@pytest.mark.parametrize("state", NAMES)
def test_sr09_what_was_not_packed_by_us_is_refused(state: str) -> None:
    pair, who = _in_state(state)
    data = pair.ends[who].pack()
    for end in range(len(data)):
        with pytest.raises(DecodeError):
            Spqr.unpack(PROVIDER, data[:end])
    with pytest.raises(DecodeError):
        Spqr.unpack(PROVIDER, data + b"\x00")
    with pytest.raises(DecodeError):
        Spqr.unpack(PROVIDER, b"\x02" + data[1:])
    for position in range(len(data)):
        forged = bytearray(data)
        forged[position] ^= 0xFF
        try:
            Spqr.unpack(PROVIDER, bytes(forged))
        except DecodeError:
            continue


def test_importing_the_package_builds_no_table() -> None:
    """Start-up and loss-free traffic stay cheap: the tables come with the first lost chunk or encapsulation."""
    program = (
        "from letterlock.signal.spqr import gf; from letterlock.crypto import mlkem_split;"
        "assert gf._tables.cache_info().currsize == 0 == mlkem_split._forward.cache_info().currsize"
    )
    subprocess.run([sys.executable, "-c", program], check=True, env={"PYTHONPATH": ":".join(sys.path)})
