"""Throw-away X.509 for labs and tests: a certificate authority made on the spot and servers signed by it.

So that the demo and the tests speak verified TLS (SR-19) without anybody running openssl. The keys are
unencrypted PEM on purpose: nobody outside this machine is ever asked to trust them.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ..errors import InputError
from ..ids import Instant

__all__ = ["LabCertificate", "make_lab_ca", "make_lab_certificate"]


@dataclass(frozen=True, slots=True)
class LabCertificate:
    """A certificate and its private key, both PEM, as the `ssl` module and Kamailio read them."""

    certificate: bytes
    private_key: bytes = field(repr=False)


def make_lab_ca(now: Instant, name: str = "Letterlock lab", days: int = 30) -> LabCertificate:
    """A certificate authority that signs servers and nothing below another authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = (
        _builder(name, key.public_key(), now, days)
        .issuer_name(_name(name))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(certificates=True), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
    )
    return _sign(builder, key, key)


def make_lab_certificate(ca: LabCertificate, names: Sequence[str], now: Instant, days: int = 30) -> LabCertificate:
    """A server certificate for DNS names and IP addresses, client use included. Raises InputError without a name."""
    if not names:
        raise InputError("a server certificate needs a name", code="input.names")
    issuer = x509.load_pem_x509_certificate(ca.certificate)
    issuer_key = serialization.load_pem_private_key(ca.private_key, None)
    assert isinstance(issuer_key, ec.EllipticCurvePrivateKey)  # nothing else comes out of make_lab_ca
    key = ec.generate_private_key(ec.SECP256R1())
    usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    builder = (
        _builder(names[0], key.public_key(), now, days)
        .issuer_name(issuer.subject)
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    return _sign(builder, key, issuer_key)


def _builder(name: str, public: ec.EllipticCurvePublicKey, now: Instant, days: int) -> x509.CertificateBuilder:
    start = datetime.fromtimestamp(now / 1000, UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start - timedelta(hours=1))  # lab machines' clocks differ
        .not_valid_after(start + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _sign(
    builder: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey, issuer: ec.EllipticCurvePrivateKey
) -> LabCertificate:
    pem = serialization.Encoding.PEM
    return LabCertificate(
        certificate=builder.sign(issuer, hashes.SHA256()).public_bytes(pem),
        private_key=key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _general_name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _key_usage(*, certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=certificates,
        crl_sign=certificates,
        encipher_only=False,
        decipher_only=False,
    )
