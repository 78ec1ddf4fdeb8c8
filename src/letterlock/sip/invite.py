"""INVITE transactions over a reliable transport (RFC 3261 sections 17.1.1 and 17.2.1, as corrected by RFC 6026).

Nothing is retransmitted by a transaction (timers A and G), for TCP and TLS do not lose. Timers B, H, L and M are each
64*T1, `timeout_ms`; D and I are 0. RFC 6026: a 2xx does not end a transaction at once. The client's lives on for
timer M, because every branch of a fork may send a 2xx of its own, each of which must be acknowledged; the server's
for timer L, because a proxy may repeat the INVITE, which must not look like a new one.

All tables are bounded, and what waits in one waits equally long, so the oldest entry is always due first.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from ..codec.sip import CSeq, Headers, Request, Response, Via
from ..codec.sip.values import BRANCH_COOKIE
from ..errors import LimitExceeded, ProtocolError
from ..ids import Instant
from .transaction import Answer, Timers, TransactionKey, client_key

__all__ = ["InviteClients", "InviteServers", "Outcome", "ack_of", "cancel_of"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """A response to one of our INVITEs, and what must be sent because of it: the ACK of a refusal, or a CANCEL that had to wait."""

    answer: Answer
    to_send: Request | None = None


@dataclass(slots=True)
class _Call:
    request: Request
    provisional: bool = False
    cancelled: bool = False


class InviteClients:
    """Our INVITEs: `start` one that is about to be sent, feed every response that has INVITE in its CSeq."""

    def __init__(self, timers: Timers, max_open: int) -> None:
        self._timers = timers
        self._max_open = max_open
        self._open: dict[TransactionKey, _Call] = {}
        self._due: dict[TransactionKey, Instant] = {}  # timer B, and the same wait behind a CANCEL
        self._accepted: dict[TransactionKey, Instant] = {}  # timer M

    def __len__(self) -> int:
        return len(self._open)

    def start(self, request: Request, now: Instant) -> TransactionKey:
        """Raises LimitExceeded when too many are open."""
        if len(self._open) >= self._max_open:
            raise LimitExceeded("too many calls in flight", code="sip.limit.transactions")
        via = Via.parse(request.headers.listed("Via")[0])
        key = (via.branch, request.method)
        if not via.branch.startswith(BRANCH_COOKIE) or key in self._open or key in self._accepted:
            raise ProtocolError("branch is not fresh", code="sip.branch")
        self._open[key] = _Call(request)
        self._due[key] = now + self._timers.timeout_ms
        return key

    def on_response(self, response: Response, now: Instant) -> Outcome | None:
        """Match by branch (section 17.1.3); None for a stray one, which is dropped. A 2xx may come more than once."""
        key = client_key(response)
        if key is None:
            return None
        answer = Answer(key, response)
        call = self._open.get(key)
        if call is None:
            # RFC 6026 section 7.2: in the Accepted state only 2xx are passed on, any other response is dropped.
            return Outcome(answer) if key in self._accepted and 200 <= response.status < 300 else None
        if response.status < 200:
            return Outcome(answer, self._on_provisional(key, call, now))
        del self._open[key]
        self._due.pop(key, None)
        if response.status >= 300:
            return Outcome(answer, ack_of(call.request, response))
        self._accepted[key] = now + self._timers.timeout_ms
        if len(self._accepted) > self._max_open:
            del self._accepted[next(iter(self._accepted))]
        return Outcome(answer)

    def cancel(self, key: TransactionKey, now: Instant) -> Request | None:
        """The CANCEL to send now. None: it is over, or nothing was heard yet and the CANCEL must wait (section 9.1)."""
        call = self._open.get(key)
        if call is None or call.cancelled:
            return None
        call.cancelled = True
        return self._cancel_now(key, call, now) if call.provisional else None

    def next_deadline(self) -> Instant | None:
        if not self._due and not self._accepted:
            return None
        firsts = (next(iter(self._due.values()), None), next(iter(self._accepted.values()), None))
        return min(at for at in firsts if at is not None)

    def on_deadline(self, now: Instant) -> tuple[list[TransactionKey], list[TransactionKey]]:
        """(those that timed out: treat each as answered 408; those that were accepted and can be forgotten)."""
        forgotten = _expired(self._accepted, now)
        late = _expired(self._due, now)
        for key in late:
            del self._open[key]
        return late, forgotten

    def abandon(self) -> None:
        """The connection is gone."""
        self._open.clear()
        self._due.clear()
        self._accepted.clear()

    def _on_provisional(self, key: TransactionKey, call: _Call, now: Instant) -> Request | None:
        if call.provisional:
            return None
        call.provisional = True
        if call.cancelled:
            return self._cancel_now(key, call, now)
        del self._due[key]  # timer B waits for the first answer; how long it may ring is for the caller to say
        return None

    def _cancel_now(self, key: TransactionKey, call: _Call, now: Instant) -> Request:
        # Section 9.1: without a final response 64*T1 after the CANCEL "the client SHOULD then consider the original
        # transaction cancelled".
        self._due.pop(key, None)
        self._due[key] = now + self._timers.timeout_ms
        return cancel_of(call.request)


class _State(enum.Enum):
    PROCEEDING = "proceeding"
    COMPLETED = "completed"  # refused; its ACK is awaited
    ACCEPTED = "accepted"


@dataclass(slots=True)
class _Served:
    state: _State = _State.PROCEEDING
    response: Response | None = None


class InviteServers:
    """INVITEs that we received. Keys are those of `transaction.server_key`, the same for its ACK."""

    def __init__(self, timers: Timers, max_open: int) -> None:
        self._timers = timers
        self._max_open = max_open
        self._served: dict[TransactionKey, _Served] = {}
        self._waiting = 0  # in state PROCEEDING
        self._due: dict[TransactionKey, Instant] = {}  # timers H and L

    def __len__(self) -> int:
        return len(self._served)

    def on_invite(self, key: TransactionKey) -> tuple[bool, Response | None]:
        """(whether it is new, what to send again if it is a repeat). Raises LimitExceeded: refuse with 503.

        A repeat is answered as before in every state but Accepted, where it is absorbed (RFC 6026 section 7.1).
        """
        served = self._served.get(key)
        if served is not None:
            return False, None if served.state is _State.ACCEPTED else served.response
        if self._waiting >= self._max_open:
            raise LimitExceeded("too many calls unanswered", code="sip.limit.transactions")
        self._waiting += 1
        self._served[key] = _Served()
        return True, None

    def on_response(self, key: TransactionKey, response: Response, now: Instant) -> bool:
        """Note what we answer; False when it must not be sent (unknown, or a final one went out before)."""
        served = self._served.get(key)
        if served is None or served.state is not _State.PROCEEDING:
            return False
        served.response = response
        if response.status >= 200:
            served.state = _State.ACCEPTED if response.status < 300 else _State.COMPLETED
            self._waiting -= 1
            self._due[key] = now + self._timers.timeout_ms
            if len(self._due) > self._max_open:
                self._forget(next(iter(self._due)))
        return True

    def on_ack(self, key: TransactionKey) -> bool:
        """Whether this ACK ended a refused INVITE. That of a 2xx has a branch of its own: it belongs to a dialog."""
        served = self._served.get(key)
        if served is None or served.state is not _State.COMPLETED:
            return False
        self._forget(key)
        return True

    def accepted(self, key: TransactionKey) -> Response | None:
        """The 2xx that this INVITE was answered with, to send again; None when it was not, or too long ago."""
        served = self._served.get(key)
        return served.response if served is not None and served.state is _State.ACCEPTED else None

    def proceeding(self, key: TransactionKey) -> bool:
        """Whether it waits for our final answer: a CANCEL changes something (section 9.2)."""
        served = self._served.get(key)
        return served is not None and served.state is _State.PROCEEDING

    def __contains__(self, key: object) -> bool:
        return key in self._served

    def next_deadline(self) -> Instant | None:
        return next(iter(self._due.values()), None)

    def on_deadline(self, now: Instant) -> None:
        """Forget what was answered long enough ago (timers H and L)."""
        for key in _expired(self._due, now):
            del self._served[key]

    def _forget(self, key: TransactionKey) -> None:
        del self._served[key]
        del self._due[key]


def ack_of(invite: Request, response: Response) -> Request:
    """The ACK of a refusal: same branch, Request-URI, route and CSeq number, the To of the response (section 17.1.1.3)."""
    to = response.headers.get("To") or invite.headers.get("To") or ""
    return _companion(invite, "ACK", to)


def cancel_of(invite: Request) -> Request:
    """The CANCEL of an INVITE as it was sent (section 9.1)."""
    return _companion(invite, "CANCEL", invite.headers.get("To") or "")


def _companion(invite: Request, method: str, to: str) -> Request:
    headers = invite.headers
    number = CSeq.parse(headers.get("CSeq") or "").number
    items = [
        ("Via", headers.listed("Via")[0]),
        ("Max-Forwards", "70"),
        *(("Route", value) for value in headers.all("Route")),
        ("From", headers.get("From") or ""),
        ("To", to),
        ("Call-ID", headers.get("Call-ID") or ""),
        ("CSeq", CSeq(number, method).encode()),
    ]
    return Request(method, invite.uri, Headers(items))


def _expired(table: dict[TransactionKey, Instant], now: Instant) -> list[TransactionKey]:
    """Take out those that are due; the table is in the order in which they become due."""
    due = []
    for key, at in table.items():
        if at > now:
            break
        due.append(key)
    for key in due:
        del table[key]
    return due
