"""What the command line prints: data on stdout, everything else on stderr, one phrasing for errors.

Text is for people, `-o json` is one JSON object a line (NDJSON) for programs. Control characters in what peers
wrote are made visible, so that a message cannot move the cursor or fake a line.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable
from typing import Any

from ...engine.policy import PlainOption
from ...errors import LetterlockError, NotEncrypted
from ..verbs.errors import EXIT, exit_code, option_record, option_token

__all__ = ["EXIT", "Terminal", "exit_code", "has_display", "option_token", "visible"]


def visible(text: str) -> str:
    """Text from a peer, safe for a terminal: control and direction-changing characters become escapes (SR-14)."""
    return "".join(c if c.isprintable() or c == " " else c.encode("unicode_escape").decode() for c in text)


def has_display() -> bool:
    """Whether a browser would have somewhere to show itself, or the user named one; one of a terminal would take ours over."""
    if sys.platform in ("darwin", "win32"):
        return True
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))


class Terminal:
    """Where a command prints. `json` chooses NDJSON."""

    def __init__(self, *, as_json: bool, write: Callable[[str], None] | None = None) -> None:
        self.json = as_json
        self._write = write or _stdout

    def data(self, record: dict[str, Any], text: str) -> None:
        """One result: the record for programs, the text for people."""
        self._write(_json(record) if self.json else text)

    def say(self, text: str) -> None:
        """Progress and advice, on stderr, never mixed into data; as JSON there too where JSON is wanted."""
        print(_json({"note": text}) if self.json else f"letterlock: {visible(text)}", file=sys.stderr, flush=True)

    def note(self, record: dict[str, Any]) -> None:
        """What programs are told while something goes on: on stderr, apart from the data."""
        print(_json(record), file=sys.stderr, flush=True)

    def keep_log(self, level: int) -> None:
        """Send what the library logs to stderr, in this terminal's form."""
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(_JsonLines() if self.json else logging.Formatter("letterlock: %(message)s"))
        logging.basicConfig(level=level, handlers=[handler], force=True)

    def error(self, error: LetterlockError) -> int:
        """Phrase an error; returns the exit code."""
        code = exit_code(error)
        if self.json:
            record = {"error": error.code, "message": str(error), "hint": error.hint, "exit": code}
            if isinstance(error, NotEncrypted):
                record["reason"] = error.reason
                record["options"] = [
                    {**option_record(option), "allow": option_token(option)}
                    for option in error.options
                    if isinstance(option, PlainOption)
                ]
            print(_json(record), file=sys.stderr, flush=True)
        else:
            print(f"letterlock: error: {visible(str(error))}", file=sys.stderr)
            if error.hint:
                print(f"letterlock: hint: {visible(error.hint)}", file=sys.stderr, flush=True)
        return code


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)  # with the traceback, if there is one
        return _json({"log": record.name, "level": record.levelname.lower(), "message": text})


def _json(record: dict[str, Any]) -> str:
    # ASCII: what a peer wrote cannot reach a terminal as a control character this way either (SR-14).
    return json.dumps(record, separators=(",", ":"))


def _stdout(line: str) -> None:
    print(line, flush=True)
