"""SMSCs as processes: npm's smpp and PyPI's smpp34, both by JSON lines. And a memory for a transport without a client."""

from __future__ import annotations

import asyncio
import dataclasses
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from interop.json_lines import JsonLinesPeer, why_absent
from letterlock.carriage import Inbound, Medium, Outbound
from letterlock.ids import ConversationId, MessageId, Number
from letterlock.transport.sms.config import SmsConfig
from letterlock.transport.sms.memory import Changes
from letterlock.transport.sms.transport import SmsTransport

ANA, BEN = Number("+15550100"), Number("+15550199")
USERS = {"ana": {"password": "secret", "number": ANA[1:]}, "ben": {"password": "geheim", "number": BEN[1:]}}

_NODE = Path(__file__).parents[1] / "interop" / "smpp"


def missing_node() -> str:
    """Why npm's SMSC cannot run here, or nothing."""
    if shutil.which("node") is None:
        return "node is not installed"
    if not (_NODE / "node_modules" / "smpp").is_dir():
        return why_absent(
            _NODE / "node_modules" / ".npm.log", "tests/interop/smpp/node_modules is absent: npm ci there"
        )
    return ""


class Smsc(JsonLinesPeer):
    """One process. Calls run in a thread, because it may answer only after we did."""

    def __init__(self, kind: str) -> None:
        command = ["node", "smsc.mjs"] if kind == "node" else [sys.executable, "smsc34.py"]
        super().__init__(command, _NODE)
        self.port = 0

    async def ask(self, op: str, **arguments: Any) -> Any:
        return await asyncio.to_thread(self.call, op, **arguments)

    def start(self, **more: Any) -> Smsc:
        self.port = self.call("start", **{"users": USERS, "port": self.port, **more})["port"]
        return self

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self.close()


class Notes:
    """What a store keeps, without a store. `full`: it takes nothing."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}
        self.full = False

    def items(self) -> Iterable[tuple[str, str]]:
        return list(self.kept.items())

    async def keep(self, changes: Changes) -> None:
        await asyncio.sleep(0)
        if self.full:
            raise OSError("disk full")
        for name, text in changes.items():
            if text is None:
                self.kept.pop(name, None)
            else:
                self.kept[name] = text


class End:
    """A transport, and what it handed up: each id once, as an engine shows it."""

    def __init__(self, port: int, user: str = "ana", notes: Notes | None = None, **config: Any) -> None:
        self.notes = notes or Notes()
        self.seen: dict[MessageId, Inbound] = {}
        self.repeats = 0
        self.refuse = False
        account = {"ana": (ANA, "secret"), "ben": (BEN, "geheim")}[user]
        made = SmsConfig(account[0], "127.0.0.1", port, user, account[1], tls=False)
        quick = {
            "retry_first_s": 0.02,
            "retry_longest_s": 0.1,
            "pace_first_s": 0.02,
            "enquire_s": 0.1,
            "confirm_s": 0.02,
        }
        self.config = dataclasses.replace(made, **{**quick, **config})
        self.transport = SmsTransport(self.config, self._take, self.notes)
        self._news = asyncio.Event()

    async def _take(self, inbound: Inbound) -> None:
        await asyncio.sleep(0)
        if self.refuse:
            raise OSError("disk full")
        if inbound.message_id in self.seen:
            self.repeats += 1
        self.seen[inbound.message_id] = inbound
        self._news.set()

    async def __aenter__(self) -> End:
        await self.transport.start()
        async with asyncio.timeout(10):
            await self.transport.bound()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.transport.close()

    @property
    def texts(self) -> list[str]:
        return [each.body.decode() for each in self.seen.values() if each.content_type.startswith("text/plain")]

    @property
    def receipts(self) -> list[str]:
        return [each.body.decode() for each in self.seen.values() if each.content_type == "message/imdn+xml"]

    async def until(self, done: Any) -> None:
        """Wait until what was handed up makes this true."""
        async with asyncio.timeout(20):
            while not done():
                self._news.clear()
                await self._news.wait()


async def eventually(ask: Any) -> Any:
    """Ask another process until it gives something true."""
    async with asyncio.timeout(20):
        while not (answer := await ask()):
            await asyncio.sleep(0.02)
        return answer


def text(body: str, message_id: str = "message-1", to: Number = BEN) -> Outbound:
    return Outbound(
        to,
        MessageId(message_id),
        ConversationId(bytes(16)),  # type: ignore[arg-type]
        "text/plain",
        body.encode(),
        False,
        receipts=True,
        medium=Medium.SMS,
    )
