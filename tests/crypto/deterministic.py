"""A crypto provider whose every random choice comes from `rng`, for vectors and reproducible conversations.

`Pyca` already draws keys and signature nonces from `rng`; only OpenSSL's ML-KEM encapsulation takes its
own coins, so that is done here with the reference in plain Python (some 5 ms).
"""

from __future__ import annotations

import hashlib

from letterlock.crypto.pyca import Pyca
from letterlock.errors import BadPublicKey
from letterlock.ids import Rng

from .mlkem_reference import ML_KEM_768, ML_KEM_1024, ParameterSet, encapsulate

__all__ = ["Deterministic", "seeded_rng"]


def seeded_rng(seed: int | bytes | str) -> Rng:
    """An endless stream of bytes that depends on `seed` and the calls so far: SHAKE256(seed, counter)."""
    prefix = hashlib.sha256(repr(seed).encode()).digest()
    count = 0

    def rng(n: int) -> bytes:
        nonlocal count
        count += 1
        return hashlib.shake_256(prefix + count.to_bytes(8, "big")).digest(n)

    return rng


class Deterministic(Pyca):
    """`Pyca` with ML-KEM encapsulation that honours `rng`: one call for 32 bytes, FIPS 203's m."""

    __slots__ = ()

    def mlkem768_encapsulate(self, public: bytes, rng: Rng) -> tuple[bytes, bytes]:
        return _encapsulate(ML_KEM_768, public, rng)

    def mlkem1024_encapsulate(self, public: bytes, rng: Rng) -> tuple[bytes, bytes]:
        return _encapsulate(ML_KEM_1024, public, rng)


def _encapsulate(parameters: ParameterSet, public: bytes, rng: Rng) -> tuple[bytes, bytes]:
    try:
        return encapsulate(parameters, public, rng(32))
    except ValueError as error:
        raise BadPublicKey("not an ML-KEM key", code="crypto.public_key.mlkem") from error
