"""The search of the demo page: it finds what is there, whenever it was said and wherever a window of it ends."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from letterlock.apps.demo.network import DIRECTORY_PASSAGE
from letterlock.apps.demo.secrets_search import Finding, SecretsSearch
from letterlock.carrier.passage import FIRST_PASSAGE
from letterlock.carrier.wirelog import WireLogWriter

pytestmark = pytest.mark.anyio

SECRET = "the parcel lies under the third bench"
NOISE = Random(6)


class Log:
    def __init__(self, path: Path) -> None:
        self.writer = WireLogWriter(path)
        self.search = SecretsSearch(path)

    def passes(self, data: bytes, connection: int = 1, kind: str = "r") -> None:
        self.writer.write(kind, connection, 0, data)

    async def found(self, *texts: str) -> list[tuple[str, str, int]]:
        return [(each.text, each.form, each.times) for each in (await self.search.look_for(texts)).found]


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    log = Log(tmp_path / "wire.log")
    yield log
    log.search.close()
    log.writer.close()


async def test_what_was_said_is_found_in_what_came_before_and_after(log: Log) -> None:
    log.passes(SECRET.encode())
    assert await log.found("something else") == []
    assert await log.found("something else", SECRET) == [(SECRET, "as it is", 1)]
    log.passes(b"something else", 2)
    log.passes(SECRET.encode(), 2, "s")
    verdict = await log.search.look_for(["something else", SECRET, "abc"])
    assert set(verdict.found) == {Finding(SECRET, "as it is", 2), Finding("something else", "as it is", 1)}
    assert (verdict.texts, verdict.short, verdict.size) == (2, 1, 2 * len(SECRET) + 14)


@pytest.mark.parametrize("before", [65_500, 65_520, 65_536, 131_000])
async def test_the_end_of_a_window_hides_nothing(log: Log, before: int) -> None:
    log.passes(NOISE.randbytes(before))
    sealed = base64.b64encode(SECRET.encode())
    log.passes(sealed[:20])
    assert await log.found(SECRET) == []
    log.passes(sealed[20:])
    log.passes(NOISE.randbytes(80_000))
    assert [(text, times) for text, _, times in await log.found(SECRET)] == [(SECRET, 1)]


async def test_a_file_has_gone_before_its_name_is_said(log: Log) -> None:
    name = "the blue crane.jpg"
    log.passes(NOISE.randbytes(70_000) + name.encode()[:5], FIRST_PASSAGE)
    log.passes(name.encode()[5:], FIRST_PASSAGE)
    assert await log.found() == []
    assert await log.found(name) == [(name, "as it is", 1)]


async def test_of_a_long_text_a_part_is_enough(log: Log) -> None:
    text = "".join(chr(97 + NOISE.randrange(26)) for _ in range(8_000))
    log.passes(text[:3_000].encode(), DIRECTORY_PASSAGE)
    assert [found for found, _, _ in await log.found(text)] == [text]


async def test_what_is_kept_is_bounded_and_searched_before_it_goes(log: Log) -> None:
    log.passes(SECRET.encode())
    assert len(await log.found(SECRET)) == 1
    for _ in range(7):
        log.passes(bytes(1 << 20))
        assert len(await log.found(SECRET, "another text")) == 1
    assert len(log.search._full) == 80
    log.passes(b"another text")
    assert len(await log.found(SECRET, "another text")) == 2
