"""Cards in a terminal and `letterlock answer`, at a phone that is open in this process."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from chatbots.maap_platform import MaapPlatform
from chatbots.messages import CARD, CAROUSEL, CHIPS, MEDIA, SHOP
from chatbots.test_chatbot_network import BOT, Town
from e2e.world import ANA, Phone
from letterlock.apps.cli import main
from letterlock.apps.cli.bot_words import bot_lines
from letterlock.client import Environment
from letterlock.client.accounts import ContentAccount
from letterlock.codec.chatbot import maap
from letterlock.codec.chatbot import model as m
from letterlock.engine.content import Card
from letterlock.engine.content.suggestions_record import describe_bot
from letterlock.engine.events import MessageReceived

pytestmark = pytest.mark.anyio


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    async with Town.open(tmp_path) as town:
        yield town


class Terminal:
    """Runs commands for a phone; what they print."""

    def __init__(self, phone: Phone, capsys: pytest.CaptureFixture[str]) -> None:
        self._options = ["--profile", str(phone.profile), "--key-file", str(phone.key_file)]
        self._capsys = capsys

    async def run(self, *command: str, code: int = 0) -> tuple[str, str]:
        self._capsys.readouterr()
        given = [command[0], *self._options, *command[1:]]
        assert await asyncio.to_thread(main, given) == code
        printed = self._capsys.readouterr()
        return printed.out, printed.err

    async def json(self, *command: str, code: int = 0) -> list[dict[str, Any]]:
        out, err = await self.run(*command, "-o", "json", code=code)
        return [json.loads(line) for line in (out if code == 0 else err).splitlines()]


async def test_a_card_is_shown_and_answered(town: Town, capsys: pytest.CaptureFixture[str]) -> None:
    async with MaapPlatform(town.carrier, BOT) as platform:
        ana = await town.phone(ANA)
        terminal = Terminal(ana, capsys)
        card, _ = await platform.send(ANA, maap.MESSAGE_TYPE, maap.encode_message(CARD), message_id="card-1")
        kind, body = maap.encode_joined(maap.MESSAGE_TYPE, maap.encode_message(CAROUSEL), CHIPS, "b-1")
        await platform.send(ANA, kind, body, message_id="cards-1")
        await ana.seen(MessageReceived, lambda event: event.message_id == "cards-1")

        out, _ = await terminal.run("chats")
        assert out == f"{BOT}  Not encrypted (business)  2 new\n"
        out, _ = await terminal.run("chats", BOT)
        lines = out.splitlines()
        assert lines[0].endswith("(card)  [not encrypted]")
        assert lines[2] == f"  │ {'Seat 4A':<60} │"
        assert [line.strip() for line in lines if line.lstrip()[:1].isdigit()] == [
            "1  Keep",
            "2  Change",
            "1  Take red",
            f"2  Call us  (a call to {SHOP})",
            "3  Yes, please",
            "4  Our page  (a page: https://shop.example/7)",
        ]
        records = await terminal.json("chats", BOT)
        assert records[1]["chatbot"]["suggestions"][1] == {
            "number": 2, "type": "action", "text": "Call us", "postback": "call",
            "kind": {"type": "dial", "phone_number": SHOP},
        }  # fmt: skip

        out, _ = await terminal.run("security", BOT)
        assert "The business, its platform and the carriers can read" in out
        # SR-01: refused with a token, as every send that would not be encrypted.
        (refusal,) = await terminal.json("answer", BOT, card, "1", code=7)
        assert "the business, its platform and the carriers" in refusal["hint"]
        assert (refusal["reason"], [each["name"] for each in refusal["options"]]) == ("business", ["plain-rcs"])
        token = refusal["options"][0]["allow"]
        out, _ = await terminal.run("answer", BOT, "card-1", "1", "--allow", token)
        assert out.rstrip().endswith("Not encrypted (business)")
        assert json.loads((await platform.hears()).body)["response"]["reply"]["postback"]["data"] == "keep"

        # SR-14: what an action asks for is said, and left to the user.
        _, err = await terminal.run("answer", BOT, "cards-1", "4")
        assert "does not do the rest" in err and "https://shop.example/7" in err
        assert (await platform.hears()).content_type == maap.RESPONSE_TYPE
        (wrong,) = await terminal.json("answer", BOT, "cards-1", "9", code=1)
        assert wrong["error"] == "input.suggestion"


async def test_places_and_devices_are_told_by_the_users_word_alone(
    town: Town, capsys: pytest.CaptureFixture[str]
) -> None:
    async with MaapPlatform(town.carrier, BOT) as platform:
        ana = await town.phone(ANA)
        terminal = Terminal(ana, capsys)
        chips = (m.Action("Where are you?", "where", m.ShareLocation()), m.Action("Help", "help", m.DeviceSpecifics()))
        asks, _ = await platform.send(ANA, maap.SUGGESTIONS_TYPE, maap.encode_suggestions(chips), message_id="asks")
        await ana.seen(MessageReceived)
        chat = await ana.client.bot(BOT)
        (option,) = await chat.options()
        await chat.send("hello", allow=option)
        assert (await platform.hears()).body == b"hello"

        for place in ((), ("--place", "here"), ("--place", "1")):
            (wrong,) = await terminal.json("answer", BOT, asks, "1", *place, code=1)
            assert wrong["error"] == "input.location"
        await terminal.run("answer", BOT, asks, "1", "--place", "48.2,-16.5")
        tapped, place = await platform.hears(), await platform.hears()
        assert json.loads(tapped.body)["response"]["action"]["postback"]["data"] == "where"
        assert b"48.2 -16.5" in place.body

        await terminal.run("answer", BOT, asks, "2")
        assert json.loads((await platform.hears()).body)["response"]["action"]["displayText"] == "Help"
        await terminal.run("answer", BOT, asks, "2", "--tell-device")
        tapped, told = await platform.hears(), await platform.hears()
        assert json.loads(told.body)["sharedData"]["deviceSpecifics"]["clientVendor"] == "Letterlock"
        assert platform.heard.empty()


async def test_sr14_media_are_fetched_when_asked_for_and_from_no_private_address(
    town: Town, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    connections: list[object] = []
    server = await asyncio.start_server(lambda reader, writer: connections.append(writer.close()), "127.0.0.1", 0)
    async with MaapPlatform(town.carrier, BOT) as platform, server:
        ana = await town.phone(ANA)
        terminal = Terminal(ana, capsys)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/pixel.png?you=ana"
        card = m.Card(m.CardContent("t", media=replace(MEDIA, url=url, thumbnail_url=url)))
        name, _ = await platform.send(ANA, maap.MESSAGE_TYPE, maap.encode_message(card))
        await ana.seen(MessageReceived)
        await terminal.run("chats", BOT)
        await terminal.run("chats", BOT, "-o", "json")
        assert connections == []  # nobody learns who reads
        where = ("--chat", BOT, "--message", name, "--to", str(tmp_path / "pixel.png"))
        *_, wrong = await terminal.json("download", *where, code=1)  # its progress comes before it
        assert (wrong["error"], connections) == ("transfer.address", [])
        (wrong,) = await terminal.json("download", *where, "--media", "2", code=1)
        assert wrong["error"] == "input.target"


async def test_media_that_are_asked_for_come_whole_and_their_server_learns_nothing_else(
    town: Town, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """On this machine only the configured content server may be asked (SR-14), so the picture lies there."""
    asked: list[web.Request] = []
    pictures = {"/red.png": b"red" * 1_000, "/blue.png": b"blue" * 70_000}

    async def picture(request: web.Request) -> web.Response:
        asked.append(request)
        return web.Response(body=pictures[request.path], content_type="image/png")

    app = web.Application()
    app.router.add_get("/{name}", picture)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        home = f"http://127.0.0.1:{runner.addresses[0][1]}"
        plain = Environment().content
        account = ContentAccount(home, ANA, "secret")
        async with MaapPlatform(town.carrier, BOT) as platform:
            ana = await town.phone(
                ANA, content=lambda environment, settings: plain(environment, replace(settings, content=account))
            )
            terminal = Terminal(ana, capsys)
            cards = tuple(m.CardContent("t", media=replace(MEDIA, url=home + path)) for path in pictures)
            name, _ = await platform.send(ANA, maap.MESSAGE_TYPE, maap.encode_message(m.Carousel(cards)))
            await ana.seen(MessageReceived)
            await terminal.run("chats", BOT)
            assert asked == []
            where = ("--chat", BOT, "--message", name, "--media", "2", "--to", str(tmp_path / "picture.png"))
            await terminal.run("download", *where)
            assert (tmp_path / "picture.png").read_bytes() == pictures["/blue.png"]
            assert {request.path for request in asked} == {"/blue.png"}
            for request in asked:
                assert not {"authorization", "cookie", "referer", "from"} & {each.lower() for each in request.headers}
                assert ANA not in str(request.headers)
    finally:
        await runner.cleanup()


def test_what_is_written_on_a_card_cannot_move_the_cursor() -> None:
    hostile = m.CardContent(
        "\x1b[2Jtitle\r\nfake line",
        "\u202eback",
        m.Media(m.Height.TALL, "https://x.example/a", "image/\x07png", 7),
        (m.Reply("tap\x1b]0;x\x07", "p"),),
    )
    text = "\n".join(bot_lines(describe_bot(Card(m.Card(hostile)))))
    assert all(c.isprintable() or c == "\n" for c in text)
    assert "\\x1b[2Jtitle" in text and "\\u202eback" in text


def test_a_card_of_line_breaks_takes_one_screen() -> None:
    lines = bot_lines(describe_bot(Card(m.Card(m.CardContent("t", "a" + "\n" * 1_900 + "b")))))
    assert len(lines) < 50
    assert any("(1861 more lines)" in line for line in lines)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (m.VideoCall(SHOP), "a video call"),
        (m.EnrichedCall(SHOP, "my order"), "my order"),
        (m.ViewLocation(1.5, 2.5, "here"), "1.500000, 2.500000 here"),
        (m.ViewLocation(query="shops"), "shops"),
        (m.ShareLocation(), "a place of yours"),
        (m.CalendarEvent(0, 1, "Fitting"), "Fitting"),
        (m.ComposeText(SHOP, "hi"), "hi"),
        (m.ComposeRecording(SHOP, m.Recording.AUDIO), "audio"),
        (m.DeviceSpecifics(), "your device"),
        (m.DisableAnonymization(), "your number"),
        (m.EnableDisplayed(), "what you have seen"),
        (m.UnknownAction("x"), "does not know"),
    ],
)
def test_every_action_is_said_in_words(kind: m.ActionKind, words: str) -> None:
    card = m.Card(m.CardContent("t", suggestions=(m.Action("tap", "p", kind),)))
    assert words in bot_lines(describe_bot(Card(card)))[-1]
