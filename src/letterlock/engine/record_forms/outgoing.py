"""The stored form of what is on its way, waits for keys or is looked up."""

from __future__ import annotations

import struct

from ...carriage import Medium
from ...codec import tls
from ...ids import AccountId, DeviceId, MessageId, Number
from ..record_values import Fetch, Row, Task, Waiting
from .basics import read_blob, read_chat, read_text, text

__all__ = ["decode_fetch", "decode_row", "decode_waiting", "encode_fetch", "encode_row", "encode_waiting"]

_ROW = struct.Struct(">BQQQI16s")


def encode_row(row: Row) -> bytes:
    return b"".join(
        (
            _ROW.pack(
                row.accepted | bool(row.headers) << 1 | row.medium << 2,
                row.created,
                row.expires,
                row.next_at,
                row.attempts,
                row.account,
            ),
            text(row.chat),
            text(row.to),
            text(row.message_id),
            text(row.order),
            text(row.content_type),
            tls.opaque(bytes(row.pending)),
            _headers(row.headers),
            row.body,
        )
    )


def decode_row(data: bytes) -> Row:
    flags, created, expires, next_at, attempts, account = _ROW.unpack(data[: _ROW.size])
    reader = tls.Reader(data[_ROW.size :])
    chat = read_chat(reader)
    to, message_id, order, content_type = (read_text(reader) for _ in range(4))
    pending = tuple(DeviceId(n) for n in read_blob(reader))
    headers: tuple[tuple[str, str], ...] = ()
    if flags & 2:
        headers = tuple((read_text(reader), read_text(reader)) for _ in range(reader.varint()))
    return Row(
        chat,
        Number(to),
        AccountId(account),
        MessageId(message_id),
        order,
        content_type,
        reader.rest(),
        pending,
        created,
        expires,
        attempts,
        next_at,
        bool(flags & 1),
        headers,
        Medium(flags >> 2 & 1),
    )


def _headers(headers: tuple[tuple[str, str], ...]) -> bytes:
    if not headers:
        return b""
    return tls.varint(len(headers)) + b"".join(text(name) + text(value) for name, value in headers)


def encode_waiting(waiting: Waiting) -> bytes:
    return b"".join(
        (
            struct.pack(
                ">BB16sQQ",
                waiting.task,
                waiting.device | waiting.only_encrypted << 7,  # devices are 1 to 127
                waiting.account,
                waiting.created,
                waiting.expires,
            ),
            text(waiting.message_id),
            text(waiting.order),
        )
    )


def decode_waiting(data: bytes) -> Waiting:
    reader = tls.Reader(data)
    task, device, account = Task(reader.u8()), reader.u8(), AccountId(reader.take(16))
    created, expires = reader.u64(), reader.u64()
    message_id, order = read_text(reader), read_text(reader)
    reader.end()
    return Waiting(task, MessageId(message_id), order, account, device & 0x7F, created, expires, device > 0x7F)


def encode_fetch(fetch: Fetch) -> bytes:
    return (
        fetch.account
        + struct.pack(">BIIQQ", fetch.device, fetch.since_serial, fetch.attempts, fetch.started, fetch.next_at)
        + fetch.number.encode()
    )


def decode_fetch(data: bytes) -> Fetch:
    reader = tls.Reader(data)
    account, device, since, attempts = AccountId(reader.take(16)), reader.u8(), reader.u32(), reader.u32()
    started, next_at = reader.u64(), reader.u64()
    return Fetch(Number(reader.rest().decode()), account, device, since, attempts, started, next_at)
