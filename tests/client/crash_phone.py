"""A phone in a process of its own that may kill itself: `crash_phone.py CONFIG`, commands on stdin, JSON lines on stdout.

With `kill_at` it gets SIGKILL when it passes that checkpoint for the `nth` time after `arm` (or after the start).
Every line it prints is a promise: `sent` after `send` has returned, `event` when an event has been handed over.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from letterlock.client import Client, Environment
from letterlock.engine.events import event_to_json


class Bomb:
    def __init__(self, kill_at: str | None, nth: int, armed: bool) -> None:
        self.kill_at, self.left, self.armed = kill_at, nth, armed

    def __call__(self, name: str) -> None:
        if self.armed and name == self.kill_at:
            self.left -= 1
            if self.left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)


def say(value: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


async def follow(me: Client, after: int) -> None:
    async for recorded in me.events(after):
        say({"event": event_to_json(recorded.event), "cursor": recorded.cursor})


async def main(config: dict[str, Any]) -> None:
    bomb = Bomb(config.get("kill_at"), config.get("nth", 1), config.get("armed", False))
    environment = dataclasses.replace(Environment(), state=Path(config["state"]), checkpoint=bomb)
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async with Client.open(Path(config["profile"]), passphrase="tulip", environment=environment) as me:
        say({"open": me.number, "owner": me.owner})
        following = asyncio.ensure_future(follow(me, config.get("after", 0)))
        while line := await reader.readline():
            command = json.loads(line)
            if "arm" in command:
                bomb.armed = True
                say({"armed": True})
            elif "send" in command:
                number, text = command["send"]
                sent = await (await me.chat(number)).send(text)
                say({"sent": sent, "text": text})
            elif "burst" in command:
                number, texts = command["burst"]
                chat = await me.chat(number)

                async def one(text: str, chat: Any = chat) -> None:
                    say({"sent": await chat.send(text), "text": text})

                await asyncio.gather(*(one(text) for text in texts))
                say({"done": True})
            elif "quit" in command:
                break
        following.cancel()


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
