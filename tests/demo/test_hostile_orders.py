"""Which messages an order takes, and for how long; without a network."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from letterlock.carrier import Seen
from letterlock.carrier.hostile import Attack, HostileHand, Order
from letterlock.carrier.msrp_tap import MsrpSeen
from letterlock.codec import msrp
from letterlock.codec.msrp import Flag
from letterlock.codec.sip import Headers, Request
from letterlock.ids import Number

ANA, BEN = Number("+15550100"), Number("+15550199")


@pytest.fixture
def hand() -> Iterator[HostileHand]:
    yield HostileHand(domain="ims.example", rng=bytes, inject=lambda request, number: None)


def message(sender: Number, recipient: Number) -> Seen:
    return Seen(Request("MESSAGE", f"tel:{recipient}", Headers(()), b"hello"), sender, recipient)


def test_an_order_about_one_sender_leaves_the_others_alone(hand: HostileHand) -> None:
    hand.order(Order(Attack.DROP, 1, sender=ANA))
    assert hand.tap(message(BEN, ANA)) is None
    dropped = hand.tap(message(ANA, BEN))
    assert dropped is not None and (dropped.deliver, dropped.answer) == ((), 200)
    assert hand.tap(message(ANA, BEN)) is None and hand.orders == ()


def test_what_is_dropped_of_a_session_is_said_to_have_arrived(hand: HostileHand) -> None:
    chunk = MsrpSeen(msrp.Request("t1", "SEND", (), (), message_id="m1"), b"sealed", Flag.COMPLETE)
    hand.order(Order(Attack.DROP))
    lied = hand.msrp_tap(chunk)
    assert lied is not None and lied.deliver == () and lied.acknowledge
    hand.withdraw(Attack.DROP)
    hand.order(Order(Attack.TAMPER))
    changed = hand.msrp_tap(chunk)
    assert changed is not None and [each.body for each in changed.deliver] == [b"sealee"] and not changed.acknowledge
    assert hand.msrp_tap(MsrpSeen(chunk.request, b"", Flag.COMPLETE)) is None


def test_sr01_stripping_takes_the_tags_of_registrations_until_it_is_withdrawn(hand: HostileHand) -> None:
    """SR-01: with them gone a device looks as if it could not encrypt; that must not be believed."""
    contact = "<sip:ana@192.0.2.1>;+g.gsma.rcs.mls;+sip.instance=x;expires=60"
    headers = Headers((("Contact", contact), ("Accept-Contact", "*;+g.x")))
    register = Seen(Request("REGISTER", "sip:ims.example", headers), ANA, None)
    assert hand.tap(register) is None
    hand.order(Order(Attack.STRIP))
    stripped = hand.tap(register)
    assert stripped is not None
    ((bare, after),) = stripped.deliver
    assert (bare.headers.get("Contact"), after) == ("<sip:ana@192.0.2.1>;expires=60", 0)
    assert bare.headers.get("Accept-Contact") is None
    hand.be_honest()
    assert hand.tap(register) is None
