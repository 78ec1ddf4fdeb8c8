"""The values inside MSRP headers: identifiers, byte ranges, report wishes, statuses (RFC 4975 section 9)."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass

from ...errors import DecodeError

__all__ = ["MAX_POSITION", "ByteRange", "FailureReport", "Flag", "Status", "decimal", "ident"]

_IDENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9.\-+%=]{3,31}", re.ASCII)
_RANGE = re.compile(r"([0-9]{1,19})-([0-9]{1,19}|\*)/([0-9]{1,19}|\*)", re.ASCII)
_STATUS = re.compile(r"([0-9]{3}) +([0-9]{3})(?: (.*))?", re.ASCII | re.DOTALL)
_DECIMAL = re.compile(r"[0-9]{1,10}", re.ASCII)

MAX_POSITION = 2**63 - 1
"""No byte of a message is beyond this; a larger number is refused, whatever a receiver would take (SR-08)."""


class Flag(enum.Enum):
    """How a chunk ends (section 7.1)."""

    COMPLETE = "$"  # these bytes end the message
    CONTINUED = "+"  # another chunk follows
    ABORTED = "#"  # the sender gives the message up


class FailureReport(enum.Enum):
    """Which failures the sender wants to hear of; absent means YES (section 7.1.1)."""

    YES = "yes"
    NO = "no"
    PARTIAL = "partial"  # errors, but no acknowledgement and so no time-outs


@dataclass(frozen=True, slots=True)
class ByteRange:
    """Positions count from 1. `end` None is `*`, unknown or interruptible; `total` None is `*`, unknown."""

    start: int
    end: int | None
    total: int | None

    @classmethod
    def parse(cls, text: str) -> ByteRange:
        """Raises DecodeError (`msrp.byte_range`): also for ranges that end before they start or beyond their total."""
        match = _RANGE.fullmatch(text)
        if match is None:
            raise DecodeError("not a byte range", code="msrp.byte_range")
        start = int(match[1])
        end = None if match[2] == "*" else int(match[2])
        total = None if match[3] == "*" else int(match[3])
        if max(start, end or 0, total or 0) > MAX_POSITION:
            raise DecodeError("a byte range out of all bounds", code="msrp.byte_range")
        # An empty range is written with an end one before its start: "1-0/0" (section 7.1.1).
        if start < 1 or (end is not None and end < start - 1):
            raise DecodeError("a byte range that ends before it starts", code="msrp.byte_range")
        if total is not None and (start > total + 1 or (end is not None and end > total)):
            raise DecodeError("a byte range beyond its total", code="msrp.byte_range")
        return cls(start, end, total)

    def encode(self) -> str:
        end = "*" if self.end is None else self.end
        total = "*" if self.total is None else self.total
        return f"{self.start}-{end}/{total}"


@dataclass(frozen=True, slots=True)
class Status:
    """The outcome that a REPORT tells. Only namespace "000" means a response code (section 7.1.2)."""

    code: int
    comment: str = ""
    namespace: str = "000"

    @classmethod
    def parse(cls, text: str) -> Status:
        """Raises DecodeError (`msrp.status`)."""
        match = _STATUS.fullmatch(text)
        if match is None:
            raise DecodeError("not a status", code="msrp.status")
        return cls(int(match[2]), match[3] or "", match[1])

    def encode(self) -> str:
        comment = f" {self.comment}" if self.comment else ""
        return f"{self.namespace} {self.code:03d}{comment}"


def ident(text: str, what: str) -> str:
    """`text` if it is an `ident` of section 9: 4 to 32 characters. Raises DecodeError (`msrp.ident`)."""
    if not _IDENT.fullmatch(text):
        raise DecodeError(f"not an identifier in {what}", code="msrp.ident")
    return text


def decimal(text: str, what: str) -> int:
    """Whole seconds, as in Expires, Min-Expires and Max-Expires. Raises DecodeError (`msrp.number`)."""
    if not _DECIMAL.fullmatch(text):
        raise DecodeError(f"not a number in {what}", code="msrp.number")
    return int(text)
