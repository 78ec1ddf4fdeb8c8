"""The tutorial, played: three terminals and a browser, from its first command to its last."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from docs.player import Stage, play

pytestmark = [pytest.mark.slow, pytest.mark.browser]


@contextlib.contextmanager
def page() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    from web.browser import CHROMIUM, missing

    if reason := missing():
        pytest.skip(reason)
    switches = ["--disable-gpu", "--no-first-run", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=switches, chromium_sandbox=os.geteuid() != 0
        )
        try:
            yield browser.new_page()
        finally:
            browser.close()


def test_the_tutorial(tmp_path: Path) -> None:
    with page() as opened:

        def write(stage: Stage) -> None:
            login = re.search(r"http://127\.0\.0\.1:\d+/login\?t=[\w-]+", stage.terminals["ana"].screen)
            assert login
            opened.goto(login[0])
            opened.get_by_role("link").filter(has_text="15550199").first.click()
            opened.get_by_role("article").filter(has_text="lunch at the lake?").wait_for()
            opened.get_by_text("Encrypted").first.wait_for()
            opened.locator("ll-composer").get_by_role("textbox").fill("or at eight?")
            opened.locator("ll-composer").get_by_role("button", name=re.compile("^Send")).click()

        def look(stage: Stage) -> None:
            opened.get_by_role("article").filter(has_text="eight it is").wait_for()

        with play("docs/tutorial.md", tmp_path, browser=write, answer=look) as stage:
            assert stage.ran == 12
            log = (tmp_path / "wire.log").read_bytes()
            assert b"15550199" in log
            for said in (b"lunch", b"eight"):
                assert said not in log
            assert (tmp_path / "ben.md").stat().st_mode & 0o777 == 0o600
            assert "lunch at the lake?" in (tmp_path / "ben.md").read_text()
