"""The daemon goes away under an open page, and comes back."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import Route, expect

from daemon.town import Town
from letterlock.apps.daemon import Daemon
from web.conftest import Visitors
from web.scenes import acquainted
from web.screen import Screen, say

pytestmark = [pytest.mark.anyio, pytest.mark.browser, pytest.mark.slow]

# What a browser writes to its console when nobody is there, or nobody whom it knows.
_GONE = r"ERR_CONNECTION_REFUSED|ERR_EMPTY_RESPONSE|ERR_CONNECTION_RESET|ERR_INCOMPLETE_CHUNKED|status of 40[13]"


async def test_an_open_page_says_so_and_goes_on_after_a_new_login(both: Town, visitors: Visitors) -> None:
    await acquainted(both)
    visit = await visitors(both.ana.login_url())
    visit.expect(_GONE)
    ana = Screen(visit.page)
    await ana.open(both.ben.number)
    await ana.write("before")
    await ana.writing.fill("half a sent")
    port = both.ana.daemon.port
    await both.ana.daemon.close()
    told = ana.page.get_by_role("status").filter(has_text=say("page.offline"))
    await expect(told.first).to_be_visible(timeout=15_000)
    # What comes meanwhile is not lost, and what was being written is not either.
    await (await both.ben.client.chat(both.ana.number)).send("while you were away")
    async with Daemon(both.ana.client, both.ana.folder, listen=f"127.0.0.1:{port}") as again:
        ended = ana.page.get_by_text(say("page.session_ended"))
        await expect(ended.first).to_be_visible(timeout=15_000)
        await expect(ana.writing).to_have_value("half a sent")
        # As `letterlock web` does: another tab of the same browser.
        tab = await visit.context.new_page()
        await tab.goto(again.login_url())
        await expect(Screen(tab).row(both.ben.number)).to_contain_text("while you were away")
        # The first one has the cookie now, and goes on where it was.
        await ana.sees("while you were away")
        await expect(ended.first).to_be_hidden()
        await expect(ana.writing).to_have_value("half a sent")
        await ana.writing.press_sequentially("ence")
        await ana.writing.press("Enter")
        await ana.sees("half a sentence")
        assert await ana.bubble("while you were away").count() == 1


async def test_a_message_that_the_daemon_never_got_is_shown_as_that(both: Town, visitors: Visitors) -> None:
    await acquainted(both)
    visit = await visitors(both.ana.login_url())
    visit.expect(_GONE)
    ana = Screen(visit.page)
    await ana.open(both.ben.number)
    await visit.context.set_offline(True)
    mine = await ana.write("into the void")
    await expect(mine).to_contain_text(say("page.status_failed"))
    visit.expect("ERR_INTERNET_DISCONNECTED")
    await visit.context.set_offline(False)
    await mine.get_by_role("button", name=say("page.try_again"), exact=True).click()
    await expect(ana.bubble("into the void")).to_contain_text(say("page.status_delivered"))
    await expect(ana.bubble("into the void")).to_have_count(1)


async def test_a_chat_that_was_opened_meanwhile_is_there_when_the_daemon_is_back(
    both: Town, visitors: Visitors
) -> None:
    await acquainted(both)
    visit = await visitors(both.ana.login_url())
    visit.expect("ERR_FAILED")
    ana, away = Screen(visit.page), True

    async def answer(route: Route) -> None:
        await (route.abort() if away else route.continue_())

    await expect(ana.row(both.ben.number)).to_be_visible()
    await visit.page.route("**/api/v1/*", answer)
    await visit.page.evaluate("import('/static/daemon/store.js').then(({ store }) => store.stream.open())")
    await expect(visit.page.get_by_text(say("page.offline")).first).to_be_visible()
    await ana.row(both.ben.number).click()
    trouble = visit.page.get_by_text(say("page.not_loaded"))
    await expect(trouble).to_be_visible()
    away = False
    await ana.sees("hello from ben")
    await expect(trouble).to_be_hidden()


async def test_what_could_not_be_fetched_comes_when_the_daemon_is_back(both: Town, visitors: Visitors) -> None:
    """Parts of a conversation come after it, and the daemon may go away between."""
    await acquainted(both)
    visit = await visitors()
    visit.expect(r"ERR_FAILED.*banner\.js")
    away, asked = True, asyncio.Event()

    async def fetch(route: Route) -> None:
        asked.set()
        await (route.abort() if away else route.continue_())

    await visit.page.route("**/static/trust/banner.js", fetch)
    await visit.page.goto(both.ana.login_url())
    await Screen(visit.page).open(both.ben.number)
    await asyncio.wait_for(asked.wait(), 30)
    await expect(visit.page.locator("ll-conversation")).to_be_visible()
    assert await visit.page.locator("ll-banner").count() == 0
    away = False
    await expect(visit.page.locator("ll-banner")).to_have_count(1)


async def test_who_logs_out_leaves_nothing_on_the_screen(both: Town, visitors: Visitors) -> None:
    """SR-16: nor in another tab a way to ask for more."""
    await acquainted(both)
    visit = await visitors(both.ana.login_url())
    visit.expect(_GONE)
    ana = Screen(visit.page)
    await expect(ana.row(both.ben.number)).to_be_visible()
    assert "proof" not in ana.page.url
    tab = await visit.context.new_page()
    await tab.goto(both.ana.daemon.url)
    other = Screen(tab)
    await expect(other.row(both.ben.number)).to_be_visible()
    await ana.button("page.settings").click()
    await ana.button("dialog.settings.logout").click()
    await expect(ana.page.get_by_text("not logged in")).to_be_visible()
    assert both.ben.number not in await ana.page.content()
    await expect(other.page.get_by_text(say("page.session_ended")).first).to_be_visible(timeout=15_000)
