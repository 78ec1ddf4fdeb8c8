"""Arithmetic in GF(2^16) with the polynomial x^16 + x^12 + x^3 + x + 1, for the erasure code.

Elements are ints below 65536; addition is `^`. A *row* is 16 elements held in one int of 256 bits, so
that one big-integer operation works on all 16. All values here are public: the code protects nothing.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from functools import cache

__all__ = ["ORDER", "combine", "lagrange_weights", "log_differences"]

ORDER = 65535
"""Number of non-zero elements; exponents count modulo it."""

_POLYNOMIAL = 0x1100B
_FEEDBACK = _POLYNOMIAL & 0xFFFF
_LANES = 16
_TOP = sum(0x8000 << 16 * i for i in range(_LANES))
_REST = sum(0x7FFF << 16 * i for i in range(_LANES))


def combine(weights: Sequence[int], rows: Sequence[int]) -> int:
    """The sum of weight times row, by Horner's rule over the 16 bits of the weights: only shifts and XORs of rows.

    Four bits at a time: rows are first gathered by their weight's four bits, which halves the work.
    """
    highest, high, low, lowest = by_bits = [0] * 16, [0] * 16, [0] * 16, [0] * 16
    for weight, row in zip(weights, rows, strict=True):
        highest[weight >> 12] ^= row
        high[weight >> 8 & 15] ^= row
        low[weight >> 4 & 15] ^= row
        lowest[weight & 15] ^= row
    total = 0
    for gathered in by_bits:
        for bit in (8, 4, 2, 1):
            having = 0
            for rest in range(bit):
                row = gathered[rest + bit]
                having ^= row
                gathered[rest] ^= row
            total = ((total & _REST) << 1) ^ ((total & _TOP) >> 15) * _FEEDBACK ^ having
    return total


def log_differences(nodes: Sequence[int]) -> list[int]:
    """For each node the logarithm of the product of its differences to the other nodes (which must be distinct)."""
    log = _tables()[0]
    return [sum([log[node ^ other] for other in nodes if other != node]) % ORDER for node in nodes]


def lagrange_weights(nodes: Sequence[int], differences: Sequence[int], x: int) -> list[int]:
    """What to multiply the values at `nodes` with to get the value at `x`, which must be none of them."""
    log, exp = _tables()
    to_x = [log[node ^ x] for node in nodes]
    product = sum(to_x)
    return [exp[(product - a - b) % ORDER] for a, b in zip(to_x, differences, strict=True)]


@cache
def _tables() -> tuple[array[int], array[int]]:
    """Logarithms and powers of the generator x. Built on first use (a few milliseconds): loss-free traffic needs none."""
    log = array("H", bytes(2 * (ORDER + 1)))
    exp = array("H", bytes(2 * ORDER))
    value = 1
    for exponent in range(ORDER):
        exp[exponent] = value
        log[value] = exponent
        value <<= 1
        if value > ORDER:
            value ^= _POLYNOMIAL
    return log, exp
