"""Key chains: indices, skipping, limits, and what is forgotten."""

from __future__ import annotations

import pytest

from letterlock.errors import DecodeError, DuplicateMessage, ProtocolError, TooFarAhead
from letterlock.signal.spqr import ChainLimits
from letterlock.signal.spqr.chain import Chains

from .pair import PROVIDER

LIMITS = ChainLimits(max_jump=50, max_skipped=10)
SECRET = bytes(range(32))


def start() -> tuple[Chains, Chains]:
    return (
        Chains.start(PROVIDER, SECRET, is_initiator=True),
        Chains.start(PROVIDER, SECRET, is_initiator=False),
    )


def keys(chains: Chains, epoch: int, count: int) -> tuple[Chains, list[bytes]]:
    out = []
    for number in range(1, count + 1):
        chains, index, key = chains.next_send_key(PROVIDER, epoch)
        assert index == number
        out.append(key)
    return chains, out


def test_derivation_is_hkdf_as_written_down() -> None:
    """From the definition, with no code of ours between."""
    hkdf = PROVIDER.hkdf_sha256
    first = hkdf(SECRET, bytes(32), b"Signal PQ Ratchet V1 Chain  Start", 96)
    alice, bob = start()
    link = first[32:64]  # initiator to responder
    for number in (1, 2, 3):
        okm = hkdf(link, bytes(32), number.to_bytes(4, "big") + b"Signal PQ Ratchet V1 Chain Next", 64)
        alice, index, key = alice.next_send_key(PROVIDER, 0)
        assert (index, key) == (number, okm[32:])
        link = okm[:32]
    okm = hkdf(first[64:], bytes(32), (1).to_bytes(4, "big") + b"Signal PQ Ratchet V1 Chain Next", 64)
    assert bob.next_send_key(PROVIDER, 0)[2] == okm[32:]
    second = hkdf(b"s" * 32, first[:32], b"Signal PQ Ratchet V1 Chain Add Epoch", 96)
    okm = hkdf(second[32:64], bytes(32), (1).to_bytes(4, "big") + b"Signal PQ Ratchet V1 Chain Next", 64)
    assert alice.add_epoch(PROVIDER, 1, b"s" * 32).next_send_key(PROVIDER, 1)[2] == okm[32:]


def test_out_of_order_and_duplicates() -> None:
    alice, bob = start()
    _, sent = keys(alice, 0, 8)
    for index in (3, 1, 8, 2, 6, 7, 4, 5):
        bob, key = bob.receive_key(PROVIDER, 0, index, LIMITS)
        assert key == sent[index - 1]
        with pytest.raises(DuplicateMessage):
            bob.receive_key(PROVIDER, 0, index, LIMITS)
    assert bob.links[0].skipped == b""


def test_sr08_a_jump_is_bounded() -> None:
    _, bob = start()
    assert bob.receive_key(PROVIDER, 0, 50, LIMITS)
    with pytest.raises(TooFarAhead):
        bob.receive_key(PROVIDER, 0, 51, LIMITS)
    with pytest.raises(TooFarAhead):
        bob.receive_key(PROVIDER, 0, (1 << 32) - 1, LIMITS)


def test_sr08_skipped_keys_are_bounded_and_the_oldest_go_first() -> None:
    alice, bob = start()
    _, sent = keys(alice, 0, 100)
    bob, _ = bob.receive_key(PROVIDER, 0, 30, LIMITS)
    assert len(bob.links[0].skipped) == 10 * 36
    bob, _ = bob.receive_key(PROVIDER, 0, 36, LIMITS)
    assert len(bob.links[0].skipped) == 10 * 36
    for index in (26, 29, 35, 31):
        bob, key = bob.receive_key(PROVIDER, 0, index, LIMITS)
        assert key == sent[index - 1]
    for forgotten in (1, 20, 24):
        with pytest.raises(DuplicateMessage):
            bob.receive_key(PROVIDER, 0, forgotten, LIMITS)


def test_the_sending_epoch_and_the_one_before_are_kept() -> None:
    _, bob = start()
    bob = bob.add_epoch(PROVIDER, 1, b"1" * 32)
    bob, _ = bob.receive_key(PROVIDER, 0, 1, LIMITS)
    bob, _ = bob.receive_key(PROVIDER, 1, 1, LIMITS)
    with pytest.raises(TooFarAhead):
        bob.receive_key(PROVIDER, 2, 1, LIMITS)
    bob = bob.add_epoch(PROVIDER, 2, b"2" * 32)
    bob, _, _ = bob.next_send_key(PROVIDER, 1)
    for epoch in (0, 1, 2):  # agreed, but not sent in: 0 may still have messages under way
        bob, _ = bob.receive_key(PROVIDER, epoch, 5, LIMITS)
    bob, _, _ = bob.next_send_key(PROVIDER, 2)
    bob, _ = bob.receive_key(PROVIDER, 1, 6, LIMITS)
    with pytest.raises(ProtocolError) as caught:
        bob.receive_key(PROVIDER, 0, 6, LIMITS)
    assert caught.value.code == "spqr.epoch_past"


def test_sr08_three_epochs_are_held_at_most() -> None:
    _, bob = start()
    for epoch in range(1, 20):
        bob = bob.add_epoch(PROVIDER, epoch, bytes((epoch,)) * 32)
    assert len(bob.links) == 3


def test_sr10_an_older_epochs_sending_key_is_deleted_when_a_newer_one_is_used() -> None:
    alice, _ = start()
    alice = alice.add_epoch(PROVIDER, 1, b"1" * 32)
    alice, _, _ = alice.next_send_key(PROVIDER, 0)
    alice, _, _ = alice.next_send_key(PROVIDER, 1)
    assert alice.links[1].send_key == bytes(32)
    for state in (alice, Chains.unpack(alice.pack(), 0)[0]):
        with pytest.raises(ProtocolError) as caught:
            state.next_send_key(PROVIDER, 0)
        assert caught.value.code == "spqr.epoch_past"


def test_a_used_up_chain_refuses() -> None:
    alice, _ = start()
    alice = alice._replace(links=(alice.links[0]._replace(sent=(1 << 32) - 1),))
    with pytest.raises(ProtocolError) as caught:
        alice.next_send_key(PROVIDER, 0)
    assert caught.value.code == "spqr.exhausted"


def test_packing() -> None:
    _, bob = start()
    states = [bob]
    bob, _ = bob.receive_key(PROVIDER, 0, 7, LIMITS)
    states.append(bob)
    states.append(bob.add_epoch(PROVIDER, 1, b"1" * 32))
    for state in states:
        data = state.pack()
        assert Chains.unpack(b"??" + data + b"!", 2) == (state, 2 + len(data))
        for end in range(len(data)):
            with pytest.raises(DecodeError):
                Chains.unpack(data[:end], 0)


@pytest.mark.parametrize("flags", [0, 1, 4, 5, 8, 255])
def test_packed_contradictions(flags: int) -> None:
    data = start()[0].pack()
    with pytest.raises(DecodeError):
        Chains.unpack(bytes((flags,)) + data[1:] + data, 0)
