"""The demo's conversation, whole clients and all, through a proxy that we did not write: Kamailio, over TCP and TLS."""

from __future__ import annotations

import asyncio
import dataclasses
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from interop.kamailio import LAB_PASSWORD, Kamailio
from interop.test_kamailio_rcs import fresh_number
from letterlock.client import Client, Environment, SipAccount
from letterlock.engine.events import (
    Event,
    MessageDelivered,
    MessageDisplayed,
    MessageReceived,
    Recorded,
    TypingChanged,
)
from letterlock.engine.limits import DEFAULTS
from letterlock.engine.security import Security
from letterlock.ids import MessageId, Number
from letterlock.keystore import KeyFile
from letterlock.services.directory import Directory, IssuedCode

pytestmark = [pytest.mark.anyio, pytest.mark.kamailio]

_SOON = dataclasses.replace(DEFAULTS, retry_first_ms=200, retry_longest_ms=500, typing_ms=0)


@dataclass
class Handset:
    """A profile that can be switched on and off."""

    number: Number
    folder: Path

    @property
    def environment(self) -> Environment:
        return dataclasses.replace(Environment(), engine_limits=_SOON, state=self.folder / "state")

    @asynccontextmanager
    async def on(self) -> AsyncIterator[Client]:
        profile, key = self.folder / "profile", self.folder / "key"
        async with Client.open(profile, key_file=key, environment=self.environment) as client:
            yield client


async def heard(client: Client, condition: Callable[[Event], bool], count: int = 1) -> list[Event]:
    """The first `count` events for which the condition holds, from the profile's beginning."""
    found: list[Event] = []
    async with asyncio.timeout(20):
        async for recorded in client.events(after=0):
            if condition(recorded.event):
                found.append(recorded.event)
                if len(found) == count:
                    return found
    raise AssertionError("the events ended")


def received(text: str) -> Callable[[Event], bool]:
    return lambda event: isinstance(event, MessageReceived) and event.text == text and event.encrypted


def delivered(message: MessageId) -> Callable[[Event], bool]:
    return lambda event: isinstance(event, MessageDelivered) and event.message_id == message and event.authenticated


async def handsets(stack: AsyncExitStack, kamailio: Kamailio, folder: Path, *, tls: bool) -> tuple[Handset, Handset]:
    codes: dict[str, str] = {}

    def on_code(issued: IssuedCode) -> None:
        codes[issued.number] = issued.code

    directory = Directory(str(folder / "directory.db"), on_code=on_code)
    await directory.start()
    stack.push_async_callback(directory.close)
    made = []
    for name in ("ana", "ben"):
        handset = Handset(fresh_number(), folder / name)
        handset.folder.mkdir()
        KeyFile(handset.folder / "key").create(os.urandom)

        async def code(number: Number = handset.number) -> str:
            return codes[number]

        await Client.create(
            handset.folder / "profile",
            handset.number,
            directory=directory.url,
            code=code,
            key_file=handset.folder / "key",
            environment=handset.environment,
            sip=SipAccount(
                server=kamailio.host,
                port=kamailio.tls_port if tls else kamailio.tcp_port,
                domain=kamailio.domain,
                username=handset.number,
                password=LAB_PASSWORD,
                tls=tls,
                ca_file=str(kamailio.certificate.authority) if tls else None,
            ),
        )
        made.append(handset)
    return made[0], made[1]


@pytest.mark.parametrize("tls", [False, True], ids=["tcp", "tls"])
async def test_the_conversation_passes_with_receipts_and_typing(kamailio: Kamailio, tmp_path: Path, tls: bool) -> None:
    async with AsyncExitStack() as stack:
        ana, ben = await handsets(stack, kamailio, tmp_path, tls=tls)
        a = await stack.enter_async_context(ana.on())
        b = await stack.enter_async_context(ben.on())
        to_ben, to_ana = await a.chat(ben.number), await b.chat(ana.number)
        for number in range(3):
            hello = await to_ben.send(f"hello {number}")
            (event,) = await heard(b, received(f"hello {number}"))
            assert isinstance(event, MessageReceived)
            await heard(a, delivered(hello))
            await to_ana.mark_displayed(event.message_id)
            await heard(a, lambda e, hello=hello: isinstance(e, MessageDisplayed) and e.message_id == hello)
            back = await to_ana.send(f"hello back {number}")
            await heard(a, received(f"hello back {number}"))
            await heard(b, delivered(back))
        await to_ana.typing()
        await heard(a, lambda e: isinstance(e, TypingChanged) and e.active and e.encrypted)
        assert to_ben.security is Security.ENCRYPTED


@pytest.mark.parametrize("tls", [False, True], ids=["tcp", "tls"])
async def test_the_outbox_retries_for_a_phone_that_is_off(kamailio: Kamailio, tmp_path: Path, tls: bool) -> None:
    """Kamailio stores nothing: 480 until the phone is back, then the same message arrives, once."""
    async with AsyncExitStack() as stack:
        ana, ben = await handsets(stack, kamailio, tmp_path, tls=tls)
        a = await stack.enter_async_context(ana.on())
        chat = await a.chat(ben.number)
        async with ben.on() as b:
            first = await chat.send("while you are there")
            await heard(b, received("while you are there"))
            await heard(a, delivered(first))
        late = await chat.send("while you are away")
        await a.settled()  # the network has said no
        async with ben.on() as b:
            await heard(a, delivered(late))
            await heard(b, received("while you are away"))
            last = await b.cursor()
            events = [r.event async for r in _up_to(b, last)]
            assert sum(isinstance(e, MessageReceived) for e in events) == 2


async def _up_to(client: Client, last: int) -> AsyncIterator[Recorded]:
    async for recorded in client.events(after=0):
        yield recorded
        if recorded.cursor >= last:
            return
