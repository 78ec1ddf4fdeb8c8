"""The page's modules as a stranger reads them: rooms that only lean on what stands below, and no circle."""

from __future__ import annotations

import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from letterlock.apps import web

STATIC = web.STATIC.resolve()

ROOMS = ("daemon", "base", "trust", "files", "chat", "screens")
"""From below upwards: what the page knows, what all elements are made of, encryption and keys, files, conversations, and
what lies over them. The files of no room, main.js and elements.js, put them together and may know all."""

_PRELOADED = re.compile(r'<link rel="modulepreload" href="/static/([^"]+)">')
_SHEETS = re.compile(r'<link rel="stylesheet" href="/static/styles/([^"]+)"')
_STATIC = re.compile(r'^(?:import|export|\})[^;"]*"(\.[^"]+)";', re.MULTILINE)
_LATER = re.compile(r'import\("(\.[^"]+)"\)')


def modules() -> dict[Path, set[Path]]:
    """Every module of ours with those that it imports, at once or later."""
    found = {}
    for path in STATIC.rglob("*.js"):
        if path.is_relative_to(STATIC / "vendor"):
            continue
        text = path.read_text("utf-8")
        named = {*_STATIC.findall(text), *_LATER.findall(text)}
        found[path] = {(path.parent / name).resolve() for name in named} - {STATIC / "vendor" / "jsQR.js"}
    return found


def at_once(path: Path) -> set[Path]:
    """A module and all that has to be there before it runs."""
    needed, ahead = set(), [path]
    while ahead:
        if (one := ahead.pop()) not in needed:
            needed.add(one)
            ahead += [(one.parent / name).resolve() for name in _STATIC.findall(one.read_text("utf-8"))]
    return needed


def room(path: Path) -> int:
    """How high it stands."""
    name, *below = path.relative_to(STATIC).parts
    return ROOMS.index(name) if below else len(ROOMS)


def test_what_is_imported_exists() -> None:
    imports = modules()
    assert len(imports) > 50
    assert not {other for others in imports.values() for other in others} - set(imports)


def test_no_module_needs_itself() -> None:
    """An import that comes later counts as well: who reads one of a circle has to read all of it."""
    try:
        TopologicalSorter(modules()).prepare()
    except CycleError as circle:
        pytest.fail(" -> ".join(str(path.relative_to(STATIC)) for path in circle.args[1]))


def test_a_room_leans_on_those_below_it() -> None:
    upwards = [
        f"{path.relative_to(STATIC)} -> {other.relative_to(STATIC)}"
        for path, others in modules().items()
        for other in others
        if room(other) > room(path)
    ]
    assert not upwards


def test_the_page_names_at_its_head_what_it_needs_before_it_runs() -> None:
    """Else a browser finds one row of imports only when it has the row before: a wait for each."""
    named = _PRELOADED.findall(web.INDEX.read_text("utf-8"))
    assert named == sorted(str(path.relative_to(STATIC)) for path in at_once(STATIC / "main.js") - {STATIC / "main.js"})


def test_every_style_sheet_is_linked_once() -> None:
    sheets = sorted(path.name for path in (STATIC / "styles").iterdir())
    assert sorted(_SHEETS.findall(web.INDEX.read_text("utf-8"))) == sheets
