"""Plays a page: the commands of its blocks run in a real shell at real terminals, and what it shows has to appear there.

A page says in comments, which nobody sees, what a reader does with hands:

* `<!-- stage: network, ana +15550100 -->`: before it begins there are a lab network and these people's profiles.
* `<!-- terminal: ana -->`: what follows is typed, or seen, at this terminal. A program that goes on there is left running
  until the next command is typed, which presses Ctrl-C first.
* `<!-- file: bot.py -->`: the next block is the content of that file.
* `<!-- ports: 5060 8460 -->`: these are free ports in this run, wherever they stand.
* `<!-- exit: 7 -->`: the next command ends so.
* `<!-- person: NAME -->`: the test does it, in a browser for example (`play(..., name=function)`).

In what is shown, `...` stands for anything in a line; times, codes, ports and ids are those of the run. Questions are
answered: what stands behind one in the page is what somebody would type.
"""

from __future__ import annotations

import contextlib
import os
import pty
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cli.terminals import ROOT, Running, clean_environment
from cli.test_cli_prompts import Person, _own_terminal

__all__ = ["Stage", "play", "steps"]

_STEP = re.compile(
    r"^<!-- (?P<what>stage|ports|terminal|file|exit|person): (?P<value>.*?) -->$|"
    r"^```(?P<language>\w+)\n(?P<text>.*?)^```$",
    re.M | re.S,
)
_PASSPHRASE = "tulip-in-the-rain"
_GOES_ON = re.compile(
    r"\bletterlock(?: -o json)? (network|listen|daemon|web|rpc|directory|mailbox|carrier)\b|^(python|node) |^kamailio "
)
_ID = re.compile(r"\b(?=\d*[a-f])(?=[a-f]*\d)[0-9a-f]{8}\b")
"""Of the page: with a digit and a letter, so that no telephone number looks like one."""
_REAL_ID = re.compile(r"(?<![+\w])[0-9a-f]{8}\b")
_ANSWERS = (
    re.compile(r"^(new passphrase for profile '\w+': |once more: |passphrase for profile '\w+': )"),
    re.compile(r"^(code for (\+\d+): )"),
    re.compile(r"^(last group that \S+ reads out \(empty: not now\): )"),
    re.compile(r"^(type 'unencrypted' to send it so, anything else to keep it: )(.*)"),
)


def steps(page: str) -> list[tuple[str, str]]:
    """What a page has: directives, and blocks by their language."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return [
        (found["what"] or found["language"], found["value"] or found["text"] or "") for found in _STEP.finditer(text)
    ]


@dataclass
class Stage:
    """A folder, a network, and terminals by name."""

    folder: Path
    terminals: dict[str, Person] = field(default_factory=dict)
    network: Running | None = None
    addresses: dict[str, str] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)
    ports: dict[str, str] = field(default_factory=dict)
    ran: int = 0
    compared: int = 0

    def __post_init__(self) -> None:
        (self.folder / "bin").mkdir(parents=True, exist_ok=True)
        for name, program in (("letterlock", " -m letterlock"), ("python", ""), ("python3", "")):
            shim = self.folder / "bin" / name
            shim.write_text(f'#!/bin/sh\nexec "{sys.executable}"{program} "$@"\n')
            shim.chmod(0o755)
        self.environment = clean_environment(self.folder, HOME=str(self.folder), BROWSER="true", TERM="xterm", TZ="UTC")
        # As for somebody who has set nothing: profiles lie where they do by default, below HOME.
        for name in ("LETTERLOCK_DATA_DIR", "XDG_STATE_HOME", "XDG_DATA_HOME", "NO_COLOR"):
            self.environment.pop(name, None)
        self.environment["PATH"] = f"{self.folder / 'bin'}:{os.environ['PATH']}:/usr/sbin"

    # --- before it begins
    def set(self, what: str) -> None:
        """`network, ana +15550100, ben +15550199`."""
        for each in what.split(", "):
            name, _, number = each.partition(" ")
            if name == "network":
                self.network = Running(("-o", "json", "network", "--free-ports"), self.environment)
                self.addresses = self.network.record('"provisioning"')
            else:
                self._set_up(name, number)

    def _set_up(self, name: str, number: str) -> None:
        assert self.network is not None
        arguments = ("setup", number, "--profile", name, "--provisioning", self.addresses["provisioning"])
        with Running(arguments, {**self.environment, "LETTERLOCK_PASSPHRASE": _PASSPHRASE}) as setup:
            code = self.network.record(f'"number":"{re.escape(number)}"')["code"]
            setup.type(code)
            assert setup.wait() == 0, setup.text
        self.environment["LETTERLOCK_PASSPHRASE"] = _PASSPHRASE

    def free(self, ports: str) -> None:
        """Ports of the page that are others here; all are held until all are found."""
        with contextlib.ExitStack() as held:
            for port in ports.split():
                here = held.enter_context(socket.socket())
                here.bind(("127.0.0.1", 0))
                self.ports[port] = str(here.getsockname()[1])

    # --- terminals
    def types(self, name: str, line: str, code: int = 0) -> None:
        """A command line at a terminal, in a shell; one that goes on there is ended first."""
        if name in self.terminals:
            self.ends(name)
        self.ran += 1
        main, other = pty.openpty()
        process = subprocess.Popen(
            ["bash", "--norc", "-c", self.here(line)],
            env=self.environment,
            cwd=self.folder,
            stdin=other,
            stdout=other,
            stderr=other,
            start_new_session=True,
            preexec_fn=_own_terminal,
        )
        os.close(other)
        person = Person(main, process)
        person.line, person.code = line, code  # type: ignore[attr-defined]
        self.terminals[name] = person

    def sees(self, name: str, text: str) -> None:
        """Every line of what a page shows, one after the other; questions are answered."""
        person = self.terminals[name]
        self.compared += 1
        for line in text.splitlines():
            for pattern in _ANSWERS:
                if asked := pattern.match(line):
                    person.sees(re.escape(asked[1]))
                    self._answer(person, asked)
                    break
            else:
                if line.strip():
                    found = person.sees(self._pattern(line.strip()))
                    for shown, real in zip(_ID.findall(line), _REAL_ID.findall(found), strict=False):
                        self.ids[shown] = real

    def ends(self, name: str) -> None:
        """Wait for the command, or press Ctrl-C where it goes on by itself."""
        person = self.terminals.pop(name)
        line, code = person.line, person.code  # type: ignore[attr-defined]
        goes_on = _GOES_ON.search(line)
        if goes_on and person.process.poll() is None:
            person.presses_ctrl_c()
        try:
            left = person.leaves()
        finally:
            self._gone(person)
        assert left in ((0, 130, -signal.SIGINT) if goes_on else (code,)), f"{line}\n{person.screen}"

    def close(self) -> None:
        for person in self.terminals.values():
            self._gone(person)
        if self.network is not None:
            self.network.__exit__()

    def _gone(self, person: Person) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(person.process.pid, signal.SIGKILL)
        person.process.wait()
        with contextlib.suppress(OSError):
            os.close(person.fd)

    def _answer(self, person: Person, asked: re.Match[str]) -> None:
        if "passphrase" in asked[1] or asked[1].startswith("once more"):
            person.types_unseen(_PASSPHRASE)
        elif asked[1].startswith("code for"):
            person.types(self._code(asked[2]))
        elif asked[1].startswith("last group"):
            person.types(re.findall(r"\b\d{5}\b", person.screen)[-1])
        else:
            person.types(asked[2])

    def _code(self, number: str) -> str:
        """Read off the network's terminal, wherever that is."""
        if self.network is not None:
            code: str = self.network.record(f'"number":"{re.escape(number)}"')["code"]
            return code
        seen = self.terminals.get("network") or self.terminals["directory"]
        found = seen.sees(rf"code for {re.escape(number)}: \d{{8}}")
        return found[-8:]

    def here(self, line: str) -> str:
        """With the ports and ids of this run."""
        line = re.sub(r"\bletterlock network\b", "letterlock network --free-ports", line)
        if "8480" in line:
            line = line.replace("http://127.0.0.1:8480", self._provisioning())
        for shown, real in self.ports.items():
            line = re.sub(rf"(?<![\d+]){shown}\b", real, line)
        return _ID.sub(lambda found: self.ids.get(found[0], found[0]), line)

    def _provisioning(self) -> str:
        if not self.addresses:
            found = re.search(r"provisioning: (http://127\.0\.0\.1:\d+)", self.terminals["network"].screen)
            assert found, self.terminals["network"].screen
            self.addresses["provisioning"] = found[1]
        return self.addresses["provisioning"]

    def _pattern(self, line: str) -> str:
        """A shown line as a pattern: what differs from run to run may differ."""
        pattern = re.escape(line).replace(re.escape("..."), r"[^\n]*?")
        for shown, meant in (
            (r"\d\d:\d\d:\d\d", r"\d\d:\d\d:\d\d"),
            (r"(?<!\d)\d\d:\d\d(?!:?\d)", r"\d\d:\d\d"),
            (r"(?<=127\\\.0\\\.0\\\.1:)\d+", r"\d+"),
            (r"(?<![\d+])\d{8}(?!\d)", r"\d{8}"),
            (r"(?<![\d+])\d{5}(?!\d)", r"\d{5}"),
            (_ID.pattern, r"[0-9a-f]{8}"),
            (r"\\ \\ +", r" +"),
        ):
            pattern = re.sub(shown, lambda found, meant=meant: meant, pattern)
        return pattern


@contextlib.contextmanager
def play(page: str, folder: Path, **people: Callable[[Stage], None]) -> Iterator[Stage]:
    """Play the page; the stage is there until the block ends, with what goes on at its terminals."""
    stage = Stage(folder)
    terminal, file, code = "1", "", 0
    try:
        for what, value in steps(page):
            match what:
                case "stage":
                    stage.set(value)
                case "ports":
                    stage.free(value)
                case "terminal":
                    terminal = value
                case "file":
                    file = value
                case "exit":
                    code = int(value)
                case "person":
                    people[value](stage)
                case "sh":
                    for line in value.replace("\\\n", " ").splitlines():
                        if not line.startswith("#"):
                            stage.types(terminal, line, code)
                    code = 0
                case "text":
                    stage.sees(terminal, value)
                case _ if file:
                    (stage.folder / file).write_text(stage.here(value), encoding="utf-8")
                    file = ""
        for name in list(stage.terminals):
            if not _GOES_ON.search(stage.terminals[name].line):  # type: ignore[attr-defined]
                stage.ends(name)
        yield stage
        for name in list(stage.terminals):
            stage.ends(name)
    finally:
        stage.close()
