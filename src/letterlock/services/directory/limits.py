"""Every bound of the directory in one value: rates, sizes, times (SR-13, SR-17).

A deployment passes its own `DirectoryLimits`; nothing below reads a constant of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..buckets import Rate

__all__ = ["DirectoryLimits"]

_MINUTE = 60_000
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR


@dataclass(frozen=True, slots=True)
class DirectoryLimits:
    """The defaults suit one operator with some ten thousand numbers."""

    # Claims (SR-21).
    code_lifetime_ms: int = 10 * _MINUTE
    code_tries: int = 5
    max_codes_per_number: int = 10
    max_codes: int = 10_000

    # Requests.
    request_window_ms: int = 5 * _MINUTE
    max_body: int = 65_536
    max_prekey_body: int = 786_432
    body_timeout_s: float = 15.0
    max_in_flight: int = 256
    max_in_flight_by_address: int = 64
    """So that one address, with bodies that do not come, cannot hold every place."""
    max_one_time: int = 200
    """One-time keys of each sort that a device may have waiting."""
    max_lists_per_answer: int = 64

    # Rates. Before anything is read: by address. After authentication: by account.
    address: Rate = Rate(600, _MINUTE)
    claims_by_address: Rate = Rate(40, 10 * _MINUTE)
    codes_by_number: Rate = Rate(10, _HOUR)
    codes_by_number_and_address: Rate = Rate(5, _HOUR)
    """Half of it, so that no single address can keep a number from being claimed."""
    calls: Rate = Rate(600, _MINUTE)
    lookups: Rate = Rate(120, _MINUTE)
    list_uploads: Rate = Rate(60, _DAY)
    prekey_uploads: Rate = Rate(60, _HOUR)
    bundles: Rate = Rate(240, _HOUR)
    bundles_of_one_device: Rate = Rate(10, _HOUR)
    max_buckets: int = 100_000

    # Retention: nothing stays for ever.
    max_lists_kept: int = 1024
    list_age_ms: int = 400 * _DAY
    alert_age_ms: int = 90 * _DAY
    replaced_age_ms: int = 90 * _DAY
    spent_age_ms: int = 180 * _DAY
    abandoned_age_ms: int = 400 * _DAY
