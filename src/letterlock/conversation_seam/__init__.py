"""The other shape of the seam: a protocol that keeps the members of a conversation itself (`rcc16`).

A `DeviceProtocol` is told for whom to encrypt. Here the members are the protocol's own matter: who is in the MLS group
is what its commits say, and the engine shows what the protocol reports. What such a protocol wants done comes back as
values: packets for the transport, requests to the key distribution server, notices for people. Methods are pure and
synchronous; nothing happens before the writes of a step are committed (SR-06), and a hostile input never raises.

The life of a letter: `seal` gives its packet, or says what it waits for; the packet's bytes are sent again unchanged
until every member's signed receipt has come. A letter that a member could not read is asked for by `SendAgain` and
sealed again under a new message id; `root` is what people know it by.
"""

from __future__ import annotations

from .changes import AddMembers, Change, EndEncryption, Leave, RemoveDevice, RemoveMembers, Retry, Revive, SetMetadata
from .letters import Conversation, Letter, Packet, PacketHeader, UntilWhen
from .notices import (
    ChangeFailed,
    Ended,
    HealthMoved,
    KeysSeen,
    LetterFailed,
    LetterReceipt,
    LetterReceived,
    MetadataChanged,
    Notice,
    RosterChanged,
    Secured,
    SendAgain,
    Stalled,
    StrangeGroup,
    Unreadable,
)
from .progress import Progress, Refusal, Waits
from .protocol import ConversationProtocol
from .requests import Claimed, ClaimKeyPackages, ClaimOutcome, PublishKeyPackages, RenewCertificate, Request
from .views import ConversationView, KeyState, MemberView

__all__ = [
    "AddMembers",
    "Change",
    "ChangeFailed",
    "ClaimKeyPackages",
    "ClaimOutcome",
    "Claimed",
    "Conversation",
    "ConversationProtocol",
    "ConversationView",
    "EndEncryption",
    "Ended",
    "HealthMoved",
    "KeyState",
    "KeysSeen",
    "Leave",
    "Letter",
    "LetterFailed",
    "LetterReceipt",
    "LetterReceived",
    "MemberView",
    "MetadataChanged",
    "Notice",
    "Packet",
    "PacketHeader",
    "Progress",
    "PublishKeyPackages",
    "Refusal",
    "RemoveDevice",
    "RemoveMembers",
    "RenewCertificate",
    "Request",
    "Retry",
    "Revive",
    "RosterChanged",
    "Secured",
    "SendAgain",
    "SetMetadata",
    "Stalled",
    "StrangeGroup",
    "Unreadable",
    "UntilWhen",
    "Waits",
]
