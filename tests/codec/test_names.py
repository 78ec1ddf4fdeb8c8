"""SR-14: a name stays inside its line and turns nothing around."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from letterlock.codec.names import shown_name


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Ben", "Ben"),
        ("  Ben \n Smith\u2028", "Ben Smith"),
        ("Ben\u202egpj.exe", "Bengpj.exe"),
        ("\u2066\u2069\u200d", ""),
        ("Zo" + "e\u0308\u0301\u0302\u0303\u0304\u0305", "Zoë\u0301\u0302\u0303"),
        ("👩\u200d🔧", "👩\u200d🔧"),
        ("x" * 100, "x" * 64),
        ("\x00\x1b[31mred", "[31mred"),
    ],
)
def test_names_are_cleaned(name: str, shown: str) -> None:
    assert shown_name(name) == shown


@given(st.text(max_size=200))
def test_cleaning_twice_changes_nothing(name: str) -> None:
    once = shown_name(name)
    assert shown_name(once) == once
    assert len(once) <= 64
    assert "\n" not in once
    assert "\u202e" not in once
