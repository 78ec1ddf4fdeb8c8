"""XEdDSA: libsignal's variant, by known answers that libsignal made and by the rules of the paper."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.deterministic import seeded_rng
from crypto.vectors import expect_at_least
from letterlock.crypto.curve25519_pyca import edwards_y
from letterlock.crypto.pyca import Pyca
from letterlock.errors import BadPublicKey, BadSignature, InputError

CRYPTO = Pyca()
ORDER = 2**252 + 27742317777372353535851937790883648493


def flip(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def test_signatures_made_by_libsignal_hold_with_both_sign_bits() -> None:
    cases = json.loads((Path(__file__).parent / "xeddsa_libsignal.json").read_text())["cases"]
    signs = set()
    for case in cases:
        public, message, signature = (bytes.fromhex(case[key]) for key in ("public_key", "message", "signature"))
        assert CRYPTO.x25519_public(bytes.fromhex(case["private_key"])) == public
        CRYPTO.xeddsa_verify(public, message, signature)
        with pytest.raises(BadSignature):
            CRYPTO.xeddsa_verify(public, message + b"\x00", signature)
        signs.add(signature[63] & 0x80)
    expect_at_least(len(cases), 8, "XEdDSA signatures by libsignal")
    assert signs == {0, 0x80}


@settings(max_examples=40, deadline=None)
@given(st.integers(), st.binary(max_size=300))
def test_own_signatures_hold_here_and_as_ed25519_under_openssl(seed: int, message: bytes) -> None:
    rng = seeded_rng(seed)
    private, public = CRYPTO.x25519_generate(rng)
    signature = CRYPTO.xeddsa_sign(private, message, rng)
    CRYPTO.xeddsa_verify(public, message, signature)
    sign = signature[63] & 0x80
    y = bytearray(edwards_y(public))
    y[31] |= sign
    plain = bytearray(signature)
    plain[63] &= 0x7F
    Ed25519PublicKey.from_public_bytes(bytes(y)).verify(bytes(plain), message)


def test_signing_is_randomised_by_rng_and_by_nothing_else() -> None:
    private, public = CRYPTO.x25519_generate(seeded_rng(1))
    first = CRYPTO.xeddsa_sign(private, b"m", seeded_rng(2))
    assert first == CRYPTO.xeddsa_sign(private, b"m", seeded_rng(2))
    assert first != CRYPTO.xeddsa_sign(private, b"m", seeded_rng(3))
    other = CRYPTO.xeddsa_sign(private, b"n", seeded_rng(2))
    assert first[:32] != other[:32]  # the same 64 random bytes for another message: another nonce
    CRYPTO.xeddsa_verify(public, b"n", other)


def test_every_bit_of_the_signature_and_the_key_counts() -> None:
    rng = seeded_rng("bits")
    private, public = CRYPTO.x25519_generate(rng)
    signature = CRYPTO.xeddsa_sign(private, b"message", rng)
    for bit in range(512):  # 511 is the sign of the key
        with pytest.raises(BadSignature):
            CRYPTO.xeddsa_verify(public, b"message", flip(signature, bit))
    for bit in range(256):
        with pytest.raises((BadSignature, BadPublicKey)):
            CRYPTO.xeddsa_verify(flip(public, bit), b"message", signature)


@pytest.mark.parametrize("length", [0, 32, 63, 65, 128])
def test_a_signature_of_another_length_is_refused(length: int) -> None:
    private, public = CRYPTO.x25519_generate(seeded_rng(4))
    signature = CRYPTO.xeddsa_sign(private, b"", seeded_rng(5))
    with pytest.raises(BadSignature):
        CRYPTO.xeddsa_verify(public, b"", (signature * 2)[:length])


def test_an_s_that_is_not_reduced_is_refused() -> None:
    private, public = CRYPTO.x25519_generate(seeded_rng(6))
    signature = CRYPTO.xeddsa_sign(private, b"m", seeded_rng(7))
    sign = signature[63] & 0x80
    s = int.from_bytes(signature[32:], "little") & ((1 << 255) - 1)
    spellings = range(s + ORDER, 1 << 255, ORDER)
    assert len(spellings) == 7
    for other in spellings:
        changed = bytearray(signature[:32] + other.to_bytes(32, "little"))
        changed[63] |= sign
        with pytest.raises(BadSignature):
            CRYPTO.xeddsa_verify(public, b"m", bytes(changed))


def test_sr12_a_key_of_small_order_signs_nothing() -> None:
    """Under u = 0 (y = -1) or u = 1 a signature R = B, s = 1 would hold for many messages."""
    base = bytes.fromhex("5866666666666666666666666666666666666666666666666666666666666666")
    for u in (0, 1, 325606250916557431795983626356110631294008115727848805560023387167927233504):
        for n in range(64):
            for sign in (0, 0x80):
                signature = base + b"\x01" + bytes(30) + bytes((sign,))
                with pytest.raises((BadSignature, BadPublicKey)):
                    CRYPTO.xeddsa_verify(u.to_bytes(32, "little"), bytes((n,)), signature)


def test_an_unclamped_private_key_signs_for_the_public_key_that_belongs_to_it() -> None:
    private = b"\xff" * 32
    signature = CRYPTO.xeddsa_sign(private, b"m", seeded_rng(8))
    CRYPTO.xeddsa_verify(CRYPTO.x25519_public(private), b"m", signature)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=70), st.binary(max_size=70))
def test_any_bytes_give_bad_signature_or_bad_public_key(public: bytes, signature: bytes) -> None:
    with pytest.raises((BadSignature, BadPublicKey)):
        CRYPTO.xeddsa_verify(public, b"m", signature)
    with pytest.raises((BadSignature, BadPublicKey)):
        CRYPTO.ed25519_verify(public, b"m", signature)
    with pytest.raises((BadSignature, BadPublicKey)):
        CRYPTO.p256_verify(public, b"m", signature)


def test_verify_many_names_the_first_that_fails() -> None:
    rng = seeded_rng("many")
    private, public = CRYPTO.x25519_generate(rng)
    seed = rng(32)
    p256 = CRYPTO.p256_generate(rng)
    checks = [
        ("xeddsa", public, b"a", CRYPTO.xeddsa_sign(private, b"a", rng)),
        ("ed25519", CRYPTO.ed25519_public(seed), b"b", CRYPTO.ed25519_sign(seed, b"b")),
        ("p256", CRYPTO.p256_public(p256), b"c", CRYPTO.p256_sign(p256, b"c")),
    ]
    CRYPTO.verify_many([])
    for times in (1, 4, 20):  # from 16 checks on in threads
        CRYPTO.verify_many(checks * times)
        for broken in range(3):
            bad = list(checks * times)
            for index in {broken, broken + 3 * (times // 2), 3 * times - 1}:
                scheme, key, _, signature = bad[index]
                bad[index] = (scheme, key, b"other", signature)
            with pytest.raises(BadSignature, match=f"signature {broken} "):
                CRYPTO.verify_many(bad)
        last = 3 * times - 1
        with pytest.raises(BadSignature, match=f"signature {last} "):
            CRYPTO.verify_many([*(checks * times)[:-1], ("p256", checks[2][1], b"other", checks[2][3])])
    with pytest.raises(BadSignature, match="signature 1 "):
        CRYPTO.verify_many([checks[0], ("xeddsa", b"short", b"", bytes(64))])
    with pytest.raises(InputError):
        CRYPTO.verify_many([("rot13", public, b"", bytes(64))])
