"""vectors/files: what is committed is what the code writes, an independent script agrees, and it notices any change."""

from __future__ import annotations

import copy
import json
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import recomputing
from letterlock.codec.tls import whole
from letterlock.errors import DecodeError, InvalidFile
from letterlock.files import decode_pointer, open_bytes, read_seal

from .make_vectors import FOLDER, VECTORS, text_of
from .world import CRYPTO, content

SCRIPT = FOLDER / "recompute.py"

SKIPPED = {
    "layout": {"size", "range"},  # several have the same result
    "refused": {"seal", "sealed"},  # what is refused is refused with another change, too
    "pointers": {"refused"},
    "sealing": set[str](),
}
"""Besides the words for people: what may change unnoticed."""


RECOMPUTE = recomputing.load(SCRIPT, "files_recompute")


@pytest.mark.parametrize("name", VECTORS)
def test_what_is_committed_is_what_would_be_written(name: str) -> None:
    """If this fails on purpose: PYTHONPATH=src:tests python -m files.make_vectors."""
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


def test_the_script_fails_for_a_copy_that_differs(tmp_path: Path) -> None:
    for name in VECTORS:
        (tmp_path / f"{name}.json").write_text((FOLDER / f"{name}.json").read_text(encoding="utf-8"), encoding="utf-8")
    first = _file("sealing")["cases"][0]["sha256"]
    target = tmp_path / "sealing.json"
    target.write_text(target.read_text(encoding="utf-8").replace(first, "00" + first[2:]), encoding="utf-8")
    (tmp_path / "layout.json").unlink()
    (tmp_path / "more.json").write_text("{}", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-I", str(SCRIPT), str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    for line in ("sealing: Different: SHA-256 of 0", "layout: is missing", "more: is checked by nobody", "refused: ok"):
        assert line in done.stdout


@pytest.mark.parametrize("name", VECTORS)
def test_every_changed_value_is_noticed(name: str) -> None:
    """Inputs and results alike: whatever is changed, something does not follow any more."""
    file = _file(name)
    rng = random.Random(name)
    places = list(_places(file, SKIPPED[name] | {"description", "what"}))
    unnoticed = []
    for place in rng.sample(places, min(60, len(places))):
        changed = copy.deepcopy(file)
        _change(changed, place, rng)
        if RECOMPUTE.difference(name, changed) is None:
            unnoticed.append(place)
    assert unnoticed == []


def test_ours_opens_and_refuses_what_the_vectors_say() -> None:
    """From the bytes alone, as somebody else would."""
    for case in _file("refused")["cases"]:
        seal = whole(bytes.fromhex(case["seal"]), read_seal)
        sealed = bytes.fromhex(case["sealed"])
        if not case["rule"]:
            assert open_bytes(seal, sealed, crypto=CRYPTO) == content(seal.size)
            continue
        with pytest.raises(InvalidFile) as refused:
            open_bytes(seal, sealed, crypto=CRYPTO)
        assert refused.value.rule == case["rule"], case["what"]
    for case in _file("pointers")["refused"]:
        with pytest.raises(DecodeError) as malformed:
            decode_pointer(bytes.fromhex(case["encoded"]))
        assert malformed.value.code == case["code"], case["what"]


def _file(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return loaded


Place = tuple[str | int, ...]


def _places(value: Any, skipped: set[str], at: Place = ()) -> Iterator[Place]:
    """Where the values are: strings, numbers and truths."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key not in skipped:
                yield from _places(inner, skipped, (*at, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _places(inner, skipped, (*at, index))
    elif value not in ("", None):
        yield at


def _change(file: Any, place: Place, rng: random.Random) -> None:
    *path, last = place
    for step in path:
        file = file[step]
    value = file[last]
    if isinstance(value, int):
        file[last] = value + 1
    else:
        spot = rng.randrange(len(value))
        file[last] = value[:spot] + ("1" if value[spot] != "1" else "2") + value[spot + 1 :]
