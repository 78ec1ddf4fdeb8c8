"""Receipts and reports: which count, what they lead to, and how often (rcc16.md 4.4 to 4.6)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from letterlock.codec.imdn import Disposition, Imdn, Status, encode_imdn
from letterlock.conversation_seam import (
    Conversation,
    LetterFailed,
    LetterReceipt,
    LetterReceived,
    Packet,
    RemoveMembers,
    SendAgain,
    Unreadable,
)
from letterlock.ids import MessageId
from letterlock.rcc16.wire.packet_headers import DERIVED_CONTENT_SIGNATURE, ERA_ID, NAMESPACE
from letterlock.rcc16.wire.reasons import ClientReason, ServerReason, encode_negative_receipt

from .crooked import letter
from .world import ANA, BEN, CLEO, GROUP, Phone, World

IMDN = "message/imdn+xml"


def imdn(body: bytes, conversation: Conversation = GROUP, *, receipt_id: str = "receipt") -> Packet:
    return Packet(conversation, None, MessageId(receipt_id), IMDN, (), body)


def receipts(phone: Phone) -> list[Packet]:
    return [packet for packet in phone.sent if packet.content_type == IMDN]


def failed(message_id: str, reason: ClientReason | ServerReason | None) -> bytes:
    return encode_negative_receipt(message_id, "2026-11-23T05:00:00Z", reason)


def written() -> tuple[World, Phone, Phone, Phone, Packet]:
    """Ana has written `m`; Ben's and Cleo's receipts are on their way, Ben's is given."""
    world = World()
    ana, ben, cleo = world.group(ANA, BEN, CLEO)
    world.hold = lambda travelling: travelling.to is ana
    ana.write(GROUP, "hello", "m")
    world.run()
    (receipt,) = receipts(ben)
    return world, ana, ben, cleo, receipt


def test_a_receipt_has_exactly_two_headers_and_is_taken_from_who_signed_it() -> None:
    _, ana, _, _, receipt = written()
    assert [(h.namespace, h.name) for h in receipt.headers] == [
        (NAMESPACE, DERIVED_CONTENT_SIGNATURE),
        (NAMESPACE, ERA_ID),
    ]
    assert receipt.to == ANA
    ana.receive(receipt, BEN)
    assert [(r.member, r.displayed) for r in ana.told(LetterReceipt)] == [(BEN, False)]


@pytest.mark.parametrize("how", ["other sender", "other id", "other letter", "displayed", "other era", "not base64"])
def test_a_receipt_that_says_something_else_than_was_signed_counts_for_nothing(how: str) -> None:
    """SR-03."""
    _, ana, _, _, receipt = written()
    sender, body, headers = BEN, receipt.body, receipt.headers
    if how == "other sender":
        sender = CLEO
    elif how == "other id":
        receipt = replace(receipt, message_id=MessageId("another"))
    elif how == "other letter":
        ana.write(GROUP, "second", "n")
        body = body.replace(b"<message-id>m<", b"<message-id>n<")
    elif how == "displayed":
        body = encode_imdn(Imdn("m", "", Disposition.DISPLAY, Status.DISPLAYED))
    elif how == "other era":
        headers = (headers[0], replace(headers[1], value="2"))
    else:
        headers = (replace(headers[0], value="***"), headers[1])
    ana.receive(replace(receipt, body=body, headers=headers), sender)
    assert not ana.told(LetterReceipt)


def test_a_receipt_without_a_signature_is_told_and_changes_nothing() -> None:
    """Deployed clients end encryption because of one, and anybody in the network can write it (rcc16.md 5.7)."""
    _, ana, _, _, _ = written()
    progress = ana.receive(imdn(encode_imdn(Imdn("m", "", Disposition.DELIVERY, Status.DELIVERED))), BEN)
    (told,) = progress.notices
    assert isinstance(told, Unreadable) and told.reason == "unsigned-receipt"
    assert not progress.packets and not ana.told(LetterReceipt)
    assert ana.view(GROUP).encrypted and ana.write(GROUP, "still encrypted").packets


def test_a_receipt_that_is_none_of_ours_is_left_to_others() -> None:
    _, ana, _, _, _ = written()
    assert ana.receive(imdn(encode_imdn(Imdn("x", "", Disposition.DELIVERY, Status.DELIVERED))), BEN).writes == {}
    assert ana.receive(imdn(b"no xml"), BEN).writes == {}
    other = Packet(GROUP, None, MessageId("p"), "text/plain", (), b"hello")
    assert ana.receive(other, BEN).writes == {}


def test_a_letter_that_comes_again_is_receipted_again_and_shown_once() -> None:
    world, _, ben, _, _ = written()
    (sent,) = [p for p in world.phones[0].sent if p.content_type == "message/mls"]
    ben.do(lambda: ben.protocol.displayed(ben.state, GROUP, MessageId("m"), ANA, world.now, ben.rng))
    assert len(receipts(ben)) == 2
    ben.receive(sent, ANA)
    assert len(receipts(ben)) == 4 and len(ben.told(LetterReceived)) == 1
    assert len({packet.message_id for packet in receipts(ben)}) == 4


def test_a_receipt_of_an_epoch_that_is_over_still_counts() -> None:
    world, ana, ben, cleo, receipt = written()
    world.hold = lambda travelling: False
    cleo_seen = ben.view(GROUP).epoch
    ana.change(GROUP, RemoveMembers((CLEO,)))
    world.run()
    assert ana.view(GROUP).epoch == cleo_seen + 1
    ana.receive(receipt, BEN)
    assert [(r.member, r.displayed) for r in ana.told(LetterReceipt)] == [(BEN, False)]
    assert cleo.view(GROUP).left


def test_garbage_for_a_letter_is_reported_at_most_five_times_and_begins_no_repair() -> None:
    """SR-07: what anybody in the network can make costs no repair, and no flood of reports."""
    world, ana, ben, _, _ = written()
    unread = letter(ana, GROUP, message_id="g")
    spoilt = replace(unread, body=unread.body[:-1] + bytes([unread.body[-1] ^ 1]))
    before = len(receipts(ben))
    for _ in range(9):
        ben.receive(spoilt, ANA)
        world.now += 31_000
    reports = receipts(ben)[before:]
    assert len(reports) == 5 and all(b"failed-to-decrypt" in packet.body for packet in reports)
    assert ben.view(GROUP).health == "healthy"
    assert all(one.repairing is False for one in ben.told(Unreadable))
    ben.receive(replace(spoilt, message_id=MessageId("h")), ANA)
    ben.receive(replace(spoilt, message_id=MessageId("h")), ANA)
    assert len(receipts(ben)) - before == 6  # identical ones within thirty seconds are one
    ben.receive(unread, ANA)
    assert ben.read() == ["hello", "crooked"]


def test_a_letter_is_sent_again_for_who_could_not_read_it_within_limits() -> None:
    world, ana, _, _, _ = written()
    ana.receive(imdn(failed("m", ClientReason.FAILED_TO_DECRYPT)), BEN)
    (again,) = ana.told(SendAgain)
    assert (again.message_id, again.member) == ("m", BEN)
    ana.receive(imdn(failed("m", None), receipt_id="r2"), CLEO)
    assert [one.member for one in ana.told(SendAgain)] == [BEN, CLEO]
    ana.receive(imdn(failed("m", None), receipt_id="r3"), BEN)
    assert len(ana.told(SendAgain)) == 2
    for number in range(5):
        ana.write(GROUP, "more", f"more-{number}")
        ana.receive(imdn(failed(f"more-{number}", None), receipt_id=f"r-{number}"), BEN)
    world.pass_time(600_000)
    assert len([one for one in ana.told(SendAgain) if one.member == BEN]) == 2
    assert world.phones[0] is ana


def test_the_focus_names_a_letter_that_it_refused() -> None:
    _, ana, _, _, _ = written()
    ana.receive(imdn(failed("m", ServerReason.ENCRYPTION_NOT_AVAILABLE)), None)
    (told,) = ana.told(LetterFailed)
    assert (told.message_id, told.reason) == ("m", "encryption-not-available")


def test_a_transient_error_keeps_the_bytes_and_is_not_answered_at_once() -> None:
    """They go again with the pauses of every letter; an echo of each refusal would be a loop as fast as the network."""
    _, ana, _, _, _ = written()
    (first,) = [p for p in ana.sent if p.content_type == "message/mls"]
    progress = ana.receive(imdn(failed("m", ServerReason.TRANSIENT_ERROR)), None)
    assert not progress.packets and not ana.told(LetterFailed)
    (second,) = ana.write(GROUP, "hello", "m").packets
    assert second == first


def test_a_member_cannot_speak_for_the_focus() -> None:
    _, ana, _, _, _ = written()
    ana.receive(imdn(failed("m", ServerReason.MLS_GROUP_HAS_END_MLS)), BEN)
    assert not ana.told(LetterFailed) and ana.view(GROUP).encrypted


def test_the_same_letter_is_encrypted_once() -> None:
    _, ana, _, _, _ = written()
    (first,) = [p for p in ana.sent if p.content_type == "message/mls"]
    (second,) = ana.write(GROUP, "hello", "m").packets
    assert second == first


def test_a_letter_that_was_sent_again_is_seen_under_the_id_that_people_know() -> None:
    world = World()
    ana, ben, _ = world.group(ANA, BEN, CLEO)
    world.drop = lambda t: t.to is ben
    ana.write(GROUP, "hello", "first")
    world.run()
    world.drop = lambda t: False
    ana.write(GROUP, "hello", "second", root="first", audience=(BEN,))
    world.run()
    ben.do(lambda: ben.protocol.displayed(ben.state, GROUP, MessageId("first"), ANA, world.now, ben.rng))
    world.run()
    assert [(one.message_id, one.member) for one in ana.told(LetterReceipt) if one.displayed] == [("first", BEN)]
