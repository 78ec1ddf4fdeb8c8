"""How a transfer goes on, and what is odd about a file, for whoever sits before it.

A person at a terminal sees a bar on stderr: bytes, rate, what remains, for each stage by itself (sealing, moving,
verifying). Programs get records at each tenth of the way, also on stderr, which stays apart from the data. In a log file or a
pipe there is nothing. There are no colours in it, so that NO_COLOR has nothing to take away; on a terminal that cannot
go back in a line (TERM=dumb) there are lines at each tenth.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from ...codec.file_names import safe_file_name
from ...errors import InputError
from .terminal import Terminal, visible

if TYPE_CHECKING:
    from tqdm import tqdm

    from ...client import Transfer, TransferInfo

__all__ = ["Bar", "show_odd", "watch"]

_EVERY_SECONDS = 0.2
_NARROW = 60
_NAME = 20
_STAGES = {"sealing": "encrypting", "opening": "verifying"}


async def watch(transfer: Transfer, terminal: Terminal) -> None:
    """Show how it goes on, until nothing more happens by itself."""
    if terminal.json:
        async for info in transfer.progress():
            _tell(info, terminal)
        return
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        async for info in transfer.progress():
            if sys.stderr.isatty() and info.size and not info.state.over:
                terminal.say(f"{info.done * 100 // info.size:3d} % of {info.size} bytes {_doing(info)}")
        return
    with Bar(sys.stderr) as bar:
        async with _looking(transfer, bar):
            async for info in transfer.progress():
                bar.show(info)


class Bar:
    """One line that is written over and over, and taken away at the end: what remains is the outcome."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._stage = ""
        self._bar: tqdm | None = None

    def show(self, info: TransferInfo) -> None:
        if info.state.over:
            return
        doing = _doing(info)
        if self._bar is None or doing != self._stage:
            self.close()
            self._stage = doing
            from tqdm import tqdm  # here: texts, too, come this way, and are sent sooner without

            tqdm.monitor_interval = 0  # its thread redraws bars that stand still; ours are shown by the loop
            self._bar = tqdm(
                desc=self._described(doing, _name(info)),
                total=info.size,
                initial=info.done,  # one that goes on later has no rate for what came before
                unit="B",
                unit_scale=True,
                unit_divisor=1024,
                dynamic_ncols=True,
                leave=False,
                file=self._stream,
                mininterval=0.0,
            )
        self._bar.total = info.size
        self._bar.n = info.done
        self._bar.refresh()

    def _described(self, doing: str, name: str) -> str:
        try:
            columns = os.get_terminal_size(self._stream.fileno()).columns
        except (OSError, ValueError):
            columns = 80
        return f"{doing} {name}" if name and columns >= _NARROW else doing

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def show_odd(info: TransferInfo, terminal: Terminal) -> None:
    """A program that is called a picture (SR-14): said before anybody opens it."""
    if info.disagreement:
        name = info.sealed.name if info.sealed is not None else info.path
        terminal.say(visible(f"careful with {name}: {info.disagreement}"))


@contextlib.asynccontextmanager
async def _looking(transfer: Transfer, bar: Bar) -> AsyncIterator[None]:
    """The transfer tells of each tenth of its way; people want to see it move in between."""

    async def look() -> None:
        with contextlib.suppress(InputError):  # it was cancelled, which the iteration notices too
            while True:
                await asyncio.sleep(_EVERY_SECONDS)
                bar.show(await transfer.refresh())

    looking = asyncio.create_task(look())
    try:
        yield
    finally:
        looking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await looking


def _tell(info: TransferInfo, terminal: Terminal) -> None:
    terminal.note(
        {
            "progress": info.id,
            "upload": info.upload,
            "state": info.state.value,
            "stage": info.stage.value,
            "done": info.done,
            "size": info.size,
        }
    )


def _doing(info: TransferInfo) -> str:
    return _STAGES.get(info.stage.value) or ("uploading" if info.upload else "downloading")


def _name(info: TransferInfo) -> str:
    """What the other end calls a file can hold anything; here it is one short word without control characters (SR-14)."""
    name = info.sealed.name if info.sealed is not None and info.sealed.name else Path(info.path).name
    shown = visible(safe_file_name(name)) if name else ""
    return shown if len(shown) <= _NAME else f"{shown[: _NAME - 1]}\u2026"
