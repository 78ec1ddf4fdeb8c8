"""What became of one attempt to wake a device, as a provider tells the ledger; and of a wake-up, as the ledger counts it."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TypeAlias

from ...ids import Instant

__all__ = ["Fate", "Gone", "Later", "Outcome", "Reason", "Refused", "Sent", "Unknown"]


class Fate(enum.StrEnum):
    """How a wake-up that was asked for has ended: each in exactly one of these."""

    SENT = "sent"
    COALESCED = "coalesced"
    """Into one that was waiting already."""
    UNNEEDED = "unneeded"
    """The device came by itself before."""
    DROPPED = "dropped"
    """There is no subscription, or no longer."""
    GIVEN_UP = "given_up"
    REFUSED = "refused"
    """By a rate, before any work."""


class Reason(enum.StrEnum):
    """Why. Words of ours alone: what a push service writes is neither kept nor logged."""

    NONE = ""
    RATE = "rate"
    NO_SUBSCRIPTION = "no_subscription"
    UNREGISTERED = "unregistered"
    EXPIRED = "expired"
    CONNECTION = "connection"
    FORBIDDEN = "forbidden_address"
    NO_ANSWER = "no_answer"
    TOO_MANY = "too_many_requests"
    FAILED = "server_error"
    CREDENTIALS = "credentials"
    TOO_LARGE = "too_large"
    REFUSED = "refused"
    NOT_SET_UP = "not_set_up"


@dataclass(frozen=True, slots=True)
class Sent:
    """The push service has it."""


@dataclass(frozen=True, slots=True)
class Gone:
    """The subscription is no more. `since` is when, if the push service says so."""

    reason: Reason
    since: Instant | None = None


@dataclass(frozen=True, slots=True)
class Later:
    """Certainly not delivered; another try may succeed. `after_ms` is what the push service asked for."""

    reason: Reason
    after_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Unknown:
    """It was written, and no answer came: the device may have been woken."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class Refused:
    """Certainly not delivered, and no other try would be."""

    reason: Reason


Outcome: TypeAlias = Sent | Gone | Later | Unknown | Refused
