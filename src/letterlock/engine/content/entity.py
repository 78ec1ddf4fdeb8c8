"""Entities: content as it stands inside the encryption, and as it is kept.

Version 1 is a MIME entity (a text, a receipt, typing). Version 2 has a block of CPIM headers and an empty line before
it, as RCS clients put it inside their ciphertext (rcs.md 1.4, 2.9); it begins with `NS:`, or with the empty line
alone. Four MIME fields are ours: `Letterlock-Sent`, the sender's clock in milliseconds; in the copy for our own
other devices `Letterlock-To`, the name of the chat; in a group `Letterlock-Group`, the heads of its log that the sender
knows, in hexadecimal; in the message of a file of RCC.16, as it is kept, `Letterlock-File-Info`, its keys.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ... import ids
from ...codec import cpim, imdn, iscomposing, mime
from ...codec.cpim import CpimLimits
from ...codec.ft_http import media_type
from ...codec.mime import MimeLimits, MimePart
from ...errors import DecodeError, InputError, LimitExceeded
from ...ids import ChatName, Instant, MessageId, Peer
from ...trust.group_log_entry import EntryId
from ..limits import EngineLimits
from .card import CARD_TYPE, Card, Carousel, read_card
from .changes import Delete, Edit, Emptied, express_delete, express_edit, express_emptied, read_change
from .composing import Typing, read_typing
from .file import (
    FILE_INFO_FIELD,
    FILE_TYPE,
    POINTER_TYPE,
    File,
    FileFormat,
    express_file,
    field_of_keys,
    keyed,
    keys_in_field,
    keys_of,
    read_file,
    read_pointer,
)
from .group import (
    GROUP_TYPE,
    REQUEST_TYPE,
    GroupChange,
    GroupRequest,
    express_group_change,
    read_group_change,
    read_group_request,
)
from .location import LOCATION_TYPE, Location, express_location, read_location
from .parts import LETTERLOCK, RCS, Parts, Read, text_of
from .reaction import Reaction, express_reaction, read_reaction
from .receipt import (
    RECEIPTS_TYPE,
    RESEND_TYPE,
    Receipt,
    Receipts,
    ResendRequest,
    read_receipt,
    read_receipts,
    read_resend_request,
)
from .suggestions import (
    DEVICE_TYPE,
    MULTIPART_TYPE,
    RESPONSE_TYPE,
    SUGGESTIONS_TYPE,
    DeviceReport,
    SuggestionResponse,
    Suggestions,
    express_device,
    express_response,
    read_device,
    read_joined,
    read_response,
    read_suggestions,
)
from .text import TEXT_TYPE, Text, express_text, read_text
from .unknown import Unknown

__all__ = [
    "ENCRYPTED_ONLY",
    "BotContent",
    "Change",
    "Content",
    "Control",
    "Entity",
    "Sendable",
    "ToBot",
    "bounded",
    "encode",
    "encode_text",
    "express",
    "is_sealed_file",
    "names_group",
    "parts_of",
    "read",
    "read_parts",
    "with_chat",
    "with_heads",
    "with_keys",
    "without_chat",
    "without_heads",
]

Change = Reaction | Edit | Delete
"""What acts on another message."""
BotContent = Card | Carousel | Suggestions
"""What chatbots alone send: its `suggestions` can be answered."""
ToBot = SuggestionResponse | DeviceReport
"""What is for chatbots alone."""
Content = Text | File | Location | GroupChange | Change | BotContent | ToBot | Emptied | Unknown
"""What takes a place in the order of a chat."""
Control = Receipt | Receipts | Typing | ResendRequest | GroupRequest
ENCRYPTED_ONLY = frozenset({RECEIPTS_TYPE, RESEND_TYPE, GROUP_TYPE, REQUEST_TYPE})
"""Types that mean something inside the encryption alone, between our own clients."""
Sendable = Text | File | Location | Change | ToBot
"""What a user sends."""

_MAX_HEADERS = 64
_MAX_HEADER_BYTES = 8_192
_HEAD = re.compile(r"[0-9a-f]{64}", re.ASCII)
_CUT = re.compile(rb"\r\nLetterlock-Size: ([0-9]{1,15})\r\n")


@dataclass(frozen=True, slots=True)
class Entity:
    """What was read. `to` is the chat in a copy from another device of ours, else None; `sent_at` is a claim. `heads` are
    those of a group's log, None outside of groups."""

    content: Content | Control
    content_type: str
    sent_at: Instant = 0
    to: ChatName | None = None
    heads: tuple[EntryId, ...] | None = None


# --- writing ---------------------------------------------------------------------------------------------
def express(content: Sendable | GroupChange | Emptied, message_id: MessageId, sender: Peer, now: Instant) -> Parts:
    """Headers, type and body of content that we send."""
    match content:
        case Text():
            return express_text(content)
        case Reaction():
            return express_reaction(content)
        case Edit():
            return express_edit(content)
        case Delete():
            return express_delete(content)
        case Location():
            return express_location(content, message_id, sender, now)
        case File():
            return express_file(content)
        case SuggestionResponse():
            return express_response(content)
        case DeviceReport():
            return express_device(content)
        case GroupChange():
            return express_group_change(content)
        case Emptied():
            return express_emptied(content)


def encode(parts: Parts, sent_at: Instant) -> bytes:
    """An entity."""
    head = f"Content-Type: {parts.content_type}\r\nLetterlock-Sent: {sent_at}\r\n\r\n".encode()
    return b"".join((_block(parts), head, parts.body))


def encode_text(text: str, sent_at: Instant, to: ChatName | None = None) -> bytes:
    """A text that answers nothing, as version 1 wrote it; `to` only in copies for our own devices."""
    head = f"Content-Type: {TEXT_TYPE}\r\nLetterlock-Sent: {sent_at}\r\n"
    if to is not None:
        head += f"Letterlock-To: {to}\r\n"
    return f"{head}\r\n{text}".encode()


def with_chat(entity: bytes, to: ChatName) -> bytes:
    """The copy of an entity of ours for our own other devices."""
    return _with_line(entity, _chat_line(to))


def without_chat(entity: bytes, to: ChatName) -> bytes:
    """The other way: as the peer gets it."""
    return _without_line(entity, _chat_line(to))


def with_heads(entity: bytes, heads: Iterable[EntryId]) -> bytes:
    """The entity as the members of a group get it."""
    return _with_line(entity, _heads_line(heads))


def with_keys(entity: bytes, file: File) -> bytes:
    """The entity of a file as it is kept: with its keys, if it is one of RCC.16."""
    info = keys_of(file)
    return entity if info is None else _with_line(entity, field_of_keys(info))


def is_sealed_file(entity: bytes, limits: EngineLimits) -> bool:
    """Whether a message of ours is an encrypted file."""
    content = read(entity, limits).content if entity else None
    return isinstance(content, File) and content.format is not FileFormat.PLAIN


def names_group(entity: bytes) -> bool:
    """Whether the sender means it for a group."""
    at = _mime_at(entity)
    return at >= 0 and b"Letterlock-Group: " in entity[at : at + _MAX_HEADER_BYTES]


def without_heads(entity: bytes, heads: Iterable[EntryId]) -> bytes:
    """The other way: as it is kept."""
    return _without_line(entity, _heads_line(heads))


def _chat_line(to: ChatName) -> bytes:
    return b"Letterlock-To: " + to.encode() + b"\r\n"


def _heads_line(heads: Iterable[EntryId]) -> bytes:
    return b"Letterlock-Group: " + " ".join(head.hex() for head in heads).encode() + b"\r\n"


def _with_line(entity: bytes, line: bytes) -> bytes:
    at = _mime_at(entity)
    return b"".join((entity[:at], line, entity[at:]))


def _without_line(entity: bytes, line: bytes) -> bytes:
    at = entity.find(line, 0, _MAX_HEADER_BYTES)
    return entity if at < 0 else entity[:at] + entity[at + len(line) :]


def _block(parts: Parts) -> bytes:
    if not parts.headers:
        return b""
    return "".join(f"{header.name}:{header.raw}\r\n" for header in parts.headers).encode() + b"\r\n"


def _mime_at(entity: bytes) -> int:
    """Where the MIME part begins."""
    if entity[:3].upper() == b"NS:":
        return entity.find(b"\r\n\r\n") + 4
    return 2 if entity.startswith(b"\r\n") else 0


# --- what is kept ------------------------------------------------------------------------------------------
def bounded(entity: bytes, limit: int) -> bytes:
    """The entity, or when it is longer than is kept, its type and how long it was."""
    if len(entity) <= limit:
        return entity
    try:
        part = _split(entity, len(entity))[1]
        kind = media_type(part.content_type.media_type)
    except DecodeError:
        kind = "application/octet-stream"
    return f"Content-Type: {kind}\r\nLetterlock-Size: {len(entity)}\r\n\r\n".encode()


def _is_cut(entity: bytes) -> bool:
    """Whether that is all that was kept of it."""
    return _CUT.search(entity, 0, 256) is not None


def parts_of(entity: bytes) -> Parts:
    """An entity of ours as parts again, for a chat that goes on unencrypted by the user's decision."""
    headers, part = _split(entity, len(entity))
    return Parts(part.header("content-type") or TEXT_TYPE, part.content(), headers)


# --- reading -------------------------------------------------------------------------------------------------
def read(body: bytes, limits: EngineLimits) -> Entity:
    """Read an entity. Content of which no sense can be made is Unknown; DecodeError where not even that is certain."""
    headers, part = _split(body, limits.max_frame + _MAX_HEADER_BYTES)
    kind = part.content_type
    to, heads = _to(part), _heads(part, limits)
    found = Read(kind, part.content(), headers)
    if kind.media_type == imdn.MEDIA_TYPE:
        receipt = read_receipt(found.body)
        return Entity(receipt or Unknown(kind.media_type, len(body), None), kind.media_type, 0, to, heads)
    if kind.media_type == iscomposing.MEDIA_TYPE:
        return Entity(read_typing(found.body), kind.media_type, 0, to, heads)
    if kind.media_type == RECEIPTS_TYPE:
        return Entity(read_receipts(found), kind.media_type, 0, to, heads)
    if kind.media_type == RESEND_TYPE:
        return Entity(read_resend_request(found), kind.media_type, 0, to, heads)
    if kind.media_type == REQUEST_TYPE:
        return Entity(read_group_request(found, limits.group), kind.media_type, 0, to, heads)
    content = read_parts(found, limits)
    keys = part.header(FILE_INFO_FIELD)
    if keys is not None and isinstance(content, File):
        content = keyed(content, keys_in_field(keys))
    size = part.header("Letterlock-Size")
    if size is not None and isinstance(content, Unknown) and _is_cut(body):
        content = Unknown(content.content_type, int(size), None)
    return Entity(content, kind.media_type, _sent_at(part), to, heads)


def read_parts(found: Read, limits: EngineLimits) -> Content:
    """The content that these parts are."""
    kind = found.kind.media_type
    try:
        content = _content(found, kind, limits)
    except DecodeError as error:
        return Unknown(kind, len(found.body), found.body, found.headers, error.code)
    if content is not None:
        return content
    text = text_of(found, limits.max_text) if kind == "text/plain" and len(found.body) <= limits.max_text else None
    return Unknown(kind, len(found.body), found.body, found.headers, text=text)


def _content(found: Read, kind: str, limits: EngineLimits) -> Content | None:
    if found.headers:
        changed = read_change(found, limits.max_text) or read_reaction(found, limits.max_emoji)
        if changed is not None:
            return changed
        referring = found.header("Reference-Type", RCS) or found.header("Reference-Type", LETTERLOCK)
        if referring is not None and referring.lower() != "reply":
            # Whatever it does to another message, it is not what its body alone says.
            return None
    if kind == "text/plain":
        return read_text(found, limits.max_text)
    if kind == LOCATION_TYPE:
        return read_location(found, limits.max_label)
    if kind == FILE_TYPE:
        return read_file(found)
    if kind == POINTER_TYPE:
        return read_pointer(found)
    if kind == MULTIPART_TYPE:
        return read_joined(found, lambda inner: _content(inner, inner.kind.media_type, limits))
    reader = _OF_BOTS.get(kind)
    if reader is not None:
        return reader(found)
    return read_group_change(found) if kind == GROUP_TYPE else None


_OF_BOTS: dict[str, Callable[[Read], BotContent | ToBot]] = {
    CARD_TYPE: read_card,
    SUGGESTIONS_TYPE: read_suggestions,
    RESPONSE_TYPE: read_response,
    DEVICE_TYPE: read_device,
}


def _split(body: bytes, max_size: int) -> tuple[tuple[cpim.CpimHeader, ...], MimePart]:
    """The CPIM headers, and the MIME part behind them."""
    if body[:3].upper() == b"NS:":
        message = cpim.decode_cpim(body, CpimLimits(max_size, _MAX_HEADERS, _MAX_HEADER_BYTES))
        return message.headers, message.content
    limits = MimeLimits(max_size, _MAX_HEADERS, _MAX_HEADER_BYTES, max_depth=0, max_parts=0)
    return (), mime.decode_part(body[2:] if body.startswith(b"\r\n") else body, limits)


def _sent_at(part: MimePart) -> Instant:
    value = part.header("Letterlock-Sent") or "0"
    # A claim for people to read; a wrong one must not cost the message.
    return int(value) if value.isascii() and value.isdigit() and len(value) <= 15 else 0


def _heads(part: MimePart, limits: EngineLimits) -> tuple[EntryId, ...] | None:
    value = part.header("Letterlock-Group")
    if value is None:
        return None
    words = value.split()
    if len(words) > limits.group.max_parents:
        raise LimitExceeded("more heads than a log's entry names", code="content.heads")
    if not all(_HEAD.fullmatch(word) for word in words):
        raise DecodeError("Letterlock-Group does not hold hashes", code="content.heads")
    return tuple(bytes.fromhex(word) for word in words)


def _to(part: MimePart) -> ChatName | None:
    value = part.header("Letterlock-To")
    if value is None:
        return None
    try:
        return ids.chat_name(value)
    except InputError:
        raise DecodeError("Letterlock-To is no chat", code="content.to") from None
