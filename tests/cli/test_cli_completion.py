"""What a shell completes, asked of real shells."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from letterlock.apps.cli import parser
from letterlock.apps.cli.completion import completion

pytestmark = pytest.mark.slow

_TRY = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}; COMPREPLY=()
"$(complete -p letterlock | sed 's/.*-F \\([^ ]*\\).*/\\1/')"
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("completion")
    for shell in ("bash", "zsh", "tcsh"):
        (folder / shell).write_text(completion(parser(), shell))
    return folder


def completed(scripts: Path, *words: str, here: Path | None = None, **environment: str) -> list[str]:
    done = subprocess.run(
        ["bash", "--norc", "-c", _TRY, "try", str(scripts / "bash"), *words],
        capture_output=True,
        text=True,
        timeout=20,
        cwd=here or scripts,
        env={**os.environ, **environment},
    )
    assert done.stderr == ""
    return [line for line in done.stdout.splitlines() if line]


def test_bash_completes_verbs_of_one_word_and_of_two(scripts: Path) -> None:
    assert {"setup", "send", "security"} <= set(completed(scripts, "letterlock", "se"))
    assert completed(scripts, "letterlock", "doc") == ["doctor"]
    assert {"create", "list", "members", "add", "remove", "leave"} <= set(completed(scripts, "letterlock", "group", ""))
    assert set(completed(scripts, "letterlock", "kds", "")) == {"init", "run", "peer"}
    assert completed(scripts, "letterlock", "completion", "z") == ["zsh"]


def test_bash_completes_options_and_files(scripts: Path, tmp_path: Path) -> None:
    assert completed(scripts, "letterlock", "send", "--thumb") == ["--thumbnail"]
    (tmp_path / "holiday.jpg").touch()
    for option in ("--file", "--thumbnail"):
        given = str(tmp_path / "hol")
        assert completed(scripts, "letterlock", "send", option, given) == [str(tmp_path / "holiday.jpg")]


def test_bash_completes_profiles_and_runs_nothing_that_one_is_called(scripts: Path, tmp_path: Path) -> None:
    evil = "anvil$(touch hacked)"
    for name in ("ana", "ben", evil):
        (tmp_path / "profiles" / name).mkdir(parents=True)
    where: dict[str, Any] = {"here": tmp_path, "LETTERLOCK_DATA_DIR": str(tmp_path)}
    assert "ana" in completed(scripts, "letterlock", "send", "--profile", "an", **where)
    assert completed(scripts, "letterlock", "send", "--profile", "b", **where) == ["ben"]
    # What comes into the line is quoted: whoever presses Enter runs it (SR-14).
    [quoted] = completed(scripts, "letterlock", "send", "--profile", "anv", **where)
    typed = subprocess.run(["bash", "-c", f"printf '%s' {quoted}"], cwd=tmp_path, capture_output=True, text=True)
    assert typed.stdout == evil
    assert not list(tmp_path.rglob("hacked"))


EVIL = """it's $(touch hacked) `touch hacked` & "ben"; touch hacked \\"""


@pytest.fixture
def answering(tmp_path: Path) -> Path:
    """A folder for PATH with a `letterlock` that answers as if its owner's peers were evil, and keeps what it was asked."""
    program = tmp_path / "bin" / "letterlock"
    program.parent.mkdir()
    (tmp_path / "answer").write_text(f"+15550199\tBen\n{EVIL}\t{EVIL}\n")
    program.write_text(
        f"""#!/bin/sh
printf '%s\\n' "$*" > {tmp_path}/arguments
cat > {tmp_path}/line
echo trouble >&2
cat {tmp_path}/answer
"""
    )
    program.chmod(0o755)
    return program.parent


def test_bash_asks_who_has_the_profile_open_and_quotes_what_it_puts_into_the_line(
    scripts: Path, tmp_path: Path, answering: Path
) -> None:
    """SR-14: a group's subject is whatever a peer likes; the line that it stands in is run by a shell."""
    where: dict[str, Any] = {"here": tmp_path, "PATH": f"{answering}:{os.environ['PATH']}"}
    plain, quoted = completed(scripts, "letterlock", "send", "--profile", "ana", "", **where)
    assert plain == "+15550199"
    typed = subprocess.run(["bash", "-c", f"printf '%s' {quoted}"], cwd=tmp_path, capture_output=True, text=True)
    assert (typed.stdout, typed.stderr) == (EVIL, "")
    assert not list(tmp_path.rglob("hacked"))
    # What was typed goes through a pipe: arguments are for every user of the machine to see.
    assert (tmp_path / "line").read_bytes() == b"letterlock\0send\0--profile\0ana\0\0"
    assert (tmp_path / "arguments").read_text() == "completion --answer chats\n"
    for words, kind in (
        (("group", "add", "Picnic", "+1"), "numbers"),
        (("group", "info", ""), "groups"),
        (("reply", "+15550199", ""), "messages"),
        (("send", "+15550199", "--reply-to", ""), "messages"),
        (("verify", ""), "numbers"),
    ):
        completed(scripts, "letterlock", *words, **where)
        assert (tmp_path / "arguments").read_text() == f"completion --answer {kind}\n", words
    (tmp_path / "arguments").unlink()
    completed(scripts, "letterlock", "setup", "", **where)  # one's own number, which nobody has yet
    assert not (tmp_path / "arguments").exists()


def test_zsh_asks_who_has_the_profile_open_and_quotes_what_it_puts_into_the_line(
    scripts: Path, tmp_path: Path, answering: Path
) -> None:
    """SR-14, as in bash. Through zpty: type, press Tab, and have the line printed in place of run."""
    program = shutil.which("zsh")
    if program is None:
        pytest.skip("zsh is not installed (./run test as root installs it)")
    (tmp_path / "_letterlock").write_text((scripts / "zsh").read_text())
    (tmp_path / "answer").write_text(f"{EVIL}\t{EVIL}\n")
    asked = f"""
        zmodload zsh/zpty
        zpty -b shell zsh -f -i
        zpty -w shell 'PS1=""; path=({answering} $path); fpath=({tmp_path} $fpath); autoload -U compinit; compinit -u -D'
        zpty -w shell 'keep() {{ print -r -- "$BUFFER" > {tmp_path}/typed; print ke""pt }}; zle -N keep; bindkey "^X" keep'
        zpty -w shell 'echo rea""dy'
        seen=''
        while [[ $seen != *ready* ]]; do zpty -r shell line; seen+=$line; done
        zpty -n -w shell $'letterlock send --profile ana it\t\x18'
        while [[ $seen != *kept* ]]; do zpty -r shell line; seen+=$line; done
        zpty -d shell
    """
    done = subprocess.run([program, "-f", "-c", asked], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    typed = (tmp_path / "typed").read_text().removeprefix("letterlock send --profile ana ").strip()
    said = subprocess.run([program, "-f", "-c", f"printf '%s' {typed}"], cwd=tmp_path, capture_output=True, text=True)
    assert (said.stdout, said.stderr) == (EVIL, ""), done.stderr
    assert not list(tmp_path.rglob("hacked"))
    words = (tmp_path / "line").read_bytes().split(b"\0")
    assert words[-2:] == [b"it", b""] and b"send" in words and b"ana" in words


def test_tcsh_takes_its_script(scripts: Path) -> None:
    program = shutil.which("tcsh")
    if program is None:
        pytest.skip("tcsh is not installed (./run test as root installs it)")
    asked = f"source {scripts / 'tcsh'}; complete letterlock"
    done = subprocess.run([program, "-f", "-c", asked], capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")
    assert "setup" in done.stdout


def test_zsh_offers_verbs(scripts: Path, tmp_path: Path) -> None:
    """Through zpty, as somebody at a terminal: type, press Tab twice, look."""
    program = shutil.which("zsh")
    if program is None:
        pytest.skip("zsh is not installed (./run test as root installs it)")
    (tmp_path / "_letterlock").write_text((scripts / "zsh").read_text())
    asked = f"""
        zmodload zsh/zpty
        zpty -b shell zsh -f -i
        zpty -w shell 'PS1=""; fpath=({tmp_path} $fpath); autoload -U compinit; compinit -u -D; echo rea""dy'
        seen=''
        while [[ $seen != *ready* ]]; do zpty -r shell line; seen+=$line; done
        zpty -n -w shell $'letterlock secu\\t'
        while [[ $seen != *security* ]]; do zpty -r shell line; seen+=$line; done
        print found
        zpty -d shell
    """
    done = subprocess.run([program, "-f", "-c", asked], capture_output=True, text=True, timeout=30)
    assert "found" in done.stdout, done.stderr
