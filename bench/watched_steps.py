"""Runs the `letterlock` command with a watch on its event loop, for benchmarks: `python watched_steps.py REPORT daemon ...`.

Every step that the loop takes, that is every callback and every stretch of a task between two awaits, is timed in three ways:
by the clock on the wall (`ms`); by the same without the time in which its thread could run and no core was free, which Linux
counts (`held_ms`: what the step did, and whatever it waited for, a disk, a lock, the interpreter's lock, other threads of
the daemon); and by what its thread computed (`cpu_ms`). A browser on the same two cores makes the first long by itself.
SIGUSR1 writes what was found since the last one to REPORT, as JSON, and begins anew. asyncio's own debug mode finds slow steps
too, and makes each of them several times slower; this costs some microseconds.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import sys
import time
from typing import Any

_KEPT = 12

Step = dict[str, Any]


class Watch:
    """The longest steps so far, and how many there were."""

    def __init__(self, report: str) -> None:
        self._report = report
        self._steps: list[Step] = []
        self._count = 0
        self._floor = 0.0
        self._longest = 0.0
        self._collected = 0.0
        self._waits = os.open("/proc/thread-self/schedstat", os.O_RDONLY)

    def install(self) -> None:
        run, wall, thread, waited = asyncio.Handle._run, time.perf_counter, time.thread_time, self._waited

        def timed(handle: asyncio.Handle) -> None:
            queued, began, cpu, collected = waited(), wall(), thread(), self._collected
            run(handle)
            took = wall() - began
            held = took - (waited() - queued)
            self._count += 1
            self._longest = max(self._longest, took)
            if held > self._floor:
                self._keep(handle, took, held, thread() - cpu, self._collected - collected)

        asyncio.Handle._run = timed  # type: ignore[method-assign]
        gc.callbacks.append(self._collecting)
        signal.signal(signal.SIGUSR1, lambda number, frame: self._tell())

    def _waited(self) -> float:
        """For how many seconds this thread could have run, and no core was free."""
        return int(os.pread(self._waits, 100, 0).split()[1]) / 1e9

    def _collecting(self, phase: str, info: dict[str, int]) -> None:
        self._collected += time.perf_counter() * (-1 if phase == "start" else 1)

    def _keep(self, handle: asyncio.Handle, took: float, held: float, cpu: float, collected: float) -> None:
        times = {"ms": took, "held_ms": held, "cpu_ms": cpu, "gc_ms": collected}
        step = {**{name: seconds * 1e3 for name, seconds in times.items()}, "what": _name(handle)}
        self._steps = sorted([*self._steps, step], key=lambda each: -float(each["held_ms"]))[:_KEPT]
        if len(self._steps) == _KEPT:
            self._floor = self._steps[-1]["held_ms"] / 1e3

    def _tell(self) -> None:
        part = f"{self._report}.part"
        with open(part, "w", encoding="utf-8") as file:
            json.dump({"steps": self._count, "longest_ms": self._longest * 1e3, "worst": self._steps}, file)
        os.replace(part, self._report)
        self._steps, self._count, self._floor, self._longest = [], 0, 0.0, 0.0


def _name(handle: asyncio.Handle) -> str:
    callback = getattr(handle, "_callback", None)
    owner = getattr(callback, "__self__", None)
    if isinstance(owner, asyncio.Task):
        frames = owner.get_stack(limit=1)
        where = f" at {os.path.basename(frames[0].f_code.co_filename)}:{frames[0].f_lineno}" if frames else ""
        return f"{getattr(owner.get_coro(), '__qualname__', owner.get_name())}{where}"
    return getattr(callback, "__qualname__", repr(callback))[:120]


if __name__ == "__main__":
    Watch(sys.argv[1]).install()
    from letterlock.apps.cli import main

    sys.exit(main(sys.argv[2:]))
