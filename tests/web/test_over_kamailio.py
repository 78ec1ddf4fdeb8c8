"""The same two pages and two daemons, with a proxy in between that we did not write."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from playwright.async_api import expect

from daemon.town import ANA, BEN, Town
from interop import kamailio as kamailio_server
from interop.kamailio import LAB_PASSWORD, Kamailio
from web.conftest import Visitors
from web.screen import Screen, say

pytestmark = [pytest.mark.anyio, pytest.mark.browser, pytest.mark.slow, pytest.mark.kamailio]


@dataclass(frozen=True)
class Proxy:
    """What a town asks of its carrier."""

    port: int
    domain: str
    msrp_uri: None = None


@pytest.fixture
async def between(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    if reason := kamailio_server.missing():
        pytest.skip(f"kamailio: {reason}")
    with Kamailio(lab_password=LAB_PASSWORD) as running:
        async with contextlib.AsyncExitStack() as stack:
            both = Town(tmp_path_factory.mktemp("town"), stack)
            await both.start()
            both.carrier = Proxy(running.tcp_port, running.domain)  # type: ignore[assignment]
            both.ana, both.ben = await both.person("ana", ANA), await both.person("ben", BEN)
            yield both


async def test_two_pages_talk_through_kamailio(between: Town, visitors: Visitors) -> None:
    ana, ben = [Screen((await visitors(who.login_url())).page) for who in (between.ana, between.ben)]
    await ana.begin(BEN)
    mine = await ana.write("through somebody else's proxy")
    await ben.open(ANA)
    theirs = await ben.sees("through somebody else's proxy")
    await expect(mine).to_contain_text(say("page.status_displayed"))
    await ben.act(theirs, "page.reply")
    await ben.writing.fill("and back")
    await ben.writing.press("Enter")
    answer = await ana.sees("and back")
    await expect(answer.get_by_role("button").filter(has_text="through somebody else's proxy")).to_be_visible()
    await expect(ana.chip).to_contain_text(say("security.encrypted.label"))
