"""Dialogs at the edge: sessions and subscriptions of one account over the connection that is registered now.

A dialog of a client ends with its connection: its contact is gone with it, and whoever cares begins a new one. What
happens in a dialog is told to the listener that it was begun with, from the event loop, in order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

from ...codec.sip import NameAddr, Request, Response, Uri
from ...errors import DecodeError, LimitExceeded, TransportError
from ...ids import Instant, Rng
from ...sip.calling import Invitation
from ...sip.dialog import dialog_key
from ...sip.dialog_layer import DialogLayer, Told, Usage
from ...sip.effects import Body, Effect, Respond
from ...sip.notifying import NotifierEvent
from ...sip.session import Session
from ...sip.session_events import (
    Answered,
    Ended,
    Established,
    InDialog,
    Offered,
    Refused,
    Reoffered,
    SessionEvent,
    SessionSettings,
)
from ...sip.subscribing import Subscriber, SubscriberEvent
from ...sip.transaction import TransactionKey
from ...sip.user_agent_events import Event, Received
from .sip_connection import SipConnection

__all__ = ["Call", "CallRefused", "DialogEvent", "Dialogs", "FlowLost", "Listener"]


@dataclass(frozen=True, slots=True)
class FlowLost:
    """The connection is gone, and the dialog with it."""

    reason: str


DialogEvent: TypeAlias = SessionEvent | SubscriberEvent | NotifierEvent | FlowLost
Listener = Callable[[DialogEvent], None]


class CallRefused(Exception):
    """Our INVITE came to nothing. `status` is 408 when nobody answered, 0 when the connection is gone."""

    def __init__(self, status: int, reason: str, response: Response | None) -> None:
        super().__init__(f"{status} {reason}")
        self.status = status
        self.reason = reason
        self.response = response


class Dialogs:
    """See the module. Each of `takers` is offered every INVITE that begins something, until one says that it takes it.

    `contact_for` may name another Contact header for the answer to an INVITE; `on_attached` is called for each connection.
    """

    def __init__(self, settings: SessionSettings, max_dialogs: int, rng: Rng) -> None:
        self.takers: list[Callable[[Call], bool]] = []
        self.contact_for: Callable[[Request], str | None] = lambda invite: None
        self.on_attached: list[Callable[[], None]] = []
        self._settings = settings
        self._max_dialogs = max_dialogs
        self._rng = rng
        self._connection: SipConnection | None = None
        self._layer: DialogLayer | None = None
        self._listeners: dict[Usage, Listener] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._contact = ""

    # --- what presence tells ---------------------------------------------------------------------------------
    def attach(self, connection: SipConnection, contact: str) -> None:
        """Registered over this connection. `contact` is our whole Contact header there."""
        self._connection, self._contact = connection, contact
        self._layer = DialogLayer(lambda: connection.agent, self._max_dialogs)
        for attached in self.on_attached:
            attached()

    def announce(self, contact: str) -> None:
        """Our Contact header has other feature tags: in what is begun from now on."""
        self._contact = contact

    def detach(self, reason: str) -> None:
        """The connection is gone."""
        self._connection = self._layer = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        listeners, self._listeners = self._listeners, {}
        for listener in listeners.values():
            listener(FlowLost(reason))

    def on_event(self, connection: SipConnection, event: Event) -> None:
        """What a connection reports that is no answer to a request of others."""
        if self._layer is None or connection is not self._connection or connection.agent is None:
            return
        self._tell(self._layer.on_event(connection.agent, event, connection.now()) or [])

    def take(self, connection: SipConnection, key: TransactionKey, request: Request) -> bool:
        """A request that is not MESSAGE: whether it is ours to answer."""
        layer, agent = self._layer, connection.agent
        if layer is None or connection is not self._connection or agent is None:
            return False
        told = layer.on_event(agent, Received(key, request), connection.now())
        if told is not None:
            self._tell(told)
            return True
        if dialog_key(request) is not None:
            connection.respond(key, 481)
            return True
        if request.method != "INVITE":
            return False
        self._called(layer, connection, key, request)
        return True

    # --- what others ask for ------------------------------------------------------------------------------------
    @property
    def contact(self) -> str:
        """Our whole Contact header."""
        return self._contact

    @property
    def uri(self) -> Uri | None:
        """The address in it; None before the first connection."""
        return NameAddr.parse(self._contact).uri if self._contact else None

    @property
    def allow(self) -> str:
        """The methods that are understood in a session."""
        return self._settings.allow

    def call(self, invitation: Invitation) -> Call:
        """Begin a session. Raises TransportError when there is no connection, or too many dialogs."""
        session = Session.call(self._settings, invitation, self._rng)
        call = Call(self, session, None)
        self.begin(session, lambda now: session.start(now)[0], call.told)
        return call

    def subscribe(self, subscriber: Subscriber, listener: Listener) -> None:
        """Begin a subscription. Raises as `call` does."""
        self.begin(subscriber, subscriber.start, listener)

    def begin(self, usage: Usage, start: Callable[[Instant], Iterable[Effect]], listener: Listener) -> None:
        """Begin anything that lives in a dialog."""
        layer, connection = self._usable()
        if layer.full:
            raise TransportError("too many sessions", code="transport.busy")
        self._listeners[usage] = listener
        now = connection.now()
        self._tell(layer.add(usage, start(now), now))

    def do(self, usage: Usage, act: Callable[[Instant], object]) -> None:
        """Let a usage act: `act` returns effects, or effects and events. Nothing happens when its connection is gone."""
        layer, connection = self._layer, self._connection
        if layer is None or connection is None or usage not in self._listeners:
            return
        now = connection.now()
        step = act(now)
        effects, events = step if isinstance(step, tuple) else (step, [])
        told = [Told(usage, event) for event in events]
        self._tell(told + layer.perform(usage, effects, now))

    def _called(self, layer: DialogLayer, connection: SipConnection, key: TransactionKey, request: Request) -> None:
        assert connection.agent is not None
        now = connection.now()
        try:
            contact = self.contact_for(request) or self._contact
            session = Session.called(self._settings, key, request, contact, self._rng)
        except DecodeError as error:
            connection.respond(key, 400, f"Bad Request ({error.code})")
            return
        call = Call(self, session, request)
        self._listeners[session] = call.told
        effects, events = session.start(now)
        try:
            told = layer.called(connection.agent, key, session, effects, now)
        except LimitExceeded:
            del self._listeners[session]
            connection.respond(key, 486, headers=(("Retry-After", "30"),))
            return
        offered = any(isinstance(event, Offered) for event in events)
        self._tell([Told(session, event) for event in events] + told)
        if offered and not any(taker(call) for taker in self.takers):
            self.do(session, lambda _: session.refuse(488))

    def _usable(self) -> tuple[DialogLayer, SipConnection]:
        if self._layer is None or self._connection is None:
            raise TransportError("not registered with the carrier", code="transport.offline")
        return self._layer, self._connection

    def _tell(self, told: Iterable[Told]) -> None:
        for each in told:
            listener = self._listeners.get(each.usage)
            if listener is not None:
                listener(each.event)
        for usage in [usage for usage in self._listeners if usage.over]:
            del self._listeners[usage]
        if self._connection is not None:
            self._connection.flush()
            self._arm()

    def _arm(self) -> None:
        deadline = None if self._layer is None else self._layer.next_deadline()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if deadline is not None:
            self._timer = asyncio.get_running_loop().call_at(deadline / 1000, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        if self._layer is not None and self._connection is not None:
            self._tell(self._layer.on_deadline(self._connection.now()))


class Call:
    """One session at the edge. `invite` is the caller's, None when we call; `ended` is done, with a reason, when it is over.

    Offers of other media in a running session are refused, requests in it answered 405, unless `on_request` takes them.
    """

    def __init__(self, dialogs: Dialogs, session: Session, invite: Request | None) -> None:
        loop = asyncio.get_running_loop()
        self.invite = invite
        self.offered: Body | None = None
        self.ended: asyncio.Future[str] = loop.create_future()
        self.on_request: Callable[[TransactionKey, Request], bool] = lambda key, request: False
        self._dialogs = dialogs
        self._session = session
        self._established: asyncio.Future[Established] = loop.create_future()
        self._answers: dict[int, asyncio.Future[Response | None]] = {}

    async def established(self) -> Established:
        """Wait for the answer to our INVITE, or for the ACK of our answer. Raises CallRefused."""
        return await asyncio.shield(self._established)

    def ring(self) -> None:
        self._dialogs.do(self._session, lambda now: self._session.ring())

    def accept(self, body: Body) -> None:
        """Take the call."""
        self._dialogs.do(self._session, lambda now: self._session.accept(body, now))

    def refuse(self, status: int, reason: str = "", headers: tuple[tuple[str, str], ...] = ()) -> None:
        """Do not."""
        self._dialogs.do(self._session, lambda now: self._session.refuse(status, reason, headers))

    def hang_up(self, reason: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        """End it, whatever its state."""
        self._dialogs.do(self._session, lambda now: self._session.hang_up(now, reason, headers))

    def respond(self, key: TransactionKey, status: int, headers: tuple[tuple[str, str], ...] = ()) -> None:
        """Answer what `on_request` took."""
        self._dialogs.do(self._session, lambda now: [Respond(key, status, headers=headers)])

    async def request(
        self, method: str, headers: tuple[tuple[str, str], ...] = (), body: Body | None = None
    ) -> Response | None:
        """A request in the dialog, and its answer; None when there was none. Raises ProtocolError when it does not run."""
        ref, effects = self._session.request(method, headers, body)
        answer: asyncio.Future[Response | None] = asyncio.get_running_loop().create_future()
        self._answers[ref] = answer
        self._dialogs.do(self._session, lambda now: effects)
        try:
            return await answer
        finally:
            self._answers.pop(ref, None)

    def told(self, event: DialogEvent) -> None:
        """The listener of its session."""
        match event:
            case Offered(body):
                self.offered = body
            case Established():
                if not self._established.done():
                    self._established.set_result(event)
            case Refused(status, reason, response):
                self._end(f"{status} {reason}", CallRefused(status, reason, response))
            case Ended(reason):
                self._end(reason, CallRefused(487, reason, None))
            case FlowLost(reason):
                self._end(reason, CallRefused(0, reason, None))
            case Reoffered():
                self._dialogs.do(self._session, lambda now: self._session.refuse_offer(488, now))
            case InDialog(key, request):
                if not self.on_request(key, request):
                    self.respond(key, 405, (("Allow", self._dialogs.allow),))
            case Answered(ref, response):
                answer = self._answers.get(ref)
                if answer is not None and not answer.done():
                    answer.set_result(response)

    def _end(self, reason: str, error: CallRefused) -> None:
        if not self._established.done():
            self._established.set_exception(error)
            self._established.exception()  # nobody has to ask
        for answer in self._answers.values():
            if not answer.done():
                answer.set_result(None)
        if not self.ended.done():
            self.ended.set_result(reason)
