"""Edits and deletes, in our own namespace: RCS has them, and its values are not known (rcs.md 2.9).

`Emptied` stands in the place of content whose text is gone: what was deleted, or an edit that a later one has
replaced. It is sent only when a device asks again for what it could not read, so that its place does not stay empty.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ...codec.cpim import CpimHeader
from ...errors import DecodeError
from ...ids import MessageId
from .parts import LETTERLOCK, Parts, Read, letterlock_headers, text_of
from .text import TEXT_TYPE

__all__ = [
    "DELETED_NOTICE",
    "Delete",
    "Edit",
    "Emptied",
    "express_delete",
    "express_edit",
    "express_emptied",
    "read_change",
]

DELETED_NOTICE = "(a message was deleted)"
"""What a client in an unencrypted chat shows that does not know deletes."""


@dataclass(frozen=True, slots=True)
class Edit:
    """Another text for a message of the same author."""

    target: MessageId
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Delete:
    """A message of the same author is taken back: its text is removed wherever this is read."""

    target: MessageId


@dataclass(frozen=True, slots=True)
class Emptied:
    """Nothing, in the place of a message (to be shown as deleted) or of a change (not to be shown at all)."""

    change: bool


def express_edit(edit: Edit) -> Parts:
    return Parts(TEXT_TYPE, edit.text.encode(), _headers("Edit", edit.target))


def express_delete(delete: Delete) -> Parts:
    return Parts(TEXT_TYPE, DELETED_NOTICE.encode(), _headers("Delete", delete.target))


def express_emptied(emptied: Emptied) -> Parts:
    return Parts(TEXT_TYPE, b"", letterlock_headers(("Emptied", "change" if emptied.change else "message")))


def read_change(read: Read, max_text: int) -> Edit | Delete | Emptied | None:
    """The change, None when this is none. Raises DecodeError."""
    emptied = read.header("Emptied", LETTERLOCK)
    if emptied is not None:
        return Emptied(emptied.lower() == "change")
    kind = (read.header("Reference-Type", LETTERLOCK) or "").lower()
    if kind == "delete":
        return Delete(read.reference("Reference-ID", LETTERLOCK).message_id)
    if kind != "edit":
        return None
    text = text_of(read, max_text)
    if not text or read.kind.media_type != "text/plain":
        raise DecodeError("an edit without a text", code="content.text_empty")
    return Edit(read.reference("Reference-ID", LETTERLOCK).message_id, text)


def _headers(kind: str, target: MessageId) -> tuple[CpimHeader, ...]:
    return letterlock_headers(("Reference-ID", target), ("Reference-Type", kind))
