"""The page's files come from memory, as they were when the page was asked for."""

from __future__ import annotations

import pytest
from aiohttp import web

from letterlock.apps.daemon.page import PageFiles, read_all

pytestmark = pytest.mark.anyio


class Disk:
    """A page of two files; how often it was read."""

    def __init__(self) -> None:
        self.reads = 0

    def read(self) -> dict[str, tuple[str, bytes]]:
        self.reads += 1
        return {"index.html": ("text/html", b"page %d" % self.reads), "a/b.js": ("text/javascript", b"%d" % self.reads)}


async def test_they_are_read_together_when_the_page_is_asked_for_and_not_one_by_one() -> None:
    disk = Disk()
    page = PageFiles(disk.read)
    assert (await page.index()).body == b"page 1"
    for _ in range(100):
        assert (await page.answer("a/b.js")).body == b"1"
    assert disk.reads == 1
    # Who works on the page reloads it.
    assert (await page.index()).body == b"page 2"
    assert (await page.answer("a/b.js")).body == b"2"
    assert disk.reads == 2


async def test_a_file_is_there_also_for_a_page_that_was_loaded_before_the_daemon_began() -> None:
    disk = Disk()
    answer = await PageFiles(disk.read).answer("a/b.js")
    assert (answer.body, answer.content_type) == (b"1", "text/javascript")


async def test_sr16_only_files_of_the_page_are_served() -> None:
    page = PageFiles(read_all)
    for name in ("", "../__init__.py", "a/../index.html", "/etc/passwd", "LICENSE"):
        with pytest.raises(web.HTTPNotFound):
            await page.answer(name)
