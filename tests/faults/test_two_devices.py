"""A number with two devices, one in a session and one away, or both there: each gets each message once."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from e2e.world import ANA, BEN, Phone
from faults.lab import LARGE, ROOMY, SOON, Lab
from letterlock.engine.events import MessageDelivered, MessageFailed

pytestmark = pytest.mark.anyio

_SESSIONS = {"max_pager": 0}


async def both_once(phones: tuple[Phone, ...], texts: list[str]) -> None:
    for phone in phones:
        for text in texts:
            await phone.hears(text)
    for phone in phones:
        await phone.client.settled()
        heard = Counter(await phone.heard())
        assert {text: heard[text] for text in texts} == dict.fromkeys(texts, 1)


async def confirmed_by(sender: Phone, message_id: str, devices: int) -> None:
    """So many devices have said that they have it."""
    found: set[int] = set()

    def another(event: MessageDelivered) -> bool:
        if event.message_id == message_id:
            found.add(event.device)
        return len(found) == devices

    await sender.seen(MessageDelivered, another)


@pytest.mark.parametrize("relay", [False, True], ids=["direct", "relay"])
async def test_one_in_a_session_and_one_away(tmp_path: Path, relay: bool) -> None:
    """The session reaches the one that is there; the other gets the same messages when it is back."""
    async with Lab.open(tmp_path) as lab:
        ana, ben = await lab.pair(ANA, BEN, limits=SOON, relay=relay, rcs=_SESSIONS)
        tablet = await lab.linked(ben, "tablet")
        await ana.ask_directory(BEN)
        await lab.arrives(ana, ben, "to both")
        await tablet.hears("to both")
        await tablet.switch_off()
        texts = [f"while it is away {number}" for number in range(5)]
        sent = [await ana.say(BEN, text) for text in texts]
        for text in texts:
            await ben.hears(text)
        assert lab.transport_of(ana).real.sessions.open_with(BEN)
        await tablet.switch_on()
        await both_once((ben, tablet), texts)
        for message_id in sent:
            await confirmed_by(ana, message_id, 2)
        assert await ana.told(MessageFailed) == []


async def test_both_there_and_one_in_a_session(tmp_path: Path) -> None:
    """Forking: one of them has the session, and the other is not left out."""
    async with Lab.open(tmp_path) as lab:
        ana, ben = await lab.pair(ANA, BEN, limits=SOON, rcs=_SESSIONS)
        tablet = await lab.linked(ben, "tablet")
        await ana.ask_directory(BEN)
        texts = [f"to whom it may concern {number}" for number in range(5)]
        sent = [await ana.say(BEN, text) for text in texts]
        await both_once((ben, tablet), texts)
        for message_id in sent:
            await confirmed_by(ana, message_id, 2)


async def test_what_fits_no_request_reaches_both(tmp_path: Path) -> None:
    """It can only go over a session, and a session reaches one device: another session reaches the other."""
    async with Lab.open(tmp_path) as lab:
        ana, ben = await lab.pair(ANA, BEN, limits=ROOMY)
        tablet = await lab.linked(ben, "tablet")
        await ana.ask_directory(BEN)
        sent = await ana.say(BEN, LARGE)
        await both_once((ben, tablet), [LARGE])
        await confirmed_by(ana, sent, 2)


async def test_what_fits_no_request_reaches_one_that_was_away(tmp_path: Path) -> None:
    """The same when the other device comes back later."""
    async with Lab.open(tmp_path) as lab:
        ana, ben = await lab.pair(ANA, BEN, limits=ROOMY)
        tablet = await lab.linked(ben, "tablet")
        await ana.ask_directory(BEN)
        await tablet.switch_off()
        sent = await ana.say(BEN, LARGE)
        await ben.hears(LARGE)
        await tablet.switch_on()
        await both_once((ben, tablet), [LARGE])
        await confirmed_by(ana, sent, 2)
