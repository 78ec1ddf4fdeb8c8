"""What must hold of every screen: it fits, mirrors, moves only for those who want it, and hostile content is only text (SR-14)."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Locator, Page, expect

from daemon.town import Town, town
from letterlock.engine.limits import DEFAULTS
from web.browser import DESKTOP, PHONE
from web.conftest import Visitors
from web.looking import sticking_out, untranslated
from web.scenes import acquainted, heard
from web.screen import Screen, say
from web.tour import SCREENS, furnished

pytestmark = [pytest.mark.anyio, pytest.mark.browser, pytest.mark.slow]

_LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft" * 3
HOSTILE = {
    "markup": "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script><h1>big</h1><style>*{display:none}</style>",
    "directions": "\u202e\u2067\u202d" * 40 + "gnp.exe \u202e\u2066 drowssap",
    "combining": "Z" + "\u0301\u0337\u0489" * 33_334,
    "emoji": "👩‍👩‍👧‍👦🏳️‍🌈😀" * 1_700,
    "one word": _LONG,
    "lines": "\n" * 2_000 + "end",
    "link": "javascript:alert(1) https://example.com/\u202e/moc.elgoog//:sptth data:text/html,<script>1</script>",
    "controls": "a\x00b\x07c\u2028d\u2029e\ufeff\u200b\u200d",
}


@pytest.fixture
async def generous(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    """Phones that let through more than ours do, as another vendor's may."""
    limits = dataclasses.replace(DEFAULTS, max_text=400_000)
    async with town(tmp_path_factory.mktemp("town"), engine_limits=limits) as both:
        yield both


async def boxes(page: Page) -> dict[str, dict[str, float]]:
    """Where the parts of a page are, which no content may move."""
    found: dict[str, dict[str, float]] = await page.evaluate(
        """() => Object.fromEntries(['ll-conversation > header', 'll-composer', 'll-timeline'].map((part) => {
          const { x, y, width, height } = document.querySelector(part).getBoundingClientRect();
          return [part, { x, y, width, height }];
        }))"""
    )
    return found


async def inked(bubble: Locator) -> bool:
    """Whether nothing of a message is painted over its neighbours: its text is cut where its box ends."""
    found: bool = await bubble.evaluate(
        """(message) => {
          const text = message.querySelector('.text');
          for (let up = text; up && up !== message.parentElement; up = up.parentElement) {
            const style = getComputedStyle(up);
            if (['hidden', 'clip', 'auto', 'scroll'].includes(style.overflowY) || style.contain.includes('paint')) return true;
          }
          return false;
        }"""
    )
    return found


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["390", "1280"])
@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_message_is_text_and_breaks_nothing(
    generous: Town, visitors: Visitors, name: str, size: tuple[int, int]
) -> None:
    await acquainted(generous)
    ana = Screen((await visitors(generous.ana.login_url(), size=size)).page)
    await ana.open(generous.ben.number)
    await ana.sees("hello from ben")
    before = await boxes(ana.page)
    chat = await generous.ben.client.chat(generous.ana.number)
    sent = await chat.send(HOSTILE[name])
    await heard(generous.ana, "message-received", message_id=sent)
    bubble = ana.page.locator(f"[data-message-id='{sent}']")
    await bubble.wait_for()
    await chat.send("and now?")
    after = await ana.sees("and now?")
    assert await boxes(ana.page) == before
    assert "owned" not in await ana.page.title()
    assert await sticking_out(ana.page) == []
    assert await bubble.locator("script, h1, style, iframe, object, a:not([href^='http'])").count() == 0
    assert await bubble.locator("img").count() == 0
    if name == "combining":
        assert await inked(bubble)
        assert (await bubble.bounding_box() or {})["height"] < size[1]
    if name in ("directions", "link"):
        # What comes behind it still runs in its own direction, and so does our own line below the text.
        assert await after.evaluate("(message) => getComputedStyle(message).direction") == "ltr"
    # The rest works on: there is a way to all of it, and to write.
    more = bubble.get_by_role("button", name=re.compile("^Show all"))
    if await more.count():
        await more.click()
        assert await sticking_out(ana.page) == []
    await ana.write("I am still here")


async def test_hostile_names_of_files_groups_and_people(
    both: Town, visitors: Visitors, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A file's name, a group's subject and the name that somebody was given: each is text, on both widths."""
    await acquainted(both)
    path = tmp_path_factory.mktemp("file") / "x.bin"
    path.write_bytes(b"x" * 3000)
    names = [
        "\u202egnp.exe",
        "<script>x</script>.html",
        "../../../etc/passwd",
        "a" * 200 + ".txt",
        "Z" + "\u0301" * 90 + ".png",
    ]
    chat = await both.ben.client.chat(both.ana.number)
    for name in names:
        await chat.send_file(path, name=name)
    subject = "<b>Picnic</b> \u05d0\u05d1 " + "Z" + "\u0489" * 60
    group = await both.ben.client.create_group([both.ana.number], subject)
    await group.send("hello")
    visit = await visitors(both.ana.login_url())
    ana = Screen(visit.page)
    await ana.begin(both.ben.number)
    await ana.button("page.chat_menu").click()
    await ana.page.get_by_role("menuitem", name=say("page.rename"), exact=True).click()
    dialog = ana.dialog(say("page.rename"))
    await dialog.get_by_label(say("page.rename_label")).fill("\u202e<i>Ben</i> " + "Z" + "\u0301" * 40)
    await dialog.get_by_role("button", name=say("page.save"), exact=True).click()
    await expect(ana.page.locator("ll-attachment")).to_have_count(len(names))
    for size in (DESKTOP, PHONE):
        await ana.page.set_viewport_size({"width": size[0], "height": size[1]})
        assert await sticking_out(ana.page) == []
    assert await ana.page.locator("ll-conversation b, ll-conversation i, ll-conversation script").count() == 0
    # What is saved has a name that goes nowhere.
    saved = await ana.page.get_by_role(
        "button", name=re.compile("^" + re.escape(say("dialog.media.save-name", name="")))
    ).evaluate_all("(buttons) => buttons.map((button) => button.getAttribute('aria-label'))")
    assert not [name for name in saved if "/" in name or "\u202e" in name or ".." in name]
    await ana.page.goto(f"{both.ana.daemon.url}/#/")
    assert await sticking_out(ana.page) == []
    row = ana.list.get_by_role("link").filter(has_text="Picnic")
    assert (await row.bounding_box() or {})["height"] < 120
    await row.click()
    await ana.writing.wait_for()
    assert await sticking_out(ana.page) == []


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["390", "1280"])
async def test_every_screen_fits(both: Town, visitors: Visitors, size: tuple[int, int]) -> None:
    await furnished(both)
    visit = await visitors(both.ana.login_url(), size=size)
    wrong = {}
    for name, go in SCREENS.items():
        await go(Screen(visit.page), both)
        if found := await sticking_out(visit.page):
            wrong[name] = found
    assert wrong == {}


async def test_style_sheets_of_what_comes_later_hold_once_they_are_there(both: Town, visitors: Visitors) -> None:
    """The page is shown without waiting for them."""
    page = (await visitors(both.ana.login_url())).page
    await expect(page.locator("link[media='not all']")).to_have_count(0)
    names = await page.evaluate("[...document.styleSheets].filter((one) => one.cssRules.length).map((one) => one.href)")
    assert len(names) == await page.locator("link[rel=stylesheet]").count() > 10


async def test_from_right_to_left_every_screen_is_mirrored_and_translated(both: Town, visitors: Visitors) -> None:
    data = await furnished(both)
    visit = await visitors(f"{both.ana.login_url()}")
    page = visit.page
    await page.goto(f"{both.ana.daemon.url}/?locale=ar-XB")
    screen = Screen(page, locale="ar-XB")
    missed = {}
    for name, go in SCREENS.items():
        await go(screen, both)
        if found := await untranslated(page, data):
            missed[name] = found
        if found := await sticking_out(page):
            missed[f"{name} sticks out"] = found
    assert missed == {}
    assert await page.locator("html").get_attribute("dir") == "rtl"
    # Own messages stand on the other side than in English, and so does the list.
    await SCREENS["chat"](screen, both)
    mirrored = await sides(page)
    await page.goto(f"{both.ana.daemon.url}/?locale=en")
    await SCREENS["chat"](Screen(page), both)
    straight = await sides(page)
    assert straight == {"list": "left", "mine": "right", "theirs": "left", "send": "right"}
    assert mirrored == {"list": "right", "mine": "left", "theirs": "right", "send": "left"}


async def sides(page: Page) -> dict[str, str]:
    found: dict[str, str] = await page.evaluate(
        """() => {
          const middle = (box) => (box.left + box.right) / 2;
          const within = (inner, outer) => middle(inner.getBoundingClientRect()) < middle(outer.getBoundingClientRect()) ? 'left' : 'right';
          const main = document.querySelector('ll-timeline');
          return {
            list: within(document.querySelector('ll-chat-list'), document.body),
            mine: within(document.querySelector('ll-message.mine .bubble'), main),
            theirs: within(document.querySelector('ll-message.theirs .bubble'), main),
            send: within(document.querySelector('ll-composer [type=submit]'), main),
          };
        }"""
    )
    return found


async def test_who_wants_no_motion_gets_none(both: Town, visitors: Visitors) -> None:
    await furnished(both)
    still = (await visitors(both.ana.login_url())).page
    moving = (await visitors(both.ana.login_url(), still=False)).page
    watch = """() => {
      window.moved = [];
      for (const type of ['transitionrun', 'animationstart']) {
        document.addEventListener(type, (event) => {
          const lasts = event.target.getAnimations({ subtree: true }).some((one) => one.effect.getComputedTiming().duration > 20);
          if (lasts) window.moved.push(type + ' ' + event.target.localName + ' ' + (event.propertyName ?? event.animationName));
        }, true);
      }
    }"""
    for page in (still, moving):
        await page.evaluate(watch)
        screen = Screen(page)
        for name in ("chat", "menu", "new chat", "code", "group"):
            await SCREENS[name](screen, both)
        # A transition is announced with the frame that begins it.
        await page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert await still.evaluate("moved") == []
