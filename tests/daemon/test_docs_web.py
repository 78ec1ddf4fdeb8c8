"""docs/web.md says what happens."""

from __future__ import annotations

from pages import run_page


def test_the_page_of_the_daemon() -> None:
    assert run_page("web.md") == 1
