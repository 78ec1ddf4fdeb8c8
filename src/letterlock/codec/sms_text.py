"""A text as one or several short messages, and back (3GPP TS 23.038, TS 23.040 section 9.2.3.24).

What fits the GSM alphabet goes by it, everything else in UTF-16, which is what phones mean by UCS-2. A part never ends
between the halves of a surrogate pair or of an escaped character.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass

from . import gsm7

__all__ = ["Coding", "Parts", "coding_of", "decode", "parts_needed", "split"]

_OCTETS = 140
_SEPTETS = 160
_HEADER_OCTETS = 6
_HIGH = range(0xD8, 0xDC)


class Coding(enum.IntEnum):
    """The data_coding of SMPP that we write."""

    GSM = 0
    LATIN_1 = 3
    UTF_16 = 8
    BINARY = 4
    """No text: a ring tone, a configuration."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What to send: the octets of each short message without its header."""

    coding: Coding
    parts: tuple[bytes, ...]


def split(text: str, *, wide_reference: bool) -> Parts:
    """The parts of a text; `wide_reference`: their header holds a reference of 16 bits, and is an octet longer."""
    header = _HEADER_OCTETS + wide_reference
    octets = gsm7.encode(text)
    if octets is not None:
        return Parts(Coding.GSM, _cut(octets, _SEPTETS, (_OCTETS - header) * 8 // 7, _ends_in_escape))
    # A lone surrogate cannot be written; nothing that was checked as text has one.
    octets = text.encode("utf-16-be", "replace")
    return Parts(Coding.UTF_16, _cut(octets, _OCTETS, (_OCTETS - header) // 2 * 2, _ends_in_half))


def parts_needed(text: str) -> int:
    """How many short messages a text takes at most."""
    return len(split(text, wide_reference=True).parts)


def decode(data: bytes, coding: Coding) -> str:
    """The text of whole octets; what they do not say shows as the replacement character."""
    match coding:
        case Coding.GSM:
            return gsm7.decode(data)
        case Coding.UTF_16:
            return data.decode("utf-16-be", "replace")
        case _:
            return data.decode("latin-1")


def coding_of(data_coding: int, default: Coding) -> Coding:
    """What a data_coding means (SMPP 3.4 section 5.2.19, TS 23.038 section 4); `default` is that of the SMSC."""
    if data_coding in _NAMED:
        return _NAMED[data_coding]
    if data_coding & 0xF0 == 0xF0:  # with a message class
        return Coding.BINARY if data_coding & 4 else Coding.GSM
    if 0x10 <= data_coding < 0x40:
        return (Coding.GSM, Coding.BINARY, Coding.UTF_16, default)[data_coding >> 2 & 3]
    return default


_NAMED = {1: Coding.LATIN_1, 2: Coding.BINARY, 3: Coding.LATIN_1, 4: Coding.BINARY, 8: Coding.UTF_16}


def _cut(octets: bytes, whole: int, room: int, torn: Callable[[bytes], int]) -> tuple[bytes, ...]:
    if len(octets) <= whole:
        return (octets,)
    parts, at = [], 0
    while at < len(octets):
        end = min(at + room, len(octets))
        if end < len(octets):
            end -= torn(octets[at:end])
        parts.append(octets[at:end])
        at = end
    return tuple(parts)


def _ends_in_escape(octets: bytes) -> int:
    """1 if the last septet is the escape of the next; an escaped character is never itself an escape."""
    return int(octets[-1] == gsm7.ESCAPE)


def _ends_in_half(octets: bytes) -> int:
    """2 if the last unit is the first half of a pair."""
    return 2 * (octets[-2] in _HIGH)
