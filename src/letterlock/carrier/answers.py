"""Responses on their way back (RFC 3261 section 16.7): our Via off, the identity that we assert on, best of many."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from ..codec.sip import Request, Response, Uri
from ..ids import Instant, Number, Rng
from ..sip.message import new_tag, response_to
from .effects import Effect, Send

__all__ = ["Answers", "Later", "Refusal", "TapResponse", "Upstream"]

Upstream: TypeAlias = tuple[int, Request]
"""Who waits for an answer: the connection that a request came over, and the request."""

TapResponse: TypeAlias = Callable[[Response, Number | None], list[tuple[Response, int]]]
Later: TypeAlias = Callable[[Instant, Callable[[Instant], list[Effect]]], None]

# Section 16.7 step 6: those that tell the sender how to ask better, before the rest of their class.
_INFORMATIVE = frozenset({401, 407, 415, 420, 422, 423, 484, 488})
_EMPTY = frozenset({408, 480, 487})
_RETRY_AFTER_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Refusal:
    """One branch that came to nothing: what it answered, or what its silence counts as. `device` said so."""

    status: int
    response: Response | None
    device: Number | None


class Answers:
    """Passes responses on, and makes those that are our own."""

    def __init__(self, domain: str, tap: TapResponse, later: Later, rng: Rng) -> None:
        self._domain = domain
        self._tap = tap
        self._later = later
        self._rng = rng

    def passed(self, connection: int, response: Response, device: Number | None, now: Instant) -> list[Effect]:
        """A device's or server's answer, to the connection that asked."""
        headers = response.headers.without_first("Via")
        if device is not None:
            # Whoever wrote it there, it was not us; an application server's word is taken.
            identity = f"<{Uri.of_number(device, self._domain).encode()}>"
            headers = headers.without("P-Asserted-Identity").appended("P-Asserted-Identity", identity)
        passed = Response(response.status, response.reason, headers, response.body)
        effects: list[Effect] = []
        for each, delay in self._tap(passed, device):
            send = Send(connection, each)
            if delay:
                self._later(now + delay, _sending(send))
            else:
                effects.append(send)
        return effects

    def own(self, upstream: Upstream, status: int, *, headers: tuple[tuple[str, str], ...] = ()) -> Send:
        """Our own answer; 503 says when to come again."""
        if status == 503:
            headers += (("Retry-After", str(_RETRY_AFTER_SECONDS)),)
        tag = "" if status == 100 else new_tag(self._rng)
        return Send(upstream[0], response_to(upstream[1], status, tag=tag, headers=headers))

    def best(self, upstream: Upstream, refusals: Sequence[Refusal], now: Instant) -> list[Effect]:
        """The answer when nobody has taken a request: that of the best of its branches, and 480 when there was none."""
        if not refusals:
            return [self.own(upstream, 480)]
        chosen = min(refusals, key=_rank)
        if chosen.response is None:
            return [self.own(upstream, chosen.status)]
        if chosen.status == 503 and chosen.device is not None:
            # One device has no room: a 503 would say that we have none.
            return [self.own(upstream, 500)]
        return self.passed(upstream[0], _with_challenges(chosen.response, refusals), chosen.device, now)


def _rank(refusal: Refusal) -> tuple[int, int, int]:
    """Section 16.7 step 6: 6xx first, else the lowest class; in it what informs, then a device's word before our own."""
    family = refusal.status // 100
    order = 0 if refusal.status in _INFORMATIVE else 2 if refusal.status in _EMPTY else 1
    return (0 if family == 6 else family, order, 0 if refusal.response is not None else 1)


def _with_challenges(response: Response, refusals: Sequence[Refusal]) -> Response:
    """Step 7: a 401 or 407 carries the challenges of all the branches."""
    if response.status not in (401, 407):
        return response
    headers = response.headers
    for other in refusals:
        if other.response is None or other.response is response or other.status not in (401, 407):
            continue
        for name in ("WWW-Authenticate", "Proxy-Authenticate"):
            for value in other.response.headers.all(name):
                headers = headers.appended(name, value)
    return Response(response.status, response.reason, headers, response.body)


def _sending(effect: Effect) -> Callable[[Instant], list[Effect]]:
    return lambda now: [effect]
