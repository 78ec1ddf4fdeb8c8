"""Application messages between us and a peer: late, out of order, twice, broken, far ahead."""

from __future__ import annotations

import pytest

from interop.mls_members import Member, OurMember, agree, deliver, group_of, talk
from interop.mls_pairing import EVERY_SUITE, Pairing
from interop.mls_peers import PeerError
from letterlock.errors import BadMac
from letterlock.mls.group.results import Application, Duplicate

pytestmark = pytest.mark.node
acting = pytest.mark.parametrize("acts", ["we", "peer"])


def pair(pairing: Pairing, acts: str) -> tuple[Member, Member]:
    first, second = pairing.sides(acts)
    group_of(first, second)
    return first, second


@EVERY_SUITE
@acting
def test_out_of_order(pairing: Pairing, acts: str) -> None:
    first, second = pair(pairing, acts)
    with pairing.passes("messages out of order", acts, wire="private"):
        texts = [b"", b"short", bytes(range(256)) * 40, "ünïcode".encode(), *(bytes([n]) for n in range(8))]
        sealed = [first.encrypt(text) for text in texts]
        for number in (5, 0, 11, 3, 2, 10, 1, 4, 9, 6, 8, 7):
            assert second.process(sealed[number], first.identity).data == texts[number]


@acting
def test_authenticated_data(pairing: Pairing, acts: str) -> None:
    feature = "authenticated_data of a message"
    first, second = pair(pairing, acts)
    if pairing.mls_rs_acts(acts):
        with pairing.cannot(feature, acts, "authenticated data", wire="private"):
            first.encrypt(b"text", aad=b"for all to see")
        return
    with pairing.passes(feature, acts, wire="private"):
        sealed = first.encrypt(b"text", aad=b"for all to see")
        assert b"for all to see" in sealed
        assert second.process(sealed).data == b"text"
        if isinstance(second, OurMember):
            result = second.seen[-1]
            assert isinstance(result, Application) and result.authenticated_data == b"for all to see"


@acting
def test_of_epochs_that_are_over(pairing: Pairing, acts: str) -> None:
    """Four epochs back, which is what ts-mls keeps."""
    first, second = pair(pairing, acts)
    with pairing.passes("messages four epochs late", acts, wire="private"):
        sealed = []
        for number in range(4):
            sealed.append(first.encrypt(bytes([number])))
            deliver(second.commit().commit, [first], second)
        for number in (2, 0, 3, 1):
            assert second.process(sealed[number], first.identity).data == bytes([number])
        agree(first, second)


@acting
def test_twice(pairing: Pairing, acts: str) -> None:
    feature = "the same message twice"
    first, second = pair(pairing, acts)
    with pairing.passes(feature, acts, wire="private"):
        sealed = first.encrypt(b"once")
        assert second.process(sealed).data == b"once"
        if isinstance(second, OurMember):
            second.process(sealed)
            assert isinstance(second.seen[-1], Duplicate)
        else:
            with pytest.raises(PeerError, match=r"Desired gen in the past|key not available"):
                second.process(sealed)
        talk(first, second)


@acting
def test_broken(pairing: Pairing, acts: str) -> None:
    """Any bit of the ciphertext; the message itself can still be read, except by mls-rs."""
    feature = "a broken copy, then the message"
    first, second = pair(pairing, acts)
    sealed = first.encrypt(b"whole")
    broken = [bytearray(sealed) for _ in range(12)]
    for number, copy in enumerate(broken, 1):
        copy[-number * 2] ^= 1 << number % 8
    if isinstance(second, OurMember):
        with pairing.passes(feature, acts, wire="private"):
            for copy in broken:
                with pytest.raises(BadMac):
                    second.process(bytes(copy))
            assert second.process(sealed).data == b"whole"
        return
    for copy in broken[:2]:
        with pytest.raises(PeerError):
            second.process(bytes(copy))
    if pairing.name == "mls-rs":
        with pairing.cannot(feature, acts, "key not available", wire="private"):
            second.process(sealed)
        return
    with pairing.passes(feature, acts, wire="private"):
        assert second.process(sealed).data == b"whole"


@acting
def test_far_ahead(pairing: Pairing, acts: str) -> None:
    """150 messages that were lost everybody takes; where it ends is each one's choice."""
    first, second = pair(pairing, acts)
    with pairing.passes("after 150 lost messages", acts, wire="private"):
        sealed = [first.encrypt(b"%d" % n) for n in range(151)]
        assert [second.process(sealed[n]).data for n in (150, 148, 149)] == [b"150", b"148", b"149"]
    feature = "after 300 more (1,100 of mls-rs)"
    lost = 300 if pairing.name == "ts-mls" else 1_100
    sealed = [first.encrypt(b"text") for _ in range(lost + 1)]
    if isinstance(second, OurMember):
        with pairing.passes(feature, acts, wire="private"):
            assert second.process(sealed[-1]).data == b"text"
        return
    answer = {"ts-mls": "too far in the future", "mls-rs": "is too far ahead of current generation"}[pairing.name]
    with pairing.cannot(feature, acts, answer, wire="private"):
        second.process(sealed[-1])


@acting
def test_padding(pairing: Pairing, acts: str) -> None:
    """Ours is by policy; ts-mls adds a fixed length, if asked."""
    if pairing.mls_rs_acts(acts):
        pairing.note("padded messages", acts, "has no way to ask for it", wire="private")
        return
    first, second = pairing.sides(acts)
    with pairing.passes("padded messages", acts, wire="private"):
        group_of(first, second, **({} if isinstance(first, OurMember) else {"padding": 500}))
        short, long = first.encrypt(b"a"), first.encrypt(b"a" * 20)
        if isinstance(first, OurMember):
            assert abs(len(short) - len(long)) < 10  # ECDSA signatures differ in length
        else:
            assert len(short) > 500
        assert [second.process(message).data for message in (short, long)] == [b"a", b"a" * 20]
