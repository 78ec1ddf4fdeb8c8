"""What a protocol wants of the key distribution server, and the answer about key packages."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TypeAlias

from ..ids import Number

__all__ = [
    "ClaimKeyPackages",
    "ClaimOutcome",
    "Claimed",
    "PublishKeyPackages",
    "RenewCertificate",
    "Request",
]


class ClaimOutcome(enum.Enum):
    """What the key distribution server said about a number (rcc16.md 1.8)."""

    SERVED = "served"
    NONE = "none"
    """Nobody of that number has key packages, or none whose certificate lasts."""
    REFUSED = "refused"
    FAILED = "failed"
    """It could not be asked."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """The answer for one number: MLSMessage(KeyPackage) of each of its devices."""

    outcome: ClaimOutcome
    packages: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class ClaimKeyPackages:
    """Claim a key package of every device of these numbers; answer with `claimed` under the same `request`."""

    request: str
    numbers: tuple[Number, ...]


@dataclass(frozen=True, slots=True)
class PublishKeyPackages:
    """Upload these instead of what is there; answer with `uploaded`. The last is the one of last resort."""

    request: str
    packages: tuple[bytes, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class RenewCertificate:
    """The certificate nears its end: enrol again with the same keys; answer with `enrolled`."""

    request: str


Request: TypeAlias = ClaimKeyPackages | PublishKeyPackages | RenewCertificate
