"""One link with the gateway after another: enrolled where that is needed, from hello to its end, then again, ever slower.

What the frames mean is not known here.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import WSMsgType

from ...codec.gateway import GatewayFrame, Hello, Welcome, decode_gateway_frame, encode
from ...errors import DecodeError, GatewayError, LetterlockError, TransportError
from ...ids import Rng
from .config import GatewaySettings
from .connection import GatewayHttp, Socket
from .status import GatewayState

__all__ = ["Links"]

_log = logging.getLogger(__name__)

_REPLACED = 4000
_REVOKED = 4001


class Links:
    """Stays linked from `start` to `close`.

    `hello` gives the first frame of each link, `on_welcome` gets the answer; `first` gives what is to go out before all that
    was said, `on_frame` is awaited for each frame, `on_state` is told how it stands.
    """

    def __init__(
        self,
        http: GatewayHttp,
        settings: GatewaySettings,
        rng: Rng,
        *,
        hello: Callable[[], Hello],
        on_welcome: Callable[[Welcome], None],
        first: Callable[[], bytes | None],
        on_frame: Callable[[GatewayFrame], Awaitable[None]],
        on_state: Callable[[GatewayState, str], None],
    ) -> None:
        self._http, self._settings, self._rng = http, settings, rng
        self._hello, self._on_welcome, self._first = hello, on_welcome, first
        self._on_frame, self._on_state = on_frame, on_state
        self._out: deque[bytes] = deque()
        self._more = asyncio.Event()
        self._stopping = asyncio.Event()
        self._socket: Socket | None = None
        self._failure = ""
        self._close_code = 0
        self._closing: set[asyncio.Task[bool]] = set()
        self._task: asyncio.Task[None] | None = None
        self.linked = asyncio.Event()
        """Set while the gateway's welcome holds."""

    @property
    def stopping(self) -> bool:
        """Whether nothing more is to be taken."""
        return self._stopping.is_set()

    def start(self) -> None:
        """In the background."""
        if self._task is None:
            self._stopping.clear()
            self._task = asyncio.get_running_loop().create_task(self._run(), name="letterlock-gateway")

    def stop(self) -> None:
        """No link after this one."""
        self._stopping.set()

    async def close(self) -> None:
        """Say what is left to say, and end the link. Takes seconds at most."""
        self.stop()
        running, self._task = self._task, None
        if running is None:
            return
        if self._socket is not None and self.linked.is_set():
            with contextlib.suppress(ConnectionError, RuntimeError, TimeoutError):
                async with asyncio.timeout(self._settings.goodbye_s):
                    await self._flush(self._socket)
                    await self._socket.close()
        for task in (running, *self._closing):
            task.cancel()
        await asyncio.gather(running, *self._closing, return_exceptions=True)

    def say(self, frame: bytes) -> None:
        """Put it on its way, if there is a link."""
        if self.linked.is_set():
            self._out.append(frame)
            self._more.set()

    def stir(self) -> None:
        """There may be something to say."""
        self._more.set()

    def drop(self, reason: str) -> None:
        """End this link: what was not taken has to come again."""
        self._failure = reason
        if self._socket is not None:
            task = asyncio.get_running_loop().create_task(self._socket.close())
            self._closing.add(task)
            task.add_done_callback(self._closed)

    def _closed(self, task: asyncio.Task[bool]) -> None:
        self._closing.discard(task)
        if not task.cancelled():
            task.exception()  # reading finds out

    # --- one after another -----------------------------------------------------------------------
    async def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            self._on_state(GatewayState.CONNECTING, "connecting to the gateway")
            began = time.monotonic()
            ended = await self._once()
            self.linked.clear()
            self._out.clear()
            if self._stopping.is_set():
                return
            self._on_state(ended.state, ended.reason)
            lived = ended.linked and time.monotonic() - began > self._settings.backoff_s[1]
            failures = 0 if lived or (ended.linked and not self._failure and failures == 0) else failures + 1
            self._failure = ""
            if failures <= 1:  # once an outage
                _log.warning("%s; trying on", ended.reason)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(ended.wait_s, self._backoff(failures))):
                    await self._stopping.wait()

    async def _once(self) -> _Ended:
        """Enrol if that is needed, link, and stay until the link ends."""
        try:
            socket = await self._linked_socket()
        except GatewayError as error:
            later = error.status in (408, 429, 502, 503, 504)
            state = GatewayState.OFFLINE if later else GatewayState.REFUSED
            return _Ended(state, str(error), 0.0 if later else self._settings.refused_wait_s)
        except TransportError as error:
            return _Ended(GatewayState.OFFLINE, str(error))
        self._socket, self._close_code = socket, 0
        try:
            await self._serve(socket)
        except LetterlockError as error:  # a disk that takes no address, too: an outage, never the end of trying
            return _Ended(GatewayState.OFFLINE, str(error), linked=self.linked.is_set())
        except (ConnectionError, RuntimeError, TimeoutError) as error:
            return _Ended(GatewayState.OFFLINE, f"the link ended: {type(error).__name__}", linked=self.linked.is_set())
        finally:
            self._socket = None
            with contextlib.suppress(ConnectionError, RuntimeError, TimeoutError):
                await socket.close()
        if self._close_code == _REPLACED:
            return _Ended(
                GatewayState.REPLACED, "another process is linked as this device", self._settings.replaced_wait_s
            )
        return _Ended(GatewayState.OFFLINE, self._failure or "the link ended", linked=True)

    async def _linked_socket(self) -> Socket:
        """Enrolled before if the gateway does not know us, or has just told us so."""
        if self._close_code != _REVOKED:
            try:
                return await self._http.link()
            except GatewayError as error:
                if error.status != 401:
                    raise
        await self._http.enrol()
        return await self._http.link()

    def _backoff(self, failures: int) -> float:
        """Doubling, with a random half taken off, so that a gateway that comes back is not met by all at once."""
        low, high = self._settings.backoff_s
        full = min(high, low * 2.0 ** min(max(failures - 1, 0), 16))
        return full * (0.5 + self._rng(1)[0] / 510)

    # --- one link ----------------------------------------------------------------------------------
    async def _serve(self, socket: Socket) -> None:
        """From our hello to the end of the link."""
        await socket.send_bytes(encode(self._hello()))
        async with asyncio.timeout(self._settings.connect_s):
            welcome = await self._receive(socket)
        if welcome is None:
            return
        if not isinstance(welcome, Welcome):
            raise DecodeError("a link begins with a welcome", code="gateway.welcome")
        self._out.clear()
        self.linked.set()
        self._on_state(GatewayState.LINKED, "the gateway is not registered with the carrier")
        self._on_welcome(welcome)
        self._more.set()
        writing = asyncio.get_running_loop().create_task(self._write(socket))
        try:
            while (frame := await self._receive(socket)) is not None:
                await self._on_frame(frame)
        finally:
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)

    async def _write(self, socket: Socket) -> None:
        with contextlib.suppress(ConnectionError, RuntimeError):  # it has ended; reading finds out, too
            while True:
                await self._more.wait()
                self._more.clear()
                await self._flush(socket)

    async def _flush(self, socket: Socket) -> None:
        while (frame := self._first() or (self._out.popleft() if self._out else None)) is not None:
            await socket.send_bytes(frame)

    async def _receive(self, socket: Socket) -> GatewayFrame | None:
        """The next frame; None at the end. Raises DecodeError (SR-09)."""
        message = await socket.receive()
        if message.type is WSMsgType.BINARY:
            return decode_gateway_frame(message.data, self._settings.frames)
        if message.type is WSMsgType.TEXT:
            raise DecodeError("frames are binary", code="gateway.frame")
        if message.type is WSMsgType.CLOSE:
            self._close_code = message.data  # the socket's own is another one when the rest of the handshake fails
        return None


@dataclass(frozen=True, slots=True)
class _Ended:
    """How a link, or the attempt to make one, came to its end."""

    state: GatewayState
    reason: str
    wait_s: float = 0.0
    linked: bool = False
