"""docs/carrier.md: its example runs and prints what is shown."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.anyio

PAGE = Path(__file__).parents[2] / "docs" / "carrier.md"


async def test_the_example_prints_what_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    (source, shown) = re.findall(r"^```(?:python|text)\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    result = eval(compile(source, str(PAGE), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), {})
    if inspect.iscoroutine(result):
        await result
    assert capsys.readouterr().out == shown
