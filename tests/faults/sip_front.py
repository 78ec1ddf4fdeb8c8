"""What stands in front of the carrier and answers requests itself: for answers that no carrier of ours gives."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from letterlock.codec.sip import Limits, Request, Response, encode
from letterlock.codec.sip.stream import KeepAlive, Malformed, StreamParser
from letterlock.sip.message import response_to

__all__ = ["Answer", "Front"]

_LIMITS = Limits(max_header_bytes=32_768, max_headers=200, max_line=16_384, max_body=1 << 20)
_TAG = "front"

Answer = tuple[int, tuple[tuple[str, str], ...]]


class Front:
    """`answer` gives a status and headers to a phone's request, or None to let it pass to `port`."""

    def __init__(self, port: int) -> None:
        self.answer: Callable[[Request], Answer | None] = lambda request: None
        self.port = 0
        self.asked: list[tuple[float, Request]] = []  # each request of a phone, and the loop's time
        self._to = port
        self._tasks: set[asyncio.Task[None]] = set()

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, port: int) -> AsyncIterator[Front]:
        front = cls(port)
        server = await asyncio.start_server(front._take, "127.0.0.1", 0)
        front.port = server.sockets[0].getsockname()[1]
        try:
            yield front
        finally:
            server.close()
            for task in front._tasks:
                task.cancel()
            await asyncio.gather(*front._tasks, return_exceptions=True)

    def times(self, method: str) -> list[float]:
        """When requests of a method came."""
        return [at for at, request in self.asked if request.method == method]

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        with contextlib.suppress(OSError, asyncio.CancelledError):
            onward_reader, onward_writer = await asyncio.open_connection("127.0.0.1", self._to)
            try:
                await asyncio.wait(
                    [
                        asyncio.ensure_future(self._outward(reader, writer, onward_writer)),
                        asyncio.ensure_future(self._inward(onward_reader, writer)),
                    ],
                    return_when=asyncio.FIRST_COMPLETED,
                )
            finally:
                writer.close()
                onward_writer.close()
        self._tasks.discard(task)

    async def _outward(
        self, reader: asyncio.StreamReader, back: asyncio.StreamWriter, onward: asyncio.StreamWriter
    ) -> None:
        parser, refused = StreamParser(_LIMITS), set[str]()
        while data := await reader.read(65_536):
            for item in parser.feed(data):
                if not isinstance(item, Request):
                    onward.write(_bytes(item))
                    continue
                self.asked.append((asyncio.get_running_loop().time(), item))
                call = item.headers.get("Call-ID") or ""
                if item.method == "ACK" and call in refused:
                    continue
                answer = self.answer(item)
                if answer is None:
                    onward.write(encode(item))
                else:
                    refused.add(call)
                    back.write(encode(response_to(item, answer[0], tag=_TAG, headers=answer[1])))

    async def _inward(self, reader: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        parser = StreamParser(_LIMITS)
        while data := await reader.read(65_536):
            for item in parser.feed(data):
                back.write(_bytes(item))  # whole messages: an answer of ours never stands inside one


def _bytes(item: Request | Response | KeepAlive | Malformed) -> bytes:
    if isinstance(item, Request | Response):
        return encode(item)
    assert not isinstance(item, Malformed)
    return b"\r\n\r\n" if item is KeepAlive.PING else b"\r\n"
