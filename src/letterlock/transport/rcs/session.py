"""One message session with one number: what goes over it, what comes, and when it is closed.

An arriving message is handed up when it is whole, and its success report goes out only after that returned (SR-06). A
session in which nothing happens is closed; the next message opens another.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ...carriage import NetworkResult
from ...errors import InputError, LimitExceeded, TransportError
from ...ids import Peer, Rng
from ...msrp import MessageStarted
from ...sip.msrp_media import Agreement
from ..msrp.bodies import MsrpRefusal, Sink
from ..msrp.settings import MsrpFailure
from .dialogs import Call
from .media import LocalEnd, Media, MediaSession

__all__ = ["Budget", "ChatSession", "NotTaken"]

# A temporary failure, to whoever sent: RFC 4975 section 10.5 has no other that does not mean "never".
_LATER = 408
_REFUSALS = frozenset({400, 403, 413, 415})
_OVER = NetworkResult(False, 481, "the session is over")


class NotTaken(Exception):
    """The session does not take this message, and nothing of it was sent: another way may."""

    def __init__(self, result: NetworkResult) -> None:
        super().__init__(result.reason)
        self.result = result

    @property
    def over(self) -> bool:
        """The session has ended: a new one may take it."""
        return self.result is _OVER


@dataclass(slots=True)
class Budget:
    """Bytes of messages that are arriving, all sessions together (SR-08)."""

    most: int
    used: int = 0


class ChatSession(MediaSession):
    """See the module. `deliver` is awaited for each whole message, and raises MsrpRefusal; `over` is called once."""

    def __init__(
        self,
        peer: Peer,
        media: Media,
        *,
        idle_s: float,
        budget: Budget,
        deliver: Callable[[Peer, MessageStarted, bytes], Awaitable[None]],
        over: Callable[[ChatSession], None],
        rng: Rng,
    ) -> None:
        self.peer = peer
        self.ready = False
        self._media = media
        self._idle_s = idle_s
        self._budget = budget
        self._deliver = deliver
        self._over = over
        self._rng = rng
        self._loop = asyncio.get_running_loop()
        self._call: Call | None = None
        self._end: LocalEnd | None = None
        self._agreed: Agreement | None = None
        self._busy = 0
        self._ended = False
        self._used_at = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None

    # --- its life --------------------------------------------------------------------------------------------
    def begin(self, end: LocalEnd) -> None:
        """Our side of it is made."""
        self._end = end
        if self._ended:
            self._media.release(end)

    def belongs_to(self, call: Call) -> None:
        """Its dialog: when that ends, so does this."""
        self._call = call
        call.ended.add_done_callback(lambda ended: self.close(ended.result()))

    async def connect(self, agreed: Agreement, carrier: str, seconds: float) -> None:
        """Bring up the media as agreed. Raises TransportError, TimeoutError; MsrpFailure when it ended meanwhile."""
        assert self._end is not None
        self._agreed = agreed
        async with asyncio.timeout(seconds):
            await self._media.join(self._end, agreed, carrier)
        if self._ended:
            raise MsrpFailure("the session has ended", 0)
        self.ready = True
        self._watch()

    def close(self, reason: str) -> None:
        """End it: BYE, or CANCEL, and the connection if nobody else uses it. What is unfinished has failed."""
        if self._ended:
            return
        self._ended = True
        self.ready = False
        if self._timer is not None:
            self._timer.cancel()
        if self._end is not None:
            self._media.release(self._end)
        if self._call is not None:
            self._call.hang_up(reason)
        self._over(self)

    @property
    def usable(self) -> bool:
        """Whether a message may be begun on it."""
        until = None if self._end is None else self._end.usable_until
        return self.ready and (until is None or self._loop.time() < until)

    @property
    def idle_since(self) -> float | None:
        """The loop's time when it was used last; None while it is in use or being made."""
        return self._used_at if self.ready and not self._busy else None

    async def gone(self) -> None:
        """Wait until its dialog is over."""
        if self._call is not None:
            await asyncio.shield(self._call.ended)

    # --- ours --------------------------------------------------------------------------------------------------
    async def send(self, content_type: str, inner_type: str, body: bytes) -> NetworkResult:
        """Send a message and wait for the success report. Raises NotTaken; TransportError when too many are under way."""
        end, agreed = self._end, self._agreed
        if not self.usable or end is None or end.connection is None or agreed is None:
            raise NotTaken(_OVER)
        if not agreed.may_send or not agreed.takes(content_type, inner_type):
            # RFC 4975 section 8.6: "MUST NOT send content of a type not signaled by the peer".
            raise NotTaken(NetworkResult(False, 415, "the peer takes no such content in a session"))
        if agreed.peer.max_size is not None and len(body) > agreed.peer.max_size:
            raise NotTaken(NetworkResult(False, 413, f"the peer takes {agreed.peer.max_size} bytes at most"))
        self._busy += 1
        try:
            await end.connection.send(end.session, content_type, body, message_id=self._message_id())
        except InputError as error:  # it ended between two lines of ours
            raise NotTaken(_OVER) from error
        except LimitExceeded as error:
            raise TransportError(str(error), code="transport.busy") from error
        except MsrpFailure as failure:
            if failure.status == 415:
                raise NotTaken(NetworkResult(False, 415, str(failure))) from failure
            if failure.status in _REFUSALS:
                return NetworkResult(False, failure.status, str(failure))
            # Silence, or a session that the peer does not know: it may have the message or not.
            self.close("the session does not work")
            return NetworkResult(False, 0, f"the session was cut: {failure}")
        finally:
            self._busy -= 1
            self._used_at = self._loop.time()
        return NetworkResult(True, 200, "OK")

    def _message_id(self) -> str:
        # Not ours: an MSRP message id has at most 32 characters, and each attempt needs another.
        return base64.b32encode(self._rng(10)).decode().lower()

    # --- the peer's ----------------------------------------------------------------------------------------
    def message_started(self, started: MessageStarted) -> Sink:
        self._used_at = self._loop.time()
        return _Arriving(self, started)

    def failed(self, reason: str) -> None:
        self.close(reason)

    # --- idleness ------------------------------------------------------------------------------------------
    def _watch(self) -> None:
        if self._ended:
            return
        if self.idle_since is not None and self._loop.time() >= self._used_at + self._idle_s:
            self.close("idle")
            return
        at = self._used_at + self._idle_s if not self._busy else self._loop.time() + self._idle_s
        self._timer = self._loop.call_at(at, self._watch)


class _Arriving:
    """A message in memory until it is whole."""

    def __init__(self, session: ChatSession, started: MessageStarted) -> None:
        self._session = session
        self._started = started
        self._body: bytearray | None = bytearray()
        session._busy += 1

    def write(self, data: memoryview | bytes) -> None:
        budget = self._session._budget
        if self._body is None:
            return
        if budget.used + len(data) > budget.most:
            self._done()
            raise MsrpRefusal(_LATER, "too much is arriving")
        budget.used += len(data)
        self._body += data

    async def finish(self) -> None:
        try:
            await self._session._deliver(self._session.peer, self._started, bytes(self._body or b""))
        finally:
            self._done()

    def broken(self, reason: str) -> None:
        self._done()

    def _done(self) -> None:
        """Once, whatever happened."""
        session = self._session
        if self._body is not None:
            session._budget.used -= len(self._body)
            session._busy -= 1
            session._used_at = session._loop.time()
            self._body = None
