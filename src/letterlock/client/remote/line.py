"""The connection to the owner of a profile: calls and their answers, and what it has told about chats."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from pathlib import Path
from typing import Any

from ...engine.security import Security
from ...errors import DecodeError, InputError, StoreError
from ...ids import ChatName
from ..api import ChatState, Me
from ..peer import same_user
from ..wire import MAX_LINE, MAX_REQUEST, METHODS, VERSION, decode_error, decode_line, encode_line

__all__ = ["ConnectionLost", "RemoteLine", "connect", "line_of", "lost"]


class ConnectionLost(StoreError):
    """The process that owned the profile has gone; whoever calls tries to become the owner, or finds the next one."""

    code = "client.owner_gone"


class RemoteLine:
    """One connection to the owner."""

    def __init__(self, path: Path, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._path = path
        self._reader = reader
        self._writer = writer
        self._ids = itertools.count(1)
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._states: dict[ChatName, ChatState] = {}
        self._lost = False
        self._tasks: list[asyncio.Task[None]] = []
        self.me: Me

    def security(self, number: ChatName) -> Security:
        state = self._states.get(number)
        return Security.CHECKING if state is None else state.security

    def _learn(self, state: ChatState) -> None:
        # Answers and events come over different connections, so either may be the older one.
        known = self._states.get(state.number)
        if known is None or known.cursor <= state.cursor:
            self._states[state.number] = state

    async def close(self) -> None:
        self._lose()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    async def _call(self, method: str, **params: Any) -> Any:
        codec = METHODS[method]
        request = next(self._ids)
        answer = asyncio.get_running_loop().create_future()
        self._answers[request] = answer
        coded = {
            name: codec.params[name][0](value) if name in codec.params else value for name, value in params.items()
        }
        try:
            await self._send({"id": request, "method": method, "params": coded})
            return codec.from_json(await answer)
        finally:
            self._answers.pop(request, None)

    async def _send(self, value: dict[str, Any]) -> None:
        if self._lost:
            raise lost()
        line = encode_line(value)
        if len(line) > MAX_REQUEST:
            # The owner would hang up, and whoever asks again with every next one would never end.
            raise InputError("too much for one request", code="input.request_size")
        try:
            self._writer.write(line)
            await self._writer.drain()
        except OSError as error:
            self._lose()
            raise lost() from error

    async def _read(self) -> None:
        try:
            while (line := await line_of(self._reader)) is not None:
                request = line.get("id")
                answer = self._answers.get(request) if isinstance(request, int) else None
                if answer is None or answer.done():
                    continue
                if "error" in line:
                    answer.set_exception(decode_error(line["error"]))
                else:
                    answer.set_result(line.get("result"))
        except DecodeError:
            pass
        finally:
            self._lose()

    def _lose(self) -> None:
        self._lost = True
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(lost())

    def __repr__(self) -> str:
        return "RemoteProfile()"


async def connect(path: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    try:
        reader, writer = await asyncio.open_unix_connection(path, limit=MAX_LINE)
    except OSError as error:
        raise ConnectionLost("the owner of the profile does not answer") from error
    with contextlib.ExitStack() as unknown:
        unknown.callback(writer.close)
        if not same_user(writer):
            # SR-16: what is sent here is what people write. A socket that another user put in its place is no owner.
            raise ConnectionLost("another user answers in place of the owner of the profile")
        greeting = await line_of(reader)
        if greeting is None:
            raise ConnectionLost("the owner of the profile hung up")
        if greeting.get("letterlock") != VERSION:
            raise StoreError(
                "the process that owns this profile is of another version",
                code="owner.version",
                hint="end it and start it again",
            )
        unknown.pop_all()
    return reader, writer


async def line_of(reader: asyncio.StreamReader) -> dict[str, Any] | None:
    """The next line, None at the end."""
    try:
        line = await reader.readline()
    except (OSError, ValueError):
        return None
    return decode_line(line) if line.endswith(b"\n") else None


def lost() -> ConnectionLost:
    return ConnectionLost("the process that owned the profile has ended")
