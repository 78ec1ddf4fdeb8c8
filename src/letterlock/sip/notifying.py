"""The notifier's side of event notification (RFC 6665): one subscriber, who is told until it leaves, expires or is lost.

Notifications go one at a time, in order. When more wait than may, all are dropped and the whole state is asked of
whoever made the notifier, so that a slow subscriber costs a bounded amount and still ends up with the truth (SR-08).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from ..codec.sip import Request, Response, delta_seconds
from ..errors import DecodeError, ProtocolError
from ..ids import Instant, Rng
from .dialog import Dialog, DialogKey, record_route
from .effects import Body, Effect, Respond, Send, body_headers
from .message import new_tag
from .subscribing import event_package, event_package_of
from .transaction import TransactionKey

__all__ = ["Notifier", "NotifierEvent", "NotifierSettings", "StateWanted", "SubscriberLost"]

# Section 4.2.2: after these answers to a NOTIFY "the notifier MUST remove the corresponding subscription".
_ENDING = frozenset({404, 405, 410, 416, *range(480, 486), 489, 501, 604})


@dataclass(frozen=True, slots=True)
class NotifierSettings:
    """`events` are the packages that we serve; intervals in seconds; `max_queued` notifications wait at most."""

    events: frozenset[str]
    longest_s: int
    shortest_s: int
    max_queued: int


@dataclass(frozen=True, slots=True)
class StateWanted:
    """Call `notify` with the whole state: it was asked for, or notifications were dropped."""


@dataclass(frozen=True, slots=True)
class SubscriberLost:
    """It is over: the subscriber left, expired or does not answer."""

    reason: str


NotifierEvent = StateWanted | SubscriberLost
Step = tuple[list[Effect], list[NotifierEvent]]


class Notifier:
    """Make one with `subscribed`; `accept` it or `refuse` it at once (section 4.2.1.1)."""

    def __init__(self, settings: NotifierSettings, dialog: Dialog, contact: str, event: str, expires_s: int) -> None:
        self.event = event
        self.over = False
        self._settings = settings
        self._dialog = dialog
        self._contact = contact
        self._asked_s = expires_s
        self._expires_at: Instant = 0
        self._key: TransactionKey | None = None
        self._routes: tuple[tuple[str, str], ...] = ()
        self._queue: deque[Body | None] = deque()
        self._dropped = False
        self._ref = 0
        self._open: int | None = None
        self._last: str | None = None  # why this is the last notification

    @classmethod
    def subscribed(
        cls, settings: NotifierSettings, key: TransactionKey, request: Request, contact: str, rng: Rng
    ) -> Notifier | Respond:
        """For a SUBSCRIBE outside of any dialog; or the answer that refuses it."""
        try:
            package, _ = event_package(request)
            if package not in settings.events:
                allowed = ", ".join(sorted(settings.events))
                return Respond(key, 489, headers=(("Allow-Events", allowed),))
            expires = _expires(request, settings)
            if _too_brief(expires, settings):
                return Respond(key, 423, "Interval Too Brief", (("Min-Expires", str(settings.shortest_s)),))
            dialog = Dialog.of_request(request, new_tag(rng))
        except DecodeError as error:
            return Respond(key, 400, f"Bad Request ({error.code})")
        notifier = cls(settings, dialog, contact, request.headers.get("Event") or "", expires)
        notifier._key = key
        notifier._routes = record_route(request)
        return notifier

    @property
    def key(self) -> DialogKey:
        return self._dialog.key

    def accept(self, body: Body | None, now: Instant) -> list[Effect]:
        """Answer 200 and notify at once (section 4.2.1.2). With an interval of 0 that is all (section 4.4.3)."""
        if self._key is None:
            return []
        key, self._key = self._key, None
        effects = [self._granted(key, self._asked_s, now, self._routes)]
        if self._asked_s == 0:
            return [*effects, *self.end("timeout", now, body)]
        return [*effects, *self.notify(body, now)]

    def refuse(self, status: int) -> list[Effect]:
        """Refuse it: 403, 603, 404."""
        if self._key is None:
            return []
        key, self._key = self._key, None
        self.over = True
        return [Respond(key, status, tag=self._tag)]

    def notify(self, body: Body | None, now: Instant) -> list[Effect]:
        """Tell the subscriber. It goes out behind those that wait."""
        if self.over or self._last is not None:
            return []
        if self._open is None:
            return [self._send(body, now)]
        if self._dropped:
            return []
        self._queue.append(body)
        if len(self._queue) > self._settings.max_queued:
            self._queue.clear()
            self._dropped = True
        return []

    def end(self, reason: str, now: Instant, body: Body | None = None) -> list[Effect]:
        """End it, with a last notification: `noresource`, `deactivated`, `timeout` (section 4.1.3)."""
        if self.over or self._last is not None:
            return []
        self._last = reason
        self._queue.clear()
        self._dropped = False
        if self._open is not None:
            self._queue.append(body)
            return []
        return [self._send(body, now)]

    def on_request(self, key: TransactionKey, request: Request, now: Instant) -> Step:
        """A request with our tag in To: SUBSCRIBE again, or what has no place here."""
        if request.method != "SUBSCRIBE" or self.over:
            return [Respond(key, 481, tag=self._tag)], []
        try:
            if not self._dialog.has(request) or event_package(request) != event_package_of(self.event):
                return [Respond(key, 481, tag=self._tag)], []
            expires = _expires(request, self._settings)
            if _too_brief(expires, self._settings):
                headers = (("Min-Expires", str(self._settings.shortest_s)),)
                return [Respond(key, 423, "Interval Too Brief", headers, tag=self._tag)], []
            self._dialog = self._dialog.received(request).retargeted(request)
        except ProtocolError:
            return [Respond(key, 500, "Out of Order", tag=self._tag)], []
        except DecodeError as error:
            return [Respond(key, 400, f"Bad Request ({error.code})", tag=self._tag)], []
        answer = self._granted(key, expires, now, ())
        if expires == 0:
            return [answer, *self.end("timeout", now)], [SubscriberLost("unsubscribed")]
        return [answer], [StateWanted()]

    def on_final(self, ref: int, response: Response, request: Request, now: Instant) -> Step:
        """The answer to a NOTIFY of ours."""
        self._dialog = self._dialog.numbered(request)
        if self.over or ref != self._open:
            return [], []
        self._open = None
        if response.status in _ENDING:
            return self._lost(f"answered {response.status}")
        return self._next(now)

    def on_timeout(self, ref: int, now: Instant) -> Step:
        """No answer came: "the notifier SHOULD remove the subscription" (section 4.2.2)."""
        if self.over or ref != self._open:
            return [], []
        self._open = None
        return self._lost("does not answer")

    def next_deadline(self) -> Instant | None:
        return None if self.over or self._last is not None else self._expires_at or None

    def on_deadline(self, now: Instant) -> Step:
        if self.over or self._last is not None or now < self._expires_at:
            return [], []
        return self.end("timeout", now), [SubscriberLost("expired")]

    @property
    def _tag(self) -> str:
        return self._dialog.local.tag or ""

    def _granted(
        self, key: TransactionKey, expires_s: int, now: Instant, routes: tuple[tuple[str, str], ...]
    ) -> Respond:
        self._expires_at = now + expires_s * 1000
        headers = (*routes, ("Contact", self._contact), ("Expires", str(expires_s)))
        return Respond(key, 200, headers=headers, tag=self._tag)

    def _send(self, body: Body | None, now: Instant) -> Effect:
        left = max(0, (self._expires_at - now) // 1000)
        state = f"active;expires={left}" if self._last is None else f"terminated;reason={self._last}"
        headers = (
            ("Event", self.event),
            ("Subscription-State", state),
            ("Contact", self._contact),
            *body_headers(body),
        )
        self._dialog, request = self._dialog.request("NOTIFY", headers, b"" if body is None else body.data)
        self._ref += 1
        self._open = self._ref
        return Send(self._ref, request)

    def _next(self, now: Instant) -> Step:
        """The one that was under way is over: the next."""
        if self._queue:
            return [self._send(self._queue.popleft(), now)], []
        if self._last is not None:
            self.over = True
            return [], []
        if self._dropped:
            self._dropped = False
            return [], [StateWanted()]
        return [], []

    def _lost(self, reason: str) -> Step:
        self.over = True
        # Told once only: whoever unsubscribed or expired was told already.
        return [], [] if self._last is not None else [SubscriberLost(reason)]


def _expires(request: Request, settings: NotifierSettings) -> int:
    """The interval that is granted: never more than was asked for (section 4.2.1.1)."""
    text = request.headers.get("Expires")
    return settings.longest_s if text is None else min(delta_seconds(text), settings.longest_s)


def _too_brief(expires_s: int, settings: NotifierSettings) -> bool:
    # Section 4.2.1.1: "greater than zero AND smaller than one hour AND less than a notifier-configured minimum".
    return 0 < expires_s < min(3600, settings.shortest_s)
