"""`Seal`: what opens one sealed file, and proves that it is this one. It goes to the recipients and nobody else."""

from __future__ import annotations

from dataclasses import dataclass

from ..codec.tls import Reader, u64
from ..crypto.secret import Secret
from .keys import KEY
from .layout import MAX_SIZE, Layout
from .rules import rule

__all__ = ["Seal", "encode_seal", "read_seal"]

_DIGEST = 32

_TOO_LONG = rule("LL-FILE-10", "5.1", "the length is at most 2^40", module=__name__)
_SIZES = rule("LL-FILE-11", "5.1", "length and length of the sealed file agree, by Padmé", module=__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Seal:
    """`size` is the true length, `sha256` the digest of the whole sealed file."""

    size: int
    key: Secret
    sha256: bytes

    @property
    def layout(self) -> Layout:
        return Layout(self.size)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Seal):
            return NotImplemented
        return (self.size, self.sha256) == (other.size, other.sha256) and self.key.matches(other.key)

    def __hash__(self) -> int:
        return hash((self.size, self.sha256))


def encode_seal(seal: Seal) -> bytes:
    """The struct `Seal` of docs/spec/files.md 5.1; with it goes the length of the sealed file."""
    return u64(seal.size) + u64(seal.layout.sealed_size) + seal.key.reveal() + seal.sha256


def read_seal(reader: Reader) -> Seal:
    """Raises InvalidFile when its two lengths cannot both be true: before anything is fetched for it."""
    size, sealed_size = reader.u64(), reader.u64()
    key, sha256 = Secret(reader.take(KEY)), reader.take(_DIGEST)
    if size > MAX_SIZE:
        _TOO_LONG.fail("a file of more than 2^40 bytes")
    if Layout(size).sealed_size != sealed_size:
        _SIZES.fail(f"a file of {size} bytes is not sealed as {sealed_size}")
    return Seal(size, key, sha256)
