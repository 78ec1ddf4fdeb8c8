"""`letterlock demo`, the whole of it: what it counts, what it keeps, and that its control finds everything."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from cli.terminals import clean_environment, command
from letterlock.carrier import search

pytestmark = pytest.mark.slow

CLEAN = {"lost": 0, "duplicated": 0}


def demo(folder: Path, *arguments: str) -> tuple[int, list[str], dict[str, Any]]:
    done = subprocess.run(
        command("demo", "--headless", *arguments),
        env=clean_environment(folder),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=120,
    )
    assert done.stderr == b""
    lines = done.stdout.decode().splitlines()
    return done.returncode, lines, json.loads(lines[-1])


def test_nothing_is_lost_doubled_or_readable(tmp_path: Path) -> None:
    log = tmp_path / "wire.log"
    said = "the parcel lies under the third bench"
    code, lines, result = demo(tmp_path, "--say", said, "--say", "and again", "--log", str(log))
    assert code == 0
    assert result == {"messages": 31, "delivered": 31, **CLEAN, "files": 2, "verified": 2, "plaintext_on_wire": 0}
    shown = "\n".join(lines)
    assert "SIGKILL" in shown
    assert "application/vnd.letterlock.signal" in shown
    assert shown.count("(delivered, seen)") == 14
    assert "now reads: 'The bill is on Hopper, I meant to say.'; the second is gone" in shown
    assert "no more oma.cpm.session" in shown
    # The group: two members get what is said before the fourth is added, three after it, two when one is removed.
    assert [shown.count(f"(delivered by {n} of {n}, seen by {n} of {n})") for n in (2, 3)] == [3, 3]
    assert "it knows that it was removed, and has nothing of what was said since" in shown
    assert "Encrypted, verified" in shown
    # RCC.16: two people, then five at the focus; one was away for twelve epochs and is back.
    assert "message/mls" in shown
    assert "encrypted for the conversation as a whole (RCC.16, MLS), era 1, epoch 1" in shown
    assert "Eve's phone is back and in epoch 14, as Ben's, which was in 14" in shown
    # A film whose receiver was killed, and a picture: all that a reader of the wire has of them is their size.
    assert "MB had come, and the transfer goes on where it was" in shown
    assert "a thumbnail of 320 by 240 pixels" in shown
    assert not search(log, "the race, uncut")
    assert search(log, "application/octet-stream")
    # The log is real: the numbers are in it, what was said is not.
    assert search(log, "+15550199")
    assert not search(log, said)
    assert not search(log, "Regatta at dawn")


def test_the_control_finds_every_message(tmp_path: Path) -> None:
    """The same conversation unencrypted: a search that finds nothing proves nothing unless it can find this."""
    log = tmp_path / "wire.log"
    code, lines, result = demo(tmp_path, "--plain", "--say", "anybody can read this", "--log", str(log))
    assert code == 0
    assert result == {"messages": 10, "delivered": 10, **CLEAN, "files": 2, "verified": 2, "plaintext_on_wire": 16}
    # Eight texts; of two files the name and three places in them.
    assert search(log, "the race, uncut")
    assert search(log, "anybody can read this")
    assert any("Not encrypted (RCS)" in line for line in lines)


def test_a_log_is_never_overwritten(tmp_path: Path) -> None:
    log = tmp_path / "precious"
    log.write_text("mine")
    done = subprocess.run(
        command("demo", "--headless", "--log", str(log)),
        env=clean_environment(tmp_path),
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert b"exists already" in done.stderr
    assert log.read_text() == "mine"


def test_with_json_standard_output_is_the_result_alone(tmp_path: Path) -> None:
    done = subprocess.run(
        command("-o", "json", "demo", "--headless"),
        env=clean_environment(tmp_path),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=120,
    )
    assert json.loads(done.stdout)["plaintext_on_wire"] == 0
    assert b"Ana to Ben" in done.stderr
