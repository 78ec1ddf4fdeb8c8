"""MSRP messages out of a wire log: the bodies of chunks put together by message id (RFC 4975 section 5.1).

A text that is cut by the border of a chunk, or by chunks of other messages in between, stands nowhere in the bytes as
they went; here it does. This reads what was really there, not what was allowed: nothing is refused, an unknown range
counts as the start, and a chunk that breaks off is taken as far as it came. It shares no code with `codec.msrp`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from .wirelog import Layer, Stream

__all__ = ["msrp_messages"]

_START = re.compile(rb"MSRP ([^ \r\n]{1,64}) SEND\r\n")
_MESSAGE_ID = re.compile(rb"\r\nMessage-ID:[ \t]*([^\r\n]*)", re.IGNORECASE)
_RANGE = re.compile(rb"\r\nByte-Range:[ \t]*([0-9]{1,19})-", re.IGNORECASE)
_FLAGS = (b"$", b"+", b"#")


@dataclass(frozen=True, slots=True)
class _Chunk:
    connection: int
    message_id: bytes
    start: int
    body: bytes


def msrp_messages(streams: Iterable[Stream], at_least: int = 2) -> Iterator[Stream]:
    """Each message of at least so many chunks, as a stream of its own: in the order of its bytes, and as it came.

    A message whose chunks went over several connections, because one broke, is put together too; it is given out
    under the connection of its first chunk.
    """
    found: dict[tuple[bool, Layer, bytes], list[_Chunk]] = {}
    for stream in streams:
        for chunk in _chunks(stream):
            found.setdefault((stream.received, stream.layer, chunk.message_id), []).append(chunk)
    for (received, layer, _), chunks in found.items():
        if len(chunks) < at_least:
            continue
        arrived = b"".join(chunk.body for chunk in chunks)
        ordered = _joined(sorted(chunks, key=lambda chunk: chunk.start))
        for data in dict.fromkeys((ordered, arrived)):
            yield Stream(chunks[0].connection, received, layer, data)


def _chunks(stream: Stream) -> Iterator[_Chunk]:
    data, at = stream.data, 0
    while (match := _START.search(data, at)) is not None:
        end = _end(data, match[1], match.end())
        head_end = data.find(b"\r\n\r\n", match.end() - 2, end)
        head = data[match.end() - 2 : end if head_end < 0 else head_end]
        body = b"" if head_end < 0 else data[head_end + 4 : end]
        name, position = _MESSAGE_ID.search(head), _RANGE.search(head)
        if body:
            yield _Chunk(stream.connection, name[1] if name else b"", int(position[1]) if position else 1, body)
        at = end


def _end(data: bytes, transaction: bytes, at: int) -> int:
    """Where the end-line of a chunk begins, or the end of the data when it breaks off."""
    line = b"\r\n-------" + transaction
    while (found := data.find(line, at - 2)) >= 0:
        if data[found + len(line) : found + len(line) + 1] in _FLAGS:
            return found
        at = found + len(line)
    return len(data)


def _joined(chunks: list[_Chunk]) -> bytes:
    """In the order of their ranges; what was sent twice counts once."""
    pieces: list[bytes] = []
    reached = 0
    for chunk in chunks:
        known = max(0, reached - chunk.start) if pieces else 0
        pieces.append(chunk.body[known:])
        reached = max(reached, chunk.start + len(chunk.body))
    return b"".join(pieces)
