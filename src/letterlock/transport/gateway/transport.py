"""RCS through a gateway, for the client the same as RCS itself: stays linked, sends, hands up before it acknowledges.

The gateway says whom it serves with which cursor; here nothing of a message is looked at. `arrivals` takes what comes,
`requests` has what is not answered yet, `connection` speaks HTTP; here is the link, one after another, and what a client
calls.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import logging
import os
import re
import ssl
import time
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, replace
from typing import Any

from aiohttp import WSMsgType

from ...carriage import Conference, ConferenceView, Inbound, Medium, NetworkResult, Outbound
from ...codec.gateway import (
    Acknowledge,
    Advertise,
    AskFeatures,
    ConferenceKept,
    ConferenceSeen,
    Done,
    Failure,
    FeaturesAnswer,
    FeaturesChanged,
    Gap,
    GatewayFrame,
    Hello,
    MakeConference,
    Message,
    Registration,
    RequestId,
    Result,
    Roster,
    Send,
    Settled,
    Subscribe,
    SyncConference,
    VisitConferences,
    Welcome,
    decode_gateway_frame,
    encode,
)
from ...codec.push_subscription import Subscription
from ...errors import DecodeError, GatewayError, LetterlockError, TransportError
from ...ids import GroupId, Number, Rng
from .arrivals import Arrivals
from .config import GatewayConfig, GatewaySettings
from .connection import GatewayHttp, Socket
from .requests import Answer, Asked, Requests, named

__all__ = ["GatewayState", "GatewayStatus", "GatewayTransport"]

_log = logging.getLogger(__name__)

_REPLACED = 4000
_REVOKED = 4001
_CODE = re.compile(r"[a-z0-9_.]{1,64}", re.ASCII)
_GROUP = re.compile(r"[0-9a-f]{32}", re.ASCII)
_MAX_ADDRESS = 1024
_NO_REQUEST = RequestId(bytes(16))


class GatewayState(enum.Enum):
    """Whether messages can be sent."""

    OFFLINE = "offline"
    CONNECTING = "connecting"
    LINKED = "linked"  # with the gateway, which is not registered with the carrier
    REGISTERED = "registered"
    REFUSED = "refused"  # the gateway says no; tried again rarely
    REPLACED = "replaced"  # another process is this device


@dataclass(frozen=True, slots=True)
class GatewayStatus:
    """How it stands, and why; and how many messages the gateway could not keep until we came."""

    state: GatewayState
    reason: str
    lost: int = 0


class GatewayTransport:
    """The transport of one account. `start` it; `on_message` is awaited for each arriving message, and the gateway keeps
    what it raises for. Raises InputError for an address that would have us speak in the clear beyond this machine."""

    def __init__(
        self,
        config: GatewayConfig,
        on_message: Callable[[Inbound], Awaitable[None]],
        on_state: Callable[[GatewayStatus], None] | None = None,
        *,
        tls: ssl.SSLContext | None = None,
        rng: Rng = os.urandom,
        settings: GatewaySettings | None = None,
    ) -> None:
        self._config = config
        self._settings = settings = settings or GatewaySettings()
        self._on_state = on_state
        self._rng = rng
        self._http = GatewayHttp(config, settings, tls)
        self._arrivals = Arrivals(on_message, settings.max_taking, self._stir, self._drop)
        self._requests = Requests(self._say)
        self._slots = asyncio.Semaphore(settings.max_in_flight)
        self._views = asyncio.Semaphore(settings.max_taking)
        self._out: deque[bytes] = deque()
        self._more = asyncio.Event()
        self._linked = asyncio.Event()
        self._registered = asyncio.Event()
        self._stopping = asyncio.Event()
        self._socket: Socket | None = None
        self._acknowledged = 0  # on this link
        self._failure = ""
        self._close_code = 0
        self._on_conference: Callable[[ConferenceView], Awaitable[None]] | None = None
        self._on_capabilities: Callable[[Number, tuple[str, ...], tuple[str, ...]], None] | None = None
        self._kept: MutableMapping[str, str] = {}
        self._visit = False
        self._wanted: dict[GroupId, tuple[Conference, bool]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._task: asyncio.Task[None] | None = None
        self.status = GatewayStatus(GatewayState.OFFLINE, "not started")

    # --- Transport -------------------------------------------------------------------------------
    async def start(self) -> None:
        """Link and stay linked, in the background."""
        if self._task is None:
            self._stopping.clear()
            self._task = asyncio.get_running_loop().create_task(self._run(), name="letterlock-gateway")

    async def close(self) -> None:
        """Take no more messages, acknowledge those that were taken, end the link. Takes seconds at most. The gateway stays
        registered, and keeps what comes."""
        self._stopping.set()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._arrivals.finish(self._settings.goodbye_s)
        running, self._task = self._task, None
        if running is not None:
            if self._socket is not None and self._linked.is_set():
                with contextlib.suppress(ConnectionError, RuntimeError, TimeoutError):
                    async with asyncio.timeout(self._settings.goodbye_s):
                        await self._flush(self._socket)
                        await self._socket.close()
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        await self._http.close()
        self._set(GatewayState.OFFLINE, "closed")

    async def registered(self) -> None:
        """Wait until messages can be sent."""
        await self._registered.wait()

    async def send(self, outbound: Outbound) -> NetworkResult:
        """Hand one message to the network and wait for its answer, as `RcsTransport.send` does. Raises TransportError."""
        if outbound.medium is not Medium.RCS:
            raise TransportError("a gateway carries RCS alone", code="transport.medium")
        asked = named(
            Send(
                _NO_REQUEST,
                outbound.to,
                outbound.message_id,
                outbound.conversation,
                outbound.content_type,
                outbound.body,
                large=outbound.large,
                receipts=outbound.receipts,
                group=outbound.group,
                headers=outbound.headers,
                packet=outbound.packet,
                dispositions=outbound.dispositions,
            )
        )
        if len(asked.body) > self._settings.frames.max_frame - 65_536:
            return NetworkResult(False, 413, "larger than a gateway takes")
        async with self._slots:
            answer = await self._ask(asked)
        self._stir()  # it is settled
        if not isinstance(answer, Result):
            raise _senseless()
        return NetworkResult(answer.accepted, answer.status, _printable(answer.reason), answer.retry_after_ms)

    # --- Conferences, KeptConferences ------------------------------------------------------------
    def watch_conferences(self, on_conference: Callable[[ConferenceView], Awaitable[None]]) -> None:
        """Report every roster that the focus of a conference claims there. Before `start`."""
        self._on_conference = on_conference

    async def sync_conference(self, conference: Conference, leave: bool) -> None:
        """Make the group's conference look like this, or leave it. The gateway keeps trying while it runs; what it has not
        done when a link ends is asked for again over the next one. Raises TransportError when it cannot now."""
        self._wanted[conference.group] = wanted = (conference, leave)
        answer = await self._ask(SyncConference(self._name(), leave, _roster(conference)))
        if not isinstance(answer, Done):
            raise _senseless()
        if self._wanted.get(conference.group) is wanted:
            del self._wanted[conference.group]

    def remember_conferences(self, kept: MutableMapping[str, str]) -> None:
        """Read and write the addresses of conferences there. Before `start`."""
        self._kept = kept

    def visit_conferences(self) -> None:
        """Make this device known in every conference that is remembered. After `start`."""
        self._visit = True
        if self._linked.is_set():
            self._visit = False
            self._say(encode(VisitConferences()))

    async def make_conference(self, conference: Conference) -> None:
        """Have the group's conference made, or find it. Raises TransportError."""
        if not isinstance(await self._ask(MakeConference(self._name(), _roster(conference))), Done):
            raise _senseless()

    # --- Advertises, Capabilities ----------------------------------------------------------------
    def advertise(self, tags: tuple[tuple[str, str], ...]) -> None:
        """Further feature tags from now on, instead of those before."""
        if tags != self._config.tags:
            self._config = replace(self._config, tags=tags)
            if self._linked.is_set():
                self._say(encode(Advertise(tags)))

    def watch_capabilities(self, on_change: Callable[[Number, tuple[str, ...], tuple[str, ...]], None]) -> None:
        """Tell of each number whose features are others than before: their names, and the former ones."""
        self._on_capabilities = on_change

    async def features(self, number: Number, *, fresh: bool = False) -> tuple[str, ...] | None:
        """The names of a number's features, none for a number without RCS, None when nobody knows now. Raises
        TransportError."""
        answer = await self._ask(AskFeatures(self._name(), number, fresh))
        if not isinstance(answer, FeaturesAnswer):
            raise _senseless()
        return answer.features

    # --- being woken -----------------------------------------------------------------------------
    async def subscribe(self, push: Subscription | None) -> None:
        """Have this device woken there while it has no link; None: not any more. Raises TransportError, with the code of
        the gateway or its push service when they refuse."""
        if not isinstance(await self._ask(Subscribe(self._name(), push)), Done):
            raise _senseless()

    # --- requests --------------------------------------------------------------------------------
    async def _ask(self, asked: Asked) -> Answer:
        if not self._linked.is_set():
            try:
                async with asyncio.timeout(self._settings.link_wait_s):
                    await self._linked.wait()
            except TimeoutError:
                raise TransportError(
                    f"no link with the gateway: {self.status.reason}",
                    code="transport.offline",
                    hint="the message is kept and sent when the gateway can be reached",
                ) from None
        answer = await self._requests.ask(asked, self._settings.answer_s)
        if isinstance(answer, Failure):
            code = answer.code if _CODE.fullmatch(answer.code) else "transport.gateway"
            raise TransportError(_printable(answer.message), code=code, hint=_printable(answer.hint))
        return answer

    def _name(self) -> RequestId:
        return RequestId(self._rng(16))

    def _say(self, frame: bytes) -> None:
        if self._linked.is_set():
            self._out.append(frame)
            self._more.set()

    def _stir(self) -> None:
        self._more.set()

    def _drop(self, reason: str) -> None:
        """End this link: what was not taken has to come again."""
        self._failure = reason
        if self._socket is not None:
            self._spawn(self._socket.close())

    def _spawn(self, work: Awaitable[Any]) -> None:
        async def quietly() -> None:
            with contextlib.suppress(ConnectionError, RuntimeError, TimeoutError, LetterlockError):
                await work

        task = asyncio.get_running_loop().create_task(quietly())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # --- one link after another ------------------------------------------------------------------
    async def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            self._set(GatewayState.CONNECTING, "connecting to the gateway")
            began = time.monotonic()
            ended = await self._once()
            self._linked.clear()
            self._registered.clear()
            self._out.clear()
            if self._stopping.is_set():
                return
            self._set(ended.state, ended.reason)
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
            return _Ended(GatewayState.OFFLINE, str(error), linked=self._linked.is_set())
        except (ConnectionError, RuntimeError, TimeoutError) as error:
            return _Ended(GatewayState.OFFLINE, f"the link ended: {type(error).__name__}", linked=self._linked.is_set())
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

    async def _serve(self, socket: Socket) -> None:
        """From our hello to the end of the link."""
        arrivals = self._arrivals
        hello = Hello(arrivals.inbox, arrivals.acknowledged, self._config.tags, tuple(self._kept.items())[: self._most])
        await socket.send_bytes(encode(hello))
        async with asyncio.timeout(self._settings.connect_s):
            welcome = await self._receive(socket)
        if welcome is None:
            return
        if not isinstance(welcome, Welcome):
            raise DecodeError("a link begins with a welcome", code="gateway.welcome")
        arrivals.begin(welcome)
        self._acknowledged = welcome.cursor
        self._linked.set()
        self._set(GatewayState.LINKED, "the gateway is not registered with the carrier")
        self._out.clear()
        self._requests.again()
        if self._visit:
            self._visit = False
            self._say(encode(VisitConferences()))
        for conference, leave in list(self._wanted.values()):
            self._spawn(self.sync_conference(conference, leave))
        self._more.set()
        writing = asyncio.get_running_loop().create_task(self._write(socket))
        try:
            while (frame := await self._receive(socket)) is not None:
                await self._on(frame)
        finally:
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)

    @property
    def _most(self) -> int:
        return self._settings.frames.max_items

    async def _write(self, socket: Socket) -> None:
        with contextlib.suppress(ConnectionError, RuntimeError):  # it has ended; reading finds out, too
            while True:
                await self._more.wait()
                self._more.clear()
                await self._flush(socket)

    async def _flush(self, socket: Socket) -> None:
        """What is settled first: behind it, the same request is a new one."""
        while True:
            if settled := self._requests.settled():
                await socket.send_bytes(encode(Settled(settled)))
            elif self._arrivals.acknowledged > self._acknowledged:
                self._acknowledged = self._arrivals.acknowledged
                await socket.send_bytes(encode(Acknowledge(self._acknowledged)))
            elif self._out:
                await socket.send_bytes(self._out.popleft())
            else:
                return

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

    async def _on(self, frame: GatewayFrame) -> None:
        match frame:
            case Message():
                if not self._stopping.is_set():
                    await self._arrivals.take(frame)
            case Gap():
                self._arrivals.miss(frame)
                self._set(self.status.state, self.status.reason)
            case Result() | Failure() | Done() | FeaturesAnswer():
                self._requests.answered(frame)
            case Registration(state=state, reason=reason):
                self._stands(state, _printable(reason))
            case ConferenceSeen():
                if self._on_conference is not None:
                    await self._views.acquire()  # SR-08: a gateway that floods waits in its own socket
                    self._spawn(self._seen(self._on_conference, _view(frame)))
            case FeaturesChanged(number=number, features=features, before=before):
                if self._on_capabilities is not None:
                    self._on_capabilities(number, features, before)
            case ConferenceKept(name=name, address=address):
                self._keep(name, address)
            case Welcome():
                raise DecodeError("a second welcome", code="gateway.welcome")

    async def _seen(self, on_conference: Callable[[ConferenceView], Awaitable[None]], view: ConferenceView) -> None:
        try:
            await on_conference(view)
        finally:
            self._views.release()

    def _stands(self, state: str, reason: str) -> None:
        if state == "registered":
            self._registered.set()
            self._set(GatewayState.REGISTERED, "registered")
        else:
            self._registered.clear()
            self._set(GatewayState.LINKED, f"the carrier: {reason}")

    def _keep(self, name: str, address: str | None) -> None:
        full = name not in self._kept and len(self._kept) >= self._most  # SR-08
        if not _GROUP.fullmatch(name) or (address is not None and (full or len(address) > _MAX_ADDRESS)):
            raise DecodeError("not where a conference is", code="gateway.conference")
        if address is not None:
            self._kept[name] = address
        else:
            self._kept.pop(name, None)

    # --- between two -----------------------------------------------------------------------------
    def _backoff(self, failures: int) -> float:
        """Doubling, with a random half taken off, so that a gateway that comes back is not met by all at once."""
        low, high = self._settings.backoff_s
        full = min(high, low * 2.0 ** min(max(failures - 1, 0), 16))
        return full * (0.5 + self._rng(1)[0] / 510)

    def _set(self, state: GatewayState, reason: str) -> None:
        status = GatewayStatus(state, reason, self._arrivals.lost)
        if status != self.status:
            self.status = status
            if self._on_state is not None:
                self._on_state(status)


@dataclass(frozen=True, slots=True)
class _Ended:
    """How a link, or the attempt to make one, came to its end."""

    state: GatewayState
    reason: str
    wait_s: float = 0.0
    linked: bool = False


def _roster(conference: Conference) -> Roster:
    return Roster(conference.group, conference.subject, conference.members)


def _view(frame: ConferenceSeen) -> ConferenceView:
    return ConferenceView(
        frame.group, frame.focus, frame.subject, frame.members, frame.encrypted_subject, frame.encrypted_icon
    )


def _senseless() -> TransportError:
    return TransportError("the gateway answered something else", code="transport.gateway")


def _printable(text: str) -> str:
    """The gateway's words, fit for a terminal: no control characters, not a page of them."""
    return "".join(letter if letter.isprintable() else "?" for letter in text[:200])
