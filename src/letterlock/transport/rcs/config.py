"""What the RCS transport needs to know about an account and its carrier, and what it refuses to do for it (SR-19).

Here too stands what follows from it for the machines of `letterlock.sip` and for TLS.
"""

from __future__ import annotations

import ssl
import uuid
from dataclasses import dataclass, field, replace

from ...codec.addresses import is_loopback
from ...codec.sip import Limits, Uri
from ...errors import InputError
from ...ids import Number
from ...sip.answering import RepeatTimes
from ...sip.options import ALLOW, CPM_GROUP, CPM_SESSION, LETTERLOCK_FEATURES, FeatureTags
from ...sip.registration import RegistrationConfig
from ...sip.session_events import SessionSettings
from ...sip.session_timer import OPTION_TAG, TimerPolicy
from ...sip.transaction import Timers
from ...sip.user_agent import UserAgentSettings
from ...version import __version__

__all__ = [
    "MAX_BODY",
    "USER_AGENT",
    "ConferenceConfig",
    "RcsConfig",
    "SessionConfig",
    "check",
    "registration_config",
    "session_settings",
    "tls_context",
    "user_agent_settings",
]

USER_AGENT = f"IM-client/OMA1.0 Letterlock/{__version__}"

MAX_BODY = 256 * 1024
"""Bytes of a body, as sent and as inflated (SR-08)."""


@dataclass(frozen=True, slots=True)
class SessionConfig:
    """How messages go that do not fit a request, or that follow each other.

    A peer's connections reach us through `msrp_relay` (an address, `msrps://relay.example:2855;tcp`); else at
    `msrp_listen`, host and port, for machines that can be reached; else, with a carrier on this machine and
    `msrp_loopback`, at its loopback address; else not, and we make every connection. A listener with TLS needs
    `msrp_certificate`, files of a certificate and its key. `msrp_hosts` may be connected to although they are no public
    addresses: a carrier's own (SR-14).
    """

    msrp_relay: str | None = None
    msrp_listen: tuple[str, int] | None = None
    msrp_loopback: bool = True
    msrp_certificate: tuple[str, str] | None = None
    msrp_hosts: tuple[str, ...] = ()
    offered: bool = True
    """False: we neither offer sessions nor take them, and our feature tags say so; what fits no request is not sent."""

    idle_s: float = 30.0
    open_s: float = 20.0
    """For a session to be answered and connected."""

    answer_s: float = 60.0
    """For an answered call to be connected by its caller."""

    yield_s: float = 1.0
    """How long other devices of ours may answer first, after the caller has repeated what we have."""

    max_sessions: int = 64
    max_per_peer: int = 2
    max_dialogs: int = 512
    """Of sessions and subscriptions, with numbers and with conferences."""

    max_message: int = 1 << 20
    max_buffered: int = 16 << 20
    """Of arriving messages, all together (SR-08)."""

    chunk: int = 16_384
    relayed_chunk: int = 2_048
    """Kamailio's relay holds a whole chunk, and of one over 12 kB tells its script nothing."""

    interval_s: int = 1800
    capability_s: int = 24 * 3600
    max_capabilities: int = 10_000


@dataclass(frozen=True, slots=True)
class ConferenceConfig:
    """Groups at the carrier. `factory` is the address at which conferences are made (`conf-fcty-uri`); None: there are none.

    `share_subject` tells the carrier what an encrypted group is called, which nobody needs it to know. A roster is reported
    when it has not changed for `settle_s`.
    """

    factory: str | None = None
    max_members: int = 1000
    """`max_adhoc_group_size`: larger groups do without."""

    share_subject: bool = False
    max_conferences: int = 256
    max_message: int = 8 << 20
    """What an MLS group of 1,000 members needs, and what the focus takes: the tree with everybody's certificates is 1.7 MB
    (some two kilobytes each), and a request that founds a group has the tree, the commit with all key packages, and the
    Welcome. Members that fewer bytes were enough for lose nothing: it is a bound, and no buffer."""
    settle_s: float = 2.0
    roster_s: float = 20.0
    retry_s: tuple[float, float] = (5.0, 300.0)


@dataclass(frozen=True, slots=True)
class RcsConfig:
    """One account at one carrier, as a provisioning document would give it.

    `username` is the private identity (IMPI), `instance` a UUID that stays with the device. TLS is verified
    against `ca_file`, or the system's authorities, for `tls_name` (else `server`). `tls=False` is for a server on
    this machine; anywhere else it needs `insecure_lab` (SR-19). `trust_from` takes From for the sender where the
    network asserts nobody, and is likewise for labs. Bodies over `max_pager` bytes go over a session; what is over
    `max_message`, which the carrier takes as one request, can go no other way.
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
    max_pager: int = 48_000
    sessions: SessionConfig = field(default_factory=SessionConfig)
    conferences: ConferenceConfig = field(default_factory=ConferenceConfig)
    max_in_flight: int = 64
    connect_timeout_s: float = 10.0
    answer_timeout_s: float = 32.0
    register_wait_s: float = 10.0
    ping_s: float = 95.0
    pong_s: float = 10.0
    backoff_s: tuple[float, float] = (1.0, 60.0)
    refused_wait_s: float = 900.0
    tags: tuple[tuple[str, str], ...] = ()
    """Further feature tags, name and value: those of RCC.16 once this device can be encrypted to by it."""

    @property
    def features(self) -> FeatureTags:
        """What we say that we can do."""
        ours = replace(LETTERLOCK_FEATURES, bare=(*LETTERLOCK_FEATURES.bare, *self.tags))
        if self.sessions.offered:
            return ours
        return replace(ours, icsi=ours.icsi - {CPM_SESSION, CPM_GROUP})

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
        features=config.features.params(),
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
        extensions=frozenset({OPTION_TAG}),
    )


def session_settings(config: RcsConfig) -> SessionSettings:
    """Times of sessions."""
    return SessionSettings(
        timer=TimerPolicy(interval_s=config.sessions.interval_s, least_s=90),
        times=RepeatTimes(t1_ms=500, t2_ms=4000, give_up_ms=32_000),
        ring_ms=int(config.sessions.open_s * 1000),
        allow=ALLOW,
    )
