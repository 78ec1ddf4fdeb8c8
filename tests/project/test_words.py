"""The one table of words: whole, in the project's own terms, and ready for translation."""

from __future__ import annotations

import re

import pytest

from letterlock.engine.security import WORDS, Security
from letterlock.words import ENGLISH, MIRRORED, direction, filled, locales, table, text
from letterlock.words.en import _FAMILIES, STRINGS

_FORBIDDEN = re.compile(
    r"\b(secure|insecure|securely|safe|safely|unsafe|fingerprints?|mitm|identity|identities)\b", re.IGNORECASE
)


def forms(entry: object) -> list[str]:
    return [entry] if isinstance(entry, str) else list(entry.values())  # type: ignore[attr-defined]


def test_no_key_is_in_two_families() -> None:
    assert len(STRINGS) == sum(map(len, _FAMILIES)) > 50


@pytest.mark.parametrize("key", sorted(STRINGS))
def test_each_entry_can_be_translated(key: str) -> None:
    entry = STRINGS[key]
    assert re.fullmatch(r"[a-z]+(\.[A-Za-z0-9_-]+)+", key)
    if not isinstance(entry, str):
        assert "other" in entry
        # A form may leave the number out ("one message"), and must not want what the others do not have.
        wanted = set(re.findall(r"\{([a-z_]+)\}", entry["other"])) | {"count"}
        assert all(set(re.findall(r"\{([a-z_]+)\}", form)) <= wanted for form in entry.values())
    for form in forms(entry):
        assert form == form.strip() and form
        assert not _FORBIDDEN.search(form), "ux.md A2, rule 3"
        assert form.count("{") == form.count("}") == len(re.findall(r"\{[a-z_]+\}", form))


def test_every_state_has_its_words() -> None:
    assert set(WORDS) == set(Security)
    assert all(len(words.label.split()) <= 4 for words in WORDS.values())


def test_values_are_put_in_and_not_read_again() -> None:
    assert filled("{a} and {b}, {c}", {"a": "{b}", "b": 2}) == "{b} and 2, {c}"
    assert text("security.keys-new.label", name="{wait}") == "{wait}'s keys are new"


def test_a_number_chooses_the_form() -> None:
    keys = [key for key, entry in STRINGS.items() if not isinstance(entry, str)]
    for key in keys:
        entry = STRINGS[key]
        assert not isinstance(entry, str)
        assert text(key, count=2) == filled(entry["other"], {"count": 2})
        assert text(key, count=1) == filled(entry.get("one", entry["other"]), {"count": 1})


def test_what_is_not_known_is_said_in_english() -> None:
    assert table("tlh") == table(ENGLISH)
    with pytest.raises(KeyError):
        text("page.there-is-no-such-key")


def test_the_mirrored_table_leaves_nothing_out_and_no_placeholder_inside() -> None:
    assert MIRRORED in locales() and direction(MIRRORED) == "rtl" and direction(ENGLISH) == "ltr"
    for key, entry in table(MIRRORED).items():
        for form in forms(entry):
            outside = re.sub("\u202e[^\u202c]*\u202c", "", form)
            assert re.fullmatch(r"(\{[a-z_]+\})*", outside), key
            assert not re.search("\u202e[^\u202c]*\\{", form), key


def test_from_right_to_left_a_value_is_isolated() -> None:
    """SR-14: else the sign of a number goes to the other side, and a name turns the words beside it. As the page does."""
    key = "security.no-keys-found.sentence"
    assert "\u2068+15550100\u2069" in text(key, MIRRORED, name="+15550100")
    assert " +15550100 " in text(key, name="+15550100")
