"""From milliseconds to dates."""

from __future__ import annotations

from datetime import UTC, datetime

from ..ids import Instant

__all__ = ["date_of"]


def date_of(at: Instant | None) -> datetime | None:
    """None also for what no calendar here has: others name any year they like."""
    try:
        return None if at is None else datetime.fromtimestamp(at / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return None
