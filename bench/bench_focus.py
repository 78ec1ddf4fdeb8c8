"""Fan-out of the conversation focus. `./run bench focus [--json] [--members N]`; `bench_rcs` calls `measure`.

The focus runs in a process of its own, as `letterlock focus` does, with its database on disk; this process is the proxy
and all members, each with an MSRP connection of its own, who know as much SIP and MSRP as it takes. `focus_fanout` counts
copies: messages from one member times members who get them, until the last has acknowledged the last; each message is
on the disk before its sender hears of it. `focus_fanout_one` is one message, from its first byte to the last member's
having it. `focus_fanout_step` is the longest step of the focus's event loop meanwhile, as processor time and without
Python's collector, whose longest pause is `focus_fanout_collector`: it walks all that a thousand sessions are made of. `focus_memory` is what its resident
memory grows by for each member with a session. The machine should be otherwise idle.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import os
import re
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

from letterlock.services.focus import Focus, FocusLimits, FocusSettings, Rate
from processes import Answer, Child, run, serve, start, tell
from report import Row, row, show

DOMAIN = "rcs.example.test"
OPS = ("focus_fanout", "focus_fanout_one", "focus_fanout_step", "focus_fanout_collector", "focus_memory")
MESSAGES = 20
BODY = 1_500
_PLENTY = Rate(1_000_000, 1000)

_PATH = re.compile(rb"a=path:(\S+)")
_PORT = re.compile(rb"msrp://127\.0\.0\.1:(\d+)/")
_HEADER = re.compile(rb"\r\n(Via|From|To|Call-ID|CSeq|Record-Route): ?([^\r]*)")
_START = re.compile(rb"MSRP (\S+) (SEND|REPORT|200)[^\r]*\r\n")
_LENGTH = re.compile(rb"\r\nContent-Length: ?(\d+)", re.IGNORECASE)


async def measure(*, runs: int = 3, members: int = 1000) -> list[Row]:
    """The rows; each is the median of several runs, in one conference."""
    rates, ones, steps, pauses = [], [], [], []
    async with _conference(members) as (focus, sender, group):
        memory = ((await focus.ask("resident"))["bytes"] - focus.hello["bytes"]) / members
        await _send(sender, group, 1)  # the first costs what later ones do not
        for _ in range(runs):
            await focus.ask("step")
            rates.append(MESSAGES * len(group) / await _send(sender, group, MESSAGES))
            ones += [await _send(sender, group, 1) for _ in range(3)]
            longest = await focus.ask("step")
            steps.append(longest["ms"])
            pauses.append(longest["collector_ms"])
    return [
        row("focus_fanout", runs * MESSAGES * members, statistics.median(rates), "1/s"),
        row("focus_fanout_one", 3 * runs, statistics.median(ones) * 1000, "ms"),
        row("focus_fanout_step", runs, max(steps), "ms"),
        row("focus_fanout_collector", runs, max(pauses), "ms"),
        row("focus_memory", members, memory, "B"),
    ]


async def _send(sender: _Phone, group: list[_Phone], count: int) -> float:
    """Messages to all; how long until everybody has the last."""
    for phone in group:
        phone.expect(count)
    began = time.perf_counter()
    sender.say(count)
    async with asyncio.timeout(120):
        for phone in group:
            await phone.done.wait()
    return time.perf_counter() - began


@contextlib.asynccontextmanager
async def _conference(members: int) -> AsyncIterator[tuple[Child, _Phone, list[_Phone]]]:
    """A focus and a conference in which everybody has a session."""
    async with contextlib.AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        proxy = _Proxy()
        server = await asyncio.get_running_loop().create_server(proxy.accept, "127.0.0.1", 0)
        stack.callback(server.close)
        port = server.sockets[0].getsockname()[1]
        focus = await start(stack, __file__, "--serve", str(Path(folder) / "focus.db"), str(port))
        await proxy.connect(focus.hello["port"])
        stack.callback(proxy.close)
        async with asyncio.timeout(120):
            await proxy.create(members)
            await proxy.complete.wait()
        tell(f"{members} members have a session")
        yield focus, proxy.phones[0], proxy.phones[1:]


# --- members -----------------------------------------------------------------------------------------------
class _Phone(asyncio.Protocol):
    """One member's MSRP connection: takes messages, answers and reports each."""

    def __init__(self, local: bytes, remote: bytes) -> None:
        self.done = asyncio.Event()
        self._local = local
        self._remote = remote
        self._pending = b""
        self._expected = 0
        self._serial = 0
        self._transport: asyncio.Transport | None = None

    def expect(self, count: int) -> None:
        self._expected = count
        self.done.clear()

    def say(self, count: int) -> None:
        """Messages to all, written at once."""
        data = []
        for _ in range(count):
            self._serial += 1
            name = f"{os.urandom(5).hex()}{self._serial:06}".encode()
            body = (
                b"From: <sip:anonymous@anonymous.invalid>\r\nTo: <sip:anonymous@anonymous.invalid>\r\n"
                b"NS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: " + name + b"\r\n\r\n"
                b"Content-Type: application/vnd.letterlock.signal\r\n\r\n" + os.urandom(BODY // 2).hex().encode()
            )
            data.append(
                self._head(name, b"SEND")
                + b"Message-ID: "
                + name
                + b"\r\nByte-Range: 1-%d/%d\r\n" % (len(body), len(body))
                + b"Success-Report: yes\r\nContent-Type: message/cpim\r\n\r\n"
                + body
                + b"\r\n-------"
                + name
                + b"$\r\n"
            )
        assert self._transport is not None
        self._transport.write(b"".join(data))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        head = self._head(b"first0001", b"SEND")
        transport.write(head + b"Message-ID: first0001\r\nByte-Range: 1-0/0\r\n-------first0001$\r\n")

    def data_received(self, data: bytes) -> None:
        self._pending += data
        answers = []
        while (match := _START.match(self._pending)) is not None:
            end = self._pending.find(b"\r\n-------" + match[1], match.end() - 2)
            stop = end + 10 + len(match[1]) + 2
            if end < 0 or len(self._pending) < stop:
                break
            if match[2] == b"SEND":
                answers += self._taken(match[1], self._pending[:end])
            self._pending = self._pending[stop:]
        if answers:
            assert self._transport is not None
            self._transport.write(b"".join(answers))

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _taken(self, transaction: bytes, request: bytes) -> list[bytes]:
        answer = self._head(transaction, b"200 OK") + b"-------" + transaction + b"$\r\n"
        at = request.find(b"\r\nMessage-ID: ") + 14
        name = request[at : request.find(b"\r\n", at)]
        total = request.find(b"/", request.find(b"\r\nByte-Range: "))
        size = request[total + 1 : request.find(b"\r\n", total)]
        self._serial += 1
        own = b"rep%07d" % self._serial
        report = (
            self._head(own, b"REPORT")
            + b"Message-ID: "
            + name
            + b"\r\nByte-Range: 1-"
            + size
            + b"/"
            + size
            + b"\r\nStatus: 000 200 OK\r\n-------"
            + own
            + b"$\r\n"
        )
        self._expected -= 1
        if self._expected == 0:
            self.done.set()
        return [answer, report]

    def _head(self, transaction: bytes, what: bytes) -> bytes:
        return b"MSRP %b %b\r\nTo-Path: %b\r\nFrom-Path: %b\r\n" % (transaction, what, self._remote, self._local)


# --- the proxy ---------------------------------------------------------------------------------------------
class _Proxy:
    """Both connections with the focus. Every member takes every call."""

    def __init__(self) -> None:
        self.phones: list[_Phone] = []
        self.complete = asyncio.Event()
        self._members = 0
        self._links: list[_Link] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def accept(self) -> _Link:
        return _Link(self)

    async def connect(self, port: int) -> None:
        _, link = await asyncio.get_running_loop().create_connection(self.accept, "127.0.0.1", port)
        self._links.append(link)

    async def create(self, members: int) -> None:
        """An INVITE to the factory."""
        self._members = members + 1
        listed = "".join(f'<entry uri="sip:+1556{i:07}@{DOMAIN}"/>' for i in range(members))
        body = (
            "--b\r\nContent-Type: application/sdp\r\n\r\n"
            + _description("creator")
            + "\r\n--b\r\nContent-Type: application/resource-lists+xml\r\n\r\n"
            f"<resource-lists><list>{listed}</list></resource-lists>\r\n--b--\r\n"
        ).encode()
        head = (
            f"INVITE sip:conference-factory@{DOMAIN} SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:1;branch=z9hG4bKcreate\r\n"
            f"From: <sip:+15550000001@{DOMAIN}>;tag=1\r\nTo: <sip:conference-factory@{DOMAIN}>\r\nCall-ID: create\r\n"
            f"CSeq: 1 INVITE\r\nMax-Forwards: 70\r\nContact: <sip:+15550000001@127.0.0.1>\r\n"
            f"P-Asserted-Identity: <sip:+15550000001@{DOMAIN}>\r\nContribution-ID: bench\r\n"
            f'Require: recipient-list-invite\r\nContent-Type: multipart/mixed;boundary="b"\r\n'
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        self._links[-1].write(head.encode() + body)

    def message(self, link: _Link, head: bytes, body: bytes) -> None:
        if head.startswith(b"SIP/2.0 200") and b"\r\nCSeq: 1 INVITE" in head:
            headers = dict(_HEADER.findall(head))
            ack = b"ACK sip:conf@" + DOMAIN.encode() + b" SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:1;branch=z9hG4bKack\r\n"
            ack += b"From: %b\r\nTo: %b\r\nCall-ID: %b\r\n" % (headers[b"From"], headers[b"To"], headers[b"Call-ID"])
            link.write(ack + b"CSeq: 1 ACK\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n")
            self._join(b"creator", body)
        elif head.startswith(b"INVITE "):
            name = b"m%d" % len(self._tasks)
            link.write(_answer(head, _description(name.decode()).encode()))
            self._join(name, body)
        elif not head.startswith((b"SIP/2.0", b"ACK ")):
            link.write(_answer(head, b""))

    def close(self) -> None:
        for each in (*self.phones, *self._links):
            each.close()

    def _join(self, name: bytes, description: bytes) -> None:
        self._tasks.add(asyncio.get_running_loop().create_task(self._connect(name, description)))

    async def _connect(self, name: bytes, description: bytes) -> None:
        path, port = _PATH.search(description), _PORT.search(description)
        assert path is not None
        assert port is not None
        loop = asyncio.get_running_loop()
        local = b"msrp://127.0.0.1:9/" + name + b";tcp"
        _, phone = await loop.create_connection(lambda: _Phone(local, path[1]), "127.0.0.1", int(port[1]))
        self.phones.insert(0 if name == b"creator" else len(self.phones), phone)
        if len(self.phones) == self._members:
            self.complete.set()


class _Link(asyncio.Protocol):
    """One SIP connection: messages by Content-Length."""

    def __init__(self, proxy: _Proxy) -> None:
        self._proxy = proxy
        self._pending = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._pending += data
        while (end := self._pending.find(b"\r\n\r\n")) >= 0:
            if end == 0:
                self._pending = self._pending[4:]
                continue
            length = _LENGTH.search(self._pending, 0, end)
            stop = end + 4 + (int(length[1]) if length else 0)
            if len(self._pending) < stop:
                return
            head, body = self._pending[:end], self._pending[end + 4 : stop]
            self._pending = self._pending[stop:]
            self._proxy.message(self, head, body)

    def write(self, data: bytes) -> None:
        assert self._transport is not None
        self._transport.write(data)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()


def _description(name: str) -> str:
    return (
        f"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=message 9 TCP/MSRP *\r\n"
        f"a=accept-types:message/cpim\r\na=accept-wrapped-types:*\r\na=path:msrp://127.0.0.1:9/{name};tcp\r\n"
        "a=setup:active\r\na=sendrecv\r\n"
    )


def _answer(request: bytes, body: bytes) -> bytes:
    lines = [b"%b: %b" % (name, value) for name, value in _HEADER.findall(request)]
    lines = [line + b";tag=m" if line.startswith(b"To: ") and b";tag=" not in line else line for line in lines]
    user = request.split(b" ", 2)[1].partition(b"@")[0]
    kind = b"\r\nContent-Type: application/sdp" if body else b""
    contact = b"\r\nContact: <" + user + b"@127.0.0.1>"
    return b"SIP/2.0 200 OK\r\n%b%b%b\r\nContent-Length: %d\r\n\r\n%b" % (
        b"\r\n".join(lines), contact, kind, len(body), body,
    )  # fmt: skip


# --- the focus's process -----------------------------------------------------------------------------------
async def _serve(database: str, proxy: int) -> None:
    limits = FocusLimits(max_members=20_000, messages=_PLENTY, bytes_sent=_PLENTY, invited=_PLENTY, window_messages=64)
    settings = FocusSettings(idle_ms=3_600_000)
    focus = Focus(database, domain=DOMAIN, proxy=("127.0.0.1", proxy), limits=limits, settings=settings)
    async with focus:
        steps = _Steps()
        steps.watch()

        async def command(words: list[str]) -> Answer:
            if words[0] == "step":
                return steps.taken()
            return {"bytes": _resident()}

        await serve({"port": focus.port, "bytes": _resident()}, command)


class _Steps:
    """How long steps of the loop are: work of its thread, not time, for what others take of the machine is no step."""

    def __init__(self) -> None:
        self._longest = self._pause = 0.0
        self._began = self._collected = 0.0
        gc.callbacks.append(self._on_collector)

    def watch(self) -> None:
        """Measure every step from now on. There is no hook for it: a step is what a handle of asyncio runs."""
        run = asyncio.Handle._run

        def measured(handle: asyncio.Handle) -> None:
            before, collected = time.thread_time(), self._collected
            run(handle)
            self._longest = max(self._longest, time.thread_time() - before - (self._collected - collected))

        asyncio.Handle._run = measured  # type: ignore[method-assign]

    def taken(self) -> Answer:
        """The longest since the last call."""
        answer = {"ms": self._longest * 1000, "collector_ms": self._pause * 1000}
        self._longest = self._pause = 0.0
        return answer

    def _on_collector(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._began = time.thread_time()
        else:
            pause = time.thread_time() - self._began
            self._collected += pause
            self._pause = max(self._pause, pause)


def _resident() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("this machine does not tell")


def main() -> None:
    if sys.argv[1:2] == ["--serve"]:
        run(_serve(sys.argv[2], int(sys.argv[3])))
        return
    parser = argparse.ArgumentParser(description="fan-out of the conversation focus")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--runs", type=int, default=3, help="medians are shown")
    parser.add_argument("--members", type=int, default=1_000, help="of the conference")
    options = parser.parse_args()
    show("focus", run(measure(runs=options.runs, members=options.members)), as_json=options.json)


if __name__ == "__main__":
    main()
