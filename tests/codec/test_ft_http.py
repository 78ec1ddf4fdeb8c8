"""Documents of file transfer over HTTP, forms, and names of files from strangers."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from letterlock.codec import ft_http
from letterlock.codec.file_names import safe_file_name
from letterlock.codec.form_data import (
    FormDataReader,
    FormEvent,
    FormLimits,
    PartBegun,
    PartData,
    PartEnded,
    boundary_of,
    part_head,
)
from letterlock.codec.ft_http import FileDocument, FileLimits, RemoteFile, ResumeInfo
from letterlock.codec.xml import XmlLimits
from letterlock.errors import DecodeError, LimitExceeded

LIMITS = FileLimits(XmlLimits(16_384, 8, 64), 1 << 40, 255, 2048)
UNTIL = 1_800_000_000_000

# As a deployed client writes it (rcs.md 2.6): the media namespace with the prefix `am`, a thumbnail first.
DEPLOYED = b"""<?xml version="1.0" encoding="UTF-8"?>
<file xmlns="urn:gsma:params:xml:ns:rcs:rcs:fthttp" xmlns:am="urn:gsma:params:xml:ns:rcs:rcs:rram">
<file-info type="thumbnail"><file-size>7427</file-size><content-type>image/jpeg</content-type>
<data url="https://ftcontentserver.example.test/thumb?id=1&amp;x=2" until="2026-12-24T10:00:00.5+01:00"/></file-info>
<file-info type="file" file-disposition="render"><file-size>183000</file-size><file-name>voice.amr</file-name>
<content-type>audio/amr; x=y</content-type><am:playing-length>12</am:playing-length>
<data url="https://ftcontentserver.example.test/file" until="2026-12-24T09:00:00Z"/></file-info></file>"""


def test_the_document_as_deployed() -> None:
    found = ft_http.decode_file(DEPLOYED, LIMITS)
    assert found.render and found.playing_seconds == 12
    assert found.file.name == "voice.amr" and found.file.content_type == "audio/amr" and found.file.size == 183_000
    assert found.thumbnail is not None and found.thumbnail.url == "https://ftcontentserver.example.test/thumb?id=1&x=2"
    assert found.thumbnail.until is not None and found.file.until is not None
    assert found.thumbnail.until - found.file.until == 500


@given(
    st.text(max_size=40),
    st.integers(0, 1 << 40),
    st.integers(0, 4_000_000_000),
    st.booleans(),
    st.one_of(st.none(), st.integers(0, 999_999)),
)
def test_documents_come_back_as_they_were(name: str, size: int, until: int, render: bool, length: int | None) -> None:
    """Names too, but for what XML cannot carry and the space around them."""
    file = RemoteFile(size, "video/mp4", "https://h.test/f?a=1&b='2'", until * 1000, name)
    document = FileDocument(file, RemoteFile(3, "image/png", "https://h.test/t"), render, length)
    found = ft_http.decode_file(ft_http.encode_file(document), LIMITS)
    assert (found.file.size, found.file.until, found.file.url) == (size, until * 1000, file.url)
    assert (found.render, found.playing_seconds, found.thumbnail) == (render, length, document.thumbnail)
    if name.isprintable() and name.strip() == name:
        assert found.file.name == name


def test_resume_information_both_ways() -> None:
    info = ResumeInfo(0, 99, "https://h.test/u?a=1&b=2")
    assert ft_http.decode_resume_info(ft_http.encode_resume_info(info), LIMITS) == info


def _with(old: bytes, new: bytes) -> bytes:
    assert old in DEPLOYED
    return DEPLOYED.replace(old, new)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"<file/>", "fthttp.file"),
        (b"<files/>", "fthttp.root"),
        (_with(b"rcs:fthttp", b"rcs:other"), "fthttp.root"),
        (_with(b'type="thumbnail"', b'type="file"'), "fthttp.repeated"),
        (_with(b"183000", b"-1"), "fthttp.size"),
        (_with(b"183000", b"1e9"), "fthttp.size"),
        (_with(b"183000", "١٢".encode()), "fthttp.size"),
        (_with(b"183000", b"9999999999999999999"), "fthttp.limit"),
        (_with(b"<file-size>183000</file-size>", b""), "fthttp.size"),
        (_with(b"voice.amr", b"n" * 256), "fthttp.limit"),
        (_with(b"test/file", b"t/" + b"n" * 2048), "fthttp.limit"),
        (_with(b"https://ftcontentserver.example.test/file", b"file:///etc/passwd"), "fthttp.url"),
        (_with(b"https://ftcontentserver.example.test/file", b"javascript:alert(1)"), "fthttp.url"),
        (_with(b"https://ftcontentserver.example.test/file", b"https://h/&#10;X: y"), "fthttp.url"),
        (_with(b"https://ftcontentserver.example.test/file", b"https://h/a b"), "fthttp.url"),
        (b'<!DOCTYPE file [<!ENTITY a "b">]>' + DEPLOYED[DEPLOYED.index(b"<file ") :], "xml.doctype"),
        (DEPLOYED + b" " * 16_384, "xml.limit"),
        (_with(b"<file-name>", b"<a>" * 70 + b"</a>" * 70 + b"<file-name>"), "xml.limit"),
    ],
)
def test_sr14_hostile_documents(data: bytes, code: str) -> None:
    """SR-14, SR-09: one documented error each."""
    with pytest.raises(DecodeError) as caught:
        ft_http.decode_file(data, LIMITS)
    assert caught.value.code == code


@pytest.mark.parametrize(
    "text", ["../../etc/passwd", "..\\..\\x.exe", "/etc/shadow", "a\u202egpj.exe", "", ".bashrc", "\x1b[2Jx", "CON"]
)
def test_sr14_a_hostile_name_stays_data(text: str) -> None:
    """SR-14: the decoder gives the name as it came; `safe_file_name` makes one path component of it."""
    file = RemoteFile(1, "image/png", "https://h.test/f", None, text)
    found = ft_http.decode_file(ft_http.encode_file(FileDocument(file)), LIMITS)
    assert found.file.name == text.replace("\x1b", "\ufffd")
    safe = safe_file_name(found.file.name)
    assert safe and "/" not in safe and "\\" not in safe and safe.isprintable()
    assert not safe.startswith((".", "-")) and safe.upper() != "CON"


@given(st.text(max_size=300))
@settings(max_examples=300)
def test_sr14_safe_names_are_one_component(text: str) -> None:
    """SR-14: whatever the name; and a safe name stays as it is."""
    safe = safe_file_name(text)
    assert 0 < len(safe.encode()) <= 180 and safe not in (".", "..")
    assert not set(safe) & set('/\\:\0\n\r<>"|?*') and all(c.isprintable() for c in safe)
    assert safe_file_name(safe) == safe


def test_the_extension_of_a_long_name_is_kept() -> None:
    assert safe_file_name("x" * 400 + ".jpeg").endswith("x.jpeg")
    assert len(safe_file_name("é" * 400 + ".jpeg").encode()) <= 160
    assert safe_file_name("report (final).pdf") == "report (final).pdf"


@pytest.mark.parametrize(
    "data",
    [
        b'<file-resume-info><file-range start="0" end="-1"/><data url="https://h/u"/></file-resume-info>',
        b'<file-resume-info><file-range start="5" end="4"/><data url="https://h/u"/></file-resume-info>',
        b'<file-resume-info><file-range start="0" end="99999999999999"/><data url="https://h/u"/></file-resume-info>',
        b'<file-resume-info><file-range start="0"/><data url="https://h/u"/></file-resume-info>',
        b'<file-resume-info><file-range start="0" end="3"/></file-resume-info>',
        b'<file-resume-info><file-range start="0" end="3"/><data url="ftp://h/u"/></file-resume-info>',
        b"<x/>",
    ],
)
def test_resume_information_that_cannot_be(data: bytes) -> None:
    with pytest.raises(DecodeError):
        ft_http.decode_resume_info(data, LIMITS)


# --- times ---------------------------------------------------------------------------------------------------
@given(st.integers(0, 253_402_300_799))
def test_times_agree_with_the_library(seconds: int) -> None:
    """The codec may not import datetime; the calendar is checked against it."""
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if seconds >= 0:
        assert ft_http.iso8601(seconds * 1000) == text and ft_http.instant_of(text) == seconds * 1000


@pytest.mark.parametrize(
    "text",
    ["", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:00:00", "x" * 99],
)
def test_times_that_are_none(text: str) -> None:
    assert ft_http.instant_of(text) is None


# --- forms ---------------------------------------------------------------------------------------------------
FORM = FormLimits(8, 2048)
B = b"boundary1"
BODY = (
    part_head(B, "tid", length=3)
    + b"t-1\r\n"
    + part_head(B, "File", filename='a "b" ü.jpg', content_type="image/jpeg", length=20)
    + b"x\r\n--boundary\r\n--y\r\n\r\n--boundary1--\r\nepilogue"
)


def read(chunks: list[bytes], boundary: bytes = B, limits: FormLimits = FORM) -> tuple[list[FormEvent], bool]:
    reader = FormDataReader(boundary, limits)
    events: list[FormEvent] = []
    for chunk in chunks:
        for event in reader.feed(chunk):
            if isinstance(event, PartData) and events and isinstance(events[-1], PartData):
                events[-1] = PartData(events[-1].data + event.data)
            else:
                events.append(event)
    return events, reader.ended


WHOLE = [
    PartBegun("tid", "", "text/plain", 3),
    PartData(b"t-1"),
    PartEnded(),
    PartBegun("File", 'a "b" ü.jpg', "image/jpeg", 20),
    PartData(b"x\r\n--boundary\r\n--y\r\n"),
    PartEnded(),
]


def test_a_form_cut_into_pieces_anywhere() -> None:
    assert read([BODY]) == (WHOLE, True)
    assert read([bytes([byte]) for byte in BODY]) == (WHOLE, True)
    for cut in range(len(BODY)):
        assert read([BODY[:cut], BODY[cut:]]) == (WHOLE, True)


def test_a_form_that_ends_early_leaves_a_prefix_of_the_file() -> None:
    """What may be the start of a boundary is never taken for content: a resumed upload would go on in the wrong place."""
    content = b"x\r\n--boundary\r\n--y\r\n"
    for cut in range(len(BODY)):
        events, _ = read([BODY[:cut]])
        data = (
            [event.data for event in events[events.index(WHOLE[3]) :] if isinstance(event, PartData)]
            if WHOLE[3] in events
            else []
        )
        assert content.startswith(b"".join(data))


@given(st.binary(max_size=400), st.lists(st.integers(0, 600), max_size=6))
def test_any_content_comes_back(content: bytes, cuts: list[int]) -> None:
    boundary = b"Zq7"
    if b"\r\n--Zq7" in content:
        return
    body = part_head(boundary, "File", length=len(content)) + content + b"\r\n--Zq7--"
    places = sorted({min(cut, len(body)) for cut in cuts})
    chunks = [body[a:b] for a, b in zip([0, *places], [*places, len(body)], strict=True)]
    events, ended = read(chunks, boundary)
    assert ended and b"".join(event.data for event in events if isinstance(event, PartData)) == content


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"x" * 4096, DecodeError),
        (b"--boundary1garbage\r\n\r\n", DecodeError),
        (b"--boundary1\r\nX: " + b"y" * 4096, LimitExceeded),
        (b"--boundary1\r\n\r\nno disposition\r\n--boundary1--", DecodeError),
        (b"--boundary1\r\nContent-Disposition: attachment\r\n\r\n", DecodeError),
        (b'--boundary1\r\nContent-Disposition: form-data; name="a"; name="b"\r\n\r\n', DecodeError),
        (b"--boundary1\r\nContent-Disposition: form-data\r\nContent-Disposition: form-data\r\n\r\n", DecodeError),
        (
            b'--boundary1\r\nContent-Disposition: form-data; name="a"\r\nContent-Transfer-Encoding: base64\r\n\r\n',
            DecodeError,
        ),
        (b'--boundary1\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n' * 9, LimitExceeded),
    ],
)
def test_hostile_forms(body: bytes, error: type[DecodeError]) -> None:
    with pytest.raises(error):
        read([body])
    with pytest.raises(error):
        read([bytes([byte]) for byte in body])


def test_reading_is_linear_in_single_bytes() -> None:
    """SR-08: a megabyte in pieces of one byte costs a megabyte, not its square."""
    reader = FormDataReader(B, FORM)
    reader.feed(part_head(B, "File", length=0))
    rng = random.Random(4)
    total = 0
    for _ in range(200_000):
        total += sum(
            len(event.data) for event in reader.feed(bytes([rng.randrange(256)])) if isinstance(event, PartData)
        )
    assert 200_000 - 64 < total <= 200_000


@pytest.mark.parametrize(
    ("text", "boundary"),
    [
        ("multipart/form-data; boundary=abc", b"abc"),
        ('Multipart/Form-Data; charset=utf-8; boundary="a b:c"', b"a b:c"),
        ("multipart/form-data", None),
        ("multipart/mixed; boundary=abc", None),
        ("multipart/form-data; boundary=" + "x" * 71, None),
        ('multipart/form-data; boundary="a\r\nb"', None),
        ('multipart/form-data; boundary="x "', None),
        ("", None),
    ],
)
def test_boundaries(text: str, boundary: bytes | None) -> None:
    if boundary is None:
        with pytest.raises(DecodeError):
            boundary_of(text)
    else:
        assert boundary_of(text) == boundary
