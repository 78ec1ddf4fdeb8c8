"""Records that follow from the history: what a list of chats shows, what failed and why, names, dividers and cards.

All but names are written where a turn ends (derived.py), from what the turn has stored and told.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from ..codec import tls
from ..ids import ChatName, Instant, MessageId
from ..seam import SEARCH, Key, RecordKind
from .record_forms import decode_message, encode_message
from .record_forms.basics import read_text, text
from .record_values import Message

__all__ = [
    "ASIDE",
    "ASIDES",
    "CARD_TYPE",
    "FAILURE",
    "NAME",
    "NOTICE_TYPE",
    "SUMMARY",
    "Asides",
    "Failure",
    "Summary",
    "aside_key",
    "asides_key",
    "failure_key",
    "name_key",
    "search_key",
    "summary_key",
]


NOTICE_TYPE = "application/vnd.letterlock.group-notice+json"
"""An item of the history that is no message: `text` is the event in its JSON form."""

CARD_TYPE = "application/vnd.letterlock.unreadable+json"
"""Stands where something could not be read: `text` is the event in its JSON form."""


@dataclass(frozen=True, slots=True)
class Summary:
    """Of one chat: the place of its newest message (no gap), when something came last, how many were not seen."""

    last: str = ""
    at: Instant = 0
    unread: int = 0


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a message of ours failed, as its event said; and the id of the one that sent it again."""

    reason: str = ""
    status: int = 0
    expired: bool = False
    member: str = ""
    superseded_by: str = ""


@dataclass(frozen=True, slots=True)
class Asides:
    """What stands between the messages of a chat: dividers and cards, oldest first, so that they can be bounded (SR-08).

    `shown` is the state that the last divider named. A card has the id that the frame claimed.
    """

    shown: str = ""
    dividers: tuple[str, ...] = ()
    cards: tuple[tuple[str, str], ...] = ()


_SUMMARY = struct.Struct(">QI")


def _encode_summary(value: Summary) -> bytes:
    return _SUMMARY.pack(value.at, value.unread) + value.last.encode()


def _decode_summary(data: bytes) -> Summary:
    return Summary(data[_SUMMARY.size :].decode(), *_SUMMARY.unpack(data[: _SUMMARY.size]))


def _encode_failure(value: Failure) -> bytes:
    return b"".join(
        (
            tls.u8(value.expired),
            tls.varint(value.status),
            text(value.reason),
            text(value.member),
            text(value.superseded_by),
        )
    )


def _decode_failure(data: bytes) -> Failure:
    reader = tls.Reader(data)
    expired, status = bool(reader.u8()), reader.varint()
    reason, member, superseded = (read_text(reader) for _ in range(3))
    reader.end()
    return Failure(reason, status, expired, member, superseded)


def _encode_asides(value: Asides) -> bytes:
    out = [text(value.shown), tls.varint(len(value.dividers)), *map(text, value.dividers)]
    out += [text(part) for card in value.cards for part in card]
    return b"".join(out)


def _decode_asides(data: bytes) -> Asides:
    reader = tls.Reader(data)
    shown = read_text(reader)
    dividers = tuple(read_text(reader) for _ in range(reader.varint()))
    cards = []
    while reader.more():
        cards.append((read_text(reader), read_text(reader)))
    return Asides(shown, dividers, tuple(cards))


SUMMARY: RecordKind[Summary] = RecordKind("summary", _encode_summary, _decode_summary)
FAILURE: RecordKind[Failure] = RecordKind("failure", _encode_failure, _decode_failure)
NAME: RecordKind[str] = RecordKind("name", str.encode, bytes.decode)
ASIDES: RecordKind[Asides] = RecordKind("asides", _encode_asides, _decode_asides)
ASIDE: RecordKind[Message] = RecordKind("aside", encode_message, decode_message)


def summary_key(chat: ChatName) -> Key[Summary]:
    return Key(SUMMARY, f"summary/{chat}")


def failure_key(message_id: MessageId) -> Key[Failure]:
    return Key(FAILURE, f"failure/{message_id}")


def name_key(chat: ChatName) -> Key[str]:
    return Key(NAME, f"name/{chat}")


def asides_key(chat: ChatName) -> Key[Asides]:
    return Key(ASIDES, f"asides/{chat}")


def aside_key(chat: ChatName, order: str) -> Key[Message]:
    return Key(ASIDE, f"aside/{chat}/{order}")


def search_key(chat: ChatName, order: str) -> Key[str]:
    return Key(SEARCH, f"search/{chat}/{order}")
