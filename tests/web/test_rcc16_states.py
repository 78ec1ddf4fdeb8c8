"""What the page shows of RCC.16 encryption that was ended, is stuck, or waits for keys; and what can be done there (SR-01)."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Locator, expect

from e2e.rcc16_town import RCC16, Town, town
from e2e.rcc16_town import Person as Owner
from e2e.test_rcc16_revocation import a_day_later, new_authority
from letterlock.apps.daemon import Daemon
from letterlock.client import Chat
from letterlock.engine import events as ev
from web.browser import DESKTOP, PHONE
from web.conftest import Visitors
from web.looking import inaccessible, sticking_out
from web.screen import Screen, say

ANA, BEN, CLEO = "+15550100", "+15550199", "+15550142"
LOOKS = [(size, scheme) for size in (PHONE, DESKTOP) for scheme in ("light", "dark")]

pytestmark = [pytest.mark.anyio, pytest.mark.browser, pytest.mark.slow]


class Pair:
    """Ana and Ben, who speak RCC.16 alone and have written to each other. Each has a daemon."""

    def __init__(self, place: Town, ana: Owner, ben: Owner) -> None:
        self.place, self.ana, self.ben = place, ana, ben
        self.ana_page: Daemon
        self.ben_page: Daemon
        self.chat: Chat
        self.back: Chat

    async def begin(self) -> None:
        self.chat, self.back = await self.ana.client.chat(BEN), await self.ben.client.chat(ANA)
        await self.chat.send("before")
        await self.ben.until(lambda events: any(isinstance(event, ev.MessageReceived) for event in events))
        await self.back.send("hello")
        await self.ana.until(lambda events: any(isinstance(event, ev.MessageReceived) for event in events))
        await self.ana.client.settled()
        await self.ben.client.settled()


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    async with town(tmp_path) as place, contextlib.AsyncExitStack() as pages:
        made = Pair(place, await place.person(ANA, RCC16), await place.person(BEN, RCC16))
        made.ana_page = await pages.enter_async_context(Daemon(made.ana.client, made.ana.folder / "profile"))
        made.ben_page = await pages.enter_async_context(Daemon(made.ben.client, made.ben.folder / "profile"))
        await made.begin()
        yield made


async def opened(visitors: Visitors, daemon: Daemon, name: str, **options: object) -> Screen:
    screen = Screen((await visitors(daemon.login_url(), **options)).page)
    await screen.row(name).click()
    await screen.chip.wait_for()
    return screen


def banner(screen: Screen, state: str) -> Locator:
    return screen.page.locator("ll-banner").filter(has_text=say(f"security.{state}.label"))


def in_banner(screen: Screen, key: str) -> Locator:
    return screen.page.locator("ll-banner").get_by_role("button", name=say(key), exact=True)


async def wrong_with(screen: Screen) -> list[str]:
    return [*await inaccessible(screen.page), *await sticking_out(screen.page)]


# --- ended --------------------------------------------------------------------------------------------------------------
async def test_sr01_encryption_that_the_other_one_ended_is_said_and_asked_about(pair: Pair, visitors: Visitors) -> None:
    ana = await opened(visitors, pair.ana_page, BEN)
    await expect(ana.chip).to_contain_text(say("security.encrypted.label"))
    await pair.back.end_encryption()
    await expect(banner(ana, "encryption-ended")).to_be_visible()
    await expect(ana.chip).to_contain_text(say("security.encryption-ended.label"))
    # Who did it stands in the history; nothing waits that the banner could let go.
    await expect(ana.page.get_by_role("feed")).to_contain_text(
        say("notice.encryption-ended.by", by=BEN), use_inner_text=True
    )
    await expect(in_banner(ana, "dialog.banner.choose")).to_have_count(0)
    # What is written is asked about; the focus is on what lets nothing out, and Escape gives the text back.
    await expect(ana.button("page.send_asks")).to_be_visible()
    await ana.writing.fill("are you there?")
    await ana.writing.press("Enter")
    dialog = ana.dialog(say("security.encryption-ended.label"))
    await expect(dialog.get_by_role("button", name=say("dialog.fallback.not-now"), exact=True)).to_be_focused()
    way = dialog.get_by_role("button", name=say("option.plain-rcs.label"), exact=True)
    await expect(way).to_have_accessible_description(say("option.plain-rcs.sentence"))
    for key in ("dialog.fallback.keep", "dialog.fallback.invite"):  # nothing waits, and he has what it takes
        await expect(dialog.get_by_role("button", name=say(key), exact=True)).to_have_count(0)
    assert await wrong_with(ana) == []
    await ana.page.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()
    await expect(ana.writing).to_have_value("are you there?")
    # Begun again from there, it is encrypted.
    await ana.writing.press("Enter")
    await dialog.get_by_role("button", name=say("dialog.banner.revive"), exact=True).click()
    await expect(dialog).to_be_hidden()
    await expect(ana.chip).to_contain_text(say("security.encrypted.label"))
    await expect(ana.writing).to_have_value("are you there?")
    await ana.writing.press("Enter")
    await pair.ben.until(
        lambda events: any(isinstance(event, ev.MessageReceived) and event.text == "are you there?" for event in events)
    )
    assert all(message.encrypted for message in await pair.chat.messages() if message.text)


@pytest.mark.parametrize(("size", "scheme"), LOOKS)
async def test_ended_encryption_can_be_seen_by_everybody(
    pair: Pair, visitors: Visitors, size: tuple[int, int], scheme: str
) -> None:
    """On both ends."""
    await pair.back.end_encryption()
    for page, name in ((pair.ana_page, BEN), (pair.ben_page, ANA)):
        screen = await opened(visitors, page, name, size=size, scheme=scheme)
        await expect(banner(screen, "encryption-ended")).to_be_visible()
        assert await wrong_with(screen) == []


# --- stuck --------------------------------------------------------------------------------------------------------------
@contextlib.asynccontextmanager
async def stuck(pair: Pair) -> AsyncIterator[None]:
    """The authority of Ben's certificate was withdrawn, and his phone is off."""
    await pair.ben_page.close()
    await pair.ben.go()
    await new_authority(pair.place)
    try:
        await a_day_later(pair.ana)
        await pair.ana.until(lambda events: any(isinstance(event, ev.EncryptionStalled) for event in events))
        yield
    finally:
        await pair.place.lab.kds.close()


async def test_sr01_encryption_that_is_stuck_stays_so_until_it_can_go_on(pair: Pair, visitors: Visitors) -> None:
    ana = await opened(visitors, pair.ana_page, BEN)
    async with stuck(pair):
        await expect(banner(ana, "stalled")).to_be_visible()
        await expect(ana.writing).to_be_hidden()
        # Why, in words, and not by a code.
        feed = ana.page.get_by_role("feed")
        await expect(feed).to_contain_text(say("notice.encryption-stalled.certificate-withdrawn"), use_inner_text=True)
        await expect(feed).not_to_contain_text("certificate-withdrawn")
        # Trying again cannot help: that is said, and nothing claims to be encrypted.
        await in_banner(ana, "dialog.banner.retry").click()
        await expect(ana.page.locator("ll-banner").get_by_role("alert")).to_contain_text(re.compile("withdrawn"))
        await expect(ana.chip).to_contain_text(say("security.stalled.label"))
        assert pair.chat.security.value == "stalled"
        assert await wrong_with(ana) == []
        # To end it is asked about, and Escape is no.
        await in_banner(ana, "dialog.banner.end").click()
        question = ana.dialog(say("dialog.end.name"))
        await question.wait_for()
        await ana.page.keyboard.press("Escape")
        await expect(question).to_be_hidden()
        await expect(ana.chip).to_contain_text(say("security.stalled.label"))
        # His phone gets another certificate.
        await pair.ben.come()
        await a_day_later(pair.ben)
        await expect(ana.chip).to_contain_text(say("security.encrypted.label"), timeout=60_000)
        await ana.write("there you are")
        await pair.ben.until(
            lambda events: any(
                isinstance(event, ev.MessageReceived) and event.text == "there you are" for event in events
            ),
            60,
        )


@pytest.mark.parametrize(("size", "scheme"), LOOKS)
async def test_stuck_encryption_can_be_seen_by_everybody(
    pair: Pair, visitors: Visitors, size: tuple[int, int], scheme: str
) -> None:
    async with stuck(pair):
        ana = await opened(visitors, pair.ana_page, BEN, size=size, scheme=scheme)
        await expect(banner(ana, "stalled")).to_be_visible()
        assert await wrong_with(ana) == []


# --- a group that waits for keys -----------------------------------------------------------------------------------------
async def test_sr01_in_a_group_one_can_decide_to_wait_and_to_nothing_else(pair: Pair, visitors: Visitors) -> None:
    group = await pair.ana.client.create_group([BEN, CLEO], "Picnic", protocol="rcc16")
    ana = await opened(visitors, pair.ana_page, "Picnic")
    note = banner(ana, "no-keys-found")
    await expect(note).to_be_visible()
    await expect(in_banner(ana, "dialog.banner.members")).to_be_visible()
    for key in ("dialog.banner.choose", "dialog.banner.invite"):
        await expect(in_banner(ana, key)).to_have_count(0)
    await ana.writing.fill("who comes?")
    await ana.writing.press("Enter")
    dialog = ana.dialog(say("security.no-keys-found.label"))
    keep = dialog.get_by_role("button", name=say("dialog.fallback.keep"), exact=True)
    await expect(keep).to_be_focused()
    await expect(dialog.get_by_role("button", name=say("option.plain-rcs.label"), exact=True)).to_have_count(0)
    assert await wrong_with(ana) == []
    await ana.page.keyboard.press("Escape")
    await expect(ana.writing).to_have_value("who comes?")
    assert not [message for message in await group.messages() if message.mine and message.text == "who comes?"]
    await ana.writing.press("Enter")
    await keep.click()
    first = await ana.sees("who comes?")
    await expect(first).to_contain_text(say("page.status_waiting"))
    # Asked once.
    await ana.write("and who brings what?")
    await expect(dialog).to_be_hidden()
    waiting = ana.page.get_by_role("article").filter(has_text=say("page.status_waiting"))
    await expect(waiting).to_have_count(2)
    assert group.security.value == "no-keys-found"
