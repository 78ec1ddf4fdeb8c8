"""docs/sessions.md: its examples run and print what is shown."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import inspect
import io
import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "sessions.md"
_BLOCKS = re.compile(r"```python\n(?P<code>.*?)```\n+```text\n(?P<shown>.*?)```", re.DOTALL)
BLOCKS = list(_BLOCKS.finditer(PAGE.read_text(encoding="utf-8")))


def test_there_are_examples() -> None:
    assert len(BLOCKS) == 2


@pytest.mark.parametrize("block", BLOCKS, ids=["transport", "machines"])
def test_an_example_runs_and_prints_what_is_shown(block: re.Match[str]) -> None:
    code = compile(block["code"], str(PAGE), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    printed = io.StringIO()

    async def run() -> None:
        result = eval(code, {})  # type: ignore[arg-type]
        if inspect.isawaitable(result):
            async with asyncio.timeout(20):
                await result

    with contextlib.redirect_stdout(printed):
        asyncio.run(run())
    assert printed.getvalue() == block["shown"]
