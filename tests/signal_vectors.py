"""Known answers for Signal sessions, made by this implementation once it agreed with libsignal in both directions.

`python tests/signal_vectors.py` (with src and tests on the path) writes `tests/vectors/signal/*.json` anew; a test
recomputes them. Everything is hex. `handshake.json` and the responder's half of `one_way.json` need nothing
but standard primitives, so that another implementation can check itself; `conversation.json` pins every
byte of a longer exchange, whose randomness is `crypto.deterministic.seeded_rng("conversation")`.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from crypto.deterministic import Deterministic, seeded_rng
from letterlock.codec.prekeys import encode_bundle
from letterlock.crypto.kyber import kyber1024_encapsulate
from letterlock.signal.keys import IdentityKeyPair
from letterlock.signal.pqxdh import respond
from letterlock.signal.prekey_records import kem_key, one_time_key, signed_key
from signal_device import SignalDevice

__all__ = ["FOLDER", "build"]

FOLDER = Path(__file__).parent / "vectors" / "signal"
CRYPTO = Deterministic()


def build() -> dict[str, Any]:
    """All vectors by file name."""
    return {
        "handshake.json": {"cases": [_handshake(one_time) for one_time in (True, False)]},
        "one_way.json": _one_way(),
        "conversation.json": _conversation(),
    }


def _handshake(with_one_time: bool) -> dict[str, Any]:
    rng = seeded_rng(f"handshake {with_one_time}")
    alice, bob = IdentityKeyPair.generate(CRYPTO, rng), IdentityKeyPair.generate(CRYPTO, rng)
    signed, _ = CRYPTO.x25519_generate(rng)
    one_time = CRYPTO.x25519_generate(rng)[0] if with_one_time else None
    base, base_public = CRYPTO.x25519_generate(rng)
    seed = rng(64)
    kem_secret, kem_ciphertext = kyber1024_encapsulate(CRYPTO, CRYPTO.mlkem1024_public(seed), rng)
    secrets = respond(
        CRYPTO,
        bob,
        signed_private=signed,
        one_time_private=one_time,
        kem_seed=seed,
        their_identity_key=alice.public[1:],
        base_key=base_public,
        kem_ciphertext=kem_ciphertext,
    )
    return {
        "alice_identity_private": alice.private.hex(),
        "alice_base_private": base.hex(),
        "bob_identity_private": bob.private.hex(),
        "bob_signed_prekey_private": signed.hex(),
        "bob_one_time_prekey_private": None if one_time is None else one_time.hex(),
        "bob_kem_seed": seed.hex(),
        "kem_ciphertext": kem_ciphertext.hex(),
        "kyber1024_shared_secret": kem_secret.hex(),
        "root_key": secrets.root_key.hex(),
        "chain_key": secrets.chain_key.hex(),
        "pqr_key": secrets.pq_key.hex(),
    }


def _devices(label: str) -> tuple[SignalDevice, SignalDevice]:
    rng = seeded_rng(label)
    return (
        SignalDevice(CRYPTO, rng, b"\x00" + b"alice" + bytes(11) + b"\x01", registration_id=1001),
        SignalDevice(CRYPTO, rng, b"\x00" + b"bob" + bytes(13) + b"\x02", registration_id=1002),
    )


def _one_way() -> dict[str, Any]:
    """Pre-key messages to a responder whose private keys are given."""
    alice, bob = _devices("one way")
    bundle = bob.bundle()
    assert bundle.one_time is not None
    signed = bob.memory.get(signed_key(bundle.signed.id))
    one_time = bob.memory.get(one_time_key(bundle.one_time.id))
    kem = bob.memory.get(kem_key(bundle.kem.id))
    alice.process_bundle(bob.address, bundle)
    messages = []
    for n in range(5):
        plaintext = f"message {n}".encode()
        messages.append({"plaintext": plaintext.hex(), "message": alice.encrypt(bob.address, plaintext)[1].hex()})
    return {
        "alice_address": alice.address.hex(),
        "bob_address": bob.address.hex(),
        "bob_identity_private": bob.identity.private.hex(),
        "bob_registration_id": bob.registration_id,
        "bundle": encode_bundle(bundle).hex(),
        "bob_signed_prekey_private": signed.private.hex(),
        "bob_one_time_prekey_private": one_time.private.hex(),
        "bob_kem_seed": kem.seed.hex(),
        "messages": messages,
    }


def _conversation() -> dict[str, Any]:
    """Two epochs of the post-quantum ratchet: every message hashed, some whole, and the packed state at the end."""
    alice, bob = _devices("conversation")
    alice.process_bundle(bob.address, bob.bundle())
    whole, digest = [], hashlib.sha256()
    for n in range(100):
        for sender, receiver in ((alice, bob), (bob, alice)):
            plaintext = f"{n} from {'alice' if sender is alice else 'bob'}".encode()
            kind, message = sender.encrypt(receiver.address, plaintext)
            assert receiver.decrypt(sender.address, kind, message) == plaintext
            digest.update(len(message).to_bytes(4, "big") + message)
            if n % 20 == 0:
                whole.append({"plaintext": plaintext.hex(), "type": kind, "message": message.hex()})
    return {
        "messages": 200,
        "sha256_of_all": digest.hexdigest(),
        "whole": whole,
        "alice_packed": alice.record(bob.address).pack().hex(),
        "bob_packed": bob.record(alice.address).pack().hex(),
    }


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, vectors in build().items():
        (FOLDER / name).write_text(json.dumps(vectors, indent=1) + "\n")


if __name__ == "__main__":
    main()
