"""Every string that the page names is in the table, and the table has none that nobody names."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from letterlock import words
from letterlock.apps import web

_NAMED = re.compile(r"""["'`]((?:page|dialog)\.[a-z0-9_.-]+[a-z0-9])["'`]""")
_COMMENT = re.compile(r"/\*\*.*?\*/|^\s*//[^\n]*", re.DOTALL | re.MULTILINE)
_MADE = re.compile(r"`((?:page|dialog)\.[a-z0-9_.-]*)\$\{")


def modules() -> Iterator[tuple[str, str]]:
    for name, path in web.files().items():
        if name.endswith(".js") and not name.startswith("vendor/"):
            yield name, _COMMENT.sub("", path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", [name for name, _ in modules()])
def test_a_module_names_only_strings_that_there_are(name: str) -> None:
    table = words.table()
    text = dict(modules())[name]
    assert [key for key in _NAMED.findall(text) if key not in table] == []
    # A key that is put together has a beginning that some key has.
    assert [start for start in _MADE.findall(text) if not any(key.startswith(start) for key in table)] == []


def test_no_string_of_the_page_is_left_over() -> None:
    text = "\n".join(each for _, each in modules())
    named, made = set(_NAMED.findall(text)), tuple(_MADE.findall(text))
    ours = [key for key in words.table() if key.startswith(("page.", "dialog."))]
    assert [key for key in ours if key not in named and not key.startswith(made)] == []
