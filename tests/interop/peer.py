"""A handle on the libsignal peer: a Node process that speaks JSON lines.

`call` sends one request and waits for its answer; binaries are base64 text, made with `b64` and
read with `raw`. The operations and their arguments stand at the head of `libsignal_peer.mjs`.
"""

from __future__ import annotations

import base64
import shutil
from pathlib import Path

from interop.json_lines import JsonLinesPeer, PeerError, why_absent

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
        return why_absent(
            FOLDER / "node_modules" / ".npm.log", "tests/interop/libsignal/node_modules is absent: run npm ci there"
        )
    return ""


class LibsignalPeer(JsonLinesPeer):
    """One Node process with any number of named parties in it. Use it as a context manager."""

    def __init__(self) -> None:
        super().__init__(["node", "libsignal_peer.mjs"], FOLDER)
