"""The lab's certificates are accepted by a verifying TLS client, and only for their names (SR-19)."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from letterlock.crypto.x509_pyca import LabCertificate, make_lab_ca, make_lab_certificate
from letterlock.errors import InputError

# A `now` inside the validity of whatever clock runs these tests would need the clock; a long life does not.
NOW = 1_760_000_000_000
DAYS = 365 * 50


def _handshake(ca: LabCertificate, server: LabCertificate, name: str, folder: Path) -> None:
    """Both ends of TLS in memory; raises what a client would raise."""
    chain = folder / "server.pem"
    chain.write_bytes(server.certificate + server.private_key)
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(chain)
    client_context = ssl.create_default_context(cadata=ca.certificate.decode())
    client_context.verify_flags |= ssl.VERIFY_X509_STRICT
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server, server_hostname=name)
    other = server_context.wrap_bio(to_server, to_client, server_side=True)
    done = set()
    for _ in range(10):
        for side in (client, other):
            if side in done:
                continue
            try:
                side.do_handshake()
                done.add(side)
            except ssl.SSLWantReadError:
                pass
        if len(done) == 2:
            return
    raise AssertionError("no end of the handshake")


@pytest.mark.parametrize("name", ["carrier.example", "127.0.0.1", "::1"])
def test_a_lab_certificate_verifies_for_each_of_its_names(name: str, tmp_path: Path) -> None:
    ca = make_lab_ca(NOW, days=DAYS)
    server = make_lab_certificate(ca, ["carrier.example", "127.0.0.1", "::1"], NOW, days=DAYS)
    _handshake(ca, server, name, tmp_path)


def test_sr19_another_name_or_another_authority_is_refused(tmp_path: Path) -> None:
    ca, other = make_lab_ca(NOW, days=DAYS), make_lab_ca(NOW, days=DAYS)
    server = make_lab_certificate(ca, ["carrier.example"], NOW, days=DAYS)
    with pytest.raises(ssl.SSLCertVerificationError):
        _handshake(ca, server, "other.example", tmp_path)
    with pytest.raises(ssl.SSLCertVerificationError):
        _handshake(other, server, "carrier.example", tmp_path)


def test_a_certificate_without_a_name_is_refused_and_repr_hides_the_key() -> None:
    ca = make_lab_ca(NOW)
    with pytest.raises(InputError):
        make_lab_certificate(ca, [], NOW)
    assert "PRIVATE" not in repr(ca)
    assert "CERTIFICATE" in repr(ca)
