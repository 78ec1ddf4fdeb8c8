"""Padmé (Nikitin and others, PETS 2019): how long a file is made, so that its size tells little.

A length keeps only the upper half of its bits, roughly: there are some five hundred lengths up to 128 MiB, and none
costs more than an eighth; from 64 KiB on it is a thirty-second at most.
"""

from __future__ import annotations

__all__ = ["padded_length"]


def padded_length(length: int) -> int:
    """What a file of that length is padded to. Padding what is padded already changes nothing."""
    if length < 2:
        return length
    exponent = length.bit_length() - 1
    unit = 1 << (exponent - exponent.bit_length())
    return -(-length // unit) * unit
