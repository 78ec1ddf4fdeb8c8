"""A carrier that drops, swallows, repeats, alters and forges, before the real client, store, engine and protocol."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from carrier.phone import Phone as BarePhone
from e2e.attacker import Attacker
from e2e.world import ANA, BEN, CAROL, LIMITS, PASSWORD, Passing, Phone, World
from letterlock.carrier import Interference, Seen, delayed, duplicated, replaced, swallowed
from letterlock.codec import imdn, iscomposing
from letterlock.codec.frame import encode_frame
from letterlock.codec.sip import Request, Response
from letterlock.engine.content import encode_receipt, encode_resend_request
from letterlock.engine.events import (
    ContactKeysSeen,
    DeviceListRefused,
    KeysChanged,
    MessageAccepted,
    MessageDelivered,
    MessageDisplayed,
    MessageFailed,
    MessageMissing,
    MessageResent,
    MessageUnreadable,
    OwnListMismatch,
    ResendRequested,
    TypingChanged,
)
from letterlock.engine.limits import Privacy
from letterlock.engine.record_values import Status
from letterlock.engine.security import Security
from letterlock.ids import MessageId
from trust.people import Owner

pytestmark = pytest.mark.anyio

TEXT, IMDN, TYPING = "text/plain;charset=UTF-8", "message/imdn+xml", "application/im-iscomposing+xml"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with World.open(tmp_path) as world:
        yield world


async def talking(world: World, **changes: object) -> tuple[Phone, Phone]:
    """Ana and Ben, who have written to each other."""
    ana, ben = await world.phone(ANA), await world.phone(BEN, **changes)  # type: ignore[arg-type]
    for one, other, text in ((ana, ben, "hello"), (ben, ana, "hello too")):
        sent = await one.say(other.number, text)
        await other.hears(text)
        await one.seen(MessageDelivered, lambda event, sent=sent: event.message_id == sent)
    return ana, ben


async def still_talking(ana: Phone, ben: Phone, text: str = "still here") -> None:
    """Both directions work, encrypted."""
    await ana.say(BEN, text)
    assert (await ben.hears(text)).encrypted
    await ben.say(ANA, text + ", too")
    assert (await ana.hears(text + ", too")).encrypted


def plain_receipt(message_id: MessageId, displayed: bool) -> bytes:
    kind, status = (
        (imdn.Disposition.DISPLAY, imdn.Status.DISPLAYED)
        if displayed
        else (imdn.Disposition.DELIVERY, imdn.Status.DELIVERED)
    )
    return imdn.encode_imdn(imdn.Imdn(message_id, "2026-09-21T12:00:00Z", kind, status))


# --- no plaintext, whatever the network says -----------------------------------------------------------------
async def test_sr_02_stripped_feature_tags_change_nothing(world: World) -> None:
    """SR-02: registrations and OPTIONS answers without a single tag; the signed list decides, and all is encrypted."""

    def strip(seen: Seen) -> Interference | None:
        message = seen.message
        if isinstance(message, Response):
            return replaced(Response(message.status, message.reason, message.headers.without("Contact")))
        contact = message.headers.get("Contact") or ""
        bare = ";".join(part for part in contact.split(";") if not part.startswith(("+g.", "+3gpp")))
        return replaced(Request(message.method, message.uri, message.headers.with_("Contact", bare), message.body))

    world.options_rule = strip
    ana, ben = await talking(world)
    asker = BarePhone(CAROL, PASSWORD, port=world.carrier.port, domain=world.carrier.domain)
    async with asker:
        tags = await asker.transport.capabilities(BEN)
    assert tags is not None
    assert not tags.icsi, "the carrier did strip them"
    assert (await ana.chat(BEN)).security is (await ben.chat(ANA)).security is Security.ENCRYPTED
    assert world.plain_on_wire() == []


async def test_sr_01_a_forged_plain_message_is_shown_as_unencrypted(world: World) -> None:
    """SR-01: the carrier writes in Ana's name; Ben sees that it was not encrypted, and his chat stays what it was."""
    ana, ben = await talking(world)
    await world.forge(BEN, b"send money", sender=ANA, content_type=TEXT)
    assert not (await ben.hears("send money")).encrypted
    chat = await ben.chat(ANA)
    assert [message.encrypted for message in await chat.messages()] == [True, True, False]
    assert chat.security is Security.ENCRYPTED
    assert not await chat.options()
    await still_talking(ana, ben)
    assert world.plain_on_wire() == []


async def test_sr_01_a_network_that_refuses_ciphertext_gets_no_plaintext(world: World) -> None:
    """SR-01: 415 to every frame. The message fails, visibly, and nothing of it leaves in another form."""
    ana, _ben = await talking(world)
    end = world.rule(lambda passing: swallowed(415), sender=ANA)
    sent = await ana.say(BEN, "only sealed")
    failed = await ana.seen(MessageFailed)
    assert (failed.message_id, failed.status) == (sent, 415)
    assert world.plain_on_wire() == []
    end()
    assert (await ana.chat(BEN)).security is Security.ENCRYPTED


# --- receipts and typing -------------------------------------------------------------------------------------
async def test_sr_05_a_forged_plain_receipt_is_not_believed(world: World) -> None:
    """SR-05: swallowed, acknowledged by the network, confirmed by a forged IMDN: Ana still sends it until Ben has it."""
    ana, ben = await talking(world)
    end = world.rule(lambda passing: swallowed(), sender=ANA)
    sent = await ana.say(BEN, "swallowed")
    await ana.seen(MessageAccepted, lambda event: event.message_id == sent)
    for displayed in (False, True):
        await world.forge(ANA, plain_receipt(sent, displayed), sender=BEN, content_type=IMDN)
    assert sent not in [event.message_id for event in await ana.told(MessageDelivered)]
    end()
    await ben.hears("swallowed")
    assert (await ana.seen(MessageDelivered, lambda event: event.message_id == sent)).authenticated
    # It was delivered, but nobody has looked at it.
    await world.forge(ANA, plain_receipt(sent, displayed=True), sender=BEN, content_type=IMDN)
    assert await ana.told(MessageDisplayed) == []
    (message,) = [m for m in await (await ana.chat(BEN)).messages() if m.message_id == sent]
    assert message.status is Status.DELIVERED


async def test_sr_05_another_contacts_receipt_is_not_believed(world: World) -> None:
    """SR-05: Carol is a genuine contact and encrypts a receipt for what Ana wrote to Ben."""
    ana, _ben = await talking(world)
    carol = await Attacker.claim(world, CAROL)
    (sent,) = [event.message_id for event in await ana.told(MessageDelivered)]
    await carol.sends(ANA, body=encode_receipt(sent, world.clock(), displayed=True))
    await carol.close()
    assert await ana.told(ContactKeysSeen, after=0)
    assert CAROL in [event.chat for event in await ana.told(ContactKeysSeen)], "she was read"
    assert await ana.told(MessageDisplayed) == []
    assert len(await ana.told(MessageDelivered)) == 1


async def test_sr_05_swallowed_receipts_cost_a_repeat_and_nothing_else(world: World) -> None:
    """SR-05: the same bytes are sent until an authenticated receipt comes; they are shown once."""
    ana, ben = await talking(world)
    world.rule(lambda passing: swallowed(), sender=BEN, times=2)
    sent = await ana.say(BEN, "again and again")
    await ana.seen(MessageDelivered, lambda event: event.message_id == sent)
    copies = [passing.body for passing in world.passed(ANA, BEN) if passing.message_id == sent]
    assert len(copies) > 1
    assert len(set(copies)) == 1
    assert (await ben.heard()).count("again and again") == 1


async def test_sr_05_forged_typing_is_not_shown(world: World) -> None:
    """SR-05: typing outside the encryption is nobody's word."""
    ana, ben = await talking(world)
    document = iscomposing.encode_iscomposing(iscomposing.IsComposing(True))
    await world.forge(BEN, document, sender=ANA, content_type=TYPING)
    assert await ben.told(TypingChanged) == []
    await (await ana.chat(BEN)).typing()
    assert (await ben.seen(TypingChanged)).encrypted


async def test_sr_18_a_stranger_learns_nothing_until_answered(world: World) -> None:
    """SR-18: who chose so sends no receipt to those whom he never wrote to."""
    ana = await world.phone(ANA)
    ben = await world.phone(BEN, privacy=Privacy(receipts_to_strangers=False))
    sent = await ana.say(BEN, "are you there?")
    await ben.hears("are you there?")
    await world.until(lambda: len(world.passed(ANA)) >= 3)  # she repeats it, in vain
    await (await ben.chat(ANA)).mark_displayed(sent)
    await ben.client.settled()
    assert world.passed(BEN) == []
    await ben.say(ANA, "yes")
    await ana.hears("yes")
    await ana.seen(MessageDelivered, lambda event: event.message_id == sent)


# --- repeated, reflected, reordered, swallowed ---------------------------------------------------------------
async def test_sr_05_replayed_frames_are_shown_once(world: World) -> None:
    """SR-05: every frame of Ana's again, three times, under its own id and under new ones."""
    ana, ben = await talking(world)
    await ana.say(BEN, "once")
    await ben.hears("once")
    for passing in list(world.passed(ANA, BEN)):
        await world.forge(BEN, passing.body, sender=ANA, message_id=passing.message_id, times=3)
        await world.forge(BEN, passing.body, sender=ANA)
    assert await ben.heard() == ["hello", "once"]
    assert len(await (await ben.chat(ANA)).messages()) == 3
    await still_talking(ana, ben)


async def test_sr_05_reflected_frames_are_nothing(world: World) -> None:
    """SR-05: Ana's own frames come back to her, in Ben's name and in her own."""
    ana, ben = await talking(world)
    cursor = await ana.client.cursor()
    for passing in list(world.passed(ANA, BEN)):
        await world.forge(ANA, passing.body, sender=BEN, message_id=passing.message_id)
        await world.forge(ANA, passing.body, sender=ANA, message_id=passing.message_id)
    assert await ana.everything(after=cursor) == []
    await still_talking(ana, ben)


async def test_sr_05_everything_three_times_is_shown_once(world: World) -> None:
    """SR-05: a carrier that delivers each message three times."""
    world.rule(lambda passing: duplicated(passing.request, 3))
    ana, ben = await talking(world)
    for n in range(8):
        await ana.say(BEN, f"line {n}")
    await ben.hears("line 7")
    assert await ben.heard() == ["hello", *(f"line {n}" for n in range(8))]
    assert await ben.told(MessageUnreadable) == []


async def test_sr_05_a_reordering_carrier_does_not_reorder_the_chat(world: World) -> None:
    """SR-05: the first of three comes last; it is still shown first."""
    ana, ben = await talking(world)
    world.rule(lambda passing: delayed(passing.request, 150), sender=ANA, times=1)
    for text in ("one", "two", "three"):
        await ana.say(BEN, text)
    await ben.hears("three")
    assert await ben.heard() == ["hello", "one", "two", "three"]


async def test_sr_05_a_message_swallowed_but_acknowledged_arrives_all_the_same(world: World) -> None:
    """SR-05: the carrier says 200 and drops it, twice. `accepted` is shown, `delivered` only when Ben has it."""
    ana, ben = await talking(world)
    world.rule(lambda passing: swallowed(), sender=ANA, times=2)
    cursor = await ana.client.cursor()
    sent = await ana.say(BEN, "precious")
    await ana.seen(MessageAccepted, lambda event: event.message_id == sent)
    await ben.hears("precious")
    await ana.seen(MessageDelivered, lambda event: event.message_id == sent)
    kinds = [type(event) for event in await ana.everything(after=cursor)]
    assert kinds.index(MessageAccepted) < kinds.index(MessageDelivered)
    copies = [passing for passing in world.passed(ANA, BEN) if passing.message_id == sent]
    assert len(copies) == 3


async def test_sr_05_a_message_that_is_kept_back_is_missed(world: World) -> None:
    """SR-05: one of three swallowed for as long as the carrier likes: Ben is told that it is missing, where it belongs."""
    ana, ben = await talking(world)
    kept: list[MessageId] = []
    end = world.rule(lambda passing: swallowed() if passing.message_id in kept else None, sender=ANA)

    def keep(passing: Passing) -> Interference:
        kept.append(passing.message_id)
        return swallowed()

    world.rule(keep, sender=ANA, times=1)
    for text in ("one", "two", "three"):
        await ana.say(BEN, text)
    missing = await ben.seen(MessageMissing)
    assert (missing.sender, missing.device, missing.first, missing.last) == (ANA, 1, 2, 2)
    await ben.hears("three")
    assert await ben.heard() == ["hello", "two", "three"]
    end()
    assert (await ben.hears("one")).fills_gap
    history = [m.text for m in await (await ben.chat(ANA)).messages()]
    assert history == ["hello", "hello too", "one", "two", "three"]


# --- forged and damaged frames ---------------------------------------------------------------------------------
async def test_sr_07_a_damaged_frame_is_shown_and_the_genuine_one_arrives(world: World) -> None:
    """SR-07: one bit of the MAC turned on the way. It is shown, costs no ratchet, and the message comes, once."""
    ana, ben = await talking(world)
    world.rule(lambda passing: passing.with_body(passing.with_mac_flipped()), sender=ANA, times=1)
    sent = await ana.say(BEN, "whole")
    unreadable = await ben.seen(MessageUnreadable)
    assert (unreadable.chat, unreadable.message_id, unreadable.reason) == (ANA, sent, "bad_mac")
    await ben.hears("whole")
    await ana.seen(MessageDelivered, lambda event: event.message_id == sent)
    await still_talking(ana, ben)
    assert (await ben.heard()).count("whole") == 1


async def test_sr_07_a_flood_of_garbage_is_counted_not_obeyed(world: World) -> None:
    """SR-07: a hundred forged frames: bounded events, bounded requests, and the sessions stand."""
    ana, ben = await talking(world)
    genuine = world.passed(ANA, BEN)[0]
    before = len(world.passed(BEN, ANA))
    for _ in range(100):
        frame = genuine.frame
        copies = tuple(dataclasses.replace(copy, type=2, ciphertext=os.urandom(200)) for copy in frame.copies)
        forged = encode_frame(dataclasses.replace(frame, device_list=b"", copies=copies))
        await world.forge(BEN, forged, sender=ANA)
    assert 0 < len(await ben.told(MessageUnreadable)) <= LIMITS.unreadable_per_hour
    assert len(await ben.told(ResendRequested)) <= LIMITS.resend_requests_per_hour
    await ben.client.settled()
    assert len(world.passed(BEN, ANA)) - before <= 2 * LIMITS.resend_requests_per_hour
    await still_talking(ana, ben)


async def test_sr_05_a_forgery_under_a_future_id_does_not_suppress_the_message(world: World) -> None:
    """SR-05: the carrier holds a message, delivers garbage under its id, under another's name too, then the message."""
    ana, ben = await talking(world)
    carol = await Attacker.claim(world, CAROL)
    held: list[Passing] = []

    def hold(passing: Passing) -> Interference:
        held.append(passing)
        return swallowed()

    end = world.rule(hold, sender=ANA)
    sent = await ana.say(BEN, "the genuine one")
    await world.until(lambda: bool(held))
    # Garbage in Ana's name, and a genuine message of Carol's under that id.
    await world.forge(BEN, held[0].with_mac_flipped(), sender=ANA, message_id=sent)
    await world.forge(BEN, b"plain under that id", sender=ANA, message_id=sent, content_type=TEXT)
    await carol.sends(BEN, "mine", message_id=sent)
    await carol.close()
    assert (await ben.seen(MessageUnreadable)).message_id == sent
    assert (await ben.hears("mine")).chat == CAROL
    end()
    heard = await ben.hears("the genuine one")
    assert (heard.chat, heard.encrypted, heard.message_id) == (ANA, True, sent)
    await ana.seen(MessageDelivered, lambda event: event.message_id == sent)


async def test_sr_03_a_frame_brought_to_another_number_is_not_read(world: World) -> None:
    """SR-03: Ana's frame for Ben at Carol's phone, as it is and with the outside rewritten; Ben gets it by the repeat."""
    ana, ben = await talking(world)
    carol = await world.phone(CAROL)
    await ana.say(CAROL, "hi carol")
    await carol.hears("hi carol")
    await carol.say(ANA, "hi ana")
    await ana.hears("hi ana")
    held: list[Passing] = []

    def hold(passing: Passing) -> Interference | None:
        if passing.recipient != BEN:
            return None
        held.append(passing)
        return swallowed()

    world.rule(hold, sender=ANA, times=1)
    sent = await ana.say(BEN, "for ben's eyes")
    await world.until(lambda: bool(held))
    frame = held[0].frame
    await world.forge(CAROL, held[0].body, sender=ANA, message_id=sent)
    readdressed = dataclasses.replace(frame, recipient_account=carol.identity.account)
    await world.forge(CAROL, encode_frame(readdressed), sender=ANA, message_id=sent)
    assert {event.reason for event in await carol.told(MessageUnreadable)} == {"other_account", "no_session"}
    await ben.hears("for ben's eyes")
    await carol.client.settled()
    await ana.client.settled()
    # Her phone may have asked for a copy; it gets none of another's message.
    assert await ana.told(MessageResent) == []
    assert await carol.heard() == ["hi carol"]


async def test_sr_03_a_frame_under_another_senders_name_is_not_taken(world: World) -> None:
    """SR-03: the carrier asserts Carol's number on Ana's frames, whether Ben knows Carol or not."""
    ana, ben = await talking(world)
    end = world.rule(lambda passing: swallowed(), sender=ANA)
    sent = await ana.say(BEN, "from ana")
    await world.until(lambda: any(passing.message_id == sent for passing in world.wire))
    first = world.passed(ANA, BEN)[0]  # with Ana's list in it
    frames = [passing for passing in world.passed(ANA, BEN) if passing.message_id == sent][:1]
    await world.forge(BEN, first.body, sender=CAROL, message_id=first.message_id)
    assert (await ben.seen(DeviceListRefused)).reason == "device_list.other_account"
    assert (await ben.seen(MessageUnreadable, lambda event: event.chat == CAROL)).reason == "device_list"
    await world.forge(BEN, frames[0].body, sender=CAROL, message_id=sent)
    carol = await world.phone(CAROL)
    await carol.say(BEN, "now you know me")
    await ben.hears("now you know me")
    await world.forge(BEN, frames[0].body, sender=CAROL, message_id=sent)
    await ben.seen(MessageUnreadable, lambda event: event.reason == "other_keys")
    assert await ben.heard() == ["hello", "now you know me"]
    end()
    assert (await ben.hears("from ana")).chat == ANA


@pytest.mark.parametrize(
    ("lie", "reason"),
    [
        ({"claim_number": ANA}, "envelope_mismatch"),
        ({"header_to": CAROL}, "envelope_mismatch"),
        ({"header_id": MessageId("another-id")}, "envelope_mismatch"),
        ({"conversation_with": ANA}, "envelope_mismatch"),
        ({"sequence": 1 << 40}, "envelope_mismatch"),
        ({"sender_head": bytes(32)}, "device_list"),
    ],
    ids=["sender", "recipient", "message-id", "conversation", "sequence", "list-head"],
)
async def test_sr_03_an_inner_header_that_says_otherwise_is_refused(
    world: World, lie: dict[str, object], reason: str
) -> None:
    """SR-03: a contact with genuine keys and a session encrypts a header that does not fit what it comes in."""
    ben = await world.phone(BEN)
    carol = await Attacker.claim(world, CAROL)
    await carol.sends(BEN, "honest")
    await ben.hears("honest")
    await carol.sends(BEN, "a lie", **lie)
    unreadable = await ben.seen(MessageUnreadable)
    assert (unreadable.chat, unreadable.reason) == (CAROL, reason)
    await carol.sends(BEN, "honest again")
    await ben.hears("honest again")
    await carol.close()
    assert await ben.heard() == ["honest", "honest again"]


async def test_sr_03_a_contact_cannot_write_as_another(world: World) -> None:
    """SR-03, SR-21: Mallory signs a list for Ana's number and writes to Ben, who knows Ana: other keys, refused."""
    ana, ben = await talking(world)
    mallory = await Attacker.claim(world, CAROL)
    impostor = Attacker.with_keys(world, Owner.make(ANA, "impostor", now=world.clock()))
    identifier, frame = await impostor.seal(BEN, "it is me, ana", asker=mallory)
    await world.forge(BEN, frame, sender=ANA, message_id=identifier)
    assert (await ben.seen(MessageUnreadable)).reason == "other_keys"
    await mallory.close()
    await impostor.close()
    assert await ben.told(KeysChanged) == []
    assert (await ben.chat(ANA)).security is Security.ENCRYPTED
    await still_talking(ana, ben)
    assert "it is me, ana" not in await ben.heard()


async def test_sr_21_an_impostor_at_first_contact_is_found_out(world: World) -> None:
    """SR-21: Ben has never met Ana. The impostor's first message is shown, then the directory's word: other keys."""
    ben = await world.phone(BEN)
    ana = await world.phone(ANA)
    mallory = await Attacker.claim(world, CAROL)
    impostor = Attacker.with_keys(world, Owner.make(ANA, "impostor", now=world.clock()))
    identifier, frame = await impostor.seal(BEN, "it is me, ana", asker=mallory)
    await world.forge(BEN, frame, sender=ANA, message_id=identifier)
    changed = await ben.seen(KeysChanged)
    assert changed.chat == ANA
    assert changed.new_account == ana.client.me.account
    chat = await ben.chat(ANA)
    assert chat.security is Security.KEYS_NEW
    # What Ben answers is for Ana, and for nobody who signed a list in her name.
    sent = await chat.send("who are you?")
    await ana.hears("who are you?")
    asked = [passing.frame for passing in world.passed(BEN, ANA) if passing.message_id == sent]
    assert {frame.recipient_account for frame in asked} == {ana.identity.account}
    await mallory.close()
    await impostor.close()


async def test_sr_04_a_list_put_into_a_frame_by_the_carrier_is_refused(world: World) -> None:
    """SR-04: in Ana's first frame the carrier changes her list: a device on paper, or a list of its own making."""
    ben = await world.phone(BEN)
    ana = await world.phone(ANA)
    stranger = Owner.make(ANA, "stranger", now=world.clock())

    def forged_list(passing: Passing) -> Interference:
        frame = passing.frame
        # The list's version, number and key stay; a bit of a device's key does not.
        damaged = bytearray(frame.device_list)
        damaged[len(damaged) // 2] ^= 1
        return passing.with_body(encode_frame(dataclasses.replace(frame, device_list=bytes(damaged))))

    def other_list(passing: Passing) -> Interference:
        return passing.with_body(encode_frame(dataclasses.replace(passing.frame, device_list=stranger.list.encoded)))

    world.rule(other_list, sender=ANA, times=1)
    world.rule(forged_list, sender=ANA, times=1)
    await ana.say(BEN, "my first")
    await ben.hears("my first")
    assert len(await ben.told(MessageUnreadable)) == 2
    (refused,) = await ben.told(DeviceListRefused)
    assert refused.chat == ANA
    (seen,) = await ben.told(ContactKeysSeen)
    assert seen.account == ana.client.me.account


async def test_sr_22_a_sender_who_was_shown_another_list_of_ours_is_noticed(world: World) -> None:
    """SR-22: the message names a list of Ben's that he never made: it is genuine, is shown, and Ben is warned."""
    ben = await world.phone(BEN)
    carol = await Attacker.claim(world, CAROL)
    await carol.sends(BEN, "hi", recipient_head=b"\x66" * 32)
    await carol.close()
    await ben.hears("hi")
    mismatch = await ben.seen(OwnListMismatch)
    assert (mismatch.reason, mismatch.seen_by) == ("unknown-head", CAROL)


async def test_sr_04_a_resend_request_gets_no_message_of_another_chat(world: World) -> None:
    """SR-04: Carol, a contact with genuine keys, says that she could not read what Ana wrote to Ben."""
    ana, _ben = await talking(world)
    carol = await Attacker.claim(world, CAROL)
    await carol.sends(ANA, "hi")
    await ana.hears("hi")
    await ana.say(CAROL, "hi carol")
    (sent,) = [message.message_id for message in await (await ana.chat(BEN)).messages() if message.mine]
    await ana.client.settled()
    before = len([p for p in world.passed(ANA, CAROL) if p.message_id == sent])
    await carol.sends(ANA, body=encode_resend_request(sent))
    await carol.close()
    await ana.client.settled()
    assert await ana.told(MessageResent) == []
    assert len([p for p in world.passed(ANA, CAROL) if p.message_id == sent]) == before == 0


async def test_sr_08_an_absurd_clock_does_not_push_a_chat_to_its_end(world: World) -> None:
    """SR-08: a contact's Lamport time of 2^63; what Ben writes afterwards still sorts and still arrives."""
    ben = await world.phone(BEN)
    carol = await Attacker.claim(world, CAROL)
    await carol.sends(BEN, "from the end of time", lamport=(1 << 63) - 1)
    await ben.hears("from the end of time")
    await carol.close()
    await ben.say(CAROL, "now")
    messages = await (await ben.chat(CAROL)).messages()
    assert [message.text for message in messages] == ["from the end of time", "now"]
    assert int(messages[-1].order.split(".")[0], 16) < 1 << 41


async def test_sr_05_a_message_does_not_take_the_place_of_another(world: World) -> None:
    """SR-05: one device, one sequence, one time, two messages (as a phone makes them that was put back from a backup)."""
    ben = await world.phone(BEN)
    carol = await Attacker.claim(world, CAROL)
    for text in ("before the backup was put back", "after it"):
        await carol.sends(BEN, text, sequence=1, lamport=1)
        await ben.hears(text)
    await carol.close()
    history = [message.text for message in await (await ben.chat(CAROL)).messages()]
    assert history == ["before the backup was put back", "after it"]
