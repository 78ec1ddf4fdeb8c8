"""Keys and clicks that come at once, before what they open is there or has been read."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import Route, expect

from daemon.town import Town
from web.conftest import Visitors
from web.screen import Screen, say

pytestmark = [pytest.mark.anyio, pytest.mark.browser, pytest.mark.slow]

STRANGER = "+15550777"


async def test_who_writes_on_answers_no_question_that_opens_meanwhile(both: Town, visitors: Visitors) -> None:
    """SR-01: the blank between two words and the Enter behind them press nothing that nobody has read."""
    page = (await visitors(both.ana.login_url())).page
    ana = Screen(page)
    await ana.begin(STRANGER)
    await expect(ana.chip).to_contain_text(say("security.no-keys-found.label"))
    await ana.writing.fill("is this you?")
    await ana.writing.press("Enter")
    dialog = ana.dialog(say("security.no-keys-found.label"))
    keep = dialog.get_by_role("button", name=say("dialog.fallback.keep"), exact=True)
    for typed in ("and", "then"):
        # The worst moment: it has the focus already, and nobody has looked up.
        await expect(keep).to_be_focused()
        await page.keyboard.type(typed)
        await page.keyboard.press("Space")
        await page.keyboard.press("Enter")
        await expect(dialog).to_be_visible()
    # Who has stopped, and reads, is not kept waiting; and Escape gives the text back.
    await expect(keep).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()
    await expect(ana.writing).to_have_value("is this you?")
    await expect(page.get_by_role("article")).to_have_count(0)


async def test_what_is_typed_at_once_stands_in_the_first_field(both: Town, visitors: Visitors) -> None:
    page = (await visitors(both.ana.login_url())).page
    ana = Screen(page)
    await ana.button("page.new_chat").first.focus()
    await page.keyboard.press("Alt+n")
    dialog = ana.dialog(say("dialog.new.name"))
    await dialog.wait_for()
    await page.keyboard.type(both.ben.number)
    await expect(dialog.get_by_label(say("dialog.new.number"))).to_have_value(both.ben.number)


async def test_a_dialogue_that_is_asked_for_twice_comes_once(both: Town, visitors: Visitors) -> None:
    visit = await visitors()
    ana, clicked = Screen(visit.page), asyncio.Event()

    async def late(route: Route) -> None:
        await clicked.wait()
        await route.continue_()

    await visit.page.route("**/static/screens/new-chat.js", late)
    await visit.page.goto(both.ana.login_url())
    await ana.button("page.new_chat").first.dblclick()
    clicked.set()
    dialog = ana.dialog(say("dialog.new.name"))
    await dialog.wait_for()
    await expect(dialog).to_have_count(1)
    await visit.page.keyboard.press("Escape")
    await expect(dialog).to_have_count(0)
    await ana.button("page.new_chat").first.click()
    await expect(dialog).to_have_count(1)


async def test_the_way_back_of_the_browser_closes_a_dialogue(both: Town, visitors: Visitors) -> None:
    """And the way forward opens it, once."""
    page = (await visitors(both.ana.login_url())).page
    ana = Screen(page)
    dialog = page.get_by_role("dialog")
    await ana.button("page.new_chat").first.click()
    await expect(dialog).to_have_count(1)
    await page.go_back()
    await expect(dialog).to_have_count(0)
    await page.go_forward()
    await expect(dialog).to_have_count(1)
    await ana.begin_here(STRANGER)
    await expect(ana.chip).to_contain_text(say("security.no-keys-found.label"))
    await ana.writing.fill("is this you?")
    await ana.writing.press("Enter")
    await expect(dialog).to_have_count(1)
    await page.go_back()
    await expect(dialog).to_have_count(0)
    await ana.row(STRANGER).click()
    await expect(ana.writing).to_have_value("is this you?")


async def test_a_dialogue_that_cannot_be_fetched_says_so(both: Town, visitors: Visitors) -> None:
    visit = await visitors()
    visit.expect(r"ERR_FAILED.*settings\.js")
    ana, away = Screen(visit.page), True

    async def fetch(route: Route) -> None:
        await (route.abort() if away else route.continue_())

    await visit.page.route("**/static/screens/settings.js", fetch)
    await visit.page.goto(both.ana.login_url())
    await ana.button("page.settings").click()
    told = visit.page.locator(".toast").get_by_text(say("page.trouble.daemon.unreachable"))
    await expect(told).to_be_visible()
    away = False
    await ana.button("page.settings").click()
    await expect(ana.dialog(say("dialog.settings.name"))).to_be_visible()
