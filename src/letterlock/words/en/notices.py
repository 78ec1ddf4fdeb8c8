"""Lines between the messages of a conversation: who came and went, when encryption began, ended or changed."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["STRINGS"]

STRINGS: Mapping[str, str | Mapping[str, str]] = {}
