"""What is known of a chat, and of a contact."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from ...carriage import Medium
from ...ids import AccountId, ChatName, DeviceId, Instant
from ...seam import Recipient
from ...trust.device_list import VerifiedDeviceList, recipient_of

__all__ = ["Chat", "Contact", "Gap", "Head", "HeldNote", "Standing"]


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
    floor: int = 0
    """The Lamport time that the chat had when a device was met that knew nothing of it: nothing of it stands before."""


@dataclass(frozen=True, slots=True)
class HeldNote:
    """A message that is held back until what it follows has come. The message is in `held/`."""

    order: str
    account: AccountId
    device: DeviceId
    sequence: int
    causes: tuple[tuple[AccountId, DeviceId, int], ...]
    until: Instant


class Standing(enum.IntEnum):
    """How a conversation stands whose protocol keeps its members itself. The numbers are stored."""

    NONE = 0
    """Nobody has asked yet whether it can be encrypted."""
    SETTING_UP = 1
    NO_KEYS = 2
    """Somebody has no key packages."""
    ENCRYPTED = 3
    VERIFIED = 4
    """... and the codes of all members were compared."""
    KEYS_NEW = 5
    BROKEN = 6
    """A verified member has another key: nothing is sent."""
    ENDED = 7
    STALLED = 8
    LEFT = 9


@dataclass(frozen=True, slots=True)
class Chat:
    """What the engine knows of one chat, beside its contact's keys, or its group's log (groups/values.py)."""

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
    protocol: str = ""
    """The protocol that keeps this chat's members itself, if its messages go by one (`rcc16`); else empty."""
    standing: Standing = Standing.NONE
    """How that conversation stands."""
    medium: Medium = Medium.RCS
    """Of the choice in `plain`."""
    floor: int = 0
    """The Lamport time up to which nobody whom we have not met yet can have known this chat; of a group, nobody who came
    in later."""
    kept: int = -1
    """The transition for which the user chose to keep messages waiting where no keys were found."""
    claimed_at: Instant = 0
    """When key packages were last asked for of which there were none; 0 if they were not. Not `absent_at`: the directory is
    asked more often, and each of its answers would put this off."""


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
