"""Pointers: read as they were written, checked against themselves, and refused with one error each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from letterlock.codec.tls import opaque, optional, u8, u32, u64
from letterlock.crypto.secret import Secret
from letterlock.errors import DecodeError, InputError, InvalidFile, LimitExceeded
from letterlock.files import (
    Dimensions,
    FilePointer,
    Layout,
    RemoteSeal,
    Seal,
    decode_pointer,
    encode_pointer,
    encode_seal,
)
from letterlock.files.pointer import MAX_NAME, MAX_POINTER, MAX_THUMBNAIL, MAX_URL, MAX_WAVEFORM

from .decoders import PICTURE, PLAIN, VOICE
from .world import Parts, refuses

Act = Callable[[], object]

SEAL = Parts(1000).seal
URL = b"https://content.example.test/f/1"


def written(
    *,
    version: int = 1,
    seal: bytes = encode_seal(SEAL),
    url: bytes = URL,
    name: bytes = b"a.jpg",
    content_type: bytes = b"image/jpeg",
    small: bytes | None = None,
    dimensions: bytes | None = None,
    duration: bytes | None = None,
    waveform: bytes = b"",
    tail: bytes = b"",
) -> bytes:
    """A pointer as somebody else might write it."""
    return b"".join(
        (
            u8(version) + seal + opaque(url) + optional(None) + opaque(name) + opaque(content_type),
            optional(small) + optional(dimensions) + optional(duration) + opaque(waveform) + opaque(tail),
        )
    )


def small_of(size: int, *, key: bytes = b"t" * 32, width: int = 320, height: int = 200) -> bytes:
    seal = encode_seal(Seal(size, Secret(key), bytes(32)))
    return seal + opaque(URL) + optional(None) + u32(width) + u32(height)


@pytest.mark.parametrize("pointer", [PLAIN, PICTURE, VOICE])
def test_a_pointer_is_read_as_it_was_written(pointer: FilePointer) -> None:
    assert decode_pointer(encode_pointer(pointer)) == pointer


def test_what_the_tests_write_is_a_pointer() -> None:
    expected = FilePointer(RemoteSeal(SEAL, URL.decode()), "a.jpg", "image/jpeg")
    assert decode_pointer(written()) == expected
    assert encode_pointer(expected) == written()


@given(
    st.text(max_size=60).filter(lambda name: len(name.encode(errors="replace")) <= MAX_NAME),
    st.none() | st.builds(Dimensions, st.integers(1, 1 << 20), st.integers(1, 1 << 20)),
    st.none() | st.integers(0, (1 << 36) - 1),
    st.binary(max_size=MAX_WAVEFORM),
    st.none() | st.integers(0, (1 << 64) - 1),
)
def test_whatever_a_file_is_called(
    name: str, dimensions: Dimensions | None, duration: int | None, waveform: bytes, until: int | None
) -> None:
    pointer = FilePointer(
        RemoteSeal(SEAL, URL.decode(), until),
        name,
        "image/png",
        None,
        dimensions,
        duration,
        waveform if duration else b"",
    )
    try:
        name.encode()
    except UnicodeEncodeError:
        with pytest.raises(InputError):
            encode_pointer(pointer)
        return
    assert decode_pointer(encode_pointer(pointer)) == pointer


def test_the_tail_of_a_later_version_is_skipped() -> None:
    assert decode_pointer(written(tail=b"anything" * 100)) == decode_pointer(written())


def test_another_version_has_its_own_code() -> None:
    for version in (0, 2, 255):
        with pytest.raises(DecodeError) as refused:
            decode_pointer(written(version=version))
        assert refused.value.code == "file.pointer.version"


def test_the_longest_pointer_is_within_the_limit() -> None:
    longest = replace(
        PICTURE, at=replace(PICTURE.at, url="https://h/" + "u" * (MAX_URL - 10)), name="n" * MAX_NAME, duration_ms=1
    )
    assert len(encode_pointer(replace(longest, waveform=bytes(MAX_WAVEFORM)))) + 4_096 < MAX_POINTER


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "tls.truncated"),
        (written()[:-1], "tls.truncated"),
        (written() + b"\0", "tls.trailing"),
        (written(name=b"\xff"), "file.pointer.text"),
        (written(name=b"n" * (MAX_NAME + 1)), "tls.limit"),
        (written(url=URL + b"u" * MAX_URL), "tls.limit"),
        (written(waveform=bytes(MAX_WAVEFORM + 1), duration=u64(1)), "tls.limit"),
        (written(tail=bytes(4_097)), "tls.limit"),
        *((written(url=url), "file.pointer.url") for url in (b"", b"file:///etc/passwd", b"https://", b"https://a b", b"x")),
        *((written(content_type=t), "file.pointer.type") for t in (b"", b"image", b"Image/jpeg", b"a/b\r\nX: y", b"/", b"a/b;c")),
        (written(small=b"\x00"), "tls.truncated"),
    ],
)  # fmt: skip
def test_sr09_what_is_no_pointer(data: bytes, code: str) -> None:
    """SR-09."""
    with pytest.raises(DecodeError) as refused:
        decode_pointer(data)
    assert refused.value.code == code


def test_sr08_a_pointer_that_is_too_long_is_not_read() -> None:
    """SR-08."""
    with pytest.raises(LimitExceeded) as refused:
        decode_pointer(written() + bytes(MAX_POINTER))
    assert refused.value.code == "file.pointer.limit"


# --- numbered rules ----------------------------------------------------------------------------------------------------
def sizes(size: int, sealed: int) -> bytes:
    return u64(size) + u64(sealed) + bytes(64)


@refuses("LL-FILE-10", 2**40 + 1, 2**64 - 1)
def test_sr08_a_file_of_more_than_there_is(place: int) -> Act:
    """SR-08."""
    return lambda: decode_pointer(written(seal=sizes(place, place)))


RIGHT = Layout(1000).sealed_size


@refuses(
    "LL-FILE-11",
    (1000, RIGHT - 1),
    (1000, RIGHT + 1),
    (1000, 1000),
    (1000, 0),
    (1000, 2**64 - 1),
    (0, RIGHT),
    (1025, RIGHT),
)
def test_sr15_lengths_that_cannot_both_be_true(place: tuple[int, int]) -> Act:
    """SR-15: before anything is fetched."""
    return lambda: decode_pointer(written(seal=sizes(*place)))


@refuses("LL-FILE-12", 0, MAX_THUMBNAIL + 1, 1 << 30)
def test_sr08_a_thumbnail_that_is_none(place: int) -> Act:
    """SR-08: it is fetched without asking."""
    return lambda: decode_pointer(written(small=small_of(place)))


@refuses("LL-FILE-13")
def test_sr23_one_key_for_two_files() -> Act:
    """SR-23."""
    return lambda: decode_pointer(written(small=small_of(5, key=SEAL.key.reveal())))


@refuses("LL-FILE-14", (0, 1), (1, 0), ((1 << 20) + 1, 1), (1, 2**32 - 1))
def test_a_picture_without_area(place: tuple[int, int]) -> Act:
    return lambda: decode_pointer(written(dimensions=u32(place[0]) + u32(place[1])))


@refuses("LL-FILE-14", (0, 1), (1, 0))
def test_a_thumbnail_without_area(place: tuple[int, int]) -> Act:
    return lambda: decode_pointer(written(small=small_of(5, width=place[0], height=place[1])))


@refuses("LL-FILE-15", 1 << 36, 2**64 - 1)
def test_a_sound_of_years(place: int) -> Act:
    return lambda: decode_pointer(written(duration=u64(place)))


@refuses("LL-FILE-16")
def test_a_waveform_of_nothing() -> Act:
    return lambda: decode_pointer(written(waveform=bytes(64)))


# --- what is not written -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "changed",
    [
        {"name": "n" * 256},
        {"name": "\ud800"},
        {"content_type": "IMAGE/JPEG"},
        {"dimensions": Dimensions(0, 5)},
        {"dimensions": Dimensions(-1, 5)},
        {"duration_ms": -1},
        {"waveform": b"x", "duration_ms": None},
        {"at": RemoteSeal(SEAL, "ftp://x")},
        {"at": RemoteSeal(SEAL, URL.decode(), -1)},
        {"at": RemoteSeal(replace(SEAL, key=Secret(b"short")), URL.decode())},
        {"at": RemoteSeal(replace(SEAL, size=1 << 41), URL.decode())},
    ],
)
def test_nobody_writes_what_nobody_reads(changed: dict[str, object]) -> None:
    with pytest.raises(InputError):
        encode_pointer(replace(VOICE, **changed))  # type: ignore[arg-type]


def test_sr10_a_pointer_shows_neither_keys_nor_addresses() -> None:
    """SR-10: whoever knows the address can fetch the ciphertext."""
    shown = repr(PICTURE)
    assert PICTURE.at.url not in shown and PICTURE.thumbnail is not None
    for seal in (PICTURE.at.seal, PICTURE.thumbnail.at.seal):
        assert seal.key.reveal().hex() not in shown and repr(seal.key.reveal()) not in shown


def test_a_refused_pointer_is_a_malformed_one() -> None:
    """Whoever reads messages catches one class."""
    assert issubclass(InvalidFile, DecodeError)
    with pytest.raises(DecodeError) as refused:
        decode_pointer(written(seal=sizes(5, 5)))
    assert refused.value.code == "file.11"
