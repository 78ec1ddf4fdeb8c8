"""The wire log: every byte of every connection, as it went over the socket and as it was after TLS.

Format, append-only, all integers big-endian:

    file    = "LLWIRE1\\n" *record
    record  = kind(1) connection(u32) time(u64, ms since 1970) length(u32) payload(length)
    kind    = "O" opened   payload: text `tcp|tls peer-host:port`
              "C" closed   payload: text, why
              "r" / "s"    bytes received from / sent to the socket
              "R" / "S"    the same after / before TLS; only on TLS connections

A record that breaks off (the process was killed while it wrote) ends the log.
"""

from __future__ import annotations

import enum
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import DecodeError
from ..ids import Instant

__all__ = ["Layer", "Record", "Stream", "WireLog", "WireLogTail", "WireLogWriter", "read_wire_log"]

_MAGIC = b"LLWIRE1\n"
_HEADER = struct.Struct(">cIQI")


class Layer(enum.Enum):
    """Where bytes were seen."""

    SOCKET = "socket"
    AFTER_TLS = "after TLS"


@dataclass(frozen=True, slots=True)
class Record:
    """One entry of the log."""

    kind: str
    connection: int
    at: Instant
    payload: bytes


@dataclass(frozen=True, slots=True)
class Stream:
    """All bytes of one connection in one direction at one layer, put together again."""

    connection: int
    received: bool
    layer: Layer
    data: bytes


@dataclass(frozen=True, slots=True)
class WireLog:
    """A log that was read."""

    records: tuple[Record, ...]

    def streams(self) -> tuple[Stream, ...]:
        """What went over each connection, so that no split between packets hides anything."""
        found: dict[tuple[int, str], list[bytes]] = {}
        for record in self.records:
            if record.kind in "rsRS":
                found.setdefault((record.connection, record.kind), []).append(record.payload)
        return tuple(
            Stream(connection, kind in "rR", Layer.AFTER_TLS if kind in "RS" else Layer.SOCKET, b"".join(pieces))
            for (connection, kind), pieces in found.items()
        )

    def visible(self) -> tuple[Stream, ...]:
        """What the carrier could read: after TLS where there was TLS, else the socket."""
        streams = self.streams()
        hidden = {stream.connection for stream in streams if stream.layer is Layer.AFTER_TLS}
        return tuple(stream for stream in streams if stream.layer is Layer.AFTER_TLS or stream.connection not in hidden)


class WireLogWriter:
    """Appends; each record is in the file when the call returns, so that a kill loses none before it."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._file = Path(path).open("ab", buffering=0)  # noqa: SIM115 - held open as long as the carrier runs
        if self._file.tell() == 0:
            self._file.write(_MAGIC)

    def write(self, kind: str, connection: int, at: Instant, payload: bytes | bytearray | memoryview) -> None:
        self._file.write(b"".join((_HEADER.pack(kind.encode("ascii"), connection, at, len(payload)), payload)))

    def close(self) -> None:
        self._file.close()


class WireLogTail:
    """Reads a log while it is written: each call gives the records that are new and whole."""

    def __init__(self, path: str | os.PathLike[str], most_bytes: int) -> None:
        """`most_bytes` bounds what one call reads anew."""
        self._file = Path(path).open("rb")  # noqa: SIM115 - read on from where it is
        self._most = most_bytes
        self._rest = b""
        self._begun = False

    def read(self) -> list[Record]:
        """What came since the last call. Raises DecodeError when the file is no log."""
        data = self._rest + self._file.read(self._most)
        if not self._begun:
            if len(data) < len(_MAGIC):
                self._rest = data
                return []
            if not data.startswith(_MAGIC):
                raise DecodeError("not a wire log", code="wirelog.magic")
            data, self._begun = data[len(_MAGIC) :], True
        records = list(_records(data, 0))
        self._rest = data[sum(_HEADER.size + len(record.payload) for record in records) :]
        return records

    def close(self) -> None:
        self._file.close()


def read_wire_log(path: str | os.PathLike[str]) -> WireLog:
    """Read a log. Raises DecodeError when the file is none."""
    data = Path(path).read_bytes()
    if not data.startswith(_MAGIC):
        raise DecodeError("not a wire log", code="wirelog.magic")
    return WireLog(tuple(_records(data, len(_MAGIC))))


def _records(data: bytes, at: int) -> Iterator[Record]:
    while at + _HEADER.size <= len(data):
        kind, connection, when, length = _HEADER.unpack_from(data, at)
        at += _HEADER.size
        if kind not in b"OCrsRS" or kind == b"":
            raise DecodeError("unknown record in the wire log", code="wirelog.record")
        if at + length > len(data):
            return
        yield Record(kind.decode("ascii"), connection, when, data[at : at + length])
        at += length
