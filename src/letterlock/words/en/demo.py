"""The demo page: two phones and the carrier between them."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["STRINGS"]

STRINGS: Mapping[str, str | Mapping[str, str]] = {}
