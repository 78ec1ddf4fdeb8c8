"""The picture of a group by RCC.16: a file whose key only its members have (rcc16.md 7.5)."""

from __future__ import annotations

import hashlib

from ...errors import DecodeError, InputError
from ...ids import GroupName
from ...rcc16.files import ciphertext_length, describe
from ...rcc16.wire.icon_pointer import IconPointer, decode_icon_pointer, encode_icon_pointer
from ...seam import State
from ..content import File
from .records import membership_key

__all__ = ["address_of", "digest_of", "icon_of", "pointer_of"]


def pointer_of(file: File) -> bytes:
    """What the protocol is given of an encrypted picture. Raises InputError for one that is not encrypted."""
    if file.sealed is None:
        raise InputError("the picture of such a group is encrypted", code="input.group_icon")
    return encode_icon_pointer(IconPointer(file.file.url, file.sealed))


def icon_of(state: State, name: GroupName) -> File | None:
    """The picture that the members have given the group, to be fetched; None without one."""
    group = state.get(membership_key(name))
    pointer = _read(group.icon) if group is not None else None
    if pointer is None:
        return None
    size = ciphertext_length(pointer.metadata.encryption.length_hint)
    return File(describe(size, pointer.url, None), sealed=pointer.metadata)


def address_of(icon: bytes) -> str:
    """Where its ciphertext lies."""
    pointer = _read(icon)
    return "" if pointer is None else pointer.url


def digest_of(icon: bytes) -> bytes:
    """What tells it from another one."""
    return hashlib.sha256(icon).digest() if icon else b""


def _read(icon: bytes) -> IconPointer | None:
    try:
        return decode_icon_pointer(icon) if icon else None
    except DecodeError:
        return None  # of a protocol that has another form for it
