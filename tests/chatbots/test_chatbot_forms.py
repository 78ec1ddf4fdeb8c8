"""Both JSON forms of the one model: written and read back, and from one to the other."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatbots.messages import ACTIONS, CARD, CAROUSEL, CHIPS, COMMON, LIMITS, MAAP_ONLY, MEDIA, SHOP
from letterlock.codec.chatbot import maap, rbm, rbm_events
from letterlock.codec.chatbot import model as m
from letterlock.codec.chatbot.record import from_record, to_record
from letterlock.codec.mime import ContentType
from letterlock.errors import InputError


@pytest.mark.parametrize("card", [CARD, CAROUSEL, m.Card(m.CardContent("only a title"))])
def test_cards_in_maap(card: m.Card | m.Carousel) -> None:
    assert maap.decode_message(maap.encode_message(card), LIMITS) == card


@pytest.mark.parametrize("kind", ACTIONS, ids=lambda kind: type(kind).__name__)
@pytest.mark.parametrize("fallback", ["", "https://shop.example/else"])
def test_every_action_in_maap(kind: m.ActionKind, fallback: str) -> None:
    chips = (m.Action("do it", "data", kind, fallback),)
    assert maap.decode_suggestions(maap.encode_suggestions(chips), LIMITS) == chips


@pytest.mark.parametrize("kind", [*COMMON, m.OpenUrl("https://x.example", description="the page")])
def test_every_action_that_rbm_has(kind: m.ActionKind) -> None:
    message = rbm.AgentMessage(m.BotMessage("hi", (m.Action("do it", "data", kind, "https://shop.example/else"),)))
    assert rbm.decode_agent_message(rbm.encode_agent_message(message), LIMITS) == message


@pytest.mark.parametrize("kind", MAAP_ONLY, ids=lambda kind: type(kind).__name__)
def test_rbm_refuses_what_it_has_no_word_for(kind: m.ActionKind) -> None:
    with pytest.raises(InputError, match=type(kind).__name__):
        rbm.encode_agent_message(rbm.AgentMessage(m.BotMessage("hi", (m.Action("do it", "data", kind),))))


@pytest.mark.parametrize(
    "message",
    [
        rbm.AgentMessage(m.BotMessage("hello"), rbm.Traffic.SERVICE_REQUEST, ttl_s=10),
        rbm.AgentMessage(m.BotMessage("hello", CHIPS), expires=1_796_000_000_000),
        rbm.AgentMessage(m.BotMessage(m.LinkedFile("https://x.example/f", "https://x.example/t", "a file", True))),
        rbm.AgentMessage(m.BotMessage(m.LinkedFile(file_name="files/7", thumbnail_name="files/8"))),
        rbm.AgentMessage(m.BotMessage(m.Card(m.CardContent(media=m.Media(m.Height.TALL, file_name="files/7"))))),
    ],
)
def test_messages_in_rbm(message: rbm.AgentMessage) -> None:
    assert rbm.decode_agent_message(rbm.encode_agent_message(message), LIMITS) == message


def bare(content: m.CardContent) -> m.CardContent:
    """As RBM has it: without the types and sizes of media."""
    if content.media is None:
        return content
    media = replace(content.media, content_type="", size=0, thumbnail_type="", thumbnail_size=0)
    return replace(content, media=media)


def test_from_one_form_to_the_other() -> None:
    carried = maap.decode_message(maap.encode_message(CARD), LIMITS)
    there = rbm.decode_agent_message(rbm.encode_agent_message(rbm.AgentMessage(m.BotMessage(carried, CHIPS))), LIMITS)
    assert there.message == m.BotMessage(replace(CARD, content=bare(CARD.content), fonts=m.Fonts()), CHIPS)

    carried = maap.decode_message(maap.encode_message(CAROUSEL), LIMITS)
    there = rbm.decode_agent_message(rbm.encode_agent_message(rbm.AgentMessage(m.BotMessage(carried))), LIMITS)
    assert there.message.body == replace(CAROUSEL, cards=tuple(bare(card) for card in CAROUSEL.cards))
    # And back, once somebody says what the media are.
    assert isinstance(there.message.body, m.Carousel)
    with pytest.raises(InputError, match="content type and a size"):
        maap.encode_message(there.message.body)
    cards = tuple(replace(card, media=card.media and MEDIA) for card in there.message.body.cards)
    assert maap.decode_message(maap.encode_message(replace(there.message.body, cards=cards)), LIMITS) == CAROUSEL


@pytest.mark.parametrize("action", [False, True])
def test_answers_and_device_data(action: bool) -> None:
    response = m.SuggestionResponse("Yes, please", "order:7 \N{THUMBS UP SIGN}", action)
    assert maap.decode_response(maap.encode_response(response), LIMITS) == response
    for device in (m.DeviceData(), m.DeviceData("Phone", "14", "Letterlock", "5", 0)):
        assert maap.decode_device_data(maap.encode_device_data(device), LIMITS) == device


def test_a_message_with_suggestions_below_it_is_one_multipart() -> None:
    kind, body = maap.encode_joined("text/plain;charset=UTF-8", b"hello", CHIPS, "b-1")
    assert kind == 'multipart/mixed;boundary="b-1"'
    joined = maap.decode_joined(ContentType("multipart/mixed", (("boundary", "b-1"),)), body, LIMITS)
    assert joined == maap.Joined("text/plain;charset=UTF-8", b"hello", CHIPS)


def test_the_shapes_are_those_of_the_platforms() -> None:
    """What stands on the wire, word for word (chatbots.md B2, B8): a round trip would not notice a wrong name."""
    card = m.Card(
        m.CardContent("Seat 4A", media=m.Media(m.Height.MEDIUM, "https://x.example/a.png", "image/png", 7),
                      suggestions=(m.Reply("Keep", "keep"),))
    )  # fmt: skip
    assert json.loads(maap.encode_message(card)) == {
        "message": {
            "generalPurposeCard": {
                "layout": {"cardOrientation": "VERTICAL"},
                "content": {
                    "media": {
                        "mediaUrl": "https://x.example/a.png",
                        "mediaContentType": "image/png",
                        "mediaFileSize": 7,
                        "height": "MEDIUM_HEIGHT",
                    },
                    "title": "Seat 4A",
                    "suggestions": [{"reply": {"displayText": "Keep", "postback": {"data": "keep"}}}],
                },
            }
        }
    }
    message = rbm.AgentMessage(m.BotMessage(card), rbm.Traffic.TRANSACTION, 3600)
    assert json.loads(rbm.encode_agent_message(message)) == {
        "contentMessage": {
            "richCard": {
                "standaloneCard": {
                    "cardOrientation": "VERTICAL",
                    "cardContent": {
                        "title": "Seat 4A",
                        "media": {
                            "height": "MEDIUM",
                            "contentInfo": {"fileUrl": "https://x.example/a.png", "forceRefresh": False},
                        },
                        "suggestions": [{"reply": {"text": "Keep", "postbackData": "keep"}}],
                    },
                }
            }
        },
        "messageTrafficType": "TRANSACTION",
        "ttl": "3600s",
    }
    dial = m.Action("Call", "call", m.Dial(SHOP))
    assert json.loads(maap.encode_suggestions((dial,)))["suggestions"] == [
        {
            "action": {
                "dialerAction": {"dialPhoneNumber": {"phoneNumber": SHOP}},
                "displayText": "Call",
                "postback": {"data": "call"},
            }
        }
    ]
    assert json.loads(maap.encode_response(m.SuggestionResponse("Yes", "y", action=True))) == {
        "response": {"action": {"displayText": "Yes", "postback": {"data": "y"}}}
    }


@pytest.mark.parametrize("value", [CARD, CAROUSEL, *CHIPS, *ACTIONS, m.UnknownAction("x"), m.DeviceData("Phone")])
def test_our_own_json_says_all_of_it(value: object) -> None:
    assert from_record(json.loads(json.dumps(to_record(value)))) == value


_LABELS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=25)
_REPLIES = st.builds(m.Reply, _LABELS, st.text(st.characters(codec="utf-8"), min_size=1, max_size=60))


@given(st.lists(_REPLIES, min_size=1, max_size=11).map(tuple), st.sampled_from(["maap", "rbm"]))
def test_whatever_text_there_is_comes_back(chips: tuple[m.Suggestion, ...], form: str) -> None:
    if form == "maap":
        assert maap.decode_suggestions(maap.encode_suggestions(chips), LIMITS) == chips
    else:
        message = rbm.AgentMessage(m.BotMessage("x", chips))
        assert rbm.decode_agent_message(rbm.encode_agent_message(message), LIMITS) == message


DATA = {
    "text": (b'"text":"hi"', "hi"),
    "reply": (
        b'"suggestionResponse":{"postbackData":"p","text":"Yes","type":"REPLY"}',
        m.SuggestionResponse("Yes", "p"),
    ),
    "place": (b'"location":{"latitude":1.5}', rbm_events.UserPlace(1.5, 0.0)),
    "file": (
        b'"userFile":{"category":"IMAGE","payload":{"mimeType":"image/png","fileSizeBytes":"7","fileName":"a.png",'
        b'"fileUri":"https://x.example/a"}}',
        rbm_events.UserFile("a.png", "image/png", 7, "https://x.example/a", "IMAGE"),
    ),
    "later": (b'"sticker":{}', None),
}


@pytest.mark.parametrize(("member", "content"), DATA.values(), ids=DATA)
def test_what_users_send_to_an_agent(member: bytes, content: object) -> None:
    data = b'{"senderPhoneNumber":"+15550190","messageId":"m","agentId":"a","sendTime":"2026-11-23T10:00:00Z",' + member
    event = rbm_events.decode_agent_event(data + b"}", LIMITS)
    assert event == rbm_events.UserMessage(SHOP, "m", content, 1_795_428_000_000, "a")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("data", "event"),
    [
        (
            b'{"senderPhoneNumber":"+15550190","eventType":"READ","eventId":"e","messageId":"m","agentId":"a"}',
            rbm_events.UserEvent(SHOP, "READ", "e", "m", "a"),
        ),
        (
            b'{"phoneNumber":"+15550190","eventType":"TTL_EXPIRATION_REVOKED","eventId":"e","messageId":"m"}',
            rbm_events.ServerEvent(SHOP, "TTL_EXPIRATION_REVOKED", "e", "m"),
        ),
    ],
)
def test_events_are_told_apart_by_their_members(data: bytes, event: Callable[[], object]) -> None:
    assert rbm_events.decode_agent_event(data, LIMITS) == event
