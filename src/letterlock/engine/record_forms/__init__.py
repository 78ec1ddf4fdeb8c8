"""The stored form of the engine's records: compact, because a busy device writes a few of them for every message.

A form that changes stays readable: what is new stands behind a flag that old records do not have, or the record gets a
new kind. `decode_*` raise DecodeError (or struct.error, for a record that is shorter than its fixed part) on damaged
records only: the store has authenticated every byte.
"""

from __future__ import annotations

from .chats import decode_chat, decode_contact, encode_chat, encode_contact
from .incoming import decode_parked, decode_trouble, encode_parked, encode_trouble
from .messages import (
    decode_delivery,
    decode_inbox,
    decode_message,
    decode_place,
    decode_thread,
    encode_delivery,
    encode_inbox,
    encode_message,
    encode_place,
    encode_thread,
)
from .outgoing import decode_fetch, decode_row, decode_waiting, encode_fetch, encode_row, encode_waiting
from .regular import decode_log, decode_upkeep, encode_log, encode_upkeep

__all__ = [
    "decode_chat",
    "decode_contact",
    "decode_delivery",
    "decode_fetch",
    "decode_inbox",
    "decode_log",
    "decode_message",
    "decode_parked",
    "decode_place",
    "decode_row",
    "decode_thread",
    "decode_trouble",
    "decode_upkeep",
    "decode_waiting",
    "encode_chat",
    "encode_contact",
    "encode_delivery",
    "encode_fetch",
    "encode_inbox",
    "encode_log",
    "encode_message",
    "encode_parked",
    "encode_place",
    "encode_row",
    "encode_thread",
    "encode_trouble",
    "encode_upkeep",
    "encode_waiting",
]
