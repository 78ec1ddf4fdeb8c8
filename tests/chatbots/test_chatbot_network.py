"""A bot over a carrier, by SIP: cards, a carousel and chips come, the client answers, and nothing of it says encrypted."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from chatbots.maap_platform import MaapPlatform
from chatbots.messages import CARD, CAROUSEL, CHIPS
from e2e.world import ANA, BEN, PASSWORD, World
from letterlock.carrier import Accounts, Carrier
from letterlock.carrier.settings import DEFAULT_DOMAIN
from letterlock.client import BotChat, Client
from letterlock.codec.chatbot import maap
from letterlock.codec.chatbot import model as m
from letterlock.engine.content import Card, Carousel, Suggestions, Text
from letterlock.engine.events import MessageReceived
from letterlock.engine.security import Security
from letterlock.errors import InputError, NotEncrypted
from letterlock.ids import BotAddress

BOT = BotAddress(f"sip:shop@{DEFAULT_DOMAIN}")

pytestmark = pytest.mark.anyio


class Town(World):
    """The same world, whose carrier has a door for application servers."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.carrier = Carrier("127.0.0.1", 0, Accounts.lab(PASSWORD), server_port=0)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with Town.open(tmp_path) as world:
        yield world


async def opened(chat: BotChat) -> None:
    with pytest.raises(NotEncrypted) as caught:
        await chat.send("hello")
    assert caught.value.reason == "business"
    (option,) = caught.value.options
    await chat.send("hello", allow=option)


async def test_a_bot_sends_cards_and_the_client_answers(world: World) -> None:
    async with MaapPlatform(world.carrier, BOT) as platform:
        ana = await world.phone(ANA)
        card, _ = await platform.send(ANA, maap.MESSAGE_TYPE, maap.encode_message(CARD))
        kind, body = maap.encode_joined(maap.MESSAGE_TYPE, maap.encode_message(CAROUSEL), CHIPS, "b-1")
        carousel, status = await platform.send(ANA, kind, body)
        assert status == 200
        kind, body = maap.encode_joined("text/plain;charset=UTF-8", b"Anything else?", CHIPS, "b-1")
        text, _ = await platform.send(ANA, kind, body, contribution="6F0CA7C8-0000-4000-8000-000000000007")
        await ana.hears("Anything else?")

        (chat,) = await ana.client.bots()
        assert (chat.name, chat.security, await ana.client.chats()) == (BOT, Security.BUSINESS, [])
        messages = await chat.messages()
        assert [each.content for each in messages] == [
            Card(CARD),
            Carousel(CAROUSEL, CHIPS),
            Suggestions(CHIPS, Text("Anything else?")),
        ]
        assert not any(each.encrypted for each in messages)
        assert [each.text for each in await chat.suggestions(carousel)][:2] == ["Take red", "Call us"]

        # SR-01: a tap is a message like any other.
        with pytest.raises(NotEncrypted):
            await chat.answer(card, 1)
        await opened(chat)
        hello = await platform.hears()
        assert (hello.body, hello.sender, hello.content_type) == (b"hello", f"<tel:{ANA}>", "text/plain")
        assert any("rcs.chatbot.sa" in each for each in hello.request.headers.all("Accept-Contact"))
        assert chat.security is Security.PLAIN_RCS

        await chat.answer(carousel, 2)  # an action: the bot hears of the tap, and that is all that happens
        tapped = await platform.hears()
        assert tapped.content_type == maap.RESPONSE_TYPE
        assert json.loads(tapped.body) == {
            "response": {"action": {"displayText": "Call us", "postback": {"data": "call"}}}
        }
        await chat.answer(text, 1)
        tapped = await platform.hears()
        assert json.loads(tapped.body)["response"]["reply"]["postback"]["data"] == "order:7:yes"
        # CPM servers know what is answered by this, readers of ours by the other.
        contribution = tapped.request.headers.get("InReplyTo-Contribution-ID")
        assert contribution == "6f0ca7c8-0000-4000-8000-000000000007"
        assert any(header.value == text for header in tapped.message.headers if header.local == "Reference-ID")

        await chat.send_location(48.2, 16.3)
        assert b"48.2 16.3" in (await platform.hears()).body
        await chat.tell_device(m.DeviceData("Phone", "1"))
        assert json.loads((await platform.hears()).body)["sharedData"]["deviceSpecifics"]["deviceModel"] == "Phone"
        for number in (0, 5, -1):
            with pytest.raises(InputError, match="no suggestion"):
                await chat.answer(carousel, number)
        with pytest.raises(InputError, match="suggests nothing"):
            await chat.answer((await chat.messages())[-1].message_id, 1)
        assert not any(each.encrypted for each in await chat.messages())


async def test_sr03_a_bot_that_calls_itself_a_number_is_a_bot(world: World) -> None:
    async with MaapPlatform(world.carrier, BOT) as platform:
        ana, ben = await world.phone(ANA), await world.phone(BEN)
        await ben.say(ANA, "it is me")
        await ana.hears("it is me")
        await platform.send(
            ANA, "text/plain", b"it is me too", display=f'"{BEN}" ', inner=(f"<tel:{BEN}>", f"<tel:{ANA}>")
        )
        await ana.hears("it is me too")
        # An address that reads as a number is the number's, and unencrypted it stands there, marked.
        await platform.send(ANA, "text/plain", b"me again", asserted=f"<sip:{BEN}@bots.example.com>")
        await ana.hears("me again")
        told = {event.text: (event.chat, event.encrypted) for event in await ana.told(MessageReceived)}
        assert told == {"it is me": (BEN, True), "it is me too": (BOT, False), "me again": (BEN, False)}
        with_ben = await (await ana.chat(BEN)).messages()
        assert [each.text for each in with_ben] == ["it is me", "me again"]


async def test_cards_and_answers_survive_a_restart_and_another_process(world: World) -> None:
    async with MaapPlatform(world.carrier, BOT) as platform:
        ana = await world.phone(ANA)
        card, _ = await platform.send(ANA, maap.MESSAGE_TYPE, maap.encode_message(CARD))
        await ana.seen(MessageReceived)
        await ana.restart()
        chat = await ana.client.bot(BOT)
        assert [each.content for each in await chat.messages()] == [Card(CARD)]
        await opened(chat)
        # Another process of the same user hands its requests to this one.
        async with Client.open(ana.profile, key_file=ana.key_file, environment=ana.environment) as other:
            assert not other.owner
            same = await other.conversation(BOT)
            assert isinstance(same, BotChat)
            assert [each.content for each in await same.messages()][:1] == [Card(CARD)]
            assert await same.suggestions(card) == CARD.content.suggestions
            answer = await same.answer(card, 2)
            assert [bot.name for bot in await other.bots()] == [BOT]
        assert [each.text for each in await chat.find(answer)] == ["Change"]
        assert (await platform.hears()).body == b"hello"
        assert json.loads((await platform.hears()).body)["response"]["reply"]["displayText"] == "Change"
