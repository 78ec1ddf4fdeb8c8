"""Positions, as the document that RCS clients exchange (rcs.md 2.7)."""

from __future__ import annotations

from dataclasses import dataclass

from ...codec.dates import rfc3339
from ...codec.push_location import MEDIA_TYPE, PushLocation, decode_push_location, encode_push_location
from ...errors import DecodeError
from ...ids import Instant, MessageId, Peer
from .parts import XML, Parts, Read

__all__ = ["LOCATION_TYPE", "Location", "express_location", "read_location"]

LOCATION_TYPE = MEDIA_TYPE


@dataclass(frozen=True, slots=True)
class Location:
    """A place in degrees of WGS 84, its radius in metres (0: not said) and what the sender calls it."""

    latitude: float
    longitude: float
    label: str = ""
    radius: float = 0.0


def express_location(location: Location, message_id: MessageId, sender: Peer, now: Instant) -> Parts:
    document = PushLocation(
        location.latitude,
        location.longitude,
        location.radius,
        location.label,
        f"tel:{sender}",
        message_id,
        rfc3339(now),
    )
    return Parts(LOCATION_TYPE, encode_push_location(document))


def read_location(read: Read, max_label: int) -> Location:
    """Raises DecodeError. What the document says of the sender is passed over: who sent it is known better."""
    document = decode_push_location(read.body, XML)
    if len(document.label.encode()) > max_label:
        raise DecodeError("a label of a book's length", code="content.label")
    return Location(document.latitude, document.longitude, document.label, document.radius)
