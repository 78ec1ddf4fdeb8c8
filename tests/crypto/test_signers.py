"""Signers that expand a key once, signatures in bulk, and the key in a certificate."""

from __future__ import annotations

import contextlib
import warnings
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import cryptography_vectors
import pytest
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.deterministic import seeded_rng
from letterlock.crypto.pyca import Pyca
from letterlock.errors import BadPublicKey, BadSignature, DecodeError, InputError

CRYPTO = Pyca()
SCHEMES = ("ed25519", "p256", "p384", "p521")


def key_pair(scheme: str, seed: object = 0) -> tuple[bytes, bytes]:
    rng = seeded_rng(f"{scheme} {seed}")
    private = rng(32) if scheme == "ed25519" else getattr(CRYPTO, f"{scheme}_generate")(rng)
    return private, getattr(CRYPTO, f"{scheme}_public")(private)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_signer_signs_as_the_provider_does(scheme: str) -> None:
    private, public = key_pair(scheme)
    sign = CRYPTO.signer(scheme, private)
    for message in (b"", b"message", b"x" * 10_000):
        signature = sign(message)
        assert signature == getattr(CRYPTO, f"{scheme}_sign")(private, message)  # deterministic, all of them
        getattr(CRYPTO, f"{scheme}_verify")(public, message, signature)


def test_signers_of_other_schemes_and_wrong_keys_are_our_mistake() -> None:
    for scheme, private in (("rot13", bytes(32)), ("xeddsa", bytes(32)), ("ed25519", bytes(31)), ("p256", bytes(32))):
        with pytest.raises(InputError):
            CRYPTO.signer(scheme, private)


def test_a_signer_does_not_print_its_key() -> None:
    for scheme in SCHEMES:
        private, _ = key_pair(scheme)
        sign = CRYPTO.signer(scheme, private)
        assert private.hex() not in repr(sign)
        assert repr(private) not in repr(sign)


@pytest.mark.parametrize("count", [1, 15, 16, 17, 100])
def test_many_signatures_of_all_schemes(count: int) -> None:
    checks = []
    for index in range(count):
        scheme = SCHEMES[index % len(SCHEMES)]
        private, public = key_pair(scheme, index % 12)
        message = b"message %d" % index
        checks.append((scheme, public, message, CRYPTO.signer(scheme, private)(message)))
    CRYPTO.verify_many(checks)
    for bad in {0, count // 2, count - 1}:
        for wrong in (
            (checks[bad][0], checks[bad][1], b"other", checks[bad][3]),
            (checks[bad][0], b"\x04", checks[bad][2], checks[bad][3]),
            (checks[bad][0], checks[bad][1], checks[bad][2], b""),
        ):
            # the one named is the first, whichever thread finds which one first
            broken = [*checks[:bad], wrong, *[(s, p, b"wrong too", sig) for s, p, _, sig in checks[bad + 1 :]]]
            with pytest.raises(BadSignature, match=rf"^signature {bad} \({wrong[0]}\)"):
                CRYPTO.verify_many(broken)
    with pytest.raises(InputError):
        CRYPTO.verify_many([*checks, ("rot13", b"", b"", b"")])


def certificate(key: Any, algorithm: Any = None) -> bytes:
    """Signed by a key of its own, since not every key in it can sign."""
    signer = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32))
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "device")])
    start = datetime(2026, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder(name, name, key, 1, start, start + timedelta(days=1))
    return builder.sign(signer, algorithm).public_bytes(serialization.Encoding.DER)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_key_in_a_certificate(scheme: str) -> None:
    _, public = key_pair(scheme)
    curve = {"p256": ec.SECP256R1(), "p384": ec.SECP384R1(), "p521": ec.SECP521R1()}.get(scheme)
    key: Any
    if curve is None:
        key = ed25519.Ed25519PublicKey.from_public_bytes(public)
    else:
        key = ec.EllipticCurvePublicKey.from_encoded_point(curve, public)
    assert CRYPTO.certificate_public_key(certificate(key)) == (scheme, public)


def test_certificates_with_other_keys() -> None:
    for key in (
        rsa.generate_private_key(65537, 1024).public_key(),
        ec.generate_private_key(ec.SECP256K1()).public_key(),
        ec.generate_private_key(ec.BrainpoolP256R1()).public_key(),
        ed448.Ed448PrivateKey.generate().public_key(),
        dsa.generate_private_key(1024).public_key(),
    ):
        with pytest.raises(BadPublicKey):
            CRYPTO.certificate_public_key(certificate(key))


def test_a_point_off_the_curve_in_a_certificate() -> None:
    _, public = key_pair("p256")
    der = certificate(ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public))
    off = public[:-1] + bytes((public[-1] ^ 1,))
    assert der.count(public) == 1
    with pytest.raises(BadPublicKey):
        CRYPTO.certificate_public_key(der.replace(public, off))


def test_what_is_no_certificate() -> None:
    der = certificate(ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key())
    for bad in (b"", b"\x30\x00", der[:-1], der + b"\x00", b"-----BEGIN CERTIFICATE-----"):
        with pytest.raises(DecodeError):
            CRYPTO.certificate_public_key(bad)


DER = certificate(ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key_pair("p256")[1]))


def field(tag: int, *parts: bytes, size: int = 0) -> bytes:
    """DER, or with `size` a length of that many bytes, which DER may forbid."""
    value = b"".join(parts)
    short = (len(value).bit_length() + 7) // 8
    if not size and len(value) < 0x80:
        return bytes((tag, len(value))) + value
    return bytes((tag, 0x80 | (size or short))) + len(value).to_bytes(size or short, "big") + value


def test_strict_der() -> None:
    """What other parsers may read in two ways is refused."""
    spki = bytes.fromhex("302a300506032b6570032100") + bytes(range(32))
    version, serial, empty = field(0xA0, field(2, b"\x02")), field(2, b"\x01"), field(0x30)
    signature = field(3, bytes(65))

    def made(*, tbs: bytes | None = None, behind: bytes = b"", key: bytes = spki, size: int = 0) -> bytes:
        inner = tbs if tbs is not None else field(0x30, version, serial, empty, empty, empty, empty, key, size=size)
        return field(0x30, inner, empty, signature, behind)

    expected = ("ed25519", bytes(range(32)))
    assert CRYPTO.certificate_public_key(made()) == expected
    assert CRYPTO.certificate_public_key(made(key=spki + field(0xA3, bytes(300)))) == expected
    assert CRYPTO.certificate_public_key(made(tbs=field(0x30, serial, *[empty] * 4, spki))) == expected  # version 1
    for bad in (
        made(behind=empty),
        made(behind=b"\x00"),
        made(size=1),  # the short form would do
        made(size=2),
        made(size=4),
        made(key=spki + field(0xA3, bytes(150)), size=2),  # one byte would do
        made(tbs=b"\x30\x80" + serial + empty * 4 + spki + b"\x00\x00"),  # indefinite length: BER
        made(tbs=b"\x30\xff" + serial + empty * 4 + spki),
        made(tbs=field(0x30, version, version, serial, *[empty] * 4, spki)),
        made(tbs=field(0x30, version, serial, *[empty] * 3, spki)),
        made(tbs=field(0x31, version, serial, *[empty] * 4, spki)),
        made(tbs=field(0x30, version, serial, *[empty] * 4)),
        made(tbs=b""),
        field(0x30, field(0x30, version, serial, *[empty] * 4, spki)),
        b"\x30",
        b"\x30\x82",
        b"\x30\x82\x01",
    ):
        with pytest.raises(DecodeError):
            CRYPTO.certificate_public_key(bad)
    for key in (field(0x30, bytes(42)), spki[:-1] + b"", b"\x30\x2b" + spki[2:] + b"\x00"):
        with pytest.raises((BadPublicKey, DecodeError)):
            CRYPTO.certificate_public_key(made(key=key))


@settings(max_examples=400, deadline=None)
@given(st.integers(0, len(DER) - 1), st.binary(min_size=1, max_size=3))
def test_any_damage_to_a_certificate_gives_a_key_or_one_of_two_errors(at: int, change: bytes) -> None:
    damaged = DER[:at] + change + DER[at + len(change) :]
    with contextlib.suppress(DecodeError, BadPublicKey):
        agrees_with_the_library(damaged)


LIBRARY_NAMES = {"Ed25519PublicKey": "ed25519", "secp256r1": "p256", "secp384r1": "p384", "secp521r1": "p521"}


def agrees_with_the_library(der: bytes) -> str:
    """What we read is what `cryptography` reads, if it accepts the certificate at all."""
    scheme, public = CRYPTO.certificate_public_key(der)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            key: Any = x509.load_der_x509_certificate(der).public_key()
        except (ValueError, x509.InvalidVersion, UnsupportedAlgorithm):
            return scheme
    assert scheme == LIBRARY_NAMES[key.curve.name if isinstance(key, ec.EllipticCurvePublicKey) else type(key).__name__]
    assert public == raw(key)
    return scheme


def raw(key: Any) -> bytes:
    if isinstance(key, ed25519.Ed25519PublicKey):
        return key.public_bytes_raw()
    encoding, form = serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    return key.public_bytes(encoding, form)  # type: ignore[no-any-return]


def test_published_certificates() -> None:
    """Every certificate of cryptography-vectors: the same key as the library, or refused for its kind."""
    read: Counter[str] = Counter()
    folder = Path(cryptography_vectors.__file__).parent / "x509"
    for path in sorted(folder.rglob("*")):
        if path.suffix not in (".pem", ".der", ".crt"):
            continue
        data = path.read_bytes()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                loaded = (
                    x509.load_pem_x509_certificate(data) if b"-BEGIN" in data else x509.load_der_x509_certificate(data)
                )
                der = loaded.public_bytes(serialization.Encoding.DER)
                key = loaded.public_key()
        except Exception:
            continue
        known = isinstance(key, ed25519.Ed25519PublicKey) or (
            isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in ("secp256r1", "secp384r1", "secp521r1")
        )
        try:
            read[agrees_with_the_library(der)] += 1
            assert known
        except BadPublicKey:
            read["other"] += 1
            assert not known or path.stem == "ec_no_named_curve", path  # spelt-out parameters: RFC 5480 forbids them
    assert read["other"] > 100
    print(read)


@pytest.mark.parametrize("hash_name", ["sha256", "sha384", "sha512"])
@pytest.mark.parametrize("curve", ["p256", "p384", "p521"])
def test_ecdsa_with_a_hash_that_the_curve_does_not_fix(curve: str, hash_name: str) -> None:
    private, public = key_pair(curve)
    kinds = {"p256": ec.SECP256R1(), "p384": ec.SECP384R1(), "p521": ec.SECP521R1()}
    digests = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}
    key = ec.derive_private_key(int.from_bytes(private, "big"), kinds[curve])
    signature = key.sign(b"message", ec.ECDSA(digests[hash_name]))
    CRYPTO.ecdsa_verify(curve, hash_name, public, b"message", signature)
    for other in digests.keys() - {hash_name}:
        with pytest.raises(BadSignature):
            CRYPTO.ecdsa_verify(curve, other, public, b"message", signature)
    with pytest.raises(BadPublicKey):
        CRYPTO.ecdsa_verify(curve, hash_name, public[:-1], b"message", signature)
    for scheme in (("ed25519", hash_name), (curve, "sha1")):
        with pytest.raises(InputError):
            CRYPTO.ecdsa_verify(*scheme, public, b"message", signature)
