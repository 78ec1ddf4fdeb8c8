"""Everything from outside that a client uses, in one value, so that tests and other platforms put their own in."""

from __future__ import annotations

import os
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..crypto.provider import CryptoProvider
from ..crypto.pyca import Pyca
from ..engine.limits import DEFAULTS, EngineLimits, Privacy
from ..ids import Instant, Rng
from ..keystore.wrapped import Argon2Parameters
from ..signal.limits import LIBSIGNAL_LIMITS, Limits
from ..transport.rcs.transport import RcsTransport
from .checkpoints import Checkpoint, no_checkpoint
from .files.transfers import Content
from .identity import Identity
from .network import Directory, OnMessage, Provisioning, SmsRecords, Transport
from .settings import Settings

if TYPE_CHECKING:
    from .key_server import KeyDistribution

__all__ = ["Environment", "system_clock"]


def system_clock() -> Instant:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class Environment:
    """Clock, randomness, cryptography, limits, and how to make the connections; the defaults are the real ones.

    `transport(settings, identity, on_message)`, `sms` (the same, and what it keeps), `directory(settings, identity)` and `content(settings)` may give
    None: no such connection; so may `key_distribution(settings)`. `provisioning(url, ca_file, cookies)` asks the operator. `state` is the folder of the second generation numbers (SR-06).
    """

    clock: Callable[[], Instant] = system_clock
    rng: Rng = os.urandom
    crypto: CryptoProvider = field(default_factory=Pyca)
    engine_limits: EngineLimits = DEFAULTS
    signal_limits: Limits = LIBSIGNAL_LIMITS
    privacy: Privacy = field(default_factory=Privacy)
    argon2: Argon2Parameters = field(default_factory=Argon2Parameters)
    state: Path | None = None
    checkpoint: Checkpoint = no_checkpoint
    sessions: bool = True
    """False: this device neither offers message sessions nor takes them (`RcsConfig.sessions`)."""

    transport: Callable[[Environment, Settings, Identity, OnMessage], Transport | None] = field(
        default_factory=lambda: _rcs
    )
    sms: Callable[[Environment, Settings, Identity, OnMessage, SmsRecords], Transport | None] = field(
        default_factory=lambda: _smpp
    )
    directory: Callable[[Environment, Settings, Identity], Directory | None] = field(default_factory=lambda: _http)
    key_distribution: Callable[[Environment, Settings], KeyDistribution | None] = field(default_factory=lambda: _kds)
    content: Callable[[Environment, Settings], Content | None] = field(default_factory=lambda: _files)
    provisioning: Callable[[str, str | None, dict[str, str]], Provisioning] = field(default_factory=lambda: _operator)


def _rcs(environment: Environment, settings: Settings, identity: Identity, on_message: OnMessage) -> Transport | None:
    if settings.gateway is not None:
        # aiohttp again, which a client that speaks with the carrier itself need not load.
        from ..transport.gateway.transport import GatewayTransport

        account = settings.gateway
        tls = ssl.create_default_context(cafile=account.ca_file) if account.ca_file else None
        return GatewayTransport(
            account.config(identity.number, settings.instance), on_message, tls=tls, rng=environment.rng
        )
    if settings.sip is None:
        return None
    config = settings.sip.config(identity.number, settings.instance)
    if not environment.sessions:
        config = replace(config, sessions=replace(config.sessions, offered=False))
    return RcsTransport(
        config,
        on_message,
        rng=environment.rng,
        clock=environment.clock,
    )


def _smpp(
    environment: Environment, settings: Settings, identity: Identity, on_message: OnMessage, records: SmsRecords
) -> Transport | None:
    if settings.sms is None:
        return None
    from ..transport.sms.transport import SmsTransport

    return SmsTransport(
        settings.sms.config(identity.number), on_message, records, rng=environment.rng, clock=environment.clock
    )


def _http(environment: Environment, settings: Settings, identity: Identity) -> Directory | None:
    # aiohttp takes longer to import than all the rest, and a process that works through the owner needs none of it.
    from ..transport.directory import DirectoryClient

    return DirectoryClient(
        settings.directory,
        rng=environment.rng,
        now=environment.clock,
        signer=identity.signer(environment.crypto),
        tls=ssl.create_default_context(cafile=settings.directory_ca) if settings.directory_ca else None,
    )


def _kds(environment: Environment, settings: Settings) -> KeyDistribution | None:
    from ..transport.kds import KdsClient

    account = settings.kds
    if account is None:
        return None
    tls = ssl.create_default_context(cafile=account.ca_file) if account.ca_file else None
    return KdsClient(account.url, rng=environment.rng, now=environment.clock, tls=tls)


def _operator(url: str, ca_file: str | None, cookies: dict[str, str]) -> Provisioning:
    from ..transport.provisioning import ProvisioningClient

    tls = ssl.create_default_context(cafile=ca_file) if ca_file else None
    return ProvisioningClient(url, tls=tls, cookies=cookies)


def _files(environment: Environment, settings: Settings) -> Content | None:
    from ..transport.content.client import ContentClient
    from ..transport.content.config import ServerAccount

    account = settings.content
    tls = None
    if account is not None and account.ca_file is not None:
        # Beside the authorities of the system: files come from other operators' servers too.
        tls = ssl.create_default_context()
        tls.load_verify_locations(account.ca_file)
    return ContentClient(
        None if account is None else ServerAccount(account.url, account.username, account.password),
        rng=environment.rng,
        now=environment.clock,
        tls=tls,
    )
