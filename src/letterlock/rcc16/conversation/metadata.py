"""A group's subject and icon, encrypted (rcc16.md 7.5): set, received, given to who comes in.

A commit replaces the commitment in the GroupContext; the key travels beside it as a message of the epoch after it, and
to members who come in later as a message of whoever let them in. The focus gets ciphertext and commitment, never the
key (our choice also in v3.0). The ciphertext comes with the key as well, in a header of our own namespace: so a member
need not wait for what the conference says, and what is shown never depends on the focus. Of an icon it is the address
of the ciphertext: fetching and opening it is the client's, with the key that this module has checked.

Our own message cannot be read by ourselves: what we set is applied when the commit is accepted.
"""

from __future__ import annotations

import base64
import binascii

from ...codec.mime import MimePart, decode_part, encode
from ...conversation_seam import MetadataChanged, Packet, PacketHeader
from ...errors import DecodeError, InputError, LetterlockError
from ...ids import Number
from ...mls.group.group import Group
from ...mls.wire.extensions import Extension
from ..metadata import (
    Slot,
    check_commitment,
    check_icon,
    context_changes,
    open_subject,
    seal_subject,
    welcome_extensions,
)
from ..wire.content_types import APPLICATION, FILE_INFO
from ..wire.control import MetadataChange, MetadataKeys, decode_metadata_keys, encode_metadata_keys
from ..wire.extensions import commitment_of, merge
from ..wire.file_info import (
    FileInfo,
    decode_file_info,
    decode_file_metadata,
    encode_file_info,
    encode_file_metadata,
)
from ..wire.icon_pointer import IconPointer, check_icon_url, decode_icon_pointer, encode_icon_pointer
from ..wire.message_ids import new_message_id
from ..wire.packet_headers import application_headers, find_header
from ..wire.secret_payload import Content, SecretPayload, encode_content, encode_secret_payload
from .chat import Kind, Metadata
from .committing import change_context
from .described import file_keys, show_described
from .encrypting import encrypted
from .pins import broken
from .step import Work

__all__ = [
    "apply_own",
    "apply_own_icon",
    "check_wished_icon",
    "inside_welcome",
    "is_delivery",
    "keep_known",
    "key_delivery",
    "push_keys",
    "set_icon",
    "set_subject",
    "take_delivery",
]

_CIPHERTEXT = "Encrypted-Subject"
_ICON_URL = "Encrypted-Icon"


def set_subject(work: Work) -> None:
    """The wished subject is next."""
    group, wish = work.group(), work.chat.subject_wish
    if group is None or wish is None:
        return
    settings = work.core.settings
    if not wish:
        changes = context_changes(Slot.SUBJECT, None, settings.choices)
        work.update(next_subject=None)
        change_context(
            work, Kind.METADATA, merge(group.state.extensions, changes), metadata=MetadataChange(delete_subject=True)
        )
        return
    sealed = seal_subject(wish, crypto=work.core.crypto, rng=work.rng)
    changes = context_changes(Slot.SUBJECT, sealed.metadata, settings.choices)
    kept = Metadata(encode_file_metadata(sealed.metadata), sealed.ciphertext, wish, work.now)
    work.update(next_subject=kept)
    change_context(
        work,
        Kind.METADATA,
        merge(group.state.extensions, changes),
        metadata=MetadataChange(encrypted_subject=sealed.ciphertext),
        delivery=encode_secret_payload(SecretPayload(0, _content(work, kept, work.chat.icon))),
    )


def set_icon(work: Work) -> None:
    """The wished icon is next."""
    group, wish = work.group(), work.chat.icon_wish
    if group is None or wish is None:
        return
    pointer = decode_icon_pointer(wish) if wish else None
    changes = context_changes(Slot.ICON, None if pointer is None else pointer.metadata, work.core.settings.choices)
    extensions = merge(group.state.extensions, changes)
    if pointer is None:
        change_context(work, Kind.ICON, extensions, metadata=MetadataChange(delete_icon=True))
        return
    change_context(
        work,
        Kind.ICON,
        extensions,
        metadata=MetadataChange(encrypted_icon_url=pointer.url),
        delivery=encode_secret_payload(SecretPayload(0, _content(work, work.chat.subject, wish))),
    )


def check_wished_icon(icon: bytes, max_bytes: int) -> None:
    """Raises InputError for an icon that nobody would show."""
    try:
        metadata = decode_icon_pointer(icon).metadata
    except DecodeError:
        raise InputError("not an encrypted icon", code="rcc16.input.icon") from None
    if metadata.name != Slot.ICON.value or not 0 < metadata.encryption.length_hint <= max_bytes:
        raise InputError("not an encrypted icon, or one that is too large", code="rcc16.input.icon")


def apply_own(work: Work) -> None:
    """Our change was accepted."""
    subject = work.chat.next_subject
    text = "" if subject is None else subject.text
    # The user may have wished for another one since this was sent.
    wish = work.chat.subject_wish
    work.update(subject=subject, next_subject=None, subject_wish=None if wish == text else wish)
    work.notices.append(MetadataChanged(work.conversation, work.core.number, text, None))


def apply_own_icon(work: Work) -> None:
    """Our change was accepted."""
    group, wish = work.group(), work.chat.icon_wish
    if group is None or wish is None:
        return
    if wish:
        try:
            check_commitment(Slot.ICON, decode_icon_pointer(wish).metadata, group.state.extensions)
        except LetterlockError:
            return  # the user has wished for another one since this was sent
    elif commitment_of(group.state.extensions, Slot.ICON.commitment_extension) is not None:
        return
    work.update(icon=wish, icon_wish=None)
    work.notices.append(MetadataChanged(work.conversation, work.core.number, None, wish))


def inside_welcome(work: Work) -> tuple[Extension, ...]:
    """Where only new members read: F003, F005 and F010 in the GroupInfo that a Welcome encrypts."""
    subject, icon = work.chat.subject, work.chat.icon
    return welcome_extensions(
        None if subject is None else decode_file_metadata(subject.key),
        decode_icon_pointer(icon).metadata if icon else None,
        work.chat.continuity,
    )


def keep_known(work: Work, group: Group) -> None:
    """A subject or icon whose commitment the group no longer has is no longer its own."""
    _keep_icon(work, group)
    subject = work.chat.subject
    if subject is None:
        return
    try:
        there = commitment_of(group.state.extensions, Slot.SUBJECT.commitment_extension)
        if there is not None:
            check_commitment(Slot.SUBJECT, decode_file_metadata(subject.key), group.state.extensions)
            return
    except LetterlockError:
        there = b""
    work.update(subject=None)
    if there is None:
        work.notices.append(MetadataChanged(work.conversation, None, "", None))


def _keep_icon(work: Work, group: Group) -> None:
    icon = work.chat.icon
    if not icon:
        return
    try:
        there = commitment_of(group.state.extensions, Slot.ICON.commitment_extension)
        if there is not None:
            check_commitment(Slot.ICON, decode_icon_pointer(icon).metadata, group.state.extensions)
            return
    except LetterlockError:
        there = b""
    work.update(icon=b"")
    if there is None:
        work.notices.append(MetadataChanged(work.conversation, None, None, b""))


def push_keys(work: Work) -> None:
    """Somebody came in, or came back: give them the keys (v3.0: unconditionally; rcc16.md 7.5)."""
    group, held, subject, icon = work.group(), work.chat.group, work.chat.subject, work.chat.icon
    if group is None or held is None or (subject is None and not icon):
        return
    if list(group.proposals()) or group.pending is not None:
        return
    if broken(work, work.chat.members):
        return  # nothing goes to another key than the one that was compared
    message_id = new_message_id(work.rng)
    body = encrypted(work, group, held.era, message_id, _content(work, subject, icon))
    headers = application_headers(held.era, work.chat.authenticator)
    work.packets.append(Packet(work.conversation, None, message_id, APPLICATION, headers, body))


def key_delivery(work: Work) -> bytes:
    """Both keys and the token, as v4.0 answers who asked for them: GroupMetadataKeys (7.13.4)."""
    headers, info = _parts(work, work.chat.subject, work.chat.icon)
    body = encode_metadata_keys(MetadataKeys(work.chat.continuity, info))
    part = MimePart.of(work.core.settings.choices.metadata_keys_type, body, disposition="attachment")
    return encode_secret_payload(SecretPayload(0, encode_content(headers, encode(part))))


def is_delivery(work: Work, content: Content) -> bool:
    """Whether a message is keys and not a letter."""
    try:
        kind = decode_part(content.entity, work.core.settings.content.mime()).content_type
    except LetterlockError:
        return False
    if kind.media_type == FILE_INFO:
        return _is_of_group(work, content)
    return kind.media_type == work.core.settings.choices.metadata_keys_type


def _is_of_group(work: Work, content: Content) -> bool:
    """Whether a FileInfo is of subject and icon, and not of a file that somebody sends."""
    try:
        info = decode_file_info(decode_part(content.entity, work.core.settings.content.mime()).body)
    except LetterlockError:
        return False
    return info.file is None and (info.subject is not None or info.icon is not None)


def take_delivery(work: Work, group: Group, content: Content, by: Number) -> None:
    """Keys of a member. They count only if the group committed to them; nothing is told otherwise (rcc16.md 7.5)."""
    try:
        part = decode_part(content.entity, work.core.settings.content.mime())
        if part.content_type.media_type == FILE_INFO:
            info = decode_file_info(part.body)
        else:
            keys = decode_metadata_keys(part.body)
            info = keys.keys
            if keys.continuity_token and not work.chat.continuity:
                work.update(continuity=keys.continuity_token)
    except LetterlockError:
        return
    _take_icon(work, group, content, info, by)
    _take_subject(work, group, content, info, by)
    # Without an address or a ciphertext beside them, as other clients send them: the conference has it (2.6).
    file_keys(work, (info.subject, info.icon))
    show_described(work, group)


def _take_subject(work: Work, group: Group, content: Content, info: FileInfo, by: Number) -> None:
    try:
        ciphertext = _ciphertext(work, content)
        if info.subject is None or ciphertext is None:
            return
        text = open_subject(
            info.subject,
            ciphertext,
            group.state.extensions,
            crypto=work.core.crypto,
            max_bytes=work.core.settings.max_subject_bytes,
        )
    except LetterlockError:
        return
    if work.chat.subject is not None and work.chat.subject.text == text:
        return
    work.update(subject=Metadata(encode_file_metadata(info.subject), ciphertext, text, work.now))
    work.notices.append(MetadataChanged(work.conversation, by, text, None))


def _take_icon(work: Work, group: Group, content: Content, info: FileInfo, by: Number) -> None:
    url = find_header(content.headers, _ICON_URL, work.core.settings.choices.own_namespace)
    if info.icon is None or url is None:
        return
    try:
        check_icon(info.icon, group.state.extensions, max_bytes=work.core.settings.max_icon_bytes)
        icon = encode_icon_pointer(IconPointer(check_icon_url(url), info.icon))
    except LetterlockError:
        return
    if icon != work.chat.icon:
        work.update(icon=icon)
        work.notices.append(MetadataChanged(work.conversation, by, None, icon))


def _content(work: Work, subject: Metadata | None, icon: bytes) -> bytes:
    """FileInfo with both entries as a MIME part (rcc16.md 7.3, 7.5)."""
    headers, info = _parts(work, subject, icon)
    return encode_content(headers, encode(MimePart.of(FILE_INFO, encode_file_info(info), disposition="attachment")))


def _parts(work: Work, subject: Metadata | None, icon: bytes) -> tuple[tuple[PacketHeader, ...], FileInfo]:
    """The keys, and in headers of ours the subject's ciphertext and the icon's address."""
    namespace = work.core.settings.choices.own_namespace
    pointer = decode_icon_pointer(icon) if icon else None
    info = FileInfo(
        subject=None if subject is None else decode_file_metadata(subject.key),
        icon=None if pointer is None else pointer.metadata,
    )
    headers = []
    if subject is not None:
        headers.append(PacketHeader(namespace, _CIPHERTEXT, base64.b64encode(subject.ciphertext).decode()))
    if pointer is not None:
        headers.append(PacketHeader(namespace, _ICON_URL, pointer.url))
    return tuple(headers), info


def _ciphertext(work: Work, content: Content) -> bytes | None:
    text = find_header(content.headers, _CIPHERTEXT, work.core.settings.choices.own_namespace)
    if text is None:
        return None
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
