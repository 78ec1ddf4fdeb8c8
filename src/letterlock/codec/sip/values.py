"""Via and CSeq: the two headers that every transaction is matched by (RFC 3261 sections 20.16 and 20.42)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ...errors import DecodeError
from .grammar import EMPTY, Params, decimal, token
from .uri import host_port

__all__ = ["BRANCH_COOKIE", "CSeq", "Via"]

BRANCH_COOKIE = "z9hG4bK"
"""Every branch of an RFC 3261 client starts so; it makes the branch alone a transaction's name."""

_PROTOCOL = re.compile(r"SIP[ \t]*/[ \t]*2\.0[ \t]*/[ \t]*([A-Za-z0-9\-.!%*_+`'~]+)[ \t]+", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True)
class Via:
    """One hop. `transport` is upper case: TCP or TLS for us."""

    transport: str
    host: str
    port: int | None = None
    params: Params = field(default=EMPTY)

    @classmethod
    def parse(cls, text: str) -> Via:
        """One element of a Via header. Raises DecodeError."""
        match = _PROTOCOL.match(text)
        if match is None:
            raise DecodeError("not a via", code="sip.via")
        sent_by, semicolon, params = text[match.end() :].partition(";")
        host, port = host_port(sent_by)
        return cls(match[1].upper(), host, port, Params.parse(semicolon + params))

    @property
    def branch(self) -> str:
        """The transaction's name, "" if there is none."""
        return self.params.get("branch") or ""

    @property
    def sent_by(self) -> str:
        """Host and port as one text, for matching."""
        return self.host if self.port is None else f"{self.host}:{self.port}"

    def encode(self) -> str:
        return f"SIP/2.0/{self.transport} {self.sent_by}{self.params.encode()}"


@dataclass(frozen=True, slots=True)
class CSeq:
    """Sequence number, under 2**31, and method."""

    number: int
    method: str

    @classmethod
    def parse(cls, text: str) -> CSeq:
        """Raises DecodeError."""
        parts = text.split()
        if len(parts) != 2:
            raise DecodeError("not a sequence number and method", code="sip.cseq")
        return cls(decimal(parts[0], "CSeq", at_most=2**31 - 1), token(parts[1], "CSeq"))

    def encode(self) -> str:
        return f"{self.number} {self.method}"
