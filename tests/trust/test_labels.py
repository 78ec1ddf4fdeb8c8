"""Domain labels of the whole project: one purpose each, never DER (SR-23)."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_der_public_key

import letterlock
from letterlock.trust import labels

MARK = b"letterlock/"


def trust_labels() -> dict[str, bytes]:
    return {name: getattr(labels, name) for name in labels.__all__ if name != "label"}


def labels_written_out() -> list[tuple[str, bytes]]:
    """Every bytes literal of the package that holds a label, outside labels.py itself."""
    root = Path(letterlock.__file__).parent
    return [
        (str(path.relative_to(root)), node.value)
        for path in sorted(root.rglob("*.py"))
        if path.name != "labels.py"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, bytes) and MARK in node.value
    ]


def test_labels_are_unique_and_none_starts_another_sr23() -> None:
    found = [*trust_labels().values(), *(value for _, value in labels_written_out())]
    assert len(found) > 10
    assert [value for value, count in Counter(found).items() if count > 1] == []
    assert not [(a, b) for a in found for b in found if a != b and b.startswith(a)]


@pytest.mark.parametrize("value", [*trust_labels().values(), *(value for _, value in labels_written_out())])
def test_a_label_never_parses_as_der_sr23(value: bytes) -> None:
    assert value.startswith(b"\xff\x80" + MARK) and value.endswith(b"\x00") and value.count(b"\x00") == 1
    with pytest.raises(ValueError):
        load_der_public_key(value + bytes(200))
