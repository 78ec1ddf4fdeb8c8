"""Non-INVITE transactions over a reliable transport (RFC 3261 sections 17.1.2 and 17.2.2).

TCP and TLS do not lose, so nothing is retransmitted (timer E) and a client transaction ends with its
final response (timer K is 0). Timer F bounds the wait. The server side remembers what it answered
for `absorb_ms` (timer J; 0 by the RFC over TCP), because a proxy in front of us may have retried.

Both tables are bounded; a table's deadlines are all equally long, so the oldest entry is always due first.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..codec.sip import CSeq, Request, Response, Via
from ..codec.sip.values import BRANCH_COOKIE
from ..errors import DecodeError, LimitExceeded, ProtocolError
from ..ids import Instant

__all__ = ["Answer", "ClientTransactions", "ServerTransactions", "Timers", "TransactionKey", "client_key", "server_key"]

TransactionKey = tuple[str, ...]
"""Client: (branch, method). Server: (branch, sent-by, method), or more fields for an RFC 2543 client."""


@dataclass(frozen=True, slots=True)
class Timers:
    """`timeout_ms` is timer F: 64 times T1, 32 seconds by the RFC. `absorb_ms` is timer J."""

    timeout_ms: int
    absorb_ms: int


@dataclass(frozen=True, slots=True)
class Answer:
    """A response that belongs to one of our requests."""

    key: TransactionKey
    response: Response

    @property
    def final(self) -> bool:
        return self.response.status >= 200


class ClientTransactions:
    """Our requests that wait for a final response."""

    def __init__(self, timers: Timers, max_open: int) -> None:
        self._timers = timers
        self._max_open = max_open
        self._open: dict[TransactionKey, Instant] = {}

    def __len__(self) -> int:
        return len(self._open)

    def start(self, request: Request, now: Instant) -> TransactionKey:
        """Register a request that is about to be sent. Raises LimitExceeded when too many are open."""
        if len(self._open) >= self._max_open:
            raise LimitExceeded("too many requests in flight", code="sip.limit.transactions")
        via = Via.parse(request.headers.listed("Via")[0])
        key = (via.branch, request.method)
        if not via.branch.startswith(BRANCH_COOKIE) or key in self._open:
            raise ProtocolError("branch is not fresh", code="sip.branch")
        self._open[key] = now + self._timers.timeout_ms
        return key

    def on_response(self, response: Response) -> Answer | None:
        """Match by branch and method (section 17.1.3); None for a stray or late response, which is dropped."""
        key = client_key(response)
        if key is None or key not in self._open:
            return None
        if response.status >= 200:
            del self._open[key]
        return Answer(key, response)

    def next_deadline(self) -> Instant | None:
        return next(iter(self._open.values()), None)

    def on_deadline(self, now: Instant) -> list[TransactionKey]:
        """Those for which timer F fired: treat each as answered 408."""
        late = []
        for key, deadline in self._open.items():
            if deadline > now:
                break
            late.append(key)
        for key in late:
            del self._open[key]
        return late

    def abandon(self) -> list[TransactionKey]:
        """The connection is gone: all that were open, for the caller to report (section 17.1.4, as if 503)."""
        keys = list(self._open)
        self._open.clear()
        return keys


@dataclass(slots=True)
class _Served:
    response: Response | None = None
    until: Instant | None = None


class ServerTransactions:
    """Requests that we received: tells new ones from repeats, and gives a repeat the answer it already had."""

    def __init__(self, timers: Timers, max_open: int) -> None:
        self._timers = timers
        self._max_open = max_open
        self._waiting: dict[TransactionKey, _Served] = {}
        self._done: dict[TransactionKey, _Served] = {}

    def __len__(self) -> int:
        return len(self._waiting) + len(self._done)

    def on_request(self, request: Request, key: TransactionKey) -> tuple[bool, Response | None]:
        """(whether the request is new, the response to send again if it is a repeat that was answered).

        Raises LimitExceeded when too many wait for our answer: refuse with 503.
        """
        served = self._waiting.get(key) or self._done.get(key)
        if served is not None:
            return False, served.response
        if len(self._waiting) >= self._max_open:
            raise LimitExceeded("too many requests unanswered", code="sip.limit.transactions")
        self._waiting[key] = _Served()
        return True, None

    def on_response(self, key: TransactionKey, response: Response, now: Instant) -> bool:
        """Note what we answer; False when it must not be sent (unknown, or a final one went out before)."""
        served = self._waiting.get(key)
        if served is None:
            return False
        served.response = response
        if response.status >= 200:
            del self._waiting[key]
            if self._timers.absorb_ms > 0:
                served.until = now + self._timers.absorb_ms
                self._done[key] = served
                if len(self._done) > self._max_open:
                    del self._done[next(iter(self._done))]
        return True

    def next_deadline(self) -> Instant | None:
        first = next(iter(self._done.values()), None)
        return None if first is None else first.until

    def on_deadline(self, now: Instant) -> None:
        """Forget answers that are old enough (timer J)."""
        old = []
        for key, served in self._done.items():
            if served.until is None or served.until > now:
                break
            old.append(key)
        for key in old:
            del self._done[key]


def client_key(response: Response) -> TransactionKey | None:
    """What a received response is matched by (section 17.1.3); None when it cannot be the answer to anything of ours."""
    try:
        vias = response.headers.listed("Via")
        if len(vias) != 1:
            # More than one Via: it was meant for somebody we never forwarded for (section 8.1.3.3).
            return None
        return Via.parse(vias[0]).branch, CSeq.parse(response.headers.get("CSeq") or "").method
    except DecodeError:
        return None


def server_key(request: Request) -> TransactionKey:
    """What a received request is matched by (section 17.2.3). Raises DecodeError on a request without a sound Via."""
    vias = request.headers.listed("Via")
    if not vias:
        raise DecodeError("no via", code="sip.via")
    via = Via.parse(vias[0])
    method = "INVITE" if request.method == "ACK" else request.method
    if via.branch.startswith(BRANCH_COOKIE) and len(via.branch) > len(BRANCH_COOKIE):
        return via.branch, via.sent_by, method
    get = request.headers.get
    names = ("From", "To", "Call-ID", "CSeq")
    return (vias[0], request.uri, method, *(get(name) or "" for name in names))
