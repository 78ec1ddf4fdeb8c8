"""Two pages, two daemons, a carrier: what people do with a conversation, done by role and name on both ends."""

from __future__ import annotations

import asyncio
import re

import pytest
from playwright.async_api import expect

from daemon.town import Town
from web.conftest import Visitors
from web.scenes import acquainted, heard
from web.screen import Screen, say

CLEO = "+15550142"

pytestmark = [pytest.mark.anyio, pytest.mark.browser, pytest.mark.slow]


async def pages(both: Town, visitors: Visitors) -> tuple[Screen, Screen]:
    first, second = await asyncio.gather(*(visitors(who.login_url()) for who in (both.ana, both.ben)))
    return Screen(first.page), Screen(second.page)


async def talking(both: Town, visitors: Visitors) -> tuple[Screen, Screen]:
    """Both have the conversation with each other open."""
    await acquainted(both)
    ana, ben = await pages(both, visitors)
    await asyncio.gather(ana.open(both.ben.number), ben.open(both.ana.number))
    return ana, ben


async def test_the_first_chat(both: Town, visitors: Visitors) -> None:
    """Nobody has written yet: Ana begins with a number, Ben sees an unread chat, opens it, and answers."""
    ana, ben = await pages(both, visitors)
    await expect(ana.page.get_by_text(say("page.no_chats"))).to_be_visible()
    await ana.begin(both.ben.number, "Ben Ålesund")
    await expect(ana.page.get_by_role("heading", name="Ben Ålesund").first).to_be_visible()
    mine = await ana.write("Hi Ben")
    row = ben.row(both.ana.number)
    await expect(row).to_contain_text("Hi Ben")
    await expect(row).to_contain_text(say("page.unread", count=1))
    await expect(mine).to_contain_text(say("page.status_delivered"))
    await ben.open(both.ana.number)
    theirs = await ben.sees("Hi Ben")
    await expect(theirs).to_have_accessible_name(re.compile(re.escape(say("page.encrypted"))))
    await expect(mine).to_contain_text(say("page.status_displayed"))
    await ben.write("Hi Ana, so this is it")
    await ana.sees("Hi Ana, so this is it")
    await expect(ana.chip).to_contain_text(say("security.encrypted.label"))
    # What goes on is said on the button.
    await ana.writing.fill("x")
    await expect(ana.button("page.send")).to_be_enabled()


async def test_a_message_waits_for_a_phone_that_is_off(both: Town, visitors: Visitors) -> None:
    """Sent is not delivered: the page says which, and changes it when the phone is back."""
    cleo = both.folder / "cleo"
    await both.create(cleo, CLEO)
    async with both.open(cleo) as away:
        await away.settled()
    ana, _ = await pages(both, visitors)
    await ana.begin(CLEO)
    mine = await ana.write("are you there?")
    await expect(mine).to_contain_text(re.compile(f"{say('page.status_sending')}|{say('page.status_sent')}"))
    await expect(mine).not_to_contain_text(say("page.status_delivered"))
    async with both.open(cleo):
        await expect(mine).to_contain_text(say("page.status_delivered"))


async def test_replies_are_quoted_and_lead_back(both: Town, visitors: Visitors) -> None:
    ana, ben = await talking(both, visitors)
    await ana.write("shall we say seven?")
    await ben.act(await ben.sees("shall we say seven?"), "page.reply")
    await ben.writing.fill("eight is better")
    await ben.writing.press("Enter")
    answer = await ana.sees("eight is better")
    quote = answer.get_by_role("button").filter(has_text="shall we say seven?")
    await quote.click()
    await expect(ana.page.get_by_role("article").filter(has_text="shall we say seven?").first).to_be_in_viewport()


async def test_a_reaction_is_put_on_and_taken_away(both: Town, visitors: Visitors) -> None:
    ana, ben = await talking(both, visitors)
    mine = await ana.write("we have a key")
    theirs = await ben.sees("we have a key")
    menu = await ben.menu(theirs)
    await menu.get_by_role("menuitemcheckbox").first.click()
    marks = mine.get_by_role("group", name=say("page.reactions"))
    await expect(marks.get_by_role("button")).to_have_count(1)
    await expect(marks.get_by_role("button")).to_have_attribute("aria-pressed", "false")
    own = theirs.get_by_role("group", name=say("page.reactions")).get_by_role("button")
    await expect(own).to_have_attribute("aria-pressed", "true")
    await own.click()
    await expect(marks).to_have_count(0)


async def test_an_edit_shows_that_it_is_one_and_keeps_the_original(both: Town, visitors: Visitors) -> None:
    ana, ben = await talking(both, visitors)
    mine = await ana.write("see you on mondya")
    await ben.sees("see you on mondya")
    await ana.act(mine, "page.edit")
    await expect(ana.writing).to_have_value("see you on mondya")
    await ana.writing.fill("see you on monday")
    await ana.writing.press("Enter")
    theirs = await ben.sees("see you on monday")
    await theirs.get_by_text(say("page.edited")).click()
    await expect(theirs).to_contain_text("see you on mondya")
    await expect(ana.bubble("see you on monday")).to_contain_text(say("page.edited"))


async def test_what_is_deleted_is_gone_on_both_ends(both: Town, visitors: Visitors) -> None:
    ana, ben = await talking(both, visitors)
    mine = await ana.write("never mind")
    await ben.sees("never mind")
    await ana.act(mine, "page.delete")
    question = ana.dialog(say("page.delete_ask"))
    await question.wait_for()
    await ana.page.keyboard.press("Escape")
    await expect(question).to_be_hidden()
    await expect(mine).to_contain_text("never mind")
    await ana.act(mine, "page.delete")
    await question.get_by_role("button", name=say("page.delete"), exact=True).click()
    await expect(ana.page.get_by_text(say("page.deleted_by_you"))).to_be_visible()
    await expect(ben.page.get_by_role("article").filter(has_text=say("page.deleted"))).to_be_visible()
    await expect(ben.bubble("never mind")).to_have_count(0)


async def test_typing_is_shown_while_it_lasts(both: Town, visitors: Visitors) -> None:
    ana, ben = await talking(both, visitors)
    await ana.writing.press_sequentially("hm", delay=20)
    told = ben.page.get_by_text(say("page.typing_short"))
    await expect(told.first).to_be_visible()
    await ana.write("hm, yes")
    await ben.sees("hm, yes")
    await expect(told).to_have_count(0)


async def test_unread_messages_have_a_divider_and_days_too(both: Town, visitors: Visitors) -> None:
    await acquainted(both)
    ana, ben = await pages(both, visitors)
    await ana.open(both.ben.number)
    for text in ("one", "two", "three"):
        await ana.write(f"number {text}")
    row = ben.row(both.ana.number)
    await expect(row).to_contain_text(say("page.unread", count=3))
    await expect(ben.page).to_have_title(re.compile("3"))
    await ben.open(both.ana.number)
    first = await ben.sees("number one")
    await expect(first).to_contain_text(say("page.unread_here"))
    await expect(ben.page.get_by_text(say("page.today"))).to_have_count(1)
    await expect(row).not_to_contain_text(say("page.unread", count=3))


async def test_what_was_said_is_found_and_shown_in_its_place(both: Town, visitors: Visitors) -> None:
    await acquainted(both)
    chat = await both.ben.client.chat(both.ana.number)
    await chat.send("the tulips are in the cellar")
    for number in range(60):
        sent = await chat.send(f"filling {number}")
    await heard(both.ana, "message-received", message_id=sent)
    ana = Screen((await visitors(both.ana.login_url())).page)
    await ana.open(both.ben.number)
    await ana.sees("filling 59")
    await ana.search("tulips")
    hit = ana.page.get_by_role("link").filter(has_text="tulips are in the cellar")
    await expect(hit.locator("mark")).to_have_text("tulips")
    await hit.click()
    await expect(ana.bubble("the tulips are in the cellar")).to_be_in_viewport()
    await ana.search("nothing like this")
    await expect(ana.page.get_by_text(say("page.search_none")).first).to_be_visible()


async def test_two_pages_of_one_person_show_the_same(both: Town, visitors: Visitors) -> None:
    """What is sent in one window is in the other at once, and read in one is read in both."""
    await acquainted(both)
    one, other = [Screen((await visitors(both.ana.login_url())).page) for _ in range(2)]
    await one.open(both.ben.number)
    await other.open(both.ben.number)
    await one.write("from the first window")
    await other.sees("from the first window")
