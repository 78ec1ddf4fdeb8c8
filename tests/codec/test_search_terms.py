"""What text is found by."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from letterlock.codec.search_terms import expression, ranges, terms


@pytest.mark.parametrize(
    ("text", "question", "found"),
    [
        ("Grüße, Ärger im Café!", "gruss CAFE", ["Grüße", "Café"]),
        ("e\u0301te\u0301 hello", "été", ["e\u0301te\u0301"]),
        ("straße STRASSE", "strass", ["straße", "STRASSE"]),
        ("東京に行きます", "行き", ["行き"]),
        ("안녕하세요 여러분", "하세", ["하세"]),
        ("ok 😀👍 yes", "👍", ["👍"]),
        ("\uff46\uff55\uff4c\uff4c width", "full", ["\uff46\uff55\uff4c\uff4c"]),
        ("hid\u200bden \u202eword\u202c", "hidden word", ["hid\u200bden", "word"]),
        ('say "or" NOT (x)', '"or" AND not*', ["or", "NOT"]),
        ("мы встретимся", "ВСТР", ["встретимся"]),
    ],
)
def test_case_accents_and_scripts(text: str, question: str, found: list[str]) -> None:
    assert [text[start:end] for start, end in ranges(text, question)] == found


def test_what_stands_side_by_side_is_looked_for_side_by_side() -> None:
    assert expression("東京 行") == '"東 京" AND "行"'
    assert ranges("京東", "東京") == ()


def test_an_expression_holds_nothing_but_terms() -> None:
    """Whatever is typed is no operator of the index."""
    assert (
        expression('a" OR terms:b* NEAR(c) -d ^e')
        == '"a"* AND "or"* AND "terms"* AND "b"* AND "near"* AND "c"* AND "d"* AND "e"*'
    )
    assert expression("\"*'()-- \u202e\u0301") == ""


def test_sr08_long_texts_and_questions_are_bounded() -> None:
    assert len(terms("\u0301" * 100_000 + "x")) == 0
    assert len(terms("x" * 100_000)) == 48
    assert expression("a b " * 500).count("*") == 12
    assert len(ranges("a " * 10_000, "a")) == 64


@given(st.text(max_size=60), st.text(max_size=20))
def test_ranges_lie_in_the_text_in_order_and_apart(text: str, question: str) -> None:
    at = 0
    for start, end in ranges(text, question):
        assert at <= start < end <= len(text)
        at = end


@given(st.text(max_size=60))
def test_a_text_is_found_by_its_own_words(text: str) -> None:
    for word in text.split()[:5]:
        if expression(word):
            assert ranges(text, word)


@given(st.text(max_size=200))
def test_terms_are_one_line_of_harmless_words(text: str) -> None:
    cut = terms(text)
    assert not set(cut) & set("\"'\n\t*()^:-")
    assert "  " not in cut
