"""ML-KEM-768, ML-KEM-1024 and Kyber1024 against known answers."""

from __future__ import annotations

import hashlib
import os

import pytest

from crypto.deterministic import Deterministic, seeded_rng
from crypto.mlkem_reference import ML_KEM_768, ML_KEM_1024, ParameterSet, recover_message
from crypto.vectors import cryptography_text, expect_at_least, records, wycheproof
from letterlock.crypto.kyber import kyber1024_decapsulate, kyber1024_encapsulate
from letterlock.crypto.pyca import Pyca
from letterlock.errors import BadMac, BadPublicKey, InputError
from letterlock.ids import Rng

SETS = pytest.mark.parametrize("size", [768, 1024])
PARAMETERS: dict[int, ParameterSet] = {768: ML_KEM_768, 1024: ML_KEM_1024}
CIPHERTEXT = {768: 1088, 1024: 1568}


class Kem:
    """One parameter set of a provider under one name."""

    def __init__(self, provider: Pyca, size: int) -> None:
        self.public = getattr(provider, f"mlkem{size}_public")
        self.encapsulate = getattr(provider, f"mlkem{size}_encapsulate")
        self.decapsulate = getattr(provider, f"mlkem{size}_decapsulate")


def given(coins: bytes) -> Rng:
    """An rng that gives exactly these bytes once."""
    left = [coins]

    def rng(n: int) -> bytes:
        out = left.pop()
        assert len(out) == n
        return out

    return rng


@SETS
def test_kat_key_generation_and_both_decapsulations(size: int) -> None:
    kem, count = Kem(Pyca(), size), 0
    for case in records(cryptography_text(f"asymmetric/MLKEM/kat_MLKEM_{size}.rsp"), "count"):
        seed = bytes.fromhex(case["d"] + case["z"])
        assert kem.public(seed) == bytes.fromhex(case["pk"])
        assert kem.decapsulate(seed, bytes.fromhex(case["ct"])) == bytes.fromhex(case["ss"])
        assert kem.decapsulate(seed, bytes.fromhex(case["ct_n"])) == bytes.fromhex(case["ss_n"])  # implicit rejection
        count += 1
    expect_at_least(count, 1000, f"ML-KEM-{size} KAT")


@SETS
def test_kat_encapsulation_of_the_deterministic_provider(size: int) -> None:
    kem, count = Kem(Deterministic(), size), 0
    for case in records(cryptography_text(f"asymmetric/MLKEM/kat_MLKEM_{size}.rsp"), "count"):
        if count == 40:  # plain Python: each takes milliseconds
            break
        secret, ciphertext = kem.encapsulate(bytes.fromhex(case["pk"]), given(bytes.fromhex(case["msg"])))
        assert (secret, ciphertext) == (bytes.fromhex(case["ss"]), bytes.fromhex(case["ct"]))
        assert recover_message(PARAMETERS[size], bytes.fromhex(case["sk"]), ciphertext) == bytes.fromhex(case["msg"])
        count += 1
    expect_at_least(count, 40, f"ML-KEM-{size} encapsulation KAT")


@SETS
def test_wycheproof_key_generation(size: int) -> None:
    kem, count = Kem(Pyca(), size), 0
    for case in wycheproof(f"Protocol/wycheproof/mlkem_{size}_keygen_seed_test.json"):
        assert kem.public(case.data("seed")) == case.data("ek"), case.name
        count += 1
    expect_at_least(count, 100, f"Wycheproof ML-KEM-{size} key generation")


@SETS
def test_wycheproof_decapsulation(size: int) -> None:
    kem, count, refused = Kem(Pyca(), size), 0, 0
    for case in wycheproof(f"Protocol/wycheproof/mlkem_{size}_test.json"):
        count += 1
        if case.result == "valid":
            assert kem.decapsulate(case.data("seed"), case.data("c")) == case.data("K"), case.name
        else:
            with pytest.raises((BadMac, InputError)):  # a wrong ciphertext is the peer's, a wrong seed is ours
                kem.decapsulate(case.data("seed"), case.data("c"))
            refused += 1
    expect_at_least(count, 200, f"Wycheproof ML-KEM-{size} decapsulation")
    assert refused >= 40


@SETS
def test_wycheproof_encapsulation_and_sr12_malformed_keys(size: int) -> None:
    real, reference = Kem(Pyca(), size), Kem(Deterministic(), size)
    count, refused, slow = 0, 0, 0
    for case in wycheproof(f"Protocol/wycheproof/mlkem_{size}_encaps_test.json"):
        count += 1
        ek, coins = case.data("ek"), case.data("m")
        if case.result == "invalid":
            for kem in (real, reference):
                with pytest.raises(BadPublicKey):
                    kem.encapsulate(ek, given(coins))
            if size == 768:
                with pytest.raises(BadPublicKey):
                    Pyca().mlkem768_check(ek)
            refused += 1
            continue
        if size == 768:
            Pyca().mlkem768_check(ek)
        real.encapsulate(ek, os.urandom)
        if slow < 60:
            assert reference.encapsulate(ek, given(coins)) == (case.data("K"), case.data("c")), case.name
            slow += 1
    expect_at_least(count, 260, f"Wycheproof ML-KEM-{size} encapsulation")
    assert refused >= 130
    assert slow == 60


@SETS
def test_the_two_providers_understand_each_other(size: int) -> None:
    real, reference = Kem(Pyca(), size), Kem(Deterministic(), size)
    rng = seeded_rng(f"kem {size}")
    seed = rng(64)
    for kem in (real, reference):
        secret, ciphertext = kem.encapsulate(kem.public(seed), rng)
        assert len(ciphertext) == CIPHERTEXT[size]
        assert real.decapsulate(seed, ciphertext) == secret
    again = Kem(Deterministic(), size)
    assert again.encapsulate(again.public(seed), seeded_rng(1)) == again.encapsulate(again.public(seed), seeded_rng(1))


@SETS
def test_a_key_is_usable_again_after_it_was_used_and_after_many_others(size: int) -> None:
    kem, rng = Kem(Pyca(), size), seeded_rng("many")
    seeds = [rng(64) for _ in range(12)]
    publics = [kem.public(seed) for seed in seeds]
    for seed, public in [*zip(seeds, publics, strict=True)] * 2:
        secret, ciphertext = kem.encapsulate(public, rng)
        assert kem.decapsulate(seed, ciphertext) == secret


@SETS
def test_sr10_a_key_that_was_used_is_not_kept(size: int) -> None:
    provider = Pyca()
    kem, rng = Kem(provider, size), seeded_rng("kept")
    kept = provider._kem768 if size == 768 else provider._kem1024
    seeds = [rng(64) for _ in range(20)]
    publics = [kem.public(seed) for seed in seeds]
    assert len(kept._keys) == 8  # bounded, whatever is generated
    kem.decapsulate(seeds[-1], kem.encapsulate(publics[-1], rng)[1])
    assert seeds[-1] not in kept._keys


def test_kyber1024_round_3_is_ml_kem_with_one_more_hash() -> None:
    """Against the definition of round 3: (K', r) = G(m, H(pk)) and K = KDF(K', H(c)), with m as it went into G."""
    provider, rng = Deterministic(), seeded_rng("kyber")
    seed, coins = rng(64), rng(32)
    public = provider.mlkem1024_public(seed)
    secret, ciphertext = kyber1024_encapsulate(provider, public, given(coins))
    first = hashlib.sha3_512(coins + hashlib.sha3_256(public).digest()).digest()[:32]
    assert secret == hashlib.shake_256(first + hashlib.sha3_256(ciphertext).digest()).digest(32)
    assert kyber1024_decapsulate(Pyca(), seed, ciphertext) == secret


def test_kyber1024_round_trip_and_forged_ciphertext() -> None:
    provider = Pyca()
    seed = os.urandom(64)
    secret, ciphertext = kyber1024_encapsulate(provider, provider.mlkem1024_public(seed), os.urandom)
    assert kyber1024_decapsulate(provider, seed, ciphertext) == secret
    forged = bytes((ciphertext[0] ^ 1,)) + ciphertext[1:]
    assert kyber1024_decapsulate(provider, seed, forged) != secret
    for wrong in (b"", ciphertext[:-1], ciphertext + b"\x00", b"\x08" + ciphertext):
        with pytest.raises(BadMac):
            kyber1024_decapsulate(provider, seed, wrong)
    for key in (b"", bytes(1567), bytes(1569), b"\xff" * 1568):
        with pytest.raises(BadPublicKey):
            kyber1024_encapsulate(provider, key, os.urandom)


@pytest.mark.parametrize("length", [0, 32, 63, 65])
@SETS
def test_a_seed_of_the_wrong_length_is_our_mistake(size: int, length: int) -> None:
    kem = Kem(Pyca(), size)
    with pytest.raises(InputError):
        kem.public(bytes(length))
    with pytest.raises(InputError):
        kem.decapsulate(bytes(length), bytes(CIPHERTEXT[size]))
