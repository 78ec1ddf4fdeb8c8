"""A profile in a process of its own that seals and uploads, or fetches and opens, to be killed: arguments as one JSON object."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

from client.files_town import impatient
from client.phones import CHEAP
from letterlock.client import Client, Environment
from letterlock.files.pointer import decode_pointer


async def main(task: dict[str, Any]) -> None:
    environment = dataclasses.replace(
        Environment(),
        argon2=CHEAP,
        state=Path(task["state"]),
        transport=lambda environment, settings, identity, on_message: None,
        directory=lambda environment, settings, identity: None,
        content=impatient,
    )
    async with Client.open(task["profile"], passphrase="tulip", environment=environment) as me:
        if "upload" in task:
            transfer = await (await me.conversation(task["chat"])).upload(task["upload"], thumbnail=False)
        else:
            pointer = decode_pointer(bytes.fromhex(task["pointer"]))
            info = await me.profile.download_sealed("11112222-fetching", pointer, task["to"], False)
            (transfer,) = [each for each in await me.transfers() if each.id == info.id]
        print(json.dumps({"id": transfer.id, "state": "begun", "done": 0, "sealed": False}), flush=True)
        async for info in transfer.progress():
            sealed = info.sealed is not None and info.sealed.pointer is not None
            print(
                json.dumps({"id": info.id, "state": info.state.value, "done": info.done, "sealed": sealed}), flush=True
            )


asyncio.run(main(json.loads(sys.argv[1])))
