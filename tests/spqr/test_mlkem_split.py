"""Split encapsulation: against OpenSSL's decapsulation, published vectors, and a second implementation."""

from __future__ import annotations

import hashlib
import os

import pytest

from crypto.deterministic import seeded_rng
from crypto.mlkem_reference import ML_KEM_768, ML_KEM_1024
from crypto.mlkem_reference import encapsulate as reference
from crypto.vectors import wycheproof
from letterlock.crypto.mlkem_split import (
    CT1_BYTES,
    CT2_BYTES,
    HEADER_BYTES,
    SECRET_BYTES,
    VECTOR_BYTES,
    check_vector,
    encapsulate,
    encapsulate1,
    encapsulate2,
    header_of,
    rho_of,
)
from letterlock.crypto.pyca import Pyca
from letterlock.errors import BadPublicKey

PROVIDER = Pyca()


def test_openssl_decapsulates_what_the_halves_make() -> None:
    for _ in range(60):
        seed, coins = os.urandom(64), os.urandom(32)
        public = PROVIDER.mlkem768_public(seed)
        secret, ct1, shared = encapsulate1(header_of(public), coins)
        ct2 = encapsulate2(secret, public[:VECTOR_BYTES])
        assert (len(secret), len(ct1), len(ct2)) == (SECRET_BYTES, CT1_BYTES, CT2_BYTES)
        assert PROVIDER.mlkem768_decapsulate(seed, ct1 + ct2) == shared


def test_openssl_decapsulates_the_larger_set() -> None:
    for _ in range(10):
        seed = os.urandom(64)
        shared, ciphertext = encapsulate(PROVIDER.mlkem1024_public(seed), os.urandom(32))
        assert PROVIDER.mlkem1024_decapsulate(seed, ciphertext) == shared


def test_the_first_half_needs_only_the_header() -> None:
    """Two keys that share a header give the same first half: nothing else went in."""
    rng = seeded_rng("header")
    public = PROVIDER.mlkem768_public(rng(64))
    coins = rng(32)
    assert header_of(public) == public[VECTOR_BYTES:] + hashlib.sha3_256(public).digest()
    assert encapsulate1(header_of(public), coins)[1:] == encapsulate1(header_of(public), coins)[1:]
    assert encapsulate1(header_of(public), rng(32))[1] != encapsulate1(header_of(public), coins)[1]


@pytest.mark.parametrize("number", range(5))
def test_rho_is_known_before_the_key(number: int) -> None:
    seed = seeded_rng(f"rho {number}")(64)
    assert rho_of(seed) == header_of(PROVIDER.mlkem768_public(seed))[:32]


@pytest.mark.parametrize("size", [768, 1024])
def test_equal_to_a_readable_implementation(size: int) -> None:
    rng = seeded_rng(f"reference {size}")
    public_of = PROVIDER.mlkem768_public if size == 768 else PROVIDER.mlkem1024_public
    parameters = ML_KEM_768 if size == 768 else ML_KEM_1024
    for _ in range(12):
        public, coins = public_of(rng(64)), rng(32)
        assert encapsulate(public, coins) == reference(parameters, public, coins)


@pytest.mark.parametrize("size", [768, 1024])
def test_wycheproof_and_sr12_malformed_keys(size: int) -> None:
    valid = refused = 0
    for case in wycheproof(f"Protocol/wycheproof/mlkem_{size}_encaps_test.json"):
        public, coins = case.data("ek"), case.data("m")
        if case.result == "valid":
            assert encapsulate(public, coins) == (case.data("K"), case.data("c")), case.name
            valid += 1
        else:
            with pytest.raises(BadPublicKey):
                encapsulate(public, coins)
            refused += 1
    assert valid >= 60
    assert refused >= 130


def test_sr12_a_vector_other_than_the_announced_one() -> None:
    rng = seeded_rng("vector")
    public = PROVIDER.mlkem768_public(rng(64))
    header, vector = header_of(public), public[:VECTOR_BYTES]
    secret = encapsulate1(header, rng(32))[0]
    check_vector(header, vector)
    for wrong in (bytes(VECTOR_BYTES), vector[:-1], vector + b"\x00", bytes((vector[0] ^ 1,)) + vector[1:]):
        with pytest.raises(BadPublicKey):
            encapsulate2(secret, wrong)


def test_sr12_an_announced_vector_that_is_not_reduced() -> None:
    """The modulus check of FIPS 203 section 7.2, with a header that matches the bad key."""
    public = PROVIDER.mlkem768_public(bytes(64))
    unreduced = b"\x01\x0d" + public[2:]  # first coefficient 0xd01 = 3329
    assert unreduced[1] & 0x0F == 0x0D
    secret = encapsulate1(header_of(unreduced), bytes(32))[0]
    with pytest.raises(BadPublicKey) as caught:
        encapsulate2(secret, unreduced[:VECTOR_BYTES])
    assert caught.value.code == "crypto.mlkem.modulus"


@pytest.mark.parametrize(("header", "coins"), [(63, 32), (65, 32), (64, 31), (64, 33), (0, 0)])
def test_wrong_lengths_are_refused(header: int, coins: int) -> None:
    with pytest.raises(BadPublicKey):
        encapsulate1(bytes(header), bytes(coins))


def test_the_header_and_secret_sizes_add_up() -> None:
    assert SECRET_BYTES == HEADER_BYTES + 32
    assert CT1_BYTES + CT2_BYTES == 1088


def test_rejection_sampling_goes_on_when_three_blocks_are_not_enough() -> None:
    """1 matrix entry in some hundred needs more than 336 candidates; enough keys meet it."""
    # Such a seed: the readable implementation and this one agree on it.
    rho = next(
        rho
        for rho in (n.to_bytes(32, "big") for n in range(5000))
        if any(_accepted(rho, i, j) < 256 for i in range(3) for j in range(3))
    )
    public = bytes(VECTOR_BYTES) + rho
    assert encapsulate(public, bytes(32)) == reference(ML_KEM_768, public, bytes(32))


def _accepted(rho: bytes, i: int, j: int) -> int:
    data = hashlib.shake_128(rho + bytes((i, j))).digest(504)
    fields = [int.from_bytes(data[at : at + 3], "little") for at in range(0, 504, 3)]
    return sum((f & 0xFFF) < 3329 for f in fields) + sum((f >> 12) < 3329 for f in fields)
