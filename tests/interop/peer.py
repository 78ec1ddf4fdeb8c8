"""A handle on the libsignal peer: a Node process that speaks JSON lines.

`call` sends one request and waits for its answer; binaries are base64 text, made with `b64` and
read with `raw`. The operations and their arguments stand at the head of `libsignal_peer.mjs`.
"""

from __future__ import annotations

import base64
import contextlib
import json
import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any

__all__ = ["LibsignalPeer", "PeerError", "b64", "missing", "raw"]

FOLDER = Path(__file__).parent / "libsignal"


def b64(data: bytes) -> str:
    """Standard base64, as the peer wants it."""
    return base64.b64encode(data).decode()


def raw(text: str) -> bytes:
    """The bytes of a base64 answer."""
    return base64.b64decode(text)


def missing() -> str:
    """Why the peer cannot run here, or nothing."""
    if shutil.which("node") is None:
        return "node is not installed"
    if not (FOLDER / "node_modules" / "@signalapp" / "libsignal-client").is_dir():
        return "tests/interop/libsignal/node_modules is absent: run npm ci there"
    return ""


class PeerError(Exception):
    """The peer answered with an error; `name`, `code` and `message` are libsignal's."""

    def __init__(self, op: str, error: dict[str, Any]) -> None:
        super().__init__(f"{op}: {error.get('name')}: {error.get('message')}")
        self.op = op
        self.name: str = error.get("name") or ""
        self.code: int | None = error.get("code")
        self.message: str = error.get("message") or ""


class LibsignalPeer:
    """One Node process with any number of named parties in it. Use it as a context manager."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            ["node", "libsignal_peer.mjs"],
            cwd=FOLDER,
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
        self._process.stdin.write(json.dumps({**arguments, "id": self._number, "op": op}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise EOFError(f"the peer died with status {self._process.wait(10)} at {op}")
        answer = json.loads(line)
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

    def __enter__(self) -> LibsignalPeer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
