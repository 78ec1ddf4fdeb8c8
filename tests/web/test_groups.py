"""Groups: made, written in, changed; who is in them, what has changed, and who makes the state what it is."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Locator, expect

from daemon.town import Person, Town
from web.conftest import Visitors
from web.scenes import acquainted
from web.screen import Screen, say

CLEO = "+15550142"

pytestmark = [pytest.mark.anyio, pytest.mark.browser, pytest.mark.slow]


async def made(both: Town, visitors: Visitors, subject: str = "Picnic") -> tuple[Screen, Screen, Person]:
    """Ana makes a group with Ben and Cleo, by the page."""
    cleo = await both.person("cleo", CLEO)
    await acquainted(both)
    await acquainted(both, both.ana, cleo)
    ana = Screen((await visitors(both.ana.login_url())).page)
    ben = Screen((await visitors(both.ben.login_url())).page)
    await ana.button("page.new_chat").first.click()
    dialog = ana.dialog(say("dialog.new.name"))
    await dialog.get_by_role("radio", name=say("dialog.new.group")).check()
    await dialog.get_by_label(say("dialog.new.subject")).fill(subject)
    for number in (both.ben.number, CLEO):
        await dialog.get_by_label(say("dialog.people.label")).fill(number)
        await dialog.get_by_role("button", name=say("dialog.people.add"), exact=True).click()
    await expect(dialog.get_by_role("list", name=say("dialog.people.chosen")).get_by_role("listitem")).to_have_count(2)
    await dialog.get_by_role("button", name=say("dialog.new.begin"), exact=True).click()
    await ana.page.get_by_role("heading", name=subject, level=2).wait_for()
    return ana, ben, cleo


async def details(screen: Screen, subject: str = "Picnic") -> Locator:
    await screen.button("page.chat_menu_group").click()
    await screen.page.get_by_role("menuitem", name=say("page.group_details"), exact=True).click()
    dialog = screen.dialog(subject)
    await dialog.get_by_role("list", name=say("dialog.group.members-label")).get_by_role("listitem").first.wait_for()
    return dialog


async def test_a_group_talks_and_says_how_many_have_seen_it(both: Town, visitors: Visitors) -> None:
    ana, ben, cleo = await made(both, visitors)
    mine = await ana.write("who brings bread?")
    await ben.open("Picnic")
    theirs = await ben.sees("who brings bread?")
    await expect(theirs).to_contain_text(both.ana.number)
    await expect(mine).to_contain_text(say("page.displayed_by", count=1, members=2))
    await ben.write("I do")
    await ana.sees("I do")
    assert cleo.number == CLEO


async def test_the_roster_and_the_log_of_changes(both: Town, visitors: Visitors) -> None:
    ana, ben, _ = await made(both, visitors)
    await ana.write("hello all")
    await ben.open("Picnic")
    dialog = await details(ana)
    members = dialog.get_by_role("list", name=say("dialog.group.members-label")).get_by_role("listitem")
    await expect(members).to_have_count(3)
    await expect(members.filter(has_text=both.ben.number)).to_contain_text(say("security.encrypted.label"))
    # Another name, then one fewer.
    await dialog.locator("summary").filter(has_text=say("dialog.group.name-it")).click()
    await dialog.get_by_label(say("dialog.group.subject")).fill("Picnic on Sunday")
    await dialog.get_by_role("button", name=say("dialog.group.rename"), exact=True).click()
    dialog = ana.dialog("Picnic on Sunday")
    await expect(dialog).to_be_visible()
    await expect(ben.page.get_by_role("heading", name="Picnic on Sunday", level=2)).to_be_visible()
    await dialog.get_by_role("button", name=say("dialog.group.remove-name", name=CLEO)).click()
    question = ana.dialog(say("dialog.group.remove-title", name=CLEO))
    await question.wait_for()
    await ana.page.keyboard.press("Escape")
    await expect(members).to_have_count(3)
    await dialog.get_by_role("button", name=say("dialog.group.remove-name", name=CLEO)).click()
    await question.get_by_role("button", name=say("dialog.group.remove"), exact=True).click()
    await expect(members).to_have_count(2)
    await dialog.locator("summary").filter(has_text=say("dialog.group.log")).click()
    log = dialog.locator("details[open]").get_by_role("listitem")
    await expect(log.filter(has_text="Picnic on Sunday")).to_have_count(1)
    await expect(log.filter(has_text=CLEO).first).to_be_visible()
    # The same lines stand in the conversation, on both ends.
    for screen in (ana, ben):
        await expect(screen.page.get_by_role("feed")).to_contain_text("Picnic on Sunday")


async def test_somebody_is_added_and_somebody_leaves(both: Town, visitors: Visitors) -> None:
    ana, ben, _ = await made(both, visitors)
    dora = await both.person("dora", "+15550123")
    await acquainted(both, both.ana, dora)
    dialog = await details(ana)
    await dialog.locator("summary").filter(has_text=say("dialog.group.add-people")).click()
    await dialog.get_by_label(say("dialog.people.label")).fill(dora.number)
    await dialog.get_by_role("button", name=say("dialog.people.add"), exact=True).click()
    await dialog.get_by_role("button", name=say("dialog.group.add"), exact=True).click()
    members = dialog.get_by_role("list", name=say("dialog.group.members-label")).get_by_role("listitem")
    await expect(members).to_have_count(4)
    await ben.open("Picnic")
    dialog = await details(ben)
    await dialog.get_by_role("button", name=say("dialog.group.leave"), exact=True).click()
    question = ben.dialog(say("dialog.group.leave-title"))
    await question.get_by_role("button", name=say("dialog.group.leave"), exact=True).click()
    await expect(ben.writing).to_be_hidden()
    await expect(ben.page.get_by_text(say("page.left_hint"))).to_be_visible()
    await expect(members).to_have_count(3)


async def test_the_weakest_member_is_named(both: Town, visitors: Visitors) -> None:
    """Ben has other keys: the group says so, and its screen says who."""
    ana, _, _ = await made(both, visitors)
    await ana.write("hello all")
    new = await both.person("ben-new", both.ben.number)
    await (await new.client.chat(both.ana.number)).send("my new phone")
    await expect(ana.chip).to_contain_text(say("security.group.keys-new.label"))
    dialog = await details(ana)
    member = dialog.get_by_role("listitem").filter(has_text=both.ben.number)
    await expect(member).to_contain_text(re.compile(f"{say('dialog.group.other-keys')}|keys are new"))
