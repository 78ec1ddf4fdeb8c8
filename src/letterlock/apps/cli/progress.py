"""How a transfer goes on, and what is odd about a file, for whoever sits before it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from .terminal import Terminal, visible

if TYPE_CHECKING:
    from ...client import TransferInfo

__all__ = ["show_odd", "show_progress"]

_DOING = {"sealing": "encrypted", "moving": "", "opening": "verified"}


def show_progress(info: TransferInfo, terminal: Terminal) -> None:
    if info.size and not info.state.over and (terminal.json or sys.stderr.isatty()):
        doing = _DOING[info.stage.value]
        terminal.say(f"{info.done * 100 // info.size:3d} % of {info.size} bytes{doing and f' {doing}'}")


def show_odd(info: TransferInfo, terminal: Terminal) -> None:
    """A program that is called a picture (SR-14): said before anybody opens it."""
    if info.disagreement:
        name = info.sealed.name if info.sealed is not None else info.path
        terminal.say(visible(f"careful with {name}: {info.disagreement}"))
