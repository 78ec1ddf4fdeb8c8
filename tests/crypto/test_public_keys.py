"""SR-12: public keys that are malformed, of small order, with torsion or off the curve are refused.

The oracle is a Montgomery ladder in plain Python: it knows whether a point is on the curve or on its
twist and whether the prime order takes it to the identity.
"""

from __future__ import annotations

import contextlib
import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl import bindings as sodium

from crypto.deterministic import seeded_rng
from crypto.vectors import expect_at_least, wycheproof
from letterlock.crypto.pyca import Pyca
from letterlock.errors import BadPublicKey, InputError

CRYPTO = Pyca()
P = 2**255 - 19
A = 486662
ORDER = 2**252 + 27742317777372353535851937790883648493

# All u of order 1, 2, 4 and 8 on the curve and on the twist, in every spelling below 2^255, and with the high bit set.
LOW_ORDER = [
    0,
    1,
    325606250916557431795983626356110631294008115727848805560023387167927233504,
    39382357235489614581723060781553021112529911719440698176882885853963445705823,
    P - 1,
    P,
    P + 1,
]
LOW_ORDER_BYTES = [(u | high).to_bytes(32, "little") for u in LOW_ORDER for high in (0, 1 << 255)]

# An Edwards point of order 8; its multiples are the whole torsion group.
ORDER_8 = bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")


def montgomery(edwards: bytes) -> bytes:
    """u = (1 + y) / (1 - y)."""
    y = int.from_bytes(edwards, "little") & ((1 << 255) - 1)
    return ((1 + y) * pow(1 - y, -1, P) % P).to_bytes(32, "little")


def on_curve(u: int) -> bool:
    """Is u^3 + A u^2 + u a square?"""
    return pow(u * u * u + A * u * u + u, (P - 1) // 2, P) in (0, 1)


def killed_by(scalar: int, u: int) -> bool:
    """Does `scalar` take a point with this u, on curve or twist, to the identity? The ladder of RFC 7748."""
    x2, z2, x3, z3 = 1, 0, u, 1
    for bit in bin(scalar)[2:]:
        if bit == "1":
            x2, z2, x3, z3 = x3, z3, x2, z2
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        x3, z3 = pow(d * a + c * b, 2, P), u * pow(d * a - c * b, 2, P) % P
        aa, bb = a * a % P, b * b % P
        x2, z2 = aa * bb % P, (aa - bb) * (aa + 121665 * (aa - bb)) % P
        if bit == "1":
            x2, z2, x3, z3 = x3, z3, x2, z2
    return z2 == 0


def good(public: bytes) -> bool:
    """What x25519_check must say."""
    u = int.from_bytes(public, "little")
    return u < P and u != 0 and on_curve(u) and killed_by(ORDER, u)


def accepted(public: bytes) -> bool:
    try:
        CRYPTO.x25519_check(public)
    except BadPublicKey:
        return False
    return True


@pytest.mark.parametrize("public", LOW_ORDER_BYTES, ids=lambda b: b.hex()[:12] + b.hex()[-2:])
def test_sr12_low_order_points_are_refused_by_check_and_by_agreement(public: bytes) -> None:
    with pytest.raises(BadPublicKey):
        CRYPTO.x25519_check(public)
    with pytest.raises(BadPublicKey) as caught:
        CRYPTO.x25519(hashlib.sha256(b"private").digest(), public)
    assert caught.value.code == "crypto.public_key.zero"


@pytest.mark.parametrize("length", [0, 1, 31, 33, 64])
def test_sr12_wrong_lengths_are_refused(length: int) -> None:
    public = CRYPTO.x25519_public(bytes(range(32)))
    wrong = (public * 2)[:length]
    with pytest.raises(BadPublicKey):
        CRYPTO.x25519_check(wrong)
    with pytest.raises(BadPublicKey):
        CRYPTO.x25519(bytes(range(32)), wrong)
    with pytest.raises(BadPublicKey):
        CRYPTO.xeddsa_verify(wrong, b"", bytes(64))
    with pytest.raises(InputError):
        CRYPTO.x25519(bytes(length), public)
    with pytest.raises(InputError):
        CRYPTO.x25519_public(bytes(length))
    with pytest.raises(InputError):
        CRYPTO.xeddsa_sign(bytes(length), b"", bytes)


def test_sr12_the_high_bit_and_values_from_p_on_are_not_canonical() -> None:
    public = CRYPTO.x25519_public(hashlib.sha256(b"canonical").digest())
    CRYPTO.x25519_check(public)
    for u in (int.from_bytes(public, "little") | 1 << 255, *range(P, 2**255)):
        with pytest.raises(BadPublicKey) as caught:
            CRYPTO.x25519_check(u.to_bytes(32, "little"))
        assert caught.value.code == "crypto.public_key.canonical"
        with pytest.raises(BadPublicKey):
            CRYPTO.xeddsa_verify(u.to_bytes(32, "little"), b"", bytes(64))


def test_sr12_every_torsion_component_is_refused() -> None:
    rng = seeded_rng("torsion")
    refused = 0
    for _ in range(8):
        point = sodium.crypto_scalarmult_ed25519_base_noclamp(sodium.crypto_core_ed25519_scalar_reduce(rng(64)))
        assert accepted(montgomery(point))
        for _ in range(7):
            point = sodium.crypto_core_ed25519_add(point, ORDER_8)
            public = montgomery(point)
            assert on_curve(int.from_bytes(public, "little"))
            assert not good(public)
            # a peer that takes it would agree on the same secret as for the honest point: hence the check
            with pytest.raises(BadPublicKey) as caught:
                CRYPTO.x25519_check(public)
            assert caught.value.code == "crypto.public_key.torsion"
            refused += 1
    assert refused == 56


def test_sr12_the_twist_is_refused() -> None:
    refused = 0
    for u in range(2, 200):
        public = u.to_bytes(32, "little")
        if not on_curve(u):
            refused += 1
            with pytest.raises(BadPublicKey):
                CRYPTO.x25519_check(public)
        assert accepted(public) == good(public), u
    assert refused > 80


def test_sr12_the_check_agrees_with_the_oracle_on_wycheproof_keys() -> None:
    count, verdicts = 0, {True: 0, False: 0}
    for case in wycheproof("Protocol/wycheproof/x25519_test.json"):
        public = case.data("public")
        assert accepted(public) == good(public), case.name
        verdicts[good(public)] += 1
        count += 1
    expect_at_least(count, 518, "Wycheproof X25519 public keys")
    assert min(verdicts.values()) >= 50, verdicts


@settings(max_examples=150, deadline=None)
@given(st.binary(min_size=32, max_size=32))
def test_sr12_the_check_agrees_with_the_oracle_on_any_32_bytes(public: bytes) -> None:
    assert accepted(public) == good(public)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=80))
def test_any_bytes_as_a_public_key_give_a_value_or_bad_public_key(public: bytes) -> None:
    for use in (
        CRYPTO.x25519_check,
        lambda key: CRYPTO.x25519(bytes(range(32)), key),
        CRYPTO.p256_spki,
        CRYPTO.p256_from_spki,
        lambda key: CRYPTO.p256_agree(b"\x01" * 32, key),
        lambda key: CRYPTO.mlkem768_encapsulate(key, bytes),
        lambda key: CRYPTO.mlkem1024_encapsulate(key, bytes),
    ):
        with contextlib.suppress(BadPublicKey):
            use(public)


def test_every_generated_key_passes_the_check_and_is_clamped() -> None:
    rng = seeded_rng("generate")
    for _ in range(50):
        private, public = CRYPTO.x25519_generate(rng)
        assert private[0] & 7 == 0
        assert private[31] & 0xC0 == 0x40
        assert CRYPTO.x25519_public(private) == public
        CRYPTO.x25519_check(public)
