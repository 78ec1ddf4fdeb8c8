"""HPKE: the vectors of RFC 9180 and of draft-ietf-hpke-pq, and both directions against the library's own HPKE."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke as native
from cryptography.hazmat.primitives.asymmetric import ec, mlkem
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from crypto.deterministic import Deterministic, seeded_rng
from crypto.vectors import cryptography_text
from letterlock.crypto.dhkem import DHKEM_P256, DHKEM_P384, DHKEM_P521, DHKEM_X25519, dhkem
from letterlock.crypto.hpke import (
    AES_128_GCM,
    AES_256_GCM,
    CHACHA20_POLY1305,
    HKDF_SHA256,
    HKDF_SHA384,
    HKDF_SHA512,
    Hpke,
    Kem,
)
from letterlock.crypto.pyca import Pyca
from letterlock.crypto.xwing import XWING, XWing
from letterlock.errors import BadMac, BadPublicKey, InputError

CRYPTO = Pyca()
KEMS: dict[int, Kem] = {
    **{number: dhkem(CRYPTO, number) for number in (DHKEM_X25519, DHKEM_P256, DHKEM_P384, DHKEM_P521)},
    XWING: XWing(CRYPTO, labelled_derive=True),
}
AEADS = (AES_128_GCM, AES_256_GCM, CHACHA20_POLY1305)
KDFS = (HKDF_SHA256, HKDF_SHA384, HKDF_SHA512)

# draft-ietf-hpke-pq has vectors for X-Wing and a KDF that is supported; its others use SHAKE as KDF or other KEMs.
VECTORS = json.loads(cryptography_text("HPKE/test-vectors.json")) + [
    case for case in json.loads(cryptography_text("HPKE/hpke-pq-test-vectors.json")) if case["kem_id"] == XWING
]


def supported(case: dict[str, Any]) -> bool:
    return case["mode"] == 0 and case["kem_id"] in KEMS and case["kdf_id"] in KDFS and case["aead_id"] in AEADS


def binary(case: dict[str, Any]) -> dict[str, bytes]:
    return {key: bytes.fromhex(value) for key, value in case.items() if isinstance(value, str)}


def test_published_vectors() -> None:
    ran, exported, further = [], 0, 0
    for case in VECTORS:
        if not supported(case):
            continue
        ran.append(case["kem_id"])
        kem, value = KEMS[case["kem_id"]], binary(case)
        hpke = Hpke(CRYPTO, kem, case["kdf_id"], case["aead_id"])

        private, public = kem.derive_key_pair(value["ikmR"])
        assert (private, public) == (value["skRm"], value["pkRm"])
        assert kem.public_of(private) == public
        assert (len(public), len(value["enc"])) == (kem.n_pk, kem.n_enc)
        assert kem.decap(value["enc"], private) == value["shared_secret"]

        def draw(n: int, scalar: bytes = value.get("skEm", b"")) -> bytes:
            assert n == len(scalar)
            return scalar

        info = hpke.prepare(value["info"])
        first, rest = case["encryptions"][0], case["encryptions"][1:]
        plaintext, aad, ciphertext = (bytes.fromhex(first[key]) for key in ("pt", "aad", "ct"))
        assert hpke.open(info, private, value["enc"], aad, ciphertext) == plaintext
        if "skEm" in value:  # X-Wing takes more than one draw: see test_xwing
            assert kem.derive_key_pair(value["ikmE"]) == (value["skEm"], value["enc"])
            assert hpke.seal(info, public, aad, plaintext, draw) == (value["enc"], ciphertext)

        for export in case["exports"]:
            context, length = bytes.fromhex(export["exporter_context"]), export["L"]
            secret = hpke.export_receiver(private, value["enc"], value["info"], context, length)
            assert secret.hex() == export["exported_value"]
            if "skEm" in value:
                sent = hpke.export_sender(public, value["info"], context, length, draw)
                assert sent == (value["enc"], secret)
            exported += 1

        for later in rest:  # messages after the first, which MLS never sends: what is left to check is the AEAD
            seal = CRYPTO.chacha20poly1305_seal if case["aead_id"] == CHACHA20_POLY1305 else CRYPTO.aes_gcm_seal
            nonce, plaintext, aad = (bytes.fromhex(later[key]) for key in ("nonce", "pt", "aad"))
            assert seal(value["key"], nonce, plaintext, aad).hex() == later["ct"]
            further += 1
    # Of the 32 in base mode: 8 are X448, 6 of the others export only. P-384 has none, so see below.
    assert {number: ran.count(number) for number in KEMS} == {
        DHKEM_X25519: 6,
        DHKEM_P256: 6,
        DHKEM_P384: 0,
        DHKEM_P521: 6,
        XWING: 1,
    }
    assert exported == 18 * 3 + 5
    assert further >= 18 * 256


NATIVE_KEMS = {
    DHKEM_X25519: native.KEM.X25519,
    DHKEM_P256: native.KEM.P256,
    DHKEM_P384: native.KEM.P384,
    DHKEM_P521: native.KEM.P521,
    XWING: native.KEM.MLKEM768_X25519,
}
NATIVE_KDFS = {
    HKDF_SHA256: native.KDF.HKDF_SHA256,
    HKDF_SHA384: native.KDF.HKDF_SHA384,
    HKDF_SHA512: native.KDF.HKDF_SHA512,
}
NATIVE_AEADS = {
    AES_128_GCM: native.AEAD.AES_128_GCM,
    AES_256_GCM: native.AEAD.AES_256_GCM,
    CHACHA20_POLY1305: native.AEAD.CHACHA20_POLY1305,
}
CURVES = {DHKEM_P256: ec.SECP256R1(), DHKEM_P384: ec.SECP384R1(), DHKEM_P521: ec.SECP521R1()}


def native_keys(number: int, private: bytes, public: bytes) -> tuple[Any, Any]:
    """The same key pair as objects of the library."""
    if number == DHKEM_X25519:
        return X25519PrivateKey.from_private_bytes(private), X25519PublicKey.from_public_bytes(public)
    if number == XWING:
        from hashlib import shake_256

        expanded = shake_256(private).digest(96)
        ml_kem = mlkem.MLKEM768PrivateKey.from_seed_bytes(expanded[:64])
        key = native.MLKEM768X25519PrivateKey(ml_kem, X25519PrivateKey.from_private_bytes(expanded[64:]))
        return key, key.public_key()
    curve = CURVES[number]
    return (
        ec.derive_private_key(int.from_bytes(private, "big"), curve),
        ec.EllipticCurvePublicKey.from_encoded_point(curve, public),
    )


@pytest.mark.parametrize("aead", AEADS)
@pytest.mark.parametrize("kdf", KDFS)
@pytest.mark.parametrize("number", KEMS)
def test_both_directions_with_the_library(number: int, kdf: int, aead: int) -> None:
    kem = KEMS[number]
    ours = Hpke(CRYPTO, kem, kdf, aead)
    theirs = native.Suite(NATIVE_KEMS[number], NATIVE_KDFS[kdf], NATIVE_AEADS[aead])
    for size in (0, 1, 32, 5000):
        private, public = kem.generate(os.urandom)
        their_private, their_public = native_keys(number, private, public)
        info, plaintext = os.urandom(size), os.urandom(size)  # the library takes no associated data
        prepared = ours.prepare(info)

        enc, ciphertext = ours.seal(prepared, public, b"", plaintext, os.urandom)
        assert theirs.decrypt(enc + ciphertext, their_private, info) == plaintext
        with pytest.raises(InvalidTag):
            theirs.decrypt(enc + ciphertext, their_private, info + b"x")

        sealed = theirs.encrypt(plaintext, their_public, info)
        enc, ciphertext = sealed[: kem.n_enc], sealed[kem.n_enc :]
        assert ours.open(prepared, private, enc, b"", ciphertext) == plaintext
        for other in (
            (ours.prepare(info + b"x"), private, enc, b"", ciphertext),
            (prepared, private, enc, b"x", ciphertext),
            (prepared, kem.generate(os.urandom)[0], enc, b"", ciphertext),
        ):
            with pytest.raises(BadMac):
                ours.open(*other)


def test_a_prepared_info_serves_many_seals() -> None:
    hpke = Hpke(CRYPTO, KEMS[DHKEM_X25519], HKDF_SHA256, AES_128_GCM)
    info = hpke.prepare(b"x" * 100_000)
    seen = set()
    for count in range(20):
        private, public = KEMS[DHKEM_X25519].generate(os.urandom)
        enc, ciphertext = hpke.seal(info, public, b"", bytes((count,)), os.urandom)
        assert hpke.open(hpke.prepare(b"x" * 100_000), private, enc, b"", ciphertext) == bytes((count,))
        seen.add(enc)
    assert len(seen) == 20


def test_unknown_algorithms_are_our_own_mistake() -> None:
    for kdf, aead in ((0, 1), (4, 1), (0x10, 1), (1, 0), (1, 4), (1, 0xFFFF)):
        with pytest.raises(InputError):
            Hpke(CRYPTO, KEMS[DHKEM_X25519], kdf, aead)


@pytest.mark.parametrize("number", KEMS)
def test_private_keys_of_a_wrong_size_are_our_own_mistake(number: int) -> None:
    kem = KEMS[number]
    _, public = kem.generate(os.urandom)
    _, enc = kem.encap(public, os.urandom)
    for size in (0, 1, 31, 67):
        with pytest.raises(InputError):
            kem.public_of(bytes(size))
        with pytest.raises(InputError):
            kem.decap(enc, bytes(size))


@pytest.mark.parametrize("u", [0, 1, 2**255 - 20, 2**255 - 19, 2**255 - 18, 2**255])
def test_sr12_dhkem_refuses_an_all_zero_agreement(u: int) -> None:
    """SR-12, RFC 9180 section 7.1.4: as a peer's key and as an encapsulated secret."""
    point = u.to_bytes(32, "little")
    for kem, public, enc in (
        (KEMS[DHKEM_X25519], point, point),
        (KEMS[XWING], _xwing_public(point), KEMS[XWING].encap(_xwing_public(None), os.urandom)[1][:-32] + point),
    ):
        private, _ = kem.generate(os.urandom)
        with pytest.raises(BadPublicKey):
            kem.encap(public, os.urandom)
        with pytest.raises(BadPublicKey):
            kem.decap(enc, private)
        with pytest.raises(BadPublicKey):
            kem.check(public)


def _xwing_public(point: bytes | None) -> bytes:
    _, public = KEMS[XWING].generate(seeded_rng("xwing"))
    return public if point is None else public[:-32] + point


def test_derived_scalars_skip_candidates_outside_the_group() -> None:
    """RFC 9180 section 7.1.3: the counter goes on. Chances are 2^-32 on P-256, so the curve here is a small one."""
    from letterlock.crypto.curves import NistCurve
    from letterlock.crypto.dhkem import _DhkemNist
    from letterlock.crypto.hkdf import SHA256
    from letterlock.crypto.hpke import Labelled

    small = NistCurve("small", order=101, scalar_length=1, hash_name="sha256")
    assert small.top_mask == 0x7F
    kem = _DhkemNist(
        0x10, small, SHA256, lambda private: b"public of " + private, lambda key: None, lambda a, b: (a, b)
    )
    labelled, tries = Labelled(SHA256, b"KEM\x00\x10"), []
    for seed in range(200):
        ikm = bytes((seed,))
        candidates = [
            labelled.expand(labelled.extract(b"", b"dkp_prk", ikm), b"candidate", bytes((count,)), 1)[0] & 0x7F
            for count in range(256)
        ]
        number = next(count for count, candidate in enumerate(candidates) if 0 < candidate < 101)
        tries.append(number)
        private = bytes((candidates[number],))
        assert kem.derive_key_pair(ikm) == (private, b"public of " + private)
    assert max(tries) > 1


def test_vectors_run_through_the_deterministic_provider_too() -> None:
    """What the reproducible tests of MLS rely on: the same draws give the same bytes."""
    for number in KEMS:
        provider = Deterministic()
        kem = XWing(provider, labelled_derive=False) if number == XWING else dhkem(provider, number)
        made = [kem.encap(kem.generate(seeded_rng("a"))[1], seeded_rng("b")) for _ in range(2)]
        assert made[0] == made[1]
