"""The events of a profile as Server-Sent Events: each consumer has a cursor of its own, and loses nothing by going away.

An event is in the store before anybody is told of it, so a stream is only a way to read on: it ends whenever somebody is
too slow or goes away, and the next one begins behind the last cursor that was taken (`Last-Event-ID`, or `after`).
Nothing is kept for a consumer here but one page of events: who does not read is waited for, then hung up on (SR-08).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from ...client import Client
from ...engine.events import Recorded, event_to_json
from .guard import Refused
from .sessions import Session
from .settings import DaemonSettings

__all__ = ["EventStreams", "wanted_cursor"]

_NEWS = 16
"""What may wait for one consumer."""


@dataclass(slots=True, eq=False)
class _Stream:
    """One consumer: whose it is, what is told to it beside events, and whether it is to end."""

    session: Session
    news: asyncio.Queue[bytes] = field(default_factory=lambda: asyncio.Queue(_NEWS))
    closing: asyncio.Event = field(default_factory=asyncio.Event)


class EventStreams:
    """All streams of a daemon. `close` ends them, so that the daemon can end; `alive` hears of each heartbeat of a session."""

    def __init__(
        self, client: Client, settings: DaemonSettings, alive: Callable[[Session], None] = lambda session: None
    ) -> None:
        self._client, self._settings, self._alive = client, settings, alive
        self._closed = False
        self._streams: set[_Stream] = set()

    async def serve(self, session: Session, request: web.Request) -> web.StreamResponse:
        after = wanted_cursor(request.query.get("after"), request.headers.get("Last-Event-ID"))
        if self._closed or len(self._streams) >= self._settings.streams:
            raise Refused(503, "streams", "too many streams of events", "close a page, and try again")
        stream = _Stream(session)
        self._streams.add(stream)
        try:
            newest = await self._client.cursor()
            answer = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
            await answer.prepare(request)
            # A cursor of the future is of another profile, or of a copy that was taken back: from now on, then.
            after = newest if after is None or after > newest else after
            with contextlib.suppress(ConnectionError, TimeoutError):
                await self._write_all(answer, after, newest, stream)
            return answer
        finally:
            self._streams.discard(stream)

    def tell(self, kind: str, value: dict[str, Any]) -> None:
        """Something that is not kept, to whoever listens now; who is behind does without."""
        frame = f"event: {kind}\ndata: {json.dumps(value, separators=(',', ':'))}\n\n".encode("ascii")
        for stream in self._streams:
            with contextlib.suppress(asyncio.QueueFull):
                stream.news.put_nowait(frame)

    def end(self, session: Session) -> None:
        """Whoever is logged out hears no more."""
        for stream in self._streams:
            if stream.session is session:
                stream.closing.set()

    def close(self) -> None:
        """End all streams; each consumer comes back with the cursor it has."""
        self._closed = True
        for stream in self._streams:
            stream.closing.set()

    async def _write_all(self, answer: web.StreamResponse, after: int, newest: int, stream: _Stream) -> None:
        live = after >= newest
        await self._write(answer, _LIVE if live else b"retry: 1000\n\n")
        async with (
            contextlib.aclosing(self._client.events(after)) as events,
            contextlib.aclosing(self._merged(events, stream)) as merged,
        ):
            async for each in merged:
                if isinstance(each, bytes):
                    await self._write(answer, each)
                    continue
                await self._write(answer, _frame(each))
                if not live and each.cursor >= newest:
                    live = True
                    await self._write(answer, _LIVE)

    async def _merged(
        self, events: AsyncGenerator[Recorded, None], stream: _Stream
    ) -> AsyncGenerator[Recorded | bytes, None]:
        """The events, what is told, and a heartbeat whenever there was neither for a while; ends with the daemon."""
        closing = asyncio.ensure_future(stream.closing.wait())
        coming = asyncio.ensure_future(anext(events))
        told = asyncio.ensure_future(stream.news.get())
        try:
            while not closing.done():
                done, _ = await asyncio.wait(
                    (closing, coming, told), timeout=self._settings.heartbeat_s, return_when=asyncio.FIRST_COMPLETED
                )
                if not done:
                    self._alive(stream.session)  # a page that is open and quiet stays logged in
                    yield b":\n\n"
                if told.done():
                    yield told.result()
                    told = asyncio.ensure_future(stream.news.get())
                if coming.done():
                    try:
                        yield coming.result()
                    except StopAsyncIteration:
                        return
                    coming = asyncio.ensure_future(anext(events))
        finally:
            for each in (closing, coming, told):
                each.cancel()
            await asyncio.gather(closing, coming, told, return_exceptions=True)

    async def _write(self, answer: web.StreamResponse, data: bytes) -> None:
        async with asyncio.timeout(self._settings.stream_stalled_s):
            await answer.write(data)


_LIVE = b"retry: 1000\nevent: live\ndata: {}\n\n"


def wanted_cursor(after: str | None, last_id: str | None) -> int | None:
    """Behind which event to begin: what the browser says when it comes back, else what the page said first."""
    for given in (last_id, after):
        if given:
            if not (given.isascii() and given.isdecimal() and len(given) <= 18):
                raise Refused(400, "cursor", "a cursor is a number", "as events give it: their id")
            return int(given)
    return None


def _frame(recorded: Recorded) -> bytes:
    """One event. ASCII, on one line: nothing that a peer wrote can begin a line of its own."""
    value: dict[str, Any] = {"cursor": recorded.cursor, "at": recorded.at, **event_to_json(recorded.event)}
    data = json.dumps(value, separators=(",", ":"))
    return f"id: {recorded.cursor}\nevent: message\ndata: {data}\n\n".encode("ascii")
