"""Everybody can use every screen: axe-core finds nothing, the keyboard reaches all of it, and what is read out makes sense."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import expect

from daemon.town import Town
from web.browser import DESKTOP, PHONE
from web.conftest import Visitors
from web.looking import inaccessible
from web.scenes import acquainted, heard
from web.screen import Screen, say
from web.tour import SCREENS, furnished

pytestmark = [pytest.mark.anyio, pytest.mark.browser, pytest.mark.slow]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["390", "1280"])
async def test_axe_finds_nothing_on_any_screen(
    both: Town, visitors: Visitors, scheme: str, size: tuple[int, int]
) -> None:
    await furnished(both)
    visit = await visitors(both.ana.login_url(), scheme=scheme, size=size)
    found = {}
    for name, go in SCREENS.items():
        await go(Screen(visit.page), both)
        if violations := await inaccessible(visit.page):
            found[name] = violations
    assert found == {}


async def test_a_whole_conversation_by_keyboard_alone(both: Town, visitors: Visitors) -> None:
    """Nobody touches a pointer: find the chat, read, react, reply, edit, search, and look at the code."""
    await acquainted(both)
    visit = await visitors(both.ana.login_url())
    ana, keys = Screen(visit.page), visit.page.keyboard
    await ana.row(both.ben.number).wait_for()
    await keys.press("Tab")
    for _ in range(12):
        if await ana.row(both.ben.number).evaluate("(row) => row === document.activeElement"):
            break
        await keys.press("Tab")
    await expect(ana.row(both.ben.number)).to_be_focused()
    await keys.press("Enter")
    await expect(ana.writing).to_be_focused()
    await keys.type("without a mouse")
    await keys.press("Enter")
    mine = await ana.sees("without a mouse")
    await expect(ana.writing).to_be_focused()
    # Up, into the messages: the newest is first.
    await keys.press("ArrowUp")
    await expect(mine).to_be_focused()
    await keys.press("ArrowUp")
    theirs = ana.bubble("hello from ben")
    await expect(theirs).to_be_focused()
    # A reaction by its menu.
    await keys.press("Enter")
    menu = ana.page.get_by_role("menu", name=say("page.actions"))
    await expect(menu).to_be_visible()
    await keys.press("Escape")
    await expect(menu).to_have_count(0)
    await expect(theirs).to_be_focused()
    await keys.press("Enter")
    await menu.wait_for()
    # The row of emoji is above the first action.
    await keys.press("ArrowUp")
    await keys.press("Enter")
    await expect(theirs.get_by_role("group", name=say("page.reactions"))).to_be_visible()
    # A reply.
    await theirs.focus()
    await keys.press("r")
    await expect(ana.writing).to_be_focused()
    await keys.type("and an answer")
    await keys.press("Enter")
    answer = await ana.sees("and an answer")
    await expect(answer.get_by_role("button").filter(has_text="hello from ben")).to_be_visible()
    # An edit.
    await keys.press("ArrowUp")
    await keys.press("e")
    await keys.press("End")
    await keys.type(", edited")
    await keys.press("Enter")
    await heard(both.ben, "message-edited")
    # The code, and back, without having said anything.
    for _ in range(12):
        if await ana.chip.evaluate("(chip) => chip === document.activeElement"):
            break
        await keys.press("Shift+Tab")
    await expect(ana.chip).to_be_focused()
    await keys.press("Enter")
    await ana.dialog(say("dialog.code.name")).wait_for()
    await keys.press("Escape")
    await expect(ana.chip).to_be_focused()
    # Search.
    await keys.press("Control+k")
    await keys.type("mouse")
    hit = ana.page.get_by_role("link").filter(has_text="without a mouse").last
    await hit.wait_for()
    await keys.press("ArrowDown")
    await keys.press("Enter")
    await expect(mine).to_be_focused()


async def test_the_focus_can_be_seen_and_stays_in_a_dialogue(both: Town, visitors: Visitors) -> None:
    await furnished(both)
    visit = await visitors(both.ana.login_url())
    for name in ("chat", "code", "new chat", "settings"):
        await SCREENS[name](Screen(visit.page), both)
        modal = await visit.page.locator("dialog[open]").count() > 0
        for _ in range(14):
            await visit.page.keyboard.press("Tab")
            seen = await visit.page.evaluate(
                """() => {
                  const focused = document.activeElement;
                  if (focused === document.body) return null;
                  const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(focused);
                  const around = focused.parentElement ? getComputedStyle(focused.parentElement) : null;
                  return {
                    what: focused.outerHTML.slice(0, 120),
                    ring: (outlineStyle !== 'none' && parseFloat(outlineWidth) > 0) || boxShadow !== 'none' ||
                      (around && (around.outlineStyle !== 'none' || around.boxShadow !== 'none')) ||
                      focused.matches('input[type=radio], input[type=range], dialog, h2'),
                    inside: Boolean(focused.closest('dialog[open]')),
                  };
                }"""
            )
            if seen is None:
                continue
            assert seen["ring"], (name, seen)
            assert seen["inside"] or not modal, (name, seen)


async def test_buttons_are_large_enough_to_hit(both: Town, visitors: Visitors) -> None:
    """24 CSS pixels at least, 44 where the pointer is a finger (WCAG 2.2, 2.5.8; ux.md)."""
    await furnished(both)
    visit = await visitors(both.ana.login_url(), size=PHONE, has_touch=True, is_mobile=True)
    small = {}
    for name in ("list", "chat", "code", "group", "new chat", "settings"):
        await SCREENS[name](Screen(visit.page), both)
        found = await visit.page.evaluate(
            """() => [...document.querySelectorAll('button, a[href], input, textarea, select, summary')].filter((each) => {
              if (!each.checkVisibility({ visibilityProperty: true, opacityProperty: true })) return false;
              if (each.matches('.picker, .spoken *, p a, .link, label input') || each.closest('[inert]')) return false;
              const box = each.getBoundingClientRect();
              return box.width > 1 && (box.width < 24 || box.height < 24);
            }).map((each) => `${each.outerHTML.slice(0, 90)} ${each.getBoundingClientRect().width}x${each.getBoundingClientRect().height}`)"""
        )
        if found:
            small[name] = found
    assert small == {}


_TIME = re.compile(r"\d{1,2}:\d{2}(\s|\u202f)[AP]M")


async def test_what_a_screen_reader_has_of_the_chat(both: Town, visitors: Visitors) -> None:
    await furnished(both)
    visit = await visitors(both.ana.login_url())
    await SCREENS["chat"](Screen(visit.page), both)
    heading = visit.page.locator("ll-conversation > header")
    await expect(heading).to_match_aria_snapshot("""
      - heading "Ben" [level=2]
      - paragraph: "+15550199"
      - button "Encrypted"
      - button "More about this chat"
    """)
    await expect(visit.page.get_by_role("feed")).to_match_aria_snapshot("""
      - feed "Messages":
        - 'article /You: Have you seen the weather for Sunday\\?, .*Encrypted, /'
        - 'article /Ben: Sun until four, they say\\., .*Encrypted/'
        - 'article /Ben: I can bring the big blanket and something to drink\\., .*Encrypted/'
        - 'article /You: Then we meet at the lake\\. I have told Cleo\\., .*Encrypted, /'
        - 'article /Ben: Place: At the lake, .*Encrypted/'
    """)
    await expect(visit.page.locator("ll-composer")).to_match_aria_snapshot("""
      - button "Attach"
      - textbox "Encrypted message"
      - button "Emoji"
      - button "Record a voice message"
      - button "Send" [disabled]
    """)


async def test_what_a_screen_reader_has_of_the_code(both: Town, visitors: Visitors) -> None:
    await furnished(both)
    visit = await visitors(both.ana.login_url())
    await SCREENS["code"](Screen(visit.page), both)
    await expect(visit.page.get_by_role("dialog")).to_match_aria_snapshot("""
      - dialog "Security code":
        - banner:
          - heading "Security code" [level=2]
          - button "Close"
        - paragraph: /you and Ben/
        - figure:
          - img "QR code for Ben to scan"
    """)
    digits = visit.page.get_by_label(say("dialog.code.digits"))
    groups = digits.get_by_role("group")
    # Not one number of sixty digits, but twelve groups that say which they are, and digits one by one: a reader says the
    # name in the place of the text.
    code = await (await both.ana.client.chat(both.ben.number)).security_code()
    for at, five in enumerate(code.groups):
        name = say("dialog.code.group", at=at + 1, of=12, digits=" ".join(five))
        await expect(groups.nth(at)).to_have_accessible_name(name)
        await expect(groups.nth(at)).to_have_text(five)
