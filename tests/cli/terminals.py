"""Users at their terminals: the real command in real processes, and waiting for what it prints, never for time."""

from __future__ import annotations

import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).parents[2]
SECONDS = 30.0


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "letterlock", *arguments]


def clean_environment(folder: Path, **more: str) -> dict[str, str]:
    """Nothing of the developer's own profiles; everything in one folder."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LETTERLOCK_")}
    return {
        **kept,
        "PYTHONPATH": str(ROOT / "src"),
        "PYTHONIOENCODING": "utf-8",
        "LETTERLOCK_DATA_DIR": str(folder / "data"),
        "XDG_STATE_HOME": str(folder / "state"),
        **more,
    }


@dataclass
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def error(self) -> dict[str, Any]:
        """The error that a JSON command told; the last line of stderr."""
        found: dict[str, Any] = json.loads(self.err.splitlines()[-1])
        return found

    def ok(self) -> Done:
        assert self.code == 0, f"exit {self.code}\n{self.out}\n{self.err}"
        return self


class Running:
    """A command that goes on. Its lines are collected as they come."""

    def __init__(self, arguments: Sequence[str], environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            command(*arguments),
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self.seen: list[str] = []
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._back: list[str] = []
        self._threads = [
            threading.Thread(target=self._collect, args=(stream, mark), daemon=True)
            for stream, mark in ((self.process.stdout, ""), (self.process.stderr, "! "))
        ]
        for thread in self._threads:
            thread.start()

    def _collect(self, stream: IO[bytes] | None, mark: str) -> None:
        assert stream is not None
        for line in stream:
            self._lines.put(mark + line.decode("utf-8").rstrip("\n"))
        self._lines.put(None)

    def line(self, pattern: str, seconds: float = SECONDS) -> str:
        """The next line that matches; lines of stderr begin with `! `."""
        deadline = time.monotonic() + seconds
        ended = 0
        while True:
            try:
                if self._back:
                    line: str | None = self._back.pop(0)
                else:
                    line = self._lines.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no line like {pattern!r} within {seconds:g} s; seen:\n{self.text}") from None
            if line is None:
                ended += 1
                assert ended < 2, f"ended before a line like {pattern!r}; seen:\n{self.text}"
                continue
            self.seen.append(line)
            if re.search(pattern, line):
                return line

    def note(self, pattern: str) -> str:
        """The next line of stderr that matches. What stdout said before it is still to come: the two race."""
        start = len(self.seen)
        line = self.line(f"^! .*{pattern}")
        self._back = [other for other in self.seen[start:] if not other.startswith("! ")]
        self.seen[start:] = [other for other in self.seen[start:] if other.startswith("! ")]
        return line

    def record(self, pattern: str) -> dict[str, Any]:
        """The next line that matches, of a JSON command."""
        found: dict[str, Any] = json.loads(self.line(pattern).removeprefix("! "))
        return found

    def type(self, text: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(text.encode() + b"\n")
        self.process.stdin.flush()

    @property
    def text(self) -> str:
        return "\n".join(self.seen)

    def stop(self, number: int = signal.SIGTERM, seconds: float = SECONDS) -> int:
        """Send a signal and wait; the exit code. All lines are in `seen` then."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.wait(seconds)

    def wait(self, seconds: float = SECONDS) -> int:
        code = self.process.wait(seconds)
        for thread in self._threads:
            thread.join(seconds)
        self.seen += self._back
        self._back = []
        while not self._lines.empty():
            line = self._lines.get()
            if line is not None:
                self.seen.append(line)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()
        return code

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        if self.process.stdout is not None and not self.process.stdout.closed:
            self.wait()


@dataclass
class User:
    """Somebody with a profile, and an environment that says where everything is."""

    name: str
    number: str
    environment: dict[str, str]

    def run(self, *arguments: str, typed: str | None = None, seconds: float = SECONDS, **more: str) -> Done:
        done = subprocess.run(
            command(*arguments),
            env={**self.environment, **more},
            input=(typed or "").encode(),
            capture_output=True,
            timeout=seconds,
        )
        return Done(done.returncode, done.stdout.decode(), done.stderr.decode())

    def start(self, *arguments: str, **more: str) -> Running:
        return Running(arguments, {**self.environment, **more})

    def listen(self, *arguments: str) -> Running:
        """`listen` in JSON, once it owns the profile or has reached the owner."""
        listening = self.start("-o", "json", "listen", *arguments)
        listening.note("listening")
        return listening


@dataclass
class Town:
    """Carrier and directory in terminals of their own."""

    folder: Path
    carrier: Running = field(init=False)
    directory: Running = field(init=False)
    carrier_uri: str = ""
    directory_url: str = ""

    def open(self) -> None:
        environment = clean_environment(self.folder)
        self.carrier = Running(("-o", "json", "carrier", "--port", "0"), environment)
        self.directory = Running(("-o", "json", "directory", "--port", "0"), environment)
        self.carrier_uri = self.carrier.record('"carrier"')["carrier"]
        self.directory_url = self.directory.record('"directory"')["directory"]

    def close(self) -> None:
        for service in (self.carrier, self.directory):
            service.__exit__()

    def stranger(self, name: str, number: str, **more: str) -> User:
        """A user who has not set anything up."""
        return User(
            name,
            number,
            clean_environment(
                self.folder / name,
                LETTERLOCK_CARRIER=self.carrier_uri,
                LETTERLOCK_DIRECTORY=self.directory_url,
                LETTERLOCK_PROFILE=name,
                **more,
            ),
        )

    def user(self, name: str, number: str) -> User:
        """A user with a profile, unlocked by a key file."""
        key_file = self.folder / name / "keys" / "key"
        user = self.stranger(name, number)
        with user.start("-o", "json", "setup", number, "--new-key-file", str(key_file), "--name", name) as setup:
            setup.type(self.code(number))
            assert setup.record('"profile"')["number"] == number
            assert setup.wait() == 0
        user.environment["LETTERLOCK_KEY_FILE"] = str(key_file)
        return user

    def code(self, number: str) -> str:
        """The operator reads the code for a number off the directory's terminal."""
        code: str = self.directory.record(f'"number":"{re.escape(number)}"')["code"]
        return code
