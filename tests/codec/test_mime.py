"""MIME entities: RFC 2045 and 2046 examples, exact round trips, and what is refused."""

from __future__ import annotations

import contextlib
import gzip
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from letterlock.codec import mime, transfer
from letterlock.codec.mime import MimeLimits, MimePart, Multipart
from letterlock.errors import DecodeError, LimitExceeded

LIMITS = MimeLimits(max_size=65536, max_headers=64, max_header_bytes=8192, max_depth=4, max_parts=32)

# The example of RFC 2046 section 5.1.1, with CRLF line ends.
RFC_2046 = (
    b"From: Nathaniel Borenstein <nsb@bellcore.com>\r\nMIME-Version: 1.0\r\nSubject: Sample message\r\n"
    b'Content-type: multipart/mixed; boundary="simple boundary"\r\n\r\n'
    b"This is the preamble.  It is to be ignored.\r\n\r\n"
    b"--simple boundary\r\n\r\nThis is implicitly typed plain US-ASCII text.\r\nIt does NOT end with a linebreak.\r\n"
    b"--simple boundary\r\nContent-type: text/plain; charset=us-ascii\r\n\r\n"
    b"This is explicitly typed plain US-ASCII text.\r\nIt DOES end with a linebreak.\r\n\r\n"
    b"--simple boundary--\r\n\r\nThis is the epilogue.  It is also to be ignored.\r\n"
)


def test_the_example_of_rfc_2046() -> None:
    tree = mime.decode_tree(RFC_2046, LIMITS)
    assert isinstance(tree, Multipart)
    first, second = tree.parts
    assert isinstance(first, MimePart)
    assert isinstance(second, MimePart)
    assert first.body.endswith(b"NOT end with a linebreak.")
    assert first.content_type.media_type == "text/plain"
    assert second.body.endswith(b"DOES end with a linebreak.\r\n")
    assert second.content_type.parameter("Charset") == "us-ascii"
    assert tree.header("SUBJECT") == "Sample message"
    assert mime.encode(tree) == RFC_2046


def test_flat_reading_keeps_everything() -> None:
    part = mime.decode_part(RFC_2046, LIMITS)
    assert part.body.startswith(b"This is the preamble")
    assert mime.encode(part) == RFC_2046


@pytest.mark.parametrize(
    "data",
    [
        b"X: y\r\n z\r\n\tq\r\n\r\nbody",
        b"X:\r\nY:  two  blanks \r\n\r\n",
        b"\r\nno header at all",
        b"Content-Type: multipart/x; boundary=b\r\n\r\n--b  \r\n\r\n\r\n--b\r\nA:1\r\n\r\nx\r\n--b--\t\r\n",
        b"Content-Type: multipart/x; boundary=b\r\n\r\n\r\n--b\r\n\r\n\r\n--bb\r\n--b-\r\nx\r\n--b--",
        b'Content-Type: multipart/x; boundary="a b"\r\n\r\n--a b\r\nContent-Type: multipart/y; boundary=c\r\n\r\n'
        b"--c\r\n\r\ninner\r\n--c--\r\n--a b--\r\nepilogue\r\n--a b\r\n",
    ],
)
def test_what_is_read_is_written_back_exactly(data: bytes) -> None:
    assert mime.encode(mime.decode_tree(data, LIMITS)) == data


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "mime.header"),
        (b"X: y\r\n", "mime.header"),
        (b"X: y\n\nbody", "mime.header"),
        (b"X: a\rb\r\n\r\n", "mime.header"),
        (b"X : y\r\n\r\n", "mime.header"),
        (b" X: y\r\n\r\n", "mime.header"),
        (b"X: a\x00b\r\n\r\n", "mime.header"),
        (b"Content-Type: text\r\n\r\n", "mime.content_type"),
        (b"Content-Type: multipart/mixed\r\n\r\n--\r\n", "mime.boundary"),
        (b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx", "mime.truncated"),
        (b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n--b--", "mime.truncated"),
        (b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b--", "mime.multipart"),
    ],
)
def test_what_does_not_follow_the_grammar_is_refused(data: bytes, code: str) -> None:
    with pytest.raises(DecodeError) as caught:
        mime.decode_tree(data, LIMITS)
    assert caught.value.code == code


@pytest.mark.parametrize("encoding", ["base64", "quoted-printable", ""])
@given(content=st.binary(max_size=400))
def test_any_content_survives_each_transfer_encoding(encoding: str, content: bytes) -> None:
    part = MimePart.of("application/octet-stream", content, transfer_encoding=encoding, disposition="inline")
    again = mime.decode_part(mime.encode(part), LIMITS)
    assert again == part
    assert again.content() == content
    assert again.disposition == "inline"
    if encoding:
        assert max(map(len, again.body.split(b"\r\n"))) <= 76


def test_transfer_encodings_as_others_write_them() -> None:
    def content(encoding: bytes, body: bytes) -> bytes:
        return mime.decode_part(b"Content-Transfer-Encoding: " + encoding + b"\r\n\r\n" + body, LIMITS).content()

    assert content(b"BASE64", b"aGFs\r\nbG8=\r\n") == b"hallo"
    assert content(b"quoted-printable", b"J'=C3=a9tais=  \r\n l=C3=A0  \r\nend =\r\n") == "J'étais là\r\nend ".encode()
    assert content(b"8bit", b"\xff") == b"\xff"
    for encoding, body in [(b"base64", b"a"), (b"base64", b"!!!!"), (b"quoted-printable", b"=4"), (b"x-new", b"")]:
        with pytest.raises(DecodeError):
            content(encoding, body)


def test_inflating_knows_both_readings_of_deflate_and_stops_at_the_bound() -> None:
    text = b"the same words again " * 50
    raw = zlib.compressobj(wbits=-15)
    for name, data in [
        ("deflate", zlib.compress(text)),
        ("deflate", raw.compress(text) + raw.flush()),
        ("GZIP", gzip.compress(text)),
        ("identity", text),
    ]:
        assert transfer.inflate(data, name, len(text)) == text
    with pytest.raises(LimitExceeded):
        transfer.inflate(zlib.compress(text), "deflate", len(text) - 1)
    for broken in (b"", b"nonsense", zlib.compress(text)[:-9]):
        with pytest.raises(DecodeError):
            transfer.inflate(broken, "deflate", 10_000)
    bomb = zlib.compress(bytes(50_000_000))
    assert _peak(lambda: _refused(lambda: transfer.inflate(bomb, "deflate", 65536))) < 2 * 65536


ENTITY = st.deferred(lambda: PART | MULTIPART)
TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12)
PART = st.builds(lambda body, extra: MimePart((mime.Field.of("X-Extra", extra),), body), st.binary(max_size=30), TEXT)
MULTIPART = st.builds(
    lambda n, parts: Multipart.of("mixed", f"outer-{n}-{len(parts)}-boundary", tuple(parts)),
    st.integers(0, 10**9),
    st.lists(PART, min_size=1, max_size=4),
)


@given(MULTIPART)
def test_a_multipart_of_ours_reads_back_as_it_was(entity: Multipart) -> None:
    assert mime.decode_tree(mime.encode(entity), LIMITS) == entity


PIECES = st.sampled_from(
    [
        b"\r\n",
        b"--",
        b"b",
        b"--b",
        b"--b--",
        b"\r\n--b\r\n",
        b"\r\n\r\n",
        b"Content-Type: multipart/mixed; boundary=b",
        b'Content-Type: multipart/mixed; boundary="',
        b'"',
        b";",
        b" ",
        b"\t",
        b"\\",
        b"A:",
        b"=",
        b"\x00",
        b"\xff",
    ]
)


@given(st.one_of(st.binary(max_size=200), st.lists(PIECES, max_size=40).map(b"".join)))
def test_sr_09_any_bytes_give_an_entity_or_a_decode_error(data: bytes) -> None:
    for decode in (mime.decode_tree, mime.decode_part):
        try:
            entity = decode(data, LIMITS)
        except DecodeError:
            continue
        assert mime.encode(entity) == data
        if isinstance(entity, MimePart):
            with contextlib.suppress(DecodeError):
                entity.content()


@given(st.text(max_size=60))
def test_sr_09_any_content_type_gives_a_value_or_a_decode_error(text: str) -> None:
    with contextlib.suppress(DecodeError):
        mime.decode_content_type(text)


@given(st.integers(0, len(RFC_2046) - 1), st.integers(1, 255))
def test_sr_09_every_flipped_byte_gives_a_value_or_a_decode_error(at: int, bits: int) -> None:
    broken = bytearray(RFC_2046)
    broken[at] ^= bits
    with contextlib.suppress(DecodeError):
        assert mime.encode(mime.decode_tree(bytes(broken), LIMITS)) == broken


def nested(levels: int, size: int) -> bytes:
    """Multiparts in one another around a body, as large as asked for."""
    head = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (level, level) for level in range(levels)
    )
    tail = b"".join(b"\r\n--b%d--" % level for level in reversed(range(levels)))
    return head + b"\r\n" + b"x" * (size - len(head) - len(tail) - 2) + tail


def bombs() -> list[tuple[str, bytes]]:
    parts = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" + b"\r\n\r\n--b\r\n" * 7000
    fields = b"A:\r\n" * 16000 + b"\r\n"
    many = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" + (b"A:\r\n" * 60 + b"\r\n\r\n--b\r\n") * 250
    some = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + (b"--b\r\n" + b"A:\r\n" * 60 + b"\r\n\r\n") * 20
    return [
        ("fields over several parts", some + b"--b--"),
        ("one field too many", b"A:\r\n" * 65 + b"\r\n"),
        ("deep", nested(700, 65000)),
        ("deep and large", nested(5, 65536)),
        ("too large", nested(5, 10_000_000)),
        ("many parts", parts),
        ("many fields", fields),
        ("one long field", b"A:" + b"x" * 60000 + b"\r\n\r\n"),
        ("one long folded field", b"A:" + b"\r\n " * 20000 + b"\r\n\r\n"),
        ("many fields in many parts", many + b"\r\n--b--"),
    ]


@pytest.mark.parametrize(("name", "bomb"), bombs(), ids=[name for name, _ in bombs()])
def test_sr_08_a_mime_bomb_is_refused_within_twice_the_bound(name: str, bomb: bytes) -> None:
    assert _peak(lambda: _refused(lambda: mime.decode_tree(bomb, LIMITS))) < 2 * LIMITS.max_size


def test_sr_08_what_fits_the_bounds_costs_no_more_than_twice_them() -> None:
    data = nested(4, 65536)
    assert _peak(lambda: mime.decode_tree(data, LIMITS)) < 2 * LIMITS.max_size


def test_time_is_linear_in_the_input() -> None:
    # Steps of the interpreter would be measured best; bytes looked at by find() are what can go quadratic here.
    # A hundred thousand near-delimiters take well under a second when each is looked at once.
    limits = MimeLimits(2**22, 64, 8192, 4, 32)
    head = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n"
    data = head + b"\r\n--bx" * 300_000 + b" " * 100_000 + b"\r\n--b--"
    tree = mime.decode_tree(data, limits)
    assert isinstance(tree, Multipart)
    assert len(tree.parts) == 1
    blanks = MimePart.of("text/plain", b" " * 1_000_000, transfer_encoding="").body
    part = mime.decode_part(b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + blanks + b"x", limits)
    assert len(part.content()) == 1_000_001


def test_headers_of_ours_cannot_be_broken_out_of() -> None:
    for name, value in [("A b", "x"), ("A", "x\r\nB: y"), ("", "x"), ("Ä", "x"), ("A", "\x7f")]:
        with pytest.raises(ValueError, match="header"):
            mime.Field.of(name, value)


def _refused(call: object) -> None:
    with pytest.raises(LimitExceeded):
        call()  # type: ignore[operator]


def _peak(call: object) -> int:
    call()  # type: ignore[operator]  # once before, so that caches are not counted
    tracemalloc.start()
    try:
        call()  # type: ignore[operator]
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
