"""A group's subject and icon: encrypted as files, bound to the group by commitments (Annex C.1, rcc16.md 7.4 and 7.5).

What servers see is ciphertext and, in the GroupContext, a commitment to its key (v3.0) or to its tag (v4.0). The keys
travel in messages, and to new members in the GroupInfo that a Welcome encrypts. Deployed v3.0 clients put the key into
the GroupContext, where every server reads it: we do not (`Choices.metadata_keys_with`), and understand it of others.

A subject or icon is shown only if the commitment of the key that came for it is the one in the group.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from enum import Enum
from typing import Final

from ..codec.tls import opaque
from ..crypto.provider import CryptoProvider
from ..errors import DecodeError, InputError
from ..ids import Rng
from ..mls.wire.extensions import Extension
from .choices import Choices, Revision, SharedWith
from .files import SealedFile, open_file, seal_file
from .rules import rule
from .wire.extensions import (
    CONTINUITY_COMMITMENT,
    CONTINUITY_TOKEN,
    ICON_COMMITMENT,
    ICON_KEY,
    SUBJECT_COMMITMENT,
    SUBJECT_KEY,
    commitment_of,
    opaque_extension,
)
from .wire.file_info import FileMetadata, encode_file_metadata

__all__ = [
    "Slot",
    "check_commitment",
    "check_icon",
    "commitment",
    "context_changes",
    "continuity_commitment",
    "continuity_commitment_extension",
    "open_subject",
    "seal_subject",
    "welcome_extensions",
]

_COMMITMENT = rule(
    "RCC-C.1-01", "RCC.16 C.1 (rcc16.md 7.5)", "the commitment of a key is the one in the group", module=__name__
)
_NAME = rule("RCC-C.1-02", "RCC.16 C.2 (rcc16.md 7.2)", "a subject or icon has its fixed name", module=__name__)
_TEXT = rule("RCC-C.1-03", "RCC.16 7.13 (rcc16.md 7.5)", "a subject is UTF-8 and not empty", module=__name__)
_ICON = rule(
    "RCC-C.1-04", "RCC.16 7.13 (rcc16.md 7.5)", "an icon says its size, is not empty and not too large", module=__name__
)

_CONTINUITY_LABEL: Final = b"MLS 1.0 Continuity Token GroupInfo Commitment"


class Slot(Enum):
    """The two things that a group shows of itself; the value is the fixed file name, which goes into the keys."""

    SUBJECT = "group_subject"
    ICON = "group_icon"

    @property
    def key_extension(self) -> int:
        return SUBJECT_KEY if self is Slot.SUBJECT else ICON_KEY

    @property
    def commitment_extension(self) -> int:
        return SUBJECT_COMMITMENT if self is Slot.SUBJECT else ICON_COMMITMENT


_V3_LABELS: Final = {Slot.SUBJECT: b"subject_commitment", Slot.ICON: b"icon_commitment"}


# --- commitments ---------------------------------------------------------------------------------------------
def commitment(slot: Slot, metadata: FileMetadata, revision: Revision) -> bytes:
    """SHA-256 over label and value, each behind its length: in v3.0 the key, in v4.0 the tag."""
    sealed = metadata.encryption
    if revision is Revision.V3:
        label, value = _V3_LABELS[slot], sealed.key_material
    else:
        label, value = slot.value.encode(), sealed.tag
    return hashlib.sha256(opaque(label) + opaque(value)).digest()


def check_commitment(slot: Slot, metadata: FileMetadata, extensions: Iterable[Extension]) -> None:
    """The key is the one that the group committed to, in the form of either revision.

    Raises InvalidRcc16, DecodeError. A key that does not pass is neither used nor forwarded.
    """
    if metadata.name != slot.value:
        _NAME.fail("a subject or icon under another name")
    there = commitment_of(extensions, slot.commitment_extension)
    if there is None or not any(hmac.compare_digest(there, commitment(slot, metadata, one)) for one in Revision):
        _COMMITMENT.fail("the key is not the one that the group committed to")


def context_changes(slot: Slot, metadata: FileMetadata | None, choices: Choices) -> dict[int, Extension | None]:
    """What `extensions.merge` does to the GroupContext for a new subject or icon; None takes it away."""
    if metadata is None:
        return {slot.commitment_extension: None, slot.key_extension: None}
    digest = commitment(slot, metadata, choices.revision)
    changes: dict[int, Extension | None] = {
        slot.commitment_extension: opaque_extension(slot.commitment_extension, digest)
    }
    # An older key that somebody left in the GroupContext is out of date now, and never was for servers.
    changes[slot.key_extension] = (
        _key_extension(slot, metadata) if choices.metadata_keys_with is SharedWith.SERVERS else None
    )
    return changes


# --- keys ----------------------------------------------------------------------------------------------------
def welcome_extensions(
    subject: FileMetadata | None, icon: FileMetadata | None, continuity_token: bytes
) -> tuple[Extension, ...]:
    """For `CommitOptions.group_info_extensions`: what only new members may read."""
    kept = ((Slot.SUBJECT, subject), (Slot.ICON, icon))
    keys = tuple(_key_extension(slot, metadata) for slot, metadata in kept if metadata is not None)
    token = (opaque_extension(CONTINUITY_TOKEN, continuity_token),) if continuity_token else ()
    return (*keys, *token)


def _key_extension(slot: Slot, metadata: FileMetadata) -> Extension:
    # Our choice: the content of the extension is not sourced beyond `opaque<V>`.
    return opaque_extension(slot.key_extension, encode_file_metadata(metadata))


# --- subject and icon ------------------------------------------------------------------------------------------
def seal_subject(subject: str, *, crypto: CryptoProvider, rng: Rng) -> SealedFile:
    """Raises InputError for an empty one: that is a deletion."""
    if not subject:
        raise InputError("an empty subject is deleted, not encrypted", code="rcc16.input.subject")
    return seal_file(subject.encode(), Slot.SUBJECT.value, "text/plain", crypto=crypto, rng=rng)


def open_subject(
    metadata: FileMetadata,
    ciphertext: bytes,
    extensions: Iterable[Extension],
    *,
    crypto: CryptoProvider,
    max_bytes: int,
) -> str:
    """The subject, if the group committed to its key. Raises InvalidRcc16, DecodeError, LimitExceeded."""
    check_commitment(Slot.SUBJECT, metadata, extensions)
    content = open_file(metadata, ciphertext, crypto=crypto, max_bytes=max_bytes)
    text = content.decode("utf-8", "replace")
    if not text or text.encode() != content:
        _TEXT.fail("a subject that is no text")
    return text


def check_icon(metadata: FileMetadata, extensions: Iterable[Extension], *, max_bytes: int) -> None:
    """The group committed to this icon's key, and its size is known before it is fetched (SR-08).

    Raises InvalidRcc16, DecodeError. Opened it is as any file is: its ciphertext lies at a content server.
    """
    check_commitment(Slot.ICON, metadata, extensions)
    if not 0 < metadata.encryption.length_hint <= max_bytes:
        _ICON.fail(f"an icon of {metadata.encryption.length_hint} bytes")


# --- continuity ----------------------------------------------------------------------------------------------
def continuity_commitment(token: bytes, epoch_authenticator: bytes) -> bytes:
    """F011 (rcs.md 1.2): that whoever published a GroupInfo knows the token. Raises DecodeError for another length."""
    if len(token) != 32:
        raise DecodeError("a continuity token of another length", code="rcc16.continuity")
    value = opaque(token) + opaque(epoch_authenticator)
    return hashlib.sha256(opaque(_CONTINUITY_LABEL) + opaque(value)).digest()


def continuity_commitment_extension(token: bytes, epoch_authenticator: bytes) -> Extension:
    """For the GroupInfo that is published."""
    return opaque_extension(CONTINUITY_COMMITMENT, continuity_commitment(token, epoch_authenticator))
