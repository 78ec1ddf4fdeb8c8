"""The webhook: who may speak to it, what is known already, and that nothing is lost while a bot is slow."""

from __future__ import annotations

import asyncio
import base64
import gzip
import hmac
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from chatbots.rbm_double import AGENT, TOKEN, RbmDouble
from letterlock.codec.chatbot.model import SuggestionResponse
from letterlock.errors import InputError
from letterlock.transport.rbm import UserEvent, UserMessage, Webhook, WebhookSettings, is_signed

PHONE = "+12025550100"
START = 1_796_000_000_000

# chatbots.md B5, checked there with openssl.
DATA = (
    "eyJzZW5kZXJQaG9uZU51bWJlciI6IisxMjAyNTU1MDEwMCIsImV2ZW50VHlwZSI6IkRFTElWRVJFRCIsImV2ZW50SWQiOiJlLTEiLCJtZXNzYWdl"
    "SWQiOiJtLTEiLCJhZ2VudElkIjoiYS0xIn0="
)
SIGNATURE = "6AuMMe3fFgU3G5RkGmfC1j1CZ5cgN64LpH9DTiGGMjud3j/o5+DnuIn6MXtFrv8Yoz5TIPl019eDbgwpZcx4qw=="

pytestmark = pytest.mark.anyio


@pytest.fixture
async def webhook() -> AsyncIterator[Webhook]:
    async with Webhook(TOKEN, settings=WebhookSettings(path="/bot", max_waiting=3, remembered=4)) as hook:
        yield hook


@pytest.fixture
async def platform() -> AsyncIterator[RbmDouble]:
    async with RbmDouble(lambda: START) as double:
        yield double


async def posted(hook: Webhook, body: bytes, signature: str = "") -> tuple[int, str, str]:
    headers = {"X-Goog-Signature": signature}
    async with aiohttp.ClientSession() as session, session.post(hook.url, data=body, headers=headers) as answer:
        return answer.status, await answer.text(), answer.content_type


def signed(raw: bytes, token: str = TOKEN) -> tuple[bytes, str]:
    signature = base64.b64encode(hmac.digest(token.encode(), raw, "sha512")).decode()
    return json.dumps({"message": {"data": base64.b64encode(raw).decode()}}).encode(), signature


def test_the_vector_of_the_documentation() -> None:
    raw = base64.b64decode(DATA)
    assert is_signed(TOKEN, raw, SIGNATURE)
    for wrong in (SIGNATURE[:-4] + "AA==", "", SIGNATURE + "=", "\N{SNOWMAN}"):
        assert not is_signed(TOKEN, raw, wrong)
    assert not is_signed(TOKEN, raw + b" ", SIGNATURE)
    assert not is_signed("OTHERTOKEN000001", raw, SIGNATURE)


async def test_the_vector_is_taken_as_it_stands(webhook: Webhook) -> None:
    body = json.dumps({"message": {"data": DATA}}).encode()
    assert (await posted(webhook, body, SIGNATURE))[0] == 200
    assert await anext(webhook) == UserEvent(PHONE, "DELIVERED", "e-1", "m-1", "a-1")  # type: ignore[arg-type]


async def test_the_address_is_proven_to_whoever_knows_the_token(webhook: Webhook) -> None:
    body = {"clientToken": TOKEN, "secret": "1234567890"}
    assert await posted(webhook, json.dumps(body).encode()) == (200, "1234567890", "text/plain")
    for wrong in (
        {"clientToken": "OTHERTOKEN000001", "secret": "1"},
        {"clientToken": TOKEN},
        {"clientToken": TOKEN, "secret": ""},
        {"clientToken": TOKEN, "secret": "x" * 257},
        {"clientToken": TOKEN, "secret": "<b>\ud800"},
        {"clientToken": 7, "secret": "1"},
    ):
        assert (await posted(webhook, json.dumps(wrong).encode()))[:2] == (400, "")


async def test_what_nobody_signed_is_not_heard(webhook: Webhook) -> None:
    raw = json.dumps({"senderPhoneNumber": PHONE, "messageId": "m", "text": "give me the money"}).encode()
    body, signature = signed(raw)
    for wrong in ("", signature[:-2], signed(raw, "OTHERTOKEN000001")[1], signed(raw + b" ")[1]):
        assert (await posted(webhook, body, wrong))[0] == 403
    assert (await posted(webhook, body, signature))[0] == 200
    assert (await anext(webhook)).id == "m"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b"[" * 5_000,
        b'{"message":{}}',
        b'{"message":{"data":"%%"}}',
        b'{"message":{"data":7}}',
        b"\xff",
    ],
)
async def test_what_is_no_delivery_is_refused(webhook: Webhook, body: bytes) -> None:
    assert (await posted(webhook, body))[0] == 400


async def test_what_is_signed_and_makes_no_sense_does_not_come_again(webhook: Webhook, platform: RbmDouble) -> None:
    for event in ({}, {"messageId": "m", "senderPhoneNumber": "me"}, {"eventType": "READ"}):
        assert await platform.post(webhook.url, event) == 200
    assert await platform.user_says(webhook.url, PHONE, "m-1", text="hello") == 200
    assert await anext(webhook) == UserMessage(PHONE, "m-1", "hello", None, AGENT)  # type: ignore[arg-type]


async def test_sr05_a_repeat_is_answered_and_not_told_again(webhook: Webhook, platform: RbmDouble) -> None:
    said: dict[str, Any] = {"suggestionResponse": {"text": "Yes", "postbackData": "y", "type": "REPLY"}}
    for _ in range(3):
        assert await platform.user_says(webhook.url, PHONE, "m-1", **said) == 200
    # An event has ids of its own.
    read = {"senderPhoneNumber": PHONE, "eventType": "READ", "eventId": "m-1", "messageId": "m-0"}
    assert await platform.post(webhook.url, read) == 200
    assert [await anext(webhook), await anext(webhook)] == [
        UserMessage(PHONE, "m-1", SuggestionResponse("Yes", "y"), None, AGENT),  # type: ignore[arg-type]
        UserEvent(PHONE, "READ", "m-1", "m-0", AGENT),  # type: ignore[arg-type]
    ]
    await webhook.close()
    assert [event async for event in webhook] == []


async def test_sr05_nobody_has_anothers_message_taken_for_a_repeat(webhook: Webhook, platform: RbmDouble) -> None:
    """The phone chooses the id."""
    for phone in (PHONE, "+12025550101"):
        assert await platform.user_says(webhook.url, phone, "1", text="x") == 200
    assert [(await anext(webhook)).sender for _ in range(2)] == [PHONE, "+12025550101"]  # type: ignore[union-attr]


async def test_sr08_a_body_that_does_not_come_is_not_waited_for() -> None:
    async with Webhook(TOKEN, settings=WebhookSettings(body_s=0.05)) as hook:
        reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(hook.url).port)
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{")
        async with asyncio.timeout(5):
            assert (await reader.readline()).split()[1] == b"408"
        writer.close()


async def test_sr08_a_body_is_not_unpacked(webhook: Webhook) -> None:
    body, signature = signed(json.dumps({"senderPhoneNumber": PHONE, "messageId": "m", "text": "x"}).encode())
    headers = {"X-Goog-Signature": signature, "Content-Encoding": "gzip"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(webhook.url, data=gzip.compress(body), headers=headers, skip_auto_headers=["Accept"]) as answer,
    ):
        assert answer.status == 400


async def test_sr08_who_does_not_keep_up_has_the_platform_come_again(webhook: Webhook, platform: RbmDouble) -> None:
    answers = [await platform.user_says(webhook.url, PHONE, f"m-{n}", text="x") for n in range(4)]
    assert answers == [200, 200, 200, 503]
    assert (await anext(webhook)).id == "m-0"
    # What was not taken is not remembered as taken.
    assert await platform.user_says(webhook.url, PHONE, "m-3", text="x") == 200
    assert [(await anext(webhook)).id for _ in range(3)] == ["m-1", "m-2", "m-3"]


async def test_sr08_what_is_remembered_is_bounded(webhook: Webhook, platform: RbmDouble) -> None:
    for n in range(6):
        assert await platform.user_says(webhook.url, PHONE, f"m-{n}", text="x") == 200
        assert (await anext(webhook)).id == f"m-{n}"
    # The window is four: the oldest was forgotten, the newest was not.
    for name in ("m-5", "m-0"):
        await platform.user_says(webhook.url, PHONE, name, text="x")
    assert (await anext(webhook)).id == "m-0"


async def test_what_waits_is_told_when_it_has_closed(platform: RbmDouble) -> None:
    async with Webhook(TOKEN) as hook:
        await platform.user_says(hook.url, PHONE, "m-1", text="x")
    assert [event.id async for event in hook] == ["m-1"]


def test_sr19_a_webhook_in_the_clear_stays_on_this_machine() -> None:
    with pytest.raises(InputError, match="in the clear"):
        Webhook(TOKEN, host="0.0.0.0")
    with pytest.raises(InputError, match="too short"):
        Webhook("1234567")
