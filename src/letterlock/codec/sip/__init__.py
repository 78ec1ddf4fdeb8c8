"""SIP messages and the values inside them (RFC 3261, 3428, 5626, 7616): bytes to frozen values and back.

No meaning is given here: what a message asks for is `letterlock.sip`'s business. Every reader is
linear in its input, bounded by `Limits`, and raises DecodeError (LimitExceeded when over a bound).
"""

from __future__ import annotations

from .auth import Challenge, Credentials
from .grammar import Params, delta_seconds, media_type, quote, split_list, unquote
from .headers import Headers
from .message import Limits, Request, Response, encode, parse_message
from .stream import KeepAlive, Malformed, StreamParser
from .uri import NameAddr, Uri
from .values import CSeq, Via

__all__ = [
    "CSeq",
    "Challenge",
    "Credentials",
    "Headers",
    "KeepAlive",
    "Limits",
    "Malformed",
    "NameAddr",
    "Params",
    "Request",
    "Response",
    "StreamParser",
    "Uri",
    "Via",
    "delta_seconds",
    "encode",
    "media_type",
    "parse_message",
    "quote",
    "split_list",
    "unquote",
]
