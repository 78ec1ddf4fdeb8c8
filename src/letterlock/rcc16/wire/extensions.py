"""The extensions of RCC.16 (rcc16.md 2.1, 2.5): numbers, framing, and the list of a GroupContext as it changes.

Inside `extension_data` F001 and F002 are bare, F007 is bare in v3.0 and `opaque<V>` in v4.0, all others are `opaque<V>`.
A wrong framing changes the hash of the GroupContext and every authenticator after it, so extensions of others are
copied byte for byte: `merge` touches only what it is told to.

Read tolerantly: a commitment may be bare (32, 48 or 64 bytes), a continuity token too (32); F011 may not, and of F007
presence is all that counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from ...codec.tls import Reader, opaque, u32
from ...errors import DecodeError, InputError
from ...mls.wire.extensions import Extension, find_extension
from ..choices import Revision
from .control import EndReason, decode_end_metadata, encode_end_metadata

__all__ = [
    "CONTINUITY_COMMITMENT",
    "CONTINUITY_TOKEN",
    "END_MLS",
    "ERA",
    "EXTENSION_NAMES",
    "ICON_COMMITMENT",
    "ICON_KEY",
    "METADATA_KEYS_REQUESTED",
    "SUBJECT_COMMITMENT",
    "SUBJECT_KEY",
    "TESTING_EXPIRY",
    "Advance",
    "EndMls",
    "commitment_of",
    "continuity_commitment_of",
    "continuity_token_of",
    "end_mls_extension",
    "end_mls_of",
    "era_extension",
    "era_of",
    "merge",
    "metadata_keys_request_extension",
    "metadata_keys_requested",
    "next_era",
    "opaque_extension",
    "opaque_value",
]

ERA: Final = 0xF001
END_MLS: Final = 0xF002
ICON_KEY: Final = 0xF003
ICON_COMMITMENT: Final = 0xF004
SUBJECT_KEY: Final = 0xF005
SUBJECT_COMMITMENT: Final = 0xF006
METADATA_KEYS_REQUESTED: Final = 0xF007
CONTINUITY_TOKEN: Final = 0xF010
CONTINUITY_COMMITMENT: Final = 0xF011
TESTING_EXPIRY: Final = 0xE000
"""A test hook of Google: advertised, never sent."""

EXTENSION_NAMES: Final[Mapping[int, str]] = {
    ERA: "era",
    END_MLS: "end_mls",
    ICON_KEY: "icon_key",
    ICON_COMMITMENT: "icon_commitment",
    SUBJECT_KEY: "subject_key",
    SUBJECT_COMMITMENT: "subject_commitment",
    METADATA_KEYS_REQUESTED: "group_metadata_keys_requested",
    CONTINUITY_TOKEN: "continuity_token",
    CONTINUITY_COMMITMENT: "continuity_token_commitment",
    TESTING_EXPIRY: "testing_expiry_override",
}

_MAX_ERA: Final = 0xFFFF_FFFF
_TOKEN: Final = 32
_END_TEXT: Final = b"end_mls"
_REQUEST_TEXT: Final = b"group_metadata_keys_requested"
_BARE_COMMITMENTS: Final = (32, 48, 64)


# --- era -----------------------------------------------------------------------------------------------------
def era_extension(era: int) -> Extension:
    """Raises InputError for an era that no group has; an era never wraps."""
    if not 1 <= era <= _MAX_ERA:
        raise InputError(f"there is no era {era}", code="rcc16.input.era")
    return Extension(ERA, u32(era))


def era_of(extensions: Iterable[Extension]) -> int:
    """The era of a GroupContext, 0 if it has none. Raises DecodeError."""
    data = find_extension(extensions, ERA)
    if data is None:
        return 0
    reader = Reader(data)
    era = reader.u32()
    reader.end()
    if era == 0:
        raise DecodeError("era 0 is no era", code="rcc16.era")
    return era


# --- end_mls -------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class EndMls:
    """The group runs unencrypted. `text` is what stands there in v3.0, where a reason has no number."""

    reason: EndReason
    text: str = ""


def end_mls_extension(reason: EndReason, revision: Revision) -> Extension:
    """v3.0 writes the seven letters `end_mls` and no reason; v4.0 the reason."""
    return Extension(END_MLS, _END_TEXT if revision is Revision.V3 else encode_end_metadata(reason))


def end_mls_of(extensions: Iterable[Extension]) -> EndMls | None:
    """None if the group is encrypted. Its presence is the meaning: whatever stands in it, the group has ended."""
    data = find_extension(extensions, END_MLS)
    if data is None:
        return None
    try:
        return EndMls(decode_end_metadata(data))
    except DecodeError:
        return EndMls(EndReason.UNSET, data[:64].decode("ascii", "replace"))


# --- keys, commitments, continuity -----------------------------------------------------------------------------
def opaque_extension(kind: int, value: bytes) -> Extension:
    """One whose data is `opaque<V>`: all but ERA, END_MLS and METADATA_KEYS_REQUESTED."""
    return Extension(kind, opaque(value))


def opaque_value(extensions: Iterable[Extension], kind: int) -> bytes | None:
    """What is inside the `opaque<V>` of that type. Raises DecodeError."""
    data = find_extension(extensions, kind)
    return None if data is None else _unframed(data)


def commitment_of(extensions: Iterable[Extension], kind: int) -> bytes | None:
    """ICON_COMMITMENT or SUBJECT_COMMITMENT, framed or bare. Raises DecodeError."""
    data = find_extension(extensions, kind)
    if data is None:
        return None
    # A digest of 32 bytes behind its length has 33, so the lengths tell the forms apart.
    value = data if len(data) in _BARE_COMMITMENTS else _unframed(data)
    if len(value) not in _BARE_COMMITMENTS:
        raise DecodeError("a commitment of another length", code="rcc16.commitment")
    return value


def continuity_token_of(extensions: Iterable[Extension]) -> bytes | None:
    """The token in the GroupInfo of a Welcome, framed or bare. Raises DecodeError."""
    data = find_extension(extensions, CONTINUITY_TOKEN)
    if data is None:
        return None
    value = data if len(data) == _TOKEN else _unframed(data)
    if len(value) != _TOKEN:
        raise DecodeError("a continuity token of another length", code="rcc16.continuity")
    return value


def continuity_commitment_of(extensions: Iterable[Extension]) -> bytes | None:
    """The commitment in a published GroupInfo, never bare. Raises DecodeError."""
    value = opaque_value(extensions, CONTINUITY_COMMITMENT)
    if value is not None and len(value) != _TOKEN:
        raise DecodeError("a continuity commitment of another length", code="rcc16.continuity")
    return value


def metadata_keys_request_extension(revision: Revision) -> Extension:
    """29 letters; behind their length in v4.0."""
    return Extension(METADATA_KEYS_REQUESTED, _REQUEST_TEXT if revision is Revision.V3 else opaque(_REQUEST_TEXT))


def metadata_keys_requested(extensions: Iterable[Extension]) -> bool:
    """Its presence is the flag; one peer writes it empty."""
    return find_extension(extensions, METADATA_KEYS_REQUESTED) is not None


def _unframed(data: bytes) -> bytes:
    reader = Reader(data)
    value = reader.vector()
    reader.end()
    return value


# --- the list as it changes --------------------------------------------------------------------------------------
def merge(extensions: Iterable[Extension], changes: Mapping[int, Extension | None]) -> tuple[Extension, ...]:
    """The full list for a GroupContextExtensions commit: what `changes` names is replaced in its place, taken out
    (None) or appended; everything else stays byte for byte, known or not."""
    merged: list[Extension] = []
    left = dict(changes)
    for extension in extensions:
        if extension.extension_type not in left:
            merged.append(extension)
        elif (replacement := left.pop(extension.extension_type)) is not None:
            merged.append(replacement)
    merged.extend(extension for extension in left.values() if extension is not None)
    return tuple(merged)


class Advance(Enum):
    """Why a new era is made (rcc16.md 5.7): what becomes of end_mls."""

    NORMAL = 0
    """Copied."""
    REVIVAL = 1
    """Dropped."""
    PHOENIX = 2
    """Installed."""


def next_era(
    extensions: Iterable[Extension], era: int, kind: Advance, *, end_mls: Extension | None = None
) -> tuple[Extension, ...]:
    """The GroupContext extensions of the group of the era `era`: all that the old one has, but era and end_mls.

    PHOENIX needs `end_mls`. Raises InputError.
    """
    changes: dict[int, Extension | None] = {ERA: era_extension(era)}
    if kind is Advance.REVIVAL:
        changes[END_MLS] = None
    elif kind is Advance.PHOENIX:
        if end_mls is None:
            raise InputError("a group that is born ended says so", code="rcc16.input.end_mls")
        changes[END_MLS] = end_mls
    return merge(extensions, changes)
