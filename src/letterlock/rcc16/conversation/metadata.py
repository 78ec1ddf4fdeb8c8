"""A group's subject, encrypted (rcc16.md 7.5): set, received, given to who comes in.

A commit replaces the commitment in the GroupContext; the key travels beside it as a message of the epoch after it, and
to members who come in later as a message of whoever let them in. The focus gets ciphertext and commitment, never the
key (our choice also in v3.0). The ciphertext comes with the key as well, in a header of our own namespace: so a member
need not wait for what the conference says, and what is shown never depends on the focus.

Our own message cannot be read by ourselves: what we set is applied when the commit is accepted.
"""

from __future__ import annotations

import base64
import binascii

from ...codec.mime import MimePart, decode_part, encode
from ...conversation_seam import MetadataChanged, Packet, PacketHeader
from ...errors import LetterlockError
from ...ids import Number
from ...mls.group.group import Group
from ...mls.wire.extensions import Extension
from ..metadata import Slot, check_commitment, context_changes, open_subject, seal_subject, welcome_extensions
from ..wire.content_types import APPLICATION, FILE_INFO
from ..wire.control import MetadataChange
from ..wire.extensions import commitment_of, merge
from ..wire.file_info import (
    FileInfo,
    decode_file_info,
    decode_file_metadata,
    encode_file_info,
    encode_file_metadata,
)
from ..wire.message_ids import new_message_id
from ..wire.packet_headers import application_headers, find_header
from ..wire.secret_payload import Content, SecretPayload, encode_content, encode_secret_payload
from .committing import change_context
from .encrypting import encrypted
from .pins import broken
from .records import Kind, Metadata
from .step import Work

__all__ = ["apply_own", "inside_welcome", "is_delivery", "keep_known", "push_keys", "set_subject", "take_delivery"]

_CIPHERTEXT = "Encrypted-Subject"


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
        delivery=encode_secret_payload(SecretPayload(0, _content(work, kept))),
    )


def apply_own(work: Work) -> None:
    """Our change was accepted."""
    subject = work.chat.next_subject
    text = "" if subject is None else subject.text
    # The user may have wished for another one since this was sent.
    wish = work.chat.subject_wish
    work.update(subject=subject, next_subject=None, subject_wish=None if wish == text else wish)
    work.notices.append(MetadataChanged(work.conversation, work.core.number, text, None))


def inside_welcome(work: Work) -> tuple[Extension, ...]:
    """Where only new members read: F003, F005 and F010 in the GroupInfo that a Welcome encrypts."""
    subject = work.chat.subject
    return welcome_extensions(
        None if subject is None else decode_file_metadata(subject.key), None, work.chat.continuity
    )


def keep_known(work: Work, group: Group) -> None:
    """A subject whose commitment the group no longer has is no longer its subject."""
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


def push_keys(work: Work) -> None:
    """Somebody came in, or came back: give them the keys (v3.0: unconditionally; rcc16.md 7.5)."""
    group, held, subject = work.group(), work.chat.group, work.chat.subject
    if group is None or held is None or subject is None or list(group.proposals()) or group.pending is not None:
        return
    if broken(work, work.chat.members):
        return  # nothing goes to another key than the one that was compared
    message_id = new_message_id(work.rng)
    body = encrypted(work, group, held.era, message_id, _content(work, subject))
    headers = application_headers(held.era, work.chat.authenticator)
    work.packets.append(Packet(work.conversation, None, message_id, APPLICATION, headers, body))


def is_delivery(work: Work, content: Content) -> bool:
    """Whether a message is keys and not a letter."""
    try:
        kind = decode_part(content.entity, work.core.settings.content.mime()).content_type
    except LetterlockError:
        return False
    return kind.media_type == FILE_INFO and _ciphertext(work, content) is not None


def take_delivery(work: Work, group: Group, content: Content, by: Number) -> None:
    """Keys of a member. They count only if the group committed to them; nothing is told otherwise (rcc16.md 7.5)."""
    try:
        info = decode_file_info(decode_part(content.entity, work.core.settings.content.mime()).body)
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


def _content(work: Work, subject: Metadata) -> bytes:
    """FileInfo as a MIME part, with the ciphertext in a header of ours (rcc16.md 7.3)."""
    info = encode_file_info(FileInfo(subject=decode_file_metadata(subject.key)))
    namespace = work.core.settings.choices.own_namespace
    header = PacketHeader(namespace, _CIPHERTEXT, base64.b64encode(subject.ciphertext).decode())
    return encode_content((header,), encode(MimePart.of(FILE_INFO, info, disposition="attachment")))


def _ciphertext(work: Work, content: Content) -> bytes | None:
    text = find_header(content.headers, _CIPHERTEXT, work.core.settings.choices.own_namespace)
    if text is None:
        return None
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
