"""The dialogues of the page, its files and its settings."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["STRINGS"]

STRINGS: Mapping[str, str | Mapping[str, str]] = {}
