"""The wire log and the search in it: every form is found where it was planted, and nowhere else."""

from __future__ import annotations

import base64
import gzip
import json
import quopri
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from letterlock.carrier import Searcher, WireLog, read_wire_log, search
from letterlock.carrier.wirelog import Layer, Record, WireLogWriter
from letterlock.errors import DecodeError

SECRET = "the dog barks at half past nine"
OTHER = "no cat has ever said this before"
NOISE = bytes((index * 7919 + index // 251) % 256 for index in range(20_000))


def log_of(*pieces: bytes, kind: str = "r") -> WireLog:
    """One connection over which these pieces came."""
    return WireLog((Record("O", 1, 0, b"tcp x"), *(Record(kind, 1, 0, piece) for piece in pieces)))


def raw_deflate(data: bytes) -> bytes:
    machine = zlib.compressobj(wbits=-15)
    return machine.compress(data) + machine.flush()


PLANTED: dict[str, Callable[[str], bytes]] = {
    "raw": lambda text: b"some words and " + text.encode() + b" and more",
    "base64 at 0": lambda text: base64.b64encode(text.encode() + b" tail"),
    "base64 at 1": lambda text: base64.b64encode(b"x" + text.encode() + b"yz"),
    "base64 at 2": lambda text: base64.b64encode(b"xy" + text.encode()),
    "base64url": lambda text: base64.urlsafe_b64encode(b"\xff\xfe\xfb" + text.encode() + b"\xff\xfb"),
    "base64 in lines": lambda text: base64.encodebytes(b"a" * 50 + text.encode() * 3).replace(b"\n", b"\r\n"),
    "base64 glued to a word": lambda text: b"data" + base64.b64encode(b"q" + text.encode() + b"r" * 9),
    "hex": lambda text: text.encode().hex().encode(),
    "hex in capitals": lambda text: text.encode().hex().upper().encode(),
    "hex with colons": lambda text: text.encode().hex(":").encode(),
    "quoted-printable": lambda text: quopri.encodestring(f"=ü{text}".encode(), quotetabs=True),
    "quoted-printable of every byte": lambda text: "".join(f"={byte:02X}" for byte in text.encode()).encode(),
    "percent escapes": lambda text: "".join(f"%{byte:02x}" for byte in text.encode()).encode(),
    "JSON escapes": lambda text: json.dumps({"text": f"{text}"}).encode(),
    "XML character references": lambda text: "".join(f"&#{ord(char)};" for char in text).encode(),
    "UTF-16-LE": lambda text: text.encode("utf-16-le"),
    "UTF-16-BE": lambda text: b"\x00" + text.encode("utf-16-be"),
    "base64 of UTF-16": lambda text: base64.b64encode(b"." + text.encode("utf-16-le")),
    "hex of UTF-16": lambda text: text.encode("utf-16-be").hex().encode(),
    "zlib": lambda text: b"Content-Length: 9\r\n\r\n" + zlib.compress(f"{text} {text}".encode()) + b"\r\nmore",
    "zlib at level 1": lambda text: b"\x00\x01" + zlib.compress(f"a {text}".encode(), 1),
    "zlib behind its own mark": lambda text: b"\x78" + zlib.compress(f"{text} {text}".encode()),
    "gzip": lambda text: b"\r\n\r\n" + gzip.compress(f"a {text}".encode()),
    "raw deflate": lambda text: b"Content-Encoding: deflate\r\n\r\n" + raw_deflate(f"a {text}".encode()),
    "cut off zlib": lambda text: b"\r\n\r\n" + zlib.compress(f"{text} ".encode() + NOISE[:900])[:-40],
    "zlib in base64": lambda text: b"x: " + base64.b64encode(zlib.compress(f"b {text} {OTHER[:3]}".encode())),
    "zlib in base64 glued to a letter": lambda text: b"x" + base64.b64encode(zlib.compress(f"b {text} c".encode())),
    "base64 in zlib": lambda text: zlib.compress(b"." + base64.b64encode(text.encode())),
    "UTF-16 in gzip": lambda text: gzip.compress(text.encode("utf-16-le")),
}


@pytest.mark.parametrize("form", PLANTED)
def test_what_is_planted_is_found_and_what_is_not_is_not(form: str) -> None:
    data = NOISE + PLANTED[form](SECRET) + NOISE
    searcher = Searcher(log_of(data))
    assert searcher.search(SECRET), form
    assert searcher.search(OTHER) == []
    assert searcher.search(SECRET.replace("nine", "five")) == []


@pytest.mark.parametrize("form", PLANTED)
def test_a_split_between_packets_hides_nothing(form: str) -> None:
    data = b"\r\n\r\n" + PLANTED[form](SECRET)
    assert search(log_of(*(data[at : at + 3] for at in range(0, len(data), 3))), SECRET)


@pytest.mark.parametrize("shift", range(3))
def test_a_short_text_in_base64_is_found_at_each_alignment(shift: int) -> None:
    """Too short for a run of base64 to be told from a word: only the needle's own forms find it."""
    token = base64.b64encode(b"\xfb" * shift + b"eightch" + b"r").rstrip(b"=")
    assert search(log_of(b"id: " + token + b" x"), "eightchr")
    assert search(log_of(b"id: " + token.replace(b"+", b"-").replace(b"/", b"_") + b" x"), "eightchr")
    assert not search(log_of(b"id: " + token + b" x"), "wrongchr")


def test_noise_holds_nothing() -> None:
    searcher = Searcher(log_of(NOISE))
    for needle in (SECRET, OTHER, "hello there", "ü" * 8):
        assert searcher.search(needle) == []


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=8, max_size=40), st.sampled_from(sorted(PLANTED)))
def test_any_text_is_found_in_any_form(text: str, form: str) -> None:
    assert search(log_of(b"\r\n\r\n" + PLANTED[form](text)), text)


@given(st.binary(max_size=300))
def test_any_bytes_can_be_searched(data: bytes) -> None:
    search(log_of(data), SECRET)


# --- MSRP ------------------------------------------------------------------------------------------
def msrp_chunks(message_id: str, data: bytes, size: int, *, total: str = "*") -> list[bytes]:
    """A message as an MSRP endpoint sends it, in chunks of so many bytes (RFC 4975 section 5.1)."""
    chunks = []
    for at in range(0, len(data), size):
        piece = data[at : at + size]
        transaction = f"t{message_id}{at}"
        flag = "$" if at + size >= len(data) else "+"
        head = (
            f"MSRP {transaction} SEND\r\nTo-Path: msrp://b:1/x;tcp\r\nFrom-Path: msrp://a:2/y;tcp\r\n"
            f"Message-ID: {message_id}\r\nByte-Range: {at + 1}-{at + len(piece)}/{total}\r\n"
            "Content-Type: message/cpim\r\n\r\n"
        )
        chunks.append(head.encode() + piece + f"\r\n-------{transaction}{flag}\r\n".encode())
    return chunks


@pytest.mark.parametrize("size", [1, 2, 3, 7, 20, 30])
def test_a_text_that_is_cut_by_chunk_borders_is_found(size: int) -> None:
    chunks = msrp_chunks("one", b"Subject: x\r\n\r\n" + SECRET.encode() + b" and on", size)
    data = b"".join(chunks)
    # The control: it is nowhere in the bytes as they went, so that only putting chunks together can find it.
    assert SECRET.encode() not in data
    hits = search(log_of(data), SECRET)
    assert {hit.form for hit in hits} == {"an MSRP message"}
    assert search(log_of(data), OTHER) == []
    assert search(log_of(data.replace(b"MSRP", b"MSRQ")), SECRET) == []


@pytest.mark.parametrize("form", PLANTED)
def test_every_form_is_found_behind_chunk_borders(form: str) -> None:
    planted = b"some words\r\n\r\n" + PLANTED[form](SECRET)
    assert search(log_of(b"".join(msrp_chunks("one", planted, 11))), SECRET), form


def test_interleaved_reordered_repeated_and_broken_off_messages_are_found() -> None:
    ours = msrp_chunks("one", b"." * 5 + SECRET.encode() + b"." * 5, 9)
    theirs = msrp_chunks("two", NOISE[:100], 9)
    woven = b"".join(piece for pair in zip(ours, theirs, strict=False) for piece in pair)
    assert search(log_of(woven), SECRET)
    assert search(log_of(b"".join(reversed(ours))), SECRET)
    repeated = b"".join((*ours[:3], *ours[1:]))
    assert search(log_of(repeated), SECRET)
    # Cut in the middle of the last chunk that is needed, and carried on over another connection.
    cut = b"".join(ours)[: -len(ours[-1]) - 10]
    assert search(log_of(cut), SECRET[:-4])
    records = (Record("r", 1, 0, b"".join(ours[:2])), Record("r", 2, 0, b"".join(ours[2:])))
    (hit,) = search(WireLog(records), SECRET)
    assert hit.connection == 1


def test_what_looks_like_an_end_line_does_not_end_a_chunk_and_directions_stay_apart() -> None:
    body = b"\r\n-------tonefive\r\n" + SECRET.encode()
    ours = msrp_chunks("one", body, 30)
    assert search(log_of(b"".join(ours)), SECRET)
    records = (Record("r", 1, 0, ours[0]), Record("s", 1, 0, b"".join(ours[1:])))
    assert search(WireLog(records), SECRET) == []


@given(st.integers(1, 40), st.integers(1, 15), st.binary(max_size=60))
def test_any_cut_is_put_together(size: int, record: int, around: bytes) -> None:
    data = b"".join(msrp_chunks("m", around + SECRET.encode() + around, size))
    assert search(log_of(*(data[at : at + record] for at in range(0, len(data), record))), SECRET)


@given(
    st.lists(
        st.sampled_from([b"MSRP a SEND\r\n", b"\r\n\r\n", b"\r\n-------a", b"$", b"Message-ID: x", b"Byte-Range: 99-"])
    )
)
def test_any_scraps_of_msrp_can_be_searched(scraps: list[bytes]) -> None:
    search(log_of(b"".join(scraps)), SECRET)


def test_hits_say_where() -> None:
    log = WireLog(
        (
            Record("O", 3, 0, b"tls x"),
            Record("r", 3, 0, NOISE),
            Record("R", 3, 0, b"ab " + SECRET.encode()),
            Record("S", 3, 0, base64.b64encode(SECRET.encode())),
        )
    )
    hits = search(log, SECRET)
    assert {(hit.connection, hit.received, hit.layer) for hit in hits} == {
        (3, True, Layer.AFTER_TLS),
        (3, False, Layer.AFTER_TLS),
    }
    assert next(hit for hit in hits if hit.form == "as it is").offset == 3
    with pytest.raises(ValueError, match="nothing"):
        search(log, "")


def test_directions_and_connections_are_not_mixed_up() -> None:
    half = len(SECRET) // 2
    first, second = SECRET[:half].encode(), SECRET[half:].encode()
    for kinds in ((1, "r", 1, "s"), (1, "r", 2, "r"), (1, "r", 1, "R")):
        records = (Record(kinds[1], kinds[0], 0, first), Record(kinds[3], kinds[2], 0, second))
        assert search(WireLog(records), SECRET) == []


def test_the_file_reads_back_and_may_break_off_anywhere(tmp_path: Path) -> None:
    path = tmp_path / "wire.log"
    writer = WireLogWriter(path)
    writer.write("O", 1, 17, b"tcp 127.0.0.1:9")
    writer.write("r", 1, 18, NOISE)
    writer.close()
    more = WireLogWriter(path)  # appended, not begun again
    more.write("C", 1, 19, b"")
    more.close()
    log = read_wire_log(path)
    assert [(record.kind, record.connection, record.at) for record in log.records] == [
        ("O", 1, 17),
        ("r", 1, 18),
        ("C", 1, 19),
    ]
    assert log.streams()[0].data == NOISE
    data = path.read_bytes()
    cut = tmp_path / "cut.log"
    for end in (8, 9, 24, 25, 60, len(data) - 1):
        cut.write_bytes(data[:end])
        assert len(read_wire_log(cut).records) < 3
    for broken in (b"", b"LLWIRE2\n", data[:8] + b"?" * 30):
        cut.write_bytes(broken)
        with pytest.raises(DecodeError):
            read_wire_log(cut)
