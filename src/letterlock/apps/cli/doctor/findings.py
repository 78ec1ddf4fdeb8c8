"""What was found: ok, a warning with what would be better, or a failure with what to do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from ....errors import LetterlockError
from ..terminal import Terminal

__all__ = ["Findings", "Worry"]

_MARKS = {"ok": "ok  ", "warn": "warn", "fail": "FAIL"}


class Worry(Exception):
    """Raised by a check that found nothing broken, but something that somebody will miss; `hint` says what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


class Findings:
    """Prints each check as it ends."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self.failed = 0
        self.warned = 0

    def tell(self, name: str, result: str, *, level: str = "ok", hint: str = "") -> None:
        self.failed += level == "fail"
        self.warned += level == "warn"
        said = "" if level == "ok" else hint
        text = f"{_MARKS[level]}  {name}: {result}" + (f"\n      hint: {said}" if said else "")
        self._terminal.data(
            {"check": name, "ok": level != "fail", "level": level, "result": result, "hint": said}, text
        )

    async def check(self, name: str, work: Callable[[], Awaitable[str]]) -> bool:
        """Do it and tell; whether it did not fail."""
        try:
            self.tell(name, await work())
        except Worry as worry:
            self.tell(name, str(worry), level="warn", hint=worry.hint)
        except LetterlockError as error:
            self.tell(name, str(error), level="fail", hint=error.hint)
            return False
        return True
