"""The owner's socket: other processes of the same user use the profile through the one that owns it (SR-06, SR-16).

Only the holder of the profile's lock makes or removes the socket, and it removes it before it gives the
lock back: whoever gets the lock finds nobody else's socket that works.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import stat
from pathlib import Path
from typing import Any

from ..engine.events import event_to_json
from ..errors import InputError, LetterlockError, LimitExceeded, StoreError
from .local import LocalProfile
from .peer import same_user
from .slices import json_in_slices
from .wire import MAX_LINE, MAX_REQUEST, METHODS, VERSION, decode_line, encode_error, encode_line

__all__ = ["OwnerSocket"]

_log = logging.getLogger(__name__)

_MAX_PENDING = 256  # requests of one connection that are being worked on
_FINISH_SECONDS = 5.0


class OwnerSocket:
    """Serves one profile on one socket."""

    def __init__(self, profile: LocalProfile, path: Path) -> None:
        self._profile = profile
        self._path = path
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._requests: set[asyncio.Task[None]] = set()
        self._streams: set[asyncio.Task[None]] = set()
        self._closing = False

    async def start(self) -> None:
        """Listen. Raises StoreError when the socket cannot be made. The caller holds the profile's lock."""
        try:
            _prepare_folder(self._path.parent)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._path)  # of an owner that was killed; the lock says that it is gone
            with contextlib.ExitStack() as begun:
                listener = begun.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
                # Nobody can connect before listen(), so the mode is right before anybody could use it.
                listener.bind(os.fspath(self._path))
                os.chmod(self._path, 0o600)
                self._server = await asyncio.start_unix_server(self._accept, sock=listener, limit=MAX_REQUEST)
                begun.pop_all()
        except OSError as error:
            raise StoreError(
                f"the profile's socket cannot be made: {error.strerror}",
                code="owner.socket",
                hint=f"check {self._path}",
            ) from error

    async def close(self) -> None:
        """Take no more requests, finish those that were taken, hang up."""
        self._closing = True
        if self._server is None:
            return
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path)
        self._server.close()
        if self._requests:
            await asyncio.wait(set(self._requests), timeout=_FINISH_SECONDS)
        tasks = (*self._connections, *self._requests, *self._streams)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._server = None

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        mine: set[asyncio.Task[None]] = set()
        try:
            if self._closing or not same_user(writer):
                return
            writer.write(encode_line({"letterlock": VERSION}))
            while (line := await reader.readline()).endswith(b"\n"):
                if self._closing:
                    break  # unread requests are asked again of the next owner
                self._begin(line, writer, mine)
                while len(mine) >= _MAX_PENDING:
                    await asyncio.wait(mine, return_when=asyncio.FIRST_COMPLETED)
        except (OSError, ValueError):
            pass  # gone, or a line over the limit
        finally:
            # What was begun is finished by the driver all the same; only nobody waits for it any more.
            for task in mine:
                task.cancel()
            writer.close()

    def _begin(self, line: bytes, writer: asyncio.StreamWriter, mine: set[asyncio.Task[None]]) -> None:
        """Work on one request in a task of its own; a stream of events is nothing that `close` waits for."""
        try:
            value: Any = decode_line(line)
            stream = value.get("method") == "events"
        except LetterlockError as error:
            value, stream = error, False
        task = asyncio.get_running_loop().create_task(self._answer(value, writer))
        for known in (mine, self._streams if stream else self._requests):
            known.add(task)
            task.add_done_callback(known.discard)

    async def _answer(self, value: dict[str, Any] | LetterlockError, writer: asyncio.StreamWriter) -> None:
        request: Any = None
        try:
            if isinstance(value, LetterlockError):
                raise value
            request = value.get("id")
            method, params = value.get("method"), value.get("params") or {}
            if method == "events":
                await self._stream(request, int(params["after"]), writer)
                return
            result = await self._perform(str(method), params)
        except LetterlockError as error:
            line = _failed(request, error)
        except (KeyError, TypeError, ValueError, AttributeError):
            line = _failed(request, InputError("not a request that this version knows", code="owner.request"))
        except Exception as error:  # ours: the other process waits for an answer all the same
            line = _bug(request, error)
        else:
            line = await _answered(request, result)
        await _write(writer, line)

    async def _perform(self, name: str, params: dict[str, Any]) -> Any:
        method = METHODS[name]
        if name == "me":
            return method.to_json(self._profile.me)
        given = {key: method.params[key][1](value) if key in method.params else value for key, value in params.items()}
        return method.to_json(await getattr(self._profile, name)(**given))

    async def _stream(self, request: Any, after: int, writer: asyncio.StreamWriter) -> None:
        events = self._profile.events(after)
        async with contextlib.aclosing(events):
            async for recorded in events:
                value = {**event_to_json(recorded.event), "cursor": recorded.cursor, "at": recorded.at}
                if not await _write(writer, encode_line({"id": request, "event": value})):
                    return


async def _answered(request: Any, result: Any) -> bytes:
    """The line with a result; with an error if it cannot be one: whoever asked must not wait for ever."""
    try:
        answer = {"id": request, "result": result}
        return await json_in_slices(answer, ensure_ascii=False, most=MAX_LINE - 1) + b"\n"
    except LimitExceeded:
        # The other end would hang up, and ask the same again (SR-08).
        return _failed(request, LimitExceeded("the answer is too long for one line", code="owner.too_large"))
    except Exception as error:  # ours, as those of `_answer`
        return _bug(request, error)


def _bug(request: Any, error: Exception) -> bytes:
    _log.error("a request of another process failed", exc_info=error)
    return _failed(request, LetterlockError(f"the owner of the profile failed: {type(error).__name__}", code="bug"))


def _failed(request: Any, error: LetterlockError) -> bytes:
    return encode_line({"id": request, "error": encode_error(error)})


async def _write(writer: asyncio.StreamWriter, line: bytes) -> bool:
    try:
        writer.write(line)
        await writer.drain()
    except OSError:
        return False
    return True


def _prepare_folder(folder: Path) -> None:
    """The folder of a socket outside the profile: ours, and nobody else's to enter."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = os.lstat(folder)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise StoreError(
            "the folder of the profile's socket is not safe",
            code="owner.socket",
            hint=f"it must be yours alone: {folder}",
        )
