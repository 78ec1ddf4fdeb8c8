"""`Pairing`: us with one peer in one cipher suite, and what the tests say about it for the matrix."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from interop.json_lines import PeerError
from interop.mls_matrix import PAIRINGS, Case, Matrix
from interop.mls_members import Member, OurMember
from interop.mls_peers import MlsPeer, PeerMember

__all__ = ["EVERY_SUITE", "TS_MLS", "Pairing", "wire_of"]


def pairings(*wanted: tuple[str, int]) -> pytest.MarkDecorator:
    ids = [f"{name}-suite{suite}" for name, suite in wanted]
    return pytest.mark.parametrize("pairing", wanted, ids=ids, indirect=True)


EVERY_SUITE = pairings(*PAIRINGS, ("ts-mls", 3), ("ts-mls", 5), ("ts-mls", 7))
TS_MLS = pairings(*(pair for pair in PAIRINGS if pair[0] == "ts-mls"))


@dataclass
class Pairing:
    """Us with one peer, in one cipher suite. `acts` says who does what the case is about; the other follows."""

    peer: MlsPeer
    name: str
    suite: int
    matrix: Matrix

    def ours(self, identity: bytes = b"", **options: Any) -> OurMember:
        return OurMember(identity, self.suite, **options)

    def theirs(self, identity: bytes = b"", **options: Any) -> PeerMember:
        return PeerMember(self.peer, identity, self.suite, **options)

    def sides(self, acts: str) -> tuple[Member, Member]:
        """(who acts, who follows)."""
        return (self.ours(), self.theirs()) if acts == "we" else (self.theirs(), self.ours())

    def mls_rs_acts(self, acts: str) -> bool:
        return self.name == "mls-rs" and acts == "peer"

    @contextmanager
    def passes(self, feature: str, acts: str, *, wire: str = "-", size: int = 2) -> Iterator[None]:
        """What is done inside is the case; it passed if nothing is raised."""
        cell = self.matrix.cell(Case(feature, wire, size), self.name, acts)
        try:
            yield
        except BaseException:
            cell.failed.add(self.suite)
            raise
        cell.passed.add(self.suite)

    @contextmanager
    def cannot(
        self,
        feature: str,
        acts: str,
        answer: str,
        *,
        wire: str = "-",
        size: int = 2,
        error: type[Exception] = PeerError,
    ) -> Iterator[None]:
        """What is done inside has to end with exactly this answer, of the peer or (with another `error`) of ours."""
        with pytest.raises(error, match=re.escape(answer)) as caught:
            yield
        said = str(caught.value)
        if isinstance(caught.value, PeerError):
            said = caught.value.message
            refused = caught.value.name == "Refused"
            said = f"is not asked, its driver says: {said}" if refused else f"cannot: {said}"
        else:
            said = f"does it wrong, we answer: {said}"
        self.note(feature, acts, said, wire=wire, size=size)

    def note(self, feature: str, acts: str, text: str, *, wire: str = "-", size: int = 2) -> None:
        """A footnote about the peer, for what the test has just seen."""
        notes = self.matrix.cell(Case(feature, wire, size), self.name, acts).notes
        if f"{self.name} {text}" not in notes:
            notes.append(f"{self.name} {text}")


def wire_of(message: bytes) -> str:
    """The wire format of an MLSMessage."""
    return {b"\0\1": "public", b"\0\2": "private"}[message[2:4]]
