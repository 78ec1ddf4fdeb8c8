"""Every text that the code names is in the table, and the table has none that nobody names: Python, both pages, all families."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import letterlock
from letterlock.words.en import STRINGS

_HOME = Path(letterlock.__file__).parent
_FAMILIES = sorted({key.partition(".")[0] for key in STRINGS})
_NAME = rf"(?:{'|'.join(_FAMILIES)})\.[A-Za-z0-9_.-]*"
_LITERAL = re.compile(rf"""(["'`])({_NAME}[A-Za-z0-9])\1""")
_MADE = re.compile(rf"""(\bf"|`)({_NAME}\{{[^"]*(?=")|{_NAME}\$\{{[^`]*(?=`))""")
_PLACE = re.compile(r"\$?\{[^{}]*\}")
_CALLED = re.compile(rf"""\b(?:text|t)\(\s*(["'`])({_NAME})\1""")
_COMMENT = re.compile(r'/\*\*.*?\*/|^\s*//[^\n]*|^\s*#[^\n]*|""".*?"""', re.DOTALL | re.MULTILINE)


@functools.cache
def sources() -> dict[str, str]:
    """The code of Python and pages without comments, docstrings and the table itself."""

    def found() -> Iterator[Path]:
        yield from _HOME.rglob("*.py")
        yield from _HOME.rglob("*.js")

    kept = (each for each in found() if not {"words", "vendor"} & set(each.relative_to(_HOME).parts))
    return {str(each.relative_to(_HOME)): _COMMENT.sub("", each.read_text(encoding="utf-8")) for each in kept}


def made(code: str) -> Iterator[re.Pattern[str]]:
    """Keys that are put together, as patterns: `demo.attack.${name}.aim`."""
    for _, template in _MADE.findall(code):
        yield re.compile(r"[A-Za-z0-9_.-]+".join(map(re.escape, _PLACE.split(template))))


def named_there(code: str) -> list[str]:
    """What is asked of the table word for word, where it is asked."""
    return [key for _, key in _CALLED.findall(code)]


@pytest.mark.parametrize("name", [name for name, code in sources().items() if named_there(code) or [*made(code)]])
def test_a_module_names_only_texts_that_there_are(name: str) -> None:
    code = sources()[name]
    assert [key for key in named_there(code) if key not in STRINGS] == []
    assert [each.pattern for each in made(code) if not any(map(each.fullmatch, STRINGS))] == []


def test_no_text_is_left_over() -> None:
    code = "\n".join(sources().values())
    literals, patterns = {key for _, key in _LITERAL.findall(code)}, [*made(code)]

    def is_named(key: str) -> bool:
        # A literal may be the beginning, to which `.label` and `.sentence` are added.
        begins = key.rpartition(".")[0]
        return key in literals or begins in literals or any(each.fullmatch(key) for each in patterns)

    assert [key for key in STRINGS if not is_named(key)] == []
