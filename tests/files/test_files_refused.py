"""What does not open: every numbered rule of a sealed file, and every way to change one."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from letterlock.crypto.secret import Secret
from letterlock.errors import InputError, InvalidFile
from letterlock.files import (
    CHUNK,
    HEADER,
    Layout,
    Opener,
    Seal,
    check_digest,
    check_sealed_size,
    open_bytes,
    seal_bytes,
)
from letterlock.files.keys import derive
from letterlock.files.layout import TAG

from .world import CRYPTO, Parts, content, every_rule, open_all, refuses, seeded

Act = Callable[[], object]

THREE = 2 * CHUNK + 1000  # two whole chunks and a part of one


def flipped(data: bytes, at: int, bit: int = 1) -> bytes:
    changed = bytearray(data)
    changed[at] ^= bit
    return bytes(changed)


def sealed_by_hand(seal: Seal, header: bytes, index: int, padded: bytes, *, last: bool) -> bytes:
    """What somebody who has the key can make: a chunk with whatever inside, for whatever place."""
    keys = derive(CRYPTO, seal.key, header, seal.layout)
    return keys.aead.seal(keys.nonce(index, last), padded, b"")


def test_every_rule_has_a_negative_test() -> None:
    tested: set[str] = set()
    for path in Path(__file__).parent.glob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "refuses":
                tested.add(ast.literal_eval(node.args[0]))
    assert tested == set(every_rule())


def test_every_rule_stands_in_the_specification() -> None:
    page = (Path(__file__).parents[2] / "docs" / "spec" / "files.md").read_text(encoding="utf-8")
    for name, rule in every_rule().items():
        assert f"| {name} | {rule.clause.removeprefix('files.md ')} | {rule.text} |" in page, name


# --- header ----------------------------------------------------------------------------------------------------------
@refuses("LL-FILE-01", *range(7), "short", "long", "empty")
def test_what_has_no_header_of_ours(place: int | str) -> Act:
    parts = Parts(10)
    header = {"short": parts.header[:-1], "long": parts.header + b"\0", "empty": b""}.get(str(place))
    changed = flipped(parts.header, place) if isinstance(place, int) else header
    assert changed is not None
    return lambda: open_all(parts.seal, changed, parts.chunks)


@refuses("LL-FILE-02", 0, 2, 255)
def test_a_version_that_nobody_knows(place: int) -> Act:
    parts = Parts(10)
    return lambda: open_all(parts.seal, parts.header[:7] + bytes((place,)) + parts.header[8:], parts.chunks)


@refuses("LL-FILE-03", 0, 1, CHUNK - 1, CHUNK * 2, 2**32 - 1)
def test_another_size_of_chunks(place: int) -> Act:
    parts = Parts(10)
    return lambda: open_all(parts.seal, parts.header[:8] + place.to_bytes(4, "big") + parts.header[12:], parts.chunks)


# --- cut and extended ------------------------------------------------------------------------------------------------
def boundaries(size: int) -> list[int]:
    """Where chunks and tags begin and end, and a byte to either side."""
    layout = Layout(size)
    marks = {0, 1, HEADER - 1, HEADER}
    for index in range(layout.chunks):
        end = layout.sealed_at(index + 1)
        marks |= {end - TAG - 1, end - TAG, end - TAG + 1, end - 1, end, end + 1}
    return sorted(mark for mark in marks if mark < layout.sealed_size)


@refuses("LL-FILE-04", *boundaries(THREE))
def test_sr15_a_file_that_was_cut(place: int) -> Act:
    """SR-15."""
    parts = Parts(THREE)
    return lambda: open_bytes(parts.seal, parts.whole[:place], crypto=CRYPTO)


@refuses("LL-FILE-04", b"\0", bytes(TAG), bytes(CHUNK + TAG))
def test_sr15_a_file_that_was_extended(place: bytes) -> Act:
    """SR-15."""
    parts = Parts(THREE)
    return lambda: open_bytes(parts.seal, parts.whole + place, crypto=CRYPTO)


@refuses("LL-FILE-04", -1, 1, 2**40)
def test_a_length_that_is_not_the_files(place: int) -> Act:
    parts = Parts(THREE)
    return lambda: check_sealed_size(parts.seal, parts.seal.layout.sealed_size + place)


@refuses("LL-FILE-05", 0, 1, TAG, -1, 1 + CHUNK)
def test_a_chunk_of_another_length(place: int) -> Act:
    parts = Parts(THREE)
    longer = parts.chunks[0] + bytes(place - CHUNK) if place > CHUNK else parts.chunks[0][:place]
    return lambda: Opener(parts.seal, parts.header, crypto=CRYPTO).open(0, longer)


# --- changed, moved, swapped -----------------------------------------------------------------------------------------
@refuses("LL-FILE-06", *[(i, at) for i in range(3) for at in (0, 1, -TAG - 1, -TAG, -1)])
def test_sr15_a_byte_at_every_boundary_of_a_chunk(place: tuple[int, int]) -> Act:
    """SR-15."""
    parts = Parts(THREE)
    index, at = place
    return lambda: Opener(parts.seal, parts.header, crypto=CRYPTO).open(index, flipped(parts.chunks[index], at, 0x80))


@refuses("LL-FILE-06", *range(12, HEADER))
def test_another_salt(place: int) -> Act:
    parts = Parts(10)
    return lambda: open_all(parts.seal, flipped(parts.header, place), parts.chunks)


@refuses("LL-FILE-06", (0, 1), (1, 0))
def test_sr15_chunks_that_changed_places(place: tuple[int, int]) -> Act:
    """SR-15."""
    parts = Parts(THREE)
    index, taken = place
    return lambda: Opener(parts.seal, parts.header, crypto=CRYPTO).open(index, parts.chunks[taken])


@refuses("LL-FILE-06", 0, 1, 2)
def test_sr15_the_same_chunk_of_another_file(place: int) -> Act:
    """SR-15: of the same content, even."""
    parts, other = Parts(THREE), Parts(THREE, "another file")
    return lambda: Opener(parts.seal, parts.header, crypto=CRYPTO).open(place, other.chunks[place])


@refuses("LL-FILE-06")
def test_sr15_a_file_that_was_cut_where_a_chunk_ends() -> Act:
    """SR-15: with a size that fits what is left, as somebody who changes both would say."""
    parts = Parts(3 * CHUNK)
    shorter = replace(parts.seal, size=2 * CHUNK)
    assert Layout(2 * CHUNK).sealed_size == len(parts.header) + len(b"".join(parts.chunks[:2]))
    return lambda: open_all(shorter, parts.header, parts.chunks[:2])


@refuses("LL-FILE-06", (0, True), (1, True), (2, False))
def test_sr15_a_second_last_chunk_and_none(place: tuple[int, bool]) -> Act:
    """SR-15: the keys are right and the flag is not."""
    parts = Parts(THREE)
    index, last = place
    forged = sealed_by_hand(parts.seal, parts.header, index, bytes(parts.seal.layout.padded_in(index)), last=last)
    return lambda: Opener(parts.seal, parts.header, crypto=CRYPTO).open(index, forged)


@refuses("LL-FILE-06")
def test_another_key() -> Act:
    parts = Parts(10)
    return lambda: open_all(replace(parts.seal, key=Secret(bytes(32))), parts.header, parts.chunks)


def test_there_is_nothing_behind_the_last_chunk() -> None:
    parts = Parts(THREE)
    for index in (-1, 3, 2**32):
        with pytest.raises(InputError):
            Opener(parts.seal, parts.header, crypto=CRYPTO).open(index, parts.chunks[2])


# --- lengths that lie ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("size", [1, 10, CHUNK - 1, CHUNK, CHUNK + 1, THREE])
def test_sr15_no_other_size_opens(size: int) -> None:
    """SR-15: one more, one less, nothing, all of the padding, a chunk more, the longest that there is."""
    parts = Parts(size)
    padded = parts.seal.layout.padded
    for lie in {size - 1, size + 1, 0, padded, padded + 1, size + CHUNK, max(0, size - CHUNK), 2**40} - {size}:
        lying = replace(parts.seal, size=lie)
        chunks = [*parts.chunks, *([parts.chunks[-1]] * (Layout(lie).chunks if Layout(lie).chunks < 9 else 0))]
        with pytest.raises(InvalidFile):
            open_bytes(lying, parts.whole, crypto=CRYPTO)
        opener = Opener(lying, parts.header, crypto=CRYPTO)
        for chunk in chunks:
            for index in range(min(opener.layout.chunks, 4)):
                with pytest.raises(InvalidFile):
                    opener.open(index, chunk)


@refuses("LL-FILE-06", 9, 10)
def test_a_size_with_the_same_padding(place: int) -> Act:
    """Only the derivation tells: Padmé makes 9 and 10 the same, and the last byte is zero."""
    assert Layout(9).padded == Layout(10).padded == 10
    seal, sealed = seal_bytes(bytes(place), crypto=CRYPTO, rng=seeded())
    other = replace(seal, size=19 - place)
    return lambda: open_bytes(other, sealed, crypto=CRYPTO)


@refuses("LL-FILE-07", 0, 1, 2, 3)
def test_padding_with_something_in_it(place: int) -> Act:
    """Somebody who has the key could write there what no reader shows."""
    parts = Parts(4 * (1 << 20) + 1)
    layout = parts.seal.layout
    index = [layout.chunks - 2, layout.chunks - 2, layout.chunks - 1, layout.chunks - 1][place]
    at = [1, CHUNK - 1, 0, -1][place]
    plain = bytearray(content(layout.size)[index * CHUNK : (index + 1) * CHUNK])
    plain += bytes(layout.padded_in(index) - len(plain))
    plain[at] = 1
    assert layout.content_in(index) == (1 if place < 2 else 0)
    forged = sealed_by_hand(parts.seal, parts.header, index, bytes(plain), last=layout.is_last(index))
    return lambda: Opener(parts.seal, parts.header, crypto=CRYPTO).open(index, forged)


@refuses("LL-FILE-08")
def test_a_sealed_file_with_another_digest() -> Act:
    seal = Parts(10).seal
    return lambda: check_digest(seal, bytes(32))


@refuses("LL-FILE-08", 0, HEADER, -1)
def test_a_small_file_that_was_changed(place: int) -> Act:
    parts = Parts(10)
    return lambda: open_bytes(parts.seal, flipped(parts.whole, place), crypto=CRYPTO)


# --- nothing is released -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("what", ["tag", "padding"])
def test_sr15_what_did_not_verify_is_not_in_the_buffer(what: str) -> None:
    """SR-15: AES-GCM decrypts before it compares, and padding is looked at after that."""
    parts = Parts(2 * CHUNK - 5)
    opener = Opener(parts.seal, parts.header, crypto=CRYPTO)
    wrong = flipped(parts.chunks[1], -1)
    if what == "padding":
        plain = content(parts.seal.size)[CHUNK:] + b"\0\0\0\0\1"
        wrong = sealed_by_hand(parts.seal, parts.header, 1, plain, last=True)
    out = bytearray(b"\xaa" * (CHUNK + 1))
    with pytest.raises(InvalidFile):
        opener.open_into(1, wrong, memoryview(out))
    assert out == bytes(CHUNK) + b"\xaa"
    assert opener.open_into(1, parts.chunks[1], memoryview(out)) == CHUNK - 5
    assert out[: CHUNK - 5] == content(parts.seal.size)[CHUNK:]
