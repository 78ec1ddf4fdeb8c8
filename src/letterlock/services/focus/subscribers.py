"""Who is told of a conference's roster: subscriptions to the event package `conference` (RFC 4575, RFC 6665).

Changes are gathered for a moment and told in one document, the same bytes for all: a thousand members that answer an
invitation one after the other must not cost a million notifications (section 3.9).
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable

from ...codec.conference_info import MEDIA_TYPE
from ...codec.sip import Request
from ...errors import FocusError
from ...ids import Number, Rng
from ...sip.dialog_layer import DialogLayer, Told, UsageEvent
from ...sip.effects import Body, Respond
from ...sip.notifying import Notifier, StateWanted, SubscriberLost
from ...sip.transaction import TransactionKey
from ...sip.user_agent import UserAgent
from ..sip_link import loop_now
from .limits import FocusLimits
from .room import Room
from .rooms import Rooms
from .roster import address_of
from .settings import FocusSettings

__all__ = ["Subscribers"]

_DEFLATED_ABOVE = 8192
_ROOM_FOR_HEADERS = 8192
_SLICE = 64


class _Subscriber:
    """One subscription."""

    __slots__ = ("deflate", "notifier", "number", "room")

    def __init__(self, room: Room, number: Number, notifier: Notifier, deflate: bool) -> None:
        self.room = room
        self.number = number
        self.notifier = notifier
        self.deflate = deflate


class Subscribers:
    """`work` is given what the dialogs tell."""

    def __init__(
        self,
        layer: DialogLayer,
        rooms: Rooms,
        limits: FocusLimits,
        settings: FocusSettings,
        domain: str,
        work: Callable[[list[Told]], None],
        rng: Rng,
    ) -> None:
        self._layer = layer
        self._rooms = rooms
        self._limits = limits
        self._settings = settings
        self._domain = domain
        self._work = work
        self._rng = rng
        self._of_room: dict[Room, dict[Notifier, _Subscriber]] = {}
        self._by_notifier: dict[Notifier, _Subscriber] = {}
        self._publishing: set[Room] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def subscribed(
        self, agent: UserAgent, key: TransactionKey, request: Request, room: Room, number: Number
    ) -> list[Told]:
        """A member asks to be told. Raises FocusError, DecodeError, LimitExceeded."""
        if len(self._by_notifier) >= self._settings.max_subscribers:
            raise FocusError("too many subscriptions", code="focus.limit", status=503)
        accepted = request.headers.listed("Accept")
        if accepted and not any(each.partition(";")[0].strip().lower() in (MEDIA_TYPE, "*/*") for each in accepted):
            # RFC 4575 section 3.4: "If the Accept header field is present, it MUST include" this type.
            raise FocusError("only conference-info", code="focus.accept", status=406)
        contact = f"<{address_of(room.conference.name, self._domain)}>;isfocus"
        notifier = Notifier.subscribed(self._settings.notifier, key, request, contact, self._rng)
        if isinstance(notifier, Respond):
            agent.respond(key, notifier.status, loop_now(), notifier.reason, notifier.headers)
            return []
        encodings = {each.partition(";")[0].strip().lower() for each in request.headers.listed("Accept-Encoding")}
        subscriber = _Subscriber(room, number, notifier, "deflate" in encodings)
        now = loop_now()
        told = self._layer.called(agent, key, notifier, notifier.accept(self._state(subscriber), now), now)
        if not notifier.over:
            self._by_notifier[notifier] = subscriber
            self._of_room.setdefault(room, {})[notifier] = subscriber
        return told

    def told(self, notifier: Notifier, event: UsageEvent) -> list[Told]:
        """What a subscription tells."""
        subscriber = self._by_notifier.get(notifier)
        if subscriber is None:
            return []
        now = loop_now()
        if isinstance(event, StateWanted):
            return self._layer.perform(notifier, notifier.notify(self._state(subscriber), now), now)
        if isinstance(event, SubscriberLost):
            self._forget(subscriber)
        return []

    def changed(self, room: Room) -> None:
        """Something in a room has changed: tell it soon."""
        self._end_strangers(room)
        if room not in self._publishing and (room.unpublished or not room.conference.members):
            self._publishing.add(room)
            task = asyncio.get_running_loop().create_task(self._publish(room))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    # --- inside --------------------------------------------------------------------------------------
    async def _publish(self, room: Room) -> None:
        try:
            await asyncio.sleep(self._settings.publish_ms / 1000)
            while room.unpublished and room.conference.members:
                await self._tell(room)
                await self._rooms.note_version(room)
                await asyncio.sleep(self._settings.publish_ms / 1000)
            if not room.conference.members:
                self._end(room)
        finally:
            self._publishing.discard(room)

    async def _tell(self, room: Room) -> None:
        """One document to everybody, some at a time."""
        body = Body(MEDIA_TYPE, room.publish(self._domain))
        for count, subscriber in enumerate(list(self._of_room.get(room, {}).values()), 1):
            notifier, now = subscriber.notifier, loop_now()
            self._work(self._layer.perform(notifier, notifier.notify(self._small(subscriber, body), now), now))
            if count % _SLICE == 0:
                await asyncio.sleep(0)

    def _small(self, subscriber: _Subscriber, body: Body) -> Body:
        """A partial document that is too large for the proxy is told as the whole state, which may be deflated."""
        fits = len(body.data) <= self._settings.sip.max_message - _ROOM_FOR_HEADERS
        return body if fits else self._state(subscriber)

    def _state(self, subscriber: _Subscriber) -> Body:
        """The whole roster, in a form that this subscriber reads and the proxy lets through."""
        room, largest = subscriber.room, self._settings.sip.max_message - _ROOM_FOR_HEADERS
        data = room.document(self._domain, self._limits, 16 * largest if subscriber.deflate else largest)
        if not subscriber.deflate or len(data) <= _DEFLATED_ABOVE:
            return Body(MEDIA_TYPE, data)
        packed = zlib.compress(data)
        while len(packed) > largest:
            data = room.document(self._domain, self._limits, len(data) // 2)
            packed = zlib.compress(data)
        return Body(MEDIA_TYPE, packed, "deflate")

    def _end_strangers(self, room: Room) -> None:
        """Whoever is no member any more is told so, and nothing else (section 8.2)."""
        for subscriber in list(self._of_room.get(room, {}).values()):
            if subscriber.number not in room.conference.members and room.conference.members:
                now = loop_now()
                self._forget(subscriber)
                self._work(self._layer.perform(subscriber.notifier, subscriber.notifier.end("rejected", now), now))

    def _end(self, room: Room) -> None:
        """RFC 4575 section 3.3: "terminated, with a reason of "noresource""."""
        body = Body(MEDIA_TYPE, room.ended(self._domain))
        for subscriber in list(self._of_room.get(room, {}).values()):
            now = loop_now()
            self._forget(subscriber)
            ending = subscriber.notifier.end("noresource", now, body)
            self._work(self._layer.perform(subscriber.notifier, ending, now))

    def _forget(self, subscriber: _Subscriber) -> None:
        self._by_notifier.pop(subscriber.notifier, None)
        of_room = self._of_room.get(subscriber.room, {})
        of_room.pop(subscriber.notifier, None)
        if not of_room:
            self._of_room.pop(subscriber.room, None)
