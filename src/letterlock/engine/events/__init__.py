"""Past-tense facts for people and programs: durable, numbered, with a stable JSON form.

Each event is a record `event/<20 digits>`; its number is the cursor. A consumer reads from its cursor
on, so nothing is lost because nobody listened. `chat` is the peer's number, or a group's name (groups/events.py). New
fields get a default and are added at the end; fields never change their meaning. One family a file.
"""

from __future__ import annotations

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
from .form import decode_recorded, encode_recorded, event_from_json, event_to_json
from .kinds import Event, Recorded
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
    SmsFromUnknownSender,
)
from .trust import (
    CapabilitiesChanged,
    ChatNamed,
    ContactKeysSeen,
    DeviceListChanged,
    DeviceListRefused,
    KeysChanged,
    NumberReset,
    OwnListMismatch,
    SecurityChanged,
    VerificationWithdrawn,
)

__all__ = [
    "CapabilitiesChanged",
    "ChangeRefused",
    "ChatNamed",
    "ContactKeysSeen",
    "ConversationChangeFailed",
    "DeviceListChanged",
    "DeviceListRefused",
    "EncryptionEnded",
    "EncryptionStalled",
    "EncryptionStarted",
    "Event",
    "GroupCreated",
    "GroupJoined",
    "IconChanged",
    "KeysChanged",
    "MemberAdded",
    "MemberLeft",
    "MemberRemoved",
    "MessageAccepted",
    "MessageDeleted",
    "MessageDelivered",
    "MessageDisplayed",
    "MessageEdited",
    "MessageExpired",
    "MessageFailed",
    "MessageMissing",
    "MessageReceived",
    "MessageResent",
    "MessageSent",
    "MessageUnreadable",
    "NumberReset",
    "OwnListMismatch",
    "PrekeysLow",
    "ProtocolNoted",
    "ProtocolSwitched",
    "ProvisioningChanged",
    "ReactionChanged",
    "Recorded",
    "ResendRequested",
    "RosterMismatch",
    "SecurityChanged",
    "SessionWithoutOneTimePrekey",
    "SmsFromUnknownSender",
    "StoreRolledBack",
    "SubjectChanged",
    "TransferChanged",
    "TypingChanged",
    "VerificationWithdrawn",
    "decode_recorded",
    "encode_recorded",
    "event_from_json",
    "event_to_json",
]
