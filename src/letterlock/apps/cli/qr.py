"""QR codes in a terminal, for the camera of another phone.

Colours are forced, black on bright white (SGR 30;107): a terminal's own may be light on dark, and a code in reverse is one
that many readers do not take. Measured with rendered terminals: what sets no colours, or inverts them, is read on one
kind of background only. Two modules of white around it are enough for readers, and keep it narrower than 80 columns.

It is for people: never where nobody looks (a pipe, JSON), unless asked for with --qr.
"""

from __future__ import annotations

import argparse
import shutil
import sys

import segno

from .terminal import Terminal

__all__ = ["add_qr", "qr_lines", "show_qr"]

_QUIET = 2
_BLACK_ON_WHITE, _AS_BEFORE = "\x1b[30;107m", "\x1b[0m"
_HALVES = {(False, False): " ", (True, False): "\u2580", (False, True): "\u2584", (True, True): "\u2588"}


def add_qr(parser: argparse.ArgumentParser) -> None:
    """--qr and --no-qr; without either it is shown where a person looks."""
    parser.add_argument(
        "--qr", action=argparse.BooleanOptionalAction, default=None, help="a picture to scan (default: at a terminal)"
    )


def show_qr(arguments: argparse.Namespace, terminal: Terminal, content: str | bytes) -> None:
    """The picture, on stdout before its text; nothing for programs, and nothing that would be broken over two lines."""
    wanted: bool | None = arguments.qr
    if terminal.json or wanted is False or (wanted is None and not sys.stdout.isatty()):
        return
    lines = qr_lines(content)
    # A code whose lines are wrapped cannot be read; the text below says the same. Of a pipe nobody knows the width.
    if sys.stdout.isatty() and _width(lines[0]) > shutil.get_terminal_size().columns:
        terminal.say("the window is too narrow for the picture; make it wider, or use the text")
        return
    print("\n".join(lines), flush=True)


def qr_lines(content: str | bytes) -> list[str]:
    """One line for two rows of modules, each with its colours set and put back. Bytes are those of a security code, as
    the page and phones show and read them."""
    rows = [[bool(module) for module in row] for row in segno.make_qr(content, error="l").matrix_iter(border=_QUIET)]
    if len(rows) % 2:
        rows.append([False] * len(rows[0]))
    return [
        _BLACK_ON_WHITE + "".join(_HALVES[pair] for pair in zip(upper, lower, strict=True)) + _AS_BEFORE
        for upper, lower in zip(rows[::2], rows[1::2], strict=True)
    ]


def _width(line: str) -> int:
    return len(line) - len(_BLACK_ON_WHITE) - len(_AS_BEFORE)
