"""Events of keys, device lists and the security state of chats."""

from __future__ import annotations

from dataclasses import dataclass

from ...ids import ChatName, Number

__all__ = [
    "CapabilitiesChanged",
    "ChatNamed",
    "ContactKeysSeen",
    "DeviceListChanged",
    "DeviceListRefused",
    "KeysChanged",
    "NumberReset",
    "OwnListMismatch",
    "SecurityChanged",
    "VerificationWithdrawn",
]


@dataclass(frozen=True, slots=True)
class ContactKeysSeen:
    """Keys of this number were met for the first time and are trusted from now on (trust on first use)."""

    chat: Number
    account: str
    serial: int


@dataclass(frozen=True, slots=True)
class KeysChanged:
    """The number has a new participant key: a new phone, or somebody else. `was_verified`: sending is paused."""

    chat: Number
    old_account: str
    new_account: str
    was_verified: bool


@dataclass(frozen=True, slots=True)
class DeviceListChanged:
    """The devices of the peer, or ours (`chat` is our number), changed; signed by their owner (SR-04)."""

    chat: Number
    serial: int
    added: tuple[int, ...]
    removed: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class DeviceListRefused:
    """Somebody showed us a device list of this number that does not hold: replayed, forked, forged (SR-04, SR-22)."""

    chat: Number
    reason: str


@dataclass(frozen=True, slots=True)
class SecurityChanged:
    """The state of the chat, a value of `security.Security`."""

    chat: ChatName
    state: str


@dataclass(frozen=True, slots=True)
class VerificationWithdrawn:
    """The user no longer vouches for this contact's keys: the chat is encrypted, and not verified."""

    chat: Number


@dataclass(frozen=True, slots=True)
class ChatNamed:
    """What the user calls this contact now, here alone; empty: nothing."""

    chat: ChatName
    name: str


@dataclass(frozen=True, slots=True)
class CapabilitiesChanged:
    """The carrier says that the contact's phones can do something else than before: names of RCS services, none for a
    number without RCS. A hint that anybody on the way can forge; it decides nothing about encryption (SR-02)."""

    chat: Number
    features: tuple[str, ...]
    before: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OwnListMismatch:
    """Strangers are shown another device list for our number than ours (SR-22). `reason` is a stable code."""

    reason: str
    seen_by: str = ""


@dataclass(frozen=True, slots=True)
class NumberReset:
    """Our number was claimed by another participant key (SR-21)."""

    account: str
