"""`letterlock completion`: what a shell needs to complete verbs, options, files and the names of profiles.

Profiles are looked up by the shell itself when the key is pressed: to start Python for that would be felt. Chats are not
completed: their names lie encrypted, and a passphrase is nothing that a shell may ask for in the middle of a line.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import shtab

from .terminal import Terminal

__all__ = ["add_parsers", "completion"]

_SHELLS = ("bash", "zsh", "tcsh")
_FILES = frozenset({"FILE", "PATH", "PICTURE", "FILE|-"})
_FOLDERS = frozenset({"DIR", "FOLDER"})

_PROFILES = '"${LETTERLOCK_DATA_DIR:-${XDG_DATA_HOME:-$HOME/.local/share}/letterlock}"/profiles'
"""Where the names of profiles lie: as `--data-dir` says by default, on the systems that have these shells."""

# Names are compared by the shell and never go through `compgen -W`, which would run what stands in one as a command.
_PREAMBLE = {
    "bash": f"""
_letterlock_profiles() {{
  local each
  for each in {_PROFILES}/*/; do
    [ -d "$each" ] || continue
    each=${{each%/}}
    each=${{each##*/}}
    case $each in "$1"*) printf '%s\\n' "$each" ;; esac
  done
  compgen -d -- "$1"
}}
""",
    "zsh": f"""
_letterlock_profiles() {{
  local -a names
  names=({_PROFILES}/*(N/:t))
  _describe 'profile' names
  _path_files -/
}}
""",
    "tcsh": "",
}
_PROFILE_NAMES = {"bash": "_letterlock_profiles", "zsh": "_letterlock_profiles", "tcsh": "d"}


def add_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "completion",
        help="print what makes a shell complete this command",
        description="Print a script that completes verbs, options, files and the names of profiles. For bash it goes into "
        "~/.local/share/bash-completion/completions/letterlock, for zsh into a file _letterlock in a folder of $fpath, for "
        "tcsh into ~/.tcshrc; a new shell has it. Without the package bash-completion: source it in ~/.bashrc.",
    )
    parser.add_argument("shell", choices=_SHELLS)
    parser.set_defaults(run=run_completion)


async def run_completion(arguments: argparse.Namespace, terminal: Terminal) -> int:
    from . import parser

    script = completion(parser(), arguments.shell)
    terminal.data({"shell": arguments.shell, "script": script}, script.rstrip("\n"))
    return 0


def completion(top: argparse.ArgumentParser, shell: str) -> str:
    """The script for one shell, of all verbs of `top`."""
    for action in _actions(top):
        if action.dest == "profile":
            action.complete = _PROFILE_NAMES  # type: ignore[attr-defined]  # what shtab looks for
        elif action.metavar in _FILES:
            action.complete = shtab.FILE  # type: ignore[attr-defined]
        elif action.metavar in _FOLDERS:
            action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
    script: str = shtab.complete(top, shell=shell, preamble=_PREAMBLE[shell])
    return script


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for verb in action.choices.values():
                yield from _actions(verb)
