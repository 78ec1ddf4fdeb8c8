"""What the RCS transport needs to know about an account and its carrier, and what it refuses to do for it (SR-19).

Here too stands what follows from it for the machines of `letterlock.sip` and for TLS.
"""

from __future__ import annotations

import ipaddress
import ssl
import uuid
from dataclasses import dataclass, field

from ..codec.sip import Limits, Uri
from ..errors import InputError
from ..ids import Number
from ..sip.options import LETTERLOCK_FEATURES
from ..sip.registration import RegistrationConfig
from ..sip.transaction import Timers
from ..sip.user_agent import UserAgentSettings
from ..version import __version__

__all__ = [
    "MAX_BODY",
    "USER_AGENT",
    "RcsConfig",
    "check",
    "is_loopback",
    "registration_config",
    "tls_context",
    "user_agent_settings",
]

USER_AGENT = f"IM-client/OMA1.0 Letterlock/{__version__}"

MAX_BODY = 256 * 1024
"""Bytes of a body, as sent and as inflated (SR-08)."""


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

    @property
    def identity(self) -> Uri:
        """The public identity (IMPU)."""
        return Uri("sip", self.number, self.domain)


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


def registration_config(config: RcsConfig) -> RegistrationConfig:
    """Who registers where."""
    return RegistrationConfig(
        domain=config.domain,
        identity=config.identity,
        private_identity=config.username,
        instance=f"urn:uuid:{uuid.UUID(config.instance)}",
        features=LETTERLOCK_FEATURES.params(),
        expires_s=config.expires_s,
        user_agent=USER_AGENT,
    )


def user_agent_settings(config: RcsConfig) -> UserAgentSettings:
    """Bounds and times of a connection."""
    return UserAgentSettings(
        # Wider than a carrier's own bounds: it adds to the lines of others, and what we cannot frame cuts us off.
        limits=Limits(max_header_bytes=32 * 1024, max_headers=200, max_line=16 * 1024, max_body=MAX_BODY),
        timers=Timers(timeout_ms=int(config.answer_timeout_s * 1000), absorb_ms=32_000),
        max_open=max(256, config.max_in_flight + 8),
        max_message=config.max_message,
        ping_ms=int(config.ping_s * 1000),
        pong_ms=int(config.pong_s * 1000),
    )


def is_loopback(host: str) -> bool:
    """Whether a literal address, or `localhost`, stays on this machine."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
