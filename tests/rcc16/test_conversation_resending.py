"""Letters that a member could not read are sent again in turn, and no false word ends that (rcc16.md 4.6, 5.6)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from letterlock.conversation_seam import Packet, SendAgain
from letterlock.ids import MessageId, Number
from letterlock.rcc16.conversation.receipts import report_failure
from letterlock.rcc16.conversation.records import chat_key
from letterlock.rcc16.conversation.settings import DEPLOYED
from letterlock.rcc16.health.budgets import Charge, Ledger
from letterlock.rcc16.wire.reasons import ClientReason

from .crooked import working
from .test_conversation_groups import chat_of
from .test_conversation_receipts import failed, imdn
from .world import ANA, BEN, CLEO, GROUP, Phone, World

SECOND = 1_000


def writing(*ids: str) -> tuple[World, Phone, Phone, Phone]:
    """Ana has written these, and nobody has answered."""
    world = World()
    ana, ben, cleo = world.group(ANA, BEN, CLEO)
    world.drop = lambda travelling: True
    for message_id in ids:
        ana.write(GROUP, "hello", message_id)
    world.run()
    return world, ana, ben, cleo


def signed(phone: Phone, message_id: str, reason: ClientReason = ClientReason.FAILED_TO_DECRYPT) -> Packet:
    """What this member says itself."""
    with working(phone, GROUP) as work:
        report_failure(work, ANA, MessageId(message_id), reason)
        (packet,) = work.packets
    return packet


def asked(phone: Phone, member: Number = BEN) -> list[str]:
    return [one.message_id for one in phone.told(SendAgain) if one.member == member]


def test_the_second_waits_for_the_gate_and_the_third_for_the_hour() -> None:
    world, ana, ben, _ = writing("m1", "m2", "m3")
    for message_id in ("m1", "m2", "m3"):
        ana.receive(signed(ben, message_id), BEN)
    assert asked(ana) == ["m1"]
    world.pass_time(80 * SECOND)
    assert asked(ana) == ["m1"]
    world.pass_time(20 * SECOND)
    assert asked(ana) == ["m1", "m2"]
    world.pass_time(3_400 * SECOND)
    assert asked(ana) == ["m1", "m2"]
    world.pass_time(200 * SECOND)
    assert asked(ana) == ["m1", "m2", "m3"]
    assert not chat_of(ana).again


def test_members_have_gates_of_their_own_and_one_letter_waits_once() -> None:
    _, ana, ben, cleo = writing("m1", "m2")
    for message_id in ("m1", "m2", "m2", "m2"):
        ana.receive(signed(ben, message_id), BEN)
    ana.receive(signed(cleo, "m1"), CLEO)
    assert asked(ana) == ["m1"] == asked(ana, CLEO)
    assert [(one.message_id, one.member) for one in chat_of(ana).again] == [("m2", BEN)]


def test_who_could_read_it_after_all_gets_it_no_more() -> None:
    world = World()
    ana, ben, _ = world.group(ANA, BEN, CLEO)
    world.hold = lambda travelling: travelling.to is ana
    for message_id in ("m1", "m2"):
        ana.write(GROUP, "hello", message_id)
    world.run()
    for message_id in ("m1", "m2"):
        ana.receive(signed(ben, message_id), BEN)
    assert asked(ana) == ["m1"]
    world.let_go()
    world.pass_time(200 * SECOND)
    assert asked(ana) == ["m1"]


def test_sixteen_wait_and_after_a_day_they_are_forgotten() -> None:
    ids = [f"m{number}" for number in range(20)]
    world, ana, ben, _ = writing(*ids)
    for message_id in ids:
        ana.state.apply({chat_key(GROUP): replace(chat_of(ana), ledger=spent_gate(ana))})
        ana.receive(signed(ben, message_id), BEN)
    assert len(chat_of(ana).again) == DEPLOYED.budgets.resend_queue == 16
    world.now += 25 * 3_600 * SECOND
    ana.timer()
    assert not chat_of(ana).again and not asked(ana)


def spent_gate(phone: Phone) -> Ledger:
    """The ledger of somebody who has sent again a moment ago, with no failure counted."""
    ledger = Ledger().spend(Charge.RESEND, DEPLOYED.budgets, phone.world.now, BEN)
    assert ledger is not None
    return ledger


def test_forged_requests_take_nobody_the_place() -> None:
    """SR-05: what nobody signed has a queue and an allowance of its own."""
    world, ana, ben, _ = writing("m1", "m2", "m3", "m4")
    for message_id in ("m1", "m2", "m3", "m4"):
        ana.receive(imdn(failed(message_id, None), receipt_id=f"forged-{message_id}"), BEN)
    assert asked(ana) == ["m1"]
    ana.receive(signed(ben, "m4"), BEN)
    assert asked(ana) == ["m1", "m4"]
    assert world.phones[0] is ana


@pytest.mark.parametrize(
    "reason",
    [
        ClientReason.COMMIT_PROCESSED_IN_ENHANCED_SELF_HEAL,
        ClientReason.COMMIT_PROCESSED_IN_SELF_HEAL,
        ClientReason.PROPOSAL_PROCESSED_IN_ENHANCED_SELF_HEAL,
        ClientReason.PROPOSAL_PROCESSED_IN_SELF_HEAL,
    ],
)
def test_only_a_signed_word_ends_a_streak_of_failures(reason: ClientReason) -> None:
    """rcc16.md 4.5: outcomes 7, 8, 11 and 12 clear it. Anybody could write an unsigned one, and have us go on."""
    _, ana, ben, _ = writing("m1", "m2", "m3", "m4")
    for message_id in ("m1", "m2", "m3"):
        ana.receive(signed(ben, message_id), BEN)
    assert not chat_of(ana).ledger.left(Charge.PEER_FAILURE, DEPLOYED.budgets, ana.world.now, BEN)
    ana.receive(imdn(failed("m1", reason), receipt_id="forged"), BEN)
    ana.receive(signed(ben, "m4"), BEN)
    assert [one.message_id for one in chat_of(ana).again] == ["m2", "m3"]
    ana.receive(signed(ben, "m1", reason), BEN)
    ana.receive(signed(ben, "m4"), BEN)
    assert [one.message_id for one in chat_of(ana).again] == ["m2", "m3", "m4"]


def test_what_fails_again_and_again_has_the_conversation_looked_at() -> None:
    """rcc16.md 5.6: escalate after two repeats in an hour; on a signed word alone."""
    for is_signed in (True, False):
        _, ana, ben, _ = writing("m1")
        for number in range(3):
            ana.write(GROUP, "hello", f"again-{number}", root="m1", audience=(BEN,))
            report = signed(ben, f"again-{number}")
            ana.receive(report if is_signed else replace(report, headers=()), BEN)
        assert (chat_of(ana).heal is not None) is is_signed
