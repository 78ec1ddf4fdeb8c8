"""SR-12 where sessions begin: bundles and first messages with keys that are not what they look like."""

from __future__ import annotations

from dataclasses import replace

import pytest
from nacl.bindings import crypto_core_ed25519_add

from crypto.deterministic import seeded_rng
from letterlock.crypto.curve25519_pyca import edwards_y
from letterlock.crypto.pyca import Pyca
from letterlock.errors import BadPublicKey, BadSignature
from letterlock.ids import DeviceId
from letterlock.signal.keys import verify_bundle
from letterlock.signal.messages import PREKEY_TYPE
from signal_device import OneTimePreKey, PreKeyBundle, SignalDevice, SignedPreKey

CRYPTO = Pyca()
P = 2**255 - 19
# A point of order 8, from the test suite of every Ed25519 verifier.
ORDER_8 = bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")
ZERO_AGREEMENTS = [n.to_bytes(32, "little") for n in (0, 1, P - 1, P, P + 1)]


def devices(label: str) -> tuple[SignalDevice, SignalDevice]:
    rng = seeded_rng(label)
    return (
        SignalDevice(CRYPTO, rng, b"\x00" + b"a" * 16 + b"\x01"),
        SignalDevice(CRYPTO, rng, b"\x00" + b"b" * 16 + b"\x02"),
    )


def signed(device: SignalDevice, public: bytes) -> SignedPreKey:
    typed = b"\x05" + public
    return SignedPreKey(5, typed, device.identity.sign(CRYPTO, typed, device.rng))


def with_torsion(public: bytes) -> bytes:
    """Another point with the same agreements: plus a point of order 8."""
    y = crypto_core_ed25519_add(edwards_y(public), ORDER_8)
    y_int = int.from_bytes(y, "little") & (1 << 255) - 1
    return ((1 + y_int) * pow(1 - y_int, -1, P) % P).to_bytes(32, "little")


def verify(bundle: PreKeyBundle) -> None:
    verify_bundle(CRYPTO, bundle, identity_key=bundle.identity_key, device=DeviceId(2))


@pytest.mark.parametrize("spelling", ["second spelling by torsion", "second spelling by the high bit"])
def test_sr_12_a_base_key_spelt_otherwise_begins_no_second_session(spelling: str) -> None:
    """The same agreements, so the same session and a valid MAC: only the check of the point stops it."""
    a, b = devices("base")
    bundle = b.bundle(last_resort=True, one_time=False)
    a.process_bundle(b.address, bundle)
    _, message = a.encrypt(b.address, b"hello")
    assert b.decrypt(a.address, PREKEY_TYPE, message) == b"hello"
    at = message.index(b"\x12\x21\x05") + 3
    base = message[at : at + 32]
    other = with_torsion(base) if "torsion" in spelling else base[:31] + bytes((base[31] | 0x80,))
    private, _ = CRYPTO.x25519_generate(a.rng)
    assert CRYPTO.x25519(private, base) == CRYPTO.x25519(private, other) and base != other
    before = b.snapshot()
    with pytest.raises(BadPublicKey):
        b.decrypt(a.address, PREKEY_TYPE, message[:at] + other + message[at + 32 :])
    assert b.snapshot() == before


def test_sr_12_a_bundle_key_that_is_no_proper_point_is_refused_although_it_is_signed() -> None:
    _, b = devices("canonical")
    bundle = b.bundle()
    public = bundle.signed.public[1:]
    verify(replace(bundle, signed=signed(b, public)))
    high = public[:31] + bytes((public[31] | 0x80,))
    twist = next(
        n.to_bytes(32, "little") for n in range(2, 99) if pow(n**3 + 486662 * n * n + n, (P - 1) // 2, P) == P - 1
    )
    for other in (high, (P + 2).to_bytes(32, "little"), with_torsion(public), twist):
        with pytest.raises(BadPublicKey):
            verify(replace(bundle, signed=signed(b, other)))
        with pytest.raises(BadPublicKey):
            verify(replace(bundle, one_time=OneTimePreKey(5, b"\x05" + other)))


@pytest.mark.parametrize("public", ZERO_AGREEMENTS, ids=lambda key: key[::-1].hex()[-4:])
def test_sr_12_a_bundle_key_of_small_order_never_makes_a_session(public: bytes) -> None:
    a, b = devices("small order")
    bundle = b.bundle()
    for bad in (
        replace(bundle, signed=signed(b, public)),
        replace(bundle, one_time=OneTimePreKey(5, b"\x05" + public)),
    ):
        with pytest.raises(BadPublicKey):
            a.process_bundle(b.address, bad)
    assert not a.records


def test_sr_12_types_and_lengths_in_a_bundle() -> None:
    _, b = devices("types")
    bundle = b.bundle()
    kem = bundle.kem
    for bad in (
        replace(bundle, identity_key=b"\x06" + bundle.identity_key[1:]),
        replace(bundle, signed=replace(bundle.signed, public=b"\x08" + bundle.signed.public[1:])),
        replace(bundle, kem=replace(kem, public=b"\x07" + kem.public[1:])),
        replace(bundle, kem=replace(kem, public=kem.public[:-1])),
        replace(bundle, one_time=OneTimePreKey(1, bundle.identity_key[1:])),
    ):
        with pytest.raises(BadPublicKey):
            verify(bad)
    for bad in (
        replace(bundle, signed=replace(bundle.signed, signature=kem.signature)),
        replace(bundle, kem=replace(kem, signature=bundle.signed.signature)),
        replace(bundle, kem=replace(kem, signature=kem.signature[:63])),
    ):
        with pytest.raises(BadSignature):
            verify(bad)
