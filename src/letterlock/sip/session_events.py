"""What a session is told to keep to, and the facts that it tells."""

from __future__ import annotations

from dataclasses import dataclass

from ..codec.sip import Request, Response
from .answering import RepeatTimes
from .effects import Body
from .session_timer import TimerPolicy
from .transaction import TransactionKey

__all__ = [
    "Answered",
    "Ended",
    "Established",
    "InDialog",
    "Offered",
    "Refused",
    "Renegotiated",
    "Reoffered",
    "Ringing",
    "SessionEvent",
    "SessionSettings",
]


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """`allow` are the methods that we understand in a session; `ring_ms` is how long a call may go unanswered, either way."""

    timer: TimerPolicy
    times: RepeatTimes
    ring_ms: int
    allow: str


@dataclass(frozen=True, slots=True)
class Ringing:
    """A device of the peer has our INVITE and has not decided."""

    status: int


@dataclass(frozen=True, slots=True)
class Offered:
    """Somebody calls: `accept` or `refuse`. `body` is None when the caller wants us to make the offer."""

    body: Body | None


@dataclass(frozen=True, slots=True)
class Established:
    """It runs. `body` is the answer in the 2xx to our offer, or what came with the caller's ACK; `response` is that 2xx."""

    body: Body | None
    response: Response | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """Our INVITE came to nothing. `status` is 408 when nobody answered, 487 when we took it back."""

    status: int
    reason: str
    response: Response | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """It is over, or never began: `by_peer` when that was not our wish."""

    reason: str
    by_peer: bool


@dataclass(frozen=True, slots=True)
class InDialog:
    """A request in the session that is not about the session: INFO, REFER, NOTIFY. Answer it with `Respond`."""

    key: TransactionKey
    request: Request


@dataclass(frozen=True, slots=True)
class Reoffered:
    """The peer offers something else: `answer` or `refuse_offer`."""

    body: Body


@dataclass(frozen=True, slots=True)
class Renegotiated:
    """How the peer answered an offer of ours in a running session; a refusal leaves it as it was."""

    status: int
    body: Body | None


@dataclass(frozen=True, slots=True)
class Answered:
    """The final response to a request that was made with `Session.request`; None when there was none in time."""

    ref: int
    response: Response | None


SessionEvent = Ringing | Offered | Established | Refused | Ended | InDialog | Reoffered | Renegotiated | Answered
