"""MSRP on the wire (RFC 4975, RFC 4976): addresses, heads, and a stream parser that holds no body.

No meaning is given here: what a request asks for is `letterlock.msrp`'s business. Every reader is linear in
its input, bounded by `Limits`, and raises DecodeError (LimitExceeded when over a bound).
"""

from __future__ import annotations

from .message import Head, Limits, Request, Response, encode_end, encode_head, encode_response
from .stream import Body, End, Item, Lost, Malformed, MsrpParser
from .uri import MsrpUri, Path, encode_path, parse_path
from .values import ByteRange, FailureReport, Flag, Status, decimal, ident

__all__ = [
    "Body",
    "ByteRange",
    "End",
    "FailureReport",
    "Flag",
    "Head",
    "Item",
    "Limits",
    "Lost",
    "Malformed",
    "MsrpParser",
    "MsrpUri",
    "Path",
    "Request",
    "Response",
    "Status",
    "decimal",
    "encode_end",
    "encode_head",
    "encode_path",
    "encode_response",
    "ident",
    "parse_path",
]
