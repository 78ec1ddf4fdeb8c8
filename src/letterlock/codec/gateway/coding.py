"""Frames to bytes and back: a version, a type, then the fields of that type in this order."""

from __future__ import annotations

from typing import Any, cast

from ...errors import DecodeError, LimitExceeded
from ..tls import Reader, u8, u64
from . import frames
from .fields import (
    BODY,
    BOOL,
    CPIM_HEADER,
    ID,
    MESSAGE_ID,
    NUMBER,
    PAIR,
    PEER,
    SUBSCRIPTION,
    TEXT,
    U16,
    U64,
    FrameLimits,
    Kind,
    many,
    maybe,
    one_of,
    structure,
)
from .frames import ClientFrame, GatewayFrame

__all__ = ["VERSION", "FrameLimits", "at_cursor", "decode_client_frame", "decode_gateway_frame", "encode"]

VERSION = 1

_REQUEST = ("request", ID)
_ROSTER = structure(frames.Roster, ("group", ID), ("subject", TEXT), ("members", many(NUMBER)))

_Fields = tuple[tuple[str, Kind[Any]], ...]

_CLIENT: dict[int, tuple[type, _Fields]] = {
    1: (
        frames.Hello,
        (("inbox", maybe(ID)), ("cursor", U64), ("tags", many(PAIR)), ("conferences", many(PAIR))),
    ),
    2: (
        frames.Send,
        (
            _REQUEST,
            ("to", maybe(PEER)),
            ("message_id", MESSAGE_ID),
            ("conversation", ID),
            ("content_type", TEXT),
            ("large", BOOL),
            ("receipts", BOOL),
            ("group", maybe(ID)),
            ("headers", many(PAIR)),
            ("packet", BOOL),
            ("dispositions", many(TEXT)),
            ("body", BODY),
        ),
    ),
    3: (frames.Settled, (("requests", many(ID)),)),
    4: (frames.Acknowledge, (("cursor", U64),)),
    5: (frames.SyncConference, (_REQUEST, ("leave", BOOL), ("conference", _ROSTER))),
    6: (frames.MakeConference, (_REQUEST, ("conference", _ROSTER))),
    7: (frames.AskFeatures, (_REQUEST, ("number", NUMBER), ("fresh", BOOL))),
    8: (frames.Advertise, (("tags", many(PAIR)),)),
    9: (frames.VisitConferences, ()),
    10: (frames.Subscribe, (_REQUEST, ("push", maybe(SUBSCRIPTION)))),
}

_GATEWAY: dict[int, tuple[type, _Fields]] = {
    64: (frames.Welcome, (("inbox", ID), ("cursor", U64))),
    65: (
        frames.Message,
        (
            ("cursor", U64),  # first, so that `at_cursor` finds it
            ("sender", maybe(PEER)),
            ("recipient", NUMBER),
            ("message_id", MESSAGE_ID),
            ("content_type", TEXT),
            ("received_at", U64),
            ("group", maybe(ID)),
            ("headers", many(CPIM_HEADER)),
            ("body", BODY),
        ),
    ),
    66: (frames.Gap, (("first", U64), ("last", U64), ("reason", one_of(frames.GapReason)))),
    67: (
        frames.ConferenceSeen,
        (
            ("group", ID),
            ("focus", TEXT),
            ("subject", TEXT),
            ("members", many(NUMBER)),
            ("encrypted_subject", maybe(TEXT)),
            ("encrypted_icon", maybe(TEXT)),
        ),
    ),
    68: (frames.FeaturesChanged, (("number", NUMBER), ("features", many(TEXT)), ("before", many(TEXT)))),
    69: (frames.ConferenceKept, (("name", TEXT), ("address", maybe(TEXT)))),
    70: (frames.Registration, (("state", TEXT), ("reason", TEXT))),
    71: (
        frames.Result,
        (_REQUEST, ("accepted", BOOL), ("status", U16), ("reason", TEXT), ("retry_after_ms", maybe(U64))),
    ),
    72: (frames.Failure, (_REQUEST, ("code", TEXT), ("message", TEXT), ("hint", TEXT))),
    73: (frames.Done, (_REQUEST,)),
    74: (frames.FeaturesAnswer, (_REQUEST, ("features", maybe(many(TEXT))))),
}

_BY_CLASS = {made: (number, fields) for table in (_CLIENT, _GATEWAY) for number, (made, fields) in table.items()}
_CURSOR = slice(2, 10)


def encode(frame: ClientFrame | GatewayFrame) -> bytes:
    """One frame."""
    number, fields = _BY_CLASS[type(frame)]
    return u8(VERSION) + u8(number) + b"".join(kind.write(getattr(frame, name)) for name, kind in fields)


def at_cursor(message: bytes, cursor: int) -> bytes:
    """An encoded Message at another place in the inbox: it is encoded before its place is known."""
    return message[: _CURSOR.start] + u64(cursor) + message[_CURSOR.stop :]


def decode_client_frame(data: bytes, limits: FrameLimits) -> ClientFrame:
    """What a client has sent. Raises DecodeError and LimitExceeded (SR-08, SR-09)."""
    return cast(ClientFrame, _decode(data, _CLIENT, limits))


def decode_gateway_frame(data: bytes, limits: FrameLimits) -> GatewayFrame:
    """What a gateway has sent. Raises DecodeError and LimitExceeded (SR-08, SR-09)."""
    return cast(GatewayFrame, _decode(data, _GATEWAY, limits))


def _decode(data: bytes, table: dict[int, tuple[type, _Fields]], limits: FrameLimits) -> object:
    if len(data) > limits.max_frame:
        raise LimitExceeded(f"a frame of over {limits.max_frame} bytes", code="gateway.limit.frame")
    reader = Reader(data)
    version = reader.u8()
    if version != VERSION:
        raise DecodeError(f"a frame of version {version}", code="gateway.version", hint="one side is newer: update")
    number = reader.u8()
    if number not in table:
        raise DecodeError(f"a frame of type {number}", code="gateway.frame")
    made, fields = table[number]
    values = {name: kind.read(reader, limits) for name, kind in fields}
    reader.end()
    return made(**values)
