"""`letterlock rpc`: JSON-RPC on standard input and output, for a program that starts this one."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import stat
import sys
from collections.abc import Awaitable, Callable
from typing import IO

from ...client import Client
from .options import add_profile, open_client
from .sending import within
from .stopping import stop_signals
from .terminal import Terminal

__all__ = ["add_parsers"]

_ANSWER_SECONDS = 5.0


def add_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    rpc = commands.add_parser(
        "rpc",
        help="answer JSON-RPC on standard input and output",
        description="For programs in any language: one JSON-RPC 2.0 request a line on standard input, one answer a line on "
        "standard output, and after 'subscribe' every event as a notification. It ends with the input. What there is to "
        "say otherwise is on standard error. 'rpc.discover' describes all methods.",
    )
    rpc.add_argument("--use-old-copy", action="store_true", help="go on with a restored copy of the profile")
    add_profile(rpc)
    rpc.set_defaults(run=run_rpc)


async def run_rpc(arguments: argparse.Namespace, terminal: Terminal) -> int:
    from ..daemon.stdio import LineConnection
    from ..verbs import Context

    async with open_client(arguments, use_old_copy=arguments.use_old_copy) as me:
        with contextlib.ExitStack() as ended:
            read, write = await _standard_input(ended), await _standard_output(ended)
            stopped = ended.enter_context(stop_signals())
            # A program of this user may name places on the disk: it could read and write there itself.
            connection = LineConnection(Context(me, paths=True), read, write)
            await within(None, connection.serve(), _until(stopped))
        # As every verb that sends: what was said last leaves before we do.
        await within(_ANSWER_SECONDS, _settled(me))
    return 0


async def _settled(me: Client) -> None:
    await me.settled()


async def _until(stopped: asyncio.Event) -> None:
    await stopped.wait()


def _is_pipe(fd: int) -> bool:
    """What the loop can wait for; a terminal or a file it cannot, and these never keep us waiting for long."""
    mode = os.fstat(fd).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


async def _standard_input(ended: contextlib.ExitStack) -> Callable[[], Awaitable[bytes]]:
    from ..daemon.stdio import MAX_LINE

    fd = sys.stdin.fileno()
    reader = asyncio.StreamReader(limit=MAX_LINE)
    # A copy: closing it at the end must not close what the interpreter still holds.
    stream = os.fdopen(os.dup(fd), "rb", buffering=0)
    if stat.S_ISREG(os.fstat(fd).st_mode):
        feeding = asyncio.ensure_future(_feed(reader, stream))
        ended.callback(stream.close)
        ended.callback(feeding.cancel)
    else:
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), stream
        )
        ended.callback(os.set_blocking, fd, True)  # the description is shared with whoever started us
        ended.callback(transport.close)
    return reader.readline


async def _feed(reader: asyncio.StreamReader, stream: IO[bytes]) -> None:
    """A file instead of a program: epoll refuses it, and it is always ready."""
    while piece := await asyncio.to_thread(stream.read, 1 << 16):
        reader.feed_data(piece)
    reader.feed_eof()


async def _standard_output(ended: contextlib.ExitStack) -> Callable[[bytes], Awaitable[None]]:
    fd = sys.stdout.fileno()
    if not _is_pipe(fd):
        return _write_at_once
    loop = asyncio.get_running_loop()
    stream = os.fdopen(os.dup(fd), "wb", buffering=0)
    transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, stream)
    writer = asyncio.StreamWriter(transport, protocol, None, loop)
    ended.callback(os.set_blocking, fd, True)
    ended.callback(transport.close)

    async def write(line: bytes) -> None:
        writer.write(line)
        await writer.drain()

    return write


async def _write_at_once(line: bytes) -> None:
    sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()
