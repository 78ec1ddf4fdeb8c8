"""What was written stays until it was sent, is sent once, and what is read stays in its place."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from playwright.async_api import Page, Route, expect

from daemon.town import Town
from web.conftest import Visitors
from web.scenes import acquainted, heard
from web.screen import Screen, say

pytestmark = [pytest.mark.anyio, pytest.mark.browser, pytest.mark.slow]

REFUSED = {
    "code": -32001,
    "message": "that is too long",
    "data": {"class": "InputError", "code": "input.text", "exit": 1},
}
_FIRST_READ = """() => {
  const top = document.querySelector('.scroller').getBoundingClientRect().top;
  const first = [...document.querySelectorAll('ll-message')].find((one) => one.getBoundingClientRect().bottom > top);
  return [first.dataset.messageId, Math.round(first.getBoundingClientRect().top - top)];
}"""


async def on_send(page: Page, act: Callable[[Route, int], Awaitable[None]]) -> None:
    """`act` decides what becomes of each request to send; everything else goes its way."""

    async def route(each: Route) -> None:
        body = each.request.post_data_json or {}
        await (act(each, body["id"]) if body.get("method") == "send" else each.continue_())

    await page.route("**/api/v1/rpc*", route)


async def test_a_refused_text_stands_before_what_was_begun_since(both: Town, visitors: Visitors) -> None:
    await acquainted(both)
    visit = await visitors(both.ana.login_url())
    ana = Screen(visit.page)
    await ana.open(both.ben.number)
    begun = asyncio.Event()

    async def refuse(route: Route, number: int) -> None:
        await begun.wait()
        await route.fulfill(json={"jsonrpc": "2.0", "id": number, "error": REFUSED})

    await on_send(visit.page, refuse)
    await ana.writing.fill("the first")
    await ana.writing.press("Enter")
    await ana.writing.fill("and more")
    begun.set()
    await expect(ana.writing).to_have_value("the first\nand more")
    await expect(visit.page.get_by_role("alert").filter(has_text="That is too long")).to_be_visible()


async def test_a_text_that_was_taken_without_an_answer_is_there_once(both: Town, visitors: Visitors) -> None:
    """The daemon has it and went away before it said so: tried again it would be there twice."""
    await acquainted(both)
    visit = await visitors(both.ana.login_url())
    visit.expect("ERR_FAILED")
    ana = Screen(visit.page)
    await ana.open(both.ben.number)

    async def lose(route: Route, number: int) -> None:
        await route.fetch()
        await route.abort()

    await on_send(visit.page, lose)
    await ana.writing.fill("taken")
    await ana.writing.press("Enter")
    # What the other end says of it comes for the one that the daemon has.
    await expect(ana.bubble("taken")).to_contain_text(say("page.status_delivered"))
    await expect(ana.bubble("taken")).to_have_count(1)
    await expect(ana.page.get_by_role("button", name=say("page.try_again"))).to_have_count(0)


async def test_trying_again_before_the_page_has_heard_that_it_was_taken_sends_nothing(
    both: Town, visitors: Visitors
) -> None:
    """The daemon is back already, and the stream of the page asks for it again only after a pause."""
    await acquainted(both)
    visit = await visitors(both.ana.login_url())
    visit.expect("ERR_FAILED")
    ana = Screen(visit.page)
    await ana.open(both.ben.number)
    sends = 0

    async def lose(route: Route, number: int) -> None:
        nonlocal sends
        sends += 1
        await route.fetch()
        await route.abort()

    await on_send(visit.page, lose)
    await visit.page.route("**/api/v1/events*", lambda route: route.abort())
    await visit.page.evaluate("import('/static/daemon/store.js').then(({ store }) => store.stream.open())")
    await expect(visit.page.get_by_text(say("page.offline")).first).to_be_visible()
    mine = await ana.write("taken")
    again = mine.get_by_role("button", name=say("page.try_again"), exact=True)
    await again.dblclick()
    await expect(again).to_have_count(0)
    await expect(ana.bubble("taken")).to_have_count(1)
    assert sends == 1


async def test_what_is_read_stays_in_its_place_while_many_come(both: Town, visitors: Visitors) -> None:
    """More than the page holds at once: what is new does not push out what is being read."""
    await acquainted(both)
    chat = await both.ben.client.chat(both.ana.number)
    for number in range(150):
        last = await chat.send(f"old {number}")
    await heard(both.ana, "message-received", message_id=last)
    visit = await visitors(both.ana.login_url())
    ana = Screen(visit.page)
    await ana.open(both.ben.number)
    # The heading is there before the messages are.
    await expect(visit.page.locator("ll-message").nth(100)).to_be_attached()
    scroller = visit.page.locator(".scroller")
    await scroller.evaluate("(scroller) => { scroller.scrollTop = 600; }")
    place = await visit.page.evaluate(_FIRST_READ)
    for number in range(40):
        last = await chat.send(f"new {number}")
    await heard(both.ana, "message-received", message_id=last)
    await expect(visit.page.locator(".down span")).to_be_visible()
    assert await visit.page.evaluate(_FIRST_READ) == place
    # What one sends oneself is shown, wherever one was.
    await ana.write("here I am")
    await expect(ana.bubble("here I am")).to_be_in_viewport()


async def test_a_bubble_is_as_high_as_its_text_on_a_narrow_page(both: Town, visitors: Visitors) -> None:
    await acquainted(both)
    visit = await visitors(both.ana.login_url(), size=(330, 700))
    ana = Screen(visit.page)
    await ana.open(both.ben.number)
    row = ana.bubble("hello from ana").locator(".row")
    assert await row.evaluate("(row) => row.offsetHeight - row.firstElementChild.offsetHeight") <= 1
