"""P-384 and P-521 (and what P-256 gained beside test_p256_vectors): ECDSA and ECDH against NIST and Wycheproof."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from crypto.deterministic import seeded_rng
from crypto.vectors import cryptography_text, expect_at_least, pycryptodome_text, records, wycheproof
from letterlock.crypto import curves
from letterlock.crypto.curves import NistCurve
from letterlock.crypto.pyca import Pyca
from letterlock.errors import BadPublicKey, BadSignature, InputError

CRYPTO = Pyca()
CURVES = (curves.P256, curves.P384, curves.P521)
OPERATIONS = ("generate", "public", "check", "sign", "verify", "agree", "exchange")


def of(curve: NistCurve) -> Any:
    """The provider's functions of one curve without the curve's name before them."""
    return SimpleNamespace(**{name: getattr(CRYPTO, f"{curve.name}_{name}") for name in OPERATIONS})


def every_curve(test: Any) -> Any:
    return pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.name)(test)


@pytest.mark.parametrize(
    ("curve", "name", "least", "bad"),
    [(curves.P384, "secp384r1_sha384", 504, 300), (curves.P521, "secp521r1_sha512", 542, 300)],
    ids=["p384", "p521"],
)
def test_wycheproof_ecdsa(curve: NistCurve, name: str, least: int, bad: int) -> None:
    count = refused = 0
    use = of(curve)
    for case in wycheproof(f"Signature/wycheproof/ecdsa_{name}_test.json"):
        count += 1
        public = bytes.fromhex(case.group["publicKey"]["uncompressed"])
        if case.result == "valid":
            use.verify(public, case.data("msg"), case.data("sig"))
        else:
            refused += 1
            with pytest.raises(BadSignature):
                use.verify(public, case.data("msg"), case.data("sig"))
    expect_at_least(count, least, f"Wycheproof ECDSA {curve.name}")
    assert bad < refused < count


@pytest.mark.parametrize("curve", CURVES[1:], ids=["p384", "p521"])
def test_rfc6979_deterministic_signatures(curve: NistCurve) -> None:
    """RFC 6979 appendices A.2.6 and A.2.7, with the hash that goes with the curve."""
    from cryptography.hazmat.primitives import serialization

    title, hash_name = {"p384": ("P-384", "SHA384"), "p521": ("P-521", "SHA512")}[curve.name]
    text = cryptography_text("asymmetric/ECDSA/RFC6979/evppkey_ecdsa_rfc6979.txt")
    part = text.split(f"Title = RFC 6979 {title} ")[1].split("Title =")[0]
    pem = part[part.index("-----BEGIN PRIVATE") : part.index("PublicKey=")]
    key: Any = serialization.load_pem_private_key(pem.strip().encode(), None)
    private = key.private_numbers().private_value.to_bytes(curve.scalar_length, "big")
    signed = 0
    for block in part.split("\n\n"):
        case = dict(line.split(" = ", 1) for line in block.splitlines() if " = " in line)
        if case.get("DigestSign") == hash_name:
            message = case.get("Input", "").strip('"').encode()
            assert of(curve).sign(private, message) == bytes.fromhex(case["Output"])
            assert CRYPTO.signer(curve.name, private)(message) == bytes.fromhex(case["Output"])
            signed += 1
    expect_at_least(signed, 2, f"RFC 6979 {title} {hash_name}")


@every_curve
def test_nist_ecdh(curve: NistCurve) -> None:
    count, width, use = 0, 2 * curve.scalar_length, of(curve)

    def point(x: str, y: str) -> bytes:
        return b"\x04" + b"".join(bytes.fromhex(c.zfill(width)[-width:]) for c in (x, y))

    for case in records(pycryptodome_text("Protocol/KAS_ECC_CDH_PrimitiveTest.txt"), "count"):
        if case["section"] != f"P-{curve.order.bit_length()}":
            continue
        private = bytes.fromhex(case["diut"].zfill(width)[-width:])
        public, peer = point(case["qiutx"], case["qiuty"]), point(case["qcavsx"], case["qcavsy"])
        shared = bytes.fromhex(case["ziut"].zfill(width)[-width:])
        assert use.public(private) == public
        assert use.agree(private, peer) == shared
        assert use.exchange(private, peer) == (shared, public)
        count += 1
    expect_at_least(count, 25, f"NIST ECC CDH {curve.name}")


@pytest.mark.parametrize(
    ("curve", "least", "bad"), [(curves.P384, 790, 19), (curves.P521, 661, 15)], ids=["p384", "p521"]
)
def test_wycheproof_ecdh_points_and_sr12_invalid_curve(curve: NistCurve, least: int, bad: int) -> None:
    """SR-12."""
    count = refused = 0
    use = of(curve)
    for case in wycheproof(f"Protocol/wycheproof/ecdh_sec{curve.name}r1_ecpoint_test.json"):
        count += 1
        private = int(case.test["private"], 16).to_bytes(curve.scalar_length, "big")
        public = case.data("public")
        if case.result == "valid":
            use.check(public)
            assert use.agree(private, public) == case.data("shared"), case.name
            assert use.exchange(private, public)[0] == case.data("shared")
        else:  # compressed points among them, which this interface does not take
            refused += 1
            for refuse in (use.check, lambda q, d=private: use.agree(d, q), lambda q, d=private: use.exchange(d, q)):
                with pytest.raises(BadPublicKey):
                    refuse(public)
    expect_at_least(count, least, f"Wycheproof ECDH {curve.name} points")
    assert refused >= bad


@every_curve
def test_sr12_points_that_are_not_uncompressed_on_the_curve(curve: NistCurve) -> None:
    """SR-12."""
    use = of(curve)
    private = use.generate(seeded_rng(curve.name))
    good = use.public(private)
    assert len(good) == curve.point_length
    use.check(good)
    size = curve.scalar_length
    for bad in (
        b"",
        b"\x00",
        bytes((2 + good[-1] % 2,)) + good[1 : 1 + size],
        bytes((6 + good[-1] % 2,)) + good[1:],
        good[:-1] + bytes((good[-1] ^ 1,)),
        good + b"\x00",
        good[:-1],
        b"\x04" + bytes(2 * size),
        b"\x04" + b"\xff" * (2 * size),
    ):
        for refuse in (
            use.check,
            lambda q: use.agree(private, q),
            lambda q: use.exchange(private, q),
            lambda q: use.verify(q, b"", b"\x30\x06\x02\x01\x01\x02\x01\x01"),
        ):
            with pytest.raises(BadPublicKey):
                refuse(bad)


@every_curve
def test_private_keys_out_of_range_are_our_mistake(curve: NistCurve) -> None:
    use, size = of(curve), curve.scalar_length
    public = use.public((1).to_bytes(size, "big"))
    assert use.public((curve.order - 1).to_bytes(size, "big"))[1 : 1 + size] == public[1 : 1 + size]  # that is -1
    order = curve.order.to_bytes(size, "big")
    for private in (b"", bytes(size), bytes(size - 1), bytes(size + 1), order, b"\xff" * size):
        for refuse in (
            use.public,
            lambda d: use.sign(d, b""),
            lambda d: use.agree(d, public),
            lambda d: use.exchange(d, public),
            lambda d: CRYPTO.signer(curve.name, d),
        ):
            with pytest.raises(InputError):
                refuse(private)


@every_curve
def test_generation_rejects_scalars_outside_the_group(curve: NistCurve) -> None:
    size = curve.scalar_length
    last = (curve.order - 1).to_bytes(size, "big")
    draws = [bytes(size), curve.order.to_bytes(size, "big"), b"\xff" * size, last]
    assert of(curve).generate(lambda n: draws.pop(0)) == last
    assert draws == []
    if curve is curves.P521:  # 521 bits in 66 bytes: without the mask nearly every draw would be thrown away
        assert of(curve).generate(lambda n: b"\xfe" + b"\x01" * 65) == b"\x00" + b"\x01" * 65


@every_curve
def test_every_byte_of_a_signature_counts(curve: NistCurve) -> None:
    use = of(curve)
    private = use.generate(seeded_rng("signature"))
    public, signature = use.public(private), use.sign(private, b"message")
    use.verify(public, b"message", signature)
    for index in range(len(signature)):
        changed = signature[:index] + bytes((signature[index] ^ 1,)) + signature[index + 1 :]
        with pytest.raises(BadSignature):
            use.verify(public, b"message", changed)
    for other in (b"", signature[:-1], signature + b"\x00"):
        with pytest.raises(BadSignature):
            use.verify(public, b"message", other)
