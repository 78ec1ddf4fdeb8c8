"""What text is found by: its words without case and accents, and single characters where words have no spaces.

The same cut for what is searched and for what is looked for, so that an index which only knows bytes between spaces
(FTS5's `ascii` tokenizer) finds what a person would call the same. Letters of Chinese, Japanese, Korean, Thai and the
like, and symbols such as emoji, stand alone: a row of them in a question must stand in the same row in the text. All
other words are found by how they begin. Marks and invisible characters separate nothing and count for nothing.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

__all__ = ["expression", "ranges", "terms"]

_MOST_CHARACTERS = 20_000
"""Of one text: the rest of a longer one is not found (SR-08)."""
_LONGEST = 48
_MOST_WORDS = 12
_MOST_RANGES = 64

_ALONE = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x3005, 0x3007),
    (0x3040, 0x30FF),  # Hiragana, Katakana
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),  # Han
    (0xAC00, 0xD7A3),  # Hangul syllables
    (0xF900, 0xFAFF),
    (0x20000, 0x3FFFF),
)


class _Term(NamedTuple):
    text: str
    start: int
    end: int
    alone: bool


def terms(text: str) -> str:
    """What goes into the index: terms with a space between them."""
    return " ".join(term.text for term in _cut(text))


def expression(question: str) -> str:
    """The same for a question, as an FTS5 expression; empty when nothing in it can be found."""
    return " AND ".join(
        f'"{group[0].text}"*' if not group[0].alone else '"' + " ".join(term.text for term in group) + '"'
        for group in _groups(question)
    )


def ranges(text: str, question: str) -> tuple[tuple[int, int], ...]:
    """Where the words of a question stand in a text: (start, end) in code points, in order and apart from each other."""
    cut, groups = list(_cut(text)), _groups(question)
    found: list[tuple[int, int]] = []
    for at, term in enumerate(cut):
        for group in groups:
            if not group[0].alone:
                if not term.alone and term.text.startswith(group[0].text):
                    found.append((term.start, term.end))
            elif [each.text for each in cut[at : at + len(group)]] == [each.text for each in group]:
                found.append((term.start, cut[at + len(group) - 1].end))
    return _apart(sorted(found))[:_MOST_RANGES]


def _apart(found: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    out: list[tuple[int, int]] = []
    for start, end in found:
        if out and start < out[-1][1]:
            out[-1] = (out[-1][0], max(end, out[-1][1]))
        else:
            out.append((start, end))
    return tuple(out)


def _groups(question: str) -> list[list[_Term]]:
    """Its words, each for itself, and rows of characters that stand side by side."""
    groups: list[list[_Term]] = []
    for term in _cut(question):
        beside = bool(groups) and term.alone and groups[-1][0].alone and groups[-1][-1].end == term.start
        if beside and len(groups[-1]) < _LONGEST:
            groups[-1].append(term)
        elif len(groups) < _MOST_WORDS:
            groups.append([term])
    return groups


def _cut(text: str) -> Iterator[_Term]:
    word, start, end = "", 0, 0
    for at, c in enumerate(text[:_MOST_CHARACTERS]):
        folded, alone = _folded(c)
        if folded is None:
            end += alone and at == end and bool(word)  # an accent belongs to what it stands on
            continue
        if word and (not folded or alone):
            yield _Term(word[:_LONGEST], start, end, False)
            word = ""
        if alone:
            yield _Term(folded, at, at + 1, True)
        elif folded:
            if not word:
                start = at
            if len(word) < _LONGEST:
                word += folded
            end = at + 1
    if word:
        yield _Term(word[:_LONGEST], start, end, False)


@lru_cache(maxsize=4_096)
def _folded(c: str) -> tuple[str | None, bool]:
    """A character without case and accents, and whether it stands alone; None: as if it were not there (and
    whether it is a mark on the one before); empty: a gap."""
    if any(low <= ord(c) <= high for low, high in _ALONE) and unicodedata.category(c)[0] in "LN":
        # Half and full width forms are decomposed, syllables of Hangul are not.
        return c, True
    category = unicodedata.category(c)
    if category in ("Mn", "Me", "Cf", "Cc") and c not in "\t\n\r\x0b\x0c\x1c\x1d\x1e\x1f\x85":
        return None, category[0] == "M"
    if "\U0001f3fb" <= c <= "\U0001f3ff":
        return None, True  # the colour of a skin
    if category == "So":
        return c, True
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", c).casefold())
    kept = "".join(
        each for each in plain if unicodedata.category(each)[0] in "LN" or unicodedata.category(each) == "Mc"
    )
    if kept and any(low <= ord(kept[0]) <= high for low, high in _ALONE):
        return kept, True
    return kept, False
