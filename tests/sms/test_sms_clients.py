"""Two clients that have nothing in common but an SMSC; and the page that says how it is."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import shlex
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from client.phones import Town, event
from letterlock.apps.cli import parser
from letterlock.apps.cli.event_words import event_text
from letterlock.apps.cli.words import message_text
from letterlock.apps.verbs.message_records import message_record
from letterlock.client import Client, SmsAccount
from letterlock.client.settings import SETTINGS, Settings
from letterlock.engine.events import MessageDelivered, MessageReceived
from letterlock.engine.limits import DEFAULTS
from letterlock.engine.record_values import Status
from letterlock.errors import DecodeError, InputError, NotEncrypted, StoreLocked
from letterlock.ids import Number
from letterlock.transport.sms.config import SmsConfig
from pages import run_page_among
from sms.smscs import ANA, BEN, End, Smsc, text

PAGE = (Path(__file__).parents[2] / "docs" / "sms.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.M | re.S)
MIXED = "🦊 for you, " * 20


class Strangers:
    """Ana and Ben: each with a carrier and a directory that knows nobody else, both at one SMSC."""

    def __init__(self, folder: Path, smsc: Smsc) -> None:
        self.towns = {ANA: Town(folder / "ana"), BEN: Town(folder / "ben")}
        self.smsc = smsc
        self.paths: dict[Number, Path] = {}

    async def set_up(self) -> Strangers:
        for number, user, password in ((ANA, "ana", "secret"), (BEN, "ben", "geheim")):
            town = self.towns[number]
            town.folder.mkdir()
            self.paths[number] = await town.create(number)
            account = SmsAccount("127.0.0.1", self.smsc.port, user, password, tls=False)
            await Client.set_sms(self.paths[number], account, passphrase="tulip", environment=town.environment())
        return self

    def open(self, number: Number) -> Client:
        return self.towns[number].open(self.paths[number])

    @contextlib.asynccontextmanager
    async def both(self) -> AsyncIterator[tuple[Client, Client]]:
        async with self.open(ANA) as ana, self.open(BEN) as ben:
            yield ana, ben


@pytest.fixture
def smsc() -> Any:
    with Smsc("smpp34") as made:
        yield made.start()


async def by_sms(client: Client, number: Number) -> Any:
    chat = await client.chat(number)
    await client.settled()
    with pytest.raises(NotEncrypted) as caught:
        await chat.send("?")
    return chat, next(option for option in caught.value.options if option.name == "plain-sms")  # type: ignore[attr-defined]


@pytest.mark.anyio
async def test_the_account_is_not_changed_under_whoever_has_the_profile_open(tmp_path: Path) -> None:
    town = Town(tmp_path / "town")
    town.folder.mkdir()
    path = await town.create(ANA)
    async with town.open(path):
        with pytest.raises(StoreLocked) as caught:
            await Client.set_sms(path, None, passphrase="tulip", environment=town.environment())
    assert "end it" in caught.value.hint and "socket" not in caught.value.hint
    await Client.set_sms(path, None, passphrase="tulip", environment=town.environment())


@pytest.mark.anyio
@pytest.mark.slow
async def test_two_clients_whose_only_common_way_is_sms(tmp_path: Path, smsc: Smsc) -> None:
    people = await Strangers(tmp_path, smsc).set_up()
    async with people.both() as (ana, ben):
        chat, option = await by_sms(ana, BEN)
        message_id = await chat.send(MIXED, allow=option)
        got = (await event(ben, MessageReceived)).event
        assert isinstance(got, MessageReceived)
        assert (got.chat, got.text, got.medium, got.encrypted) == (ANA, MIXED, "sms", False)
        told = (await event(ana, MessageDelivered)).event
        assert isinstance(told, MessageDelivered)
        assert (told.message_id, told.authenticated) == (message_id, False)
        (sent,) = await chat.messages()
        assert (sent.status, sent.medium.label) == (Status.DELIVERED, "sms")
        record = message_record(chat.name, sent)
        assert record["medium"] == "sms"
        assert message_text(record).endswith("[Not encrypted (SMS)]")
        assert event_text(await event(ben, MessageReceived)).endswith("[Not encrypted (SMS)]")
        # SR-01: that Ana writes by SMS chooses nothing for Ben.
        back, option = await by_sms(ben, ANA)
        await back.send("hello", allow=option)
        assert isinstance((await event(ana, MessageReceived)).event, MessageReceived)
        for town in people.towns.values():
            assert town.net.sent == []


@pytest.mark.anyio
@pytest.mark.slow
async def test_sr06_sms_that_wait_go_out_after_a_restart_once(tmp_path: Path, smsc: Smsc) -> None:
    people = await Strangers(tmp_path, smsc).set_up()
    smsc.kill()
    async with people.open(ANA) as ana:
        chat, option = await by_sms(ana, BEN)
        await chat.send("later", allow=option)
        await ana.settled()
        (message,) = await chat.messages()
        assert message.status is Status.SENDING
        assert people.towns[ANA].net.sent == []  # no other way is taken
    with Smsc("smpp34") as again:
        again.port = smsc.port
        again.start()
        async with people.both() as (ana, ben):
            got = (await event(ben, MessageReceived)).event
            assert isinstance(got, MessageReceived) and got.text == "later"
            await event(ana, MessageDelivered)
            assert len(await (await ben.chat(ANA)).messages()) == 1


@pytest.mark.anyio
@pytest.mark.slow
async def test_the_page_runs_and_prints_what_is_shown(tmp_path: Path, smsc: Smsc) -> None:
    people = await Strangers(tmp_path, smsc).set_up()
    async with people.both() as (ana, ben):
        assert await run_page_among("sms.md", {"ana": ana, "ben": ben}) == 3


def test_the_command_lines_of_the_page_are_understood() -> None:
    lines = [line for language, text in BLOCKS if language == "sh" for line in text.splitlines()]
    for line in lines:
        words = shlex.split(line)[1:]
        assert parser(words).parse_args(words).verb == words[0]
    assert len(lines) == 6


@pytest.mark.anyio
@pytest.mark.slow
async def test_the_smsc_of_the_page_takes_an_sms() -> None:
    [source] = [text for language, text in BLOCKS if language == "py"]
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", source.replace("2775", str(port)), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(20), End(port) as end:
            assert await process.stdout.readline() == f"SMSC at 127.0.0.1:{port}\n".encode()
            await end.transport.send(text("shall we meet?"))
            assert await process.stdout.readline() == f"{ANA[1:]} to {BEN[1:]} b'shall we meet?'\n".encode()
    finally:
        process.kill()
        await process.wait()


def test_the_numbers_of_the_page_are_ours() -> None:
    config = SmsAccount("smsc.example.net", 3550, "user", "secret").config(ANA)
    assert isinstance(config, SmsConfig)
    assert f"up to {DEFAULTS.max_sms_parts} short messages" in PAGE
    assert (config.max_groups, config.max_groups_per_sender, config.parts_ms) == (256, 8, 86_400_000)
    assert (config.window, config.enquire_s, config.pace_longest_s, config.patience_s) == (10, 30.0, 30.0, 50.0)
    assert (config.retry_first_s, config.retry_longest_s, config.repeats_ms) == (1.0, 60.0, 600_000)


def test_settings_keep_the_account_and_those_of_before_have_none() -> None:
    account = SmsAccount("smsc.example.net", 3550, "user", "secret", long_messages="payload")
    settings = Settings.new("https://directory.example.net", None, bytes, sms=account)
    data = SETTINGS.kind.encode(settings)
    assert SETTINGS.kind.decode(data) == settings
    assert "secret" not in repr(settings)
    old = json.loads(data)
    del old["sms"]
    assert SETTINGS.kind.decode(json.dumps(old).encode()).sms is None
    for change in ({"port": "3550"}, {"password": None}, {"tls": 1}):
        broken = {**json.loads(data), "sms": {**json.loads(data)["sms"], **change}}
        with pytest.raises(DecodeError):
            SETTINGS.kind.decode(json.dumps(broken).encode())
    with pytest.raises(InputError):
        SmsAccount("h", 1, "u", "p", long_messages="other").config(ANA)
