"""Faults with the real proxy: restarted in mid-conversation and in mid-session, phones that say not now.

Every message ends delivered, or failed with a reason and a time to come again.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from interop.kamailio import LAB_PASSWORD, Kamailio, missing
from interop.sip_lines import SipLine
from interop.test_kamailio_conversation import delivered, handsets, heard, received
from interop.test_kamailio_rcs import fresh_number, phone
from interop.test_kamailio_sessions import LARGE, Phone, relay, two
from letterlock.transport.rcs.config import SessionConfig

pytestmark = [pytest.mark.anyio, pytest.mark.kamailio]


@pytest.fixture
async def server() -> AsyncIterator[Kamailio]:
    """One of its own for each test: it is going to be stopped."""
    if reason := missing():
        pytest.skip(f"kamailio: {reason}")
    with Kamailio(lab_password=LAB_PASSWORD) as running:
        yield running


async def test_a_conversation_survives_restarts_of_the_proxy(server: Kamailio, tmp_path: Path) -> None:
    """What is written while it is down goes when it is back, once; nobody starts anything again."""
    async with AsyncExitStack() as stack:
        ana, ben = await handsets(stack, server, tmp_path, tls=False)
        a = await stack.enter_async_context(ana.on())
        b = await stack.enter_async_context(ben.on())
        to_ben, to_ana = await a.chat(ben.number), await b.chat(ana.number)
        first = await to_ben.send("before")
        await heard(a, delivered(first))
        for round_ in range(2):
            server.halt()
            sent = [await to_ben.send(f"down {round_} {number}") for number in range(3)]
            sent_back = await to_ana.send(f"down too {round_}")
            server.start()
            for number, message in enumerate(sent):
                await heard(b, received(f"down {round_} {number}"))
                await heard(a, delivered(message))
            await heard(a, received(f"down too {round_}"))
            await heard(b, delivered(sent_back))


async def registered_again(*phones: Phone) -> None:
    """They have noticed, and are back."""
    async with asyncio.timeout(15):
        for each in phones:
            await each.transport.registered()


async def test_a_session_between_listeners_outlives_the_proxy(server: Kamailio) -> None:
    """The media does not go through it: what is under way arrives while there is no proxy at all."""
    async with two(server, SessionConfig(idle_s=60), tls=False) as (alice, bob):
        assert (await alice.send(bob.me, LARGE)).accepted
        await bob.next()
        server.halt()
        body = os.urandom(200_000)
        result = await alice.send(bob.me, body)
        assert result.accepted and (await bob.next()).body == body
        server.start()


async def test_a_session_over_the_relay_ends_and_another_begins(server: Kamailio) -> None:
    """The relay dies with its process. A large message fails with a reason, and goes when all are back."""
    async with two(server, relay(server, tls=False), tls=False) as (alice, bob):
        assert (await alice.send(bob.me, LARGE)).accepted
        assert (await bob.next()).body == LARGE
        server.halt()
        server.start()
        async with asyncio.timeout(20):
            while True:
                try:
                    await registered_again(alice, bob)
                    result = await alice.send(bob.me, LARGE)
                except Exception as error:
                    assert str(error)
                    result = None
                if result is not None and result.accepted:
                    break
                await asyncio.sleep(0.2)
        assert (await bob.next()).body == LARGE


@pytest.mark.parametrize(
    ("said", "heard_as", "retry_after_ms"), [(480, 480, 7000), (504, 504, 7000), (503, 500, None), (486, 486, 7000)]
)
async def test_not_now_reaches_the_sender_with_its_time(
    server: Kamailio, said: int, heard_as: int, retry_after_ms: int | None
) -> None:
    """A proxy makes 503 a 500 (RFC 3261 section 16.7 step 6), and Kamailio leaves its Retry-After out."""
    async with phone(server, fresh_number()) as alice, SipLine(server, fresh_number()) as bob:
        await bob.register()
        sending = asyncio.create_task(alice.result(bob.me, b"now?"))  # type: ignore[arg-type]
        await bob.take(said, ("Retry-After", "7"))
        result = await sending
        assert (result.accepted, result.status, result.retry_after_ms) == (False, heard_as, retry_after_ms)
