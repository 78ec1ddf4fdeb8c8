"""Code of others that the page serves is byte for byte that of the published package (SR-20)."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

import letterlock

VENDOR = Path(letterlock.__file__).parent / "apps" / "web" / "static" / "vendor"
RECORD = json.loads((VENDOR / "jsQR.json").read_bytes())


@pytest.mark.parametrize("name", sorted(RECORD["files"]))
def test_a_vendored_file_is_the_published_one(name: str) -> None:
    assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == RECORD["files"][name]["sha256"]


def test_nothing_else_lies_there() -> None:
    assert {path.name for path in VENDOR.iterdir()} == {"jsQR.json", *RECORD["files"]}


def test_its_licence_is_there_and_says_which() -> None:
    assert RECORD["license"] == "Apache-2.0"
    assert "Apache License" in (VENDOR / "jsQR.LICENSE").read_text("utf-8")
