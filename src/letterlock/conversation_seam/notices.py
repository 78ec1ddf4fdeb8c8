"""What a protocol tells: facts for people, and what the engine has to do about them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from ..ids import MessageId, Number
from .changes import Change
from .letters import Conversation, PacketHeader

__all__ = [
    "ChangeFailed",
    "Ended",
    "HealthMoved",
    "KeysSeen",
    "LetterFailed",
    "LetterReceipt",
    "LetterReceived",
    "MetadataChanged",
    "Notice",
    "RosterChanged",
    "Secured",
    "SendAgain",
    "Stalled",
    "StrangeGroup",
    "Unreadable",
]


@dataclass(frozen=True, slots=True)
class Secured:
    """The conversation is encrypted from here on, in this era."""

    conversation: Conversation
    era: int
    by: Number


@dataclass(frozen=True, slots=True)
class LetterReceived:
    """Content that a leaf certified for `sender` has signed. `device` tells that sender's devices apart: SHA-256 of its
    leaf key, 16 bytes. `root`: the id of the letter that this one repeats, else its own."""

    conversation: Conversation
    sender: Number
    device: bytes
    message_id: MessageId
    root: MessageId
    headers: tuple[PacketHeader, ...]
    entity: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class LetterReceipt:
    """A member's signed word that a letter of ours was delivered, or displayed."""

    conversation: Conversation
    message_id: MessageId
    member: Number
    displayed: bool


@dataclass(frozen=True, slots=True)
class SendAgain:
    """A member could not read a letter: seal it again under a new id for `member`."""

    conversation: Conversation
    message_id: MessageId
    member: Number


@dataclass(frozen=True, slots=True)
class LetterFailed:
    """A letter of ours will not arrive under this id: the network side refused it for good. `reason` is a stable code."""

    conversation: Conversation
    message_id: MessageId
    reason: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Something came that could not be read. `repairing`: it is being worked on, and may still be read."""

    conversation: Conversation
    sender: Number | None
    message_id: MessageId
    reason: str
    repairing: bool


@dataclass(frozen=True, slots=True)
class RosterChanged:
    """Members came or went, by a commit of `by`."""

    conversation: Conversation
    by: Number
    added: tuple[Number, ...]
    removed: tuple[Number, ...]
    era: int
    epoch: int


@dataclass(frozen=True, slots=True)
class KeysSeen:
    """A participant key that was not pinned (`before` empty) or another than the pinned one. Told before anything is
    sent to it. `spki` is the new key in DER."""

    number: Number
    spki: bytes
    before: bytes


@dataclass(frozen=True, slots=True)
class MetadataChanged:
    """A group's subject, decrypted, or icon, as in SetMetadata; checked against its commitment. None: not changed by
    this."""

    conversation: Conversation
    by: Number | None
    subject: str | None
    icon: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Ended:
    """Encryption was ended here, by `by` or by ourselves for this reason (rcc16.md 5.7). The composer is closed."""

    conversation: Conversation
    by: Number | None
    reason: str


@dataclass(frozen=True, slots=True)
class HealthMoved:
    """The health machine took an edge of its table (rcc16.md 5.3). `edge` empty: it took none, but what letters waited
    for is over, or has come to nothing: try again."""

    conversation: Conversation
    state: str
    edge: str


@dataclass(frozen=True, slots=True)
class Stalled:
    """Repair is spent: the user has to choose between `Retry` and `EndEncryption`."""

    conversation: Conversation
    reason: str


@dataclass(frozen=True, slots=True)
class StrangeGroup:
    """Whoever orders shows a group of this conversation's name, and nobody whom we know vouches that it is the one we
    were in. These numbers stand there, whom we did not know. It was not entered."""

    conversation: Conversation
    numbers: tuple[Number, ...]


@dataclass(frozen=True, slots=True)
class ChangeFailed:
    """A decision of the user came to nothing: whoever orders refuses it time after time, or somebody has no keys. It is
    not tried any more. `reason` is a stable code."""

    conversation: Conversation
    change: Change
    reason: str


Notice: TypeAlias = (
    Secured
    | LetterReceived
    | LetterReceipt
    | SendAgain
    | LetterFailed
    | Unreadable
    | RosterChanged
    | KeysSeen
    | MetadataChanged
    | Ended
    | HealthMoved
    | Stalled
    | ChangeFailed
    | StrangeGroup
)
