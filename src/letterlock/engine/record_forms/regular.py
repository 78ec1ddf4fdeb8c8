"""The stored form of regular work and of the event log's bounds."""

from __future__ import annotations

import struct

from ...codec import tls
from ..record_values import EventLog, Upkeep
from .basics import U64, read_blob, read_text, text

__all__ = ["decode_log", "decode_upkeep", "encode_log", "encode_upkeep"]


def encode_upkeep(upkeep: Upkeep) -> bytes:
    out = [struct.pack(">QQB", upkeep.prune_at, upkeep.self_check_at, len(upkeep.protocols))]
    out.extend(text(name) + U64.pack(at) for name, at in upkeep.protocols)
    out.append(tls.u8(len(upkeep.publishing)))
    out.extend(
        text(name) + tls.opaque(payload) + struct.pack(">IQ", attempts, at)
        for name, payload, attempts, at in upkeep.publishing
    )
    return b"".join(out)


def decode_upkeep(data: bytes) -> Upkeep:
    reader = tls.Reader(data)
    prune_at, self_check_at = reader.u64(), reader.u64()
    protocols = tuple((read_text(reader), reader.u64()) for _ in range(reader.u8()))
    publishing = tuple((read_text(reader), read_blob(reader), reader.u32(), reader.u64()) for _ in range(reader.u8()))
    reader.end()
    return Upkeep(protocols, prune_at, self_check_at, publishing)


def encode_log(log: EventLog) -> bytes:
    return struct.pack(">QQ", log.first, log.next)


def decode_log(data: bytes) -> EventLog:
    reader = tls.Reader(data)
    log = EventLog(reader.u64(), reader.u64())
    reader.end()
    return log
