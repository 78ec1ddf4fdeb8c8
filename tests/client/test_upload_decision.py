"""A file is uploaded in the clear by a decision of the user alone, checked before a byte leaves (SR-01)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from client.phones import ANA, BEN, Town
from content.lab import PASSWORD, Server, content
from letterlock.client import Client, ContentAccount, SmsAccount
from letterlock.engine.policy import PlainOption
from letterlock.errors import InputError, NotEncrypted

pytestmark = pytest.mark.anyio
NOBODY = "+15550177"


class NoSms:
    """An SMSC that takes nothing."""

    async def start(self) -> None: ...
    async def close(self) -> None: ...
    async def send(self, outbound: Any) -> Any:
        raise AssertionError("nothing goes by SMS here")


async def test_no_option_that_is_made_up_used_or_of_sms_uploads_a_file(tmp_path: Path) -> None:
    """SR-01: what the content server has, whoever runs it has read, whatever becomes of the message."""
    source = tmp_path / "notes.bin"
    source.write_bytes(content(3_000))
    town = Town(tmp_path)
    environment = town.environment(sms=lambda *given: NoSms())
    await town.create(BEN)
    async with Server.running(tmp_path) as server:
        await Client.create(
            tmp_path / ANA,
            ANA,
            directory="http://127.0.0.1:1",
            code="12345678",
            content=ContentAccount(server.url, ANA, PASSWORD),
            sms=SmsAccount("127.0.0.1", 1, "ana", "lab", tls=False),
            passphrase="tulip",
            environment=environment,
        )
        async with Client.open(tmp_path / ANA, passphrase="tulip", environment=environment) as ana:
            chat, to_ben = await ana.chat(NOBODY), await ana.chat(BEN)
            await ana.settled()
            with pytest.raises(NotEncrypted) as caught:
                await chat.send_file(source)
            by_name: dict[str, PlainOption] = {option.name: option for option in caught.value.options}
            openly, sms = by_name["plain-rcs"], by_name["plain-sms"]
            for option in (
                replace(openly, nonce=bytes(16)),
                replace(sms, name="plain-rcs"),
                replace(openly, transition=9),
            ):
                with pytest.raises(NotEncrypted):
                    await chat.send_file(source, allow=option)
            with pytest.raises(NotEncrypted):
                await to_ben.upload(source, allow=openly)
            with pytest.raises(InputError) as refused:
                await chat.send_file(source, allow=sms)
            assert refused.value.code == "input.sms_only_text"
            assert await ana.transfers() == [] and [path for path in server.blobs() if path.is_file()] == []
            await chat.send_file(source, allow=openly)
            assert [transfer.info.upload for transfer in await ana.transfers()] == [True]
            with pytest.raises(NotEncrypted):
                await chat.upload(source, allow=openly)
