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
    assert not list(tmp_path.rglob("hacked"))


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
