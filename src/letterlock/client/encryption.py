"""The protocols of a profile, made from its settings: sessions (`signal`), and RCC.16 (`rcc16`) where a key server is set.

The participant key is the account's, in the keystore's care; RCC.16 is given a hand that signs with it, never the key.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from ..engine.engine import Engine
from ..errors import InputError
from ..ids import Instant
from ..seam import DeviceProtocol, State
from ..signal.protocol import SignalProtocol
from .environment import Environment
from .identity import Identity
from .settings import PROTOCOLS, Settings

if TYPE_CHECKING:
    from ..rcc16.enrolment.enrolment import Enrolment
    from ..rcc16.protocol import Rcc16Protocol

__all__ = [
    "advertised",
    "check_protocols",
    "device_protocols",
    "enrolment_of",
    "feature_tags",
    "rcc16_protocol",
]

_LEAVES = 4
"""Devices of a number in a large group, on average."""
_MAX_PACKAGE_SECONDS = 400 * 86_400


def check_protocols(settings: Settings) -> None:
    """Raises InputError for protocols that this client does not speak, or not without a key distribution server."""
    unknown = [name for name in settings.protocols if name not in PROTOCOLS]
    if unknown or not settings.protocols:
        raise InputError(
            f"no such protocol: {', '.join(unknown) or 'none given'}",
            code="input.protocol",
            hint=f"there are {' and '.join(PROTOCOLS)}",
        )
    if "rcc16" in settings.protocols and settings.kds is None:
        raise InputError(
            "rcc16 needs a key distribution server",
            code="input.kds",
            hint="give its address, or set up with an operator whose configuration names one",
        )


def device_protocols(identity: Identity, environment: Environment, settings: Settings) -> tuple[DeviceProtocol, ...]:
    """Those that encrypt for each device."""
    if "signal" not in settings.protocols:
        return ()
    return (
        SignalProtocol(
            environment.crypto,
            identity.party,
            identity.key_pair(environment.crypto),
            environment.signal_limits,
            registration_id=identity.registration_id,
        ),
    )


def feature_tags(engine: Engine, state: State, now: Instant) -> tuple[tuple[str, str], ...]:
    """The tags of RCC.16, once there is a certificate and key packages, and not before (rcc16.md 1.9)."""
    if "rcc16" not in engine.encryption_ready(state, now):
        return ()
    from ..rcc16.choices import OURS
    from ..rcc16.wire.capability_tags import capability_tags

    return capability_tags(OURS)


def advertised(settings: Settings, engine: Engine, state: State, now: Instant) -> Settings:
    """The settings with the feature tags of this moment."""
    sip, gateway = settings.sip, settings.gateway
    if sip is None and gateway is None:
        return settings
    tags = feature_tags(engine, state, now)
    return dataclasses.replace(
        settings,
        sip=None if sip is None else dataclasses.replace(sip, tags=tags),
        gateway=None if gateway is None else dataclasses.replace(gateway, tags=tags),
    )


def rcc16_protocol(identity: Identity, environment: Environment, settings: Settings) -> Rcc16Protocol | None:
    """RCC.16, if it is spoken here."""
    if "rcc16" not in settings.protocols or settings.kds is None:
        return None
    # Some two hundred modules that a process which works through the owner does not need.
    from ..rcc16.conversation.settings import DEPLOYED
    from ..rcc16.protocol import Rcc16Protocol

    return Rcc16Protocol(environment.crypto, enrolment_of(identity, environment, settings.kds.vendor), DEPLOYED)


def enrolment_of(identity: Identity, environment: Environment, vendor: int = 0) -> Enrolment:
    """This device's certificate and key packages. A linked device has no hand of the participant key."""
    from ..rcc16.conversation.settings import DEPLOYED
    from ..rcc16.enrolment.enrolment import Enrolment
    from ..rcc16.enrolment.settings import EnrolmentSettings, ParticipantKey
    from ..rcc16.policy import capabilities, mls_policy

    crypto, key = environment.crypto, identity.participant_private
    participant = None
    if key is not None:
        participant = ParticipantKey(identity.participant_spki, lambda message: crypto.p256_sign(key.reveal(), message))
    revision = DEPLOYED.choices.revision
    return Enrolment(
        crypto,
        identity.number,
        participant,
        EnrolmentSettings(
            capabilities=capabilities(revision),
            policy=mls_policy(
                revision,
                max_members=_LEAVES * environment.engine_limits.group.max_members,
                max_message_bytes=DEPLOYED.max_message_bytes,
                max_past_epochs=64,
                max_lifetime_seconds=_MAX_PACKAGE_SECONDS,
                forward=10_000,
                out_of_order=1_000,
            ),
            vendor_id=vendor,
        ),
    )
