"""X25519 and Ed25519 against RFC 7748, RFC 8032 and Wycheproof."""

from __future__ import annotations

import pytest

from crypto.vectors import cryptography_text, expect_at_least, records, wycheproof
from letterlock.crypto.pyca import Pyca
from letterlock.errors import BadPublicKey, BadSignature, CryptoError

CRYPTO = Pyca()


def test_rfc7748_section_5_2_single() -> None:
    count = 0
    for case in records(cryptography_text("asymmetric/X25519/rfc7748.txt"), "count"):
        scalar, u = bytes.fromhex(case["input_scalar"]), bytes.fromhex(case["input_u"])
        assert CRYPTO.x25519(scalar, u) == bytes.fromhex(case["output_u"])
        count += 1
    expect_at_least(count, 3, "RFC 7748 section 5.2")


def test_rfc7748_section_5_2_iterated() -> None:
    k = u = bytes([9]) + bytes(31)
    seen = {}
    for n in range(1, 1001):
        k, u = CRYPTO.x25519(k, u), k
        seen[n] = k.hex()
    assert seen[1] == "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079"
    assert seen[1000] == "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51"


def test_rfc7748_section_6_1_diffie_hellman() -> None:
    alice = bytes.fromhex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a")
    bob = bytes.fromhex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb")
    alice_public = bytes.fromhex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a")
    bob_public = bytes.fromhex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f")
    shared = bytes.fromhex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742")
    assert CRYPTO.x25519_public(alice) == alice_public
    assert CRYPTO.x25519_public(bob) == bob_public
    assert CRYPTO.x25519(alice, bob_public) == CRYPTO.x25519(bob, alice_public) == shared


def test_wycheproof_x25519_and_sr12_zero_agreements() -> None:
    count = zero = 0
    for case in wycheproof("Protocol/wycheproof/x25519_test.json"):
        count += 1
        if case.flags("ZeroSharedSecret"):
            zero += 1
            with pytest.raises(BadPublicKey):
                CRYPTO.x25519(case.data("private"), case.data("public"))
        else:
            assert CRYPTO.x25519(case.data("private"), case.data("public")) == case.data("shared"), case.name
    expect_at_least(count, 518, "Wycheproof X25519")
    assert zero >= 20


def test_rfc8032_ed25519() -> None:
    count = 0
    for line in cryptography_text("asymmetric/Ed25519/sign.input").splitlines():
        secret, public, message, signed = (bytes.fromhex(part) for part in line.split(":")[:4])
        assert CRYPTO.ed25519_public(secret[:32]) == public
        assert CRYPTO.ed25519_sign(secret[:32], message) == signed[:64]
        CRYPTO.ed25519_verify(public, message, signed[:64])
        count += 1
    expect_at_least(count, 1024, "RFC 8032 Ed25519 (the authors' sign.input)")


def test_wycheproof_ed25519() -> None:
    count = refused = 0
    for case in wycheproof("Signature/wycheproof/ed25519_test.json"):
        public = bytes.fromhex(case.group["publicKey"]["pk"])
        count += 1
        if case.result == "valid":
            CRYPTO.ed25519_verify(public, case.data("msg"), case.data("sig"))
            continue
        # acceptable: compressed signatures and small-order keys, which libsodium is known to settle either way
        try:
            CRYPTO.ed25519_verify(public, case.data("msg"), case.data("sig"))
        except CryptoError:
            refused += 1
        else:
            assert case.result == "acceptable", case.name
    expect_at_least(count, 210, "Wycheproof Ed25519")
    assert refused >= 64


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_sr12_ed25519_wrong_lengths(length: int) -> None:
    seed = bytes(range(32))
    public, signature = CRYPTO.ed25519_public(seed), CRYPTO.ed25519_sign(seed, b"m")
    with pytest.raises(BadPublicKey):
        CRYPTO.ed25519_verify(bytes(length), b"m", signature)
    if length != 64:
        with pytest.raises(BadSignature):
            CRYPTO.ed25519_verify(public, b"m", signature[:length])


def test_ed25519_every_bit_of_the_signature_counts() -> None:
    seed = bytes(range(32))
    public, signature = CRYPTO.ed25519_public(seed), CRYPTO.ed25519_sign(seed, b"message")
    for bit in range(512):
        with pytest.raises(BadSignature):
            CRYPTO.ed25519_verify(public, b"message", _flip(signature, bit))
    with pytest.raises(BadSignature):
        CRYPTO.ed25519_verify(public, b"massage", signature)


def _flip(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)
