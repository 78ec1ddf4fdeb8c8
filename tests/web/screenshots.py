"""`./run screenshots [NAME]`: docs/screenshots/NAME-THEME-WIDTH.png of chat, fallback, code, group and demo.

The same from run to run but for what chance makes, keys and their codes: the hour is always the same, nothing moves, and
the palette is small, because pictures stay in a repository for ever.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.async_api import Browser, Page

from daemon.town import town
from letterlock import words
from letterlock.apps.demo.server import DemoServer
from web.browser import DESKTOP, PHONE, Visit, chromium, missing
from web.screen import Screen
from web.tour import SCREENS, furnished

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "screenshots"
NAMES = ("chat", "fallback", "code", "group", "demo")
_COLOURS = 128
_SAID = ("The key is under the blue pot.", "Thank you! I shall be there at eight.")

# Every moment is the same to the eye.
_CLOCK = """
const format = Object.getOwnPropertyDescriptor(Intl.DateTimeFormat.prototype, 'format').get;
Object.defineProperty(Intl.DateTimeFormat.prototype, 'format', {
  get() { return () => format.call(this)(new Date('2026-05-03T10:24:00Z')); },
});
"""


async def shoot(page: Page, name: str, scheme: str, size: tuple[int, int], folder: Path) -> Path:
    """Take it, and keep it small."""
    await page.evaluate("document.fonts.ready.then(() => new Promise((done) => requestAnimationFrame(() => done())))")
    shot = Image.open(io.BytesIO(await page.screenshot(animations="disabled", caret="hide")))
    path = folder / f"{name}-{scheme}-{size[0]}.png"
    quantised = shot.convert("RGB").quantize(_COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    quantised.save(path, optimize=True)
    return path


async def of_phones(browser: Browser, names: list[str], folder: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="letterlock-shots-") as place:
        async with town(Path(place)) as both:
            await furnished(both)
            for scheme in ("light", "dark"):
                for size in (DESKTOP, PHONE):
                    async with Visit.to(browser, "", size=size, scheme=scheme) as visit:
                        await visit.context.add_init_script(_CLOCK)
                        await visit.page.goto(both.ana.login_url())
                        for name in names:
                            await SCREENS[name](Screen(visit.page), both)
                            # What was read counts as read a moment later.
                            await visit.page.wait_for_timeout(300)
                            # Nothing is marked that the user would not have marked.
                            await visit.page.mouse.move(0, 0)
                            print(await shoot(visit.page, name, scheme, size, folder), file=sys.stderr)


async def of_demo(browser: Browser, folder: Path) -> None:
    for scheme in ("light", "dark"):
        for size in (DESKTOP, PHONE):
            with tempfile.TemporaryDirectory(prefix="letterlock-shots-", ignore_cleanup_errors=True) as place:
                async with (
                    DemoServer(Path(place), None) as server,
                    Visit.to(browser, "", size=size, scheme=scheme) as visit,
                ):
                    await visit.context.add_init_script(_CLOCK)
                    await visit.page.goto(server.login_url())
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(visit.page.wait_for_load_state("networkidle"), 6)
                    for frame in visit.page.frames[1:]:
                        with contextlib.suppress(Exception):  # a phone that is out of the way on a narrow page
                            await frame.locator("ll-chat-list").wait_for(timeout=3_000)
                    await talk(visit.page, narrow=size == PHONE)
                    print(await shoot(visit.page, "demo", scheme, size, folder), file=sys.stderr)


async def talk(page: Page, *, narrow: bool) -> None:
    """The two phones of the demo write to each other, and the carrier is looked at."""
    await page.get_by_role("button", name=words.text("demo.tour.skip"), exact=True).click()
    for frame, name, text in zip(page.frames[1:], ("Ana", "Ben"), _SAID, strict=False):
        if narrow:
            await page.get_by_role("tab", name=f"{name}'s phone").click()
        writing = frame.locator("ll-composer textarea")
        await writing.fill(text)
        await writing.press("Enter")
        await (
            frame.get_by_role("article")
            .filter(has_text=text)
            .filter(has_text="Seen")
            .or_(frame.get_by_role("article").filter(has_text=text).filter(has_text="Delivered"))
            .wait_for()
        )
    if narrow:
        await page.get_by_role("tab", name="The carrier").click()
    await page.wait_for_timeout(1_500)


async def main(names: list[str], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    async with contextlib.AsyncExitStack() as stack:
        try:
            browser = await stack.enter_async_context(chromium())
        except RuntimeError as reason:
            sys.exit(f"run: error: {reason}\nrun: hint: a container without user namespaces runs it as root only")
        if phones := [name for name in names if name != "demo"]:
            await of_phones(browser, phones, folder)
        if "demo" in names:
            await of_demo(browser, folder)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="./run screenshots", description=__doc__)
    parser.add_argument("name", nargs="*", choices=[*NAMES, []], help="only these")
    parser.add_argument("--to", type=Path, default=FOLDER, help="another folder")
    arguments = parser.parse_args()
    if reason := missing():
        sys.exit(f"run: error: {reason}")
    asyncio.run(main(arguments.name or list(NAMES), arguments.to))
