"""The checked-in known answers, recomputed, and the responder's half done again from its private keys alone."""

from __future__ import annotations

import hashlib
import json

import pytest

import signal_vectors
from crypto.deterministic import Deterministic
from letterlock.codec.prekeys import decode_bundle
from letterlock.ids import DeviceId
from letterlock.signal.keys import IdentityKeyPair, verify_bundle
from letterlock.signal.prekey_records import EcPreKeyPair, KemPreKeyPair, kem_key, one_time_key, signed_key
from letterlock.signal.record import SessionRecord
from signal_device import NOW, SignalDevice

CRYPTO = Deterministic()


def stored(name: str) -> dict:  # type: ignore[type-arg]
    return json.loads((signal_vectors.FOLDER / name).read_text())


@pytest.fixture(scope="module")
def built() -> dict:  # type: ignore[type-arg]
    return signal_vectors.build()


@pytest.mark.parametrize("name", ["handshake.json", "one_way.json", "conversation.json"])
def test_vectors_are_what_the_code_makes(built: dict, name: str) -> None:  # type: ignore[type-arg]
    assert built[name] == stored(name)


@pytest.mark.parametrize("number", [0, 1])
def test_the_handshake_from_the_specification_step_by_step(number: int) -> None:
    """PQXDH 3.3 with plain primitives, from Alice's side: independent of signal/pqxdh.py."""
    case = {name: value and bytes.fromhex(value) for name, value in stored("handshake.json")["cases"][number].items()}
    agree, public = CRYPTO.x25519, CRYPTO.x25519_public
    identity, base = case["alice_identity_private"], case["alice_base_private"]
    signed = public(case["bob_signed_prekey_private"])
    parts = [
        b"\xff" * 32,
        agree(identity, signed),
        agree(base, public(case["bob_identity_private"])),
        agree(base, signed),
    ]
    if case["bob_one_time_prekey_private"] is not None:
        parts.append(agree(base, public(case["bob_one_time_prekey_private"])))
    mlkem = CRYPTO.mlkem1024_decapsulate(case["bob_kem_seed"], case["kem_ciphertext"])
    kyber = hashlib.shake_256(mlkem + hashlib.sha3_256(case["kem_ciphertext"]).digest()).digest(32)
    assert kyber == case["kyber1024_shared_secret"]
    okm = CRYPTO.hkdf_sha256(
        b"".join((*parts, kyber)), bytes(32), b"WhisperText_X25519_SHA-256_CRYSTALS-KYBER-1024", 96
    )
    assert (okm[:32], okm[32:64], okm[64:]) == (case["root_key"], case["chain_key"], case["pqr_key"])


@pytest.mark.parametrize("order", [(0, 1, 2, 3, 4), (4, 2, 0, 1, 3)])
def test_a_responder_with_only_the_given_keys_reads_the_messages(order: tuple[int, ...]) -> None:
    case = stored("one_way.json")
    bob = SignalDevice(CRYPTO, bytes, bytes.fromhex(case["bob_address"]), registration_id=case["bob_registration_id"])
    bob.identity = IdentityKeyPair.of(CRYPTO, bytes.fromhex(case["bob_identity_private"]))
    bundle = decode_bundle(bytes.fromhex(case["bundle"]))
    verify_bundle(CRYPTO, bundle, identity_key=bob.identity.public, device=DeviceId(2))
    assert bundle.one_time is not None
    for key, private in (
        (signed_key(bundle.signed.id), case["bob_signed_prekey_private"]),
        (one_time_key(bundle.one_time.id), case["bob_one_time_prekey_private"]),
    ):
        secret = bytes.fromhex(private)
        bob.memory.apply({key: EcPreKeyPair(secret, CRYPTO.x25519_public(secret), NOW, None)})
    seed = bytes.fromhex(case["bob_kem_seed"])
    bob.memory.apply({kem_key(bundle.kem.id): KemPreKeyPair(seed, False, NOW, None)})
    for n in order:
        message = case["messages"][n]
        plaintext = bob.decrypt(bytes.fromhex(case["alice_address"]), 3, bytes.fromhex(message["message"]))
        assert plaintext.hex() == message["plaintext"]


def test_sessions_stored_by_an_earlier_version_still_open() -> None:
    case = stored("conversation.json")
    for name in ("alice_packed", "bob_packed"):
        packed = bytes.fromhex(case[name])
        assert SessionRecord.unpack(CRYPTO, packed).pack() == packed
