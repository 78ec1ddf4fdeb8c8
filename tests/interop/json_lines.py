"""Another program as a process that speaks JSON lines: one request a line, one reply a line.

Requests are `{"id", "op", ...}`, replies `{"id", "ok": true, "result": {...}}` or `{"id", "ok": false, "error": {...}}`.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

__all__ = ["JsonLinesPeer", "PeerError", "why_absent"]


def why_absent(log: Path, otherwise: str) -> str:
    """The first error that ./run kept of an installation that failed, or `otherwise`."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.is_file() else []
    return next((f"not installed: {line.strip()}" for line in lines if "error" in line.lower()), otherwise)


class PeerError(Exception):
    """The peer answered with an error; `name`, `code` and `message` are its own."""

    def __init__(self, op: str, error: dict[str, Any]) -> None:
        super().__init__(f"{op}: {error.get('name')}: {error.get('message')}")
        self.op = op
        self.name: str = error.get("name") or ""
        self.code: int | None = error.get("code")
        self.message: str = error.get("message") or ""


class JsonLinesPeer:
    """One process with any number of named parties in it. Use it as a context manager."""

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        self._process = subprocess.Popen(
            list(command),
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            bufsize=1,
        )
        self._number = 0

    def call(self, op: str, **arguments: Any) -> dict[str, Any]:
        """The result of one operation. Raises PeerError when the peer refuses."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._number += 1
        self._process.stdin.write(self._packed({**arguments, "id": self._number, "op": op}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise EOFError(f"the peer died with status {self._process.wait(10)} at {op}")
        answer = self._unpacked(line)
        assert answer["id"] == self._number, answer
        if not answer["ok"]:
            raise PeerError(op, answer["error"])
        result: dict[str, Any] = answer["result"]
        return result

    def close(self) -> None:
        """End the process: it stops at the end of its input."""
        assert self._process.stdin is not None and self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def _packed(self, request: dict[str, Any]) -> str:
        return json.dumps(request)

    def _unpacked(self, line: str) -> Any:
        return json.loads(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
