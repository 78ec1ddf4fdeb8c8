"""vectors/rcc16: what is committed is what the code writes, an independent script agrees, and it notices any change."""

from __future__ import annotations

import copy
import json
import random
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

import recomputing

from .make_vectors import FOLDER, VECTORS, text_of

SCRIPT = FOLDER / "recompute.py"
WORDS = {"description", "what", "source"}
"""For people: nothing is computed from them."""


RECOMPUTE = recomputing.load(SCRIPT, "rcc16_recompute")


@pytest.mark.parametrize("name", VECTORS)
def test_what_is_committed_is_what_would_be_written(name: str) -> None:
    """If this fails on purpose: PYTHONPATH=src:tests python -m rcc16.make_vectors."""
    assert (FOLDER / f"{name}.json").read_text(encoding="utf-8") == text_of(name)


def test_every_file_has_a_description_and_nothing_is_left_over() -> None:
    assert {path.stem for path in FOLDER.glob("*.json")} == set(VECTORS) == set(RECOMPUTE.CHECKS)
    for name in VECTORS:
        assert len(_file(name)["description"]) > 60 and _file(name)["cases"]


def test_the_script_stands_on_its_own() -> None:
    assert recomputing.stands_on_its_own(SCRIPT)


def test_the_script_recomputes_everything() -> None:
    done = subprocess.run([sys.executable, "-I", str(SCRIPT)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert done.stdout.count(": ok") == len(VECTORS)


def test_the_script_fails_for_a_copy_with_a_flipped_byte(tmp_path: Any) -> None:
    for name in VECTORS:
        (tmp_path / f"{name}.json").write_text((FOLDER / f"{name}.json").read_text(encoding="utf-8"), encoding="utf-8")
    whole = subprocess.run([sys.executable, "-I", str(SCRIPT), str(tmp_path)], capture_output=True, check=False)
    assert whole.returncode == 0
    target = tmp_path / "files.json"
    text = target.read_text(encoding="utf-8")
    target.write_text(text.replace("e2ce106a", "e2ce106b"), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-I", str(SCRIPT), str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1 and "files: group_subject" in done.stdout
    target.unlink()
    (tmp_path / "more.json").write_text("{}", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-I", str(SCRIPT), str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1 and "files: is missing" in done.stdout and "more: is checked by nobody" in done.stdout


@pytest.mark.parametrize("name", VECTORS)
def test_every_changed_value_is_noticed(name: str) -> None:
    """Inputs and results alike: whatever is changed, something does not follow any more."""
    file = _file(name)
    rng = random.Random(name)
    places = list(_places(file))
    limit = 60 if name == "group-life" else 400
    unnoticed = []
    for place in rng.sample(places, min(limit, len(places))):
        changed = copy.deepcopy(file)
        _change(changed, place, rng)
        if RECOMPUTE.difference(name, changed) is None:
            unnoticed.append(place)
    assert unnoticed == []


def _file(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return loaded


Place = tuple[str | int, ...]


def _places(value: Any, at: Place = ()) -> Iterator[Place]:
    """Where the values are: strings, numbers and truths."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key not in WORDS:
                yield from _places(inner, (*at, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _places(inner, (*at, index))
    elif value != "":
        yield at


def _change(file: Any, place: Place, rng: random.Random) -> None:
    *path, last = place
    for step in path:
        file = file[step]
    value = file[last]
    if isinstance(value, bool):
        file[last] = not value
    elif isinstance(value, int):
        file[last] = value + 1
    else:
        spot = rng.randrange(len(value))
        other = "1" if value[spot] != "1" else "2"
        file[last] = value[:spot] + other + value[spot + 1 :]
