"""Asking the person at the terminal: on stderr, so that stdout stays data, and so that Ctrl-C always ends it."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import os
import signal
import sys
import threading
from collections.abc import Iterator

from ...errors import InputError

__all__ = ["ask", "ask_passphrase", "interactive", "read_all"]


def interactive() -> bool:
    """Whether there is somebody to ask."""
    return sys.stdin.isatty() and sys.stderr.isatty()


async def ask(question: str) -> str:
    """One line from standard input, while everything else goes on. Raises InputError when it has ended."""
    print(question, end="", file=sys.stderr, flush=True)
    # Byte by byte from the descriptor, without a thread: one that waits in readline() would keep the process
    # from ending, and a buffer would swallow the answer to the next question.
    line = bytearray()
    while not line.endswith(b"\n"):
        await _readable(sys.stdin.fileno())
        byte = os.read(sys.stdin.fileno(), 1)
        if not byte:
            break
        line += byte
    if not line:
        raise InputError("the input has ended without an answer", code="input.no_answer")
    return line.decode(errors="replace").strip()


def ask_passphrase(question: str) -> str:
    """A line that is not shown. Blocks: used before anything is connected."""
    with _interruptible():
        try:
            return getpass.getpass(question)
        except EOFError:
            print(file=sys.stderr)
            raise InputError("no passphrase given", code="input.no_answer") from None


def read_all() -> str:
    """All of standard input. Blocks: used before anything is connected. Raises InputError when it is no text."""
    with _interruptible():
        if interactive():
            print("letterlock: write the message; Ctrl-D on a line of its own ends it", file=sys.stderr, flush=True)
        try:
            return sys.stdin.read()
        except UnicodeDecodeError as error:
            raise InputError("standard input is not text", code="input.text") from error


async def _readable(fd: int) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    try:
        loop.add_reader(fd, ready.set)
    except PermissionError:
        return  # a regular file is always readable, and epoll refuses it
    try:
        await ready.wait()
    finally:
        loop.remove_reader(fd)


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Ctrl-C raises at once here; asyncio's own handler would only take note, and the read would go on."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
