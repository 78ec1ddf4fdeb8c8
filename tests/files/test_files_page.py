"""docs/spec/files.md: its examples run and print what is shown, its lengths are ours."""

from __future__ import annotations

import re
from pathlib import Path

from letterlock.files import Layout
from pages import run_page

PAGE = (Path(__file__).parents[2] / "docs" / "spec" / "files.md").read_text(encoding="utf-8")


def test_the_examples_print_what_is_shown() -> None:
    assert run_page("spec/files.md") == 4


def test_the_lengths_are_right() -> None:
    rows = re.findall(r"^\| ([\d,]+) \| ([\d,]+) \| (\d+) \| ([\d,]+) \|$", PAGE, re.M)
    assert len(rows) == 6
    for row in rows:
        size, padded, chunks, sealed = (int(cell.replace(",", "")) for cell in row)
        layout = Layout(size)
        assert (layout.padded, layout.chunks, layout.sealed_size) == (padded, chunks, sealed)
