"""A position as RCS sends it (rcs.md 2.7), `application/vnd.gsma.rcspushlocation+xml`: a circle on WGS 84 and a label.

Written as deployed clients write it: latitude first, decimal degrees, the radius in metres. Read as well: a point
in place of the circle, and documents without the parts that nobody needs. Nothing here is a promise about where
somebody is: it is what the sender wrote.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..errors import DecodeError
from .xml import Element, XmlLimits, decode_xml, escape, escape_attribute

__all__ = ["MEDIA_TYPE", "PushLocation", "decode_push_location", "encode_push_location"]

MEDIA_TYPE = "application/vnd.gsma.rcspushlocation+xml"

_NAMESPACE = "urn:gsma:params:xml:ns:rcs:rcs:geolocation"
_RPID = "urn:ietf:params:xml:ns:pidf:rpid"
_GEOPRIV = "urn:ietf:params:xml:ns:pidf:geopriv10"
_GML = "http://www.opengis.net/gml"
_PIDFLO = "http://www.opengis.net/pidflo/1.0"


@dataclass(frozen=True, slots=True)
class PushLocation:
    """Degrees and metres. `timestamp` and `until` (how long it may be kept) are RFC 3339 as the sender wrote them."""

    latitude: float
    longitude: float
    radius: float = 0.0
    label: str = ""
    entity: str = ""
    identifier: str = ""
    timestamp: str = ""
    until: str = ""

    def __post_init__(self) -> None:
        # NaN compares as false, so it is refused too.
        if not (abs(self.latitude) <= 90 and abs(self.longitude) <= 180 and 0 <= self.radius <= _FARTHEST):
            raise ValueError("not a place on earth")


def encode_push_location(location: PushLocation) -> bytes:
    """The document."""
    rules = ""
    if location.until:
        rules = f"<gp:usage-rules><gp:retention-expiry>{escape(location.until)}</gp:retention-expiry></gp:usage-rules>"
    timestamp = f"<timestamp>{escape(location.timestamp)}</timestamp>" if location.timestamp else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\r\n'
        f'<rcsenvelope xmlns="{_NAMESPACE}" xmlns:rpid="{_RPID}" xmlns:gp="{_GEOPRIV}" xmlns:gml="{_GML}" '
        f'xmlns:gs="{_PIDFLO}" entity="{escape_attribute(location.entity)}">'
        f'<rcspushlocation id="{escape_attribute(location.identifier)}" label="{escape_attribute(location.label)}">'
        '<gp:geopriv><gp:location-info><gs:Circle srsName="urn:ogc:def:crs:EPSG::4326">'
        f"<gml:pos>{_decimal(location.latitude)} {_decimal(location.longitude)}</gml:pos>"
        f'<gs:radius uom="urn:ogc:def:uom:EPSG::9001">{_decimal(location.radius)}</gs:radius>'
        f"</gs:Circle></gp:location-info>{rules}</gp:geopriv>{timestamp}</rcspushlocation></rcsenvelope>"
    ).encode()


def decode_push_location(data: bytes, limits: XmlLimits) -> PushLocation:
    """Read a document; what we do not know is passed over. Raises DecodeError."""
    root = decode_xml(data, limits)
    if root.name != "rcsenvelope" or root.namespace not in (_NAMESPACE, ""):
        raise DecodeError("not a location envelope", code="location.root")
    place = root.child("rcspushlocation")
    if place is None:
        raise DecodeError("an envelope without a location", code="location.missing")
    position = _within(place, "pos")
    if position is None:
        raise DecodeError("a location without a position", code="location.position")
    numbers = position.text.split()
    # Some write the altitude behind the two.
    if len(numbers) not in (2, 3):
        raise DecodeError("a position is latitude and longitude", code="location.position")
    radius, expiry = _within(place, "radius"), _within(place, "retention-expiry")
    try:
        return PushLocation(
            _number(numbers[0]),
            _number(numbers[1]),
            _number(radius.text) if radius is not None and radius.text else 0.0,
            place.attribute("label") or "",
            root.attribute("entity") or "",
            place.attribute("id") or "",
            place.child_text("timestamp") or "",
            expiry.text if expiry is not None else "",
        )
    except ValueError:
        raise DecodeError("not a place on earth", code="location.position") from None


_FARTHEST = 40_100_000.0
"""Metres around the earth: no radius is larger."""
_NUMBER = re.compile(r"[+-]?[0-9]{1,12}(?:\.[0-9]{0,20})?(?:[eE][+-]?[0-9]{1,2})?", re.ASCII)


def _number(text: str) -> float:
    if not _NUMBER.fullmatch(text):
        raise DecodeError("not a decimal number", code="location.number")
    return float(text)


def _decimal(value: float) -> str:
    """Seven places are a centimetre."""
    text = f"{value:.7f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _within(element: Element, name: str) -> Element | None:
    """The first element of that local name below; its namespace differs between senders."""
    for child in element.children:
        found = child if child.name == name else _within(child, name)
        if found is not None:
            return found
    return None
