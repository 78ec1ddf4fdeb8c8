"""Times as documents write them: RFC 3339, UTC. Cores have no calendar to import."""

from __future__ import annotations

from ..ids import Instant

__all__ = ["rfc3339", "rfc3339_seconds"]


def rfc3339(instant: Instant) -> str:
    """To the millisecond: `2026-05-11T14:02:09.123Z`."""
    seconds, millis = divmod(max(0, min(instant, _YEAR_9999)), 1000)
    days, rest = divmod(seconds, 86_400)
    # Days to a civil date in eras of 400 years, years starting in March.
    era, day_of_era = divmod(days + 719_468, 146_097)
    year_of_era = (day_of_era - day_of_era // 1_460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    month_from_march = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * month_from_march + 2) // 5 + 1
    month = month_from_march + 3 if month_from_march < 10 else month_from_march - 9
    year = era * 400 + year_of_era + (month <= 2)
    hour, rest = divmod(rest, 3_600)
    minute, second = divmod(rest, 60)
    return f"{year:04d}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:{second:02d}.{millis:03d}Z"


def rfc3339_seconds(instant: Instant) -> str:
    """To the second, as RCC.16 has it (rcc16.md 3.1): `2026-11-23T05:00:00Z`."""
    return f"{rfc3339(instant)[:-5]}Z"


_YEAR_9999 = 253_402_300_799_999
