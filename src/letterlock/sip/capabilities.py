"""What is known of other numbers' features: a cache of answers to OPTIONS (rcs.md 2.2).

Not knowing is never kept: a device that is away, or a network that is, says nothing about it, so what was known before
stays until it is too old. "No RCS" is knowledge and is kept. Everything here is a claim of the carrier: it picks how a
message travels, never whether it is encrypted (SR-02).
"""

from __future__ import annotations

from dataclasses import dataclass

from ..codec.sip import Request, Response
from ..errors import DecodeError
from ..ids import Instant, Number
from .options import FeatureTags, features_of

__all__ = ["CapabilitiesChanged", "CapabilityCache", "told_by"]

# "Not here, and no RCS": unknown number, no such method, gone, nobody has it.
_NO_RCS = frozenset({404, 405, 410, 501, 604})
_NONE = FeatureTags()


@dataclass(frozen=True, slots=True)
class CapabilitiesChanged:
    """Other tags than before; `before` is None when nothing was known. Empty tags are a number without RCS."""

    number: Number
    tags: FeatureTags
    before: FeatureTags | None


def told_by(response: Response) -> FeatureTags | None:
    """What the answer to an OPTIONS tells: tags, empty ones for a number without RCS; None when it tells nothing."""
    if 200 <= response.status < 300:
        try:
            return features_of(response) or _NONE
        except DecodeError:
            return None
    return _NONE if response.status in _NO_RCS else None  # 480, 408, 503 and all others: nobody knows


@dataclass(slots=True)
class _Known:
    tags: FeatureTags
    until: Instant


class CapabilityCache:
    """One for an account. At most `max_numbers` are kept, the oldest knowledge goes first (SR-08)."""

    def __init__(self, lifetime_ms: int, max_numbers: int) -> None:
        self._lifetime_ms = lifetime_ms
        self._max_numbers = max_numbers
        self._known: dict[Number, _Known] = {}

    def __len__(self) -> int:
        return len(self._known)

    def of(self, number: Number, now: Instant) -> FeatureTags | None:
        """The tags; empty for a number without RCS, None when nobody knows: ask with OPTIONS."""
        known = self._known.get(number)
        # A clock that was set back must not make knowledge eternal.
        if known is None or not now < known.until <= now + self._lifetime_ms:
            return None
        return known.tags

    def on_answer(self, number: Number, response: Response, now: Instant) -> CapabilitiesChanged | None:
        """The final response to OPTIONS to this number."""
        tags = told_by(response)
        return None if tags is None else self._learn(number, tags, now)

    def on_request(self, number: Number, request: Request, now: Instant) -> CapabilitiesChanged | None:
        """A request of this number, as the network asserts it: OPTIONS and INVITE bring the tags of who asks."""
        try:
            tags = features_of(request)
        except DecodeError:
            return None
        return None if tags is None else self._learn(number, tags, now)

    def _learn(self, number: Number, tags: FeatureTags, now: Instant) -> CapabilitiesChanged | None:
        known = self._known.pop(number, None)
        self._known[number] = _Known(tags, now + self._lifetime_ms)
        if len(self._known) > self._max_numbers:
            del self._known[next(iter(self._known))]
        before = None if known is None else known.tags
        # Several devices answer in any order, so the order of bare tags is no news.
        if before is not None and (before.icsi, before.iari, set(before.bare)) == (
            tags.icsi,
            tags.iari,
            set(tags.bare),
        ):
            return None
        return CapabilitiesChanged(number, tags, before)
