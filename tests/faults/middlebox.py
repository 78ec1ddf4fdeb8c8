"""A middlebox on the way of MSRP that the carrier names in session descriptions (RFC 6714): it counts, records, cuts and
falls silent.

It stands where an operator's would: the carrier writes the address of a front of ours where a phone's own stood, the
path stays as it was, and both ends take it because both speak CEMA.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from letterlock.carrier import Interference, Seen, replaced
from letterlock.codec.sip import Request, Response

__all__ = ["Middlebox", "Passed", "Plan", "with_body"]

_PORT = re.compile(rb"(?m)^m=message (\d+) ")
_PIECE = 65_536
_END_LINE = re.compile(rb"-------[A-Za-z0-9.\-+%=]{4,32}[$+#]\r\n")


@dataclass
class Plan:
    """What happens to one connection; it may be changed while that lives. Forward is from whoever connected.

    `cut_*`: closed when so many bytes have passed. `hold_forward`: after so many bytes nothing more passes, and nothing
    is closed. `answers`: so many messages and responses go backward, and then nothing more.
    """

    cut_forward: int | None = None
    cut_backward: int | None = None
    hold_forward: int | None = None
    answers: int | None = None


@dataclass
class Passed:
    """One connection, and what has passed on it."""

    plan: Plan
    forward: bytearray = dataclasses.field(default_factory=bytearray)
    backward: bytearray = dataclasses.field(default_factory=bytearray)


class Middlebox:
    """`rule` is for the carrier. Each new connection takes the next of `plans`; without one it just passes."""

    def __init__(self) -> None:
        self.plans: list[Plan] = []
        self.refuse = False
        self.passed: list[Passed] = []
        self.changed = asyncio.Event()
        self._fronts: dict[int, int] = {}
        self._servers: list[asyncio.Task[asyncio.Server]] = []
        self._pipes: set[asyncio.Task[None]] = set()

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls) -> AsyncIterator[Middlebox]:
        box = cls()
        try:
            yield box
        finally:
            for task in box._servers:
                (await task).close()
            for pipe in box._pipes:
                pipe.cancel()
            await asyncio.gather(*box._pipes, return_exceptions=True)

    def rule(self, seen: Seen) -> Interference | None:
        """Put us where descriptions say that a phone is."""
        message = seen.message
        if not message.body.startswith(b"v=0"):
            return None
        return replaced(with_body(message, _PORT.sub(self._front_line, message.body)))

    @property
    def bytes_seen(self) -> bytes:
        """All that passed, both ways."""
        return b"".join(bytes(each.forward + each.backward) for each in self.passed)

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until something has passed."""
        async with asyncio.timeout(10):
            while not condition():
                self.changed.clear()
                await self.changed.wait()

    def _front_line(self, found: re.Match[bytes]) -> bytes:
        port = int(found[1])
        if port == 9:
            return found[0]
        if port not in self._fronts:
            listening = socket.create_server(("127.0.0.1", 0))
            self._fronts[port] = listening.getsockname()[1]

            async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                task = asyncio.current_task()
                assert task is not None
                self._pipes.add(task)
                with contextlib.suppress(asyncio.CancelledError):
                    await self._carry(port, reader, writer)
                self._pipes.discard(task)

            self._servers.append(asyncio.ensure_future(asyncio.start_server(take, sock=listening)))
        return b"m=message %d " % self._fronts[port]

    async def _carry(self, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refuse:
            writer.transport.abort()
            return
        passed = Passed(self.plans.pop(0) if self.plans else Plan())
        self.passed.append(passed)
        plan = passed.plan
        try:
            onward_reader, onward_writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            writer.transport.abort()
            return

        async def forward() -> None:
            while plan.cut_forward is None or len(passed.forward) < plan.cut_forward:
                data = await reader.read(_PIECE)
                if not data:
                    return
                data = data[: _room(plan.cut_forward, passed.forward)]
                fits = _room(plan.hold_forward, passed.forward)
                passed.forward += data
                onward_writer.write(data[:fits])
                self.changed.set()
                await onward_writer.drain()

        async def backward() -> None:
            while plan.cut_backward is None or len(passed.backward) < plan.cut_backward:
                data = await onward_reader.read(_PIECE)
                if not data:
                    return
                data = data[: _room(plan.cut_backward, passed.backward)]
                passed.backward += data
                if plan.answers is None or len(_END_LINE.findall(bytes(passed.backward))) <= plan.answers:
                    writer.write(data)
                self.changed.set()
                await writer.drain()

        async def quietly(way: Awaitable[None]) -> None:
            with contextlib.suppress(OSError):
                await way

        ways = [asyncio.ensure_future(quietly(forward())), asyncio.ensure_future(quietly(backward()))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            # What has passed arrives: both ends are closed behind it, at once.
            for end in (writer, onward_writer):
                end.close()


def with_body(message: Request | Response, body: bytes) -> Request | Response:
    """The same message with another body."""
    if isinstance(message, Request):
        return Request(message.method, message.uri, message.headers, body)
    return Response(message.status, message.reason, message.headers, body)


def _room(most: int | None, so_far: bytearray) -> int | None:
    return None if most is None else max(0, most - len(so_far))
