"""A name that somebody typed, fit to be shown inside a line of ours."""

from __future__ import annotations

import unicodedata

__all__ = ["shown_name"]

_MOST_MARKS = 3
_JOINERS = frozenset("\u200c\u200d")
"""Persian names and emoji need them; alone they show nothing."""


def shown_name(name: str, most: int = 64) -> str:
    """Without controls, line ends, direction changes and heaps of marks; spaces are single; at most `most` characters.

    A name ends where its line goes on: one that turned the direction, or brought a line of its own, would put our words
    in another order (SR-14). It may come out empty.
    """
    kept: list[str] = []
    marks = 0
    for c in unicodedata.normalize("NFC", name[: most * 8]):
        category = unicodedata.category(c)
        marks = marks + 1 if category in ("Mn", "Me") else 0
        if marks > _MOST_MARKS:
            continue
        if category in ("Zl", "Zp", "Zs") or c in "\t\n\r":
            kept.append(" ")
        elif category not in ("Cc", "Cf", "Cs", "Co", "Cn") or c in _JOINERS:
            kept.append(c)
    shown = " ".join("".join(kept).split())[:most].strip()
    return shown if any(c not in _JOINERS for c in shown) else ""
