"""A subject and an icon as other clients give them: the conference describes what was encrypted, the key comes by itself
(rcc16.md 2.6, 7.5).

The key stands in the GroupInfo that a Welcome encrypts (F003, F005), in a FileInfo of a member or, as deployed v3.0
clients have it, in the GroupContext, where the focus reads it as well. Whichever of the two comes first waits for the other:
of keys four of each are kept, of the description the latest. What is shown is what the group has committed to; a focus can
describe something else, and then nothing is shown. An icon that a member has given us keeps the address that it named.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from typing import Final

from ...conversation_seam import MetadataChanged
from ...errors import DecodeError, LetterlockError
from ...mls.group.group import Group
from ...mls.wire.extensions import Extension
from ..metadata import Slot, check_icon, open_subject
from ..wire.extensions import opaque_value
from ..wire.file_info import FileMetadata, decode_file_metadata, encode_file_metadata
from ..wire.icon_pointer import IconPointer, check_icon_url, decode_icon_pointer, encode_icon_pointer
from .chat import Metadata
from .step import Work
from .strangers import may_begin

__all__ = ["describe", "file_keys", "keys_in", "show_described"]

_KEPT: Final = 4
_KEY: Final = 32


def keys_in(extensions: Iterable[Extension]) -> tuple[FileMetadata, ...]:
    """F003 and F005. What cannot be read is left out, and so is a bare key, which opens nothing without its IV and tag."""
    kept, found = tuple(extensions), []
    for slot in Slot:
        try:
            value = opaque_value(kept, slot.key_extension)
            if value is not None and len(value) != _KEY:
                found.append(decode_file_metadata(value))
        except DecodeError:
            continue
    return tuple(found)


def file_keys(work: Work, keys: Iterable[FileMetadata | None]) -> None:
    """Keep these for what may be described by them. Whether they count is looked at when something is shown."""
    filed = list(work.chat.keys)
    for metadata in keys:
        if metadata is not None and metadata.name in {slot.value for slot in Slot}:
            entry = encode_file_metadata(metadata)
            filed = [each for each in filed if each != entry] + [entry]
    kept: list[bytes] = []
    for slot in Slot:
        kept += [each for each in filed if decode_file_metadata(each).name == slot.value][-_KEPT:]
    if tuple(kept) != work.chat.keys:
        work.update(keys=tuple(kept))


def describe(work: Work, subject: str | None, icon: str | None) -> None:
    """What the conference says: the subject's ciphertext in base64, the icon's address. None: nothing; empty: that it was
    deleted, which we learn from the group's own commits."""
    if work.is_pair or not may_begin(work):
        return  # often it is told before the Welcome has come
    try:
        sealed = base64.b64decode(subject, validate=True) if subject else b""
    except (binascii.Error, ValueError):
        sealed = b""
    if 0 < len(sealed) <= 2 * work.core.settings.max_subject_bytes:
        work.update(described_subject=sealed)
    try:
        url = check_icon_url(icon) if icon else ""
    except DecodeError:
        url = ""
    if url:
        work.update(described_icon=url)
    group = work.group()
    if group is not None:
        show_described(work, group)


def show_described(work: Work, group: Group) -> None:
    """Open what is described with the keys that there are; nothing happens if none of them is the group's."""
    if not (work.chat.described_subject or work.chat.described_icon):
        return
    extensions = group.state.extensions
    for metadata in (*keys_in(extensions), *map(decode_file_metadata, work.chat.keys)):
        if metadata.name == Slot.SUBJECT.value:
            _subject(work, metadata, extensions)
        else:
            _icon(work, metadata, extensions)


def _subject(work: Work, metadata: FileMetadata, extensions: tuple[Extension, ...]) -> None:
    key, settings = encode_file_metadata(metadata), work.core.settings
    if work.chat.subject is not None and work.chat.subject.key == key:
        return
    try:
        text = open_subject(
            metadata,
            work.chat.described_subject,
            extensions,
            crypto=work.core.crypto,
            max_bytes=settings.max_subject_bytes,
        )
    except LetterlockError:
        return
    work.update(subject=Metadata(key, work.chat.described_subject, text, work.now))
    work.notices.append(MetadataChanged(work.conversation, None, text, None))


def _icon(work: Work, metadata: FileMetadata, extensions: tuple[Extension, ...]) -> None:
    url, icon = work.chat.described_icon, work.chat.icon
    if not url or (icon and decode_icon_pointer(icon).metadata == metadata):
        return
    try:
        check_icon(metadata, extensions, max_bytes=work.core.settings.max_icon_bytes)
    except LetterlockError:
        return
    pointer = encode_icon_pointer(IconPointer(url, metadata))
    work.update(icon=pointer)
    work.notices.append(MetadataChanged(work.conversation, None, None, pointer))
