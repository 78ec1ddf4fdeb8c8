"""Pages whose blocks run in order and print what is shown."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import inspect
import io
import itertools
import re
from pathlib import Path
from typing import Any

__all__ = ["run_page", "run_page_among"]

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


async def run_page_among(name: str, names: dict[str, Any]) -> int:
    """Run the Python blocks of a page, which await what these names are, and compare what each prints with the block
    behind it; how many there are."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", (_DOCS / name).read_text(encoding="utf-8"), re.M | re.S)
    compared = 0
    for (language, source), (_, shown) in itertools.pairwise(blocks):
        if language != "python":
            continue
        printed = io.StringIO()
        code = compile(source, name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        with contextlib.redirect_stdout(printed):
            async with asyncio.timeout(20):
                result = eval(code, names)
                if inspect.isawaitable(result):
                    await result
        assert printed.getvalue() == shown, source
        compared += 1
    return compared
