"""INVITE through the proxy: forks, what rings, who wins, who is cancelled (RFC 3261 sections 16.6 to 16.10, RFC 6026).

A call is one INVITE that came in, a leg one copy of it at a device or server.

    leg    waiting -> ringing (a provisional answer) -> done
           `cancel`: a CANCEL may be sent only once a leg has said something (section 9.1); until then it is wanted
    call   open -> answered (what its caller was told) -> forgotten

* Every provisional answer but 100 and every 2xx is passed on at once, a 2xx also when another leg has won before:
  the caller ends the dialog that it does not want. The ACK of a 2xx is no business of ours; that of any other final
  answer is, on both sides (section 17.1.1.3).
* The first final answer that is passed on, a 6xx, a CANCEL of the caller, or the end of its connection cancels the
  legs that are left.
* A leg that is over stays known for timer B, so that a late or repeated 2xx finds its way (section 16.7).
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..codec.sip import CSeq, Headers, NameAddr, Request, Response, Via
from ..codec.sip.values import BRANCH_COOKIE
from ..ids import Instant
from .answers import Answers, Refusal, Upstream
from .branches import Branch, Branches, Target
from .effects import Effect, Send
from .settings import Settings
from .timers import Timers

__all__ = ["Calls"]

_CallKey = tuple[int, str, str]
"""Connection, branch and sent-by of the INVITE (section 17.2.3). Over another connection it is another call."""

_ELSEWHERE = 'SIP;cause=200;text="Call completed elsewhere"'  # RFC 3326


class _Cancel(enum.Enum):
    NO = "no"
    WANTED = "wanted, but the leg has said nothing so far"
    SENT = "sent"


@dataclass(slots=True, eq=False)
class _Call:
    """`upstream` has no body; it is None when the caller's connection is gone, or there never was one."""

    key: _CallKey | None
    upstream: Upstream | None
    legs: list[_Leg] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    status: int = 0
    """The final answer that the caller was given."""
    cancelled: bool = False


class Calls:
    """The calls that are open."""

    def __init__(self, settings: Settings, branches: Branches, answers: Answers) -> None:
        self._settings = settings
        self._branches = branches
        self._answers = answers
        self._calls: dict[_CallKey, _Call] = {}
        self._of: dict[int, set[_CallKey]] = {}
        self._ended: Timers[_CallKey] = Timers()

    def forward(
        self,
        upstream: Upstream | None,
        copies: Sequence[tuple[Target, Request]],
        now: Instant,
        *,
        bounded: bool = True,
    ) -> list[Effect]:
        """Ring every target. A peer whose requests are `bounded` has so many calls open and no more (SR-08, SR-17)."""
        key = None if upstream is None else _key(upstream)
        effects: list[Effect] = []
        call = _Call(key, None if upstream is None else (upstream[0], _bare(upstream[1])))
        if upstream is not None:
            if key is None:
                return [self._answers.own(upstream, 400)]  # no branch of RFC 3261: it could not be cancelled
            if key in self._calls:
                return []  # the same again: it has its answer, or will have it
            settings = self._settings
            if len(self._calls) >= settings.max_calls or (
                bounded and len(self._of.get(upstream[0], ())) >= settings.max_calls_per_connection
            ):
                return [self._answers.own(upstream, 503)]
            self._calls[key] = call
            self._of.setdefault(upstream[0], set()).add(key)
            effects.append(self._answers.own(upstream, 100))
        for target, request in copies:
            if len(self._branches) >= self._settings.max_open_branches:
                call.refusals.append(Refusal(503, None, target.number))
                continue
            leg = _Leg(self, call, target)
            call.legs.append(leg)
            send = self._branches.send(leg, target, request, now + self._settings.invite_timeout_ms)
            assert isinstance(send.message, Request)
            leg.sent = _bare(send.message)
            effects.append(send)
        return effects + self._decide(call, now)

    def cancel(self, upstream: Upstream, now: Instant) -> list[Effect] | None:
        """The caller's CANCEL (section 16.10); None when there is nothing to cancel."""
        key = _key(upstream)
        call = None if key is None else self._calls.get(key)
        if call is None:
            return None
        effects: list[Effect] = [self._answers.own(upstream, 200)]
        if call.status:
            return effects  # too late; it has its final answer
        call.cancelled = True
        return effects + self._cancel_rest(call, upstream[1].headers.get("Reason"), now)

    def acknowledged(self, upstream: Upstream) -> bool:
        """Whether an ACK belongs to an answer that was ours to give; one for a 2xx does not (section 17.2.1)."""
        key = _key(upstream)
        call = None if key is None else self._calls.get(key)
        if call is None or key is None or call.status < 300:
            return False
        self._forget(key)
        return True

    def on_disconnect(self, connection: int, now: Instant) -> list[Effect]:
        """The caller is gone. Nobody will hear an answer or acknowledge one: what rings is to stop."""
        effects: list[Effect] = []
        for key in sorted(self._of.get(connection, ())):
            call = self._calls[key]
            call.upstream = None
            effects += self._cancel_rest(call, None, now)
            self._forget(key)
        return effects

    def on_deadline(self, now: Instant) -> list[Effect]:
        for key in self._ended.due(now):
            self._forget(key)
        return []

    def next_deadline(self) -> Instant | None:
        return self._ended.next()

    # --- what legs call ------------------------------------------------------------------------------
    def provisional(self, leg: _Leg, response: Response, now: Instant) -> list[Effect]:
        call = leg.call
        if leg.cancel is not _Cancel.SENT and (response.status > 100 or not leg.ringing):
            # Section 16.7 step 2: each of 101 to 199 winds timer C back, 100 does not.
            self._branches.wait(leg, now + self._settings.ringing_timeout_ms)
        leg.ringing = True
        effects: list[Effect] = []
        if leg.cancel is _Cancel.WANTED:
            effects += self._send_cancel(leg, now)
        if response.status > 100 and not call.status and call.upstream is not None:
            effects += self._answers.passed(call.upstream[0], response, leg.target.number, now)
        return effects

    def accepted(self, leg: _Leg, response: Response, now: Instant) -> list[Effect]:
        call = leg.call
        self._linger(leg, now)
        effects: list[Effect] = []
        if call.upstream is not None:
            effects += self._answers.passed(call.upstream[0], response, leg.target.number, now)
            if not call.status:
                self._answered(call, response.status, now)
        return effects + self._cancel_rest(call, _ELSEWHERE, now)

    def refused(self, leg: _Leg, response: Response, now: Instant) -> list[Effect]:
        """A final answer that is none of 2xx: acknowledged by us, and one of those that the best is chosen from."""
        call = leg.call
        effects: list[Effect] = [Send(leg.connection, _ack(leg.sent, response))]
        over, leg.over = leg.over, True
        self._branches.close(leg)
        if over:
            return effects
        call.refusals.append(Refusal(response.status, response, leg.target.number))
        if response.status >= 600:
            effects += self._cancel_rest(call, None, now)
        return effects + self._decide(call, now)

    def expired(self, leg: _Leg, now: Instant) -> list[Effect]:
        """Timer B or C, or nothing came of a CANCEL for as long as that (sections 9.1 and 16.8)."""
        if leg.over:
            self._branches.close(leg)
            return []
        if leg.ringing and leg.cancel is not _Cancel.SENT:
            return self._send_cancel(leg, now)
        self._linger(leg, now)
        return self._lost(leg, 408, now)

    def cut(self, leg: _Leg, now: Instant) -> list[Effect]:
        if leg.over:
            return []
        leg.over = True
        return self._lost(leg, 503 if leg.target.device is None else 480, now)

    # --- help ----------------------------------------------------------------------------------------
    def _lost(self, leg: _Leg, status: int, now: Instant) -> list[Effect]:
        call = leg.call
        call.refusals.append(Refusal(487 if call.cancelled else status, None, leg.target.number))
        return self._decide(call, now)

    def _linger(self, leg: _Leg, now: Instant) -> None:
        leg.over = True
        self._branches.wait(leg, now + self._settings.invite_timeout_ms)

    def _cancel_rest(self, call: _Call, reason: str | None, now: Instant) -> list[Effect]:
        effects: list[Effect] = []
        for leg in call.legs:
            if leg.over or leg.cancel is not _Cancel.NO:
                continue
            leg.cancel, leg.reason = _Cancel.WANTED, reason
            if leg.ringing:
                effects += self._send_cancel(leg, now)
        return effects

    def _send_cancel(self, leg: _Leg, now: Instant) -> list[Effect]:
        leg.cancel = _Cancel.SENT
        self._branches.wait(leg, now + self._settings.invite_timeout_ms)
        return [Send(leg.connection, _cancel(leg.sent, leg.reason))]

    def _decide(self, call: _Call, now: Instant) -> list[Effect]:
        """Once every leg is over and none was taken, the caller hears the best of what they said."""
        if call.status or call.upstream is None or not all(leg.over for leg in call.legs):
            return []
        effects = self._answers.best(call.upstream, call.refusals, now)
        # The status is what our own side of it ends with, whatever a tap makes of the answer.
        self._answered(call, 480, now)
        return effects

    def _answered(self, call: _Call, status: int, now: Instant) -> None:
        call.status = status
        if call.key is not None:
            self._ended.set(call.key, now + self._settings.invite_timeout_ms)  # timer H, or L of RFC 6026

    def _forget(self, key: _CallKey) -> None:
        self._ended.cancel(key)
        self._calls.pop(key, None)
        keys = self._of.get(key[0])
        if keys is not None:
            keys.discard(key)
            if not keys:
                del self._of[key[0]]


class _Leg(Branch):
    """One copy of an INVITE. `over` once it had a final answer or counts as refused."""

    __slots__ = ("_calls", "call", "cancel", "over", "reason", "ringing", "sent", "target")

    def __init__(self, calls: Calls, call: _Call, target: Target) -> None:
        super().__init__()
        self._calls = calls
        self.call = call
        self.target = target
        self.sent = Request("INVITE", target.uri, Headers())
        self.ringing = False
        self.over = False
        self.cancel = _Cancel.NO
        self.reason: str | None = None

    def answered(self, response: Response, now: Instant) -> list[Effect]:
        if response.status < 200:
            return [] if self.over else self._calls.provisional(self, response, now)
        if response.status < 300:
            return self._calls.accepted(self, response, now)
        return self._calls.refused(self, response, now)

    def expired(self, now: Instant) -> list[Effect]:
        return self._calls.expired(self, now)

    def cut(self, now: Instant) -> list[Effect]:
        return self._calls.cut(self, now)


def _key(upstream: Upstream) -> _CallKey | None:
    via = Via.parse(upstream[1].headers.listed("Via")[0])
    if not via.branch.startswith(BRANCH_COOKIE) or len(via.branch) == len(BRANCH_COOKIE):
        return None
    return upstream[0], via.branch, via.sent_by


def _bare(request: Request) -> Request:
    """Without its body, which is not needed any more and would be kept for as long as it rings (SR-08)."""
    return Request(request.method, request.uri, request.headers)


def _cancel(sent: Request, reason: str | None) -> Request:
    """Section 9.1: as the INVITE was sent, and its topmost Via only."""
    return _hop_by_hop(sent, "CANCEL", sent.headers.get("To") or "", () if reason is None else (("Reason", reason),))


def _ack(sent: Request, response: Response) -> Request:
    """Section 17.1.1.3: as the INVITE was sent, but for To, which is the response's."""
    return _hop_by_hop(sent, "ACK", _to(sent, response), ())


def _to(sent: Request, response: Response) -> str:
    given = response.headers.get("To") or ""
    tag = NameAddr.parse(given).tag
    own = NameAddr.parse(sent.headers.get("To") or "")
    return own.with_param("tag", tag).encode() if tag and not own.tag else sent.headers.get("To") or ""


def _hop_by_hop(sent: Request, method: str, to: str, more: tuple[tuple[str, str], ...]) -> Request:
    headers = sent.headers
    items = [
        ("Via", headers.listed("Via")[0]),
        ("Max-Forwards", "70"),
        ("From", headers.get("From") or ""),
        ("To", to),
        ("Call-ID", headers.get("Call-ID") or ""),
        ("CSeq", f"{CSeq.parse(headers.get('CSeq') or '').number} {method}"),
        *more,
    ]
    return Request(method, sent.uri, Headers(items))
