"""Each hostile button on what goes over sessions, by the phones' own records: long messages of two, and what a group says."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from demo.session_world import DELAY_MS, SessionWorld
from e2e.world import ANA, BEN, Phone
from faults.lab import ROOMY
from letterlock.carrier.hostile import Attack
from letterlock.engine.events import (
    MessageAccepted,
    MessageDelivered,
    MessageDisplayed,
    MessageFailed,
    MessageReceived,
    MessageUnreadable,
)
from letterlock.engine.record_values import Status
from letterlock.engine.security import Security

pytestmark = pytest.mark.anyio

SHORT, LONG = "by the blue crane", "by the blue crane, " * 9_000
LENGTHS = pytest.mark.parametrize("text", [SHORT, LONG], ids=["one chunk", "many chunks"])


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[SessionWorld]:
    async with SessionWorld.open(tmp_path) as world:
        assert isinstance(world, SessionWorld)
        yield world


async def struck_in_session(world: SessionWorld, attack: Attack, message_id: str) -> None:
    """The carrier did it, in a session, and knows whose message that was."""
    assert world.in_sessions
    (struck,) = [struck for struck in world.struck if struck.message_id == message_id]
    assert (struck.attack, struck.sender, struck.recipient) == (attack, ANA, BEN)


async def once_and_encrypted(world: SessionWorld, ana: Phone, ben: Phone, sent: str, text: str) -> None:
    """As it was written, once, and its sender knows; nothing went in any other form (SR-01, SR-05)."""
    assert (await ben.hears(text)).encrypted
    assert (await ana.seen(MessageDelivered, lambda event: event.message_id == sent)).authenticated
    await ben.client.settled()
    assert (await ben.heard()).count(text) == 1
    assert (await ana.chat(BEN)).security is (await ben.chat(ANA)).security is Security.ENCRYPTED
    assert world.plain_on_wire() == []
    assert [event for event in await ben.told(MessageReceived) if not event.encrypted] == []
    assert await ana.told(MessageFailed) == []


@LENGTHS
@pytest.mark.parametrize("attack", list(Attack), ids=lambda attack: attack.value)
async def test_sr05_whatever_is_done_in_a_session_it_arrives_once_as_written(
    world: SessionWorld, attack: Attack, text: str
) -> None:
    """SR-01, SR-05, SR-07: one message, whatever was done to it on its way."""
    ana, ben = await world.talking(limits=ROOMY)
    world.order(attack)
    sent = await ana.say(BEN, text)
    await once_and_encrypted(world, ana, ben, sent, text)
    await struck_in_session(world, attack, sent)
    assert world.hand.orders == ()


@pytest.mark.parametrize("attack", [Attack.DROP, Attack.FORGE], ids=["drop", "forge"])
@LENGTHS
async def test_sr05_what_is_kept_back_in_a_session_is_accepted_and_no_more(
    world: SessionWorld, attack: Attack, text: str
) -> None:
    """SR-05: the relay says that all of it was received, and with `FORGE` receipts come in Ben's name: accepted, not delivered."""
    limits = dataclasses.replace(ROOMY, retry_accepted_ms=60_000, retry_accepted_longest_ms=60_000)
    ana, ben = await world.talking(limits=limits)
    world.order(attack)
    sent = await ana.say(BEN, text)
    await ana.seen(MessageAccepted, lambda event: event.message_id == sent)
    if attack is Attack.FORGE:
        await world.until(lambda: len([i for i in ana.taken if i.content_type.startswith("message/imdn")]) == 2)
    await ana.client.settled()
    (message,) = [m for m in await (await ana.chat(BEN)).messages() if m.message_id == sent]
    assert message.status is Status.ACCEPTED
    assert sent not in [event.message_id for event in await ana.told(MessageDelivered)]
    assert sent not in [event.message_id for event in await ana.told(MessageDisplayed)]
    assert text not in await ben.heard()
    await struck_in_session(world, attack, sent)


@pytest.mark.parametrize(
    ("attack", "reason"), [(Attack.RENAME, "envelope_mismatch"), (Attack.STRIP, "not_text"), (Attack.TAMPER, "")]
)
async def test_sr07_what_was_changed_in_a_session_is_refused(world: SessionWorld, attack: Attack, reason: str) -> None:
    """SR-02, SR-03, SR-07: refused with its reason, and what was written comes all the same."""
    ana, ben = await world.talking(limits=ROOMY)
    world.order(attack)
    sent = await ana.say(BEN, SHORT)
    refused = await ben.seen(MessageUnreadable)
    assert (refused.message_id == sent) is (attack is not Attack.RENAME)
    assert not reason or refused.reason == reason
    await once_and_encrypted(world, ana, ben, sent, SHORT)


@LENGTHS
async def test_sr05_what_is_late_in_a_session_is_overtaken_and_shown_in_its_place(
    world: SessionWorld, text: str
) -> None:
    """SR-05: the relay brings the second first; Ben reads them in the order in which Ana wrote them."""
    ana, ben = await world.talking(limits=ROOMY)
    world.order(Attack.DELAY)
    first = await ana.say(BEN, text)
    await ana.say(BEN, "and the second")
    await ben.hears("and the second")
    assert await ben.heard() == ["hello", text, "and the second"]
    await struck_in_session(world, Attack.DELAY, first)
    assert DELAY_MS > 0


# --- groups ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("attack", list(Attack), ids=lambda attack: attack.value)
async def test_sr05_whatever_is_done_to_what_a_group_says_it_arrives_once(world: SessionWorld, attack: Attack) -> None:
    """SR-05, SR-13: one copy of a group's message, on its way to one of its members."""
    ana, ben, group = await world.grouped()
    world.order(attack)
    sent = await world.told(ana, ben, group, "start at five")
    await ben.client.settled()
    assert (await ben.heard()).count("start at five") == 1
    assert [struck.attack for struck in world.struck if struck.message_id == sent] == [attack]
    assert world.in_sessions
    assert world.plain_on_wire() == []
    assert await ana.told(MessageFailed) == []
