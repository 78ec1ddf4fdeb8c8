"""A real carrier and a real directory on loopback, phones as processes, and a check of every key on the wire."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import signal
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from client.phones import CHEAP
from letterlock.carrier import Accounts, Carrier, Interference, Seen
from letterlock.client import Client, Environment, SipAccount
from letterlock.codec import frame
from letterlock.codec.cpim import CpimLimits, decode_cpim
from letterlock.codec.sip import Request
from letterlock.engine.record_values import Message
from letterlock.services.directory import Directory, DirectoryLimits, IssuedCode, Rate
from letterlock.signal.messages import PREKEY_TYPE, decode_prekey_message, decode_signal_message

_PHONE = Path(__file__).with_name("crash_phone.py")
_CPIM = CpimLimits(max_size=1 << 20, max_headers=64, max_header_bytes=16384)


class KeyWatch:
    """Remembers which ciphertext each message key on the wire has made (SR-06: one key, one ciphertext)."""

    def __init__(self) -> None:
        self.made: dict[tuple[Any, ...], set[bytes]] = defaultdict(set)
        self.frames = 0

    def __call__(self, seen: Seen) -> Interference | None:
        if isinstance(seen.message, Request) and seen.message.method == "MESSAGE":
            content = decode_cpim(seen.message.body, _CPIM).content
            if content.content_type.media_type == frame.MEDIA_TYPE:
                self.look(content.content())
        return None

    def look(self, body: bytes) -> None:
        self.frames += 1
        read = frame.decode_frame(body, max_frame=1 << 20, max_list=1 << 20, max_copies=128)
        for copy in read.copies:
            if copy.type == PREKEY_TYPE:
                message = decode_prekey_message(copy.ciphertext, 1 << 20).message
            else:
                message = decode_signal_message(copy.ciphertext, 1 << 20)
            key = (read.sender_account, read.sender_device, copy.device, message.ratchet_key, message.counter)
            self.made[key].add(message.authenticated + message.mac)

    def reused(self) -> list[tuple[Any, ...]]:
        return [key for key, made in self.made.items() if len(made) > 1]


class Phone:
    """A phone process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[dict[str, Any]] = []
        self._more = asyncio.Event()
        self._reading = asyncio.ensure_future(self._read())

    async def _read(self) -> None:
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            if line.endswith(b"\n"):
                self.lines.append(json.loads(line))
                self._more.set()
        self._more.set()

    def say(self, **command: Any) -> None:
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):
            self.process.stdin.write(json.dumps(command).encode() + b"\n")

    async def until(self, wanted: Callable[[list[dict[str, Any]]], Any], *, unless: Phone | None = None) -> bool:
        """Wait for lines that satisfy `wanted`; False if the process ended before, or the one of `unless` did."""
        ends = {self._reading} if unless is None else {self._reading, unless._reading}
        async with asyncio.timeout(40):
            while not wanted(self.lines):
                if any(end.done() for end in ends):
                    return False
                self._more.clear()
                more = asyncio.ensure_future(self._more.wait())
                await asyncio.wait({more, *ends}, return_when=asyncio.FIRST_COMPLETED)
                more.cancel()
        return True

    @property
    def sent(self) -> dict[str, str]:
        """Text to message id of what was promised as sent."""
        return {line["text"]: line["sent"] for line in self.lines if "sent" in line}

    def events(self, kind: str) -> list[dict[str, Any]]:
        return [line["event"] for line in self.lines if line.get("event", {}).get("kind") == kind]

    async def died(self) -> bool:
        """Wait for the end; whether it was SIGKILL."""
        async with asyncio.timeout(40):
            code = await self.process.wait()
            await self._reading
        return code == -signal.SIGKILL

    async def quit(self) -> None:
        self.say(quit=True)
        async with asyncio.timeout(40):
            await self.process.wait()
            await self._reading


class Lab:
    """Carrier, directory and profiles."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.codes: dict[str, str] = {}
        self.watch = KeyWatch()
        self.carrier = Carrier("127.0.0.1", 0, Accounts.lab("lab"), tap=self.watch)
        plenty = Rate(1_000_000, 1000)
        self.directory = Directory(
            str(folder / "directory.db"),
            on_code=self._take_code,
            limits=DirectoryLimits(bundles=plenty, bundles_of_one_device=plenty, address=plenty, lookups=plenty),
        )
        self.phones: list[Phone] = []
        self.environment = dataclasses.replace(Environment(), argon2=CHEAP, state=folder / "state")

    def _take_code(self, issued: IssuedCode) -> None:
        self.codes[issued.number] = issued.code

    @classmethod
    @contextlib.asynccontextmanager
    async def running(cls, folder: Path) -> AsyncIterator[Lab]:
        lab = cls(folder)
        await lab.carrier.start()
        await lab.directory.start()
        try:
            yield lab
        finally:
            for phone in lab.phones:
                if phone.process.returncode is None:
                    phone.process.kill()
                    await phone.process.wait()
                await phone._reading
            await lab.carrier.close()
            await lab.directory.close()

    def sip(self, number: str) -> SipAccount:
        return SipAccount("127.0.0.1", self.carrier.port, self.carrier.domain, number, "lab", tls=False)

    async def create(self, number: str, **changes: Any) -> Path:
        path = self.folder / number

        async def code() -> str:
            return self.codes[number]

        await Client.create(
            path,
            number,
            directory=self.directory.url,
            code=code,
            sip=self.sip(number),
            passphrase="tulip",
            environment=dataclasses.replace(self.environment, **changes),
        )
        return path

    async def phone(self, path: Path, **config: Any) -> Phone:
        """Start a phone process; it is open, or has killed itself, when this returns."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(_PHONE),
            json.dumps({"profile": str(path), "state": str(self.environment.state), **config}),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(part for part in sys.path if part)},
            limit=1 << 22,
        )
        phone = Phone(process)
        self.phones.append(phone)
        await phone.until(lambda lines: any("open" in line for line in lines))
        return phone

    async def history(self, path: Path, peer: str) -> list[Message]:
        """What a profile that nobody has open holds of a chat."""
        offline = dataclasses.replace(
            self.environment,
            transport=lambda environment, settings, identity, on_message: None,
            directory=lambda environment, settings, identity: None,
        )
        async with Client.open(path, passphrase="tulip", environment=offline) as me:
            return list(await (await me.chat(peer)).messages(1000))
