"""Two phones through the whole client."""

from __future__ import annotations

from pathlib import Path

import pytest

from client.phones import ANA, BEN, Town, event, texts
from letterlock.engine.events import MessageDelivered, MessageDisplayed, MessageReceived, TypingChanged
from letterlock.engine.security import Security

pytestmark = pytest.mark.anyio


async def test_two_phones_talk_both_ways(tmp_path: Path) -> None:
    town = Town(tmp_path)
    async with town.two() as (ana, ben):
        to_ben = await ana.chat(BEN)
        sent = await to_ben.send("hi ben")
        assert await texts(ben, 1) == ["hi ben"]
        to_ana = await ben.chat(ANA)
        await to_ana.send("hi ana")
        assert await texts(ana, 1) == ["hi ana"]
        delivered = await event(ana, MessageDelivered)
        assert delivered.event == MessageDelivered(BEN, sent, 1)
        await to_ana.typing()
        assert (await event(ana, TypingChanged)).event == TypingChanged(BEN, True, True)
        received = await event(ben, MessageReceived)
        await to_ana.mark_displayed(received.event.message_id)
        await event(ana, MessageDisplayed)
        assert to_ben.security is to_ana.security is Security.ENCRYPTED
        assert [message.text for message in await to_ben.messages()] == ["hi ben", "hi ana"]
        assert not any(b"hi " in outbound.body for _, outbound in town.net.sent)
