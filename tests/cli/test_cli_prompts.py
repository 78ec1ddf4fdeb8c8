"""What is asked at a terminal, answered through a pseudo-terminal; Ctrl-C ends every question at once."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import subprocess
import termios
import time
from collections.abc import Iterator

import pytest

from cli.terminals import SECONDS, Town, User, command

pytestmark = pytest.mark.slow


class Person:
    """Reads a terminal and types into it."""

    def __init__(self, fd: int, process: subprocess.Popen[bytes]) -> None:
        self.fd = fd
        self.process = process
        self.screen = ""
        self._read = 0

    def sees(self, pattern: str, seconds: float = SECONDS) -> str:
        """Wait until this appears behind what was seen before."""
        deadline = time.monotonic() + seconds
        while not (found := re.search(pattern, self.screen[self._read :])):
            ready, _, _ = select.select([self.fd], [], [], max(0.0, deadline - time.monotonic()))
            data = b""
            if ready:
                with contextlib.suppress(OSError):  # the other end is closed
                    data = os.read(self.fd, 65536)
            assert data, f"no {pattern!r} on the screen:\n{self.screen}"
            self.screen += data.decode(errors="replace")
        self._read += found.end()
        return found[0]

    def types(self, text: str) -> None:
        os.write(self.fd, text.encode() + b"\n")

    def presses_ctrl_c(self) -> None:
        os.write(self.fd, b"\x03")

    def types_unseen(self, text: str) -> None:
        """Once the terminal does not show what is typed: a prompt that was printed may not be ready yet."""
        deadline = time.monotonic() + SECONDS
        while termios.tcgetattr(self.fd)[3] & termios.ECHO:
            assert time.monotonic() < deadline, "what is typed is shown"
            select.select([], [], [], 0.01)
        self.types(text)

    def leaves(self) -> int:
        """Wait for the end; the exit code."""
        with contextlib.suppress(AssertionError):
            self.sees(r"(?!)")
        return self.process.wait(SECONDS)


@contextlib.contextmanager
def terminal(user: User, *arguments: str, **more: str) -> Iterator[Person]:
    main, other = pty.openpty()
    process = subprocess.Popen(
        command(*arguments),
        env={**user.environment, **more},
        stdin=other,
        stdout=other,
        stderr=other,
        start_new_session=True,
        preexec_fn=_own_terminal,
    )
    os.close(other)
    try:
        yield Person(main, process)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        os.close(main)


def _own_terminal() -> None:
    import fcntl

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # so that Ctrl-C reaches the process as a signal


def test_setup_asks_for_a_passphrase_twice_and_for_the_code_again_when_it_was_mistyped(town: Town) -> None:
    yara = town.stranger("yara", "+15551000")
    with terminal(yara, "setup", yara.number) as person:
        person.sees("new passphrase for profile 'yara': ")
        person.types_unseen("tulip")
        person.sees("once more: ")
        person.types_unseen("rose")
        assert person.leaves() == 1
        assert "the two are not the same" in person.screen
    with terminal(yara, "setup", yara.number) as person:
        for question in ("new passphrase for profile 'yara': ", "once more: "):
            person.sees(question)
            person.types_unseen("tulip")
        person.sees(r"code for \+15551000: ")
        code = town.code(yara.number)
        person.types("12")
        person.sees("a code has eight digits")
        person.sees(r"\(empty: give up\): ")
        person.types(f"{(int(code) + 1) % 10**8:08d}")
        person.sees("wrong, used or expired code")
        person.sees(r"\(empty: give up\): ")
        person.types(code)
        person.sees("profile 'yara' is ready")
        assert person.leaves() == 0
        assert "tulip" not in person.screen
    with terminal(yara, "chats") as person:
        person.sees("passphrase for profile 'yara': ")
        person.types_unseen("rose")
        assert person.leaves() == 3
        assert "the passphrase does not open this profile" in person.screen
    with terminal(yara, "listen") as listening:
        listening.sees("passphrase for profile 'yara': ")
        listening.types_unseen("tulip")
        listening.sees(r"listening \(stop with Ctrl-C\)")
        # Nobody is asked a second time while the profile is open.
        with terminal(yara, "devices") as person:
            person.sees(r"1  -  since .*\(this one\)")
            assert person.leaves() == 0
        listening.presses_ctrl_c()
        assert listening.leaves() == 0


def test_sr01_sending_unencrypted_takes_a_typed_word(ana: User) -> None:
    """SR-01: Enter, or anything else but the word, keeps the message."""
    for answer in ("", "yes", "y"):
        with terminal(ana, "send", "+15551101", "careful") as person:
            person.sees("no keys found. The carriers can read what is sent unencrypted")
            person.sees("type 'unencrypted' to send it so, anything else to keep it: ")
            person.types(answer)
            assert person.leaves() == 7
    with terminal(ana, "send", "+15551101", "careful") as person:
        person.sees("anything else to keep it: ")
        person.types("unencrypted")
        person.sees(r"Not encrypted \(RCS\)")
        assert person.leaves() == 0


def test_verify_asks_for_the_last_group(town: Town, ana: User) -> None:
    zoe = town.user("zoe", "+15551200")
    zoe.run("send", ana.number, "-", typed="keys, please").ok()
    with terminal(zoe, "verify", ana.number) as person:
        person.sees(r"(\d{5}  ){3}\d{5}\s+(\d{5}  ){3}\d{5}\s+(\d{5}  ){3}")
        last = person.sees(r"\d{5}")
        person.sees("reads out")
        person.types("")
        person.sees("Encrypted: ")
        assert person.leaves() == 0
    with terminal(zoe, "verify", ana.number) as person:
        person.sees("reads out")
        person.types(last)
        person.sees("Encrypted, verified: You compared security codes with")
        assert person.leaves() == 0
    assert "You compared security codes with" in zoe.run("verify", ana.number).ok().out


@pytest.mark.parametrize("where", ["passphrase", "decision", "text"])
def test_ctrl_c_ends_a_question_at_once(town: Town, ana: User, where: str) -> None:
    stranger = town.stranger("ctrl", "+15551300")
    user, arguments, question = {
        "passphrase": (stranger, ("setup", stranger.number), "new passphrase"),
        "decision": (ana, ("send", "+15551301", "x"), "to keep it: "),
        "text": (ana, ("send", "+15551301", "-"), "Ctrl-D on a line of its own ends it"),
    }[where]
    with terminal(user, *arguments) as person:
        person.sees(question)
        if where == "passphrase":
            while termios.tcgetattr(person.fd)[3] & termios.ECHO:
                select.select([], [], [], 0.01)
        began = time.monotonic()
        person.presses_ctrl_c()
        assert person.leaves() == 130
        assert time.monotonic() - began < 5
        assert "Traceback" not in person.screen
        if where == "passphrase":
            assert termios.tcgetattr(person.fd)[3] & termios.ECHO, "the terminal shows again what is typed"
