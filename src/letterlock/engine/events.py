"""Past-tense facts for people and programs: durable, numbered, with a stable JSON form.

Each event is a record `event/<20 digits>`; its number is the cursor. A consumer reads from its cursor
on, so nothing is lost because nobody listened. `chat` is the peer's number, or a group's name (groups_events.py). New fields get a
default and are added at the end; fields never change their meaning.
"""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from dataclasses import dataclass
from typing import Any, TypeAlias

from ..errors import DecodeError
from ..ids import ChatName, Instant, MessageId, Number
from .groups.events import (
    GroupCreated,
    GroupJoined,
    IconChanged,
    MemberAdded,
    MemberLeft,
    MemberRemoved,
    RosterMismatch,
    SubjectChanged,
)

__all__ = [
    "CapabilitiesChanged",
    "ChangeRefused",
    "ContactKeysSeen",
    "DeviceListChanged",
    "DeviceListRefused",
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
    "ProvisioningChanged",
    "ReactionChanged",
    "Recorded",
    "ResendRequested",
    "RosterMismatch",
    "SecurityChanged",
    "SessionWithoutOneTimePrekey",
    "StoreRolledBack",
    "SubjectChanged",
    "TransferChanged",
    "TypingChanged",
    "decode_recorded",
    "encode_recorded",
    "event_from_json",
    "event_to_json",
]


# --- messages ----------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class MessageReceived:
    """A message to show. `order` sorts it in its chat; `encrypted` is a fact of this message (SR-01).

    `text` is None when it is no text, and once it was deleted. `sent_at` is the sender's claim, 0 if none.
    `fills_gap`: it was announced as missing before. `reply_to` is the id of the message that it answers. `content`
    says what it is where it is more than a text: `{"kind": "location", "latitude": ...}`. In a group `sender` is the
    member's number; in the chat with a number it is empty.
    """

    chat: ChatName
    message_id: MessageId
    device: int
    order: str
    text: str | None
    content_type: str
    encrypted: bool
    sent_at: Instant
    fills_gap: bool = False
    reply_to: str = ""
    content: dict[str, Any] | None = None
    sender: str = ""


@dataclass(frozen=True, slots=True)
class MessageSent:
    """A message of ours was stored for sending, or another device of ours (`device`) sent it.

    `waiting`: it is not encrypted yet because keys are still missing; it will be, or expires. The rest as in
    MessageReceived.
    """

    chat: ChatName
    message_id: MessageId
    device: int
    order: str
    text: str | None
    content_type: str
    encrypted: bool
    waiting: bool = False
    reply_to: str = ""
    content: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class MessageAccepted:
    """The network took it. That says nothing about delivery (SR-05)."""

    chat: ChatName
    message_id: MessageId


@dataclass(frozen=True, slots=True)
class MessageDelivered:
    """A device of the peer has it; in a group, of this `member`. `authenticated` False: only the network says so, possible
    in plain chats alone."""

    chat: ChatName
    message_id: MessageId
    device: int
    authenticated: bool = True
    member: str = ""


@dataclass(frozen=True, slots=True)
class MessageDisplayed:
    """The peer, or this `member`, has seen it. `authenticated` as in MessageDelivered."""

    chat: ChatName
    message_id: MessageId
    device: int
    authenticated: bool = True
    member: str = ""


@dataclass(frozen=True, slots=True)
class MessageFailed:
    """The network refuses it for good; `reason` is a stable code, `status` the network's. In a group the copy for this
    `member`: `removed` (no member any more), `no-keys` (too much waits for its keys), `keys-changed`, `network`."""

    chat: ChatName
    message_id: MessageId
    reason: str
    status: int = 0
    member: str = ""


@dataclass(frozen=True, slots=True)
class MessageExpired:
    """Nobody, or in a group not this `member`, confirmed it in time; it is not sent any more."""

    chat: ChatName
    message_id: MessageId
    member: str = ""


@dataclass(frozen=True, slots=True)
class MessageResent:
    """A device of the peer could not read it and asked; it was encrypted again for that device."""

    chat: ChatName
    message_id: MessageId
    device: int
    member: str = ""


@dataclass(frozen=True, slots=True)
class MessageUnreadable:
    """Something came that could not be read; nothing else changed (SR-07). `message_id` and `device` are claims.

    `asked_again`: we asked the sender's device for a fresh copy.
    """

    chat: ChatName | None
    message_id: str
    device: int
    reason: str
    asked_again: bool = False
    sender: str = ""


@dataclass(frozen=True, slots=True)
class ResendRequested:
    """We ask a device of the peer to encrypt a message again, in a fresh session (SR-07: visible, rate-limited)."""

    chat: ChatName
    message_id: MessageId
    device: int


@dataclass(frozen=True, slots=True)
class MessageMissing:
    """Messages `first` to `last` of one sending device did not come in time: somebody dropped or delays them.

    `sender` is the number of that device, ours or the peer's. The marker stands at `order` in the chat.
    """

    chat: ChatName
    sender: Number
    device: int
    first: int
    last: int
    order: str


# --- changes of messages -------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class MessageEdited:
    """The author gave a message (`message_id`, at `order`) another text. `text` is None once a later edit counts.

    `change_id` is the edit's own id: deliveries and failures of an edit of ours go by it.
    """

    chat: ChatName
    message_id: MessageId
    change_id: MessageId
    sender: Number
    device: int
    order: str
    text: str | None
    encrypted: bool
    sent_at: Instant


@dataclass(frozen=True, slots=True)
class MessageDeleted:
    """The author took a message back; its text is gone from this store, from the events of before too."""

    chat: ChatName
    message_id: MessageId
    change_id: MessageId
    sender: Number
    device: int
    order: str
    encrypted: bool


@dataclass(frozen=True, slots=True)
class ReactionChanged:
    """Somebody put an emoji on a message, or took it away again (`removed`)."""

    chat: ChatName
    message_id: MessageId
    change_id: MessageId
    sender: Number
    device: int
    order: str
    emoji: str
    removed: bool
    encrypted: bool


@dataclass(frozen=True, slots=True)
class ChangeRefused:
    """A change that was not made. `change` is `edit`, `delete` or `reaction`; `reason` a stable code:

    `not-author` (of somebody else's message), `unencrypted` (the network's word about an encrypted message),
    `not-text` (an edit of something that is no text), `no-message` (what it is for never came), `too-many`.
    """

    chat: ChatName
    message_id: MessageId
    change_id: MessageId
    sender: Number
    device: int
    change: str
    reason: str


@dataclass(frozen=True, slots=True)
class TypingChanged:
    """The peer started or stopped typing."""

    chat: Number
    active: bool
    encrypted: bool


# --- trust --------------------------------------------------------------------------------------------
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


# --- protocols and store --------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class PrekeysLow:
    """The directory has few one-time keys of ours left: somebody may be draining them (SR-13)."""

    protocol: str


@dataclass(frozen=True, slots=True)
class SessionWithoutOneTimePrekey:
    """A session with the peer was started without a one-time key (SR-13)."""

    chat: Number
    protocol: str


@dataclass(frozen=True, slots=True)
class ProtocolNoted:
    """Any other fact that a protocol reports; `chat` is None where it concerns no peer."""

    chat: ChatName | None
    protocol: str
    note: str


@dataclass(frozen=True, slots=True)
class StoreRolledBack:
    """The store was an older copy and the user took it into use again (SR-06)."""


# --- the operator ------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class ProvisioningChanged:
    """How we stand with our operator: a value of `client.ProvisioningState`, or `refused` with the code of the reason.

    After `refused` the configuration is the one from before.
    """

    state: str
    version: int
    reason: str = ""


# --- files -----------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class TransferChanged:
    """A file on its way to (`upload`) or from a content server: `done` bytes of `size`, None while nobody knows.

    `state` is a value of `client.TransferState`; `reason` is a stable code when it is `failed`.
    """

    transfer: str
    upload: bool
    state: str
    done: int
    size: int | None
    reason: str = ""


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


# --- the stable form --------------------------------------------------------------------------------------
def _kind(cls: type) -> str:
    return "".join(f"-{c.lower()}" if c.isupper() else c for c in cls.__name__).lstrip("-")


_CLASSES: dict[str, type[Any]] = {_kind(cls): cls for cls in typing.get_args(Event)}
_KINDS: dict[type[Any], str] = {cls: kind for kind, cls in _CLASSES.items()}
_FIELDS: dict[type[Any], tuple[str, ...]] = {
    cls: tuple(field.name for field in dataclasses.fields(cls)) for cls in _CLASSES.values()
}


def event_to_json(event: Event) -> dict[str, Any]:
    """`{"kind": "message-received", ...fields}`: what the CLI, the daemon and the store write."""
    cls = type(event)
    out: dict[str, Any] = {"kind": _KINDS[cls]}
    for name in _FIELDS[cls]:
        out[name] = getattr(event, name)
    return out


def event_from_json(value: object) -> Event:
    """The other way. Raises DecodeError on an unknown kind, a missing field or a field of a wrong type."""
    if not isinstance(value, dict):
        raise DecodeError("an event is an object", code="event.form")
    cls = _CLASSES.get(str(value.get("kind")))
    if cls is None:
        raise DecodeError("unknown kind of event", code="event.kind")
    given: dict[str, Any] = {}
    for field in dataclasses.fields(cls):
        if field.name in value:
            given[field.name] = _typed(value[field.name], _HINTS[cls][field.name])
        elif field.default is dataclasses.MISSING:
            raise DecodeError(f"event without {field.name}", code="event.field")
    event: Event = cls(**given)
    return event


def encode_recorded(recorded: Recorded) -> bytes:
    """The record form: one JSON object with `cursor`, `at`, `kind` and the fields."""
    out = event_to_json(recorded.event)
    out["cursor"] = recorded.cursor
    out["at"] = recorded.at
    return json.dumps(out, ensure_ascii=False, separators=(",", ":")).encode()


def decode_recorded(data: bytes) -> Recorded:
    """Read the record form. Raises DecodeError."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        raise DecodeError("not JSON", code="event.form") from None
    event = event_from_json(value)
    return Recorded(_typed(value.get("cursor"), int), _typed(value.get("at"), int), event)


_HINTS: dict[type[Any], dict[str, Any]] = {cls: typing.get_type_hints(cls) for cls in _CLASSES.values()}


def _typed(value: Any, hint: Any) -> Any:
    hint = getattr(hint, "__supertype__", hint)
    if typing.get_origin(hint) is types.UnionType or typing.get_origin(hint) is typing.Union:
        if value is None:
            return None
        hint = next(part for part in typing.get_args(hint) if part is not type(None))
        hint = getattr(hint, "__supertype__", hint)
    if typing.get_origin(hint) is dict:
        if not isinstance(value, dict):
            raise DecodeError("field of a wrong type", code="event.field")
        return value
    if typing.get_origin(hint) is tuple:
        if not isinstance(value, list | tuple):
            raise DecodeError("field of a wrong type", code="event.field")
        inner = typing.get_args(hint)[0]
        return tuple(_typed(item, inner) for item in value)
    # bool is an int to isinstance; a number where a truth is meant is a slip worth refusing.
    if type(value) is not hint:
        raise DecodeError("field of a wrong type", code="event.field")
    return value
