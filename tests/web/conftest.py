"""One browser for the session, a town of phones with daemons for a module, and visitors for a test."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from daemon.town import Town, town
from web import browser as chromium
from web import samples
from web.browser import Visit
from web.samples import Samples

Visitors = Callable[..., Awaitable[Visit]]

# Playwright's own five seconds are not enough for a busy machine; what holds at once is not waited for.
expect.set_options(timeout=chromium.PATIENCE)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """One loop for all of them: the browser and the daemons outlive a test."""
    return "asyncio"


@pytest.fixture(scope="session")
async def browser(anyio_backend: str) -> AsyncIterator[Browser]:
    """A running Chromium; skipped, with the reason, where it cannot run."""
    if reason := chromium.missing():
        pytest.skip(reason)
    async with contextlib.AsyncExitStack() as stack:
        try:
            running = await stack.enter_async_context(chromium.chromium())
        except RuntimeError as reason:
            pytest.skip(str(reason))
        yield running


FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "call":
        item.stash[FAILED] = report.failed
    return report


@pytest.fixture
async def visitors(browser: Browser, request: pytest.FixtureRequest) -> AsyncIterator[Visitors]:
    """Makes visitors: `await visitors(url, size=PHONE, scheme="dark")`. What goes wrong in one of their pages fails the test."""
    made: list[Visit] = []
    async with contextlib.AsyncExitStack() as stack:

        async def make(url: str = "", **options: Any) -> Visit:
            visit = await stack.enter_async_context(Visit.to(browser, url, **options))
            made.append(visit)
            return visit

        yield make
        if request.node.stash.get(FAILED, False):
            # What somebody would have seen, beside the reason.
            for visit in made:
                print(f"--- {visit.page.url}\n{(await visit.page.locator('body').aria_snapshot())[:4000]}")
        wrongs = [wrong for visit in made for wrong in visit.wrongs]
    assert not wrongs, "pages complained:\n" + "\n".join(wrongs)


@pytest.fixture
async def both(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    """Ana and Ben with a daemon each, and the embedded carrier between them; more people by `both.person`."""
    async with town(tmp_path_factory.mktemp("town")) as running:
        yield running


@pytest.fixture(scope="session")
def media(tmp_path_factory: pytest.TempPathFactory) -> Samples:
    """Films and pictures; skipped, with the reason, without ffmpeg."""
    if reason := samples.missing():
        pytest.skip(reason)
    return samples.make(tmp_path_factory.mktemp("media"))
