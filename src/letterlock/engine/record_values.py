"""The values of the engine's records. All are frozen; `records.py` has their keys, `record_forms.py` their stored form."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from ..ids import AccountId, ChatName, DeviceId, Instant, MessageId, Number
from ..seam import Recipient
from ..trust.device_list import VerifiedDeviceList, recipient_of
from .carriage import Inbound

__all__ = [
    "Chat",
    "Contact",
    "Delivery",
    "EventLog",
    "Fetch",
    "Gap",
    "Head",
    "HeldNote",
    "InboxEntry",
    "Message",
    "Parked",
    "Row",
    "Status",
    "Task",
    "Trouble",
    "Upkeep",
    "Waiting",
]


# --- events --------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class EventLog:
    """The cursors that exist: `first` to `next` - 1."""

    first: int
    next: int


# --- chats ----------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Gap:
    """Messages of one device that were announced as missing. The marker stands at this Lamport time."""

    first: int
    last: int
    lamport: int


@dataclass(frozen=True, slots=True)
class Head:
    """How far one sending device has got in a chat: everything up to `sequence` was shown or is in `gaps`.

    Not told to others as seen before it passes `quiet`: they joined later.
    """

    account: AccountId
    device: DeviceId
    sequence: int
    gaps: tuple[Gap, ...] = ()
    quiet: int = 0


@dataclass(frozen=True, slots=True)
class HeldNote:
    """A message that is held back until what it follows has come. The message is in `held/`."""

    order: str
    account: AccountId
    device: DeviceId
    sequence: int
    causes: tuple[tuple[AccountId, DeviceId, int], ...]
    until: Instant


@dataclass(frozen=True, slots=True)
class Chat:
    """What the engine knows of one chat, beside its contact's keys, or its group's log (groups_values.py)."""

    number: ChatName
    sticky: bool = False
    """Was encrypted once; never becomes plain by itself (SR-01)."""
    accepted: bool = False
    """The user has written here."""
    lamport: int = 0
    sequence: int = 0
    """Of our own content in this chat."""
    base: int = 0
    """Our sequence when the devices that get our messages changed last; newcomers expect nothing before it."""
    audience: bytes = b""
    """Both list heads that `base` was made for."""
    heads: tuple[Head, ...] = ()
    held: tuple[HeldNote, ...] = ()
    waiting: int = 0
    """Messages in `waiting/`."""
    transition: int = 0
    nonce: bytes = field(default=b"", repr=False)
    """What the option of this transition must hold; empty when there is none (any more)."""
    plain: int = -1
    """The transition for which the user chose to send unencrypted."""
    absent_at: Instant = 0
    """When the directory last said that it knows no keys; 0 if it did not."""
    shown: str = ""
    """The security state that was told last."""
    typing_sent: Instant = 0
    typing_seen: Instant = 0
    """When the peer's typing was told last; 0 when idle."""
    pending: int = 0
    """Changes in `pending/` whose message has not come yet."""


@dataclass(frozen=True, slots=True)
class Contact:
    """The pinned keys of a number; our own number has one too."""

    list: VerifiedDeviceList
    past_heads: tuple[bytes, ...] = ()
    """Heads of earlier lists of the same account, newest last: a message may still name one."""
    fetched_at: Instant = 0
    verified_at: Instant = 0
    """When the user compared codes; 0 if never for this key."""
    keys_new: bool = False
    """The participant key changed and the user has not yet said anything to it."""
    broken: bool = False
    """... and it had been verified: sending is paused."""
    recipient: Recipient = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "recipient", recipient_of(self.list))

    @property
    def account(self) -> AccountId:
        return self.list.account

    @property
    def head(self) -> bytes:
        return self.list.head


# --- messages ----------------------------------------------------------------------------------------------
class Status(enum.IntEnum):
    """How far a message has got. Of our own ones each only rises, but for FAILED and EXPIRED."""

    WAITING = 0
    SENDING = 1
    ACCEPTED = 2
    DELIVERED = 3
    DISPLAYED = 4
    FAILED = 5
    EXPIRED = 6
    RECEIVED = 7
    SEEN = 8
    MISSING = 9
    """Not a message: the marker of a gap; `text` is empty, `message_id` is `FIRST-LAST`."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a chat, a change of one, or the marker of a gap. Its place is `order`."""

    order: str
    message_id: MessageId
    sender: Number
    mine: bool
    encrypted: bool
    status: Status
    sent_at: Instant
    at: Instant
    content_type: str
    text: str | None = field(repr=False)
    """Of a text; None where there is none, or none any more."""
    entity: bytes = field(default=b"", repr=False)
    """All of it, as in content/entity.py, where it is more than a text; bounded."""
    reply_to: str = ""
    reply_author: str = ""
    """What a text answers; empty where it answers nothing, or does not say whose it is."""
    change: bool = False
    """Not a message but what acts on one: it is kept in `change/`."""


@dataclass(frozen=True, slots=True)
class InboxEntry:
    """That a message id was met from an authenticated device, and in which frame bytes (their hash)."""

    digest: bytes
    order: str
    """Empty for receipts and other control."""
    at: Instant
    receipt_at: Instant
    displayed: bool = False
    wants_display: bool = False
    """A plain message whose sender asks to hear when it was displayed."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What is known of a message of ours, kept after its outbox rows are gone."""

    chat: ChatName
    order: str
    """Empty when the receipt was faster than another own device's copy."""
    delivered: tuple[tuple[AccountId, DeviceId], ...] = ()
    displayed: tuple[tuple[AccountId, DeviceId], ...] = ()
    resends: tuple[tuple[AccountId, DeviceId, int], ...] = ()
    at: Instant = 0
    members: int = 0
    """Of a group that it was meant for; 0 in the chat with a number."""


# --- outgoing ------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Row:
    """One frame on its way to one account. Its bytes never change (SR-06)."""

    chat: ChatName
    to: Number
    account: AccountId
    message_id: MessageId
    order: str
    """Of the message; empty for control."""
    content_type: str
    body: bytes = field(repr=False)
    pending: tuple[DeviceId, ...]
    """Devices that have not confirmed; not used for control and plain text."""
    created: Instant
    expires: Instant
    attempts: int
    next_at: Instant
    accepted: bool
    headers: tuple[tuple[str, str], ...] = ()
    """CPIM headers of a plain message."""

    @property
    def control(self) -> bool:
        """Done as soon as the network took it."""
        return not self.order


class Task(enum.IntEnum):
    """What waits for keys."""

    CONTENT = 0
    RESEND = 1
    """The same message again, for one device that asked."""
    REQUEST = 2
    """Our request that a device sends a message again."""
    RECEIPT = 3
    """A delivery receipt for a device that we have no session with (any more)."""
    MEMBER = 4
    """A message of a group, for all devices of one member."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Something to encrypt once the keys are there."""

    task: Task
    message_id: MessageId
    order: str
    account: AccountId
    """Of the one device that it is for; zero for CONTENT."""
    device: int
    created: Instant
    expires: Instant


@dataclass(frozen=True, slots=True)
class Fetch:
    """A look-up at the directory that is under way or will be tried again."""

    number: Number
    account: AccountId
    device: int
    """0: lists, otherwise key material of this device."""
    since_serial: int
    attempts: int
    started: Instant
    next_at: Instant


# --- incoming --------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Parked:
    """A frame that waits for a device list."""

    inbound: Inbound
    at: Instant


@dataclass(frozen=True, slots=True)
class Trouble:
    """Bounded counters of one peer, or of all strangers together (SR-07)."""

    hour: int
    unreadable: int
    total: int
    requests: int
    resends: int
    recent: tuple[bytes, ...] = ()
    """Starts of hashes of what was unreadable lately: told once, however often it comes."""
    reset_at: Instant = 0
    """When a session with this contact was last retired because of it."""


@dataclass(frozen=True, slots=True)
class Upkeep:
    """When the engine's regular work is due."""

    protocols: tuple[tuple[str, Instant], ...] = ()
    prune_at: Instant = 0
    self_check_at: Instant = 0
    publishing: tuple[tuple[str, bytes, int, Instant], ...] = ()
    """(protocol, payload, attempts, next attempt) of uploads that were not confirmed yet."""
