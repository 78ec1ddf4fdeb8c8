"""CPIM: the examples of RFC 3862 and 5438, what deployed RCS peers write, exact round trips, refusals."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from letterlock.codec import cpim
from letterlock.codec.cpim import Cpim, CpimAddress, CpimLimits
from letterlock.codec.mime import MimePart
from letterlock.errors import DecodeError, LimitExceeded

LIMITS = CpimLimits(max_size=65536, max_headers=32, max_header_bytes=4096)

# RFC 3862 section 5.1.
WEATHER = """From: MR SANDERS <im:piglet@100akerwood.com>
To: Depressed Donkey <im:eeyore@100akerwood.com>
DateTime: 2000-12-13T13:40:00-08:00
Subject: the weather will be fine today
Subject:;lang=fr beau temps prevu pour aujourd'hui
NS: MyFeatures <mid:MessageFeatures@id.foo.com>
Require: MyFeatures.VitalMessageOption
MyFeatures.VitalMessageOption: Confirmation-requested
MyFeatures.WackyMessageOption: Use-silly-font

Content-type: text/xml; charset=utf-8
Content-ID: <1234567890@foo.com>

<body>
Here is the text of my message.
</body>
""".replace("\n", "\r\n").encode()

# As an RCS client sends it between two people, with a transfer encoding, and a namespace of its own prefix.
DEPLOYED = (
    b"From: <sip:anonymous@anonymous.invalid>\r\nTo: <sip:anonymous@anonymous.invalid>\r\n"
    b"NS: imdn <urn:ietf:params:imdn>\r\nNS: mls <http://www.gsma.com/rcs/mls>\r\n"
    b"imdn.Message-ID: MxaDOv6I6QTwGK2Xj6V-Ubhw\r\nDateTime: 2026-01-02T03:04:05.678Z\r\n"
    b"imdn.Disposition-Notification: positive-delivery, negative-delivery,display\r\n"
    b"mls.Era-Id: 7\r\n\r\n"
    b"Content-Type: text/plain;charset=UTF-8\r\nContent-Transfer-Encoding: base64\r\nContent-Length: 8\r\n\r\naGVsbG8="
)


def test_the_example_of_rfc_3862() -> None:
    message = cpim.decode_cpim(WEATHER, LIMITS)
    assert message.senders == (CpimAddress("MR SANDERS", "im:piglet@100akerwood.com"),)
    assert message.recipients[0].display_name == "Depressed Donkey"
    assert message.date_time == "2000-12-13T13:40:00-08:00"
    assert [header.value for header in message.all("Subject")] == [
        "the weather will be fine today",
        "beau temps prevu pour aujourd'hui",
    ]
    assert message.value("VitalMessageOption", "mid:MessageFeatures@id.foo.com") == "Confirmation-requested"
    assert message.content.content_type.media_type == "text/xml"
    assert cpim.encode_cpim(message) == WEATHER


def test_what_deployed_peers_write() -> None:
    message = cpim.decode_cpim(DEPLOYED, LIMITS)
    assert message.message_id == "MxaDOv6I6QTwGK2Xj6V-Ubhw"
    assert message.disposition_notification == ("positive-delivery", "negative-delivery", "display")
    assert message.content.content() == b"hello"
    assert message.value("era-ID", "http://www.gsma.com/rcs/mls") == "7"
    assert cpim.encode_cpim(message) == DEPLOYED


def test_names_are_found_by_uri_and_in_any_case() -> None:
    def message_id(*lines: str) -> str | None:
        head = "".join(f"{line}\r\n" for line in lines)
        return cpim.decode_cpim(head.encode() + b"\r\nContent-Type: a/b\r\n\r\n", LIMITS).message_id

    assert message_id("NS: Q <urn:ietf:params:imdn>", "q.MESSAGE-id: 1") == "1"
    assert message_id("NS: imdn<urn:ietf:params:imdn>", "imdn.Message-ID:2") == "2"
    # A prefix counts from its declaration on, and means what its URI says.
    assert message_id("imdn.Message-ID: 3", "NS: imdn <urn:ietf:params:imdn>") is None
    assert message_id("NS: imdn <urn:other>", "imdn.Message-ID: 4") is None
    assert message_id("imdn.Message-ID: 5") is None
    # A declaration without a prefix changes what names without one mean (section 3.4).
    assert message_id("NS: <urn:ietf:params:imdn>", "Message-ID: 6") == "6"
    assert message_id("NS: a <urn:other>", "NS: a <urn:ietf:params:imdn>", "a.Message-ID: 7") == "7"


def test_several_senders_and_recipients_and_quoted_names() -> None:
    head = (
        'From: "Winnie \\"the\\" Pooh" <im:pooh@100akerwood.com>\r\nFrom: <im:second@x>\r\nfrom: Kanga <im:kanga@x>\r\n'
        "To: no address\r\nTo: J\\u00e9r\\u00f4me \\ud83d\\ude00 <tel:+15550100>\r\nTo: <tel:+15550101>\r\n"
    )
    message = cpim.decode_cpim(head.encode() + b"\r\nContent-Type: a/b\r\n\r\n", LIMITS)
    assert message.senders == (
        CpimAddress('Winnie "the" Pooh', "im:pooh@100akerwood.com"),
        CpimAddress("", "im:second@x"),
        CpimAddress("Kanga", "im:kanga@x"),
    )
    assert message.recipients == (CpimAddress("Jérôme 😀", "tel:+15550100"), CpimAddress("", "tel:+15550101"))


def test_escapes_of_section_2_3() -> None:
    assert cpim.escape("a\\b\tc\r\nd\x00\x7f") == "a\\\\b\\tc\\r\\nd\\u0000\\u007f"
    assert cpim.unescape("\\\"\\'\\b\\q\\") == "\"'\bq"
    assert cpim.unescape("\\u0041\\u00") == "Au00"
    assert cpim.unescape("\\ud83d") == "\ufffd"


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_escaping_is_undone_by_unescaping(text: str) -> None:
    assert cpim.unescape(cpim.escape(text)) == text


@pytest.mark.parametrize(
    ("head", "code"),
    [
        (b"", "cpim.truncated"),
        (b"From: <a:b>\r\n", "cpim.truncated"),
        (b"From: <a:b>\n\nContent-Type: a/b\n\n", "cpim.truncated"),
        (b"\r\n\r\n\r\n", "cpim.header"),
        (b"From <a:b>\r\n\r\nContent-Type: a/b\r\n\r\n", "cpim.header"),
        (b"Fr om: <a:b>\r\n\r\nContent-Type: a/b\r\n\r\n", "cpim.header"),
        (b" From: <a:b>\r\n\r\nContent-Type: a/b\r\n\r\n", "cpim.header"),
        (b"From: a\tb\r\n\r\nContent-Type: a/b\r\n\r\n", "cpim.header"),
        (b"From: a\nb\r\n\r\nContent-Type: a/b\r\n\r\n", "cpim.header"),
        (b"From: \xff\r\n\r\nContent-Type: a/b\r\n\r\n", "cpim.utf8"),
        (b"NS: imdn urn:x\r\n\r\nContent-Type: a/b\r\n\r\n", "cpim.namespace"),
        (b"From: <a:b>\r\n\r\nContent-Length: 0\r\n\r\n", "cpim.content_type"),
        (b"From: <a:b>\r\n\r\nContent-Type: a/b\r\n", "mime.header"),
        (
            b"NS: i <urn:ietf:params:imdn>\r\ni.Message-ID: 1\r\nI.message-id: 2\r\n\r\nContent-Type: a/b\r\n\r\n",
            "cpim.duplicate",
        ),
    ],
)
def test_what_does_not_follow_the_grammar_is_refused(head: bytes, code: str) -> None:
    with pytest.raises(DecodeError) as caught:
        cpim.decode_cpim(head, LIMITS)
    assert caught.value.code == code


def test_sr_08_bounds() -> None:
    tail = b"\r\n\r\nContent-Type: a/b\r\n\r\n"
    for data in [
        b"From: " + b"x" * 5000 + tail,
        b"From: " + b"x" * 10_000_000,
        b"\r\n".join([b"A: b"] * 33) + tail,
        b"A: b" + tail + b"x" * 65536,
        b"A: b\r\n\r\nContent-Type: a/b\r\nX: " + b"x" * 5000 + b"\r\n\r\n",
    ]:
        with pytest.raises(LimitExceeded):
            cpim.decode_cpim(data, LIMITS)
    assert len(cpim.decode_cpim(b"\r\n".join([b"A: b"] * 32) + tail, LIMITS).headers) == 32


def test_headers_of_ours_cannot_be_broken_out_of() -> None:
    for name, value in [("Sub ject", "x"), ("Subject", "x\r\nFrom: <a:b>"), ("NS", "no uri"), ("", "x")]:
        with pytest.raises(ValueError):
            cpim.headers((name, value))


NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,8}", fullmatch=True).filter(
    lambda name: name.lower() not in ("ns", "datetime", "message-id")
)


@given(
    st.lists(st.tuples(NAMES, st.text(st.characters(exclude_categories=["Cs"]), max_size=20)), min_size=1, max_size=6),
    st.binary(max_size=100),
    st.sampled_from(["", "base64", "quoted-printable"]),
)
def test_a_message_of_ours_reads_back_as_it_was(pairs: list[tuple[str, str]], body: bytes, encoding: str) -> None:
    written = cpim.headers(*((name, cpim.escape(text)) for name, text in pairs))
    message = Cpim(written, MimePart.of("application/octet-stream", body, transfer_encoding=encoding))
    again = cpim.decode_cpim(cpim.encode_cpim(message), LIMITS)
    assert again == message
    assert again.content.content() == body
    for header, (_, text) in zip(again.headers, pairs, strict=True):
        assert header.value == text.strip(" ")


PIECES = st.sampled_from(
    [
        b"From: ",
        b"To:",
        b"NS: ",
        b"imdn",
        b" <urn:ietf:params:imdn>",
        b"imdn.Message-ID: ",
        b"\r\n",
        b"\r\n\r\n",
        b";",
        b"lang=",
        b'"',
        b"\\",
        b"\\u12",
        b"<",
        b">",
        b" ",
        b":",
        b"Content-Type: a/b",
        b"\xc3\xa9",
        b"\xff",
        b"\x00",
        b".",
    ]
)


@given(st.one_of(st.binary(max_size=200), st.lists(PIECES, max_size=40).map(b"".join)))
def test_sr_09_any_bytes_give_a_message_or_a_decode_error(data: bytes) -> None:
    _read_everything(data)


@given(st.sampled_from([WEATHER, DEPLOYED]), st.integers(0, 10_000), st.integers(1, 255))
def test_sr_09_every_flipped_byte_gives_a_message_or_a_decode_error(data: bytes, at: int, bits: int) -> None:
    broken = bytearray(data)
    broken[at % len(data)] ^= bits
    _read_everything(bytes(broken))


def _read_everything(data: bytes) -> None:
    try:
        message = cpim.decode_cpim(data, LIMITS)
    except DecodeError:
        return
    assert cpim.encode_cpim(message) == data
    for header in message.headers:
        header.value.encode()
    for address in message.senders + message.recipients:
        (address.display_name + address.uri).encode()
    assert message.message_id is None or message.message_id.encode() is not None
    assert isinstance(message.disposition_notification, tuple)
