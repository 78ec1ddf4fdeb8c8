"""One browser for the session, a town of phones with daemons for a module, and visitors for a test."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from playwright.async_api import Browser

from web import browser as chromium
from web.browser import Visit

Visitors = Callable[..., Awaitable[Visit]]


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


@pytest.fixture
async def visitors(browser: Browser) -> AsyncIterator[Visitors]:
    """Makes visitors: `await visitors(url, size=PHONE, scheme="dark")`. What goes wrong in one of their pages fails the test."""
    made: list[Visit] = []
    async with contextlib.AsyncExitStack() as stack:

        async def make(url: str = "", **options: Any) -> Visit:
            visit = await stack.enter_async_context(Visit.to(browser, url, **options))
            made.append(visit)
            return visit

        yield make
        wrongs = [wrong for visit in made for wrong in visit.wrongs]
    assert not wrongs, "pages complained:\n" + "\n".join(wrongs)
