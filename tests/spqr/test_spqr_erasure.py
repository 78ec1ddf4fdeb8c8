"""The erasure code: any n chunks give the value back, against a naive implementation of the same polynomial."""

from __future__ import annotations

import random
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from letterlock.errors import DecodeError, MalformedMessage
from letterlock.signal.spqr.erasure import CHUNK, EMPTY, POINTS, Received, add, check_received, chunk, decode
from letterlock.signal.spqr.gf import combine, lagrange_weights, log_differences

LENGTHS = (3, 5, 30, 36)


def multiply(a: int, b: int) -> int:
    """GF(2^16), the schoolbook way."""
    product = 0
    while b:
        if b & 1:
            product ^= a
        a <<= 1
        if a >> 16:
            a ^= 0x1100B
        b >>= 1
    return product


def inverse(a: int) -> int:
    result, power = 1, a
    for _ in range(15):  # a ** (2**16 - 2)
        power = multiply(power, power)
        result = multiply(result, power)
    return result


def naive_chunk(value: bytes, index: int) -> bytes:
    """Lagrange interpolation per column, from the definition."""
    n = len(value) // CHUNK
    out = b""
    for column in range(0, CHUNK, 2):
        total = 0
        for k in range(n):
            term = int.from_bytes(value[k * CHUNK + column : k * CHUNK + column + 2], "big")
            for j in range(n):
                if j != k:
                    term = multiply(multiply(term, index ^ j), inverse(k ^ j))
            total ^= term
        out += total.to_bytes(2, "big")
    return out


def value_of(n: int, seed: int = 0) -> bytes:
    return random.Random(f"{n} {seed}").randbytes(n * CHUNK)


def collect(chunks: dict[int, bytes], size: int) -> Received:
    received = EMPTY
    for index, data in chunks.items():
        received = add(received, index, data, size)
    return received


@pytest.mark.parametrize("n", LENGTHS)
def test_the_first_chunks_are_the_value(n: int) -> None:
    value = value_of(n)
    assert b"".join(chunk(value, index) for index in range(n)) == value


@pytest.mark.parametrize("n", [3, 5])
def test_chunks_are_the_polynomials_values(n: int) -> None:
    value = value_of(n)
    for index in (0, n - 1, n, n + 1, 100, 0x8000, POINTS - 1):
        assert chunk(value, index) == naive_chunk(value, index)


@pytest.mark.parametrize("n", [3, 5])
def test_every_choice_of_n_chunks_decodes(n: int) -> None:
    value = value_of(n)
    chunks = {index: chunk(value, index) for index in (*range(n), n, n + 3, 1000, POINTS - 1)}
    for choice in combinations(chunks, n):
        assert decode(collect({index: chunks[index] for index in choice}, len(value)), len(value)) == value


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_any_n_chunks_in_any_order_decode(data: st.DataObject) -> None:
    n = data.draw(st.sampled_from(LENGTHS))
    value = data.draw(st.binary(min_size=n * CHUNK, max_size=n * CHUNK))
    indices = data.draw(st.lists(st.integers(0, POINTS - 1), min_size=n, max_size=n, unique=True))
    received = EMPTY
    for index in indices:
        assert decode(received, len(value)) is None
        received = add(received, index, chunk(value, index), len(value))
    assert decode(received, len(value)) == value


def test_a_repeated_chunk_changes_nothing() -> None:
    value = value_of(5)
    received = add(EMPTY, 7, chunk(value, 7), 160)
    assert add(received, 7, chunk(value, 7), 160) == received


def test_a_chunk_that_contradicts_an_earlier_one_is_refused() -> None:
    received = add(add(EMPTY, 0x0101, b"\x01" * 32, 160), 2, bytes(32), 160)
    for index, data in ((0x0101, b"\x02" * 32), (2, b"\x02" * 32)):
        with pytest.raises(MalformedMessage) as caught:
            add(received, index, data, 160)
        assert caught.value.code == "spqr.chunk_conflict"


def test_an_index_that_occurs_inside_other_chunks_is_no_duplicate() -> None:
    received = add(EMPTY, 9, b"\x00\x05" * 16, 160)
    after = add(received, 5, b"\x07" * 32, 160)
    assert len(after) == 68
    with pytest.raises(MalformedMessage):
        add(after, 5, b"\x08" * 32, 160)


def test_sr08_received_chunks_are_bounded() -> None:
    received = EMPTY
    for index in range(1000):
        received = add(received, index, index.to_bytes(32, "big"), 160)
    assert len(received) == 5 * 34


@pytest.mark.parametrize("wrong", [b"x", bytes(33), bytes(68), bytes(34 * 5)])
def test_stored_chunks_are_checked(wrong: bytes) -> None:
    with pytest.raises(DecodeError):
        check_received(wrong, 160)


def test_nothing_is_stored_where_nothing_is_collected() -> None:
    assert check_received(b"", 0) == b""
    with pytest.raises(DecodeError):
        check_received(bytes(34), 0)


def test_weights_and_rows_against_the_schoolbook() -> None:
    generator = random.Random(1)
    nodes = generator.sample(range(POINTS), 8)
    x = next(candidate for candidate in range(POINTS) if candidate not in nodes)
    weights = lagrange_weights(nodes, log_differences(nodes), x)
    for position, weight in enumerate(weights):
        expected = 1
        for j, node in enumerate(nodes):
            if j != position:
                expected = multiply(multiply(expected, x ^ node), inverse(nodes[position] ^ node))
        assert weight == expected
    rows = [generator.getrandbits(256) for _ in nodes]
    combined = combine(weights, rows)
    for lane in range(16):
        total = 0
        for weight, row in zip(weights, rows, strict=True):
            total ^= multiply(weight, row >> 16 * lane & 0xFFFF)
        assert combined >> 16 * lane & 0xFFFF == total
