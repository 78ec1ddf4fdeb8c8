"""Others read what we write, and we read what others write: OpenSSL and `cryptography` (rcc16.md 1.3).

`openssl verify` does not know ParticipantInformation, which is critical, hence -ignore_critical.
"""

from __future__ import annotations

import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from letterlock.codec.x509 import decode_certificate
from letterlock.errors import InvalidRcc16
from letterlock.ids import number
from letterlock.mls.wire.credential import Credential
from letterlock.rcc16.credentials import oids
from letterlock.rcc16.credentials.anchors import TrustAnchors
from letterlock.rcc16.credentials.checking import STRICT, TOLERANT, check_chain
from letterlock.rcc16.credentials.numbers import subject_alt_name, subject_name
from letterlock.rcc16.credentials.participant import participant_information
from rcc16.certificates import CRYPTO, DAY, NOW, VENDOR, KeyPair, Lab, key_pair
from rcc16.forging import ANA, forged, reissued

OPENSSL = shutil.which("openssl")
needs_openssl = pytest.mark.skipif(OPENSSL is None, reason="openssl is not installed")


def _openssl(*arguments: str) -> subprocess.CompletedProcess[str]:
    assert OPENSSL is not None
    return subprocess.run([OPENSSL, *arguments], capture_output=True, text=True, timeout=30, check=False)


def _pem(folder: Path, name: str, *certificates: bytes) -> str:
    path = folder / f"{name}.pem"
    path.write_bytes(
        b"".join(x509.load_der_x509_certificate(der).public_bytes(serialization.Encoding.PEM) for der in certificates)
    )
    return str(path)


def _verified(folder: Path, lab: Lab, credential: Credential, *options: str) -> subprocess.CompletedProcess[str]:
    leaf, *issuers = credential.certificates
    return _openssl(
        "verify",
        *options,
        "-x509_strict",
        "-attime",
        str(NOW // 1000),
        "-CAfile",
        _pem(folder, "root", lab.root.certificate.der),
        "-untrusted",
        _pem(folder, "issuers", *issuers),
        _pem(folder, "leaf", leaf),
    )


@needs_openssl
def test_openssl_verifies_what_we_issue(tmp_path: Path) -> None:
    lab = Lab()
    for person in (lab.enrol("+15550100"), lab.enrol("+15550199"), lab.enrol("+15550100", days=30)):
        done = _verified(tmp_path, lab, person.credential, "-ignore_critical")
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip().endswith("leaf.pem: OK")


@needs_openssl
def test_openssl_refuses_what_it_should(tmp_path: Path) -> None:
    """So that the test above can fail."""
    lab, other = Lab(), Lab("other")
    assert _verified(tmp_path, lab, lab.enrol(ANA).credential).returncode != 0  # the critical extension
    assert _verified(tmp_path, lab, other.enrol(ANA).credential, "-ignore_critical").returncode != 0
    changed = forged(lab, sign=key_pair("nobody").sign)
    assert _verified(tmp_path, lab, changed, "-ignore_critical").returncode != 0


@needs_openssl
def test_openssl_verifies_the_authorities(tmp_path: Path) -> None:
    lab = Lab()
    root = _pem(tmp_path, "root", lab.root.certificate.der)
    for chain in ((lab.ica,), (lab.client_ca, lab.ica)):
        first, *above = (issuer.certificate.der for issuer in chain)
        untrusted = ["-untrusted", _pem(tmp_path, "above", *above)] if above else []
        done = _openssl(
            "verify",
            "-x509_strict",
            "-attime",
            str(NOW // 1000),
            "-CAfile",
            root,
            *untrusted,
            _pem(tmp_path, "ca", first),
        )
        assert done.returncode == 0, done.stderr


@needs_openssl
def test_openssl_reads_the_profile(tmp_path: Path) -> None:
    lab = Lab()
    text = _openssl("x509", "-in", _pem(tmp_path, "leaf", lab.enrol(ANA, device=1).chain[0]), "-noout", "-text").stdout
    for line in (
        "Version: 3 (0x2)",
        "Signature Algorithm: ecdsa-with-SHA256",
        "Issuer: CN = lab client ca",
        "Subject: CN = 00000000-0000-4000-8000-001555010001",
        "ASN1 OID: prime256v1",
        "X509v3 Key Usage: critical\n                Digital Signature\n",
        "URI:tel:+15550100",
        "Policy: 2.23.146.2.1.2",
        "X509v3 Extended Key Usage: \n                2.23.146.2.1.3\n",
        "2.23.146.2.1.4: critical",
        "2.23.146.2.1.5: \n",
    ):
        assert line in text, line
    text = _openssl("x509", "-in", _pem(tmp_path, "ca", lab.client_ca.certificate.der), "-noout", "-text").stdout
    assert "X509v3 Basic Constraints: critical\n                CA:TRUE, pathlen:0\n" in text
    assert "X509v3 Key Usage: critical\n                Certificate Sign, CRL Sign\n" in text
    text = _openssl("x509", "-in", _pem(tmp_path, "root", lab.root.certificate.der), "-noout", "-text").stdout
    assert "2.23.146.2.1.6" in text
    assert "CA:TRUE\n" in text


def test_cryptography_reads_what_we_issue() -> None:
    lab = Lab()
    person = lab.enrol(ANA, device=1)
    leaf, client_ca, ica = (x509.load_der_x509_certificate(der) for der in person.chain)
    ours = decode_certificate(person.chain[0], max_bytes=1 << 14)
    assert leaf.serial_number == ours.serial
    assert leaf.not_valid_before_utc.timestamp() * 1000 == ours.not_before
    assert leaf.not_valid_after_utc.timestamp() * 1000 == ours.not_after
    assert leaf.subject.public_bytes() == ours.subject
    assert leaf.tbs_certificate_bytes == ours.tbs
    assert [e.oid.dotted_string for e in leaf.extensions] == [e.oid for e in ours.extensions]
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == ["tel:+15550100"]
    leaf.verify_directly_issued_by(client_ca)
    client_ca.verify_directly_issued_by(ica)
    ica.verify_directly_issued_by(x509.load_der_x509_certificate(lab.root.certificate.der))
    identifier = leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    assert identifier.authority_cert_issuer is None and identifier.authority_cert_serial_number is None


# --- what others write --------------------------------------------------------------------------------------------
def _private(key: KeyPair) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int.from_bytes(key.private, "big"), ec.SECP256R1())


def _unrecognised(oid: str, value: bytes) -> x509.UnrecognizedExtension:
    return x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), value)


class Written:
    """A chain by `cryptography`: a root on P-384, one authority, and Ana, with the extensions that Google's leaves have."""

    def __init__(self, kind: hashes.HashAlgorithm, *, common_name: str = "client-1", critical: bool = True) -> None:
        start = datetime.fromtimestamp(NOW / 1000, UTC)
        self.root_key = ec.derive_private_key(99, ec.SECP384R1())
        self.ca_key = ec.derive_private_key(98, ec.SECP521R1())
        self.leaf_key = key_pair("independent leaf")
        participant = key_pair("independent participant")
        root_name = x509.Name(
            [x509.NameAttribute(NameOID.COMMON_NAME, "Root"), x509.NameAttribute(NameOID.COUNTRY_NAME, "DE")]
        )
        ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "CA")])
        self.root = self._authority(root_name, root_name, self.root_key, self.root_key, start, 3_651, None, kind)
        self.ca = self._authority(ca_name, root_name, self.ca_key, self.root_key, start, 730, 0, kind)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        public = _private(self.leaf_key).public_key()
        information = participant_information(
            subject=subject.public_bytes(),
            subject_alt_name=subject_alt_name(ANA),
            leaf_spki=self.leaf_key.spki,
            vendor_id=VENDOR,
            not_before=NOW - DAY,
            not_after=NOW + 80 * DAY,
            participant_spki=participant.spki,
            sign=participant.sign,
        )
        usage: dict[str, Any] = dict.fromkeys(_USAGES, False)
        builder = (
            x509.CertificateBuilder(ca_name, subject, public, 7, start - timedelta(hours=1), start + timedelta(days=75))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.ca_key.public_key()), critical=False)
            .add_extension(x509.KeyUsage(**{**usage, "digital_signature": True}), critical=True)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(
                x509.SubjectAlternativeName([x509.UniformResourceIdentifier("tel:+15550100")]), critical=False
            )
            .add_extension(x509.ExtendedKeyUsage([x509.ObjectIdentifier(oids.MLS_CLIENT)]), critical=False)
            .add_extension(
                x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier(oids.E2EE_POLICY), None)]),
                critical=False,
            )
            .add_extension(
                x509.CRLDistributionPoints(
                    [x509.DistributionPoint([x509.UniformResourceIdentifier("http://crl.example")], None, None, None)]
                ),
                critical=False,
            )
            .add_extension(_unrecognised(oids.PARTICIPANT_INFORMATION, information), critical=critical)
        )
        self.leaf = builder.sign(self.ca_key, kind)

    def _authority(
        self,
        name: x509.Name,
        issuer: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        issuer_key: ec.EllipticCurvePrivateKey,
        start: datetime,
        days: int,
        path_length: int | None,
        kind: hashes.HashAlgorithm,
    ) -> x509.Certificate:
        public = key.public_key()
        usage: dict[str, Any] = dict.fromkeys(_USAGES, False)
        return (
            x509.CertificateBuilder(
                issuer, name, public, 5, start - timedelta(days=1), start + timedelta(days=days - 1)
            )
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
            .add_extension(x509.KeyUsage(**{**usage, "key_cert_sign": True}), critical=True)
            .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
            .sign(issuer_key, kind)
        )

    @property
    def credential(self) -> Credential:
        return Credential.x509(c.public_bytes(serialization.Encoding.DER) for c in (self.leaf, self.ca))

    @property
    def anchors(self) -> TrustAnchors:
        return TrustAnchors(1, (self.root.public_bytes(serialization.Encoding.DER),))


_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


@pytest.mark.parametrize("kind", [hashes.SHA256(), hashes.SHA384(), hashes.SHA512()], ids=lambda kind: kind.name)
def test_we_accept_what_cryptography_writes(kind: hashes.HashAlgorithm) -> None:
    """On three curves, with every hash of the profile."""
    written = Written(kind)
    certified = check_chain(
        written.credential, anchors=written.anchors, policy=STRICT, now=NOW, crypto=CRYPTO, number=ANA
    )
    assert certified.leaf.number == ANA
    assert certified.leaf.certificate.subject == subject_name("client-1")
    assert certified.leaf.key.point == written.leaf_key.public


def test_we_refuse_what_cryptography_writes_wrongly() -> None:
    for written in (Written(hashes.SHA224()), Written(hashes.SHA256(), critical=False)):
        with pytest.raises(InvalidRcc16):
            check_chain(written.credential, anchors=written.anchors, policy=STRICT, now=NOW, crypto=CRYPTO, number=ANA)


def test_the_same_name_and_number_as_cryptography() -> None:
    ours = subject_name("client-1")
    assert ours == x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "client-1")]).public_bytes()
    value = x509.SubjectAlternativeName([x509.UniformResourceIdentifier("tel:+15550100")]).public_bytes()
    assert subject_alt_name(number("+15550100")) == value


def test_a_reissued_certificate_is_the_same_one() -> None:
    """The forger of other tests changes nothing that it is not asked to."""
    lab = Lab()
    certificate = lab.client_ca.certificate
    assert reissued(certificate, lab.ica_key.sign) == certificate.der


def test_no_byte_of_a_chain_can_be_changed() -> None:
    """SR-12: whatever is flipped, in the leaf or in an issuer, is refused by a rule."""
    lab = Lab()
    chain = lab.enrol(ANA, device=1).chain
    for at, der in enumerate(chain):
        for position in range(len(der)):
            changed = bytearray(der)
            changed[position] ^= 1 << position % 8
            credential = Credential.x509((*chain[:at], bytes(changed), *chain[at + 1 :]))
            with pytest.raises(InvalidRcc16):
                check_chain(credential, anchors=lab.anchors, policy=TOLERANT, now=NOW, crypto=CRYPTO, number=ANA)
