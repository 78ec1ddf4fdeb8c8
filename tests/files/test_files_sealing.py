"""Sealing and opening: layouts, ranges, chunks one by one, and keys that are used once."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from letterlock.codec.tls import whole
from letterlock.crypto.padme import padded_length
from letterlock.crypto.secret import Secret
from letterlock.errors import InputError
from letterlock.files import (
    CHUNK,
    HEADER,
    MAX_SIZE,
    Layout,
    Opener,
    Seal,
    Sealer,
    encode_seal,
    open_bytes,
    read_seal,
    seal_bytes,
)
from letterlock.files.layout import TAG

from .world import CRYPTO, Parts, content, open_all, seeded

EDGES = [0, 1, 2, 9, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK - 1, 3 * CHUNK, 3 * CHUNK + 1, 4 * (1 << 20) + 1]


# --- layout ------------------------------------------------------------------------------------------------------------
@given(st.integers(0, MAX_SIZE))
def test_a_layout_adds_up(size: int) -> None:
    layout = Layout(size)
    last = layout.chunks - 1
    assert layout.padded == padded_length(size)
    assert layout.sealed_at(layout.chunks) == layout.sealed_size == HEADER + layout.padded + TAG * layout.chunks
    assert layout.sealed_size - layout.sealed_at(last) == layout.padded_in(last) + TAG
    assert layout.is_last(last) and not layout.is_last(last - 1)
    assert CHUNK * last + layout.padded_in(last) == layout.padded
    assert layout.chunks <= 1 << 24, "the counter has 32 bits"
    for index in {0, last // 2, last}:
        assert 0 <= layout.content_in(index) <= layout.padded_in(index) <= CHUNK


@pytest.mark.parametrize("size", EDGES)
def test_the_chunks_make_up_the_file(size: int) -> None:
    layout = Layout(size)
    assert sum(layout.content_in(i) for i in range(layout.chunks)) == size
    assert sum(layout.padded_in(i) for i in range(layout.chunks)) == layout.padded
    places = [layout.sealed_at(i) for i in range(layout.chunks + 1)]
    assert places == sorted(places) and places[0] == HEADER and places[-1] == layout.sealed_size


@pytest.mark.parametrize("size", [-1, MAX_SIZE + 1, 1 << 64])
def test_a_file_that_is_too_long(size: int) -> None:
    with pytest.raises(InputError) as refused:
        Layout(size)
    assert refused.value.code == "input.file_size"


@given(st.data())
def test_a_range_needs_exactly_the_chunks_that_hold_it(data: st.DataObject) -> None:
    size = data.draw(st.integers(0, 1 << 24) | st.sampled_from(EDGES))
    start = data.draw(st.integers(0, size))
    stop = data.draw(st.integers(start, size))
    layout = Layout(size)
    chunks = layout.chunks_of(start, stop)
    if start == stop:
        assert len(chunks) == 0
    else:
        assert (chunks.start, chunks.stop - 1) == (start // CHUNK, (stop - 1) // CHUNK)
    begin, end = layout.sealed_range(start, stop)
    assert end - begin <= stop - start + 2 * (CHUNK + TAG) + len(chunks) * TAG


@pytest.mark.parametrize(("start", "stop"), [(-1, 1), (2, 1), (0, 11), (11, 11)])
def test_no_range_of_the_file(start: int, stop: int) -> None:
    with pytest.raises(InputError):
        Layout(10).sealed_range(start, stop)


# --- sealing -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("size", EDGES)
def test_what_was_sealed_opens(size: int) -> None:
    seal, sealed = seal_bytes(content(size), crypto=CRYPTO, rng=seeded())
    assert len(sealed) == seal.layout.sealed_size
    assert open_bytes(seal, sealed, crypto=CRYPTO) == content(size)


@given(st.binary(max_size=3000), st.text(max_size=5))
def test_whatever_is_in_it(data: bytes, seed: str) -> None:
    seal, sealed = seal_bytes(data, crypto=CRYPTO, rng=seeded(seed))
    assert open_bytes(seal, sealed, crypto=CRYPTO) == data


def test_any_chunk_opens_alone_and_again() -> None:
    parts = Parts(3 * CHUNK + 7)
    opener = Opener(parts.seal, parts.header, crypto=CRYPTO)
    plain = content(parts.seal.size)
    for index in (2, 0, 3, 0, 1):
        assert opener.open(index, parts.chunks[index]) == plain[index * CHUNK : (index + 1) * CHUNK]


def test_into_a_buffer_is_the_same() -> None:
    parts, plain = Parts(2 * CHUNK + 7), content(2 * CHUNK + 7)
    sealer = Sealer(len(plain), crypto=CRYPTO, rng=seeded())
    out = bytearray(3 * (CHUNK + TAG))
    filled = 0
    for at in range(0, len(plain), CHUNK):
        filled += sealer.seal_into(memoryview(plain)[at : at + CHUNK], memoryview(out)[filled:])
    assert sealer.header + out[:filled] == parts.whole


def test_sr06_two_files_never_share_a_key() -> None:
    """SR-06, SR-23: nobody can give a sealer a key, so changed content cannot meet a nonce that was used."""
    rng = seeded()
    first, second = (Sealer(5, crypto=CRYPTO, rng=rng) for _ in range(2))
    assert first.header != second.header
    one, two = first.seal(b"hello"), second.seal(b"hello")
    assert one != two
    assert not first.finish(bytes(32)).key.matches(second.finish(bytes(32)).key)


def test_sr06_a_sealer_goes_forward_only() -> None:
    """SR-06: a place is taken once, also when sealing it fails."""
    sealer = Sealer(CHUNK + 5, crypto=CRYPTO, rng=seeded())
    assert sealer.next_content == CHUNK
    with pytest.raises(InputError):
        sealer.finish(bytes(32))
    for wrong in (b"", bytes(CHUNK - 1), bytes(CHUNK + 1)):
        with pytest.raises(InputError):
            sealer.seal(wrong)
    with pytest.raises(InputError):
        sealer.seal_into(bytes(CHUNK), memoryview(bytearray(CHUNK)))  # no room for the tag
    assert sealer.next_content == 5, "what may have been sealed is not sealed again"
    sealer.seal(b"hello")
    assert sealer.next_content is None
    with pytest.raises(InputError):
        sealer.seal(b"")


def test_sizes_say_little() -> None:
    """SR-15: sizes are padded."""
    assert {Layout(size).sealed_size for size in range(1_000_000, 1_015_808)} == {Layout(1_015_808).sealed_size}


# --- seals -------------------------------------------------------------------------------------------------------------
def test_sr10_nothing_shows_a_key() -> None:
    """SR-10."""
    seal, _ = seal_bytes(b"x", crypto=CRYPTO, rng=seeded())
    key = seal.key.reveal()
    for shown in (repr(seal), str(seal), f"{seal}", repr(Sealer(1, crypto=CRYPTO, rng=seeded()))):
        assert key.hex() not in shown and repr(key) not in shown
    assert "Secret(<32 bytes>)" in repr(seal)
    for copied in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError):
            copied(seal)


def test_seals_are_the_same_when_all_of_them_is() -> None:
    seal = Seal(5, Secret(b"k" * 32), b"d" * 32)
    assert seal == Seal(5, Secret(b"k" * 32), b"d" * 32)
    assert hash(seal) == hash(replace(seal, key=Secret(b"k" * 32)))
    for other in (replace(seal, size=6), replace(seal, key=Secret(b"l" * 32)), replace(seal, sha256=b"e" * 32), 5):
        assert seal != other


@given(st.integers(0, MAX_SIZE), st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
def test_a_seal_is_read_as_it_was_written(size: int, key: bytes, sha256: bytes) -> None:
    seal = Seal(size, Secret(key), sha256)
    assert whole(encode_seal(seal), read_seal) == seal


def test_the_parts_of_the_tests_are_a_sealed_file() -> None:
    """Else what is refused would be refused for nothing."""
    for size in EDGES:
        parts = Parts(size)
        assert open_all(parts.seal, parts.header, parts.chunks) == content(size)
