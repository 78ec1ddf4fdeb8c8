"""What a user agent tells of one connection: requests that came, answers to ours, and that nothing comes any more."""

from __future__ import annotations

from dataclasses import dataclass

from ..codec.sip import Request, Response
from .transaction import TransactionKey

__all__ = ["Acknowledged", "Answered", "Cancelled", "Event", "FlowFailed", "Provisional", "Received", "TimedOut"]


@dataclass(frozen=True, slots=True)
class Received:
    """A new request from the network: give `key` to `respond`, once with a final answer."""

    key: TransactionKey
    request: Request


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The ACK of a 2xx. It belongs to a dialog and is not answered."""

    request: Request


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The INVITE with this key was taken back, and has been answered 487."""

    key: TransactionKey


@dataclass(frozen=True, slots=True)
class Provisional:
    """The INVITE with this handle is on its way: a response from 100 to 199. `request` is as it was sent last."""

    handle: int
    response: Response
    request: Request


@dataclass(frozen=True, slots=True)
class Answered:
    """The final response to the request with this handle. To an INVITE several 2xx may come, of one device or of many.

    `request` is as it was sent last, for a challenge changes its CSeq.
    """

    handle: int
    response: Response
    request: Request


@dataclass(frozen=True, slots=True)
class TimedOut:
    """No final response came in time; the network may or may not have the request."""

    handle: int


@dataclass(frozen=True, slots=True)
class FlowFailed:
    """The peer stopped answering keep-alives, or was silent for a whole time-out: make another connection."""


Event = Received | Acknowledged | Cancelled | Provisional | Answered | TimedOut | FlowFailed
