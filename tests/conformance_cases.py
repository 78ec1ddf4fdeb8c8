"""Conformance cases: the tables in `tests/conformance/AREA.toml`, read once for the tests and for the documents.

A `[[case]]` has `id`, `source` (RFC and clause), `what`, `verdict` ("accepted" or "refused"), `code` (the
stable error code when refused, and only then) and either `data` (text; each line end becomes CRLF, unless
`raw = true` says that escapes stand for exactly what is meant) or `file` (a name under tests/vectors/).
Other keys are the area's own and are handed to its test in `options`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Case", "areas", "load_cases"]

_HERE = Path(__file__).parent
_FOLDER = _HERE / "conformance"
_VECTORS = _HERE / "vectors"
_KNOWN = {"id", "source", "what", "verdict", "code", "data", "file", "raw"}
_LONE_LINE_FEED = re.compile(r"(?<!\r)\n")


@dataclass(frozen=True)
class Case:
    """One input with its verdict. `code` is empty when it is accepted."""

    id: str
    source: str
    what: str
    verdict: str
    code: str
    data: bytes
    options: Mapping[str, Any]

    @property
    def accepted(self) -> bool:
        return self.verdict == "accepted"

    def __str__(self) -> str:
        return self.id


def areas() -> tuple[str, ...]:
    """The areas that have a table."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))


def load_cases(area: str) -> tuple[Case, ...]:
    """All cases of an area, in the order of the file. A table that is not as described above fails here, by name."""
    path = _FOLDER / f"{area}.toml"
    cases = tuple(_case(entry, path.name) for entry in tomllib.loads(path.read_text(encoding="utf-8"))["case"])
    names = [case.id for case in cases]
    repeated = {name for name in names if names.count(name) > 1}
    assert not repeated, f"{path.name}: the same id twice: {sorted(repeated)}"
    return cases


def _case(entry: dict[str, Any], table: str) -> Case:
    name = f"{table}: {entry.get('id', entry)}"
    for key in ("id", "source", "what"):
        assert isinstance(entry.get(key), str), f"{name} has no {key}"
        assert entry[key], f"{name} has an empty {key}"
    verdict, code = entry.get("verdict"), entry.get("code", "")
    assert verdict in ("accepted", "refused"), f"{name}: verdict is {verdict!r}"
    assert bool(code) == (verdict == "refused"), f"{name}: a refusal has a code, an acceptance has none"
    assert ("data" in entry) != ("file" in entry), f"{name}: either data or file"
    options = {key: value for key, value in entry.items() if key not in _KNOWN}
    return Case(entry["id"], entry["source"], entry["what"], verdict, code, _data(entry), options)


def _data(entry: dict[str, Any]) -> bytes:
    if "file" in entry:
        return (_VECTORS / entry["file"]).read_bytes()
    text: str = entry["data"]
    return (text if entry.get("raw") else _LONE_LINE_FEED.sub("\r\n", text)).encode()
