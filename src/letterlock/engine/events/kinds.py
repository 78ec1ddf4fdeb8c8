"""Every kind of event as one type, and an event with its cursor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from ...ids import Instant
from ..groups.events import (
    GroupCreated,
    GroupJoined,
    IconChanged,
    MemberAdded,
    MemberLeft,
    MemberRemoved,
    RosterMismatch,
    SubjectChanged,
)
from .changes import (
    ChangeRefused,
    MessageDeleted,
    MessageEdited,
    ReactionChanged,
    TypingChanged,
)
from .device import (
    PrekeysLow,
    ProtocolNoted,
    ProvisioningChanged,
    SessionWithoutOneTimePrekey,
    StoreRolledBack,
    TransferChanged,
)
from .encryption import (
    ConversationChangeFailed,
    EncryptionEnded,
    EncryptionStalled,
    EncryptionStarted,
    ProtocolSwitched,
)
from .messages import (
    MessageAccepted,
    MessageDelivered,
    MessageDisplayed,
    MessageExpired,
    MessageFailed,
    MessageMissing,
    MessageReceived,
    MessageResent,
    MessageSent,
    MessageUnreadable,
    ResendRequested,
)
from .trust import (
    CapabilitiesChanged,
    ContactKeysSeen,
    DeviceListChanged,
    DeviceListRefused,
    KeysChanged,
    NumberReset,
    OwnListMismatch,
    SecurityChanged,
)

__all__ = ["Event", "Recorded"]

Event: TypeAlias = (
    MessageReceived
    | MessageSent
    | MessageAccepted
    | MessageDelivered
    | MessageDisplayed
    | MessageFailed
    | MessageExpired
    | MessageResent
    | MessageUnreadable
    | ResendRequested
    | MessageMissing
    | MessageEdited
    | MessageDeleted
    | ReactionChanged
    | ChangeRefused
    | GroupCreated
    | GroupJoined
    | MemberAdded
    | MemberRemoved
    | MemberLeft
    | SubjectChanged
    | IconChanged
    | RosterMismatch
    | TypingChanged
    | ContactKeysSeen
    | KeysChanged
    | DeviceListChanged
    | DeviceListRefused
    | SecurityChanged
    | CapabilitiesChanged
    | OwnListMismatch
    | NumberReset
    | PrekeysLow
    | SessionWithoutOneTimePrekey
    | EncryptionStarted
    | EncryptionEnded
    | EncryptionStalled
    | ConversationChangeFailed
    | ProtocolSwitched
    | ProtocolNoted
    | StoreRolledBack
    | TransferChanged
    | ProvisioningChanged
)


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event with its cursor and the time when it was recorded."""

    cursor: int
    at: Instant
    event: Event
