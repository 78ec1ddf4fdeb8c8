"""What stands between the engine and a MESSAGE: CPIM out with the headers of its content, and back with all of them."""

from __future__ import annotations

import zlib

import pytest

from letterlock.carriage import Outbound
from letterlock.codec.cpim import CpimLimits, decode_cpim
from letterlock.codec.ft_http import MEDIA_TYPE as FILE_TYPE
from letterlock.codec.push_location import MEDIA_TYPE as LOCATION_TYPE
from letterlock.errors import DecodeError, LimitExceeded
from letterlock.ids import ConversationId, message_id, number
from letterlock.transport.rcs.content import open_content, wrap

MAX = 256 * 1024
HEADERS = (("NS", "n1 <http://www.gsma.com>"), ("n1.Reference-ID", "m-0"), ("n1.Reference-Type", "+Reaction"))


def outbound(**changes: object) -> Outbound:
    fields: dict[str, object] = {
        "to": number("+15550101"),
        "message_id": message_id("m-1"),
        "conversation": ConversationId(bytes(16)),
        "content_type": "text/plain",
        "body": "👍".encode(),
        "large": False,
    }
    return Outbound(**(fields | changes))  # type: ignore[arg-type]


def test_headers_travel_in_cpim_and_come_back_by_namespace() -> None:
    body = wrap(outbound(headers=HEADERS, receipts=True), 1_800_000_000_000)
    opened = open_content("message/cpim", body, MAX)
    assert (opened.message_id, opened.body.decode()) == ("m-1", "👍")
    found = {(header.namespace, header.local): header.value for header in opened.headers}
    assert found["http://www.gsma.com", "Reference-ID"] == "m-0"
    assert found["http://www.gsma.com", "Reference-Type"] == "+Reaction"
    assert "display" in found["urn:ietf:params:imdn", "Disposition-Notification"]


def test_a_text_says_its_charset() -> None:
    """RFC 2046 section 4.1.2: without it, it would be US-ASCII."""
    cpim = decode_cpim(wrap(outbound(), 0), CpimLimits(MAX, 64, 8_192))
    assert cpim.content.header("content-type") == "text/plain;charset=UTF-8"


def test_a_header_that_would_break_out_is_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError):
        wrap(outbound(headers=(("ll.Reference-ID", "x\r\nFrom: <sip:mallory@example.test>"),)), 0)


@pytest.mark.parametrize("raw", [False, True])
def test_linphones_deflated_receipts_are_read(raw: bool) -> None:
    document = b"<imdn xmlns='urn:ietf:params:xml:ns:imdn'/>"
    packed = zlib.compress(document) if not raw else zlib.compress(document)[2:-4]
    body = (
        b"From: <sip:a@b>\r\nTo: <sip:c@d>\r\n\r\nContent-Type: message/imdn+xml\r\nContent-Encoding: deflate\r\n\r\n"
        + packed
    )
    assert open_content("message/cpim", body, MAX).body == document


def test_sr08_a_bomb_is_no_receipt() -> None:
    bomb = zlib.compress(bytes(50_000_000))
    body = b"From: <sip:a@b>\r\n\r\nContent-Type: message/imdn+xml\r\nContent-Encoding: deflate\r\n\r\n" + bomb
    with pytest.raises(LimitExceeded):
        open_content("message/cpim", body, MAX)


@pytest.mark.parametrize("kind", ["text/plain", FILE_TYPE, LOCATION_TYPE, "message/imdn+xml"])
def test_some_clients_send_bare_bodies(kind: str) -> None:
    """Linphone's first text, and its files."""
    opened = open_content(kind, b"x", MAX)
    assert (opened.message_id, opened.content_type, opened.body, opened.headers) == (None, kind, b"x", ())


def test_any_other_bare_body_is_refused_by_name() -> None:
    with pytest.raises(DecodeError) as caught:
        open_content("application/x-new", b"x", MAX)
    assert caught.value.code == "rcs.content_type"
