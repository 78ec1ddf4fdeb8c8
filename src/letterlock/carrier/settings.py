"""What the carrier allows: one value, every bound in it."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..codec.msrp import Limits as MsrpLimits
from ..codec.sip import Limits
from ..msrp import RelaySettings
from .mailbox import MailboxLimits

__all__ = ["DEFAULT_DOMAIN", "ApplicationServer", "Settings"]

DEFAULT_DOMAIN = "rcs.example.test"


@dataclass(frozen=True, slots=True)
class ApplicationServer:
    """A server that requests for some users of our domain go to, such as a conversation focus.

    It listens for SIP over TCP at `host` and `port`, where only we should reach it. Its own are the `users` and all
    whose name begins with one of `prefixes`.
    """

    host: str
    port: int
    users: frozenset[str] = frozenset()
    prefixes: tuple[str, ...] = ()

    def serves(self, user: str | None) -> bool:
        """Whether requests for this user are its."""
        return user is not None and (user in self.users or user.startswith(self.prefixes))


@dataclass(frozen=True, slots=True)
class Settings:
    """Times in milliseconds unless the name says seconds."""

    domain: str = DEFAULT_DOMAIN
    algorithms: tuple[str, ...] = ("SHA-256", "MD5")
    qop: tuple[str, ...] = ("auth",)
    challenge_requests: bool = False
    """Ask for credentials with every request (407), also over a connection that has registered."""

    min_expires_seconds: int = 5
    default_expires_seconds: int = 3600
    max_expires_seconds: int = 3600
    max_contacts: int = 10
    max_contact: int = 2_048
    """Characters of one Contact, which is kept while it is bound."""

    max_numbers: int = 10_000
    grace_ms: int = 7 * 24 * 3600 * 1000
    """How long messages are kept for a device that went away."""

    branch_timeout_ms: int = 10_000
    """How long a device may take to answer; less than the sender's own 32 s, so that it hears our answer."""

    retry_ms: int = 2_000
    drain_window: int = 16
    max_open_branches: int = 20_000
    max_open_bytes: int = 256 * 1024 * 1024
    """Bodies of the requests that are on their way."""

    max_open_per_connection: int = 4_000
    """Copies of one peer's requests that are on their way; application servers have no such bound."""

    invite_timeout_ms: int = 32_000
    """Timer B of RFC 3261: for a device to say anything to an INVITE; also how long late answers are waited for."""

    ringing_timeout_ms: int = 185_000
    """Timer C (section 16.6): how long a device may ring; it must be more than three minutes."""

    max_calls: int = 10_000
    max_calls_per_connection: int = 1_000
    max_auth_failures: int = 10
    max_malformed: int = 5

    application_servers: tuple[ApplicationServer, ...] = ()

    max_connections: int = 512
    handshake_timeout_ms: int = 10_000
    """For TLS, and again for a first registration to succeed."""

    message_timeout_ms: int = 15_000
    """From the first byte of a message to its last: against peers that trickle."""

    idle_timeout_ms: int = 2 * 3600 * 1000
    max_unsent_bytes: int = 8 * 1024 * 1024
    """For a peer that does not read."""

    sip: Limits = field(
        default_factory=lambda: Limits(max_header_bytes=16_384, max_headers=128, max_line=8_192, max_body=262_144)
    )
    """Nothing may pass that a phone does not take, or it would be offered to it, and cut it off, again and again."""

    mailbox: MailboxLimits = field(default_factory=MailboxLimits)

    relay: RelaySettings = field(
        default_factory=lambda: RelaySettings(
            limits=MsrpLimits(max_line=4_096, max_headers=64, max_path=8),
            require_tls=True,
            min_expires_s=60,
            max_expires_s=3_600,
            probation_ms=30_000,
            transaction_ms=30_000,
            stall_ms=60_000,
            chunk=1 << 20,
            turn=65_536,
            max_failures=5,
            max_strikes=8,
            max_tokens=256,
            max_flows=64,
            max_pending=262_144,
            max_control=65_536,
            max_transactions=1_024,
            max_outward=64,
            idle_ms=300_000,
        )
    )
    """The MSRP relay. `require_tls` is for carriers that have TLS at all: one without is a lab on one machine."""

    relay_next_hops: tuple[str, ...] = ("127.0.0.1", "::1")
    """Hosts that the relay opens connections to, for users whose peers listen."""
