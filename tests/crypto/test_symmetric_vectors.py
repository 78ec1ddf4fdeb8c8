"""HMAC, HKDF, AES and Argon2id against RFCs, NIST and Wycheproof; wrong paddings and tags (SR-12's siblings)."""

from __future__ import annotations

import hashlib
import hmac
import weakref

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.deterministic import seeded_rng
from crypto.vectors import cryptography_text, expect_at_least, pycryptodome_text, records, wycheproof
from letterlock.crypto import symmetric_pyca
from letterlock.crypto.pyca import Pyca
from letterlock.errors import BadMac, InputError

CRYPTO = Pyca()
unhex = bytes.fromhex


def test_rfc4231_hmac_sha256() -> None:
    count = 0
    for case in records(cryptography_text("HMAC/rfc-4231-sha256.txt"), "Len"):
        expected = unhex(case["md"])
        assert CRYPTO.hmac_sha256(unhex(case["key"]), unhex(case["msg"]))[: len(expected)] == expected
        count += 1
    expect_at_least(count, 6, "RFC 4231 HMAC-SHA256")


@given(st.binary(max_size=200), st.binary(max_size=500))
def test_hmac_by_hand_is_the_standard_library_s(key: bytes, message: bytes) -> None:
    assert CRYPTO.hmac_sha256(key, message) == hmac.digest(key, message, hashlib.sha256)


def test_rfc5869_hkdf_sha256() -> None:
    count = 0
    for name in ("rfc-5869-HKDF-SHA256.txt", "hkdf-generated.txt"):
        for case in records(cryptography_text(f"KDF/{name}"), "count"):
            if case["hash"] != "SHA-256":
                continue
            okm = CRYPTO.hkdf_sha256(unhex(case["ikm"]), unhex(case["salt"]), unhex(case["info"]), int(case["l"]))
            assert okm == unhex(case["okm"])
            count += 1
    expect_at_least(count, 4, "RFC 5869 HKDF-SHA256")


def test_wycheproof_hkdf() -> None:
    count = refused = 0
    for case in wycheproof("Protocol/wycheproof/hkdf_sha256_test.json"):
        count += 1
        arguments = (case.data("ikm"), case.data("salt"), case.data("info"), case.test["size"])
        if case.result == "valid":
            assert CRYPTO.hkdf_sha256(*arguments) == case.data("okm"), case.name
        else:
            refused += 1
            with pytest.raises(InputError):
                CRYPTO.hkdf_sha256(*arguments)
    expect_at_least(count, 86, "Wycheproof HKDF-SHA256")
    assert refused == 3


def test_hkdf_an_empty_salt_is_32_zero_bytes() -> None:
    assert CRYPTO.hkdf_sha256(b"ikm", b"", b"info", 80) == CRYPTO.hkdf_sha256(b"ikm", bytes(32), b"info", 80)


@pytest.mark.parametrize("bits", [128, 192, 256])
def test_nist_aes_cbc(bits: int) -> None:
    count = 0
    for kind in ("MMT", "GFSbox", "KeySbox", "VarKey", "VarTxt"):
        for case in records(cryptography_text(f"ciphers/AES/CBC/CBC{kind}{bits}.rsp"), "count"):
            key, iv, plaintext, ciphertext = (unhex(case[k]) for k in ("key", "iv", "plaintext", "ciphertext"))
            sealed = CRYPTO.aes_cbc_encrypt(key, iv, plaintext)  # NIST's, then one block of padding
            assert sealed[:-16] == ciphertext
            assert CRYPTO.aes_cbc_decrypt(key, iv, sealed) == plaintext
            count += 1
    expect_at_least(count, 300, f"NIST AES-{bits}-CBC")


def test_cbc_every_length_and_each_wrong_padding_is_bad_mac() -> None:
    key, iv = bytes(range(32)), bytes(range(16))
    for length in range(50):
        message = bytes(length)
        sealed = CRYPTO.aes_cbc_encrypt(key, iv, message)
        assert len(sealed) == length + 16 - length % 16
        assert CRYPTO.aes_cbc_decrypt(key, iv, sealed) == message
    messages = set()
    for last in range(256):  # a block whose padding says `last` and is wrong further left
        block = b"\xaa" * 15 + bytes((last,))
        raw = CRYPTO.aes_cbc_encrypt(key, iv, block)[:16]
        if last == 1:
            assert CRYPTO.aes_cbc_decrypt(key, iv, raw) == block[:15]
            continue
        with pytest.raises(BadMac) as caught:
            CRYPTO.aes_cbc_decrypt(key, iv, raw)
        messages.add(str(caught.value))
    for length in (0, 1, 15, 17, 31):
        with pytest.raises(BadMac) as caught:
            CRYPTO.aes_cbc_decrypt(key, iv, bytes(length))
        messages.add(str(caught.value))
    assert len(messages) == 1  # one error for all: nothing to learn from it


@pytest.mark.parametrize("bits", [128, 192, 256])
def test_rfc3686_aes_ctr(bits: int) -> None:
    count = 0
    for case in records(cryptography_text(f"ciphers/AES/CTR/aes-{bits}-ctr.txt"), "count"):
        key, counter = unhex(case["key"]), unhex(case["iv"])
        assert CRYPTO.aes_ctr(key, counter, unhex(case["plaintext"])) == unhex(case["ciphertext"])
        assert CRYPTO.aes_ctr(key, counter, unhex(case["ciphertext"])) == unhex(case["plaintext"])
        count += 1
    expect_at_least(count, 3, f"RFC 3686 AES-{bits}-CTR")


@pytest.mark.parametrize("bits", [128, 192, 256])
def test_nist_aes_gcm(bits: int) -> None:
    opened = refused = 0
    for case in records(cryptography_text(f"ciphers/AES/GCM/gcmDecrypt{bits}.rsp"), "count"):
        if case["ivlen"] != "96" or case["taglen"] != "128":
            continue
        key, nonce, ad = unhex(case["key"]), unhex(case["iv"]), unhex(case["aad"])
        sealed = unhex(case["ct"]) + unhex(case["tag"])
        if "fail" in case:
            refused += 1
            with pytest.raises(BadMac):
                CRYPTO.aes_gcm_open(key, nonce, sealed, ad)
        else:
            opened += 1
            assert CRYPTO.aes_gcm_open(key, nonce, sealed, ad) == unhex(case["pt"])
            assert CRYPTO.aes_gcm_seal(key, nonce, unhex(case["pt"]), ad) == sealed
    expect_at_least(opened + refused, 375, f"NIST AES-{bits}-GCM")
    assert min(opened, refused) > 50


def test_wycheproof_aes_gcm() -> None:
    count = other = 0
    for case in wycheproof("Cipher/wycheproof/aes_gcm_test.json"):
        key, nonce, ad = case.data("key"), case.data("iv"), case.data("aad")
        sealed = case.data("ct") + case.data("tag")
        if case.group["ivSize"] != 96:  # not offered: other lengths are hashed and may collide
            other += 1
            with pytest.raises(InputError):
                CRYPTO.aes_gcm_open(key, nonce, sealed, ad)
            continue
        count += 1
        if case.result == "valid":
            assert CRYPTO.aes_gcm_open(key, nonce, sealed, ad) == case.data("msg"), case.name
            assert CRYPTO.aes_gcm_seal(key, nonce, case.data("msg"), ad) == sealed, case.name
        else:
            with pytest.raises(BadMac):
                CRYPTO.aes_gcm_open(key, nonce, sealed, ad)
    expect_at_least(count, 150, "Wycheproof AES-GCM")
    assert other > 0


def test_rfc8452_aes_gcm_siv() -> None:
    count = 0
    for name in ("openssl.txt", "aes-192-gcm-siv.txt"):
        for case in records(cryptography_text(f"ciphers/AES/GCM-SIV/{name}"), "count"):
            key, nonce, ad = unhex(case["key"]), unhex(case["iv"]), unhex(case.get("aad", ""))
            plaintext = unhex(case.get("plaintext", ""))
            sealed = unhex(case.get("ciphertext", "")) + unhex(case["tag"])
            assert CRYPTO.aes_gcm_siv_seal(key, nonce, plaintext, ad) == sealed
            assert CRYPTO.aes_gcm_siv_open(key, nonce, sealed, ad) == plaintext
            count += 1
    expect_at_least(count, 40, "RFC 8452 AES-GCM-SIV")


def test_wycheproof_chacha20poly1305() -> None:
    count = other = 0
    for case in wycheproof("Cipher/wycheproof/chacha20_poly1305_test.json"):
        key, nonce, ad = case.data("key"), case.data("iv"), case.data("aad")
        sealed = case.data("ct") + case.data("tag")
        if case.group["ivSize"] != 96:
            other += 1
            with pytest.raises(InputError):
                CRYPTO.chacha20poly1305_open(key, nonce, sealed, ad)
            continue
        count += 1
        if case.result == "valid":
            assert CRYPTO.chacha20poly1305_open(key, nonce, sealed, ad) == case.data("msg"), case.name
            assert CRYPTO.chacha20poly1305_seal(key, nonce, case.data("msg"), ad) == sealed, case.name
        else:
            with pytest.raises(BadMac):
                CRYPTO.chacha20poly1305_open(key, nonce, sealed, ad)
    expect_at_least(count, 300, "Wycheproof ChaCha20-Poly1305")
    assert other > 0


@pytest.mark.parametrize("name", ["aes_gcm", "aes_gcm_siv", "chacha20poly1305"])
def test_every_bit_of_an_aead_ciphertext_nonce_and_ad_counts(name: str) -> None:
    seal, unseal = getattr(CRYPTO, f"{name}_seal"), getattr(CRYPTO, f"{name}_open")
    rng = seeded_rng(name)
    key, nonce, ad = rng(32), rng(12), rng(9)
    sealed = seal(key, nonce, b"plaintext", ad)
    assert unseal(key, nonce, sealed, ad) == b"plaintext"
    for bit in range(len(sealed) * 8):
        with pytest.raises(BadMac):
            unseal(key, nonce, _flip(sealed, bit), ad)
    for length in range(len(sealed)):
        with pytest.raises(BadMac):
            unseal(key, nonce, sealed[:length], ad)
    for arguments in (
        (key, nonce, sealed, b""),
        (key, _flip(nonce, 3), sealed, ad),
        (_flip(key, 7), nonce, sealed, ad),
    ):
        with pytest.raises(BadMac):
            unseal(*arguments)


def test_wrong_key_iv_and_nonce_lengths_are_our_mistake() -> None:
    key, block = bytes(32), bytes(16)
    for wrong in (b"", bytes(15), bytes(31), bytes(33)):
        for use in (
            lambda k: CRYPTO.aes_cbc_encrypt(k, block, b""),
            lambda k: CRYPTO.aes_cbc_decrypt(k, block, block),
            lambda k: CRYPTO.aes_ctr(k, block, b""),
            lambda k: CRYPTO.aes_gcm_seal(k, bytes(12), b"", b""),
            lambda k: CRYPTO.aes_gcm_open(k, bytes(12), block, b""),
            lambda k: CRYPTO.aes_gcm_siv_seal(k, bytes(12), b"", b""),
            lambda k: CRYPTO.aes_gcm_siv_open(k, bytes(12), block, b""),
            lambda k: CRYPTO.chacha20poly1305_seal(k, bytes(12), b"", b""),
            lambda k: CRYPTO.chacha20poly1305_open(k, bytes(12), block, b""),
            lambda iv: CRYPTO.aes_cbc_encrypt(key, iv, b""),
            lambda iv: CRYPTO.aes_cbc_decrypt(key, iv, block),
            lambda iv: CRYPTO.aes_ctr(key, iv, b""),
            lambda n: CRYPTO.aes_gcm_seal(key, n, b"", b""),
            lambda n: CRYPTO.aes_gcm_open(key, n, block, b""),
            lambda n: CRYPTO.aes_gcm_siv_seal(key, n, b"", b""),
            lambda n: CRYPTO.aes_gcm_siv_open(key, n, block, b""),
            lambda n: CRYPTO.chacha20poly1305_seal(key, n, b"", b""),
            lambda n: CRYPTO.chacha20poly1305_open(key, n, block, b""),
        ):
            with pytest.raises(InputError):
                use(wrong)


@pytest.mark.parametrize(("name", "library_class"), [("aes_gcm", "AESGCM"), ("chacha20poly1305", "ChaCha20Poly1305")])
def test_no_message_key_outlives_its_message(name: str, library_class: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing behind the provider may hold on to a key that MLS has deleted."""
    real, made = getattr(symmetric_pyca, library_class), []

    class Watched:
        def __init__(self, key: bytes) -> None:
            self.cipher = real(key)
            self.encrypt, self.decrypt = self.cipher.encrypt, self.cipher.decrypt
            made.append(weakref.ref(self))

    monkeypatch.setattr(symmetric_pyca, library_class, Watched)
    key, nonce = bytes(32), bytes(12)
    sealed = getattr(CRYPTO, f"{name}_seal")(key, nonce, b"text", b"")
    assert getattr(CRYPTO, f"{name}_open")(key, nonce, sealed, b"") == b"text"
    assert len(made) == 2
    assert [reference() for reference in made] == [None, None]


def test_rfc9106_argon2id() -> None:
    count = 0
    for case in records(cryptography_text("KDF/argon2id.txt"), "count"):
        if "secret" in case or "ad" in case or int(case["memcost"]) > 70_000:
            continue
        output = CRYPTO.argon2id(
            unhex(case["pass"]),
            unhex(case["salt"]),
            memory_kib=int(case["memcost"]),
            iterations=int(case["iter"]),
            lanes=int(case["lanes"]),
            length=int(case["length"]),
        )
        assert output == unhex(case["output"])
        count += 1
    expect_at_least(count, 3, "RFC 9106 Argon2id")


def test_argon2id_refuses_senseless_parameters() -> None:
    for change in ({"memory_kib": 1}, {"iterations": 0}, {"lanes": 0}, {"length": 0}):
        with pytest.raises(InputError):
            CRYPTO.argon2id(b"p", bytes(16), **({"memory_kib": 32, "iterations": 1, "lanes": 1, "length": 32} | change))
    with pytest.raises(InputError):
        CRYPTO.argon2id(b"p", b"", memory_kib=32, iterations=1, lanes=1, length=32)


def test_sha_family_of_the_kems_is_present() -> None:
    """hashlib must offer what kyber.py calls; the first lines of NIST's short-message files."""
    first = next(r for r in records(pycryptodome_text("Hash/SHA3/ShortMsgKAT_SHA3-256.txt"), "len") if r["len"] == "0")
    assert hashlib.sha3_256(b"").digest() == unhex(first["md"])
    first = next(r for r in records(pycryptodome_text("Hash/SHA3/ShortMsgKAT_SHAKE256.txt"), "len") if r["len"] == "0")
    expected = unhex(first["squeezed"]) if "squeezed" in first else unhex(first["md"])
    assert hashlib.shake_256(b"").digest(len(expected)) == expected


def _flip(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)
