"""docs/content.md: its examples run and print what is shown, its command lines are understood, its numbers are ours."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from client.phones import Town
from letterlock.apps.cli import parser
from letterlock.engine.content.file import FILE_LIMITS
from letterlock.engine.limits import DEFAULTS
from pages import run_page_among

PAGE = (Path(__file__).parents[2] / "docs" / "content.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.M | re.S)


@pytest.mark.anyio
async def test_the_examples_run_and_print_what_is_shown(tmp_path: Path) -> None:
    async with Town(tmp_path).two() as (ana, ben):
        assert await run_page_among("content.md", {"ana": ana, "ben": ben}) == 5


def test_the_command_lines_are_understood() -> None:
    lines = [line for language, text in BLOCKS if language == "sh" for line in text.splitlines()]
    for line in lines:
        words = shlex.split(line)[1:]
        assert parser(words).parse_args(words).verb == words[0]
    assert len(lines) == 7


def test_the_limits_are_the_limits() -> None:
    limits = DEFAULTS
    for number in (
        f"{limits.max_text:,} bytes",
        f"{limits.max_emoji} bytes",
        f"{limits.max_label} bytes",
        f"{limits.max_entity // 1024} KiB",
        f"{limits.max_marks}, the newest",
        f"{FILE_LIMITS.max_name} and {FILE_LIMITS.max_url:,} bytes",
        f"{limits.max_pending} for each sender",
    ):
        assert number in PAGE
    assert limits.pending_ms == 8 * 24 * 3_600_000
