"""docs/history.md: its examples run and print what is shown, its numbers are ours."""

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

import pytest

from client.phones import Town
from letterlock.engine.asides import MOST_CARDS, MOST_DIVIDERS

PAGE = (Path(__file__).parents[2] / "docs" / "history.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.M | re.S)


@pytest.mark.anyio
async def test_the_examples_run_and_print_what_is_shown(tmp_path: Path) -> None:
    compared = 0
    async with Town(tmp_path).two() as (ana, ben):
        names: dict[str, Any] = {"ana": ana, "ben": ben}
        for (language, source), (_, shown) in itertools.pairwise(BLOCKS):
            if language != "python":
                continue
            printed = io.StringIO()
            code = compile(source, "history.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            with contextlib.redirect_stdout(printed):
                async with asyncio.timeout(20):
                    result = eval(code, names)
                    if inspect.isawaitable(result):
                        await result
            assert printed.getvalue() == shown, source
            compared += 1
    assert compared == 5


def test_its_numbers_are_ours() -> None:
    assert f"last {MOST_DIVIDERS} changes of a chat's encryption and {MOST_CARDS} cards" in PAGE
