"""Our primitives and libsignal's say the same, in both directions."""

from __future__ import annotations

import hashlib

import pytest

from crypto.deterministic import seeded_rng
from crypto.mlkem_reference import ML_KEM_1024, recover_message
from interop.peer import LibsignalPeer, PeerError, b64, raw
from letterlock.crypto.kyber import kyber1024_encapsulate
from letterlock.crypto.pyca import Pyca
from letterlock.errors import BadMac, BadPublicKey, BadSignature

pytestmark = pytest.mark.node

CRYPTO = Pyca()
RNG = seeded_rng("libsignal primitives")


def _flip(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def test_the_peer_is_the_version_that_we_name(peer: LibsignalPeer) -> None:
    assert peer.call("hello")["libsignal"] == "0.103.0"


def test_xeddsa_both_ways_with_both_sign_bits(peer: LibsignalPeer) -> None:
    signs = set()
    for n in range(50):
        message = RNG(n * 5)
        theirs = peer.call("keygen")
        signature = raw(peer.call("sign", private_key=theirs["private_key"], message=b64(message))["signature"])
        CRYPTO.xeddsa_verify(raw(theirs["public_key"])[1:], message, signature)
        signs.add(signature[63] & 0x80)

        private, public = CRYPTO.x25519_generate(RNG)
        signature = CRYPTO.xeddsa_sign(private, message, RNG)
        signs.add(signature[63] & 0x80)
        assert _libsignal_verifies(peer, public, message, signature)
    assert signs == {0, 0x80}


def test_a_flipped_bit_of_an_xeddsa_signature_is_refused_by_both(peer: LibsignalPeer) -> None:
    private, public = CRYPTO.x25519_generate(RNG)
    signature = CRYPTO.xeddsa_sign(private, b"message", RNG)
    for bit in range(0, 512, 7):
        changed = _flip(signature, bit)
        assert not _libsignal_verifies(peer, public, b"message", changed)
        with pytest.raises(BadSignature):
            CRYPTO.xeddsa_verify(public, b"message", changed)


def test_x25519_agreement_and_public_keys(peer: LibsignalPeer) -> None:
    for _ in range(20):
        private, public = CRYPTO.x25519_generate(RNG)
        theirs = peer.call("keygen")
        assert CRYPTO.x25519_public(raw(theirs["private_key"])) == raw(theirs["public_key"])[1:]
        secret = peer.call("agree", private_key=theirs["private_key"], public_key=b64(b"\x05" + public))["secret"]
        assert CRYPTO.x25519(private, raw(theirs["public_key"])[1:]) == raw(secret)
        assert raw(peer.call("keygen", private_key=b64(private))["public_key"]) == b"\x05" + public


def test_sr12_an_all_zero_agreement_is_refused_here(peer: LibsignalPeer) -> None:
    """libsignal's bare `agree` gives zeros and its sessions refuse them; ours refuses at once."""
    theirs = peer.call("keygen")
    zero = b"\x05" + bytes(32)
    try:
        secret = raw(peer.call("agree", private_key=theirs["private_key"], public_key=b64(zero))["secret"])
    except PeerError:
        pass
    else:
        assert secret == bytes(32)
    with pytest.raises(BadPublicKey):
        CRYPTO.x25519(raw(theirs["private_key"]), bytes(32))


def test_hkdf(peer: LibsignalPeer) -> None:
    for n in range(10):
        ikm, info, salt, length = RNG(32 + n), RNG(n), RNG(n * 3), 1 + n * 31
        okm = peer.call("hkdf", length=length, ikm=b64(ikm), info=b64(info), salt=b64(salt))["okm"]
        assert CRYPTO.hkdf_sha256(ikm, salt, info, length) == raw(okm)
    okm = peer.call("hkdf", length=80, ikm=b64(b"ikm"), info=b64(b"info"))["okm"]  # without a salt
    assert CRYPTO.hkdf_sha256(b"ikm", b"", b"info", 80) == raw(okm)


def test_aes_256_gcm_siv_both_ways(peer: LibsignalPeer) -> None:
    for n in range(10):
        key, nonce, ad, message = RNG(32), RNG(12), RNG(n), RNG(n * 21)
        arguments = {"key": b64(key), "nonce": b64(nonce), "aad": b64(ad)}
        sealed = raw(peer.call("aes256_gcm_siv", data=b64(message), **arguments)["out"])
        assert CRYPTO.aes_gcm_siv_seal(key, nonce, message, ad) == sealed
        assert CRYPTO.aes_gcm_siv_open(key, nonce, sealed, ad) == message
        opened = peer.call("aes256_gcm_siv", data=b64(sealed), decrypt=True, **arguments)["out"]
        assert raw(opened) == message
        broken = _flip(sealed, 5)
        with pytest.raises(PeerError):
            peer.call("aes256_gcm_siv", data=b64(broken), decrypt=True, **arguments)
        with pytest.raises(BadMac):
            CRYPTO.aes_gcm_siv_open(key, nonce, broken, ad)


def test_kyber1024_to_a_key_of_libsignal(peer: LibsignalPeer) -> None:
    """We encapsulate to libsignal's key; its own secret key, read by the reference, gives our secret back."""
    for _ in range(3):
        pair = peer.call("kem_keygen")
        public, secret_key = raw(pair["public_key"]), raw(pair["secret_key"])
        assert (public[0], len(public), secret_key[0], len(secret_key)) == (8, 1569, 8, 3169)
        secret, ciphertext = kyber1024_encapsulate(CRYPTO, public[1:], RNG)
        coins = recover_message(ML_KEM_1024, secret_key[1:], ciphertext)
        first = hashlib.sha3_512(coins + hashlib.sha3_256(public[1:]).digest()).digest()[:32]
        assert secret == hashlib.shake_256(first + hashlib.sha3_256(ciphertext).digest()).digest(32)


def _libsignal_verifies(peer: LibsignalPeer, public: bytes, message: bytes, signature: bytes) -> bool:
    answer = peer.call("verify", public_key=b64(b"\x05" + public), message=b64(message), signature=b64(signature))
    return bool(answer["valid"])
