"""What happened to the account is told, whether a page was open then or not, until it is put away."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import expect

from daemon.town import Person, Town
from letterlock.apps.daemon import Daemon
from web.conftest import Visitors
from web.scenes import heard
from web.screen import Screen, say

pytestmark = [pytest.mark.anyio, pytest.mark.browser, pytest.mark.slow]

NUMBER = "+15550155"


async def test_a_number_that_was_claimed_while_no_page_was_open(both: Town, visitors: Visitors, tmp_path: Path) -> None:
    """SR-21: it is not enough that whoever looks at that moment is told."""
    await both.create(tmp_path / "mine", NUMBER)
    await both.create(tmp_path / "somebody else", NUMBER)
    async with both.open(tmp_path / "mine") as client, Daemon(client, tmp_path / "mine") as daemon:
        await heard(Person("mine", NUMBER, tmp_path / "mine", client, daemon), "number-reset")
        visit = await visitors(daemon.login_url())
        page = Screen(visit.page)
        await page.begin(both.ben.number)
        alarm = visit.page.get_by_role("alert").filter(has_text=say("dialog.alarm.number-reset"))
        await expect(alarm).to_be_visible()
        # It stays until somebody has put it away, and then for good.
        await visit.page.reload()
        await expect(alarm).to_be_visible()
        await page.button("dialog.banner.seen").click()
        await expect(alarm).to_be_hidden()
        assert (await client.recall("alarms") or 0) > 0
        await visit.page.reload()
        await page.writing.wait_for()
        await expect(alarm).to_be_hidden()
        await visit.page.close()
