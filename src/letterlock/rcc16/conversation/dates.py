"""Times as receipts write them: RFC 3339, UTC, seconds."""

from __future__ import annotations

from ...ids import Instant

__all__ = ["rfc3339"]

_DAYS_400 = 146_097


def rfc3339(instant: Instant) -> str:
    """`2026-11-23T05:00:00Z`."""
    days, seconds = divmod(instant // 1000, 86_400)
    # The civil calendar in days since 0000-03-01, in which a leap day comes last.
    cycle, day = divmod(days + 719_468, _DAYS_400)
    year = (day - day // 1_460 + day // 36_524 - day // 146_096) // 365
    day -= 365 * year + year // 4 - year // 100
    month = (5 * day + 2) // 153
    number = month + 3 if month < 10 else month - 9
    return (
        f"{year + 400 * cycle + (number <= 2):04d}-{number:02d}-{day - (153 * month + 2) // 5 + 1:02d}"
        f"T{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}Z"
    )
