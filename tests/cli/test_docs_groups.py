"""What docs/groups.md shows is true: its Python runs and prints what is shown, its commands are understood."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest

from cli.test_docs_examples import World, fenced, home, run, same
from letterlock.apps.cli import parser
from letterlock.engine.groups import events as groups_events

__all__ = ["home"]

PAGE = "docs/groups.md"


@pytest.mark.slow
@pytest.mark.anyio
async def test_the_blocks_run_and_print_what_is_shown(home: Path) -> None:
    blocks = fenced(PAGE)
    async with World.open(home) as world:
        names: dict[str, Any] = {"input": world.input}
        compared = 0
        for (language, text), (after, shown) in zip(blocks, [*blocks[1:], ("", "")], strict=True):
            if language != "python":
                continue
            printed = await run(world.here(text), names)
            if after == "text":
                assert same(shown, printed), f"block:\n{text}\nshown:\n{shown}\nprinted:\n{printed}"
                compared += 1
        assert compared == 3


def test_the_commands_are_understood() -> None:
    lines = [line for language, text in fenced(PAGE) if language == "sh" for line in text.splitlines()]
    for line in lines:
        words = shlex.split(line)
        assert words[0] == "letterlock"
        parser(words[1:]).parse_args(words[1:])
    assert len(lines) == 11


def test_every_event_of_groups_is_named() -> None:
    text = (Path(__file__).parents[2] / PAGE).read_text(encoding="utf-8")
    assert [name for name in groups_events.__all__ if name != "GroupEvent" and f"`{name}`" not in text] == []
