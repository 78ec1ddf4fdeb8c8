"""Positions as RCS clients write them (rcs.md 2.7), and as nobody should."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from letterlock.codec.push_location import PushLocation, decode_push_location, encode_push_location
from letterlock.codec.xml import XmlLimits
from letterlock.errors import DecodeError

LIMITS = XmlLimits(16_384, 16, 128)

AS_DEPLOYED = b"""<?xml version="1.0" encoding="UTF-8"?>\r
<rcsenvelope xmlns="urn:gsma:params:xml:ns:rcs:rcs:geolocation" xmlns:rpid="urn:ietf:params:xml:ns:pidf:rpid" \
xmlns:gp="urn:ietf:params:xml:ns:pidf:geopriv10" xmlns:gml="http://www.opengis.net/gml" \
xmlns:gs="http://www.opengis.net/pidflo/1.0" entity="tel:+15550100">\r
<rcspushlocation id="m-1" label="meeting place" ><rpid:place-type rpid:until="2026-11-23T21:00:00-05:00"></rpid:place-type>\r
<rpid:time-offset rpid:until="2026-11-23T21:00:00-05:00"></rpid:time-offset>\r
<gp:geopriv>\r<gp:location-info>\r
<gs:Circle srsName="urn:ogc:def:crs:EPSG::4326">\r
<gml:pos>48.731964 -3.45829</gml:pos>\r
<gs:radius uom="urn:ogc:def:uom:EPSG::9001">10.0</gs:radius>\r
</gs:Circle>\r
</gp:location-info>\r<gp:usage-rules>\r
<gp:retention-expiry>2026-11-23T21:00:00-05:00</gp:retention-expiry>\r
</gp:usage-rules>\r
</gp:geopriv>\r
<timestamp>2026-11-23T16:09:44-05:00</timestamp>\r
</rcspushlocation>\r
</rcsenvelope>\r
"""


def test_a_document_of_a_deployed_client_is_read() -> None:
    assert decode_push_location(AS_DEPLOYED, LIMITS) == PushLocation(
        48.731964,
        -3.45829,
        10.0,
        "meeting place",
        "tel:+15550100",
        "m-1",
        "2026-11-23T16:09:44-05:00",
        "2026-11-23T21:00:00-05:00",
    )


def test_a_point_in_place_of_a_circle_and_an_altitude_behind_it_are_read() -> None:
    document = (
        b'<rcsenvelope><rcspushlocation><x:geopriv xmlns:x="x"><g:Point xmlns:g="g"><g:pos>\n 1.5\t2 33 </g:pos>'
        b"</g:Point></x:geopriv></rcspushlocation></rcsenvelope>"
    )
    assert decode_push_location(document, LIMITS) == PushLocation(1.5, 2.0)


TEXT = st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=30)


@given(
    latitude=st.floats(-90, 90),
    longitude=st.floats(-180, 180),
    radius=st.floats(0, 40_000_000),
    label=TEXT,
    identifier=TEXT,
)
def test_what_is_written_is_read_to_a_centimetre(
    latitude: float, longitude: float, radius: float, label: str, identifier: str
) -> None:
    location = PushLocation(latitude, longitude, radius, label, "tel:+15550100", identifier)
    read = decode_push_location(encode_push_location(location), LIMITS)
    assert math.isclose(read.latitude, latitude, abs_tol=1e-7)
    assert math.isclose(read.longitude, longitude, abs_tol=1e-7)
    assert math.isclose(read.radius, radius, abs_tol=1e-7)
    clean = label.replace("\ufffe", "\ufffd").replace("\uffff", "\ufffd")
    assert read.label == clean
    assert decode_push_location(encode_push_location(read), LIMITS) == read


@pytest.mark.parametrize("latitude", [float("nan"), float("inf"), 90.1, -91])
def test_only_places_on_earth_can_be_written(latitude: float) -> None:
    with pytest.raises(ValueError):
        PushLocation(latitude, 0)


def envelope(inside: str) -> bytes:
    return f"<rcsenvelope><rcspushlocation>{inside}</rcspushlocation></rcsenvelope>".encode()


@pytest.mark.parametrize(
    ("document", "code"),
    [
        (b"", "xml.malformed"),
        (b"<other/>", "location.root"),
        (b"<rcsenvelope xmlns='urn:other'/>", "location.root"),
        (b"<rcsenvelope/>", "location.missing"),
        (envelope(""), "location.position"),
        (envelope("<pos/>"), "location.position"),
        (envelope("<pos>1</pos>"), "location.position"),
        (envelope("<pos>1 2 3 4</pos>"), "location.position"),
        (envelope("<pos>91 0</pos>"), "location.position"),
        (envelope("<pos>0 180.5</pos>"), "location.position"),
        (envelope("<pos>0 0</pos><radius>-1</radius>"), "location.position"),
        (envelope("<pos>0 0</pos><radius>50000000</radius>"), "location.position"),
        (envelope("<pos>nan 0</pos>"), "location.number"),
        (envelope("<pos>1e999 0</pos>"), "location.number"),
        (envelope("<pos>1_0 0</pos>"), "location.number"),
        (envelope("<pos>0x1 0</pos>"), "location.number"),
        (envelope("<pos>٣ 0</pos>"), "location.number"),
        (envelope(f"<pos>{'9' * 400} 0</pos>"), "location.number"),
        (b'<!DOCTYPE r [<!ENTITY x "y">]><rcsenvelope/>', "xml.doctype"),
        (envelope("<a>" * 20 + "</a>" * 20), "xml.limit"),
    ],
)
def test_malformed_documents_are_refused_by_name(document: bytes, code: str) -> None:
    """SR-09, SR-14."""
    with pytest.raises(DecodeError) as caught:
        decode_push_location(document, LIMITS)
    assert caught.value.code == code
