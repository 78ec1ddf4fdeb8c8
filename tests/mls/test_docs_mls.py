"""docs/mls.md: its blocks run in order and print what is shown."""

from __future__ import annotations

from pages import run_page


def test_the_blocks_of_the_page_run_and_print_what_is_shown() -> None:
    assert run_page("mls.md") == 7
