"""An EventSource for tests: the frames of a stream, as a browser would cut them."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp

from daemon.visitor import Visitor

__all__ = ["Frame", "Stream", "listening"]


@dataclass
class Frame:
    """`id` None: it is no event of the profile."""

    id: int | None
    event: str
    data: Any


class Stream:
    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self.answer = answer
        self.beats = 0

    async def next(self) -> Frame | None:
        """None at the end of the stream."""
        fields: dict[str, str] = {}
        async with asyncio.timeout(20):
            while line := (await self.answer.content.readuntil(b"\n")).decode("ascii"):
                name, _, value = line.rstrip("\n").partition(": ")
                if line == ":\n":
                    self.beats += 1
                elif line == "\n":
                    if "data" in fields:
                        number = int(fields["id"]) if "id" in fields else None
                        return Frame(number, fields.get("event", "message"), json.loads(fields["data"]))
                    fields = {}
                else:
                    fields[name] = value
        return None

    async def until(self, event: str) -> list[Frame]:
        """Everything up to the first frame of this name, with it."""
        frames = []
        while (frame := await self.next()) is not None:
            frames.append(frame)
            if frame.event == event or (isinstance(frame.data, dict) and frame.data.get("kind") == event):
                return frames
        raise AssertionError(f"the stream ended before {event}: {frames}")


@contextlib.asynccontextmanager
async def listening(visitor: Visitor, after: int | None = None, last: int | None = None) -> AsyncIterator[Stream]:
    query = {} if after is None else {"after": str(after)}
    headers = {**visitor.headers, **({} if last is None else {"Last-Event-ID": str(last)})}
    headers = {name: value for name, value in headers.items() if value}
    url = f"{visitor.base}/api/v1/events"
    async with visitor.session.get(url, params=query, headers=headers, timeout=aiohttp.ClientTimeout(30)) as answer:
        assert answer.status == 200, await answer.text()
        assert answer.headers["Content-Type"] == "text/event-stream"
        yield Stream(answer)
