"""The stored form of frames that wait, and of what went wrong."""

from __future__ import annotations

import struct

from ...carriage import Inbound
from ...codec import tls
from ...ids import GroupId, MessageId, Number
from ..record_values import Parked, Trouble
from .basics import read_text, text

__all__ = ["decode_parked", "decode_trouble", "encode_parked", "encode_trouble"]


def encode_parked(parked: Parked) -> bytes:
    inbound = parked.inbound
    return b"".join(
        (
            struct.pack(">QQ", parked.at | (inbound.group is not None) << 63, inbound.received_at),
            inbound.group or b"",
            text(inbound.sender or ""),
            text(inbound.recipient),
            text(inbound.message_id),
            text(inbound.content_type),
            inbound.body,
        )
    )


def decode_parked(data: bytes) -> Parked:
    reader = tls.Reader(data)
    at, received_at = reader.u64(), reader.u64()
    group = GroupId(reader.take(16)) if at >> 63 else None
    sender, recipient, message_id, content_type = (read_text(reader) for _ in range(4))
    return Parked(
        Inbound(
            Number(sender) if sender else None,
            Number(recipient),
            MessageId(message_id),
            content_type,
            reader.rest(),
            received_at,
            group=group,
        ),
        at & ((1 << 63) - 1),
    )


_TROUBLE = struct.Struct(">QIQIIQ")


def encode_trouble(trouble: Trouble) -> bytes:
    counters = (trouble.hour, trouble.unreadable, trouble.total, trouble.requests, trouble.resends, trouble.reset_at)
    return _TROUBLE.pack(*counters) + b"".join(trouble.recent)


def decode_trouble(data: bytes) -> Trouble:
    hour, unreadable, total, requests, resends, reset_at = _TROUBLE.unpack(data[: _TROUBLE.size])
    recent = data[_TROUBLE.size :]
    digests = tuple(recent[at : at + 8] for at in range(0, len(recent), 8))
    return Trouble(hour, unreadable, total, requests, resends, digests, reset_at)
