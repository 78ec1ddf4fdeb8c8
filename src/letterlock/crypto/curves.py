"""What is known about the curves without doing arithmetic on them: sizes, orders, points that must be refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ..errors import BadPublicKey
from ..ids import Rng

__all__ = ["P256", "P384", "P521", "NistCurve", "check_x25519"]


@dataclass(frozen=True, slots=True)
class NistCurve:
    """A curve of FIPS 186 with cofactor 1. Points are SEC1 uncompressed, scalars big-endian of fixed length."""

    name: str
    order: int
    scalar_length: int
    hash_name: str

    @property
    def point_length(self) -> int:
        """0x04, x and y; a coordinate is as long as a scalar on these curves."""
        return 2 * self.scalar_length + 1

    @property
    def top_mask(self) -> int:
        """What the first byte of a scalar can hold: all of it, except on P-521 where it is one bit."""
        return (1 << (self.order.bit_length() - 1) % 8 + 1) - 1

    def is_scalar(self, private: bytes) -> bool:
        """Is it a private key, 1 <= d < n?"""
        return len(private) == self.scalar_length and 0 < int.from_bytes(private, "big") < self.order

    def generate(self, rng: Rng) -> bytes:
        """A private scalar by rejection: next to never a second draw."""
        mask = self.top_mask
        while True:
            drawn = rng(self.scalar_length)
            private = drawn if mask == 0xFF else bytes((drawn[0] & mask,)) + drawn[1:]
            if self.is_scalar(private):
                return private


P256: Final = NistCurve(
    name="p256",
    order=0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    scalar_length=32,
    hash_name="sha256",
)
P384: Final = NistCurve(
    name="p384",
    order=int("ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973", 16),
    scalar_length=48,
    hash_name="sha384",
)
P521: Final = NistCurve(
    name="p521",
    order=(1 << 521) - int("5ae79787c40d069948033feb708f65a2fc44a36477663b851449048e16ec79bf7", 16),
    scalar_length=66,
    hash_name="sha512",
)


def check_x25519(public: bytes) -> None:
    """Raises BadPublicKey for a key that agrees on zero with everybody (SR-12): `x25519` refuses each of those.

    Costs next to nothing. A group's tree must not hold such a key: nobody could encrypt to it, so nobody commit.
    """
    if len(public) != 32:
        raise BadPublicKey("an X25519 public key is 32 bytes", code="crypto.public_key.length")
    if public[:31] + bytes((public[31] & 0x7F,)) in _SMALL_ORDER:
        raise BadPublicKey("the point is of small order", code="crypto.public_key.zero")


_FIELD: Final = 2**255 - 19
_SMALL_ORDER: Final = frozenset(
    u.to_bytes(32, "little")
    for u in (
        0,
        1,
        325606250916557431795983626356110631294008115727848805560023387167927233504,
        39382357235489614581723060781553021112529911719440698176882885853963445705823,
        _FIELD - 1,
        _FIELD,
        _FIELD + 1,
    )
)
"""Every spelling below 2^255 of the points of order 1, 2, 4 and 8, on the curve and on its twist."""
