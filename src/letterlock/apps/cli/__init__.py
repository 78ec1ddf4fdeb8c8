"""The command line: `letterlock VERB`. Each verb is a thin layer over the public API."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .command_line import parser

__all__ = ["main", "parser"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    given = list(sys.argv[1:] if argv is None else argv)
    if given[:2] == ["completion", "--answer"]:
        # Somebody waits for the Tab key: without the imports of everything else, which take ten times as long.
        from .completing import run as answer

        return answer(given[2:])
    from .command_line import run

    return run(given)


def __getattr__(name: str) -> Any:
    if name == "parser":
        from .command_line import parser

        return parser
    raise AttributeError(name)
