"""The demo page in a browser: its own policy holds, axe-core finds nothing, and what is written passes the carrier."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import expect

from letterlock.apps.demo.server import DemoServer
from web.browser import DESKTOP, PHONE
from web.conftest import Visitors
from web.looking import inaccessible, sticking_out
from web.screen import say

pytestmark = [pytest.mark.anyio, pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
async def demo(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DemoServer]:
    async with DemoServer(tmp_path_factory.mktemp("demo"), None) as server:
        yield server


@pytest.mark.parametrize(("scheme", "size"), [("light", DESKTOP), ("dark", PHONE)], ids=["light-1280", "dark-390"])
async def test_the_demo_page_fits_and_can_be_used_by_everybody(
    demo: DemoServer, visitors: Visitors, scheme: str, size: tuple[int, int]
) -> None:
    page = (await visitors(demo.login_url(), scheme=scheme, size=size)).page
    skip = page.get_by_role("button", name=say("demo.tour.skip"), exact=True)
    await skip.wait_for()
    assert await inaccessible(page) == []
    assert await sticking_out(page) == []
    await skip.click()
    assert await inaccessible(page) == []
    assert await sticking_out(page) == []


async def test_two_phones_in_frames_talk_and_the_carrier_reads_nothing(demo: DemoServer, visitors: Visitors) -> None:
    page = (await visitors(demo.login_url())).page
    await page.get_by_role("button", name=say("demo.tour.skip"), exact=True).click()
    ana, ben = page.frames[1:]
    writing = ana.locator("ll-composer textarea")
    await writing.fill("under the blue pot")
    await writing.press("Enter")
    await expect(ben.get_by_role("article").filter(has_text="under the blue pot")).to_be_visible()
    assert await page.locator("main, #demo").get_by_text("under the blue pot").count() == 0


async def test_the_tour_by_keyboard_to_the_control(demo: DemoServer, visitors: Visitors) -> None:
    """The phones have said hello; the focus stays with the tour, also when it opens a chat on a phone; then the control is found."""
    page = (await visitors(demo.login_url())).page
    start = page.get_by_role("button", name=say("demo.tour.start"), exact=True)
    await start.wait_for()
    greeting = page.frames[1].get_by_role("article").filter(has_text=say("demo.tour.ben.hello"))
    await expect(greeting).to_be_visible(timeout=15_000)
    await start.focus()
    for step in range(1, 6):
        await page.keyboard.press("Enter")
        title = page.locator("#tour-title")
        await expect(title).to_have_text(say(f"demo.tour.{step}.title"))
        if step == 5:
            await expect(page.frames[1].locator("ll-composer textarea")).to_be_visible()
        await expect(title).to_be_focused()
        await page.keyboard.press("Tab")
    await expect(page.get_by_role("button", name=say("demo.tour.5.plain"), exact=True)).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator(".learns-not q")).to_have_text(say("demo.tour.ana.plain"))


async def test_no_frame_goes_from_a_server_to_itself(demo: DemoServer, visitors: Visitors) -> None:
    """Before a number is claimed nobody signs, and of a file's bytes nobody: the carrier sees a phone, and not whose."""
    page = (await visitors(demo.login_url())).page
    await page.get_by_role("button", name=say("demo.tour.skip"), exact=True).click()
    frames = page.locator(".frame .who")
    nameless = between(say("demo.phone.short"), say("demo.directory.short"))
    await expect(frames.filter(has_text=nameless).first).to_be_attached()
    servers = [say(f"demo.{each}.short") for each in ("directory", "content", "carrier", "server")]
    assert {between(each, each) for each in servers} & set(await frames.all_text_contents()) == set()


def between(sender: str, recipient: str) -> str:
    return say("demo.between", **{"from": sender, "to": recipient})


async def test_what_a_hostile_button_does_and_what_came_of_it_is_seen_without_scrolling(
    demo: DemoServer, visitors: Visitors
) -> None:
    page = (await visitors(demo.login_url())).page
    await page.get_by_role("button", name=say("demo.tour.skip"), exact=True).click()
    await page.get_by_role("button", name=say("demo.attack.duplicate"), exact=True).click()
    does = page.get_by_role("button", name=say("demo.hostile.try"), exact=True)
    await expect(does).to_be_in_viewport(ratio=1)
    await does.click()
    saw = page.locator(".aims.done").get_by_text(say("demo.hostile.saw"), exact=True)
    await expect(saw).to_be_in_viewport(ratio=1, timeout=30_000)
