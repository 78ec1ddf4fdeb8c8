"""Processes of a benchmark: children that answer commands and end with their parent, and a parent that ends cleanly.

A child reads commands, a line each, from stdin and answers each with one JSON object on stdout. When stdin ends its
parent has gone, however it went: what the child is doing is cancelled, and it ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

__all__ = ["Answer", "Child", "run", "serve", "start", "tell"]

T = TypeVar("T")
Answer = dict[str, Any]

_PATIENCE_SECONDS = 10.0


def run(main: Coroutine[Any, Any, T]) -> T:
    """As asyncio.run; SIGTERM cancels, so that whatever was entered is left and nothing that was started stays."""

    async def stoppable() -> T:
        task = asyncio.ensure_future(main)
        # Not an exception out of a signal handler: that could come while Kamailio is being started, and lose it.
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        return await task

    try:
        return asyncio.run(stoppable())
    except asyncio.CancelledError:
        raise SystemExit(128 + signal.SIGTERM) from None


def tell(text: str) -> None:
    """How far it has got, for people."""
    print(text, file=sys.stderr, flush=True)


# --- the parent's side ---------------------------------------------------------------------------------------
class Child:
    """One child; `hello` is its first answer."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self._name = name
        self._process = process
        self.hello: Answer = {}

    async def ask(self, command: str) -> Answer:
        """Its answer. Raises RuntimeError when it says that it failed, or ends."""
        assert self._process.stdin is not None
        self._process.stdin.write(command.encode() + b"\n")
        return await self.answer()

    async def answer(self) -> Answer:
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._name} ended early")
        answer: Answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(f"{self._name}: {answer['error']}")
        return answer

    async def quit(self) -> None:
        """Let it end; kill it if it does not."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await self._process.wait()
        finally:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()


async def start(stack: contextlib.AsyncExitStack, file: str, *arguments: str) -> Child:
    """Start a Python file as a child, which ends with `stack`, and wait for its first answer."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, file, *arguments, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    child = Child(" ".join((file.rpartition("/")[2], *arguments[:2])), process)
    stack.push_async_callback(_ended, child)
    child.hello = await child.answer()
    return child


async def _ended(child: Child) -> None:
    with contextlib.suppress(TimeoutError):
        await child.quit()


# --- the child's side ------------------------------------------------------------------------------------------
async def serve(hello: Answer, on_command: Callable[[list[str]], Awaitable[Answer]]) -> None:
    """Answer commands until stdin ends. One that raises is answered with its error."""
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    _say(hello)
    line = await lines.readline()
    while line:
        working = asyncio.ensure_future(on_command(line.decode().split()))
        following = asyncio.ensure_future(lines.readline())
        # The parent asks one thing at a time: a further line before the answer can only be the end.
        await asyncio.wait({working, following}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
            return
        error = working.exception()
        _say(working.result() if error is None else {"error": f"{type(error).__name__}: {error}"})
        line = await following


def _say(answer: Answer) -> None:
    print(json.dumps(answer), flush=True)
