"""Chats with chatbots in the engine: never encrypted, by the user's decision alone, and never mistaken for another."""

from __future__ import annotations

import json

import pytest

from chatbots.messages import CARD, CAROUSEL, CHIPS, MEDIA
from engine.world import ALICE, BOB, MemoryState, Phone, World
from letterlock.carriage import Inbound, Outbound
from letterlock.codec import cpim
from letterlock.codec.chatbot import maap
from letterlock.codec.chatbot import model as m
from letterlock.codec.chatbot.model import DeviceData
from letterlock.engine.content import (
    ENCRYPTED_ONLY,
    Card,
    Carousel,
    DeviceReport,
    Location,
    Reference,
    SuggestionResponse,
    Suggestions,
    Text,
    Unknown,
)
from letterlock.engine.events import (
    MessageReceived,
    MessageSent,
    MessageUnreadable,
    Recorded,
    SecurityChanged,
    decode_recorded,
    encode_recorded,
    event_to_json,
)
from letterlock.engine.policy import PlainOption
from letterlock.engine.records import CHAT, CONTACT, FETCH, MESSAGE
from letterlock.engine.security import WORDS, Security, words
from letterlock.errors import InputError, NotEncrypted
from letterlock.ids import BotAddress, MessageId, Number

BOT = BotAddress("sip:shop@bots.example.com")
OTHER = BotAddress("sip:bank@bots.example.com")


def alone() -> tuple[World, Phone]:
    world = World()
    (alice,) = world.person(ALICE)
    return world, alice


def arrive(
    world: World, phone: Phone, content_type: str, body: bytes, *, sender: Number | BotAddress = BOT, name: str = "m-1",
    headers: tuple[tuple[str, str], ...] = (),
) -> None:  # fmt: skip
    given = cpim.headers(*headers) if headers else ()
    inbound = Inbound(sender, ALICE, MessageId(name), content_type, body, world.now, headers=given)
    phone.do(phone.engine.received, inbound)
    world.run()


def to_bot(world: World) -> list[Outbound]:
    return [outbound for _, outbound in world.sent if outbound.to == BOT]


def opened(world: World, phone: Phone) -> PlainOption:
    phone.do(phone.engine.open_chat, BOT)
    with pytest.raises(NotEncrypted) as caught:
        phone.send(BOT, "hello?")  # type: ignore[arg-type]
    error = caught.value
    assert error.reason == "business" and "not encrypted (business)" in str(error)
    (option,) = error.options
    assert (option.chat, option.name) == (BOT, "plain-rcs")
    return option


def chosen(world: World, phone: Phone) -> None:
    phone.send(BOT, "hello", allow=opened(world, phone))  # type: ignore[arg-type]
    world.run()


# --- SR-01 -------------------------------------------------------------------------------------------------------
def test_sr01_nothing_goes_to_a_bot_before_the_user_has_chosen() -> None:
    world, alice = alone()
    opened(world, alice)
    assert alice.engine.security(alice.state, BOT, world.now) is Security.BUSINESS
    world.run_for(86_400_000)
    assert world.sent == []
    # No keys are looked up: there are none, and the directory learns nothing of whom one talks to (SR-18).
    assert list(alice.state.scan(CONTACT, "sip:")) == list(alice.state.scan(FETCH, "sip:")) == []


def test_sr01_the_option_sends_and_every_message_says_what_it_is() -> None:
    world, alice = alone()
    chosen(world, alice)
    assert [(each.to, each.content_type, each.body) for each in to_bot(world)] == [(BOT, "text/plain", b"hello")]
    assert alice.engine.security(alice.state, BOT, world.now) is Security.PLAIN_RCS
    assert alice.told(MessageSent)[0].encrypted is False
    assert [event.state for event in alice.told(SecurityChanged)] == ["business", "plain-rcs"]
    alice.restart()
    alice.send(BOT, "again")  # type: ignore[arg-type]
    world.run()
    assert [each.body for each in to_bot(world)] == [b"hello", b"again"]


def test_sr01_a_decision_for_one_chat_is_none_for_another() -> None:
    world, alice = alone()
    option = opened(world, alice)
    alice.do(alice.engine.open_chat, OTHER)
    for wrong in (option, PlainOption(OTHER, option.transition, option.nonce), PlainOption(OTHER, 1, bytes(16))):
        with pytest.raises(NotEncrypted):
            alice.send(OTHER, "x", allow=wrong)  # type: ignore[arg-type]
    with pytest.raises(NotEncrypted):
        alice.send(BOT, "x", allow=PlainOption(BOT, option.transition, option.nonce, "plain-sms"))  # type: ignore[arg-type]
    assert world.sent == []


def test_there_is_no_way_to_a_bot_by_sms() -> None:
    world = World(sms=True)
    (alice,) = world.person(ALICE)
    alice.do(alice.engine.open_chat, BOT)
    assert [option.name for option in alice.engine.options(alice.state, BOT)] == ["plain-rcs"]
    chosen(world, alice)
    assert alice.engine.options(alice.state, BOT) == ()


def test_sr18_a_bot_gets_no_receipt_before_the_user_has_chosen() -> None:
    asks = (("NS", "imdn <urn:ietf:params:imdn>"), ("imdn.Disposition-Notification", "positive-delivery, display"))
    world, alice = alone()
    arrive(world, alice, "text/plain", b"buy!", headers=asks)
    alice.do(alice.engine.mark_displayed, BOT, MessageId("m-1"))
    world.run()
    assert world.sent == []
    chosen(world, alice)
    arrive(world, alice, "text/plain", b"thanks", headers=asks, name="m-2")
    assert [each.content_type for each in to_bot(world)] == ["text/plain", "message/imdn+xml"]


def test_the_words_say_who_can_read() -> None:
    before, after = words(Security.BUSINESS, BOT), words(Security.PLAIN_RCS, BOT)
    assert before.label == after.label == "Not encrypted (business)"
    for sentence in (before.sentence, after.sentence):
        assert all(word in sentence for word in ("business", "platform", "carriers"))
    assert words(Security.PLAIN_RCS, BOB) is WORDS[Security.PLAIN_RCS]


# --- SR-03 -------------------------------------------------------------------------------------------------------
def test_sr03_what_a_bot_says_stands_in_its_own_chat_and_nowhere_else() -> None:
    world, alice = alone()
    claims = (("From", f"<tel:{BOB}>"), ("NS", "ll <urn:letterlock:cpim:v1>"), ("ll.Reference-Author", BOB))
    arrive(world, alice, "text/plain", b"it is me, Bob", headers=claims)
    arrive(world, alice, "text/plain", b"it is me", sender=BOB, name="m-2")
    arrive(world, alice, "text/plain", b"and me", sender=OTHER, name="m-3")
    assert [(event.chat, event.text) for event in alice.told(MessageReceived)] == [
        (BOT, "it is me, Bob"),
        (BOB, "it is me"),
        (OTHER, "and me"),
    ]
    assert [message.sender for message in alice.history(BOT)] == [BOT]  # type: ignore[arg-type]
    assert [message.sender for message in alice.history(BOB)] == [BOB]


def test_sr03_a_bot_cannot_change_or_confirm_what_is_in_another_chat() -> None:
    world, alice = alone()
    (bob,) = world.person(BOB)
    alice.do(alice.engine.open_chat, BOB)
    sent = alice.send(BOB, "for Bob")
    world.run()
    reference = (("NS", "ll <urn:letterlock:cpim:v1>"), ("ll.Reference-ID", sent), ("ll.Reference-Type", "Delete"))
    arrive(world, alice, "text/plain", b"", headers=reference)
    receipt = (
        b'<imdn xmlns="urn:ietf:params:xml:ns:imdn"><message-id>' + sent.encode() + b"</message-id><datetime>"
        b"2026-11-23T10:00:00Z</datetime><display-notification><status><displayed/></status></display-notification></imdn>"
    )
    before = [message.status for message in alice.history(BOB)]
    arrive(world, alice, "message/imdn+xml", receipt, name="m-2")
    assert [message.text for message in alice.history(BOB)] == ["for Bob"]
    assert [message.status for message in alice.history(BOB)] == before
    assert bob.shown() == ["for Bob"]


def test_sr03_frames_of_a_protocol_are_none_of_a_bots_business() -> None:
    world, alice = alone()
    (bob,) = world.person(BOB)
    alice.do(alice.engine.open_chat, BOB)
    bob.do(bob.engine.open_chat, ALICE)
    world.on_transmit = None
    bob.send(ALICE, "secret")
    world.run()
    frame = next(outbound for phone, outbound in world.sent if phone is bob)
    shown = len(alice.told(MessageReceived))
    arrive(world, alice, frame.content_type, frame.body, name=frame.message_id)
    assert len(alice.told(MessageReceived)) == shown
    assert [(event.chat, event.reason) for event in alice.told(MessageUnreadable)] == [(BOT, "bot")]
    assert alice.history(BOT) == []  # type: ignore[arg-type]


def test_bots_are_in_no_group() -> None:
    _, alice = alone()
    with pytest.raises(NotEncrypted) as caught:
        alice.do(alice.engine.create_group, [BOT], "lunch")
    assert (caught.value.reason, caught.value.options) == ("business", ())


# --- content -----------------------------------------------------------------------------------------------------
def view(phone: Phone, chat: BotAddress = BOT) -> list[object]:
    return [phone.engine.view(phone.state, chat, message).content for message in phone.history(chat)]  # type: ignore[arg-type]


def test_cards_are_shown_in_views_and_events() -> None:
    world, alice = alone()
    arrive(world, alice, maap.MESSAGE_TYPE, maap.encode_message(CARD))
    kind, body = maap.encode_joined(maap.MESSAGE_TYPE, maap.encode_message(CAROUSEL), CHIPS, "b-1")
    arrive(world, alice, kind, body, name="m-2")
    kind, body = maap.encode_joined("text/plain;charset=UTF-8", "grüß Gott".encode(), CHIPS, "b-1")
    arrive(world, alice, kind, body, name="m-3")
    arrive(world, alice, maap.SUGGESTIONS_TYPE, maap.encode_suggestions(CHIPS), name="m-4")
    assert view(alice) == [
        Card(CARD),
        Carousel(CAROUSEL, CHIPS),
        Suggestions(CHIPS, Text("grüß Gott")),
        Suggestions(CHIPS),
    ]
    card, carousel, text, bare = alice.told(MessageReceived)
    assert (card.encrypted, card.text, text.text, bare.text) == (False, None, "grüß Gott", None)
    assert card.content is not None and carousel.content is not None and text.content is not None
    assert [each["number"] for each in carousel.content["suggestions"]] == [1, 2, 3, 4]
    assert [each["text"] for each in carousel.content["suggestions"]] == [
        "Take red",
        "Call us",
        "Yes, please",
        "Our page",
    ]
    assert (card.content["kind"], text.content["kind"]) == ("card", "suggestions")
    assert card.content["card"]["content"]["media"]["url"] == "https://shop.example/shoe.png"
    assert json.loads(json.dumps(event_to_json(card)))["content"] == card.content


def test_the_largest_carousel_that_may_be_sent_is_shown_whole() -> None:
    full = m.CardContent("t" * 200, "d" * 2000, MEDIA, (m.Reply("x" * 25, "p" * 2048),) * 4)
    carousel = m.Carousel((full,) * 10)
    body = maap.encode_message(carousel)
    assert len(body) > 100_000
    world, alice = alone()
    arrive(world, alice, maap.MESSAGE_TYPE, body)
    assert view(alice) == [Carousel(carousel)]


def test_a_card_that_makes_no_sense_is_shown_as_unknown() -> None:
    world, alice = alone()
    arrive(world, alice, maap.MESSAGE_TYPE, b'{"message":{}}')
    arrive(world, alice, 'multipart/mixed;boundary="b"', b"--b\r\n\r\nx\r\n--b--", name="m-2")
    for content, code in zip(view(alice), ("chatbot.message", ""), strict=True):
        assert isinstance(content, Unknown) and content.reason == code


def test_sr09_what_cannot_be_written_down_does_not_come_for_ever() -> None:
    """The event of a message is stored with it: if that failed, the network would bring the message again and again."""
    world, alice = alone()
    arrive(world, alice, maap.SUGGESTIONS_TYPE, b'{"suggestions":[{"action":{"\\ud800":{},"displayText":"x"}}]}')
    (event,) = alice.told(MessageReceived)
    assert decode_recorded(encode_recorded(Recorded(1, world.now, event))).event == event


@pytest.mark.parametrize("sender", [BOT, BOB])
@pytest.mark.parametrize(
    "declared", ["image/png; x", "image/png; =", 'image/png; a="b', "image/png\xff; a", "nonsense", "a/b/c", "", "x /y"]
)
def test_sr09_a_type_that_cannot_be_read_costs_no_message(sender: BotAddress | Number, declared: str) -> None:
    """Whoever sends so is shown, and what comes behind it too: a turn that fails has the network bring it for ever."""
    world, alice = alone()
    arrive(world, alice, declared, b"\x89PNG", sender=sender)
    arrive(world, alice, "text/plain", b"and then", sender=sender, name="m-2")
    (odd, text) = view(alice, sender)  # type: ignore[arg-type]
    assert isinstance(odd, Unknown) and text == Text("and then")
    assert len(alice.told(MessageReceived)) == 2


@pytest.mark.parametrize("sender", [BOT, BOB])
@pytest.mark.parametrize("body", [b"", b"m-0", b"\xff"])
@pytest.mark.parametrize("kind", sorted(ENCRYPTED_ONLY))
def test_sr09_what_belongs_into_the_encryption_is_not_taken_outside_of_it(
    sender: BotAddress | Number, body: bytes, kind: str
) -> None:
    world, alice = alone()
    arrive(world, alice, kind, body, sender=sender)
    assert [(event.chat, event.reason) for event in alice.told(MessageUnreadable)] == [(sender, "not_encrypted")]
    assert view(alice, sender) == [] and world.sent == []  # type: ignore[arg-type]


def test_an_answer_echoes_its_suggestion_and_names_its_message() -> None:
    world, alice = alone()
    arrive(world, alice, maap.SUGGESTIONS_TYPE, maap.encode_suggestions(CHIPS))
    chosen(world, alice)
    answer = SuggestionResponse("Yes, please", "order:7:yes", reply_to=Reference(MessageId("m-1"), BOT))
    alice.do(alice.engine.send, BOT, answer)
    world.run()
    sent = to_bot(world)[-1]
    assert sent.content_type == maap.RESPONSE_TYPE
    assert json.loads(sent.body) == {
        "response": {"reply": {"displayText": "Yes, please", "postback": {"data": "order:7:yes"}}}
    }
    assert ("ll.Reference-ID", "m-1") in sent.headers
    mine = alice.engine.view(alice.state, BOT, alice.history(BOT)[-1])  # type: ignore[arg-type]
    assert (mine.text, mine.content) == ("Yes, please", answer)
    assert mine.reply is not None and mine.reply.message_id == "m-1"


def test_what_is_for_bots_goes_to_bots_alone() -> None:
    world, alice = alone()
    world.person(BOB)
    alice.do(alice.engine.open_chat, BOB)
    world.run()
    for content in (SuggestionResponse("Yes", "y"), DeviceReport(DeviceData("Phone"))):
        with pytest.raises(InputError) as caught:
            alice.do(alice.engine.send, BOB, content)
        assert caught.value.code == "input.chatbot"
    chosen(world, alice)
    for device in (DeviceData(client_version="x" * 257), DeviceData(client_vendor="\ud800")):
        with pytest.raises(InputError):
            alice.do(alice.engine.send, BOT, DeviceReport(device))
    alice.do(alice.engine.send, BOT, DeviceReport(DeviceData("Phone")))
    alice.do(alice.engine.send, BOT, Location(1.0, 2.0))
    with pytest.raises(InputError) as caught:
        alice.do(alice.engine.send, BOT, SuggestionResponse("Yes", "y", reply_to=Reference(MessageId("none"))))
    assert caught.value.code == "input.target"
    world.run()
    assert [each.content_type for each in to_bot(world)][1:] == [
        maap.DEVICE_TYPE,
        "application/vnd.gsma.rcspushlocation+xml",
    ]


# --- stores ------------------------------------------------------------------------------------------------------
def test_a_store_of_before_has_its_chats_still() -> None:
    """Names of bots begin where neither a number's nor a group's does: nothing that was stored reads as one."""
    world, alice = alone()
    world.person(BOB)
    alice.do(alice.engine.open_chat, BOB)
    alice.send(BOB, "before")
    world.run()
    old = alice.state.copy()
    assert isinstance(old, MemoryState)
    chosen(world, alice)
    arrive(world, alice, "text/plain", b"hello", name="m-9")
    for name, record in old.records.items():
        if name.startswith(("message/", "contact/", "at/")):
            assert alice.state.records[name] == record
    assert sorted(key.name for key in alice.state.scan(CHAT)) == [f"chat/{BOB}", f"chat/{BOT}"]
    assert len(list(alice.state.scan(MESSAGE, f"{BOT}/"))) == 2
