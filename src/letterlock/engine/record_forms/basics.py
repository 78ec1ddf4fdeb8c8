"""What all stored forms are made of."""

from __future__ import annotations

import struct

from ...codec import tls
from ...errors import DecodeError
from ...ids import BotAddress, ChatName, GroupName, Number

__all__ = ["U64", "read_blob", "read_chat", "read_text", "text"]

U64 = struct.Struct(">Q")


def text(value: str) -> bytes:
    return tls.opaque(value.encode())


def read_text(reader: tls.Reader) -> str:
    try:
        return reader.opaque(1 << 29).decode()
    except UnicodeDecodeError:
        raise DecodeError("text in a record is not UTF-8", code="record.text") from None


def read_chat(reader: tls.Reader) -> ChatName:
    value = read_text(reader)
    if value.startswith("sip:"):
        return BotAddress(value)
    return Number(value) if value.startswith("+") else GroupName(value)


def read_blob(reader: tls.Reader) -> bytes:
    return reader.opaque(1 << 29)
