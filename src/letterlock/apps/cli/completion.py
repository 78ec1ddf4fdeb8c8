"""`letterlock completion`: what a shell needs to complete verbs, options, files, profiles, chats and messages.

Profiles are looked up by the shell itself when the key is pressed. Chats lie encrypted, and a passphrase is nothing that a
shell may ask for in the middle of a line: they are asked of whoever has the profile open (`completing.py`). Whatever comes
into the line is quoted, because people and peers choose names (SR-14).
"""

from __future__ import annotations

import argparse

import shtab

from .examples import every_parser
from .terminal import Terminal

__all__ = ["add_parsers", "completion"]

_SHELLS = ("bash", "zsh", "tcsh")
_FILES = frozenset({"FILE", "PATH", "PICTURE", "FILE|-"})
_FOLDERS = frozenset({"DIR", "FOLDER"})

_PROFILES = '"${LETTERLOCK_DATA_DIR:-${XDG_DATA_HOME:-$HOME/.local/share}/letterlock}"/profiles'
"""Where the names of profiles lie: as `--data-dir` says by default, on the systems that have these shells."""

# Names are compared by the shell and never go through `compgen -W`, which would run what stands in one as a command; `%q`
# quotes them, as zsh's `compadd` does by itself. What stands in the line goes through a pipe: other users see arguments.
_PREAMBLE = {
    "bash": f"""
_letterlock_profiles() {{
  local each
  for each in {_PROFILES}/*/; do
    [ -d "$each" ] || continue
    each=${{each%/}}
    each=${{each##*/}}
    case $each in "$1"*) printf '%q\\n' "$each" ;; esac
  done
  while IFS= read -r each; do printf '%q\\n' "$each"; done < <(compgen -d -- "$1")
}}
_letterlock_asked() {{
  local each
  while IFS= read -r each; do printf '%q\\n' "${{each%%$'\\t'*}}"; done < <(
    printf '%s\\0' "${{COMP_WORDS[@]:0:COMP_CWORD}}" "$2" | letterlock completion --answer "$1" 2>/dev/null)
}}
_letterlock_chats() {{ _letterlock_asked chats "$1"; }}
_letterlock_numbers() {{ _letterlock_asked numbers "$1"; }}
_letterlock_groups() {{ _letterlock_asked groups "$1"; }}
_letterlock_messages() {{ _letterlock_asked messages "$1"; }}
""",
    "zsh": f"""
_letterlock_profiles() {{
  local -a names
  names=({_PROFILES}/*(N/:t))
  compadd -a names
  _path_files -/
}}
_letterlock_asked() {{
  local -a values lines
  local each
  for each in "${{(@f)$(printf '%s\\0' "${{(@)words[1,CURRENT-1]}}" "$PREFIX" |
      letterlock completion --answer $1 2>/dev/null)}}"; do
    [[ -n $each ]] || continue
    values+=("${{each%%$'\\t'*}}")
    lines+=("${{each/$'\\t'/  }}")
  done
  (( $#values )) && compadd -U -l -d lines -a values
}}
_letterlock_chats() {{ _letterlock_asked chats }}
_letterlock_numbers() {{ _letterlock_asked numbers }}
_letterlock_groups() {{ _letterlock_asked groups }}
_letterlock_messages() {{ _letterlock_asked messages }}
""",
    "tcsh": "",
}
_PROFILE_NAMES = {"bash": "_letterlock_profiles", "zsh": "_letterlock_profiles", "tcsh": "d"}
_ASKED = {
    "CHAT": "_letterlock_chats",
    "NUMBER": "_letterlock_numbers",
    "GROUP": "_letterlock_groups",
    "MESSAGE": "_letterlock_messages",
}
"""What is asked of whoever has the profile open, by how the help calls it; bash and zsh only."""
_OTHERS = frozenset({("setup", "number"), ("answer", "suggestion")})
"""Verbs and arguments that are called so, and are nothing of a profile's."""


def add_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "completion",
        help="print what makes a shell complete this command",
        description="Print a script that completes verbs, options, files and profiles; and the chats and messages of a profile "
        "that is open (listen, web or daemon runs). For bash it goes into "
        "~/.local/share/bash-completion/completions/letterlock, for zsh into a file _letterlock in a folder of $fpath, for "
        "tcsh into ~/.tcshrc; a new shell has it. Without the package bash-completion: source it in ~/.bashrc.",
    )
    parser.add_argument("shell", choices=_SHELLS)
    parser.set_defaults(run=run_completion)


async def run_completion(arguments: argparse.Namespace, terminal: Terminal) -> int:
    from .command_line import parser

    script = completion(parser(), arguments.shell)
    terminal.data({"shell": arguments.shell, "script": script}, script.rstrip("\n"))
    return 0


def completion(top: argparse.ArgumentParser, shell: str) -> str:
    """The script for one shell, of all verbs of `top`."""
    for action in top._actions:
        _mark("", action, shell)
    for name, verb, _ in every_parser(top):
        for action in verb._actions:
            _mark(name, action, shell)
    script: str = shtab.complete(top, shell=shell, preamble=_PREAMBLE[shell])
    return script


def _mark(verb: str, action: argparse.Action, shell: str) -> None:
    """Say what completes an argument, where shtab looks for it."""
    if action.dest == "profile":
        by: object = _PROFILE_NAMES
    elif action.metavar in _FILES:
        by = shtab.FILE
    elif action.metavar in _FOLDERS:
        by = shtab.DIRECTORY
    elif action.metavar in _ASKED and shell != "tcsh" and (verb, action.dest) not in _OTHERS:
        by = {shell: _ASKED[str(action.metavar)]}
    else:
        return
    action.complete = by  # type: ignore[attr-defined]  # what shtab looks for
