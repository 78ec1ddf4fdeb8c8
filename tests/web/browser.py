"""Debian's Chromium, driven by Playwright, and pages that tell on themselves.

A page that writes an error to its console, throws, or does what its Content-Security-Policy forbids fails its test:
each of them is kept in `Visit.complaints`, and the fixtures of conftest.py look there at the end. A test that provokes
one says so beforehand (`Visit.expect`).
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import playwright
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Error, Page, Request, async_playwright

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
_DRIVER = Path(playwright.__file__).parent / "driver" / "node"
PHONE, DESKTOP = (390, 844), (1280, 800)
# Milliseconds within which something has to come: far more than it takes, because the machine may be busy.
PATIENCE = 30_000

_SWITCHES = (
    # Quiet, and the same everywhere.
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--force-color-profile=srgb",
    "--font-render-hinting=none",
    "--lang=en-US",
    # A tone for a microphone and a test picture for a camera, and nobody asks.
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
)

_TELL = """
document.addEventListener('securitypolicyviolation', (event) => {
  console.error('securitypolicyviolation: ' + event.effectiveDirective + ' ' + event.blockedURI + ' ' +
    event.sourceFile + ':' + event.lineNumber + ' ' + event.sample);
});
"""


def missing() -> str:
    """Why there is no browser here, empty when there is one."""
    if not Path(CHROMIUM).exists():
        return "chromium is not installed (apt-get install chromium fonts-dejavu fonts-noto-color-emoji ffmpeg)"
    # Seen on a bare Debian: the driver is linked against a library that nothing else there had brought along.
    driver = subprocess.run([_DRIVER, "--version"], capture_output=True, text=True, check=False)
    if driver.returncode:
        return f"Playwright's driver does not start (apt-get install libatomic1): {driver.stderr.strip()}"
    return ""


@contextlib.asynccontextmanager
async def chromium(*more: str) -> AsyncIterator[Browser]:
    """A running browser. Raises RuntimeError with the reason when it does not start.

    Root has to do without Chromium's sandbox; anybody else needs user namespaces for it, which a container may forbid.
    """
    switches = [*_SWITCHES, *(["--no-sandbox"] if os.geteuid() == 0 else []), *more]
    async with async_playwright() as playwright:
        try:
            # Playwright would add --no-sandbox by itself.
            browser = await playwright.chromium.launch(
                executable_path=CHROMIUM, args=switches, chromium_sandbox=os.geteuid() != 0
            )
        except Error as error:
            raise RuntimeError(f"chromium does not start: {error.message.splitlines()[0]}") from error
        try:
            yield browser
        finally:
            await browser.close()


class Visit:
    """One visitor: a browser context of its own, with one page, and what went wrong in it."""

    def __init__(self, context: BrowserContext, page: Page) -> None:
        self.context, self.page = context, page
        self.complaints: list[str] = []
        self._expected: list[re.Pattern[str]] = []
        context.on("console", self._said)
        context.on("weberror", lambda error: self._complain(f"uncaught: {error.error}"))
        context.on("requestfailed", self._failed)

    @classmethod
    @contextlib.asynccontextmanager
    async def to(
        cls,
        browser: Browser,
        url: str = "",
        *,
        size: tuple[int, int] = DESKTOP,
        scheme: str = "light",
        still: bool = True,
        **options: Any,
    ) -> AsyncIterator[Visit]:
        """A new visitor who opens `url`. `still`: it has asked for no motion. `options` are those of a context."""
        settings: Mapping[str, Any] = {
            "viewport": {"width": size[0], "height": size[1]},
            "color_scheme": scheme,
            "reduced_motion": "reduce" if still else "no-preference",
            "locale": "en-US",
            "timezone_id": "UTC",
            "service_workers": "block",
            **options,
        }
        context = await browser.new_context(**settings)
        try:
            context.set_default_timeout(PATIENCE)
            await context.add_init_script(_TELL)
            visit = cls(context, await context.new_page())
            if url:
                await visit.page.goto(url)
            yield visit
        finally:
            await context.close()

    def expect(self, pattern: str) -> None:
        """What matches this is no complaint: the test provokes it."""
        self._expected.append(re.compile(pattern))

    @property
    def wrongs(self) -> list[str]:
        """Complaints that the test did not expect."""
        return [each for each in self.complaints if not any(pattern.search(each) for pattern in self._expected)]

    def _said(self, message: ConsoleMessage) -> None:
        where = str(message.location.get("url", ""))
        # Chromium asks for one whatever the page says.
        if message.type == "error" and not where.endswith("/favicon.ico"):
            self._complain(f"console: {message.text} ({where})")

    def _failed(self, request: Request) -> None:
        # A policy that forbids a request says so here too. A request that a page or a player gives up is in order.
        if (request.failure or "") not in ("net::ERR_ABORTED", ""):
            self._complain(f"request: {request.failure} {request.url}")

    def _complain(self, text: str) -> None:
        self.complaints.append(text)
