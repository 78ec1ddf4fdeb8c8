"""The table that the MLS tests print: passed, failed and impossible cells can be told apart."""

from __future__ import annotations

from interop.mls_matrix import Case, Matrix


def test_the_table() -> None:
    matrix = Matrix()
    assert not matrix
    case = Case("Add", "public", 2)
    matrix.cell(case, "ts-mls", "we").passed |= {7, 1, 2}
    matrix.cell(case, "ts-mls", "we").failed |= {2}
    matrix.cell(case, "mls-rs", "we").notes.append("mls-rs cannot: this")
    matrix.cell(case, "ts-mls", "peer").notes.append("ts-mls cannot: that")
    matrix.cell(Case("Remove", "-", 1_000), "mls-rs", "we").notes.append("mls-rs cannot: this")
    assert matrix
    head, first, second, *notes = matrix.lines()
    assert head.split() == [
        "who",
        "acts:",
        "wire",
        "members",
        "we,",
        "ts-mls",
        "follows",
        "we,",
        "mls-rs",
        "follows",
        "ts-mls,",
        "we",
        "follow",
        "mls-rs,",
        "we",
        "follow",
    ]
    assert first.split() == ["Add", "public", "2", "1", "7", "2:FAILED", "[1]", "[2]", "not", "tried"]
    assert second.split() == ["Remove", "-", "1000", *["not", "tried"], "[1]", *["not", "tried"] * 2]
    assert notes == ["[1] mls-rs cannot: this", "[2] ts-mls cannot: that"]
