"""What is not sent, field by field, and what is refused or passed over of what comes (SR-08, SR-09, SR-14)."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest

from chatbots.messages import CARD, CHIPS, LIMITS, MEDIA, SHOP
from letterlock.codec.chatbot import maap, rbm, rbm_events
from letterlock.codec.chatbot import model as m
from letterlock.codec.chatbot.checking import check_message, check_payload
from letterlock.codec.chatbot.json_text import web_url
from letterlock.codec.mime import ContentType
from letterlock.errors import DecodeError, InputError, LimitExceeded


def chips(kind: m.ActionKind) -> m.BotMessage:
    return m.BotMessage("x", (m.Action("a", "p", kind),))


def cards(count: int, **changes: object) -> m.BotMessage:
    return m.BotMessage(m.Carousel((m.CardContent("t"),) * count, **changes))  # type: ignore[arg-type]


def content(**changes: object) -> m.BotMessage:
    return m.BotMessage(m.Card(replace(m.CardContent("t"), **changes)))  # type: ignore[arg-type]


def two(first: m.Height, second: m.Height, width: m.Width = m.Width.MEDIUM) -> m.BotMessage:
    media = (m.CardContent(media=replace(MEDIA, height=each)) for each in (first, second))
    return m.BotMessage(m.Carousel(tuple(media), width))


OVER = {
    "text has 1 to 3072": m.BotMessage(""),
    "text has 1 to 3072 ": m.BotMessage("x" * 3073),
    "chips are at most 11": m.BotMessage("x", CHIPS * 6),
    "suggestions are at most 4": content(suggestions=CHIPS * 3),
    "title has 0 to 200": content(title="x" * 201),
    "description has 0 to 2000": content(description="x" * 2001),
    "card has a title": content(title=""),
    "cards are 2 to 10": cards(1),
    "cards are 2 to 10 ": cards(11),
    "height is the same": two(m.Height.SHORT, m.Height.TALL),
    "height is not TALL": two(m.Height.TALL, m.Height.TALL, m.Width.SMALL),
    "alignment": m.BotMessage(replace(CARD, alignment=None)),
    "alignment ": m.BotMessage(replace(CARD, orientation=m.Orientation.VERTICAL)),
    "label of a suggestion": m.BotMessage("x", (m.Reply("x" * 26, "p"),)),
    "label of a suggestion ": m.BotMessage("x", (m.Reply("", "p"),)),
    "postback has 1 to 2048": m.BotMessage("x", (m.Reply("x", "p" * 2049),)),
    "postback has 1 to 2048 ": m.BotMessage("x", (m.Reply("x", ""),)),
    "postback is not valid Unicode": m.BotMessage("x", (m.Reply("x", "\ud800"),)),
    "description of media has 0 to 100": content(media=replace(MEDIA, description="x" * 101)),
    "media has a URL or": content(media=replace(MEDIA, url="")),
    "media has a URL or ": content(media=replace(MEDIA, file_name="files/7")),
    "content_type is no media type": content(media=replace(MEDIA, content_type="png")),
    "size is negative": content(media=replace(MEDIA, size=-1)),
    "url has at most 2000": chips(m.OpenUrl("https://x.example/" + "y" * 2000)),
    "url is empty": chips(m.OpenUrl("")),
    "url is no http": chips(m.OpenUrl("javascript:alert(1)")),
    "parameters has 0 to 200": chips(m.OpenUrl("https://x.example", parameters="x" * 201)),
    "subject has 0 to 60": chips(m.EnrichedCall(SHOP, "x" * 61)),
    "title of an event has 1 to 100": chips(m.CalendarEvent(0, 1, "x" * 101)),
    "title of an event has 1 to 100 ": chips(m.CalendarEvent(0, 1, "")),
    "description of an event has 0 to 500": chips(m.CalendarEvent(0, 1, "x", "x" * 501)),
    "end of an event": chips(m.CalendarEvent(2, 1, "x")),
    "composed text has 1 to 100": chips(m.ComposeText(SHOP, "x" * 101)),
    "place has latitude and longitude, or": chips(m.ViewLocation(1.0, 1.0, query="x")),
    "place has latitude and longitude, or ": chips(m.ViewLocation(1.0)),
    "place is not on earth": chips(m.ViewLocation(91.0, 0.0)),
    "place is not on earth ": chips(m.ViewLocation(float("nan"), 0.0)),
    "action is of no known kind": chips(m.UnknownAction("x")),
}


@pytest.mark.parametrize(("words", "message"), OVER.items(), ids=OVER)
def test_what_a_platform_would_refuse_is_not_sent(words: str, message: m.BotMessage) -> None:
    with pytest.raises(InputError, match=words.strip()) as caught:
        check_message(message)
    assert (caught.value.code, bool(caught.value.hint)) == ("input.chatbot", True)


def test_the_bounds_themselves_are_taken() -> None:
    check_message(m.BotMessage("x" * 3072, (*CHIPS * 5, m.Reply("x" * 25, "p" * 2048))))
    full = m.CardContent("t" * 200, "d" * 2000, replace(MEDIA, description="x" * 100), CHIPS * 2)
    check_message(m.BotMessage(m.Carousel((full,) * 10)))
    check_payload(bytes(250_000))
    with pytest.raises(InputError, match="250000"):
        check_payload(bytes(250_001))


@pytest.mark.parametrize("ttl", [0, -1, 15 * 86_400 + 1])
def test_how_long_a_message_lives_is_bounded(ttl: int) -> None:
    with pytest.raises(InputError, match="lives"):
        rbm.encode_agent_message(rbm.AgentMessage(m.BotMessage("x"), ttl_s=ttl))
    with pytest.raises(InputError, match="time to live or"):
        rbm.encode_agent_message(rbm.AgentMessage(m.BotMessage("x"), ttl_s=10, expires=1))


# --- what comes --------------------------------------------------------------------------------------------------
def message(card: object) -> bytes:
    return json.dumps({"message": card}).encode()


MALFORMED = {
    "nothing": (b"", "chatbot.json"),
    "no JSON": (b"{", "chatbot.json"),
    "no object": (b"[]", "chatbot.json"),
    "no UTF-8": (b'{"message":"\xff"}', "chatbot.json"),
    "NaN": (b'{"message":NaN}', "chatbot.json"),
    "a member twice": (b'{"message":{},"message":{}}', "chatbot.json"),
    "an endless number": (b'{"message":' + b"9" * 5_000 + b"}", "chatbot.json"),
    "no message": (b"{}", "chatbot.message"),
    "a message that is none": (b'{"message":[]}', "chatbot.json"),
    "neither kind": (message({"other": {}}), "chatbot.message"),
    "both kinds": (message({"generalPurposeCard": {}, "generalPurposeCardCarousel": {}}), "chatbot.message"),
    "no content": (message({"generalPurposeCard": {"layout": {}}}), "chatbot.card"),
    "an empty card": (message({"generalPurposeCard": {"content": {}}}), "chatbot.card"),
    "an empty carousel": (message({"generalPurposeCardCarousel": {"content": []}}), "chatbot.card"),
    "a carousel of no list": (message({"generalPurposeCardCarousel": {"content": {}}}), "chatbot.type"),
    "a title of no text": (message({"generalPurposeCard": {"content": {"title": 7}}}), "chatbot.type"),
}


@pytest.mark.parametrize(("data", "code"), MALFORMED.values(), ids=MALFORMED)
def test_sr09_malformed_cards_have_one_error(data: bytes, code: str) -> None:
    with pytest.raises(DecodeError) as caught:
        maap.decode_message(data, LIMITS)
    assert caught.value.code == code


LARGE = {
    "bytes": (b'{"x":"' + bytes(b"x" * LIMITS.max_body) + b'"}'),
    "depth": b'{"message":' + b"[" * 16 + b"]" * 16 + b"}",
    "cards": message({"generalPurposeCardCarousel": {"content": [{"title": "t"}] * (LIMITS.max_cards + 1)}}),
    "suggestions": message({"generalPurposeCard": {"content": {"suggestions": [{}] * (LIMITS.max_chips + 1)}}}),
    "title": message({"generalPurposeCard": {"content": {"title": "t" * (LIMITS.max_title + 1)}}}),
    "description": message({"generalPurposeCard": {"content": {"description": "t" * (LIMITS.max_description + 1)}}}),
}


@pytest.mark.parametrize("data", LARGE.values(), ids=LARGE)
def test_sr08_what_is_too_large_is_refused_whole(data: bytes) -> None:
    with pytest.raises(LimitExceeded) as caught:
        maap.decode_message(data, LIMITS)
    assert caught.value.code == "chatbot.limit"


def test_sr09_strings_that_do_not_end_take_no_longer_than_others() -> None:
    def seconds(data: bytes) -> float:
        began = time.process_time()
        with pytest.raises(DecodeError):
            maap.decode_suggestions(data, LIMITS)
        return time.process_time() - began

    hostile = b'{"a":"' + b'\\"' * (LIMITS.max_body // 2 - 10)
    # Tried again behind each quote it would be ten thousand times as long.
    assert seconds(hostile) < 1.0


def chip(action: object) -> tuple[m.Suggestion, ...]:
    inner = {"displayText": "Tap", "postback": {"data": "p"}, **action} if isinstance(action, dict) else action
    return maap.decode_suggestions(json.dumps({"suggestions": [{"action": inner}]}).encode(), LIMITS)


@pytest.mark.parametrize(
    ("action", "name"),
    [
        ({"clipboardAction": {"copyToClipboard": {}}}, "clipboardAction"),
        ({"urlAction": {"openLater": {}}}, "openLater"),
        ({"urlAction": {}}, "urlAction"),
        ({}, ""),
        (
            {"urlAction": {"openUrl": {"url": "https://x.example"}}, "mapAction": {"requestLocationPush": {}}},
            "urlAction",
        ),
        ({"urlAction": {"openUrl": {"url": "javascript:alert(1)"}}}, "openUrl"),
        ({"urlAction": {"openUrl": {"url": "https://bank.example@evil.example/"}}}, "openUrl"),
        ({"urlAction": {"openUrl": {"url": "https://x.example/\u202e"}}}, "openUrl"),
        ({"urlAction": {"openUrl": {"url": ["https://x.example"]}}}, "openUrl"),
        ({"dialerAction": {"dialPhoneNumber": {"phoneNumber": "*#06#"}}}, "dialPhoneNumber"),
        ({"dialerAction": {"dialPhoneNumber": []}}, "dialPhoneNumber"),
        ({"mapAction": {"showLocation": {}}}, "showLocation"),
        ({"mapAction": {"showLocation": {"location": {"latitude": 91, "longitude": 0}}}}, "showLocation"),
        ({"mapAction": {"showLocation": {"location": {"latitude": True, "longitude": 0}}}}, "showLocation"),
        ({"calendarAction": {"createCalendarEvent": {"title": "t", "startTime": "soon"}}}, "createCalendarEvent"),
        (
            {"composeAction": {"composeRecordingMessage": {"phoneNumber": SHOP, "type": "SMELL"}}},
            "composeRecordingMessage",
        ),
    ],
)
def test_sr14_of_an_action_that_cannot_be_used_its_label_is_left(action: object, name: str) -> None:
    assert chip(action) == (m.Action("Tap", "p", m.UnknownAction(name)),)


def test_what_says_nothing_is_passed_over() -> None:
    items = [{}, {"menu": {}}, {"reply": {"postback": {"data": "p"}}}, {"reply": {"displayText": "Yes", "new": 1}}]
    assert maap.decode_suggestions(json.dumps({"suggestions": items, "new": []}).encode(), LIMITS) == (
        m.Reply("Yes", ""),
    )


def test_sr14_media_without_a_web_address_are_no_media() -> None:
    for url in ("file:///etc/passwd", "data:image/png;base64,AAAA", "//x.example/a", "https://", 7):
        media = {"mediaUrl": url, "height": "SHORT_HEIGHT", "mediaFileSize": 7}
        card = maap.decode_message(message({"generalPurposeCard": {"content": {"title": "t", "media": media}}}), LIMITS)
        assert card == m.Card(m.CardContent("t"))


def test_half_a_surrogate_pair_is_no_text_that_could_be_kept() -> None:
    (reply,) = maap.decode_suggestions(b'{"suggestions":[{"reply":{"displayText":"a\\ud800b"}}]}', LIMITS)
    assert reply.text == "a\N{REPLACEMENT CHARACTER}b"


@pytest.mark.parametrize(
    "action", [b'{"\\ud800":{},"displayText":"x"}', b'{"urlAction":{"\\ud800":{}},"displayText":"x"}']
)
def test_sr09_a_name_that_nobody_knows_can_be_kept(action: bytes) -> None:
    (tap,) = maap.decode_suggestions(b'{"suggestions":[{"action":' + action + b"}]}", LIMITS)
    assert tap == m.Action("x", "", m.UnknownAction("\N{REPLACEMENT CHARACTER}"))
    said = b'{"contentMessage":{"text":"a","suggestions":[{"action":{"text":"q","\\ud800":{}}}]}}'
    (tap,) = rbm.decode_agent_message(said, LIMITS).message.chips
    assert tap == m.Action("q", "", m.UnknownAction("\N{REPLACEMENT CHARACTER}"))


@pytest.mark.parametrize(
    "url", ["https://x.example", "HTTP://x.example:80/a?b=c", "http://[::1]/", "https://x.example/%E2%82%AC"]
)
def test_what_counts_as_a_web_address(url: str) -> None:
    assert web_url(url) is ("[" not in url)


@pytest.mark.parametrize(
    "body",
    [
        b"no delimiter",
        b"--b\r\n\r\nx\r\n",
        b"--b\r\nContent-Type: multipart/mixed;boundary=c\r\n\r\n--c\r\n\r\nx\r\n--c--\r\n--b--",
        b"--b\r\n\r\nx\r\n" * 20 + b"--b--",
        b"--b\r\nContent-Type: application/vnd.gsma.botsuggestion.v1.0+json\r\n\r\n{\r\n--b--",
    ],
)
def test_malformed_multiparts_have_one_error(body: bytes) -> None:
    with pytest.raises(DecodeError):
        maap.decode_joined(ContentType("multipart/mixed", (("boundary", "b"),)), body, LIMITS)


@pytest.mark.parametrize("boundary", ["", 'a"b', "a\\b", "ä"])
def test_a_boundary_that_could_break_out_is_none(boundary: str) -> None:
    with pytest.raises(DecodeError, match="boundary"):
        maap.decode_joined(ContentType("multipart/mixed", (("boundary", boundary),)), b"--a--", LIMITS)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"{}", "chatbot.event"),
        (b'{"messageId":"m","text":"x"}', "chatbot.number"),
        (b'{"messageId":"m","senderPhoneNumber":"me"}', "chatbot.number"),
        (b'{"eventType":"READ","senderPhoneNumber":"+15550190"}', "chatbot.event"),
        (b'{"eventType":"READ","eventId":"e","phoneNumber":7}', "chatbot.type"),
        (b'{"messageId":"' + b"m" * 257 + b'"}', "chatbot.limit"),
    ],
)
def test_malformed_events_have_one_error(data: bytes, code: str) -> None:
    with pytest.raises(DecodeError) as caught:
        rbm_events.decode_agent_event(data, LIMITS)
    assert caught.value.code == code


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"text": "a", "contentInfo": {"fileUrl": "https://x.example"}},
        {"contentInfo": {"fileUrl": "ftp://x.example"}},
        {"uploadedRbmFile": {}},
        {"richCard": {}},
        {"richCard": {"standaloneCard": {}}},
        {"richCard": {"carouselCard": {"cardContents": []}}},
        {"richCard": {"standaloneCard": {"cardContent": {}}}},
    ],
)
def test_malformed_messages_of_agents_have_one_error(content: object) -> None:
    with pytest.raises(DecodeError):
        rbm.decode_agent_message(json.dumps({"contentMessage": content}).encode(), LIMITS)
    with pytest.raises(DecodeError):
        rbm.decode_agent_message(b"{}", LIMITS)
