"""Names for the things that travel: numbers, accounts, devices, messages, conversations.

All are plain immutable values; the functions here are the only way in from untrusted text,
so that a value of one of these types has been checked once, at the edge.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Callable
from typing import NamedTuple, NewType, TypeAlias

from .errors import InputError

__all__ = [
    "AccountId",
    "BotAddress",
    "ChatName",
    "ConversationId",
    "DeviceAddress",
    "DeviceId",
    "GroupId",
    "GroupName",
    "Instant",
    "MessageId",
    "Number",
    "Peer",
    "Rng",
    "account_id",
    "account_uuid",
    "bot_address",
    "bot_of",
    "chat_name",
    "conversation_of",
    "device_id",
    "group_name",
    "group_of",
    "message_id",
    "new_message_id",
    "number",
    "peer_name",
    "service_id",
]

Number = NewType("Number", str)
"""An E.164 number with its plus sign: `+15550100`."""

AccountId = NewType("AccountId", bytes)
"""16 bytes: the start of SHA-256(label, SPKI of the participant key), with UUID bits as they fall."""

DeviceId = NewType("DeviceId", int)
"""1 to 127; 1 is the primary device, which holds the participant key."""

MessageId = NewType("MessageId", str)
"""A logical message id: a token of 1 to 64 characters, none of them a slash. Ours are lower-case UUIDs."""

ConversationId = NewType("ConversationId", bytes)
"""16 bytes: derived for a one-to-one chat from the two numbers; for a group its GroupId."""

GroupId = NewType("GroupId", bytes)
"""16 bytes: the start of a hash of the entry that created the group (trust/group_log.py), so nobody can choose one."""

GroupName = NewType("GroupName", str)
"""What the chat of a group is called: its GroupId as 32 lower-case hexadecimal digits."""

BotAddress = NewType("BotAddress", str)
"""What a chatbot is called: `sip:user@host`, the host in lower case, nothing behind it. It never reads as a number."""

Peer: TypeAlias = Number | BotAddress
"""Who is at the other end of a chat between two."""

ChatName: TypeAlias = Number | BotAddress | GroupName
"""What a chat is called: the peer's number, a chatbot's address, or a group's name. Their first characters tell them
apart: the plus sign of a number, `sip:`, a hexadecimal digit."""

Instant = int
"""Milliseconds since 1970-01-01 UTC. Every core takes it as a parameter named `now`."""

Rng = Callable[[int], bytes]
"""`rng(n)` gives n bytes fit for keys: `os.urandom` outside, a seeded stream in tests."""


class DeviceAddress(NamedTuple):
    """One device of one account: what a `signal` session is with."""

    account: AccountId
    device: DeviceId


_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)
_MESSAGE_ID = re.compile(r"[A-Za-z0-9.!%*_+`'~=-]{1,64}", re.ASCII)
"""A token (RFC 5438 section 6.3, RFC 3261 section 25.1), as Linphone's with `~`, and the `=` of Google's."""
_GROUP_NAME = re.compile(r"[0-9a-f]{32}", re.ASCII)
# No slash, because names stand in the keys of records; no percent escape, quote or semicolon, because two readers would
# take different addresses for the same. A user that begins like a number is one (SR-03: nobody is to be taken for another).
_BOT = re.compile(
    r"[sS][iI][pP]:([A-Za-z0-9_][A-Za-z0-9_.~!*'=$-]{0,63})@([A-Za-z0-9.-]{1,253})(?:;[!-~]{0,256})?", re.ASCII
)
_HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_ACCOUNT_LABEL = b"\xff\x80letterlock/account-id/v1\x00"
_CONVERSATION_LABEL = b"\xff\x80letterlock/conversation/v1\x00"


def number(text: str) -> Number:
    """Check an E.164 number. Raises InputError when it is not one."""
    if not _NUMBER.fullmatch(text):
        raise InputError(
            f"not a phone number: {text[:32]!r}",
            code="input.number",
            hint="write it with a plus sign and country code, for example +15550100",
        )
    return Number(text)


def device_id(value: int) -> DeviceId:
    """Check a device id. Raises InputError outside 1 to 127."""
    if not 1 <= value <= 127:
        raise InputError(f"device ids are 1 to 127, not {value}", code="input.device_id")
    return DeviceId(value)


def message_id(text: str) -> MessageId:
    """Check a message id. Raises InputError when it is empty, too long or has other characters."""
    if not _MESSAGE_ID.fullmatch(text):
        raise InputError("not a message id", code="input.message_id")
    return MessageId(text)


def new_message_id(rng: Rng) -> MessageId:
    """A fresh lower-case UUID (version 4)."""
    return MessageId(str(uuid.UUID(bytes=rng(16), version=4)))


def group_name(group: GroupId) -> GroupName:
    """The name of a group's chat."""
    return GroupName(group.hex())


def group_of(chat: ChatName) -> GroupId | None:
    """The group whose chat this is; None for the chat with a number or a chatbot."""
    return None if chat.startswith(("+", "sip:")) else GroupId(bytes.fromhex(chat))


def bot_address(text: str) -> BotAddress:
    """Check and normalise the address of a chatbot; parameters go. Raises InputError when it is none."""
    found = _BOT.fullmatch(text)
    if found is None or not _HOST.fullmatch(found[2].lower()):
        raise InputError(
            f"not the address of a chatbot: {text[:64]!r}",
            code="input.bot",
            hint="write it as sip:user@host, for example sip:shop@bots.example.com",
        )
    return BotAddress(f"sip:{found[1]}@{found[2].lower()}")


def bot_of(chat: ChatName) -> BotAddress | None:
    """The chatbot whose chat this is; None for the chat with a number or a group."""
    return BotAddress(chat) if chat.startswith("sip:") else None


def peer_name(text: str) -> Peer:
    """Check who is to be at the other end: a number or a chatbot. Raises InputError."""
    return bot_address(text) if text[:4].lower() == "sip:" else number(text)


def chat_name(text: str) -> ChatName:
    """Check the name of a chat. Raises InputError when it is no number, no chatbot's address and no group's name."""
    return GroupName(text) if _GROUP_NAME.fullmatch(text) else peer_name(text)


def account_id(participant_spki: bytes) -> AccountId:
    """The account that a participant key (DER SubjectPublicKeyInfo) stands for."""
    return AccountId(hashlib.sha256(_ACCOUNT_LABEL + participant_spki).digest()[:16])


def account_uuid(account: AccountId) -> str:
    """The account id as libsignal writes a service id: a lower-case UUID."""
    return str(uuid.UUID(bytes=bytes(account)))


def service_id(account: AccountId) -> bytes:
    """The 17 bytes that libsignal's `addresses` field binds: kind 0 (ACI), then the UUID."""
    return b"\x00" + account


def conversation_of(a: Number, b: Peer) -> ConversationId:
    """The one-to-one conversation of two numbers; the same from both ends."""
    first, second = sorted((a, b))
    text = _CONVERSATION_LABEL + first.encode() + b"\x00" + second.encode()
    return ConversationId(hashlib.sha256(text).digest()[:16])
