"""What is asked of a message that is still on its way to the daemon is done as soon as the daemon has it."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import Route, expect

from daemon.town import Town
from web.conftest import Visitors
from web.scenes import acquainted
from web.screen import Screen, say
from web.test_nothing_is_lost import REFUSED, on_send

pytestmark = [pytest.mark.anyio, pytest.mark.browser, pytest.mark.slow]


class Held:
    """Ana's page, on which a text was just sent that does not get to the daemon before `let_go`."""

    def __init__(self, ana: Screen) -> None:
        self.ana, self._going, self._refused = ana, asyncio.Event(), False

    async def hold(self, text: str) -> None:
        await on_send(self.ana.page, self._wait)
        await self.ana.write(text)
        await expect(self.ana.bubble(text)).to_have_attribute("data-message-id", "")

    def let_go(self, *, refused: bool = False) -> None:
        self._refused = refused
        self._going.set()

    async def _wait(self, route: Route, number: int) -> None:
        await self._going.wait()
        if self._refused:
            await route.fulfill(json={"jsonrpc": "2.0", "id": number, "error": REFUSED})
        else:
            await route.continue_()


async def held(both: Town, visitors: Visitors, text: str) -> tuple[Held, Screen]:
    """Both look at their conversation, and `text` is on its way from Ana."""
    await acquainted(both)
    ana, ben = [Screen((await visitors(who.login_url())).page) for who in (both.ana, both.ben)]
    await ana.open(both.ben.number)
    await ben.open(both.ana.number)
    waiting = Held(ana)
    await waiting.hold(text)
    return waiting, ben


async def test_it_can_be_edited(both: Town, visitors: Visitors) -> None:
    waiting, ben = await held(both, visitors, "see you at seven")
    ana = waiting.ana
    await ana.act(ana.bubble("see you at seven"), "page.edit")
    await expect(ana.writing).to_have_value("see you at seven")
    await ana.writing.fill("see you at eight")
    await ana.writing.press("Enter")
    waiting.let_go()
    theirs = await ben.sees("see you at eight")
    await expect(theirs).to_contain_text(say("page.edited"))
    await expect(ana.bubble("see you at eight")).to_contain_text(say("page.edited"))
    await expect(ana.writing).to_have_value("")


async def test_what_is_written_while_an_edit_waits_is_not_lost(both: Town, visitors: Visitors) -> None:
    waiting, ben = await held(both, visitors, "at seven")
    ana = waiting.ana
    await ana.act(ana.bubble("at seven"), "page.edit")
    await expect(ana.writing).to_have_value("at seven")
    await ana.writing.fill("at eight")
    await ana.writing.press("Enter")
    await ana.writing.press_sequentially(" or nine")
    waiting.let_go()
    await ben.sees("at eight")
    await expect(ana.writing).to_have_value("at eight or nine")
    await ana.writing.press("Enter")
    await ben.sees("at eight or nine")
    await expect(ana.writing).to_have_value("")


async def test_an_edit_that_was_taken_back_is_not_made_later(both: Town, visitors: Visitors) -> None:
    waiting, ben = await held(both, visitors, "as it was")
    ana = waiting.ana
    await ana.act(ana.bubble("as it was"), "page.edit")
    await expect(ana.writing).to_have_value("as it was")
    await ana.writing.fill("as it was not")
    await ana.writing.press("Enter")
    await ana.writing.press("Escape")
    waiting.let_go()
    # What is sent after it comes after all that was asked of it.
    await ana.write("the next")
    await ben.sees("the next")
    await expect(ben.bubble("as it was")).to_be_visible()
    await expect(ben.bubble("as it was not")).to_have_count(0)


async def test_it_can_be_answered(both: Town, visitors: Visitors) -> None:
    waiting, ben = await held(both, visitors, "who has the key?")
    ana = waiting.ana
    await ana.act(ana.bubble("who has the key?"), "page.reply")
    await ana.writing.fill("I have found it")
    await ana.writing.press("Enter")
    waiting.let_go()
    answer = await ben.sees("I have found it")
    await expect(answer.get_by_role("button").filter(has_text="who has the key?")).to_be_enabled()


async def test_it_can_be_marked_and_deleted(both: Town, visitors: Visitors) -> None:
    waiting, ben = await held(both, visitors, "not for you")
    ana = waiting.ana
    menu = await ana.menu(ana.bubble("not for you"))
    await menu.get_by_role("menuitemcheckbox").first.click()
    await ana.act(ana.bubble("not for you"), "page.delete")
    sure = ana.dialog(say("page.delete_ask"))
    await sure.get_by_role("button", name=say("page.delete"), exact=True).click()
    waiting.let_go()
    for screen in (ana, ben):
        await expect(screen.bubble("not for you")).to_have_count(0)
    await expect(ana.bubble(say("page.deleted_by_you"))).to_be_visible()
    await expect(ben.bubble(say("page.deleted"))).to_be_visible()


async def test_of_one_that_is_refused_it_is_said(both: Town, visitors: Visitors) -> None:
    waiting, ben = await held(both, visitors, "far too long")
    ana = waiting.ana
    menu = await ana.menu(ana.bubble("far too long"))
    await menu.get_by_role("menuitemcheckbox").first.click()
    waiting.let_go(refused=True)
    await expect(ana.page.get_by_text(say("page.not_sent")).first).to_be_visible()
    await expect(ana.writing).to_have_value("far too long")
    await expect(ben.bubble("far too long")).to_have_count(0)
