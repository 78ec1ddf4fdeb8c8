"""A session that runs: what may be sent in its dialog and what may come (RFC 3261 sections 12.2, 14 and 15, RFC 3311, 4028).

Offers go one at a time and in one direction: an offer that meets ours is answered 491, and ours that met theirs is made
again after a random time (section 14.1). A refresh is an UPDATE without a body where the peer knows that, else the same
offer again. What is asked for twice with the same bytes has changed nothing and is answered here (RFC 4975 section 8.4).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..codec.sip import CSeq, Request, Response
from ..errors import DecodeError, ProtocolError
from ..ids import Instant, Rng
from .answering import AwaitedAck
from .dialog import Dialog
from .effects import Acknowledge, Body, Effect, Repeat, Respond, Send, body_headers, body_of
from .session_events import (
    Answered,
    Ended,
    Established,
    InDialog,
    Renegotiated,
    Reoffered,
    SessionEvent,
    SessionSettings,
)
from .session_timer import OPTION_TAG, SessionTimer, minimum_of, too_short
from .transaction import TransactionKey

__all__ = ["Running"]

Step = tuple[list[Effect], list[SessionEvent]]

_BYE_REF = 1
_FIRST_REF = 32  # of offers: below it are INVITE, BYE and the BYEs of dialogs that nobody wants


@dataclass(slots=True)
class _Ours:
    """Our re-INVITE or UPDATE that is under way. A refresh is asked for by nobody but the timer."""

    ref: int
    method: str
    body: Body | None
    refresh: bool


@dataclass(slots=True)
class _Theirs:
    """Theirs, that whoever made the session has not answered."""

    key: TransactionKey
    request: Request
    body: Body


class Running:
    """See the module. `local` is what we said last, `remote` what the peer did; `allow` the methods that it knows."""

    def __init__(
        self,
        settings: SessionSettings,
        dialog: Dialog,
        contact: str,
        rng: Rng,
        *,
        local: Body,
        remote: Body | None,
        allow: frozenset[str],
        timer: SessionTimer | None,
        began: bool,
        now: Instant,
    ) -> None:
        self.dialog = dialog
        self.peer_allows = allow
        self.ending = False
        self.over = False
        self._settings = settings
        self._contact = contact
        self._rng = rng
        self._local = local
        self._remote = remote
        self._timer = timer
        self._refreshed_at = now
        self._refresh_failed = False
        self._began = began  # we chose the Call-ID
        self._awaited: AwaitedAck | None = None
        self._established = began  # the caller's 2xx is the end of it, the other waits for the ACK
        self._bye_wanted: tuple[str, tuple[tuple[str, str], ...]] | None = None
        self._refs = _FIRST_REF
        self._ours: _Ours | None = None
        self._theirs: _Theirs | None = None
        self._wanted: Body | None = None  # an offer of ours that waits for its turn
        self._again_at: Instant | None = None  # behind a 491

    # --- what we do ------------------------------------------------------------------------------------------
    def await_ack(self, key: TransactionKey, request: Request, now: Instant) -> None:
        """The 2xx to this INVITE goes out now."""
        sequence = CSeq.parse(request.headers.get("CSeq") or "").number
        self._awaited = AwaitedAck.of(key, sequence, self._settings.times, now)

    def hang_up(self, reason: str, headers: tuple[tuple[str, str], ...] = ()) -> Step:
        """BYE; but not before the ACK of our 2xx is there, or will not come any more (section 15)."""
        if self.over or self.ending:
            return [], []
        if self._awaited is not None and not self._established:
            self._bye_wanted = (reason, headers)
            return [], []
        return self._bye(reason, headers, by_peer=False)

    def request(self, method: str, headers: tuple[tuple[str, str], ...], body: Body | None) -> tuple[int, list[Effect]]:
        """Any other request in the dialog, and its ref: its answer is whoever asked's business. Raises ProtocolError when over."""
        if self.over or self.ending:
            raise ProtocolError("the session is over", code="sip.session.over")
        ref = self._next_ref()
        return ref, [self._send(ref, method, (*headers, *body_headers(body)), body)]

    def offer(self, body: Body, now: Instant) -> list[Effect]:
        """Offer something else, when it is our turn. It ends with Renegotiated."""
        self._wanted = body
        return self._make_offers(now)

    def answer(self, body: Body, now: Instant) -> list[Effect]:
        """Accept the peer's offer of the last Reoffered."""
        theirs, self._theirs = self._theirs, None
        if theirs is None or self.over:
            return []
        self._remote, self._local = theirs.body, body
        return [*self._accept(theirs.key, theirs.request, body, now), *self._make_offers(now)]

    def refuse(self, status: int, now: Instant, headers: tuple[tuple[str, str], ...] = ()) -> list[Effect]:
        """Refuse it: the session goes on as it was (section 14.2)."""
        theirs, self._theirs = self._theirs, None
        if theirs is None or self.over:
            return []
        return [Respond(theirs.key, status, headers=headers, tag=self._tag), *self._make_offers(now)]

    # --- what comes --------------------------------------------------------------------------------------------
    def on_request(self, key: TransactionKey, request: Request, now: Instant) -> Step:
        """A request with our tag in To."""
        try:
            if self.over or not self.dialog.has(request):
                return [Respond(key, 481, tag=self._tag)], []
            self.dialog = self.dialog.received(request)
            if request.method in ("INVITE", "UPDATE"):
                self.dialog = self.dialog.retargeted(request)
        except ProtocolError:
            return [Respond(key, 500, "Out of Order", tag=self._tag)], []
        except DecodeError as error:
            return [Respond(key, 400, f"Bad Request ({error.code})", tag=self._tag)], []
        if request.method == "BYE":
            return self._on_bye(key)
        if self.ending:
            return [Respond(key, 481, tag=self._tag)], []  # our BYE is on its way to whoever asks
        if request.method in ("INVITE", "UPDATE"):
            return self._on_offer(key, request, now)
        return [], [InDialog(key, request)]

    def on_ack(self, request: Request, now: Instant) -> Step:
        """The ACK of a 2xx of ours."""
        try:
            if self._awaited is None or not self.dialog.has(request):
                return [], []
            sequence = CSeq.parse(request.headers.get("CSeq") or "").number
        except DecodeError:
            return [], []
        if sequence != self._awaited.sequence:
            return [], []
        self._awaited = None
        events: list[SessionEvent] = []
        if not self._established:
            self._established = True
            events.append(Established(body_of(request)))
        if self._bye_wanted is not None:
            effects, ended = self._bye(*self._bye_wanted, by_peer=False)
            return effects, [*events, *ended]
        return self._make_offers(now), events

    def on_final(self, ref: int, response: Response, request: Request, now: Instant) -> Step:
        """The final response to a request of ours."""
        self.dialog = self.dialog.numbered(request)
        if ref == _BYE_REF:
            self.over = True
            return [], []
        ours = self._ours
        if ours is None or ours.ref != ref:
            answered = Answered(ref, response)
            if response.status != 481 or self.over:
                return [], [answered]
            # Section 12.2.1.2: 481 to any request in a dialog ends it.
            effects, events = self._bye("the peer does not know the session any more", (), by_peer=True)
            return effects, [answered, *events]
        if 200 <= response.status < 300:
            return self._on_answer(ours, response, request, now)
        return self._on_refusal(ours, response, now)

    def on_timeout(self, ref: int, now: Instant) -> Step:
        """None came. For a BYE that is the end all the same; for an offer it is the end too (section 12.2.1.2, as 408)."""
        if ref == _BYE_REF:
            self.over = True
            return [], []
        if self._ours is not None and self._ours.ref == ref:
            self._ours = None
            return self._bye("the peer does not answer", (), by_peer=True)
        return [], [Answered(ref, None)]

    def next_deadline(self) -> Instant | None:
        if self.over or self.ending:
            return None
        deadlines = [self._again_at, None if self._awaited is None else self._awaited.deadline, self._timer_due()]
        return min((at for at in deadlines if at is not None), default=None)

    def on_deadline(self, now: Instant) -> Step:
        if self.over or self.ending:
            return [], []
        effects: list[Effect] = []
        awaited = self._awaited
        if awaited is not None and now >= awaited.give_up_at:
            # Section 13.3.1.4: without an ACK "the dialog is confirmed, but the session SHOULD be terminated".
            self._awaited = None
            return self._bye("no acknowledgement", (), by_peer=True)
        if awaited is not None and now >= awaited.repeat_at:
            self._awaited = awaited.repeated(self._settings.times, now)
            effects.append(Repeat(awaited.key))
        if self._again_at is not None and now >= self._again_at:
            self._again_at = None
            effects += self._make_offers(now)
        due = self._timer_due()
        if due is not None and now >= due:
            assert self._timer is not None
            if not self._timer.we_refresh or self._refresh_failed:
                ended, events = self._bye("the session was not refreshed", (), by_peer=True)
                return effects + ended, events
            effects += self._refresh()
        return effects, []

    # --- inside ------------------------------------------------------------------------------------------------
    @property
    def _tag(self) -> str:
        return self.dialog.local.tag or ""

    def _next_ref(self) -> int:
        self._refs += 1
        return self._refs

    def _send(self, ref: int, method: str, headers: tuple[tuple[str, str], ...], body: Body | None) -> Send:
        self.dialog, request = self.dialog.request(method, headers, b"" if body is None else body.data)
        return Send(ref, request)

    def _bye(self, reason: str, headers: tuple[tuple[str, str], ...], *, by_peer: bool) -> Step:
        if self.over or self.ending:
            return [], []
        self.ending = True
        effects: list[Effect] = []
        if self._theirs is not None:
            effects.append(Respond(self._theirs.key, 487, tag=self._tag))
            self._theirs = None
        self._ours = None
        return [*effects, self._send(_BYE_REF, "BYE", headers, None)], [Ended(reason, by_peer)]

    def _on_bye(self, key: TransactionKey) -> Step:
        effects: list[Effect] = [Respond(key, 200, tag=self._tag)]
        if self._theirs is not None:
            # Section 15.1.2: it "MUST still respond to any pending requests received for that dialog", with 487.
            effects.append(Respond(self._theirs.key, 487, tag=self._tag))
            self._theirs = None
        self.over = True
        return effects, [] if self.ending else [Ended("the peer hung up", by_peer=True)]

    # Offers of the peer.
    def _on_offer(self, key: TransactionKey, request: Request, now: Instant) -> Step:
        body = body_of(request)
        carries_offer = body is not None or request.method == "INVITE"
        if self._ours is not None and carries_offer and (self._ours.body is not None or self._ours.method == "INVITE"):
            return [Respond(key, 491, tag=self._tag)], []  # sections 14.2 here and 5.2 of RFC 3311
        if self._theirs is not None and carries_offer:
            wait = str(
                self._rng(1)[0] % 11
            )  # "a Retry-After header field with a randomly chosen value of between 0 and 10"
            return [Respond(key, 500, headers=(("Retry-After", wait),), tag=self._tag)], []
        if too_short(request, self._settings.timer):
            least = (("Min-SE", str(self._settings.timer.least_s)),)
            return [Respond(key, 422, headers=least, tag=self._tag)], []
        if body is None or body == self._remote:
            # Nothing new; an INVITE without an offer wants ours, and brings the answer in its ACK.
            return self._accept(key, request, self._local if carries_offer else None, now), []
        self._theirs = _Theirs(key, request, body)
        return [], [Reoffered(body)]

    def _accept(self, key: TransactionKey, request: Request, body: Body | None, now: Instant) -> list[Effect]:
        self._timer, timer_headers = SessionTimer.of_request(request, self._settings.timer)
        self._refreshed_at, self._refresh_failed = now, False
        headers = (("Contact", self._contact), ("Allow", self._settings.allow), *timer_headers, *body_headers(body))
        if request.method == "INVITE":
            self.await_ack(key, request, now)
        return [Respond(key, 200, headers=headers, body=b"" if body is None else body.data, tag=self._tag)]

    # Ours.
    def _make_offers(self, now: Instant) -> list[Effect]:
        if self._wanted is None or self._busy or self.over or self.ending:
            return []
        body, self._wanted = self._wanted, None
        return [self._offer("INVITE", body, refresh=False)]

    def _refresh(self) -> list[Effect]:
        method = "UPDATE" if "UPDATE" in self.peer_allows else "INVITE"
        return [self._offer(method, None if method == "UPDATE" else self._local, refresh=True)]

    def _offer(self, method: str, body: Body | None, *, refresh: bool) -> Effect:
        ref = self._next_ref()
        self._ours = _Ours(ref, method, body, refresh)
        timer = (("Supported", OPTION_TAG),) if self._timer is None else self._timer.refresh_headers()
        headers = (("Contact", self._contact), ("Allow", self._settings.allow), *timer, *body_headers(body))
        return self._send(ref, method, headers, body)

    def _on_answer(self, ours: _Ours, response: Response, request: Request, now: Instant) -> Step:
        self._ours = None
        effects: list[Effect] = []
        try:
            self.dialog = self.dialog.retargeted(response)
        except DecodeError:
            return self._bye("an answer that cannot be read", (), by_peer=True)
        if ours.method == "INVITE":
            effects.append(Acknowledge(self.dialog.acknowledge(request)))
        self._timer = SessionTimer.of_response(response, 0 if self._timer is None else self._timer.least_s)
        self._refreshed_at, self._refresh_failed = now, False
        answer = body_of(response)
        events: list[SessionEvent] = []
        if ours.body is not None:
            self._local, self._remote = ours.body, answer or self._remote
            if not ours.refresh:
                events.append(Renegotiated(response.status, answer))
        return effects + self._make_offers(now), events

    def _on_refusal(self, ours: _Ours, response: Response, now: Instant) -> Step:
        self._ours = None
        if response.status in (408, 481):
            return self._bye("the peer does not know the session any more", (), by_peer=True)
        if response.status == 491:
            if not ours.refresh:
                self._wanted = self._wanted or ours.body
            self._again_at = now + self._glare_wait()
            return [], []
        if response.status == 422 and self._timer is not None:
            least = minimum_of(response)
            if least is not None and least > self._timer.least_s:
                self._timer = replace(self._timer, least_s=least)
                return [self._offer(ours.method, ours.body, refresh=ours.refresh)], []
        if ours.refresh:
            self._refresh_failed = True  # RFC 4028 section 10: "SHOULD NOT continuously retry"
            return self._make_offers(now), []
        return self._make_offers(now), [Renegotiated(response.status, None)]

    def _glare_wait(self) -> int:
        """Section 14.1, in units of 10 ms: 2.1 to 4 seconds for who chose the Call-ID, up to 2 seconds for the other."""
        number = int.from_bytes(self._rng(2), "big")
        return 10 * (210 + number % 191) if self._began else 10 * (number % 201)

    @property
    def _busy(self) -> bool:
        """Whether it is not our turn to offer."""
        return any(thing is not None for thing in (self._ours, self._theirs, self._awaited, self._again_at))

    def _timer_due(self) -> Instant | None:
        if self._timer is None:
            return None
        if self._timer.we_refresh and not self._refresh_failed:
            return None if self._busy else self._timer.due(self._refreshed_at)
        return replace(self._timer, we_refresh=False).due(self._refreshed_at)
