"""English. One file a family of texts."""

from __future__ import annotations

from collections.abc import Mapping

from . import demo, dialogs, notices, outcomes, page, refusals, results, security, terminal

__all__ = ["STRINGS", "plural"]

_FAMILIES = (
    security.STRINGS,
    refusals.STRINGS,
    outcomes.STRINGS,
    notices.STRINGS,
    page.STRINGS,
    dialogs.STRINGS,
    demo.STRINGS,
    terminal.STRINGS,
    results.STRINGS,
)

STRINGS: Mapping[str, str | Mapping[str, str]] = {key: entry for family in _FAMILIES for key, entry in family.items()}


def plural(count: int) -> str:
    """The CLDR category of a whole number."""
    return "one" if count == 1 else "other"
