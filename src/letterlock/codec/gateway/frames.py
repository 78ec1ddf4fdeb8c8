"""The frames, as values. The first group a client sends, the second its gateway."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import NewType, TypeAlias

from ...ids import ConversationId, GroupId, Instant, MessageId, Number, Peer
from ..cpim import CpimHeader
from ..push_subscription import Subscription

__all__ = [
    "Acknowledge",
    "Advertise",
    "AskFeatures",
    "ClientFrame",
    "ConferenceKept",
    "ConferenceSeen",
    "Done",
    "Failure",
    "FeaturesAnswer",
    "FeaturesChanged",
    "Gap",
    "GapReason",
    "GatewayFrame",
    "Hello",
    "MakeConference",
    "Message",
    "Registration",
    "RequestId",
    "Result",
    "Roster",
    "Send",
    "Settled",
    "Subscribe",
    "SyncConference",
    "VisitConferences",
    "Welcome",
]

RequestId = NewType("RequestId", bytes)
"""16 bytes that a client chooses: the same for the same request, however often it has to be sent."""


# --- from the client ---------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Hello:
    """The first frame of a link. `inbox` is the one that `cursor` is of, None for a client that begins anew.

    `tags` are its feature tags; `conferences` where it knows the conferences of groups to be: names and addresses.
    """

    inbox: bytes | None
    cursor: int
    tags: tuple[tuple[str, str], ...] = ()
    conferences: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Send:
    """Hand this to the network, as `carriage.Outbound` says; answered by a Result or a Failure."""

    request: RequestId
    to: Peer | None
    message_id: MessageId
    conversation: ConversationId
    content_type: str
    body: bytes = field(repr=False)
    large: bool = False
    receipts: bool = False
    group: GroupId | None = None
    headers: tuple[tuple[str, str], ...] = ()
    packet: bool = False
    dispositions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Settled:
    """These answers have come: they need not be remembered, and the same request would be a new one."""

    requests: tuple[RequestId, ...]


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """Everything up to this cursor is safe with the client."""

    cursor: int


@dataclass(frozen=True, slots=True)
class Roster:
    """What the conference of a group should look like."""

    group: GroupId
    subject: str
    members: tuple[Number, ...]


@dataclass(frozen=True, slots=True)
class SyncConference:
    """Make the conference look like this, or leave it; Done or Failure."""

    request: RequestId
    leave: bool
    conference: Roster


@dataclass(frozen=True, slots=True)
class MakeConference:
    """Have it made, or find it; Done or Failure."""

    request: RequestId
    conference: Roster


@dataclass(frozen=True, slots=True)
class AskFeatures:
    """What a number can do; FeaturesAnswer or Failure."""

    request: RequestId
    number: Number
    fresh: bool


@dataclass(frozen=True, slots=True)
class Advertise:
    """Further feature tags from now on, instead of those before."""

    tags: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class VisitConferences:
    """Make this device known in every conference that is kept."""


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Wake this device there from now on, or, with None, not at all any more; Done or Failure."""

    request: RequestId
    push: Subscription | None


ClientFrame: TypeAlias = (
    Hello
    | Send
    | Settled
    | Acknowledge
    | SyncConference
    | MakeConference
    | AskFeatures
    | Advertise
    | VisitConferences
    | Subscribe
)


# --- from the gateway --------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Welcome:
    """The answer to Hello. What comes begins behind `cursor`, in this inbox; another one than the client's means that
    its cursor was of no use here."""

    inbox: bytes
    cursor: int


@dataclass(frozen=True, slots=True)
class Message:
    """One thing from the network, as `carriage.Inbound` says, at its place in the inbox."""

    cursor: int
    sender: Peer | None
    recipient: Number
    message_id: MessageId
    content_type: str
    received_at: Instant
    group: GroupId | None
    headers: tuple[CpimHeader, ...]
    body: bytes = field(repr=False)


class GapReason(enum.IntEnum):
    """Why something that had arrived cannot be delivered."""

    EXPIRED = 1
    """It had waited for too long."""
    OVERFLOW = 2
    """The inbox was full, and what is newest stays."""


@dataclass(frozen=True, slots=True)
class Gap:
    """The messages from `first` to `last` were there and are no more."""

    first: int
    last: int
    reason: GapReason


@dataclass(frozen=True, slots=True)
class ConferenceSeen:
    """What a focus claims of a group, as `carriage.ConferenceView` says."""

    group: GroupId
    focus: str
    subject: str
    members: tuple[Number, ...]
    encrypted_subject: str | None = None
    encrypted_icon: str | None = None


@dataclass(frozen=True, slots=True)
class FeaturesChanged:
    """The carrier names other features of a number than before."""

    number: Number
    features: tuple[str, ...]
    before: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ConferenceKept:
    """Where the conference of a group is; None: nowhere any more."""

    name: str
    address: str | None


@dataclass(frozen=True, slots=True)
class Registration:
    """How the registration with the carrier stands: one of `transport.rcs`'s states, and why."""

    state: str
    reason: str


@dataclass(frozen=True, slots=True)
class Result:
    """How the network answered, as `carriage.NetworkResult` says."""

    request: RequestId
    accepted: bool
    status: int
    reason: str
    retry_after_ms: int | None


@dataclass(frozen=True, slots=True)
class Failure:
    """There is no answer of the network; why."""

    request: RequestId
    code: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class Done:
    """It was done."""

    request: RequestId


@dataclass(frozen=True, slots=True)
class FeaturesAnswer:
    """The names of a number's features; None when nobody knows now."""

    request: RequestId
    features: tuple[str, ...] | None


GatewayFrame: TypeAlias = (
    Welcome
    | Message
    | Gap
    | ConferenceSeen
    | FeaturesChanged
    | ConferenceKept
    | Registration
    | Result
    | Failure
    | Done
    | FeaturesAnswer
)
