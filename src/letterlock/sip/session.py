"""One session: a call from its INVITE to its BYE (RFC 3261 sections 13 to 15).

    session = Session.call(settings, invitation, rng)
    session = Session.called(settings, key, request, contact, rng)
    effects, events = session.start(now)

Then `accept`, `refuse`, `hang_up` and the like; and what comes for it by `on_provisional`, `on_final`, `on_timeout`,
`on_request`, `on_ack`, `on_cancelled` and `on_deadline`. Each returns effects for the driver (`effects`) and events for
whoever made it (`session_events`). Bodies are opaque: offer and answer are read elsewhere. Over, it stays over. `now` is
a clock that never jumps.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from ..codec.sip import Request, Response
from ..errors import DecodeError, ProtocolError
from ..ids import Instant, Rng
from .calling import INVITE_REF, Answer, Calling, Connected, Invitation, Rang
from .dialog import Dialog, DialogKey, record_route
from .effects import Body, Effect, Respond, body_headers, body_of
from .message import new_tag
from .running import Running
from .session_events import Ended, Established, Offered, Refused, Ringing, SessionEvent, SessionSettings
from .session_timer import SessionTimer, too_short
from .transaction import TransactionKey

__all__ = ["Session", "SessionState"]

Step = tuple[list[Effect], list[SessionEvent]]

_FIRST_EXTRA_REF = 2  # BYEs of dialogs that nobody wants; 1 is that of ours


class SessionState(enum.Enum):
    CALLING = "calling"
    CALLED = "called"  # we have not decided
    RUNNING = "running"
    ENDING = "ending"  # our BYE is under way
    ENDED = "ended"


@dataclass(slots=True)
class _Call:
    """An INVITE that we have not answered."""

    key: TransactionKey
    request: Request
    dialog: Dialog


class Session:
    """See the module."""

    def __init__(self, settings: SessionSettings, rng: Rng, contact: str, key: DialogKey) -> None:
        self.key = key
        """What requests in its dialog are found by (`dialog.dialog_key`)."""

        self._settings = settings
        self._rng = rng
        self._contact = contact
        self._calling: Calling | None = None
        self._offer: Body | None = None
        self._call: _Call | None = None
        self._running: Running | None = None
        self._decide_by: Instant | None = None
        self._extra_ref = _FIRST_EXTRA_REF
        self._rang_out = False
        self._ended = False

    # --- making one ------------------------------------------------------------------------------------------
    @classmethod
    def call(cls, settings: SessionSettings, invitation: Invitation, rng: Rng) -> Session:
        """One that we begin."""
        calling = Calling(invitation, settings.timer, settings.allow, rng)
        session = cls(settings, rng, invitation.contact, calling.key)
        session._calling = calling
        session._offer = invitation.body
        return session

    @classmethod
    def called(cls, settings: SessionSettings, key: TransactionKey, invite: Request, contact: str, rng: Rng) -> Session:
        """One that a received INVITE outside of any dialog begins; `contact` is our Contact header in it.

        Raises DecodeError for an INVITE that can make no dialog: refuse it with 400.
        """
        dialog = Dialog.of_request(invite, new_tag(rng))
        session = cls(settings, rng, contact, dialog.key)
        session._call = _Call(key, invite, dialog)
        return session

    def start(self, now: Instant) -> Step:
        """The INVITE of ours; or what theirs offers, unless it is refused at once for its interval."""
        self._decide_by = now + self._settings.ring_ms
        if self._calling is not None:
            return self._calling.start(), []
        assert self._call is not None
        timer = self._settings.timer
        if too_short(self._call.request, timer):
            return self.refuse(422, headers=(("Min-SE", str(timer.least_s)),))
        return [], [Offered(body_of(self._call.request))]

    # --- what we do ------------------------------------------------------------------------------------------
    @property
    def state(self) -> SessionState:
        if self._ended or (self._running is not None and self._running.over):
            return SessionState.ENDED
        if self._running is not None:
            return SessionState.ENDING if self._running.ending else SessionState.RUNNING
        return SessionState.CALLING if self._calling is not None else SessionState.CALLED

    @property
    def over(self) -> bool:
        """Nothing will come for it any more."""
        return self.state is SessionState.ENDED

    @property
    def dialog(self) -> Dialog | None:
        """While it runs."""
        return None if self._running is None else self._running.dialog

    def ring(self, status: int = 180) -> list[Effect]:
        """Tell the caller that somebody thinks about it."""
        call = self._call
        return [] if call is None else [self._answer(call, status, ())]

    def accept(self, body: Body, now: Instant, headers: tuple[tuple[str, str], ...] = ()) -> list[Effect]:
        """Take the call, with our answer (or our offer when it brought none). It is Established when the ACK is there."""
        call, self._call = self._call, None
        if call is None:
            return []
        self._decide_by = None
        timer, timer_headers = SessionTimer.of_request(call.request, self._settings.timer)
        running = Running(
            self._settings,
            call.dialog,
            self._contact,
            self._rng,
            local=body,
            remote=body_of(call.request),
            allow=_allowed(call.request),
            timer=timer,
            began=False,
            now=now,
        )
        running.await_ack(call.key, call.request, now)
        self._running = running
        common = (("Contact", self._contact), ("Allow", self._settings.allow), *timer_headers)
        return [self._answer(call, 200, (*common, *headers, *body_headers(body)), body.data)]

    def refuse(self, status: int, reason: str = "", headers: tuple[tuple[str, str], ...] = ()) -> Step:
        """Refuse the call."""
        call, self._call = self._call, None
        if call is None:
            return [], []
        self._ended = True
        answer = Respond(call.key, status, reason, headers, tag=call.dialog.local.tag or "")
        return [answer], [Ended(f"refused with {status}", by_peer=False)]

    def hang_up(self, now: Instant, reason: str, headers: tuple[tuple[str, str], ...] = ()) -> Step:
        """End it, whatever its state: CANCEL, a refusal, or BYE, which `headers` go with. Ended follows, or Refused."""
        if self._running is not None:
            return self._running.hang_up(reason, headers)
        if self._calling is not None:
            return self._calling.cancel(), []
        return self.refuse(480)

    def request(
        self, method: str, headers: tuple[tuple[str, str], ...] = (), body: Body | None = None
    ) -> tuple[int, list[Effect]]:
        """Any other request in the dialog, and the ref that Answered will have. Raises ProtocolError when none runs."""
        if self._running is None:
            raise ProtocolError("the session does not run", code="sip.session.over")
        return self._running.request(method, headers, body)

    def offer(self, body: Body, now: Instant) -> list[Effect]:
        """Offer something else in a running session; Renegotiated follows."""
        return [] if self._running is None else self._running.offer(body, now)

    def answer(self, body: Body, now: Instant) -> list[Effect]:
        """Accept what was Reoffered."""
        return [] if self._running is None else self._running.answer(body, now)

    def refuse_offer(self, status: int, now: Instant, headers: tuple[tuple[str, str], ...] = ()) -> list[Effect]:
        """Refuse what was Reoffered."""
        return [] if self._running is None else self._running.refuse(status, now, headers)

    # --- what comes ------------------------------------------------------------------------------------------
    def on_provisional(self, ref: int, response: Response) -> Step:
        """A response under 200 to the request with this ref."""
        if ref != INVITE_REF or self._calling is None:
            return [], []
        return [], self._told(self._calling.on_provisional(response), 0)

    def on_final(self, ref: int, response: Response, request: Request, now: Instant) -> Step:
        """A final response to the request with this ref, as it was sent last."""
        if ref == INVITE_REF and self._calling is not None:
            effects, answers = self._calling.on_final(response, request, now, self._extra_ref)
            self._extra_ref += 1
            events = self._told(answers, now)
            if self._calling.cancelled and self._running is not None and not self._running.ending:
                ended, more = self._running.hang_up("taken back")  # it crossed our CANCEL
                return effects + ended, [*events, *more]
            return effects, events
        if self._running is None or _FIRST_EXTRA_REF <= ref < self._extra_ref:
            return [], []
        return self._running.on_final(ref, response, request, now)

    def on_timeout(self, ref: int, now: Instant) -> Step:
        """No final response came in time, or the connection that it should have come over is gone."""
        if ref == INVITE_REF and self._calling is not None:
            return [], self._told(self._calling.on_timeout(), now)
        if self._running is None or _FIRST_EXTRA_REF <= ref < self._extra_ref:
            return [], []
        return self._running.on_timeout(ref, now)

    def on_request(self, key: TransactionKey, request: Request, now: Instant) -> Step:
        """A request whose To has our tag."""
        if self._running is None:
            # An early dialog: our offer is still unanswered (RFC 3311 section 5.2), or we have not decided.
            status = 491 if self._calling is not None and request.method in ("INVITE", "UPDATE") else 481
            return [Respond(key, status, tag=self.key[1])], []
        return self._running.on_request(key, request, now)

    def on_ack(self, request: Request, now: Instant) -> Step:
        """An ACK whose To has our tag."""
        return ([], []) if self._running is None else self._running.on_ack(request, now)

    def on_cancelled(self, key: TransactionKey) -> Step:
        """The caller took its INVITE back, which was answered for us."""
        if self._call is None or self._call.key != key:
            return [], []
        self._call = None
        self._ended = True
        return [], [Ended("the peer took the call back", by_peer=True)]

    def next_deadline(self) -> Instant | None:
        if self.over:
            return None
        return self._decide_by if self._running is None else self._running.next_deadline()

    def on_deadline(self, now: Instant) -> Step:
        if self._running is not None:
            return self._running.on_deadline(now)
        if self._decide_by is None or now < self._decide_by or self.over:
            return [], []
        self._decide_by = None
        if self._calling is not None:
            self._rang_out = True
            return self._calling.cancel(), []
        return self.refuse(480)

    def _answer(self, call: _Call, status: int, headers: tuple[tuple[str, str], ...], body: bytes = b"") -> Respond:
        routes = record_route(call.request)
        contact = () if any(name == "Contact" for name, _ in headers) else (("Contact", self._contact),)
        return Respond(call.key, status, "", (*routes, *contact, *headers), body, call.dialog.local.tag or "")

    def _told(self, answers: list[Answer], now: Instant) -> list[SessionEvent]:
        events: list[SessionEvent] = []
        for answer in answers:
            if isinstance(answer, Rang):
                events.append(Ringing(answer.status))
            elif isinstance(answer, Connected):
                assert self._offer is not None
                self._decide_by = None
                self._running = Running(
                    self._settings,
                    answer.dialog,
                    self._contact,
                    self._rng,
                    local=self._offer,
                    remote=answer.answer,
                    allow=_allowed(answer.response),
                    timer=answer.timer,
                    began=True,
                    now=now,
                )
                if self._calling is not None and not self._calling.cancelled:
                    events.append(Established(answer.answer, answer.response))
            else:
                self._ended = True
                status = 408 if self._rang_out and answer.status == 487 else answer.status
                events.append(Refused(status, answer.reason, answer.response))
        return events


def _allowed(message: Request | Response) -> frozenset[str]:
    """The methods that a peer says it understands."""
    try:
        return frozenset(name.upper() for name in message.headers.listed("Allow")[:64])
    except DecodeError:
        return frozenset()
