"""What is not encrypted is asked about, once; who has other keys is told; nothing goes out by itself (SR-01)."""

from __future__ import annotations

import os
import re

import pytest
from playwright.async_api import expect

from daemon.town import Town
from letterlock.carrier import Seen, swallowed
from letterlock.carrier.hostile import Attack, HostileHand, Order
from letterlock.codec.sip import Request
from web.conftest import Visitors
from web.scenes import acquainted, heard
from web.screen import Screen, say

STRANGER = "+15550777"

pytestmark = [pytest.mark.anyio, pytest.mark.browser, pytest.mark.slow]


async def begun(both: Town, visitors: Visitors) -> Screen:
    """Ana has written to somebody of whom there are no keys, and is asked."""
    ana = Screen((await visitors(both.ana.login_url())).page)
    await ana.begin(STRANGER, "Dora")
    await expect(ana.chip).to_contain_text(say("security.no-keys-found.label"))
    await ana.writing.fill("is this your number?")
    await ana.writing.press("Enter")
    return ana


def _is_message(seen: Seen) -> bool:
    return isinstance(seen.message, Request) and seen.message.method == "MESSAGE"


async def test_somebody_without_keys_is_asked_about_and_escape_is_no(both: Town, visitors: Visitors) -> None:
    ana = await begun(both, visitors)
    dialog = ana.dialog(say("security.no-keys-found.label"))
    # Who could read it is said beside the button that would let them.
    way = dialog.get_by_role("button", name=say("option.plain-rcs.label"), exact=True)
    await expect(way).to_have_accessible_description(say("option.plain-rcs.sentence"))
    # What does nothing has the focus.
    await expect(dialog.get_by_role("button", name=say("dialog.fallback.keep"), exact=True)).to_be_focused()
    await ana.page.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()
    chat = await both.ana.client.chat(STRANGER)
    assert not [each for each in await chat.messages() if each.status.name in ("ACCEPTED", "DELIVERED")]
    assert (await both.ana.client.chat(STRANGER)).security.value == "no-keys-found"


async def test_what_the_user_chose_is_sent_and_not_asked_about_again(both: Town, visitors: Visitors) -> None:
    ana = await begun(both, visitors)
    dialog = ana.dialog(say("security.no-keys-found.label"))
    await dialog.get_by_role("button", name=say("option.plain-rcs.label"), exact=True).click()
    first = await ana.sees("is this your number?")
    # Said at the message, at the transition, in the header and on the button.
    await expect(first).to_contain_text(say("page.plain_rcs"))
    await expect(first).to_contain_text(say("page.from_rcs"))
    await expect(ana.chip).to_contain_text(say("security.plain-rcs.label"))
    await ana.writing.fill("second")
    await expect(ana.button("page.send_plain")).to_be_enabled()
    await ana.writing.press("Enter")
    second = await ana.sees("second")
    await expect(second).to_contain_text(say("page.plain_rcs"))
    await expect(second).not_to_contain_text(say("page.from_rcs"))
    await expect(dialog).to_be_hidden()


async def test_keys_that_come_later_end_it_with_a_divider(both: Town, visitors: Visitors) -> None:
    """The number gets keys: from there it is encrypted, and the history says from where."""
    ana = await begun(both, visitors)
    await (
        ana.dialog(say("security.no-keys-found.label"))
        .get_by_role("button", name=say("option.plain-rcs.label"), exact=True)
        .click()
    )
    await ana.sees("is this your number?")
    dora = await both.person("dora", STRANGER)
    await (await dora.client.chat(both.ana.number)).send("it is, and now with keys")
    theirs = await ana.sees("it is, and now with keys")
    await expect(theirs).to_contain_text(say("page.from_encrypted"))
    await expect(ana.bubble("is this your number?")).to_contain_text(say("page.plain_rcs"))
    await expect(ana.chip).to_contain_text(say("security.encrypted.label"))


async def test_new_keys_are_a_note_that_stays_until_it_was_seen(both: Town, visitors: Visitors) -> None:
    await acquainted(both)
    ana = Screen((await visitors(both.ana.login_url())).page)
    await ana.open(both.ben.number)
    new = await both.person("ben-new", both.ben.number)
    await (await new.client.chat(both.ana.number)).send("my new phone")
    await ana.sees("my new phone")
    note = ana.page.get_by_role("status").filter(has=ana.button("dialog.banner.seen"))
    await expect(note).to_contain_text(say("security.keys-new.label", name=both.ben.number))
    await expect(note).to_contain_text(say("security.keys-new.sentence"))
    # The history says it too, and nothing keeps her from writing.
    await expect(ana.page.get_by_role("feed")).to_contain_text(re.compile("keys"))
    await note.get_by_role("button", name=say("dialog.banner.seen"), exact=True).click()
    await expect(note).to_be_hidden()
    await ana.write("congratulations")
    await heard(new, "message-received", text="congratulations")


async def test_no_longer_verified_pauses_until_somebody_decides(both: Town, visitors: Visitors) -> None:
    await acquainted(both)
    chat = await both.ana.client.chat(both.ben.number)
    await chat.verify(scanned=(await (await both.ben.client.chat(both.ana.number)).security_code()).scannable)
    ana = Screen((await visitors(both.ana.login_url())).page)
    await ana.open(both.ben.number)
    await expect(ana.chip).to_contain_text(say("security.verified.label"))
    new = await both.person("ben-new", both.ben.number)
    await (await new.client.chat(both.ana.number)).send("it is me")
    alarm = ana.page.get_by_role("alert").filter(has_text=say("security.no-longer-verified.label"))
    await expect(alarm).to_be_visible()
    # Receiving goes on; writing does not.
    await ana.sees("it is me")
    await expect(ana.writing).to_be_hidden()
    for key in ("compare", "anyway", "later"):
        await expect(alarm.get_by_role("button", name=say(f"dialog.banner.{key}"), exact=True)).to_be_enabled()
    await alarm.get_by_role("button", name=say("dialog.banner.compare"), exact=True).click()
    await ana.dialog(say("dialog.code.name")).wait_for()
    await ana.page.keyboard.press("Escape")
    await expect(alarm).to_be_visible()
    assert chat.security.value == "no-longer-verified"
    await alarm.get_by_role("button", name=say("dialog.banner.anyway"), exact=True).click()
    await expect(ana.writing).to_be_visible()
    await ana.write("all right, hello again")
    await heard(new, "message-received", text="all right, hello again")


async def test_later_leaves_it_paused(both: Town, visitors: Visitors) -> None:
    await acquainted(both)
    chat = await both.ana.client.chat(both.ben.number)
    await chat.verify(scanned=(await (await both.ben.client.chat(both.ana.number)).security_code()).scannable)
    new = await both.person("ben-new", both.ben.number)
    sent = await (await new.client.chat(both.ana.number)).send("it is me")
    await heard(both.ana, "message-received", message_id=sent)
    ana = Screen((await visitors(both.ana.login_url())).page)
    await ana.row(both.ben.number).click()
    alarm = ana.page.get_by_role("alert").filter(has_text=say("security.no-longer-verified.label"))
    await alarm.get_by_role("button", name=say("dialog.banner.later"), exact=True).click()
    await expect(alarm).to_be_hidden()
    await expect(ana.chip).to_contain_text(say("security.no-longer-verified.label"))
    await expect(ana.writing).to_be_hidden()


@pytest.mark.parametrize("times", [None, 1], ids=["for good", "once"])
async def test_a_message_that_cannot_be_read_says_why_and_what_next(
    both: Town, visitors: Visitors, times: int | None
) -> None:
    """The carrier turns bits. It is asked for again by itself; if that comes through, it stands where it belongs."""
    await acquainted(both)
    ana = Screen((await visitors(both.ana.login_url())).page)
    await ana.open(both.ben.number)
    hand = HostileHand(domain=both.carrier.domain, rng=os.urandom, inject=lambda request, phone: None)
    hand.order(Order(Attack.TAMPER, times=times, sender=both.ben.number))
    both.tap = hand.tap
    await (await both.ben.client.chat(both.ana.number)).send("see you at nine")
    card = ana.page.get_by_role("article").filter(has_text=say("page.unreadable", name=both.ben.number))
    if times is None:
        await expect(card).to_contain_text(re.compile(r"damaged on its way.*asked to send it again", re.DOTALL))
        await expect(ana.bubble("see you at nine")).to_have_count(0)
    else:
        await ana.sees("see you at nine")
        await expect(card).to_have_count(0)


async def test_a_message_that_failed_says_why_and_is_sent_again(both: Town, visitors: Visitors) -> None:
    await acquainted(both)
    ana = Screen((await visitors(both.ana.login_url())).page)
    await ana.open(both.ben.number)
    both.tap = lambda seen: swallowed(403) if _is_message(seen) and seen.sender == both.ana.number else None
    mine = await ana.write("through thick and thin")
    await expect(mine).to_contain_text(say("page.status_failed"))
    both.tap = None
    await mine.get_by_role("button", name=say("page.try_again"), exact=True).click()
    again = ana.bubble("through thick and thin").last
    await expect(again).to_contain_text(say("page.status_delivered"))


async def test_what_is_kept_waits_asks_no_more_and_is_encrypted_when_keys_come(both: Town, visitors: Visitors) -> None:
    ana = await begun(both, visitors)
    dialog = ana.dialog(say("security.no-keys-found.label"))
    await dialog.get_by_role("button", name=say("dialog.fallback.keep"), exact=True).click()
    first = await ana.sees("is this your number?")
    await expect(first).to_contain_text(say("page.status_waiting"))
    await ana.write("second")
    await expect(await ana.sees("second")).to_contain_text(say("page.status_waiting"))
    await expect(dialog).to_be_hidden()
    dora = await both.person("dora", STRANGER)
    await (await dora.client.chat(both.ana.number)).send("now with keys")
    await heard(dora, "message-received", text="second")
    await expect(first).not_to_contain_text(say("page.plain_rcs"))
    await expect(ana.chip).to_contain_text(say("security.encrypted.label"))


async def test_many_things_that_cannot_be_read_are_one_card_that_claims_no_messages(
    both: Town, visitors: Visitors
) -> None:
    """Receipts and typing come as text does, and nobody can tell which of them it was."""
    await acquainted(both)
    ana = Screen((await visitors(both.ana.login_url())).page)
    await ana.open(both.ben.number)
    hand = HostileHand(domain=both.carrier.domain, rng=os.urandom, inject=lambda request, phone: None)
    hand.order(Order(Attack.TAMPER, times=None, sender=both.ben.number))
    both.tap = hand.tap
    chat = await both.ben.client.chat(both.ana.number)
    for n in range(3):
        await heard(both.ana, "message-unreadable", message_id=await chat.send(f"number {n}"))
    card = ana.page.get_by_role("article").filter(has_text=re.compile(r"\d+ things from .* could not be read"))
    await expect(card).to_have_count(1)
    await expect(ana.page.get_by_role("article").filter(has_text="could not be read")).to_have_count(1)
    await expect(ana.bubble("number 0")).to_have_count(0)
