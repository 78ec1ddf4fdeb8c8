"""Every bound of the push service in one value: windows, tries, rates, retention (SR-08, SR-17)."""

from __future__ import annotations

from dataclasses import dataclass

from ..buckets import Rate

__all__ = ["PushLimits"]

_SECOND = 1000
_MINUTE = 60 * _SECOND
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR
_WAKES = Rate(120, _MINUTE)
_SUBSCRIPTIONS = Rate(20, _HOUR)


@dataclass(frozen=True, slots=True)
class PushLimits:
    """The defaults suit one operator with some hundred thousand devices. Rates count in each process by itself."""

    # Wake-ups.
    window_ms: int = 20 * _SECOND
    """A device is woken at most once in this time. What comes meanwhile becomes one wake-up at its end."""
    max_tries: int = 8
    first_retry_ms: int = 2 * _SECOND
    longest_retry_ms: int = _HOUR
    attempt_ms: int = 30 * _SECOND
    """One attempt has ended after this, in whatever way."""
    grace_ms: int = 10 * _SECOND
    """So much longer is there to write down how it ended; then it counts as one without an answer."""
    poll_ms: int = _MINUTE
    """How often to look for what another process has left behind."""
    drain_ms: int = 5 * _SECOND
    """At the end, for what is under way."""

    # In flight: a push service that does not answer holds up its own devices only.
    max_apns: int = 256
    max_fcm: int = 64
    max_web: int = 128
    max_per_origin: int = 8
    """Of one origin of endpoints, which a device chose."""

    # Rates, in memory, before any work.
    wakes: Rate = _WAKES
    """Of one device."""
    subscriptions: Rate = _SUBSCRIPTIONS
    """Of one account: changes of them."""
    max_buckets: int = 200_000

    # Sizes and retention.
    max_devices: int = 16
    """Of one account; the one that registered longest ago goes."""
    subscription_ms: int = 270 * _DAY
    """A device that did not register for so long is forgotten; FCM itself forgets tokens after 270 days."""
