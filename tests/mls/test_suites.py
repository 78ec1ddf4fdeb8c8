"""Cipher suites: the published crypto-basics vectors, both directions, and what each function refuses."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable

import pytest

from crypto.deterministic import Deterministic, seeded_rng
from letterlock.crypto.dhkem import dhkem
from letterlock.crypto.hpke import Hpke
from letterlock.crypto.pyca import Pyca
from letterlock.errors import BadMac, BadPublicKey, BadSignature, InputError
from letterlock.mls.suites import SUITE_NAMES, CipherSuite, cipher_suite
from mls.vectors import SUPPORTED_SUITES, load

CRYPTO = Pyca()
POST_QUANTUM = {
    0xF001: "MLS_128_MLKEM768X25519_AES128GCM_SHA256_Ed25519",
    0xF002: "MLS_128_MLKEM768X25519_AES256GCM_SHA384_Ed25519",
    0xF003: "MLS_128_XWING_AES128GCM_SHA256_Ed25519",
    0xF004: "MLS_192_XWING_AES256GCM_SHA384_Ed25519",
}
SUITES = [cipher_suite(number, CRYPTO, POST_QUANTUM) for number in (*SUITE_NAMES, *POST_QUANTUM)]


def every_suite(test: Callable[..., None]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.name)(test)  # type: ignore[no-any-return]


def test_published_crypto_basics() -> None:
    ran = []
    for case in load("crypto-basics"):
        if case["cipher_suite"] not in SUPPORTED_SUITES:
            continue
        suite = cipher_suite(case["cipher_suite"], CRYPTO)
        ran.append(suite.number)

        ref = case["ref_hash"]
        assert suite.ref_hash(ref["label"], bytes.fromhex(ref["value"])).hex() == ref["out"]
        expand = case["expand_with_label"]
        made = suite.expand_with_label(
            bytes.fromhex(expand["secret"]), expand["label"], bytes.fromhex(expand["context"]), expand["length"]
        )
        assert made.hex() == expand["out"]
        derive = case["derive_secret"]
        assert suite.derive_secret(bytes.fromhex(derive["secret"]), derive["label"]).hex() == derive["out"]
        tree = case["derive_tree_secret"]
        made = suite.derive_tree_secret(
            bytes.fromhex(tree["secret"]), tree["label"], tree["generation"], tree["length"]
        )
        assert made.hex() == tree["out"]

        sign = {
            key: value if key == "label" else bytes.fromhex(value) for key, value in case["sign_with_label"].items()
        }
        suite.verify_with_label(sign["pub"], sign["label"], sign["content"], sign["signature"])
        own = suite.sign_with_label(suite.signer(sign["priv"]), sign["label"], sign["content"])
        suite.verify_with_label(sign["pub"], sign["label"], sign["content"], own)
        if suite.signature_scheme == "ed25519":
            assert own == sign["signature"]

        seal = {
            key: value if key == "label" else bytes.fromhex(value) for key, value in case["encrypt_with_label"].items()
        }
        info = suite.encryption_context(seal["label"], seal["context"])
        assert suite.public_of(seal["priv"]) == seal["pub"]
        opened = suite.decrypt_with_label(seal["priv"], info, seal["kem_output"], seal["ciphertext"])
        assert opened == seal["plaintext"]
        output, ciphertext = suite.encrypt_with_label(seal["pub"], info, seal["plaintext"], os.urandom)
        assert suite.decrypt_with_label(seal["priv"], info, output, ciphertext) == seal["plaintext"]
    assert ran == [1, 2, 3, 5, 7]


def test_references_are_hashes_under_their_labels() -> None:
    """Section 5.2, spelt out."""
    suite = cipher_suite(1, CRYPTO)
    for made, label in (
        (suite.key_package_ref(b"value"), b"MLS 1.0 KeyPackage Reference"),
        (suite.proposal_ref(b"value"), b"MLS 1.0 Proposal Reference"),
    ):
        assert made == hashlib.sha256(bytes((len(label),)) + label + b"\x05value").digest()


@every_suite
def test_sizes(suite: CipherSuite) -> None:
    private, public = suite.generate_key_pair(seeded_rng("sizes"))
    assert suite.public_of(private) == public
    suite.check_public_key(public)
    assert suite.derive_key_pair(b"secret" * 6) == suite.derive_key_pair(b"secret" * 6)
    derived, derived_public = suite.derive_key_pair(b"secret" * 6)
    assert suite.public_of(derived) == derived_public != suite.derive_key_pair(b"secret" * 7)[1]
    assert suite.zero == bytes(suite.hash_length)
    for made in (suite.hash(b""), suite.mac(b"k", b""), suite.extract(b"", b""), suite.derive_secret(b"k", "l")):
        assert len(made) == suite.hash_length
    key, nonce = bytes(suite.key_length), bytes(suite.nonce_length)
    sealed = suite.aead_seal(key, nonce, b"text", b"aad")
    assert len(sealed) == 4 + suite.tag_length
    assert suite.aead_open(key, nonce, sealed, b"aad") == b"text"
    with pytest.raises(BadMac):
        suite.aead_open(key, nonce, sealed, b"other")
    with pytest.raises(InputError):
        suite.aead_seal(bytes(suite.key_length + 1), nonce, b"", b"")
    assert "crypto" not in repr(suite)
    assert suite.name in repr(suite)


@every_suite
def test_encryption_is_bound_to_key_label_context_and_both_parts(suite: CipherSuite) -> None:
    rng = seeded_rng(suite.name)
    private, public = suite.generate_key_pair(rng)
    other, _ = suite.generate_key_pair(rng)
    info = suite.encryption_context("Label", b"context" * 100)
    output, ciphertext = suite.encrypt_with_label(public, info, b"plaintext", rng)
    assert suite.decrypt_with_label(private, info, output, ciphertext) == b"plaintext"
    for wrong in (
        (other, info, output, ciphertext),
        (private, suite.encryption_context("Labek", b"context" * 100), output, ciphertext),
        (private, suite.encryption_context("Label", b"context" * 99), output, ciphertext),
        (private, info, output, ciphertext[:-1]),
        (private, info, output, b""),
        (private, info, output, bytes((ciphertext[0] ^ 1,)) + ciphertext[1:]),
        (private, info, suite.encrypt_with_label(public, info, b"plaintext", rng)[0], ciphertext),
    ):
        with pytest.raises(BadMac):
            suite.decrypt_with_label(*wrong)
    for bad in (b"", output[:-1], output + b"\x00", bytes(len(output))):
        with pytest.raises((BadPublicKey, BadMac)):
            suite.decrypt_with_label(private, info, bad, ciphertext)
    with pytest.raises(BadPublicKey):
        suite.decrypt_with_label(private, info, output[:-1], ciphertext)


@every_suite
def test_sr12_keys_nobody_could_encrypt_to_are_refused(suite: CipherSuite) -> None:
    """SR-12: by the check, and by encryption itself."""
    rng = seeded_rng("bad keys")
    _, public = suite.generate_key_pair(rng)
    info = suite.encryption_context("Label", b"")
    wrong = [b"", public[:-1], public + b"\x00", bytes(len(public)), bytes(1)]
    if len(public) in (32, 1216):  # X25519, at the end of X-Wing: points of small order
        wrong += [public[:-32] + u.to_bytes(32, "little") for u in (0, 1, 2**255 - 20, 2**255 - 19, 2**255, 2**255 + 1)]
    else:
        wrong += [public[:-1] + bytes((public[-1] ^ 1,)), b"\x02" + public[1:]]
    if len(public) == 1216:  # a coefficient over the modulus
        wrong.append(b"\xff\xff" + public[2:])
    for bad in wrong:
        with pytest.raises(BadPublicKey):
            suite.check_public_key(bad)
        with pytest.raises(BadPublicKey):
            suite.encrypt_with_label(bad, info, b"", rng)


@every_suite
def test_signatures_are_bound_to_key_label_and_content(suite: CipherSuite) -> None:
    rng = seeded_rng("signatures")
    private, public = suite.generate_signature_key(rng)
    _, other = suite.generate_signature_key(rng)
    sign = suite.signer(private)
    signature = suite.sign_with_label(sign, "LeafNodeTBS", b"content")
    suite.verify_with_label(public, "LeafNodeTBS", b"content", signature)
    checks = [(suite.signature_scheme, public, suite.sign_content("LeafNodeTBS", b"content"), signature)]
    CRYPTO.verify_many(checks * 20)
    for wrong in (
        (other, "LeafNodeTBS", b"content", signature),
        (public, "LeafNodeTB", b"content", signature),
        (public, "LeafNodeTBS", b"contenu", signature),
        (public, "LeafNodeTBS", b"content", signature[:-1]),
        (public, "LeafNodeTBS", b"content", b""),
    ):
        with pytest.raises(BadSignature):
            suite.verify_with_label(*wrong)
    for bad in (b"", public[:-1], public + b"\x00"):
        with pytest.raises(BadPublicKey):
            suite.verify_with_label(bad, "LeafNodeTBS", b"content", signature)
    with pytest.raises(BadSignature):
        CRYPTO.verify_many([*checks * 20, (*checks[0][:2], b"other", signature)])
    assert private.hex() not in repr(sign)


@every_suite
def test_external_init_gives_both_sides_one_secret(suite: CipherSuite) -> None:
    rng = seeded_rng("external init")
    private, public = suite.derive_key_pair(rng(suite.hash_length))
    output, secret = suite.export_sender(public, rng)
    assert len(secret) == suite.hash_length
    assert suite.export_receiver(private, output) == secret
    assert suite.export_sender(public, rng)[1] != secret
    if suite.number == 1:  # section 8.3, spelt out: SetupBaseR(kem_output, private, "").export(label, KDF.Nh)
        hpke = Hpke(CRYPTO, dhkem(CRYPTO, 0x0020), 0x0001, 0x0001)
        assert hpke.export_receiver(private, output, b"", b"MLS 1.0 external init secret", 32) == secret
    with pytest.raises(BadPublicKey):
        suite.export_receiver(private, output[:-1])
    with pytest.raises(BadPublicKey):
        suite.export_sender(public[:-1], rng)


@every_suite
def test_a_tag_matches_in_full_only(suite: CipherSuite) -> None:
    tag = suite.mac(b"key", b"data")
    assert suite.mac_matches(b"key", b"data", tag)
    for wrong in (b"", tag[:-1], tag + b"\x00", tag[:1], bytes((tag[0] ^ 1,)) + tag[1:]):
        assert not suite.mac_matches(b"key", b"data", wrong)
    assert not suite.mac_matches(b"key", b"datb", tag)


def test_contexts_of_every_length_of_length() -> None:
    """The length before a context is written by hand for speed: it has to agree with the general form."""
    from letterlock.codec.tls import opaque, u16

    suite = cipher_suite(1, CRYPTO)
    for size in (0, 1, 63, 64, 16383, 16384, 100_000):
        context = bytes(size)
        info = u16(20) + opaque(b"MLS 1.0 label") + opaque(context)
        assert suite.expand_with_label(b"secret", "label", context, 20) == suite.mac(b"secret", info + b"\x01")[:20]
    assert suite.derive_secret(b"secret", "label") == suite.expand_with_label(b"secret", "label", b"", 32)
    long = suite.expand_with_label(b"secret", "label", b"", 100)
    first = suite.mac(b"secret", u16(100) + opaque(b"MLS 1.0 label") + b"\x00\x01")
    assert long[:32] == first
    assert len(long) == 100
    for length in (-1, 255 * 32 + 1, 65536):
        with pytest.raises(InputError):
            suite.expand_with_label(b"secret", "label", b"", length)


def test_suites_are_made_once_for_a_provider_and_refused_when_unknown() -> None:
    assert cipher_suite(1, CRYPTO) is cipher_suite(1, CRYPTO)
    assert cipher_suite(1, CRYPTO) is not cipher_suite(1, Deterministic())
    assert cipher_suite(1, CRYPTO, {1: "MLS_128_XWING_AES128GCM_SHA256_Ed25519"}).name == SUITE_NAMES[1]
    for number, extra in ((0, {}), (4, {}), (6, {}), (8, {}), (0xF001, {}), (0xF001, {0xF001: "MLS_128_ROT13"})):
        with pytest.raises(InputError) as caught:
            cipher_suite(number, CRYPTO, extra)
        assert caught.value.code == "mls.cipher_suite"
