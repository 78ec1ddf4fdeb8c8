"""docs/daemon.md as a reader does it: a daemon in one terminal, and in another each block, which prints what is shown."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.terminals import ROOT, Running, Town

pytestmark = [pytest.mark.slow, pytest.mark.node]

_DAEMON = "letterlock daemon --profile ana --listen 127.0.0.1:8440"


def blocks() -> list[tuple[str, str, str]]:
    """Language, source, and what it prints."""
    text = (ROOT / "docs" / "daemon.md").read_text(encoding="utf-8")
    found = re.findall(r"^```(\w+)\n(.*?)^```$", text, re.M | re.S)
    return [
        (language, source, after[1] if after[0] == "text" else "")
        for (language, source), after in zip(found, [*found[1:], ("", "")], strict=True)
        if language != "text"
    ]


@pytest.fixture
def place() -> Iterator[Path]:
    """A short one: the path of a socket has at most some hundred bytes."""
    with tempfile.TemporaryDirectory(prefix="ll") as folder:
        yield Path(folder)


def test_the_page_of_the_daemon(place: Path) -> None:
    (first, source, _), *others = blocks()
    assert (first, source) == ("sh", f"{_DAEMON}\n")
    town = Town(place / "town")
    (place / "town").mkdir()
    town.open()
    try:
        ana, ben = town.user("ana", "+15550100"), town.user("ben", "+15550199")
        data = Path(ana.environment["LETTERLOCK_DATA_DIR"])
        home = place / "home"
        (home / ".local" / "share").mkdir(parents=True)
        (home / ".local" / "share" / "letterlock").symlink_to(data)
        given = _DAEMON.replace(":8440", ":0").split()[1:]
        with ben.listen(), Running(["-o", "json", *given], ana.environment) as daemon:
            url = daemon.record('"url"')["url"]
            ben.run("send", ana.number, "hello", "--wait", "20").ok()  # they know each other
            environment = {**ana.environment, "HOME": str(home), "PATH": f"{_commands(place)}:{os.environ['PATH']}"}
            for language, text, shown in others:
                program = {"sh": ["sh", "-c"], "python": [sys.executable, "-c"], "javascript": _node()}[language]
                done = subprocess.run(
                    [*program, text.replace("http://127.0.0.1:8440", url)],
                    env=environment, capture_output=True, text=True, timeout=60,
                )  # fmt: skip
                pattern = re.escape(shown.strip()).replace(re.escape("..."), r"[^\n]*")
                assert re.fullmatch(pattern, done.stdout.strip()), f"{text}\n{done.stdout}\n{done.stderr}"
            assert daemon.stop() == 0
    finally:
        town.close()


def _commands(folder: Path) -> Path:
    """`letterlock` as it is called after an installation."""
    place = folder / "bin"
    place.mkdir()
    command = place / "letterlock"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m letterlock "$@"\n')
    command.chmod(0o755)
    return place


def _node() -> list[str]:
    return ["node", "--input-type=module", "-e"]


def test_every_method_is_on_the_generated_page() -> None:
    from letterlock.apps.verbs import METHODS

    page = (ROOT / "docs" / "spec" / "rpc.md").read_text(encoding="utf-8")
    for method in METHODS:
        assert f"\n## {method}\n" in page
