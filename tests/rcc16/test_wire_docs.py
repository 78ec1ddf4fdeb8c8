"""docs/rcc16-bytes.md: its blocks run in order and print what is shown."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "rcc16-bytes.md"


def test_the_blocks_of_the_page_run_and_print_what_is_shown() -> None:
    blocks = re.findall(r"^```(python|text)\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.S | re.M)
    names: dict[str, object] = {"__name__": "docs"}
    compared = 0
    for (language, text), (after, shown) in zip(blocks, [*blocks[1:], ("", "")], strict=True):
        if language != "python":
            continue
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(text, str(PAGE), "exec"), names)
        assert printed.getvalue() == (shown if after == "text" else ""), text
        compared += after == "text"
    assert compared == 4
