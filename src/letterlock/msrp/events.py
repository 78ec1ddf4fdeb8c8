"""What a connection tells its owner, as past-tense facts.

Each message of ours ends in exactly one `SendCompleted` or `SendFailed`, each message of the peer that
started in exactly one `MessageReceived` or `MessageBroken`, whatever happens to the connection.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..codec.msrp import Path

__all__ = [
    "Disconnected",
    "Event",
    "MessageBroken",
    "MessagePiece",
    "MessageReceived",
    "MessageStarted",
    "RelayGranted",
    "RelayRefused",
    "SendCompleted",
    "SendFailed",
    "SendProgressed",
    "SessionBound",
    "SessionFailed",
]


@dataclass(frozen=True, slots=True)
class SessionBound:
    """The session works on this connection: the peer's first SEND came, or ours was answered."""

    session: str


@dataclass(frozen=True, slots=True)
class SessionFailed:
    """The session is no longer usable here and was released; its messages have failed before this."""

    session: str
    status: int  # 481, 506, or what a report said; 0 when the connection ended
    reason: str


@dataclass(frozen=True, slots=True)
class MessageStarted:
    """The first chunk of a message. `repeat`: one with this id was received before on this connection."""

    message: int  # names it in `refuse`, `confirm` and `reject`
    session: str
    message_id: str
    content_type: str
    size: int | None  # as the sender says; pieces never exceed it
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    repeat: bool = False


@dataclass(frozen=True, slots=True)
class MessagePiece:
    """The next bytes, in order and without gaps."""

    message: int
    data: memoryview | bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class MessageReceived:
    """All bytes were handed out. Somebody must `confirm` or `reject` it; until then nothing is reported (SR-06)."""

    message: int
    size: int


@dataclass(frozen=True, slots=True)
class MessageBroken:
    """The rest will not come. Nothing more is said of this message."""

    message: int
    reason: str


@dataclass(frozen=True, slots=True)
class SendProgressed:
    """The peer has reported the first `reported` bytes as received."""

    message: int
    reported: int


@dataclass(frozen=True, slots=True)
class SendCompleted:
    """Done. `reported`: the far end reported success; else only the next hop answered, or nothing was asked for."""

    message: int
    reported: bool


@dataclass(frozen=True, slots=True)
class SendFailed:
    """Not delivered, or not known to be. `status` is an MSRP status (408 for silence), 0 when there was none."""

    message: int
    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class RelayGranted:
    """The relay carries for us (RFC 4976 section 5.1): `use_path` as it stands in To-Path, first hop first."""

    authorization: int
    use_path: Path
    expires_ms: int | None  # from now


@dataclass(frozen=True, slots=True)
class RelayRefused:
    """It does not. `status` as it answered, 408 for silence, 0 when the connection ended."""

    authorization: int
    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The connection is of no more use: close it. Last of all events."""

    code: str
    reason: str


Event = (
    SessionBound
    | SessionFailed
    | MessageStarted
    | MessagePiece
    | MessageReceived
    | MessageBroken
    | SendProgressed
    | SendCompleted
    | SendFailed
    | RelayGranted
    | RelayRefused
    | Disconnected
)
