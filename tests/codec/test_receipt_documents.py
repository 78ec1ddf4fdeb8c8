"""message/imdn+xml and application/im-iscomposing+xml: examples, refusals (SR-14), receipts as messages (RFC 5438)."""

from __future__ import annotations

import contextlib
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from letterlock.codec import cpim, imdn, iscomposing, xml
from letterlock.codec.imdn import Disposition, Imdn, Status
from letterlock.codec.iscomposing import IsComposing
from letterlock.codec.xml import XmlLimits
from letterlock.errors import DecodeError, LimitExceeded
from letterlock.imdn import chat_message

LIMITS = XmlLimits(max_size=16384, max_depth=8, max_elements=64)
CPIM_LIMITS = cpim.CpimLimits(65536, 32, 4096)

# RFC 5438 section 7.2.1.1.
DELIVERED = b"""<?xml version="1.0" encoding="UTF-8"?>
<imdn xmlns="urn:ietf:params:xml:ns:imdn">
      <message-id>34jk324j</message-id>
      <datetime>2008-04-04T12:16:49-05:00</datetime>
     <recipient-uri>im:bob@example.com</recipient-uri>
      <original-recipient-uri
        >im:bob@example.com</original-recipient-uri>
      <delivery-notification>
         <status>
            <delivered/>
         </status>
      </delivery-notification>
    </imdn>"""


def document(inside: str, root: str = 'imdn xmlns="urn:ietf:params:xml:ns:imdn"') -> bytes:
    return f"<{root}><message-id>1</message-id><datetime>d</datetime>{inside}</imdn>".encode()


def test_the_example_of_rfc_5438() -> None:
    uri = "im:bob@example.com"
    assert imdn.decode_imdn(DELIVERED, LIMITS) == Imdn(
        "34jk324j", "2008-04-04T12:16:49-05:00", Disposition.DELIVERY, Status.DELIVERED, uri, uri
    )


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        ("<delivery-notification><status><failed/></status></delivery-notification>", Status.FAILED),
        ("<delivery-notification><status><forbidden/></status></delivery-notification>", Status.FORBIDDEN),
        ("<delivery-notification><status><error/></status></delivery-notification>", Status.ERROR),
        ("<display-notification><status><displayed/></status></display-notification>", Status.DISPLAYED),
        ("<processing-notification><status><processed/></status></processing-notification>", Status.PROCESSED),
        ("<processing-notification><status><stored/></status></processing-notification>", Status.STORED),
        # Elements that we do not know, in and around what we know.
        (
            "<x:y xmlns:x='u'><z/></x:y><display-notification><q/><status><e xmlns='v'/><displayed/></status>"
            "</display-notification>",
            Status.DISPLAYED,
        ),
        (
            "<delivery-notification><status><failed><mls-client-failure-reason><failed-to-decrypt/>"
            "</mls-client-failure-reason></failed></status></delivery-notification>",
            Status.FAILED,
        ),
        ("<delivery-notification><status><n:new xmlns:n='u'/></status></delivery-notification>", Status.EXTENSION),
        # The status of another disposition is none of this one.
        ("<delivery-notification><status><displayed/></status></delivery-notification>", Status.EXTENSION),
    ],
)
def test_every_status(inside: str, expected: Status) -> None:
    assert imdn.decode_imdn(document(inside), LIMITS).status is expected


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "xml.malformed"),
        (b"<a>", "xml.malformed"),
        (b"\xff\xfe<\x00a\x00/\x00>\x00", "xml.encoding"),
        (b"<imdn/>", "imdn.message_id"),
        (b"<other/>", "imdn.root"),
        (b"<imdn xmlns='urn:other'/>", "imdn.root"),
        (document(""), "imdn.disposition"),
        (document("<display-notification/>"), "imdn.status"),
        (document("<display-notification/><delivery-notification/>"), "imdn.disposition"),
        (
            document("<delivery-notification><status><delivered/><failed/></status></delivery-notification>"),
            "imdn.status",
        ),
    ],
)
def test_what_is_no_receipt_is_refused(data: bytes, code: str) -> None:
    with pytest.raises(DecodeError) as caught:
        imdn.decode_imdn(data, LIMITS)
    assert caught.value.code == code


@pytest.mark.parametrize(
    "data",
    [
        b"<!DOCTYPE imdn><imdn/>",
        b'<!DOCTYPE imdn SYSTEM "http://example.test/x.dtd"><imdn/>',
        b'<!DOCTYPE a [<!ENTITY b "cccccccc"><!ENTITY d "&b;&b;&b;&b;">]><imdn><message-id>&d;</message-id></imdn>',
        b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><imdn><message-id>&b;</message-id></imdn>',
        b'<!DOCTYPE a [<!ENTITY % b SYSTEM "http://example.test/"> %b;]><imdn/>',
    ],
)
def test_sr_14_document_types_and_entities_are_refused(data: bytes) -> None:
    for decode in (imdn.decode_imdn, iscomposing.decode_iscomposing, xml.decode_xml):
        with pytest.raises(DecodeError) as caught:
            decode(data, LIMITS)
        assert caught.value.code == "xml.doctype"


def test_sr_08_depth_count_and_size_are_bounded() -> None:
    limits = XmlLimits(max_size=65536, max_depth=8, max_elements=64)

    def peak(data: bytes) -> int:
        tracemalloc.start()
        with pytest.raises(LimitExceeded):
            xml.decode_xml(data, limits)
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return top

    for data in [
        b"<a>" * 20000,
        b"<a>" * 9 + b"</a>" * 9,
        b"<r>" + b"<a/>" * 16000,
        b"<a>" + b"x" * 10_000_000 + b"</a>",
    ]:
        assert peak(data) < 2 * 65536
    assert xml.decode_xml(b"<a>" * 8 + b"</a>" * 8, limits).name == "a"


TEXT = (
    st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), min_size=1)
    .map(str.strip)
    .filter(bool)
)
STATUSES = {
    Disposition.DELIVERY: [Status.DELIVERED, Status.FAILED, Status.FORBIDDEN, Status.ERROR],
    Disposition.DISPLAY: [Status.DISPLAYED, Status.FORBIDDEN, Status.ERROR],
    Disposition.PROCESSING: [Status.PROCESSED, Status.STORED, Status.FORBIDDEN, Status.ERROR],
}
RECEIPTS = st.sampled_from(list(STATUSES)).flatmap(
    lambda kind: st.builds(
        Imdn,
        TEXT,
        TEXT,
        st.just(kind),
        st.sampled_from(STATUSES[kind]),
        st.none() | TEXT,
        st.none() | TEXT,
        st.none() | TEXT,
    )
)


@given(RECEIPTS)
def test_a_receipt_reads_back_as_it_was(receipt: Imdn) -> None:
    assert imdn.decode_imdn(imdn.encode_imdn(receipt), LIMITS) == receipt


def test_a_status_that_does_not_belong_is_not_written() -> None:
    with pytest.raises(ValueError, match="no status"):
        imdn.encode_imdn(Imdn("1", "d", Disposition.DISPLAY, Status.DELIVERED))
    assert b"\x00" not in imdn.encode_imdn(Imdn("a\x00b", "\ud800", Disposition.DISPLAY, Status.ERROR))


@given(st.builds(IsComposing, st.booleans(), st.none() | TEXT, st.none() | TEXT, st.none() | st.integers(1, 10**8)))
def test_typing_reads_back_as_it_was(state: IsComposing) -> None:
    assert iscomposing.decode_iscomposing(iscomposing.encode_iscomposing(state), LIMITS) == state


def test_the_examples_of_rfc_3994() -> None:
    head = '<isComposing xmlns="urn:ietf:params:xml:ns:im-iscomposing" xmlns:x="urn:x">'

    def read(inside: str) -> IsComposing:
        return iscomposing.decode_iscomposing(f"{head}{inside}</isComposing>".encode(), LIMITS)

    assert read("<state>active</state><contenttype>text/plain</contenttype><refresh>90</refresh>") == IsComposing(
        True, "text/plain", None, 90
    )
    assert read("<state>idle</state><lastactive>2003-01-27T10:43:00Z</lastactive><contenttype>audio</contenttype>") == (
        IsComposing(False, "audio", "2003-01-27T10:43:00Z")
    )
    # Section 3.5: a state that we do not know counts as idle; elements of others are passed over.
    assert read("<state>dancing</state><x:y/><refresh>-1</refresh>") == IsComposing(False)
    for broken in ("", "<x:state>active</x:state>"):
        with pytest.raises(DecodeError):
            read(broken)


PIECES = st.sampled_from(
    [
        "<imdn>",
        "</imdn>",
        "<message-id>",
        "</message-id>",
        "<status>",
        "</status>",
        "<delivery-notification>",
        "<!--",
        "</delivery-notification>",
        "<delivered/>",
        "&amp;",
        "&#0;",
        "&x;",
        "<![CDATA[",
        "]]>",
        "<?x?>",
        "a",
        "<isComposing>",
        "<state>",
        "</state>",
        "</isComposing>",
        "xmlns='q'",
        "<",
        ">",
        "<!DOCTYPE a>",
    ]
)


@given(st.one_of(st.binary(max_size=120), st.lists(PIECES, max_size=30).map(lambda parts: "".join(parts).encode())))
def test_sr_09_any_bytes_give_a_document_or_a_decode_error(data: bytes) -> None:
    for decode in (imdn.decode_imdn, iscomposing.decode_iscomposing):
        with contextlib.suppress(DecodeError):
            decode(data, LIMITS)


@given(st.integers(0, len(DELIVERED) - 1), st.integers(1, 255))
def test_sr_09_every_flipped_byte_gives_a_document_or_a_decode_error(at: int, bits: int) -> None:
    broken = bytearray(DELIVERED)
    broken[at] ^= bits
    with contextlib.suppress(DecodeError):
        imdn.decode_imdn(bytes(broken), LIMITS)


# --- as messages ---------------------------------------------------------------------------------
def over_the_wire(message: cpim.Cpim) -> cpim.Cpim:
    return cpim.decode_cpim(cpim.encode_cpim(message), CPIM_LIMITS)


def test_a_message_names_itself_and_nobody_and_asks_for_receipts() -> None:
    message = over_the_wire(
        chat_message(
            "text/plain;charset=UTF-8", b"hello", message_id="m1", date_time="2026-01-02T03:04:05Z", receipts=True
        )
    )
    assert (message.message_id, message.date_time) == ("m1", "2026-01-02T03:04:05Z")
    assert message.disposition_notification == ("positive-delivery", "negative-delivery", "display")
    assert [address.uri for address in (*message.senders, *message.recipients)] == [
        "sip:anonymous@anonymous.invalid"
    ] * 2
    assert message.content.content() == b"hello"
    assert over_the_wire(chat_message("text/plain", b"", message_id="m2")).disposition_notification == ()


@pytest.mark.parametrize("content_type", ["message/imdn+xml", "Message/IMDN+XML; charset=UTF-8"])
def test_never_a_receipt_for_a_receipt(content_type: str) -> None:
    """RFC 5438 section 7.2.1: two phones that answered each other's receipts would never stop."""
    message = over_the_wire(chat_message(content_type, DELIVERED, message_id="r", receipts=True))
    assert message.disposition_notification == ()
    assert message.content.disposition == "notification"


def test_typing_asks_for_no_receipt() -> None:
    message = over_the_wire(chat_message(iscomposing.MEDIA_TYPE, b"<x/>", message_id="t", receipts=True))
    assert message.disposition_notification == ()
    assert message.content.disposition == ""
