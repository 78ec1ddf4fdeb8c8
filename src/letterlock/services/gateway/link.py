"""One WebSocket of one device, from its hello to its end: what goes to the client in order and in bounds, what comes from it.

Whoever has come so far is authenticated. A client gets at most a window of messages that it has not acknowledged, then
waits for its acknowledgements; a client that is slow costs that window and no more, and its requests wait in its own
socket. What a client may not send ends its link (SR-08, SR-09).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from aiohttp import WSMsgType, web

from ...codec.gateway import (
    Acknowledge,
    Advertise,
    AskFeatures,
    ClientFrame,
    Done,
    Failure,
    FeaturesAnswer,
    Gap,
    GatewayFrame,
    Hello,
    MakeConference,
    RequestId,
    Result,
    Send,
    Settled,
    Subscribe,
    SyncConference,
    VisitConferences,
    Welcome,
    at_cursor,
    decode_client_frame,
    encode,
)
from ...errors import DecodeError, InputError, LetterlockError, TransportError
from ..buckets import Rate
from .house import House
from .line import Line

__all__ = ["CLOSED", "REPLACED", "REVOKED", "SENSELESS", "Link"]

REPLACED = 4000
"""Another link of the same device was opened."""
REVOKED = 4001
"""The device is not admitted any more, or by another token."""
SENSELESS = 4002
"""A frame that no client of ours would send."""
CLOSED = 1001
"""The gateway ends, or wants to be linked with anew."""

_log = logging.getLogger("letterlock.gateway")


class Link:
    """`run` it until it ends."""

    def __init__(
        self, house: House, line: Line, socket: web.WebSocketResponse, transport: asyncio.Transport | None
    ) -> None:
        self._house, self._line, self._socket, self._transport = house, line, socket, transport
        self._limits = house.limits
        self._answers: deque[bytes] = deque()
        self._fresh: deque[tuple[int, bytes]] = deque()
        self._fresh_bytes = 0
        self._taken = 0  # the last cursor that is in _fresh, or was
        self._behind = False
        self._sent = 0
        self._flying: deque[tuple[int, int, float]] = deque()  # cursor, bytes, when: sent and not acknowledged
        self._flying_bytes = 0
        self._more = asyncio.Event()
        self._requests: set[asyncio.Task[None]] = set()
        self._request_bytes = 0
        self._room = asyncio.Event()
        self._open = False

    async def run(self) -> None:
        """From hello to the end."""
        line = self._line
        pump: asyncio.Task[None] | None = None
        try:
            hello = await self._hello()
            if hello is None:
                return
            opened = await line.linked(self, hello)
            if line.link is not self:
                return  # a newer one came while the disk was asked
            self._sent = self._taken = opened.cursor
            self._behind = True  # whatever is in the inbox is read from there
            self._answers.appendleft(encode(Welcome(opened.inbox, opened.cursor)))
            self._open = True
            line.notices.on_more = self._more.set
            self._more.set()
            pump = asyncio.get_running_loop().create_task(self._pump())
            await self._read()
        except LetterlockError as error:
            _log.info("a link ended: %s", error.code)
            code = SENSELESS if isinstance(error, DecodeError) else CLOSED
            # What the client can mend by enrolling again: it is not known, or its credentials do not open any more.
            await self.close(REVOKED if error.code in ("gateway.unknown", "gateway.sealed") else code, error.code)
        finally:
            self._open = False
            line.unlinked(self)
            for task in [*self._requests, *([pump] if pump is not None else [])]:
                task.cancel()
            await asyncio.gather(*self._requests, *([pump] if pump is not None else []), return_exceptions=True)

    async def close(self, code: int, reason: str) -> None:
        """Say why, and end."""
        with contextlib.suppress(ConnectionError, RuntimeError, TimeoutError):
            async with asyncio.timeout(self._limits.hello_ms / 1000):
                await self._socket.close(code=code, message=reason.encode()[:120])

    async def replaced(self) -> None:
        """A newer link of this device is there."""
        self._ended()
        self._behind = True
        closing = asyncio.get_running_loop().create_task(self.close(REPLACED, "another link of this device"))
        self._requests.add(closing)
        closing.add_done_callback(self._requests.discard)

    def _ended(self) -> None:
        """Nothing goes out any more, and nobody waits for room."""
        self._open = False
        self._room.set()

    # --- to the client ---------------------------------------------------------------------------
    def arrived(self, cursor: int, frame: bytes) -> None:
        """Something new is in the inbox. It goes out from memory if the client is up to date, else from the disk later."""
        if not self._open:
            return
        full = len(self._fresh) >= self._limits.window or self._fresh_bytes >= self._limits.window_bytes
        if self._behind or full or cursor != self._taken + 1:
            self._behind = self._behind or cursor > self._taken
        else:
            self._put(cursor, at_cursor(frame, cursor))
        self._more.set()

    def patience_s(self) -> float | None:
        """In how many seconds the client will have left something lie for too long; None when it has everything."""
        now = asyncio.get_running_loop().time()
        since = self._flying[0][2] if self._flying else now
        return max(0.0, since + self._limits.wake_after_ms / 1000 - now)

    def _put(self, cursor: int, frame: bytes) -> None:
        self._taken = cursor
        self._fresh.append((cursor, frame))
        self._fresh_bytes += len(frame)

    async def _pump(self) -> None:
        """Everything that goes out: answers first, then notices, then messages as far as the window is open."""
        try:
            while True:
                await self._more.wait()
                self._more.clear()
                while (frame := await self._next()) is not None:
                    async with asyncio.timeout(self._limits.send_ms / 1000):
                        await self._socket.send_bytes(frame)
        except (ConnectionError, RuntimeError):
            pass  # it has ended; reading finds out, too
        except TimeoutError:
            _log.info("a client does not read")
            if self._transport is not None:
                self._transport.abort()
        except LetterlockError as error:
            _log.warning("an inbox could not be read: %s", error.code)
            await self.close(CLOSED, error.code)
        finally:
            self._ended()

    async def _next(self) -> bytes | None:
        if self._answers:
            self._room.set()
            return self._answers.popleft()
        for notice in self._line.notices.due():
            return notice
        if len(self._flying) >= self._limits.window or self._flying_bytes >= self._limits.window_bytes:
            return None
        if not self._fresh and self._behind:
            await self._catch_up()
        if not self._fresh:
            return None
        cursor, frame = self._fresh.popleft()
        self._fresh_bytes -= len(frame)
        self._house.checkpoint("deliver.before")
        self._sent = cursor
        self._flying.append((cursor, len(frame), asyncio.get_running_loop().time()))
        self._flying_bytes += len(frame)
        return frame

    async def _catch_up(self) -> None:
        """The next of the inbox, and that something is missing if it is."""
        self._behind = False
        page = await self._line.page(self._taken)
        if page.gap > self._taken:
            self._put(page.gap, encode(Gap(self._taken + 1, page.gap, page.reason)))
        for stored in page.messages:
            if stored.cursor > self._taken:
                self._put(stored.cursor, at_cursor(stored.frame, stored.cursor))
        self._behind = self._behind or page.newest > self._taken

    # --- from the client -------------------------------------------------------------------------
    async def _hello(self) -> Hello | None:
        """Raises DecodeError for anything else; None when the client has gone."""
        try:
            async with asyncio.timeout(self._limits.hello_ms / 1000):
                frame = await self._receive()
        except TimeoutError:
            await self.close(SENSELESS, "no hello")
            return None
        if frame is not None and not isinstance(frame, Hello):
            raise DecodeError("a link begins with a hello", code="gateway.hello")
        return frame

    async def _receive(self) -> ClientFrame | None:
        """The next frame; None when the client has gone. Raises DecodeError (SR-09)."""
        message = await self._socket.receive()
        if message.type is WSMsgType.BINARY:
            return decode_client_frame(message.data, self._limits.frames)
        if message.type is WSMsgType.TEXT:
            raise DecodeError("frames are binary", code="gateway.frame")
        return None

    async def _read(self) -> None:
        while (frame := await self._receive()) is not None:
            await self._slowly("gateway.frames", self._limits.frame_rate)
            if not self._open:
                return  # replaced
            await self._on(frame)

    async def _on(self, frame: ClientFrame) -> None:
        line = self._line
        match frame:
            case Acknowledge(cursor=cursor):
                self._acknowledged(cursor)
            case Settled(requests=requests):
                line.settle(requests)
            case Send():
                await self._begin(frame.request, self._send(frame), len(frame.body))
            case SyncConference():
                await self._begin(frame.request, self._do(frame.request, lambda: line.sync_conference(frame)))
            case MakeConference():
                await self._begin(frame.request, self._do(frame.request, lambda: line.make_conference(frame)))
            case AskFeatures():
                await self._begin(frame.request, self._features(frame))
            case Subscribe():
                await self._begin(frame.request, self._do(frame.request, lambda: self._subscribe(frame)))
            case Advertise():
                # It and the next have no answer that could refuse them, and cost the carrier requests.
                await self._slowly("gateway.requests", self._limits.requests)
                await line.advertise(frame)
            case VisitConferences():
                await self._slowly("gateway.requests", self._limits.requests)
                line.visit_conferences()
            case Hello():
                raise DecodeError("a second hello", code="gateway.hello")

    def _acknowledged(self, cursor: int) -> None:
        if cursor > self._sent:
            raise DecodeError("an acknowledgement of what was not sent", code="gateway.cursor")
        while self._flying and self._flying[0][0] <= cursor:
            self._flying_bytes -= self._flying.popleft()[1]
        self._line.acknowledge(cursor)
        self._more.set()

    async def _slowly(self, what: str, rate: Rate) -> None:
        """Not refused: whoever sends so much waits in their own socket (SR-17)."""
        number, house = self._line.device.number, self._house
        while wait_ms := house.buckets.take(what, number, rate, house.now()):  # noqa: ASYNC110 - time, not an event
            await asyncio.sleep(wait_ms / 1000)

    # --- requests --------------------------------------------------------------------------------
    async def _begin(self, request: RequestId, work: Coroutine[Any, Any, GatewayFrame], size: int = 0) -> None:
        """In a task of its own, when there is room: the client's next frames wait until then. An answer that the client does
        not read takes room, too (SR-08)."""
        limits = self._limits
        try:
            while self._open and (
                len(self._requests) + len(self._answers) >= limits.max_requests
                or self._request_bytes + size > limits.max_request_bytes
            ):
                self._room.clear()
                await self._room.wait()
        except asyncio.CancelledError:
            work.close()
            raise
        if not self._open:
            work.close()
            return
        self._request_bytes += size
        task = asyncio.get_running_loop().create_task(self._answer(request, work))
        self._requests.add(task)

        def ended(done: asyncio.Task[None]) -> None:
            self._requests.discard(done)
            self._request_bytes -= size
            self._room.set()

        task.add_done_callback(ended)

    async def _answer(self, request: RequestId, work: Coroutine[Any, Any, GatewayFrame]) -> None:
        try:
            answer = await work
        except LetterlockError as error:
            answer = Failure(request, error.code, str(error)[:500], error.hint[:500])
        except (
            Exception
        ) as error:  # a bug of ours: the client learns that there is no answer, our log of what kind it was
            _log.error("a request failed: %s", type(error).__name__)
            answer = Failure(request, "transport.gateway", "the gateway made a mistake", "")
        self._answers.append(encode(answer))
        self._more.set()

    async def _send(self, asked: Send) -> GatewayFrame:
        # Before any work (SR-17).
        wait_ms = self._house.buckets.take(
            "gateway.sends", self._line.device.number, self._limits.sends, self._house.now()
        )
        if wait_ms:
            return Result(asked.request, False, 429, "too many messages", wait_ms)
        if asked.to is None and asked.group is None:
            raise InputError("a message to nobody", code="gateway.nobody")
        result = await self._line.send(asked)
        return Result(asked.request, result.accepted, result.status, result.reason[:500], result.retry_after_ms)

    async def _do(self, request: RequestId, work: Callable[[], Coroutine[Any, Any, None]]) -> GatewayFrame:
        self._spend()
        await work()
        return Done(request)

    async def _features(self, asked: AskFeatures) -> GatewayFrame:
        self._spend()
        return FeaturesAnswer(asked.request, await self._line.features(asked))

    async def _subscribe(self, asked: Subscribe) -> None:
        pushes, device = self._house.pushes, self._line.device
        if pushes is None:
            raise InputError(
                "this gateway wakes nobody", code="gateway.push", hint="its operator has set up no push service"
            )
        if asked.push is None:
            await pushes.unsubscribe(device.number, device.instance)
        else:
            await pushes.subscribe(device.number, device.instance, asked.push)

    def _spend(self) -> None:
        wait_ms = self._house.buckets.take(
            "gateway.requests", self._line.device.number, self._limits.requests, self._house.now()
        )
        if wait_ms:
            raise TransportError("too many requests", code="gateway.rate", hint=f"try again in {-(-wait_ms // 1000)} s")
