"""What a screen reader says by itself: what arrives and what opens, once, and nothing of what one did oneself.

The order of the focus in a dialogue is what Orca 43 needs with Firefox, as was heard with both (docs/web.md).
"""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from daemon.town import Town
from web.conftest import Visitors
from web.scenes import acquainted
from web.screen import Screen, say

STRANGER = "+15550777"

pytestmark = [pytest.mark.anyio, pytest.mark.browser, pytest.mark.slow]

# All that live regions have said, and where the focus was: a region holds only what it said last.
_LISTEN = """() => {
  window.said = [];
  window.focused = [];
  const live = '[aria-live], [role=status], [role=alert], [role=log]';
  new MutationObserver((changes) => {
    for (const { target, addedNodes } of changes) {
      const region = (target.nodeType === Node.TEXT_NODE ? target.parentElement : target)?.closest(live);
      if (!region) continue;
      for (const node of addedNodes) if (node.textContent.trim()) window.said.push(node.textContent.trim());
    }
  }).observe(document.body, { childList: true, subtree: true, characterData: true });
  document.addEventListener('focusin', ({ target }) => window.focused.push(target.localName));
}"""


async def listened(page: Page) -> Page:
    await page.evaluate(_LISTEN)
    return page


async def said(page: Page) -> list[str]:
    heard: list[str] = await page.evaluate("window.said")
    return heard


async def test_an_open_chat_and_what_arrives_are_told_once_and_ones_own_is_not(both: Town, visitors: Visitors) -> None:
    await acquainted(both)
    page = await listened((await visitors(both.ana.login_url())).page)
    ana = Screen(page)
    await ana.open(both.ben.number)
    opened = say("page.announce_chat", name=both.ben.number, label=say("security.encrypted.label"))
    status = page.locator("#status")
    await expect(status).to_have_text(opened)
    mine = await ana.write("my own words")
    await expect(mine).to_contain_text(say("page.status_delivered"))
    await (await both.ben.client.chat(both.ana.number)).send("words of another")
    arrived = say("page.announce_message", name=both.ben.number, text="words of another")
    await expect(status).to_have_text(arrived)
    heard = await said(page)
    assert heard.count(opened) == heard.count(arrived) == 1, heard
    assert not [each for each in heard if "my own words" in each], heard


async def test_a_file_on_its_way_does_not_talk_all_the_time(both: Town, visitors: Visitors, tmp_path: Path) -> None:
    path = tmp_path / "large.bin"
    path.write_bytes(b"l" * 6_000_000)
    await acquainted(both)
    page = await listened((await visitors(both.ana.login_url())).page)
    ana = Screen(page)
    await ana.open(both.ben.number)
    await ana.give(path)
    await expect(page.get_by_role("article").last).to_contain_text(say("page.status_delivered"))
    heard = await said(page)
    # That the chat was opened, and at most that it was sent.
    assert len(heard) <= 3, heard


async def test_a_dialogue_is_read_before_its_first_button(both: Town, visitors: Visitors) -> None:
    """SR-01: who hears the page hears what is asked, and who could read, before a button that answers."""
    page = await listened((await visitors(both.ana.login_url())).page)
    ana = Screen(page)
    await ana.begin(STRANGER)
    await expect(ana.chip).to_contain_text(say("security.no-keys-found.label"))
    await page.evaluate("window.focused.length = 0")
    await ana.writing.fill("is this your number?")
    await ana.writing.press("Enter")
    dialog = ana.dialog(say("security.no-keys-found.label"))
    await expect(dialog.get_by_role("button", name=say("dialog.fallback.keep"), exact=True)).to_be_focused()
    order = await page.evaluate("window.focused")
    assert order[-2:] == ["dialog", "button"], order
    # Its description is all of it, with those who could read.
    description = await dialog.evaluate(
        "(dialog) => document.getElementById(dialog.getAttribute('aria-describedby')).textContent"
    )
    assert say("option.plain-rcs.sentence") in description
