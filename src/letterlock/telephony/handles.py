"""Names: of lines, of messages, of who is written to. Apple's values, made from ours and back, without a table.

An address is a URI, `tel:` for a number, `sip:` for a business. A group is called by its name at `letterlock.client` alone: Apple's second part,
the focus, is the carrier's conference, which one of our groups may have, change, or go without, so it is always empty.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NewType, TypeAlias

from .. import ids
from ..errors import InputError
from ..ids import BotAddress, ChatName, GroupName, Number

__all__ = [
    "RCSURI",
    "CellularServiceID",
    "CellularServiceState",
    "RCSGroupContext",
    "RCSGroupHandle",
    "RCSHandle",
    "RCSMessageID",
    "bot_of",
    "chat_of",
    "group_handle",
    "group_name",
    "handle_of",
    "number_of",
]

CellularServiceID = NewType("CellularServiceID", str)
"""One line; here the number of the profile."""

RCSMessageID = NewType("RCSMessageID", str)
"""Chosen by the application: 1 to 64 characters of a token, and each one for a single message."""


@dataclass(frozen=True, slots=True)
class CellularServiceState:
    """A line, and what its owner calls it."""

    id: CellularServiceID
    label: str


@dataclass(frozen=True, slots=True)
class RCSURI:
    """The address of one person, as `tel:+15550100`, or of a business, as `sip:shop@bots.example.com`."""

    raw_value: str

    @classmethod
    def phone_number(cls, number: str) -> RCSURI | None:
        """The address of a number with its plus sign and country code; None for what is no such number."""
        try:
            return cls(f"tel:{ids.number(number)}")
        except InputError:
            return None

    def __str__(self) -> str:
        return self.raw_value


@dataclass(frozen=True, slots=True)
class RCSGroupHandle:
    """The identity of a group, with which it is found again at any time."""

    focus: str
    conversation_id: str

    def __str__(self) -> str:
        return self.conversation_id


RCSHandle: TypeAlias = RCSURI | RCSGroupHandle


@dataclass(frozen=True, slots=True)
class RCSGroupContext:
    """In which group something was said. There are no groups here that are not end-to-end encrypted."""

    handle: RCSGroupHandle
    is_end_to_end_encrypted: bool = False


# --- to ours and back ------------------------------------------------------------------------------------------
def number_of(uri: RCSURI) -> Number:
    """Raises InputError."""
    scheme, colon, rest = uri.raw_value.partition(":")
    if not colon or scheme.lower() != "tel":
        raise InputError(
            "not the address of a phone number", code="input.number", hint='RCSURI.phone_number("+15550100")'
        )
    return ids.number(rest)


def bot_of(uri: RCSURI) -> BotAddress:
    """A business. Raises InputError."""
    return ids.bot_address(uri.raw_value)


def group_name(handle: RCSGroupHandle) -> GroupName:
    """Raises InputError."""
    if handle.focus:
        raise InputError("a group here has no focus of its own", code="input.group", hint='RCSGroupHandle("", name)')
    name = ids.chat_name(handle.conversation_id)
    if ids.group_of(name) is None:
        raise InputError("not the name of a group", code="input.group")
    return GroupName(name)


def chat_of(handle: RCSHandle) -> ChatName:
    """What the client calls the conversation. Raises InputError."""
    if isinstance(handle, RCSGroupHandle):
        return group_name(handle)
    return bot_of(handle) if handle.raw_value[:4].lower() == "sip:" else number_of(handle)


def group_handle(name: GroupName) -> RCSGroupHandle:
    """The other way."""
    return RCSGroupHandle("", name)


def handle_of(name: str) -> RCSURI:
    """The other way, for one person, or a business."""
    return RCSURI(name if name.startswith("sip:") else f"tel:{name}")
