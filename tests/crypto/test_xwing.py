"""X-Wing: the vectors of draft-connolly-cfrg-xwing-kem (appendix C), and what is refused. HPKE with it: test_hpke_vectors."""

from __future__ import annotations

import json
import lzma
import os
from hashlib import shake_256
from pathlib import Path

import pytest

from crypto.deterministic import Deterministic, seeded_rng
from letterlock.crypto.pyca import Pyca
from letterlock.crypto.xwing import XWing
from letterlock.errors import BadPublicKey, InputError

CASES = json.loads(lzma.decompress((Path(__file__).parents[1] / "vectors" / "hpke" / "xwing.json.xz").read_bytes()))
CRYPTO = Pyca()


def test_draft_vectors() -> None:
    provider = Deterministic()  # its ML-KEM takes its coins from the draws as well
    kem = XWing(provider, labelled_derive=False)
    assert len(CASES) == 3
    for case in CASES:
        value = {key: bytes.fromhex(text) for key, text in case.items()}
        draws = [value["seed"], value["eseed"][:32], value["eseed"][32:]]

        def draw(n: int, draws: list[bytes] = draws) -> bytes:
            assert n == 32
            return draws.pop(0)

        assert kem.generate(draw) == (value["sk"], value["pk"])
        assert kem.encap(value["pk"], draw) == (value["ss"], value["ct"])
        assert draws == []
        for other in (kem, XWing(CRYPTO, labelled_derive=True)):
            assert other.public_of(value["sk"]) == value["pk"]
            assert other.decap(value["ct"], value["sk"]) == value["ss"]


def test_the_two_drafts_derive_key_pairs_differently() -> None:
    """X-Wing's own rule (section 5.6); the other one is pinned by the vectors of draft-ietf-hpke-pq."""
    ikm = bytes(range(48))
    private, public = XWing(CRYPTO, labelled_derive=False).derive_key_pair(ikm)
    assert private == shake_256(ikm).digest(32)
    labelled = XWing(CRYPTO, labelled_derive=True)
    assert labelled.public_of(private) == public
    assert labelled.derive_key_pair(ikm)[0] != private


def test_every_part_of_a_ciphertext_counts() -> None:
    kem = XWing(CRYPTO, labelled_derive=False)
    private, public = kem.generate(os.urandom)
    shared, enc = kem.encap(public, os.urandom)
    assert kem.decap(enc, private) == shared
    for at in (0, 500, 1087, 1088, 1119):
        forged = enc[:at] + bytes((enc[at] ^ 1,)) + enc[at + 1 :]
        assert kem.decap(forged, private) != shared
    # The top bit of a u-coordinate is ignored by X25519, but the combiner takes it in.
    forged = enc[:-1] + bytes((enc[-1] ^ 0x80,))
    assert kem.decap(forged, private) != shared
    for bad in (b"", enc[:-1], enc + b"\x00", enc[:1088]):
        with pytest.raises(BadPublicKey):
            kem.decap(bad, private)


def test_sr12_malformed_keys() -> None:
    """SR-12."""
    kem = XWing(CRYPTO, labelled_derive=False)
    _, public = kem.generate(seeded_rng("malformed"))
    kem.check(public)
    for bad in (b"", public[:-1], public + b"\x00", public[:1184], b"\xff\xff" + public[2:], public[:1184] + bytes(32)):
        with pytest.raises(BadPublicKey):
            kem.check(bad)
        with pytest.raises(BadPublicKey):
            kem.encap(bad, os.urandom)
    for size in (0, 31, 33, 64):
        with pytest.raises(InputError):
            kem.public_of(bytes(size))


def test_no_private_key_is_kept_by_the_provider() -> None:
    """A node key that a commit replaced must be gone; the provider's cache of fresh ML-KEM keys is for others."""
    provider = Pyca()
    kem = XWing(provider, labelled_derive=False)
    private, public = kem.derive_key_pair(b"path secret")
    kem.generate(os.urandom)
    shared, enc = kem.encap(public, os.urandom)
    assert kem.decap(enc, private) == shared
    assert not provider._kem768._keys
    provider.mlkem768_public(bytes(64))
    assert provider._kem768._keys
