"""Pages whose blocks run in order and print what is shown."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

__all__ = ["run_page"]

_DOCS = Path(__file__).parents[1] / "docs"


def run_page(name: str) -> int:
    """Run the Python blocks of a page and compare what each prints with the text block behind it; how many there are."""
    page = _DOCS / name
    blocks = re.findall(r"^```(python|text)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.S | re.M)
    names: dict[str, object] = {"__name__": "docs"}
    compared = 0
    for (language, text), (after, shown) in zip(blocks, [*blocks[1:], ("", "")], strict=True):
        if language != "python":
            continue
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(text, str(page), "exec"), names)
        assert printed.getvalue() == (shown if after == "text" else ""), text
        compared += after == "text"
    return compared
