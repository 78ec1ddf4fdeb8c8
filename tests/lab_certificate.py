"""A lab's authority and server certificate as files: what `crypto/x509_pyca.py` makes, written down for a test."""

from __future__ import annotations

import ssl
import time
from dataclasses import dataclass
from pathlib import Path

from letterlock.crypto import x509_pyca


@dataclass(frozen=True)
class LabCertificate:
    """PEM files: the authority to trust, the certificate and its key."""

    authority: Path
    certificate: Path
    key: Path

    def server_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context


def write_lab_certificate(folder: Path) -> LabCertificate:
    """For 127.0.0.1, ::1 and localhost, in `folder`."""
    now = time.time_ns() // 1_000_000
    authority = x509_pyca.make_lab_ca(now)
    server = x509_pyca.make_lab_certificate(authority, ["localhost", "127.0.0.1", "::1"], now)
    made = LabCertificate(folder / "authority.pem", folder / "certificate.pem", folder / "key.pem")
    made.authority.write_bytes(authority.certificate)
    made.certificate.write_bytes(server.certificate)
    made.key.write_bytes(server.private_key)
    made.key.chmod(0o600)
    return made
