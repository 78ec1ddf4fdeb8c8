"""The line that shows how a file goes on: read off a terminal of a given width."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import io
import json
import os
import pty
import re
import struct
import termios
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any, cast

import pytest

from letterlock.apps.cli.progress import Bar, watch
from letterlock.apps.cli.terminal import Terminal
from letterlock.client import Transfer, TransferInfo, TransferStage, TransferState
from letterlock.transport.content.config import DownloadState

MIB = 1 << 20
HOSTILE = "\x1b[2J\u202egpj.exe\r\nletterlock: all is well " + "x" * 200


def info(done: int, stage: TransferStage = TransferStage.MOVING, name: str = "holiday.jpg") -> TransferInfo:
    task = DownloadState(url="https://content.example.net/1", target=name, part="", size=8 * MIB)
    return TransferInfo("t1", TransferState.RUNNING, 0, task, done=done, stage=stage)


class Tty:
    """A pseudo-terminal that somebody writes to and a test reads."""

    def __init__(self, columns: int) -> None:
        self.main, other = pty.openpty()
        fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.stream = os.fdopen(other, "w", encoding="utf-8")

    def read(self) -> str:
        self.stream.flush()
        os.set_blocking(self.main, False)
        data = b""
        with contextlib.suppress(BlockingIOError):
            while True:
                data += os.read(self.main, 1 << 16)
        return data.decode()


@pytest.fixture
def tty(request: pytest.FixtureRequest) -> Iterator[Tty]:
    shown = Tty(getattr(request, "param", 100))
    yield shown
    shown.stream.close()
    os.close(shown.main)


def last_line(screen: str) -> str:
    return [part for part in screen.split("\r") if part.strip()][-1].rstrip()


def test_each_stage_says_bytes_rate_and_what_remains(tty: Tty) -> None:
    seen = []
    with Bar(tty.stream) as bar:
        for stage in (TransferStage.SEALING, TransferStage.MOVING, TransferStage.OPENING):
            bar.show(info(0, stage))
            bar.show(info(2 * MIB, stage))
            seen.append(last_line(tty.read()))
    assert [line.split()[0] for line in seen] == ["encrypting", "downloading", "verifying"]
    for line in seen:
        assert "holiday.jpg" in line
        assert "25%" in line
        assert "2.00M/8.00M" in line
        assert re.search(r"[\d.]+[kMG]?B/s", line), line
        assert re.search(r"\[\d\d:\d\d<\d\d:\d\d,", line), line


def test_it_takes_itself_away(tty: Tty) -> None:
    with Bar(tty.stream) as bar:
        bar.show(info(MIB))
        assert "12%" in tty.read()
    assert re.fullmatch(r"[\r ]+", tty.read())


@pytest.mark.parametrize("tty", [20, 40, 60, 80, 200], indirect=True)
def test_sr14_a_hostile_name_and_a_narrow_window_break_no_line(tty: Tty) -> None:
    """SR-14: nothing of a name moves the cursor, and the line is never longer than the window."""
    columns = struct.unpack("HHHH", fcntl.ioctl(tty.stream, termios.TIOCGWINSZ, bytes(8)))[1]
    with Bar(tty.stream) as bar:
        bar.show(info(0, name=HOSTILE))
        bar.show(info(3 * MIB, name=HOSTILE))
        screen = tty.read()
    assert "\x1b[2J" not in screen and "\u202e" not in screen and "\n" not in screen
    for line in screen.split("\r"):
        assert len(line.rstrip()) <= columns
    if columns >= 80:
        assert "all is well" in screen  # of the name, behind what is done with it
    # No colours: NO_COLOR has nothing to take away.
    assert "\x1b[3" not in screen


class Moving:
    """A transfer that goes in steps."""

    def __init__(self) -> None:
        self.steps = [info(done * MIB) for done in (0, 4, 8)]
        self.steps[-1] = replace(self.steps[-1], state=TransferState.DONE)
        self.info = self.steps[0]

    async def progress(self) -> AsyncIterator[TransferInfo]:
        for step in self.steps:
            self.info = step
            yield step

    async def refresh(self) -> TransferInfo:
        return self.info


def test_programs_get_records_on_stderr_and_pipes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    asyncio.run(watch(cast(Transfer, Moving()), Terminal(as_json=True)))
    out, err = capsys.readouterr()
    assert out == ""
    records: list[dict[str, Any]] = [json.loads(line) for line in err.splitlines()]
    assert [record["done"] for record in records] == [0, 4 * MIB, 8 * MIB]
    assert {(record["progress"], record["stage"], record["size"]) for record in records} == {("t1", "moving", 8 * MIB)}
    assert records[-1]["state"] == "done"
    asyncio.run(watch(cast(Transfer, Moving()), Terminal(as_json=False)))
    assert capsys.readouterr() == ("", "")


def test_what_is_written_is_text() -> None:
    """As said of the stream: a bar also goes to something that has no window."""
    stream = io.StringIO()
    with Bar(stream) as bar:
        bar.show(info(MIB))
    assert "downloading" in stream.getvalue()
