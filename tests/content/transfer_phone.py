"""A profile in a process of its own that begins one upload or download, to be killed: arguments as one JSON object."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import sys
from pathlib import Path
from typing import Any

from client.phones import CHEAP
from letterlock.client import Client, Environment, Settings
from letterlock.client.files.transfers import Content
from letterlock.codec.ft_http import RemoteFile
from letterlock.transport.content.client import ContentClient
from letterlock.transport.content.config import ContentSettings, ServerAccount


def content(environment: Environment, settings: Settings) -> Content:
    assert settings.content is not None
    account = ServerAccount(settings.content.url, settings.content.username, settings.content.password)
    return ContentClient(
        account, rng=os.urandom, now=environment.clock, settings=ContentSettings(block=65_536, first_pause_s=0.05)
    )


async def main(task: dict[str, Any]) -> None:
    environment = dataclasses.replace(
        Environment(),
        argon2=CHEAP,
        state=Path(task["state"]),
        transport=lambda environment, settings, identity, on_message: None,
        directory=lambda environment, settings, identity: None,
        content=content,
    )
    async with Client.open(task["profile"], passphrase="tulip", environment=environment) as me:
        if "upload" in task:
            transfer = await me.upload(task["upload"], name="a.bin")
        else:
            transfer = await me.download(RemoteFile(task["size"], "x/y", task["download"], None, "got"), task["to"])
        async for info in transfer.progress():
            print(json.dumps({"id": info.id, "state": info.state.value, "done": info.done}), flush=True)


asyncio.run(main(json.loads(sys.argv[1])))
