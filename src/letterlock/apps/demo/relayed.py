"""Messages of sessions on their way through the carrier's relay: in which form one left that had come in.

A relay may cut a message otherwise than it came (RFC 4976 section 6.2), and leaves two things as they are: the message id,
and the address at the end of its path. A focus sends on under an id of its own: that is another message, from the focus.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from ...ids import Instant
from .frame import Copy, Frame, headers_of, one
from .framing import RawFrame

__all__ = ["Relayed"]

_MOST_MESSAGES = 256
_MOST_COMPARED = 1 << 16
"""Of a longer message its beginning is compared."""


@dataclass(slots=True)
class _Message:
    first: Frame
    came: bytearray = field(default_factory=bytearray)


class Relayed:
    """Feed it every chunk that comes, and ask it about every one that leaves."""

    def __init__(self) -> None:
        self._messages: dict[tuple[str, str], _Message] = {}

    def came(self, frame: Frame) -> None:
        """A chunk of whoever's, in the order in which they came."""
        if not _is_chunk(frame.data):
            return
        key = _key(frame.headers)
        if _start(frame.headers) == 1:
            self._messages[key] = _Message(frame)
        message = self._messages.get(key)
        if message is not None and len(message.came) < _MOST_COMPARED:
            message.came += _content(frame.data)
        while len(self._messages) > _MOST_MESSAGES:
            del self._messages[next(iter(self._messages))]

    def left(self, raw: RawFrame, at: Instant, recipient: str) -> Frame | None:
        """The first frame of the message that this is of, with a copy more or with the last one's being changed."""
        headers = headers_of(raw)
        message = self._messages.get(_key(headers))
        if message is None or not _is_chunk(raw.data):
            return None
        begin, content, copies = _start(headers) - 1, _content(raw.data), message.first.copies
        came = bytes(message.came[begin : begin + len(content)])
        changed = content[: len(came)] != came or (len(came) < len(content) and len(message.came) < _MOST_COMPARED)
        if begin == 0:
            copies.append(Copy(at, recipient, raw.data, changed))
        elif changed and copies and not copies[-1].changed:
            copies[-1] = replace(copies[-1], changed=True)
        else:
            return None
        return message.first


def _is_chunk(data: bytes) -> bool:
    return data.split(b"\r\n", 1)[0].endswith(b" SEND") and b"\r\n\r\n" in data


def _key(headers: Iterable[tuple[str, str]]) -> tuple[str, str]:
    headers = tuple(headers)
    return one(headers, "message-id"), one(headers, "to-path").rpartition(" ")[2]


def _start(headers: Iterable[tuple[str, str]]) -> int:
    given = one(headers, "byte-range").partition("-")[0]
    return int(given) if given.isdecimal() and len(given) < 10 else 1


def _content(data: bytes) -> bytes:
    at = data.find(b"\r\n\r\n") + 4
    return data[at : data.rfind(b"\r\n-------")]
