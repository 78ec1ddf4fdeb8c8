"""docs/msrp.md: its example runs and prints what is shown."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import inspect
import io
import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "msrp.md"
_BLOCKS = re.compile(r"```python\n(?P<code>.*?)```\n+```text\n(?P<shown>.*?)```", re.DOTALL)


def test_the_example_runs_and_prints_what_is_shown() -> None:
    blocks = list(_BLOCKS.finditer(PAGE.read_text(encoding="utf-8")))
    assert blocks
    for block in blocks:
        code = compile(block["code"], str(PAGE), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        printed = io.StringIO()

        async def run(code: object = code) -> None:
            result = eval(code, {})  # type: ignore[arg-type]
            if inspect.isawaitable(result):
                async with asyncio.timeout(20):
                    await result

        with contextlib.redirect_stdout(printed):
            asyncio.run(run())
        assert printed.getvalue() == block["shown"]
