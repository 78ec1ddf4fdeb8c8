"""What the RCS transport needs to know about an account and its carrier, and what it refuses to do for it (SR-19)."""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass, field

from ..errors import InputError
from ..ids import Number

__all__ = ["RcsConfig", "check", "is_loopback", "tls_context"]


@dataclass(frozen=True, slots=True)
class RcsConfig:
    """One account at one carrier, as a provisioning document would give it.

    `username` is the private identity (IMPI), `instance` a UUID that stays with the device. TLS is verified
    against `ca_file`, or the system's authorities, for `tls_name` (else `server`). `tls=False` is for a server on
    this machine; anywhere else it needs `insecure_lab` (SR-19). `trust_from` takes From for the sender where the
    network asserts nobody, and is likewise for labs.
    """

    number: Number
    domain: str
    username: str
    password: str = field(repr=False)
    server: str
    port: int
    instance: str
    tls: bool = True
    ca_file: str | None = None
    tls_name: str | None = None
    insecure_lab: bool = False
    trust_from: bool = False
    tel_addresses: bool = False
    expires_s: int = 3600
    max_message: int = 60_000
    max_in_flight: int = 64
    connect_timeout_s: float = 10.0
    answer_timeout_s: float = 32.0
    register_wait_s: float = 10.0
    ping_s: float = 95.0
    pong_s: float = 10.0
    backoff_s: tuple[float, float] = (1.0, 60.0)
    refused_wait_s: float = 900.0


def check(config: RcsConfig) -> None:
    """Raises InputError for a configuration that would speak in the clear, or believe From, beyond this machine."""
    if not config.tls and not config.insecure_lab and not is_loopback(config.server):
        raise InputError(
            f"SIP without TLS to {config.server}",
            code="rcs.plaintext",
            hint="use TLS, or set insecure_lab for a closed test network",
        )
    if config.trust_from and not config.insecure_lab and not is_loopback(config.server):
        raise InputError("From is not proof of a sender", code="rcs.trust_from", hint="only for a lab")


def tls_context(config: RcsConfig) -> ssl.SSLContext:
    """Verification on, name checked, TLS 1.2 or newer (SR-19)."""
    context = ssl.create_default_context(cafile=config.ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def is_loopback(host: str) -> bool:
    """Whether a literal address, or `localhost`, stays on this machine."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
