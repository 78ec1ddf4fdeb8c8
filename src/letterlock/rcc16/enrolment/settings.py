"""What the edge decides about enrolment: numbers of the pool, times, and what a leaf says of itself."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from ...ids import Instant
from ...mls.policy import Policy
from ...mls.wire.leaf_node import Capabilities
from ..credentials.algorithms import Sign

__all__ = ["EnrolmentSettings", "LeafKey", "PackageLifetime", "ParticipantKey"]

_HOUR = 3_600_000
_DAY = 24 * _HOUR


class PackageLifetime(enum.Enum):
    """How long key packages live beside the certificate in them: servers demand opposite things (rcc16.md 1.9)."""

    WITHIN = "within"
    """Until half an hour before the certificate ends, 365 days at most, as RCC.16 5.1 has it."""
    BEYOND = "beyond"
    """365 days, which outlasts every certificate, as Google's server demands."""


@dataclass(frozen=True, slots=True)
class ParticipantKey:
    """The account's durable key. It may live in hardware: `sign` gives ECDSA with SHA-256 in DER."""

    spki: bytes
    sign: Sign = field(repr=False)


@dataclass(frozen=True, slots=True)
class LeafKey:
    """This device's certified key: a point of 65 bytes, and its hand."""

    public: bytes
    sign: Sign = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolmentSettings:
    """Times in milliseconds. Where no source is named, rcc16.md 1.9 is."""

    capabilities: Capabilities
    policy: Policy
    """Of MLS."""
    vendor_id: int
    """The one of the KDS's root."""
    tolerant: bool = False
    """For networks whose certificates break the profile (`CredentialPolicy.tolerant`)."""
    lifetime: PackageLifetime = PackageLifetime.WITHIN
    one_time_packages: int = 10
    """Beside the one of last resort; at least one."""
    replenish_at: int = 3
    """So few one-time packages left, by what came of them."""
    republish_ms: Instant = _DAY
    repair_ms: Instant = _HOUR
    """Between pools that are published because a Welcome could not be opened."""
    urgent_ms: Instant = 60_000
    """Between pools that are published because packages are used up: our choice, against somebody who uses them up."""
    kept_ms: Instant = 14 * _DAY
    """How long a package that was replaced still opens, and one that was used is remembered."""
    kept_pools: int = 64
    """As many pools at most, the last one included: our choice, against somebody who uses them up all day (SR-08)."""
    renew_before_ms: Instant = 45 * _DAY
    """What a certificate has left when a new one is asked for: our choice, well before the floor of 30 days."""
    retry_ms: Instant = 60_000
    """After a request that came to nothing; twice as long each time, up to"""
    longest_retry_ms: Instant = _HOUR
    signature_window_ms: Instant = 90 * _DAY
    """For how long the participant key vouches for a leaf key (.4): our choice, longer than a certificate lasts."""
    remembered_verdicts: int = 4_096
