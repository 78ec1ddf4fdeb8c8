"""Between user agents and what lives in dialogs: sessions, subscribers, notifiers.

A dialog may outlive the connection that it began on, and a server has many connections: here is known which usage a
request, a response or a time-out is for, and which connection an answer goes back over. New requests go over the agent
that `choose` names: the only one of a client, one that leads to its proxy for a server, None when there is none.

    layer.add(session, session.start(now)[0], now)
    told = layer.on_event(agent, event, now)

After any call, what the agents have to send must be sent.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ..codec.sip import Request
from ..errors import DecodeError, LetterlockError, LimitExceeded
from ..ids import Instant
from .dialog import DialogKey, dialog_key
from .effects import Acknowledge, Cancel, Effect, Repeat, Respond, Send
from .notifying import Notifier, NotifierEvent
from .session import Session
from .session_events import SessionEvent
from .subscribing import Subscriber, SubscriberEvent
from .transaction import TransactionKey
from .user_agent import UserAgent
from .user_agent_events import Acknowledged, Answered, Cancelled, Event, Provisional, Received, TimedOut

__all__ = ["DialogLayer", "Told", "Usage"]

Usage = Session | Subscriber | Notifier
UsageEvent = SessionEvent | SubscriberEvent | NotifierEvent


@dataclass(frozen=True, slots=True)
class Told:
    """A fact that a usage tells."""

    usage: Usage
    event: UsageEvent


class DialogLayer:
    """See the module. At most `max_usages` at a time (SR-08)."""

    def __init__(self, choose: Callable[[], UserAgent | None], max_usages: int) -> None:
        self._choose = choose
        self._max_usages = max_usages
        self._usages: dict[DialogKey, Usage] = {}
        self._handles: dict[tuple[UserAgent, int], tuple[Usage, int]] = {}
        self._calls: dict[tuple[DialogKey, int], tuple[UserAgent, int]] = {}  # INVITEs that may be taken back
        self._origins: dict[TransactionKey, tuple[UserAgent, Usage]] = {}  # of requests that are not answered
        self._invites: dict[TransactionKey, tuple[UserAgent, Usage]] = {}  # whose 2xx may have to be repeated
        self._asked: dict[Usage, set[tuple[UserAgent, int]]] = {}  # the handles of each
        self._asking: dict[Usage, set[TransactionKey]] = {}  # what is in origins and invites of each
        self._times: dict[DialogKey, Instant] = {}
        self._queue: list[tuple[Instant, DialogKey]] = []  # those times, and older ones, which count no more

    def __len__(self) -> int:
        return len(self._usages)

    @property
    def full(self) -> bool:
        """Whether another one would be refused."""
        return len(self._usages) >= self._max_usages

    def add(self, usage: Usage, effects: Iterable[Effect], now: Instant) -> list[Told]:
        """A usage that begins, and its first effects. Raises LimitExceeded when there are too many."""
        if self.full:
            raise LimitExceeded("too many dialogs", code="sip.limit.dialogs")
        self._usages[usage.key] = usage
        return self.perform(usage, effects, now)

    def called(
        self, agent: UserAgent, key: TransactionKey, usage: Usage, effects: Iterable[Effect], now: Instant
    ) -> list[Told]:
        """A usage that a request outside of any dialog begins, which came over `agent`. Raises LimitExceeded: answer 503."""
        if self.full:
            raise LimitExceeded("too many dialogs", code="sip.limit.dialogs")
        self._arrived(agent, key, usage, invites=isinstance(usage, Session))
        return self.add(usage, effects, now)

    def perform(self, usage: Usage, effects: Iterable[Effect], now: Instant) -> list[Told]:
        """Do what a usage asks; what fails at once is told to it, and what that leads to is returned."""
        told: list[Told] = []
        for effect in effects:
            if isinstance(effect, Send):
                told += self._send(usage, effect, now)
            elif isinstance(effect, Respond):
                self._respond(usage, effect, now)
            elif isinstance(effect, Cancel):
                call = self._calls.get((usage.key, effect.ref))
                if call is not None:
                    call[0].cancel(call[1], now)
            elif isinstance(effect, Repeat):
                if effect.key in self._invites:
                    self._invites[effect.key][0].repeat(effect.key)
            elif isinstance(effect, Acknowledge):
                agent = self._choose()
                if agent is not None:
                    agent.acknowledge(effect.request)
        if usage.over:
            self._forget(usage, now)
        else:
            self._schedule(usage)
        return told

    def on_event(self, agent: UserAgent, event: Event, now: Instant) -> list[Told] | None:
        """What an agent reports. None: it is not for a dialog here; a request with a tag in To is then for nobody (481)."""
        if isinstance(event, Answered | Provisional | TimedOut):
            found = self._handles.get((agent, event.handle))
            return None if found is None else self._on_response(*found, agent, event, now)
        if isinstance(event, Received):
            usage = self._find(event.request)
            if usage is None:
                return None
            self._arrived(agent, event.key, usage, invites=event.request.method == "INVITE")
            return self._step(usage, usage.on_request(event.key, event.request, now), now)
        if isinstance(event, Acknowledged):
            usage = self._find(event.request)
            return self._step(usage, usage.on_ack(event.request, now), now) if isinstance(usage, Session) else []
        if isinstance(event, Cancelled):
            _, invited = self._invites.get(event.key, (agent, None))
            if invited is not None:
                self._answered(event.key, invited)
            return self._step(invited, invited.on_cancelled(event.key), now) if isinstance(invited, Session) else []
        return None

    def next_deadline(self) -> Instant | None:
        while self._queue and self._times.get(self._queue[0][1]) != self._queue[0][0]:
            heapq.heappop(self._queue)
        return self._queue[0][0] if self._queue else None

    def on_deadline(self, now: Instant) -> list[Told]:
        """Whatever is due in any of them."""
        due: list[Usage] = []
        while (at := self.next_deadline()) is not None and at <= now:
            _, key = heapq.heappop(self._queue)
            del self._times[key]
            due.append(self._usages[key])
        return [told for usage in due if not usage.over for told in self._step(usage, usage.on_deadline(now), now)]

    def agent_lost(self, agent: UserAgent, now: Instant) -> list[Told]:
        """A connection is gone: what was sent over it and is unanswered has failed. Dialogs live on."""
        told: list[Told] = []
        for table in (self._origins, self._invites):
            for key, usage in [(key, usage) for key, (origin, usage) in table.items() if origin is agent]:
                self._answered(key, usage)
        for handle in [handle for handle in self._handles if handle[0] is agent]:
            if handle not in self._handles:
                continue  # what came before has ended its usage
            usage, ref = self._drop_handle(handle)
            told += self._step(usage, usage.on_timeout(ref, now), now)
        return told

    def _find(self, request: Request) -> Usage | None:
        try:
            key = dialog_key(request)
        except DecodeError:
            return None
        return None if key is None else self._usages.get(key)

    def _step(self, usage: Usage, step: tuple[list[Effect], Sequence[UsageEvent]], now: Instant) -> list[Told]:
        effects, events = step
        told = [Told(usage, event) for event in events]
        return told + self.perform(usage, effects, now)

    def _send(self, usage: Usage, effect: Send, now: Instant) -> list[Told]:
        agent = self._choose()
        if agent is not None:
            try:
                handle = agent.send(effect.request, now)
            except LetterlockError:
                agent = None  # too large, or too many in flight: it has not been sent
        if agent is None:
            return self._step(usage, usage.on_timeout(effect.ref, now), now)
        self._handles[agent, handle] = (usage, effect.ref)
        self._asked.setdefault(usage, set()).add((agent, handle))
        if effect.request.method == "INVITE":
            self._calls[usage.key, effect.ref] = (agent, handle)
        return []

    def _respond(self, usage: Usage, effect: Respond, now: Instant) -> None:
        origin = self._origins.get(effect.key)
        if origin is None:
            return
        agent = origin[0]
        agent.respond(effect.key, effect.status, now, effect.reason, effect.headers, effect.body, effect.tag)
        if effect.status >= 300 or (effect.status >= 200 and effect.key not in self._invites):
            self._answered(effect.key, usage)
        elif effect.status >= 200:
            del self._origins[effect.key]

    def _on_response(
        self, usage: Usage, ref: int, agent: UserAgent, event: Answered | Provisional | TimedOut, now: Instant
    ) -> list[Told]:
        if isinstance(event, Provisional):
            return (
                self._step(usage, usage.on_provisional(ref, event.response), now) if isinstance(usage, Session) else []
            )
        # An INVITE that was accepted may be accepted by somebody else as well: its handle stays until the usage is over.
        if isinstance(event, TimedOut) or event.request.method != "INVITE" or event.response.status >= 300:
            self._drop_handle((agent, event.handle))
        if isinstance(event, TimedOut):
            return self._step(usage, usage.on_timeout(ref, now), now)
        return self._step(usage, usage.on_final(ref, event.response, event.request, now), now)

    def _schedule(self, usage: Usage) -> None:
        at = usage.next_deadline() if self._usages.get(usage.key) is usage else None
        if at is None:
            self._times.pop(usage.key, None)
        elif self._times.get(usage.key) != at:
            self._times[usage.key] = at
            heapq.heappush(self._queue, (at, usage.key))

    def _forget(self, usage: Usage, now: Instant) -> None:
        if self._usages.get(usage.key) is not usage:
            return
        del self._usages[usage.key]
        self._times.pop(usage.key, None)
        # RFC 3261 section 15.1.2: what was asked in the dialog and is not answered is answered 487.
        for key in list(self._asking.get(usage, ())):
            if key in self._origins:
                self._origins[key][0].respond(key, 487, now)
            self._answered(key, usage)
        for handle in list(self._asked.get(usage, ())):
            self._drop_handle(handle)

    # What is of a usage is found by it: thousands may end at once, and none looks through what all have.
    def _arrived(self, agent: UserAgent, key: TransactionKey, usage: Usage, *, invites: bool) -> None:
        """A request for a usage."""
        keys = self._asking.setdefault(usage, set())
        if invites:
            # Only the 2xx to the last INVITE is ever repeated: the peer's next one says that it has the others.
            for old in [old for old in keys if old in self._invites and old not in self._origins]:
                self._answered(old, usage)
            self._asking.setdefault(usage, keys)
            self._invites[key] = (agent, usage)
        keys.add(key)
        self._origins[key] = (agent, usage)

    def _answered(self, key: TransactionKey, usage: Usage) -> None:
        """Nothing more is to be said to this request."""
        self._origins.pop(key, None)
        self._invites.pop(key, None)
        keys = self._asking.get(usage)
        if keys is not None:
            keys.discard(key)
            if not keys:
                del self._asking[usage]

    def _drop_handle(self, handle: tuple[UserAgent, int]) -> tuple[Usage, int]:
        usage, ref = self._handles.pop(handle)
        self._calls.pop((usage.key, ref), None)
        handles = self._asked[usage]
        handles.discard(handle)
        if not handles:
            del self._asked[usage]
        return usage, ref
