"""RCS through a gateway, for the client the same as RCS itself: stays linked, sends, hands up before it acknowledges.

The gateway says whom it serves with which cursor; here nothing of a message is looked at. `arrivals` takes what comes,
`requests` has what is not answered yet, `connection` speaks HTTP, `links` stays linked; here is what a client calls, and what
each frame of the gateway is.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import ssl
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import replace
from typing import Any

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
    encode,
)
from ...codec.push_subscription import Subscription
from ...errors import DecodeError, LetterlockError, TransportError
from ...ids import GroupId, Number, Rng
from .arrivals import Arrivals
from .config import GatewayConfig, GatewaySettings
from .connection import GatewayHttp
from .links import Links
from .requests import Answer, Asked, Requests, named
from .status import GatewayState, GatewayStatus, printable

__all__ = ["GatewayState", "GatewayStatus", "GatewayTransport"]

_CODE = re.compile(r"[a-z0-9_.]{1,64}", re.ASCII)
_GROUP = re.compile(r"[0-9a-f]{32}", re.ASCII)
_MAX_ADDRESS = 1024
_NO_REQUEST = RequestId(bytes(16))


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
        self._links = Links(
            self._http,
            settings,
            rng,
            hello=self._hello,
            on_welcome=self._welcomed,
            first=self._first,
            on_frame=self._on,
            on_state=self._set,
        )
        self._arrivals = Arrivals(on_message, settings.max_taking, self._links.stir, self._links.drop)
        self._requests = Requests(self._links.say)
        self._slots = asyncio.Semaphore(settings.max_in_flight)
        self._views = asyncio.Semaphore(settings.max_taking)
        self._registered = asyncio.Event()
        self._acknowledged = 0  # on this link
        self._on_conference: Callable[[ConferenceView], Awaitable[None]] | None = None
        self._on_capabilities: Callable[[Number, tuple[str, ...], tuple[str, ...]], None] | None = None
        self._kept: MutableMapping[str, str] = {}
        self._visit = False
        self._wanted: dict[GroupId, tuple[Conference, bool]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.status = GatewayStatus(GatewayState.OFFLINE, "not started")

    # --- Transport -------------------------------------------------------------------------------
    async def start(self) -> None:
        """Link and stay linked, in the background."""
        self._links.start()

    async def close(self) -> None:
        """Take no more messages, acknowledge those that were taken, end the link. Takes seconds at most. The gateway stays
        registered, and keeps what comes."""
        self._links.stop()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._arrivals.finish(self._settings.goodbye_s)
        await self._links.close()
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
        self._links.stir()  # it is settled
        if not isinstance(answer, Result):
            raise _senseless()
        return NetworkResult(answer.accepted, answer.status, printable(answer.reason), answer.retry_after_ms)

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
        self._visit = not self._links.linked.is_set()
        self._links.say(encode(VisitConferences()))

    async def make_conference(self, conference: Conference) -> None:
        """Have the group's conference made, or find it. Raises TransportError."""
        if not isinstance(await self._ask(MakeConference(self._name(), _roster(conference))), Done):
            raise _senseless()

    # --- Advertises, Capabilities ----------------------------------------------------------------
    def advertise(self, tags: tuple[tuple[str, str], ...]) -> None:
        """Further feature tags from now on, instead of those before."""
        if tags != self._config.tags:
            self._config = replace(self._config, tags=tags)
            self._links.say(encode(Advertise(tags)))

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
        if not self._links.linked.is_set():
            try:
                async with asyncio.timeout(self._settings.link_wait_s):
                    await self._links.linked.wait()
            except TimeoutError:
                raise TransportError(
                    f"no link with the gateway: {self.status.reason}",
                    code="transport.offline",
                    hint="the message is kept and sent when the gateway can be reached",
                ) from None
        answer = await self._requests.ask(asked, self._settings.answer_s)
        if isinstance(answer, Failure):
            code = answer.code if _CODE.fullmatch(answer.code) else "transport.gateway"
            raise TransportError(printable(answer.message), code=code, hint=printable(answer.hint))
        return answer

    def _name(self) -> RequestId:
        return RequestId(self._rng(16))

    def _spawn(self, work: Awaitable[Any]) -> None:
        async def quietly() -> None:
            with contextlib.suppress(ConnectionError, RuntimeError, TimeoutError, LetterlockError):
                await work

        task = asyncio.get_running_loop().create_task(quietly())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # --- for each link -----------------------------------------------------------------------------
    def _hello(self) -> Hello:
        conferences = tuple(self._kept.items())[: self._most]
        return Hello(self._arrivals.inbox, self._arrivals.acknowledged, self._config.tags, conferences)

    def _welcomed(self, welcome: Welcome) -> None:
        self._arrivals.begin(welcome)
        self._acknowledged = welcome.cursor
        self._requests.again()
        if self._visit:
            self._visit = False
            self._links.say(encode(VisitConferences()))
        for conference, leave in list(self._wanted.values()):
            self._spawn(self.sync_conference(conference, leave))

    def _first(self) -> bytes | None:
        """What goes out before all else. What is settled first: behind it, the same request is a new one."""
        if settled := self._requests.settled():
            return encode(Settled(settled))
        if self._arrivals.acknowledged > self._acknowledged:
            self._acknowledged = self._arrivals.acknowledged
            return encode(Acknowledge(self._acknowledged))
        return None

    @property
    def _most(self) -> int:
        return self._settings.frames.max_items

    async def _on(self, frame: GatewayFrame) -> None:
        match frame:
            case Message():
                if not self._links.stopping:
                    await self._arrivals.take(frame)
            case Gap():
                self._arrivals.miss(frame)
                self._set(self.status.state, self.status.reason)
            case Result() | Failure() | Done() | FeaturesAnswer():
                self._requests.answered(frame)
            case Registration(state=state, reason=reason):
                self._stands(state, printable(reason))
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
            self._set(GatewayState.REGISTERED, "registered")
        else:
            self._set(GatewayState.LINKED, f"the carrier: {reason}")

    def _keep(self, name: str, address: str | None) -> None:
        """What does not fit is passed over (SR-08). It does not end the link: a focus chose it, and would end every one."""
        if address is None:
            self._kept.pop(name, None)
        elif (
            _GROUP.fullmatch(name)
            and len(address) <= _MAX_ADDRESS
            and (name in self._kept or len(self._kept) < self._most)
        ):
            self._kept[name] = address

    def _set(self, state: GatewayState, reason: str) -> None:
        if state is GatewayState.REGISTERED:
            self._registered.set()
        else:
            self._registered.clear()
        status = GatewayStatus(state, reason, self._arrivals.lost)
        if status != self.status:
            self.status = status
            if self._on_state is not None:
                self._on_state(status)


def _roster(conference: Conference) -> Roster:
    return Roster(conference.group, conference.subject, conference.members)


def _view(frame: ConferenceSeen) -> ConferenceView:
    return ConferenceView(
        frame.group, frame.focus, frame.subject, frame.members, frame.encrypted_subject, frame.encrypted_icon
    )


def _senseless() -> TransportError:
    return TransportError("the gateway answered something else", code="transport.gateway")
