"""Messages per second, client to client through Kamailio, both ends durable. `./run bench rcs [--json]`.

Debian's Kamailio with deploy/kamailio, the directory service, and each phone a real profile (client, driver,
engine, SQLCipher with synchronous=FULL, SIP over TCP) in a process of its own. A message counts when its
sender has recorded the receiver's delivery receipt: it was encrypted and committed, carried, decrypted and
committed, acknowledged, and a receipt made the same way back. At most `--window` are on their way at once.

ops: `pager_encrypted`; `pager_plain`, the same without encryption (the receiver is in another directory, so
that no keys are found, and the user chose to send). A plain chat has no delivery receipts of ours: such a
message counts when the network's answer is recorded, which the receiver gives once it has committed; it is one
SIP transaction, and two commits, where an encrypted one with its receipt is two and four. Medians of several runs, the two interleaved. The machine should be otherwise idle.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import dataclasses
import json
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

from letterlock.client import Chat, Client, Environment, SipAccount
from letterlock.engine.events import (
    MessageAccepted,
    MessageDelivered,
    MessageExpired,
    MessageFailed,
    MessageUnreadable,
    Recorded,
)
from letterlock.engine.policy import PlainOption
from letterlock.engine.security import Security
from letterlock.keystore.wrapped import Argon2Parameters
from report import Row, row, show

TEXT = "x" * 200
PASSPHRASE = "benchmark"
NUMBERS = {"ana": "+15550101", "ben": "+15550102", "cleo": "+15550103", "dan": "+15550104"}
PAIRS = {"pager_encrypted": ("ana", "ben"), "pager_plain": ("cleo", "dan")}


def environment(folder: Path) -> Environment:
    """Argon2id runs once, when a profile is opened; its cost is not what is measured here."""
    return dataclasses.replace(
        Environment(), state=folder / "generations", argon2=Argon2Parameters(memory_kib=64, iterations=1, lanes=1)
    )


# --- one phone, in a process of its own ------------------------------------------------------------------
async def phone(folder: Path, name: str, peer: str, window: int, *, plain: bool) -> None:
    """Commands on stdin: `send N` (answered with the seconds it took), `quit`."""
    async with Client.open(folder / name, passphrase=PASSPHRASE, environment=environment(folder)) as me:
        events = me.events(await me.cursor())
        lines = await stdin_lines()
        say(ready=name)
        listener = Listener(window, plain=plain)
        watching = asyncio.ensure_future(listener.watch(events))
        chat = await me.chat(peer) if peer else None
        while line := (await lines.readline()).decode().split():
            if line[0] == "quit":
                break
            assert chat is not None
            if line[0] == "begin":
                await me.settled()  # the look-up of keys has been answered
                options = await chat.options()
                await listener.first(chat, options[0] if options else None)
                await listener.all_delivered()
                if plain is not (chat.security is Security.PLAIN_RCS):
                    raise RuntimeError(f"the chat is {chat.security.value}")
                say(begun=chat.security.value)
            else:
                began = time.perf_counter()
                for _ in range(int(line[1])):
                    await listener.send(chat)
                await listener.all_delivered()
                say(seconds=time.perf_counter() - began, bad=listener.bad)
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching


class Listener:
    """Keeps a bounded number of messages on their way and counts what came of them."""

    def __init__(self, window: int, *, plain: bool) -> None:
        self._plain = plain
        self._window = asyncio.Semaphore(window)
        self._open: set[str] = set()
        self._early: set[str] = set()
        self._sends: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self.bad = 0

    async def first(self, chat: Chat, allow: PlainOption | None) -> None:
        """The message that makes the session, or the user's decision to do without."""
        await self._window.acquire()
        await self._send(chat, allow)

    async def send(self, chat: Chat) -> None:
        """Take a place in the window and send."""
        await self._window.acquire()
        task = asyncio.ensure_future(self._send(chat, None))
        self._sends.add(task)
        task.add_done_callback(self._sends.discard)

    async def _send(self, chat: Chat, allow: PlainOption | None) -> None:
        message = await chat.send(TEXT, allow=allow)
        if message in self._early:
            self._early.discard(message)
        else:
            self._open.add(message)

    async def all_delivered(self) -> None:
        async with asyncio.timeout(300):
            while self._open or self._sends:
                self._changed.clear()
                if self._sends:
                    await asyncio.gather(*self._sends)
                elif self._open:
                    await self._changed.wait()

    async def watch(self, events: AsyncIterator[Recorded]) -> None:
        async for recorded in events:
            event = recorded.event
            if isinstance(event, MessageAccepted if self._plain else MessageDelivered):
                if event.message_id in self._open:
                    self._open.discard(event.message_id)
                else:
                    self._early.add(event.message_id)
                self._window.release()
                self._changed.set()
            elif isinstance(event, MessageFailed | MessageExpired | MessageUnreadable):
                self.bad += 1


def say(**fields: object) -> None:
    print(json.dumps(fields), flush=True)


async def stdin_lines() -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


# --- the stage ---------------------------------------------------------------------------------------------
async def measure(runs: int, count: int, window: int) -> list[Row]:
    from interop.kamailio import LAB_PASSWORD, Kamailio

    rates: dict[str, list[float]] = {op: [] for op in PAIRS}
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="letterlock-bench-")))
        kamailio = stack.enter_context(Kamailio(lab_password=LAB_PASSWORD))
        await set_up(folder, kamailio.domain, kamailio.tcp_port, LAB_PASSWORD, stack)
        senders = {}
        for op, (sender, receiver) in PAIRS.items():
            plain = op == "pager_plain"
            await start_phone(stack, folder, receiver, "", window, plain=plain)
            senders[op] = await start_phone(stack, folder, sender, NUMBERS[receiver], window, plain=plain)
            print(f"{op}: chat is {(await senders[op].ask('begin'))['begun']}", file=sys.stderr)
        for _ in range(runs):
            for op, sender in senders.items():
                answer = await sender.ask(f"send {count}")
                if answer["bad"]:
                    raise RuntimeError(f"{op}: {answer['bad']} messages failed")
                rates[op].append(count / float(str(answer["seconds"])))
    return [row(op, count * runs, statistics.median(values), "1/s") for op, values in rates.items()]


async def set_up(folder: Path, domain: str, port: int, password: str, stack: contextlib.AsyncExitStack) -> None:
    """Two directories, so that the plain pair finds no keys of each other; four profiles."""
    from letterlock.services.directory import Directory, IssuedCode

    for index, names in enumerate((("ana", "ben", "cleo"), ("dan",))):
        codes: dict[str, str] = {}

        def on_code(issued: IssuedCode, codes: dict[str, str] = codes) -> None:
            codes[issued.number] = issued.code

        directory = Directory(str(folder / f"directory-{index}.db"), on_code=on_code)
        await directory.start()
        stack.push_async_callback(directory.close)
        for name in names:
            number = NUMBERS[name]

            async def code(codes: dict[str, str] = codes, number: str = number) -> str:
                return codes[number]

            sip = SipAccount("127.0.0.1", port, domain, number, password, tls=False)
            await Client.create(
                folder / name,
                number,
                directory=directory.url,
                code=code,
                sip=sip,
                passphrase=PASSPHRASE,
                environment=environment(folder),
            )


class PhoneProcess:
    """The parent's end of a phone."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def ask(self, line: str) -> dict[str, object]:
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")
        return await self.answer()

    async def answer(self) -> dict[str, object]:
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError("a phone ended early")
        answer: dict[str, object] = json.loads(line)
        return answer

    async def quit(self) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.write(b"quit\n")
            self._process.stdin.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(15):
                await self._process.wait()
                return
        self._process.kill()
        await self._process.wait()


async def start_phone(
    stack: contextlib.AsyncExitStack, folder: Path, name: str, peer: str, window: int, *, plain: bool
) -> PhoneProcess:
    arguments = [
        __file__,
        "--phone",
        name,
        "--folder",
        str(folder),
        "--peer",
        peer,
        "--window",
        str(window),
        *(["--plain"] if plain else []),
    ]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    running = PhoneProcess(process)
    stack.push_async_callback(running.quit)
    await running.answer()
    return running


def main() -> None:
    parser = argparse.ArgumentParser(description="messages per second through Kamailio")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--count", type=int, default=1500, help="messages per run")
    parser.add_argument("--window", type=int, default=128, help="messages on their way at once")
    parser.add_argument("--phone", help=argparse.SUPPRESS)
    parser.add_argument("--plain", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--peer", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.phone:
        asyncio.run(phone(options.folder, options.phone, options.peer, options.window, plain=options.plain))
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that Kamailio and the phones are ended too
    rows = asyncio.run(measure(options.runs, options.count, options.window))
    show("rcs", rows, as_json=options.json)


if __name__ == "__main__":
    main()
