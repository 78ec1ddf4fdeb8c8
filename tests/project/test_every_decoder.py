"""Every decoder on hostile input: a value or its documented error, nothing else (SR-09)."""

from __future__ import annotations

import contextlib
import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decoders import Decoder, decoders, mutated
from fuzz import DOCUMENTED

ALL = decoders()
each = pytest.mark.parametrize("decoder", ALL, ids=lambda decoder: decoder.name)


@each
def test_honest_examples_are_read(decoder: Decoder) -> None:
    """Without this the others could pass on garbage alone."""
    for example in decoder.examples:
        decoder.decode(example)


@each
def test_sr09_a_flip_at_every_position(decoder: Decoder) -> None:
    """SR-09: each byte of each kind of message, with the lowest bit, the highest and all bits flipped."""
    for example in decoder.examples:
        for at in range(len(example)):
            for flip in (0x01, 0x80, 0xFF):
                data = bytearray(example)
                data[at] ^= flip
                with contextlib.suppress(DOCUMENTED):
                    decoder.decode(bytes(data))


@each
def test_sr09_cut_at_every_position(decoder: Decoder) -> None:
    """SR-09: every prefix."""
    for example in decoder.examples:
        for end in range(len(example)):
            with contextlib.suppress(DOCUMENTED):
                decoder.decode(example[:end])


@each
def test_sr09_mutations(decoder: Decoder) -> None:
    """SR-09: a seeded slice of what ./run fuzz does."""
    rng = random.Random(f"letterlock {decoder.name}")
    for _ in range(400):
        data = mutated(rng.choice(decoder.examples), rng)
        start = time.process_time()
        with contextlib.suppress(DOCUMENTED):
            decoder.decode(data)
        assert time.process_time() - start < 2.0


@each
def test_sr09_any_bytes(decoder: Decoder) -> None:
    """SR-09: what Hypothesis thinks of."""

    @settings(max_examples=60, deadline=None, database=None)
    @given(st.binary(max_size=400))
    def run(data: bytes) -> None:
        with contextlib.suppress(DOCUMENTED):
            decoder.decode(data)

    run()
