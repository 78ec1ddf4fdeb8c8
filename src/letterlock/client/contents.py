"""Content and messages as JSON, for the line between the owner of a profile and other processes of the same user."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from .. import ids
from ..carriage import Medium
from ..codec.chatbot import model
from ..codec.chatbot.record import from_record, to_record
from ..codec.cpim import CpimHeader
from ..codec.ft_http import RemoteFile
from ..engine.content import (
    Card,
    Carousel,
    Content,
    Delete,
    DeviceReport,
    Edit,
    Emptied,
    File,
    GroupChange,
    Location,
    Reaction,
    Reference,
    SuggestionResponse,
    Suggestions,
    Text,
    Unknown,
)
from ..engine.outcomes import Outcome
from ..engine.record_values import Status
from ..engine.view import MessageView, Notice, Quote, Reacted, Receipts, Unread
from ..files.pointer import FilePointer
from ..ids import MessageId
from ..rcc16.wire.file_info import FileMetadata, decode_file_metadata, encode_file_metadata
from .files.records import pointer_from_json, pointer_to_json

__all__ = [
    "content_from_json",
    "content_to_json",
    "message_from_json",
    "message_to_json",
    "metadata_from_json",
    "metadata_to_json",
]

_KINDS: dict[str, type[Any]] = {
    "text": Text,
    "reaction": Reaction,
    "edit": Edit,
    "delete": Delete,
    "location": Location,
    "file": File,
    "group": GroupChange,
    "emptied": Emptied,
    "unknown": Unknown,
    "card": Card,
    "carousel": Carousel,
    "suggestions": Suggestions,
    "suggestion-response": SuggestionResponse,
    "device-report": DeviceReport,
}
_NAMES = {cls: name for name, cls in _KINDS.items()}


def content_to_json(content: Content) -> dict[str, Any]:
    """`{"kind": "text", ...fields}`."""
    return {"kind": _NAMES[type(content)], **_plain(content)}


def content_from_json(value: Any) -> Any:
    """The other way. Raises KeyError, TypeError, ValueError or InputError for what is none."""
    fields = dict(value)
    cls = _KINDS[fields.pop("kind")]
    return cls(**{name: _FIELDS[name](given) if name in _FIELDS else given for name, given in fields.items()})


def message_to_json(message: MessageView) -> dict[str, Any]:
    out = {field.name: _plain(getattr(message, field.name)) for field in dataclasses.fields(message)}
    out["status"] = message.status.name
    out["content"] = None if message.content is None else content_to_json(message.content)
    return out


def message_from_json(value: Any) -> MessageView:
    fields = dict(value)
    fields["status"] = Status[fields["status"]]
    fields["medium"] = Medium(fields["medium"])
    fields["content"] = None if fields["content"] is None else content_from_json(fields["content"])
    fields["reply"] = None if fields["reply"] is None else Quote(**fields["reply"])
    fields["reactions"] = tuple(Reacted(**mark) for mark in fields["reactions"])
    fields["receipts"] = None if fields["receipts"] is None else Receipts(*fields["receipts"])
    for name, cls in (("outcome", Outcome), ("notice", Notice), ("unreadable", Unread)):
        fields[name] = None if fields[name] is None else cls(**fields[name])
    return MessageView(**fields)


def _plain(value: Any) -> Any:
    if type(value).__module__ == model.__name__:
        return to_record(value)
    if isinstance(value, Suggestions) and value.beside is not None:
        return {"chips": _plain(value.chips), "beside": content_to_json(value.beside)}
    if isinstance(value, FileMetadata):
        return metadata_to_json(value)
    if isinstance(value, FilePointer):
        return pointer_to_json(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, bytes):
        return value.hex()
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _target(value: Any) -> Reference | MessageId | None:
    """A reference; of an edit or a delete, which can only be of one's own messages, the id alone."""
    if isinstance(value, dict):
        author = value["author"]
        return Reference(ids.message_id(value["message_id"]), None if author is None else ids.peer_name(author))
    return None if value is None else ids.message_id(value)


def _bytes(value: Any) -> bytes | None:
    return None if value is None else bytes.fromhex(value)


def _remote_file(value: Any) -> RemoteFile | None:
    return None if value is None else RemoteFile(**value)


def _metadata(value: Any) -> FileMetadata | None:
    return None if value is None else metadata_from_json(value)


def metadata_to_json(metadata: FileMetadata) -> str:
    """The keys of a file, for the same user's other processes."""
    return encode_file_metadata(metadata).hex()


def metadata_from_json(value: Any) -> FileMetadata:
    """The other way. Raises DecodeError, ValueError or TypeError for what is none."""
    return decode_file_metadata(bytes.fromhex(value))


_FIELDS: dict[str, Callable[[Any], Any]] = {
    "pointer": lambda value: None if value is None else pointer_from_json(value),
    "sealed": _metadata,
    "sealed_thumbnail": _metadata,
    "target": _target,
    "reply_to": _target,
    "file": _remote_file,
    "thumbnail": _remote_file,
    "headers": lambda value: tuple(CpimHeader(**header) for header in value),
    "body": _bytes,
    "entries": _bytes,
    "card": from_record,
    "carousel": from_record,
    "device": from_record,
    "chips": lambda value: tuple(from_record(each) for each in value),
    "beside": lambda value: None if value is None else content_from_json(value),
}
