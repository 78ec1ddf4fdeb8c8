"""Events of chats whose protocol keeps the members itself (`rcc16`): encryption begun, ended, stuck, switched; what the
user decided there and cannot have."""

from __future__ import annotations

from dataclasses import dataclass

from ...ids import ChatName

__all__ = [
    "ConversationChangeFailed",
    "EncryptionEnded",
    "EncryptionStalled",
    "EncryptionStarted",
    "ProtocolSwitched",
]


@dataclass(frozen=True, slots=True)
class EncryptionStarted:
    """From here on the chat is encrypted with this protocol; `by` set it up. `era` counts how often that was done anew."""

    chat: ChatName
    protocol: str
    era: int
    by: str


@dataclass(frozen=True, slots=True)
class EncryptionEnded:
    """`by` turned encryption off, or we did because of trouble (`by` empty). Nothing is sent until the user decides."""

    chat: ChatName
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class EncryptionStalled:
    """Repair came to nothing. The user may have it tried again, or end encryption; until then nothing is sent."""

    chat: ChatName
    reason: str


@dataclass(frozen=True, slots=True)
class ConversationChangeFailed:
    """What the user decided for this chat came to nothing, and is not tried any more. `what`: `add` or `remove` these
    `numbers`, `subject`, `icon`, `end` or `revive` encryption. `reason` is a stable code."""

    chat: ChatName
    what: str
    numbers: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class ProtocolSwitched:
    """What is written from here on is encrypted with another protocol than before; both histories stay."""

    chat: ChatName
    before: str
    after: str
