"""What the machines of dialogs (sessions, subscriptions) ask for, and what they tell.

Effects are for whoever drives a UserAgent: `Send` becomes `agent.send`, and its handle is kept, so that what comes back
can be given to the machine with the `ref` that it chose; the others have methods of their own there. Events are for
whoever made the machine.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..codec.sip import Request, Response
from .transaction import TransactionKey

__all__ = [
    "Acknowledge",
    "Body",
    "Cancel",
    "Effect",
    "Repeat",
    "Respond",
    "Send",
    "body_headers",
    "body_of",
]


@dataclass(frozen=True, slots=True)
class Body:
    """A body, its Content-Type and, where it has one, its Content-Encoding."""

    content_type: str
    data: bytes = field(repr=False)
    encoding: str = ""


@dataclass(frozen=True, slots=True)
class Send:
    """A request in a transaction of its own. Report its responses, or their absence, with this `ref`."""

    ref: int
    request: Request


@dataclass(frozen=True, slots=True)
class Cancel:
    """Take back the INVITE with this `ref`."""

    ref: int


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """Send this ACK."""

    request: Request


@dataclass(frozen=True, slots=True)
class Respond:
    """Answer the request with this key."""

    key: TransactionKey
    status: int
    reason: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = field(default=b"", repr=False)
    tag: str = ""


@dataclass(frozen=True, slots=True)
class Repeat:
    """Send the 2xx to the INVITE with this key again."""

    key: TransactionKey


Effect = Send | Cancel | Acknowledge | Respond | Repeat


def body_of(message: Request | Response) -> Body | None:
    """The body of a message; None when there is none."""
    if not message.body:
        return None
    get = message.headers.get
    return Body(get("Content-Type") or "", message.body, get("Content-Encoding") or "")


def body_headers(body: Body | None) -> tuple[tuple[str, str], ...]:
    """The headers that go with a body."""
    if body is None:
        return ()
    encoding = (("Content-Encoding", body.encoding),) if body.encoding else ()
    return (("Content-Type", body.content_type), *encoding)
