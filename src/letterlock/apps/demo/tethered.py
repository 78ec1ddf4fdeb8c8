"""The process of a phone of the page: the command line as ever, which ends when the demo that started it has ended.

However it ended: of a `kill -9` nobody is told but the kernel, who closes the pipe that is our standard input.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading

from ..cli import main

__all__: list[str] = []

_PIECE = 4_096


def _hold() -> None:
    with contextlib.suppress(OSError):
        while os.read(sys.stdin.fileno(), _PIECE):
            pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    threading.Thread(target=_hold, name="tether", daemon=True).start()
    sys.exit(main(sys.argv[1:]))
