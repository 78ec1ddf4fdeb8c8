"""The same conversation in Firefox and in WebKitGTK, with somebody in Chromium at the other end.

Roles and names are what each engine computes for assistive technology. Whatever an engine complains of, of scripts, of
its console or of the page's policy, fails the test.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import zxingcpp
from PIL import Image

from daemon.town import Town
from web.conftest import Visitors
from web.engines import ENGINES, Engine, missing
from web.samples import SECONDS, Samples
from web.scenes import acquainted
from web.screen import Screen, say
from web.window import Found, Window

CLEO, STRANGER = "+15550142", "+15550777"

pytestmark = [pytest.mark.anyio, pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module", params=list(ENGINES))
async def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Engine]:
    """A running one, for all tests of it; skipped, with the reason, where it is not installed."""
    name: str = request.param
    if reason := missing(name):
        pytest.skip(reason)
    async with ENGINES[name](tmp_path_factory.mktemp(name)) as running:
        print(f"{running.name} {running.version}")
        yield running


@pytest.fixture
async def ana(engine: Engine, both: Town) -> AsyncIterator[Window]:
    """Her window in that engine, logged in by the address that works once."""
    window = Window(engine)
    await window.open("about:blank")
    before = len(await engine.complaints())
    await window.open(both.ana.login_url())
    await engine.complaints()
    await window.find("button", say("page.settings"))
    yield window
    wrongs = (await engine.complaints())[before:]
    await window.open("about:blank")
    assert not wrongs, f"{engine.name} complained:\n" + "\n".join(wrongs)


async def field(window: Window) -> Found:
    """Where a message is written."""
    found: Found = await window.wait_for("return document.querySelector('ll-composer textarea')")
    return found


async def write(window: Window, text: str) -> Found:
    writing = await field(window)
    await writing.type(text)
    await writing.type("Enter")
    return await window.sees("article", text)


async def chip(window: Window) -> Found:
    """The state of the open chat, a button that explains it."""
    found: Found = await window.wait_for(
        "return document.querySelector('ll-conversation header [aria-haspopup=dialog]')"
    )
    return found


async def test_what_an_engine_complains_of_is_heard(engine: Engine, both: Town) -> None:
    """Otherwise the silence that the other tests ask for would mean nothing."""
    window = Window(engine)
    await window.open(both.ana.login_url())
    before = len(await engine.complaints())
    for script in (
        "setTimeout(() => { throw new Error('thrown on purpose'); })",
        "setTimeout(() => console.error('written on purpose'))",
        "document.body.append(Object.assign(document.createElement('img'), { src: 'http://127.0.0.1:9/forbidden.png' }))",
    ):
        await window.run(script)
    async with asyncio.timeout(30):
        while len(found := (await engine.complaints())[before:]) < 3:
            await asyncio.sleep(0.05)
    for wrong in ("thrown on purpose", "written on purpose", "forbidden.png"):
        assert any(wrong in each for each in found), found


async def test_both_write_and_see_it(ana: Window, both: Town, visitors: Visitors) -> None:
    await acquainted(both)
    ben = Screen((await visitors(both.ben.login_url())).page)
    await ben.open(both.ana.number)
    await (await ana.sees("link", both.ben.number)).click()
    assert say("security.encrypted.label") in await (await chip(ana)).text()
    mine = await write(ana, "does it work there?")
    await ben.sees("does it work there?")
    await ana.wait_for(
        "return arguments[0].isConnected && arguments[0].textContent.includes(arguments[1])",
        mine,
        say("page.status_displayed"),
    )
    await ben.write("it does here")
    theirs = await ana.sees("article", "it does here")
    assert say("page.encrypted") in await theirs.name()
    # A message that tells of itself: the reader is told once, of hers not at all.
    told = "return document.getElementById('status').textContent.includes(arguments[0])"
    await ana.wait_for(told, "it does here")
    # By the keyboard: up from the field to the newest, and its menu.
    await (await field(ana)).type("ArrowUp")
    assert await theirs.focused()
    await theirs.type("Enter")
    await ana.find("menu", say("page.actions"))
    await ana.press("Escape")
    await ana.wait_for("return !document.querySelector('[role=menu]')?.checkVisibility()")


async def test_light_and_dark_and_as_narrow_as_a_phone(ana: Window, both: Town) -> None:
    await acquainted(both)
    await (await ana.find("button", say("page.settings"))).click()
    colours = []
    for key in ("dark", "light"):
        choice = await ana.find("radio", say(f"dialog.settings.theme-{key}"))
        await choice.does("arguments[0].click()")
        colours.append(
            await ana.run(
                "return getComputedStyle(document.documentElement).colorScheme + getComputedStyle(document.querySelector('dialog[open]')).backgroundColor"
            )
        )
    assert len(set(colours)) == 2, colours
    await ana.press("Escape")
    for width in (1280, 390):
        await ana.resize(width, 844)
        await ana.run("location.hash = '#/'")
        await (await ana.sees("link", both.ben.number)).click()
        await field(ana)
        # Nothing sticks out to the side.
        assert await ana.run("return document.scrollingElement.scrollWidth <= document.documentElement.clientWidth")
    await ana.resize(1280, 844)


async def test_who_cannot_be_written_to_encrypted_is_asked_about_and_escape_is_no(ana: Window, both: Town) -> None:
    """SR-01, in each engine's own handling of a modal dialogue and of Escape."""
    await (await ana.find("button", say("page.new_chat"))).click()
    dialog = await ana.find("dialog", say("dialog.new.name"))
    await (await ana.find("textbox", say("dialog.new.number"), within=dialog)).type(STRANGER)
    await (await ana.find("button", say("dialog.new.begin"), within=dialog)).click()
    await ana.wait_for(
        "return document.querySelector('ll-conversation header')?.textContent.includes(arguments[0])",
        say("security.no-keys-found.label"),
    )
    writing = await field(ana)
    await writing.type("is this your number?")
    await writing.type("Enter")
    dialog = await ana.find("dialog", say("security.no-keys-found.label"))
    await ana.find("button", say("option.plain-rcs.label"), within=dialog)
    keep = await ana.find("button", say("dialog.fallback.keep"), within=dialog)
    await ana.wait_for("return arguments[0] === document.activeElement", keep)
    await ana.press("Escape")
    await ana.wait_for("return !document.querySelector('dialog[open]')")
    chat = await both.ana.client.chat(STRANGER)
    assert chat.security.value == "no-keys-found"
    assert not [each for each in await chat.messages() if each.status.name in ("ACCEPTED", "DELIVERED")]


async def test_the_code_is_read_in_twelve_groups_and_by_a_camera(ana: Window, both: Town) -> None:
    await acquainted(both)
    await (await ana.sees("link", both.ben.number)).click()
    await (await chip(ana)).click()
    dialog = await ana.find("dialog", say("dialog.code.name"))
    digits = await ana.find("list", say("dialog.code.digits"), within=dialog)
    groups = await ana.all("group", within=digits)
    code = await (await both.ana.client.chat(both.ben.number)).security_code()
    assert [await group.text() for group in groups] == list(code.groups)
    spoken = [" ".join(five) for five in code.groups]
    named = [say("dialog.code.group", at=at, of=12, digits=five) for at, five in enumerate(spoken, 1)]
    assert [await group.name() for group in groups] == named
    await ana.find("image", say("dialog.code.qr", name=both.ben.number), within=dialog)
    (read,) = zxingcpp.read_barcodes(Image.open(io.BytesIO(await ana.screenshot())))
    assert read.bytes == code.scannable
    await ana.press("Escape")
    await ana.wait_for("return !document.querySelector('dialog[open]')")
    assert (await both.ana.client.chat(both.ben.number)).security.value == "encrypted"
    assert await (await chip(ana)).focused()


async def test_a_group_is_made_and_what_was_said_in_it_is_found(ana: Window, both: Town, visitors: Visitors) -> None:
    cleo = await both.person("cleo", CLEO)
    await acquainted(both)
    await acquainted(both, both.ana, cleo)
    await (await ana.find("button", say("page.new_chat"))).click()
    dialog = await ana.find("dialog", say("dialog.new.name"))
    await (await ana.find("radio", say("dialog.new.group"), within=dialog)).does("arguments[0].click()")
    await (await ana.find("textbox", say("dialog.new.subject"), within=dialog)).type("Picnic")
    for number in (both.ben.number, CLEO):
        # A field that suggests is a combobox to some engines.
        await ana.wait_for("return document.querySelector('dialog[open] ll-people input')")
        person = await ana.run("return document.querySelector('dialog[open] ll-people input')")
        await person.type(number)
        await (await ana.find("button", say("dialog.people.add"), within=dialog)).click()
    await (await ana.find("button", say("dialog.new.begin"), within=dialog)).click()
    await ana.find("heading", "Picnic")
    await write(ana, "who brings the bread?")
    ben = Screen((await visitors(both.ben.login_url())).page)
    await ben.open("Picnic")
    await ben.sees("who brings the bread?")
    await ben.write("I do")
    await ana.sees("article", "I do")
    # Search.
    box = await ana.wait_for("return document.querySelector('input[type=search]')")
    await box.type("bread")
    hit = await ana.wait_for("return document.querySelector('a[href] mark')?.closest('a')")
    await hit.click()
    await ana.wait_for("return document.activeElement.textContent.includes('who brings the bread?')")


async def test_a_file_goes_with_progress_and_a_film_is_jumped_in(
    ana: Window, both: Town, visitors: Visitors, media: Samples, tmp_path: Path
) -> None:
    await acquainted(both)
    ben = Screen((await visitors(both.ben.login_url())).page)
    await ben.open(both.ana.number)
    await (await ana.sees("link", both.ben.number)).click()
    await field(ana)
    large = tmp_path / "large.bin"
    large.write_bytes(b"l" * 3_000_000)
    # Seen by an observer: on a fast machine the bar is gone before a driver has asked for it.
    await ana.run(
        """
        window.bars = [];
        new MutationObserver(() => {
          const bar = document.querySelector("ll-uploads progress, [role=progressbar], progress");
          if (bar) window.bars.push(bar.getAttribute("aria-label"));
        }).observe(document.body, { childList: true, subtree: true });
        """
    )
    await ana.drop(await ana.run("return document.querySelector('ll-conversation')"), large, "application/octet-stream")
    dialog = await ana.find("dialog", say("dialog.attach.name", count=1))
    await (await ana.find("button", say("dialog.attach.send", count=1), within=dialog)).click()
    await ben.page.get_by_role("button", name=say("dialog.media.save-name", name="large.bin")).wait_for()
    assert say("dialog.upload.progress", name="large.bin") in await ana.run("return window.bars")
    # What both engines have decoders for, whatever a system's patents allow.
    await ben.give(media["vp9.webm"])
    await (await ana.find("button", say("dialog.media.film", name="vp9.webm"), begins=True)).click()
    await ana.wait_for("return document.querySelector('video')?.currentTime > 0.2")
    await ana.run("document.querySelector('video').currentTime = arguments[0]", SECONDS * 0.7)
    await ana.wait_for(
        "const video = document.querySelector('video'); return !video.seeking && video.currentTime > arguments[0]",
        SECONDS * 0.7 + 0.1,
    )
    assert await ana.run("return document.querySelector('video').videoWidth") == 320
