"""Bounds of what is read from a bot (SR-08). What is sent has the narrower bounds of checking.py."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ChatbotLimits"]


@dataclass(frozen=True, slots=True)
class ChatbotLimits:
    """Sizes in bytes or characters as said. What is over `max_body`, `max_depth`, `max_cards` or `max_chips` is refused
    whole, a longer text too; a URL that is over its bound counts as none."""

    max_body: int
    """Bytes of one JSON text."""
    max_depth: int
    """Of nested objects and lists."""
    max_cards: int
    """Of a carousel."""
    max_chips: int
    """Below a message, or on one card."""
    max_label: int
    """Characters of what stands on a suggestion."""
    max_postback: int
    """Characters. It goes back as it came, so it is never cut."""
    max_title: int
    max_description: int
    max_url: int
