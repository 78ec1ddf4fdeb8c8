"""A chat as people see it: each message with its last text, its reactions, what it answers, whether it was deleted.

What is shown follows from the stored messages and what was said about them (thread.py); nothing here is stored.
An edit leaves the first text readable (`original`): a reader may know what was said. A delete leaves nothing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from ..carriage import Medium
from ..codec.file_names import safe_file_name
from ..codec.names import shown_name
from ..ids import ChatName, Instant, MessageId, Number, Peer, chat_name, group_of, peer_name
from ..seam import State
from ..words import text
from .content import (
    Card,
    Carousel,
    Content,
    DeviceReport,
    Emptied,
    File,
    GroupChange,
    Location,
    Reference,
    SuggestionResponse,
    Suggestions,
    Text,
    Unknown,
    read,
)
from .content.suggestions_record import describe_bot
from .events import MessageExpired, MessageFailed
from .history_records import CARD_TYPE, NOTICE_TYPE, Failure, failure_key, name_key
from .limits import EngineLimits
from .outcomes import Outcome, outcome
from .record_values import Message, Status
from .records import PLACE, delivery_key, message_key, thread_key
from .thread import Thread

__all__ = ["MessageView", "Notice", "Quote", "Reacted", "Receipts", "Unread", "describe", "view"]


@dataclass(frozen=True, slots=True)
class Reacted:
    """An emoji that somebody has put on a message."""

    sender: Peer
    mine: bool
    emoji: str


@dataclass(frozen=True, slots=True)
class Quote:
    """What a message answers. `sender` and `text` come from our own store: None when it is not there, or deleted."""

    message_id: MessageId
    sender: Peer | None = None
    text: str | None = field(default=None, repr=False)
    deleted: bool = False
    missing: bool = False


class Receipts(NamedTuple):
    """How many members of a group have a message of ours, and have seen it, of how many it was for."""

    delivered: int
    displayed: int
    members: int


@dataclass(frozen=True, slots=True)
class Notice:
    """What happened at this place of the history: `key` is the kind of event (`security-changed`, `member-added`),
    `values` are its fields."""

    key: str
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Unread:
    """Why there is no message here. `cause` is one of a few words (`other-keys`, `sender-keys`, `damaged`, `not-encrypted`,
    `device`, `content`, `too-large`), `reason` the stable code of the event, `device` what the frame claims, `count` how
    many came one after the other. They need not have been messages: receipts and typing come the same way."""

    cause: str
    reason: str
    device: int
    asked_again: bool
    count: int = 1


@dataclass(frozen=True, slots=True)
class MessageView:
    """One message as it is now. `text` is that of the last edit; None where there is no text, or none any more.

    `content` is None for a deleted message and for the marker of a gap. `edited_at` is the author's clock, None when
    it was never edited; `original` is the first text of one that was.
    """

    order: str
    message_id: MessageId
    sender: Peer
    mine: bool
    encrypted: bool
    status: Status
    sent_at: Instant
    at: Instant
    content_type: str
    text: str | None = field(repr=False)
    content: Content | None = field(default=None, repr=False)
    reply: Quote | None = None
    reactions: tuple[Reacted, ...] = ()
    edited_at: Instant | None = None
    original: str | None = field(default=None, repr=False)
    deleted: bool = False
    medium: Medium = Medium.RCS
    """What carried it."""
    outcome: Outcome | None = None
    """Of a message of ours that failed or expired, for somebody at least: why, and what to do next."""
    superseded_by: str = ""
    """The id of the message that sent this one again, after it had failed."""
    receipts: Receipts | None = None
    """Of a message of ours in a group."""
    notice: Notice | None = None
    """Set for what is no message but a change that happened here; `text` is its event as JSON then."""
    unreadable: Unread | None = None
    """Set where something came that could not be read (`Status.UNREADABLE`)."""


def view(state: State, chat: ChatName, message: Message, me: Number, limits: EngineLimits) -> MessageView:
    """The message as `me` is shown it."""
    if message.content_type in (NOTICE_TYPE, CARD_TYPE):
        return _beside(message)
    thread = state.get(thread_key(chat, message.order)) or Thread()
    content = None if message.status is Status.MISSING else _content(message, limits)
    deleted = bool(thread.deleted) or isinstance(content, Emptied)
    edited = thread.edited if not deleted else None
    text = message.text if edited is None else edited.text
    if edited is not None and isinstance(content, Text):
        content = Text(edited.text, content.reply_to)
    # In a group one member's copy may have failed alone.
    failed = message.mine and (message.status in (Status.FAILED, Status.EXPIRED) or group_of(chat) is not None)
    failure = state.get(failure_key(message.message_id)) if failed else None
    return replace(
        _facts(message),
        text=None if deleted else text,
        content=None if deleted else content,
        reply=_quote(state, chat, message, limits) if message.reply_to and not deleted else None,
        reactions=() if deleted else _reactions(thread, me),
        edited_at=edited.sent_at if edited is not None else None,
        original=message.text if edited is not None else None,
        deleted=deleted,
        outcome=None if failure is None else _outcome(state, chat, message, failure),
        superseded_by=failure.superseded_by if failure is not None else "",
        receipts=_receipts(state, message) if message.mine and group_of(chat) is not None else None,
    )


def _facts(message: Message) -> MessageView:
    """What is stored with the message itself, without its text."""
    return MessageView(
        message.order,
        message.message_id,
        message.sender,
        message.mine,
        message.encrypted,
        message.status,
        message.sent_at,
        message.at,
        message.content_type,
        None,
        medium=message.medium,
    )


def _beside(message: Message) -> MessageView:
    """A divider, or a card: no message."""
    event = json.loads(message.text or "{}")
    values = {name: value for name, value in event.items() if name not in ("kind", "chat", "order")}
    card = message.content_type == CARD_TYPE
    unreadable = notice = None
    if card:
        reason = str(values.get("reason", ""))
        device, count = int(values.get("device", 0)), int(values.get("count", 1))
        unreadable = Unread(_cause(reason), reason, device, bool(values.get("asked_again")), count)
    else:
        notice = Notice(str(event.get("kind", "")), values)
    return replace(_facts(message), text=None if card else message.text, notice=notice, unreadable=unreadable)


def _cause(reason: str) -> str:
    """A few words for the many codes: what a person can do about it is different for these alone."""
    if reason.startswith("content:"):
        return "content"
    return _CAUSES.get(reason, "damaged")


_CAUSES = {
    "no_session": "other-keys",
    "unknown_prekey": "other-keys",
    "identity_changed": "other-keys",
    "other_account": "other-keys",
    "too_far_ahead": "other-keys",
    "no_copy": "other-keys",
    "other_keys": "sender-keys",
    "unknown_device": "device",
    "device_list": "device",
    "no_list": "device",
    "unknown_sender": "device",
    "not_encrypted": "not-encrypted",
    "too_large": "too-large",
    "file-key": "content",
    "bot": "content",
    "group:not-a-member": "device",
}


def _outcome(state: State, chat: ChatName, message: Message, failure: Failure) -> Outcome | None:
    if message.status not in (Status.FAILED, Status.EXPIRED) and not failure.member:
        return None  # a phone that was late has confirmed it after all
    who = failure.member or chat
    event: MessageFailed | MessageExpired = MessageFailed(chat, message.message_id, failure.reason, failure.status)
    if failure.expired:
        event = MessageExpired(chat, message.message_id)
    if group_of(chat_name(who)) is not None:
        return outcome(event, text("outcome.group"))  # what stands in the chat names it; its id names it to nobody
    return outcome(event, shown_name(state.get(name_key(peer_name(who))) or "") or who)


def _receipts(state: State, message: Message) -> Receipts | None:
    delivery = state.get(delivery_key(message.message_id))
    if delivery is None or not delivery.members:
        return None
    delivered = {account for account, _ in delivery.delivered}
    displayed = {account for account, _ in delivery.displayed}
    return Receipts(len(delivered | displayed), len(displayed), delivery.members)


def describe(message: Message, limits: EngineLimits) -> dict[str, Any] | None:
    """What a message is, for its event; None for a text."""
    if not message.entity:
        return None
    match _content(message, limits):
        case Location() as place:
            return {
                "kind": "location",
                "latitude": place.latitude,
                "longitude": place.longitude,
                "label": place.label,
                "radius": place.radius,
            }
        case File(file=file, thumbnail=thumbnail, digest=digest) as content:
            return {
                "kind": "file",
                "name": content.name,
                "save_as": safe_file_name(content.name),
                "media": content.media,
                "duration_ms": content.duration_ms,
                "size": content.size,
                "content_type": content.content_type,
                "url": file.url,
                "until": file.until,
                "digest": digest,
                "thumbnail": thumbnail.url if thumbnail is not None else None,
            }
        case Card() | Carousel() | Suggestions() | SuggestionResponse() | DeviceReport() as content:
            return describe_bot(content)
        case GroupChange():
            return {"kind": "group"}
        case Emptied():
            return {"kind": "deleted"}
        case Unknown() as unknown:
            return {"kind": "unknown", "size": unknown.size, "kept": unknown.body is not None, "reason": unknown.reason}
        case _:
            return None


def _content(message: Message, limits: EngineLimits) -> Content:
    if not message.entity:
        author = Number(message.reply_author) if message.reply_author else None
        reply = Reference(MessageId(message.reply_to), author) if message.reply_to else None
        if message.text is not None:
            return Text(message.text, reply)
        # Stored before the bytes of such content were kept.
        return Unknown(message.content_type, 0, None)
    content = read(message.entity, limits).content
    assert isinstance(content, Content), "receipts and typing are not kept as messages"
    return content


def _reactions(thread: Thread, me: Number) -> tuple[Reacted, ...]:
    shown = sorted((mark for mark in thread.marks if mark.present), key=lambda mark: mark.order)
    return tuple(Reacted(mark.sender, mark.sender == me, mark.emoji) for mark in shown)


def _quote(state: State, chat: ChatName, message: Message, limits: EngineLimits) -> Quote:
    message_id = MessageId(message.reply_to)
    found = []
    for key in state.scan(PLACE, f"{chat}/{message_id}/"):
        place = state.get(key)
        other = state.get(message_key(chat, place.order)) if place is not None else None
        # What the network says in the clear cannot pass for what an encrypted message answers (SR-05).
        if other is not None and other.encrypted is message.encrypted and message.reply_author in ("", other.sender):
            found.append(other)
    if not found:
        return Quote(message_id, missing=True)
    other = min(found, key=lambda item: item.order)
    thread = state.get(thread_key(chat, other.order)) or Thread()
    if thread.deleted or isinstance(_content(other, limits), Emptied):
        return Quote(message_id, other.sender, deleted=True)
    return Quote(message_id, other.sender, thread.edited.text if thread.edited is not None else other.text)
