"""One HTTP exchange with a push service, and the two ways in which it fails: certainly unheard, or perhaps heard."""

from __future__ import annotations

import email.utils
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC

from ...ids import Instant

__all__ = ["Answer", "Lost", "NotSent", "retry_after_ms"]


@dataclass(frozen=True, slots=True)
class Answer:
    """Header names are in small letters. The body may be cut off at a bound."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


class NotSent(Exception):
    """The push service certainly did not act on the request."""


class Lost(Exception):
    """The request was written, and nobody knows what became of it."""


def retry_after_ms(answer: Answer, now: Instant) -> int | None:
    """What Retry-After says, in seconds or as a date (RFC 9110 section 10.2.3); None for nothing, or nonsense."""
    text = answer.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdecimal():
        return int(text[:9]) * 1000
    try:
        at = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    try:
        return max(0, int(at.replace(tzinfo=at.tzinfo or UTC).timestamp() * 1000) - now)
    except (OverflowError, ValueError):
        return None
