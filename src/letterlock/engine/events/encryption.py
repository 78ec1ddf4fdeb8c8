"""Events of chats whose protocol keeps the members itself (`rcc16`): encryption begun, ended, stuck, switched."""

from __future__ import annotations

from dataclasses import dataclass

from ...ids import ChatName

__all__ = ["EncryptionEnded", "EncryptionStalled", "EncryptionStarted", "ProtocolSwitched"]


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
class ProtocolSwitched:
    """What is written from here on is encrypted with another protocol than before; both histories stay."""

    chat: ChatName
    before: str
    after: str
