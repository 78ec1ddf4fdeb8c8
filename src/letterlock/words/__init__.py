"""Every sentence that people are shown, in one table: of states, refusals, outcomes, and of the pages.

Engine, daemon, command line and page take their words from here, so that all of them say the same (a page gets the
table of its locale from the daemon). A key is `family.name`, its text has placeholders in braces, `{name}`; where a
number decides about the form it is a mapping of CLDR plural categories, chosen by `count`.

A translation is a package beside `en` with the same keys and its plural rule, listed in `_LOCALES`. What it lacks is
said in English. `ar-XB` is no language: English mirrored by its characters' direction, which proves that a screen
works from right to left and that nothing on it was left out of the table.

Rules of the words: say *encrypted*, *not encrypted*, *verified*, and who can read; never "secure", "safe",
"fingerprint", "identity".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TypeAlias

from . import en

__all__ = ["ENGLISH", "MIRRORED", "Entry", "direction", "filled", "locales", "table", "text"]

Entry: TypeAlias = str | Mapping[str, str]
"""A text, or the forms of it by plural category; `other` is always there."""

ENGLISH = "en"
MIRRORED = "ar-XB"

_LOCALES: Mapping[str, tuple[Mapping[str, Entry], Callable[[int], str]]] = {ENGLISH: (en.STRINGS, en.plural)}
_RIGHT_TO_LEFT = frozenset({"ar", "fa", "he", "ur"})
_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
_OVERRIDE, _POP = "\u202e", "\u202c"
_ISOLATE, _POP_ISOLATE = "\u2068", "\u2069"


def locales() -> tuple[str, ...]:
    """The locales that can be asked for, the mirrored one last."""
    return (*_LOCALES, MIRRORED)


def direction(locale: str) -> str:
    """`rtl` or `ltr`."""
    return "rtl" if locale.partition("-")[0] in _RIGHT_TO_LEFT else "ltr"


def table(locale: str = ENGLISH) -> Mapping[str, Entry]:
    """All texts of a locale by their keys; of one that is not known, the English ones."""
    if locale == MIRRORED:
        return {key: _mirrored(entry) for key, entry in en.STRINGS.items()}
    return {**en.STRINGS, **_LOCALES.get(locale, _LOCALES[ENGLISH])[0]}


def text(key: str, locale: str = ENGLISH, **values: object) -> str:
    """One text with its placeholders filled. Raises KeyError for a key that is in no table: a slip of ours."""
    entry = en.STRINGS[key] if locale == ENGLISH else table(locale)[key]
    plural = _LOCALES.get(locale, _LOCALES[ENGLISH])[1]
    if not isinstance(entry, str):
        count = values.get("count")
        form = plural(count) if isinstance(count, int) else "other"
        entry = entry.get(form, entry["other"])
    if direction(locale) == "rtl":
        values = {name: _isolated(value) for name, value in values.items()}
    return filled(entry, values)


def filled(template: str, values: Mapping[str, object]) -> str:
    """The template with what is given put in; a placeholder without a value stays, so that nobody gets an error for it.

    Nothing in a value is looked at again: what a peer wrote cannot name another placeholder.
    """
    return _PLACEHOLDER.sub(lambda found: str(values.get(found[1], found[0])), template)


def _isolated(value: object) -> object:
    """From right to left, `+15550100` would lose its sign to the other side, and a name turn the words beside it (SR-14)."""
    return f"{_ISOLATE}{value}{_POP_ISOLATE}" if isinstance(value, str) else value


def _mirrored(entry: Entry) -> Entry:
    if not isinstance(entry, str):
        return {form: _mirrored_text(template) for form, template in entry.items()}
    return _mirrored_text(entry)


def _mirrored_text(template: str) -> str:
    """As from right to left, but for the placeholders, which keep the direction of what they hold."""
    parts = re.split(r"(\{[a-z_]+\})", template)
    return "".join(part if at % 2 or not part else f"{_OVERRIDE}{part}{_POP}" for at, part in enumerate(parts))
