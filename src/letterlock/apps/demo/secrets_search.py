"""The check behind "what it does not learn": everything that the phones' own records say was written, looked for in every
byte of the wire log, as it is and in every encoding that `carrier.search` knows.

The whole log is searched anew whenever something was said, so that what was said before is looked for in what came
later, too. What moves between phones and the content server is megabytes of ciphertext: there, words are looked for as
they are, and not in every encoding.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ...carrier import Searcher, read_wire_log
from ...carrier.passage import FIRST_PASSAGE
from ...carrier.wirelog import Stream
from .network import DIRECTORY_PASSAGE

__all__ = ["Finding", "Verdict", "look_for"]

_SHORTEST = 4
"""A word of three letters stands in ciphertext by chance."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A text that can be read on the way, and in which form."""

    text: str
    form: str
    times: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """How many texts were looked for in how many bytes, and which were found. `short` were too short to mean anything."""

    texts: int
    short: int
    size: int
    found: tuple[Finding, ...]


async def look_for(log: Path, texts: Iterable[str]) -> Verdict:
    """Search; in a thread, for it takes a while when much was said."""
    return await asyncio.to_thread(_look_for, log, list(dict.fromkeys(texts)))


def _look_for(log: Path, texts: list[str]) -> Verdict:
    wanted = [text for text in texts if len(text.encode()) >= _SHORTEST]
    read = read_wire_log(log)
    searcher = Searcher(read, lambda stream: not _is_content(stream))
    content = [stream.data for stream in read.streams() if _is_content(stream)]
    found = []
    for text in wanted:
        hits = searcher.search(text)
        raw = sum(text.encode() in data for data in content)
        if hits or raw:
            found.append(Finding(text, hits[0].form if hits else "as it is", len(hits) + raw))
    size = sum(len(stream.data) for stream in read.streams())
    return Verdict(len(wanted), len(texts) - len(wanted), size, tuple(found))


def _is_content(stream: Stream) -> bool:
    return FIRST_PASSAGE <= stream.connection < DIRECTORY_PASSAGE
