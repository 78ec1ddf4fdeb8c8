"""docs/history.md: its examples run and print what is shown, its numbers are ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from client.phones import Town
from letterlock.engine.asides import MOST_CARDS, MOST_DIVIDERS
from pages import run_page_among

PAGE = (Path(__file__).parents[2] / "docs" / "history.md").read_text(encoding="utf-8")


@pytest.mark.anyio
async def test_the_examples_run_and_print_what_is_shown(tmp_path: Path) -> None:
    async with Town(tmp_path).two() as (ana, ben):
        assert await run_page_among("history.md", {"ana": ana, "ben": ben}) == 5


def test_its_numbers_are_ours() -> None:
    assert f"last {MOST_DIVIDERS} changes of a chat's encryption and {MOST_CARDS} cards" in PAGE
