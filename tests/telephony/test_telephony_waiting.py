"""Messages that wait for the directory's answer, and a user who decides meanwhile."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from client.phones import ANA, Town
from letterlock.errors import NotEncrypted
from letterlock.telephony import (
    CellularServiceID,
    Disposition,
    DispositionNotification,
    RCSMessageID,
    TelephonyMessagingSession,
    Text,
)
from telephony.lines import NOBODY, first, uri

pytestmark = pytest.mark.anyio
LINE = CellularServiceID(ANA)


async def test_what_is_to_be_encrypted_is_not_released_in_the_clear(tmp_path: Path) -> None:
    """SR-01: the user's decision is for what may be read, also after a restart."""
    town = Town(tmp_path)
    path = await town.create(ANA)
    town.book.down = True

    def session() -> TelephonyMessagingSession:
        return TelephonyMessagingSession.open(path, passphrase="tulip", environment=town.environment())

    async with session() as ana:
        for number, text in enumerate((Text("psst", True), Text("openly"), Text("psst again", True))):
            await ana.rcs_service.send_message(text, to=uri(NOBODY), using=LINE, message_id=RCSMessageID(f"a-{number}"))
    async with session() as ana:
        chat = await ana.client.chat(NOBODY)
        with pytest.raises(NotEncrypted) as caught:
            await chat.send("now", wait=False)
        [option] = caught.value.options
        assert town.net.sent == []
        assert await chat.release(option) == 1
        await ana.client.settled()
        assert [(outbound.message_id, outbound.body) for _, outbound in town.net.sent] == [("a-1", b"openly")]
        failed = []
        async with contextlib.aclosing(ana.rcs_service.incoming_message_notifications()) as told:
            for _ in range(2):
                failed.append((await first(told)).message.content)
        assert failed == [
            DispositionNotification(Disposition.DELIVERY_FAILED, RCSMessageID(message_id))
            for message_id in ("a-0", "a-2")
        ]
        assert [message.status.name for message in await chat.messages()] == ["FAILED", "ACCEPTED", "FAILED"]
