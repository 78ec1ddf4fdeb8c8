"""The subscriber's side of event notification (RFC 6665), one event package in one dialog of its own.

The first NOTIFY makes the dialog, not the answer to SUBSCRIBE, and may come before it. Where a SUBSCRIBE forked, the
notifier that speaks first is kept and the others are refused with 481. What a subscription tells is never proof.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace

from ..codec.sip import CSeq, Headers, NameAddr, Params, Request, Response, delta_seconds
from ..errors import DecodeError, ProtocolError
from ..ids import Instant, Rng
from .dialog import Dialog, DialogKey
from .effects import Body, Effect, Respond, Send, body_of
from .message import call_id, new_tag

__all__ = [
    "Notified",
    "Subscriber",
    "SubscriberEvent",
    "Subscription",
    "SubscriptionEnded",
    "SubscriptionState",
    "event_package",
    "event_package_of",
    "subscription_state",
]

_MAX_EXPIRES_S = 7 * 24 * 3600
_LEAST_EXPIRES_S = 5  # or a hostile notifier keeps us refreshing without a pause
# Section 4.1.2.2 with RFC 5057 section 5.1: after these the subscription is gone. Others leave it until it expires.
_ENDING = frozenset({404, 405, 410, 416, *range(480, 486), 489, 501, 604})
# Section 4.1.3: reasons after which one "SHOULD NOT attempt to re-subscribe".
_FINAL_REASONS = frozenset({"rejected", "noresource", "invariant"})


@dataclass(frozen=True, slots=True)
class Subscription:
    """To what, as whom. `contact` is a whole Contact header; `give_up_ms` is timer N, 64*T1."""

    uri: str
    to: NameAddr
    identity: NameAddr
    contact: str
    routes: tuple[str, ...]
    event: str
    accept: str
    headers: tuple[tuple[str, str], ...]
    expires_s: int
    give_up_ms: int


@dataclass(frozen=True, slots=True)
class Notified:
    """The state at the notifier; None when it has none to show."""

    body: Body | None


@dataclass(frozen=True, slots=True)
class SubscriptionEnded:
    """It is over. `again`: a new one may succeed, after `retry_after_ms` where that is said. `status` is that of a refusal."""

    reason: str
    again: bool
    retry_after_ms: int | None = None
    status: int = 0


SubscriberEvent = Notified | SubscriptionEnded
Step = tuple[list[Effect], list[SubscriberEvent]]


class SubscriptionState(enum.Enum):
    """What Subscription-State says."""

    ACTIVE = "active"
    PENDING = "pending"
    TERMINATED = "terminated"


class Subscriber:
    """`start` it; `stop` it. Requests with its `key` belong to it, and what answers its requests."""

    def __init__(self, subscription: Subscription, rng: Rng) -> None:
        self._subscription = subscription
        self._call_id = call_id(rng)
        self._from = subscription.identity.with_param("tag", new_tag(rng))
        self._sequence = 0
        self._expires_s = subscription.expires_s
        self._dialog: Dialog | None = None
        self._ref = 0
        self._open: int | None = None  # the ref of a SUBSCRIBE that is not answered
        self._give_up_at: Instant | None = None  # timer N
        self._expires_at: Instant | None = None
        self._refresh_at: Instant | None = None
        self._stopping = False
        self.over = False

    @property
    def key(self) -> DialogKey:
        return self._call_id, self._from.tag or ""

    def start(self, now: Instant) -> list[Effect]:
        """The first SUBSCRIBE."""
        return self._subscribe(self._expires_s, now)

    def refresh(self, now: Instant) -> list[Effect]:
        """Ask again, before it is due: a notifier answers with the whole state."""
        if self.over or self._stopping or self._dialog is None or self._open is not None:
            return []
        return self._subscribe(self._expires_s, now)

    def stop(self, now: Instant) -> list[Effect]:
        """End it. SubscriptionEnded follows where a last NOTIFY must be waited for; else it is over at once."""
        if self.over or self._stopping:
            return []
        if self._dialog is None:
            self.over = True  # a NOTIFY that still comes is answered 481 (section 4.1.3)
            return []
        self._stopping = True
        self._refresh_at = None
        return self._subscribe(0, now)

    def on_final(self, ref: int, response: Response, request: Request, now: Instant) -> Step:
        """The answer to a SUBSCRIBE of ours, as it was sent last."""
        self._sequence = max(self._sequence, CSeq.parse(request.headers.get("CSeq") or "").number)
        if self._dialog is not None:
            self._dialog = self._dialog.numbered(request)
        if self.over or ref != self._open:
            return [], []
        self._open = None
        status = response.status
        if 200 <= status < 300:
            granted = _seconds(response.headers.get("Expires"))
            if not self._stopping:
                self._until(self._expires_s if granted is None else min(granted, self._expires_s), now)
            return [], []
        if status == 423 and not self._stopping:
            least = _seconds(response.headers.get("Min-Expires"))
            if least is not None and self._expires_s < least <= _MAX_EXPIRES_S:
                self._expires_s = least
                return self._subscribe(least, now), []
        if self._dialog is None or self._stopping or status in _ENDING:
            wait = _seconds(response.headers.get("Retry-After"))
            again = status not in (403, 404, 405, 410, 416, 489, 501, 603, 604)
            return [], [self._end(response.reason, again=again, wait_s=wait, status=status)]
        return [], []

    def on_timeout(self, ref: int, now: Instant) -> Step:
        """No answer came."""
        if self.over or ref != self._open:
            return [], []
        self._open = None
        if self._dialog is None or self._stopping:
            return [], [self._end("no answer", again=True, status=408)]
        return [], []

    def on_request(self, key: tuple[str, ...], request: Request, now: Instant) -> Step:
        """A request with our tag in To: NOTIFY, or what has no place here."""
        tag = self._from.tag or ""
        if request.method != "NOTIFY" or self.over:
            return [Respond(key, 481, tag=tag)], []
        try:
            if event_package(request) != event_package_of(self._subscription.event):
                return [Respond(key, 489, tag=tag)], []
            state, params = subscription_state(request)
            dialog = self._dialog or replace(Dialog.of_request(request, tag), remote_sequence=None)
            if not dialog.has(request):
                return [Respond(key, 481, tag=tag)], []  # another branch of a fork
            dialog = dialog.received(request).retargeted(request)
        except ProtocolError:
            return [Respond(key, 500, "Out of Order", tag=tag)], []
        except DecodeError as error:
            return [Respond(key, 400, f"Bad Request ({error.code})", tag=tag)], []
        self._dialog = replace(dialog, local_sequence=max(dialog.local_sequence, self._sequence))
        if not self._stopping:
            self._give_up_at = None
        events: list[SubscriberEvent] = []
        if request.body or state is not SubscriptionState.TERMINATED:
            events.append(Notified(body_of(request)))
        if state is SubscriptionState.TERMINATED:
            reason = (params.get("reason") or "").lower()
            wait = None if reason == "deactivated" else _seconds(params.get("retry-after"))
            events.append(self._end(reason or "ended", again=reason not in _FINAL_REASONS, wait_s=wait))
        elif not self._stopping:
            expires = _seconds(params.get("expires"))
            if expires is not None:
                self._until(expires, now)
            elif self._expires_at is None:
                self._until(self._expires_s, now)
        return [Respond(key, 200, tag=tag)], events

    def next_deadline(self) -> Instant | None:
        if self.over:
            return None
        refresh = self._refresh_at if self._open is None else None
        return min((at for at in (self._give_up_at, self._expires_at, refresh) if at is not None), default=None)

    def on_deadline(self, now: Instant) -> Step:
        if self.over:
            return [], []
        if self._give_up_at is not None and now >= self._give_up_at:
            return [], [self._end("no notification", again=True, status=408)]
        if self._expires_at is not None and now >= self._expires_at:
            return [], [self._end("expired", again=True)]
        if self._refresh_at is not None and now >= self._refresh_at and self._open is None:
            return self._subscribe(self._expires_s, now), []
        return [], []

    def _subscribe(self, expires_s: int, now: Instant) -> list[Effect]:
        subscription = self._subscription
        self._ref += 1
        self._open = self._ref
        self._give_up_at = now + subscription.give_up_ms
        self._refresh_at = None
        common = (
            ("Contact", subscription.contact),
            ("Event", subscription.event),
            ("Accept", subscription.accept),
            ("Expires", str(expires_s)),
            *subscription.headers,
        )
        if self._dialog is not None:
            self._dialog, request = self._dialog.request("SUBSCRIBE", common)
            self._sequence = self._dialog.local_sequence
            return [Send(self._ref, request)]
        self._sequence += 1
        items = [
            *(("Route", route) for route in subscription.routes),
            ("From", self._from.encode()),
            ("To", subscription.to.encode()),
            ("Call-ID", self._call_id),
            ("CSeq", CSeq(self._sequence, "SUBSCRIBE").encode()),
            *common,
        ]
        return [Send(self._ref, Request("SUBSCRIBE", subscription.uri, Headers(items)))]

    def _until(self, seconds: int, now: Instant) -> None:
        """Granted for so long: asked for again 600 seconds before the end, or at half time of a short one."""
        granted = max(_LEAST_EXPIRES_S, min(seconds, _MAX_EXPIRES_S))
        self._expires_at = now + granted * 1000
        early = 600 if granted > 1200 else granted / 2
        self._refresh_at = self._expires_at - int(early * 1000)

    def _end(self, reason: str, *, again: bool, wait_s: int | None = None, status: int = 0) -> SubscriptionEnded:
        self.over = True
        wait = None if wait_s is None else min(wait_s, 24 * 3600) * 1000
        return SubscriptionEnded(reason, again and not self._stopping, wait, status)


def event_package(message: Request) -> tuple[str, str]:
    """Package and id of the Event header, which must match byte for byte (section 8.2.1). Raises DecodeError."""
    return event_package_of(message.headers.get("Event") or "")


def event_package_of(text: str) -> tuple[str, str]:
    """The same of a header's value. Raises DecodeError."""
    package, semicolon, params = text.partition(";")
    if not package.strip():
        raise DecodeError("no event package", code="sip.event")
    return package.strip(), Params.parse(semicolon + params).get("id") or ""


def subscription_state(request: Request) -> tuple[SubscriptionState, Params]:
    """What a NOTIFY says of its subscription. An unknown word counts as `pending`. Raises DecodeError when it says nothing."""
    text = request.headers.get("Subscription-State")
    if text is None:
        raise DecodeError("no subscription state", code="sip.subscription_state")
    word, semicolon, params = text.partition(";")
    try:
        state = SubscriptionState(word.strip().lower())
    except ValueError:
        state = SubscriptionState.PENDING
    return state, Params.parse(semicolon + params)


def _seconds(text: str | None) -> int | None:
    if not text:
        return None
    try:
        return delta_seconds(text)
    except DecodeError:
        return None
