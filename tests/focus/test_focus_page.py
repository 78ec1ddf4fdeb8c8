"""docs/focus.md: its example runs and prints what is shown, and what it says of bounds is so."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import inspect
import io
import re
from pathlib import Path

from letterlock.rcc16.credentials.anchors import TrustAnchors
from letterlock.services.focus import FocusLimits, FocusSettings, MlsSettings
from rcc16.certificates import CRYPTO

PAGE = Path(__file__).parents[2] / "docs" / "focus.md"
TEXT = PAGE.read_text(encoding="utf-8")
_BLOCK = re.compile(r"```python\n(?P<code>.*?)```\n+```text\n(?P<shown>.*?)```", re.DOTALL)


def test_the_example_runs_and_prints_what_is_shown() -> None:
    block = _BLOCK.search(TEXT)
    assert block is not None
    code = compile(block["code"], str(PAGE), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    printed = io.StringIO()

    async def run() -> None:
        result = eval(code, {})
        if inspect.isawaitable(result):
            async with asyncio.timeout(20):
                await result

    with contextlib.redirect_stdout(printed):
        asyncio.run(run())
    assert printed.getvalue() == block["shown"]


def test_the_bounds_are_those_of_the_code() -> None:
    limits, settings = FocusLimits(), FocusSettings()
    day, mebi = 86_400_000, 1 << 20
    for said in (
        f"{limits.max_stored_messages:,} messages or {limits.max_stored_bytes // mebi} MiB to all",
        f"{limits.max_private_messages:,} messages or {limits.max_private_bytes // mebi} MiB to one",
        f"| {limits.max_age_ms // day} days |",
        f"away for {limits.device_age_ms // day} days",
        f"unused for {limits.unused_age_ms // day} days",
        f"at most {limits.window_messages} messages, or {limits.window_bytes >> 10} KiB",
        f"nothing goes for {settings.idle_ms // 1000} seconds",
        f"from {settings.retry_ms[0] // 1000} seconds to {settings.retry_ms[1] // 60_000} minutes",
    ):
        assert said in TEXT, said
    assert limits.max_devices == 8  # "the ninth"


def test_the_bounds_of_mls_groups_are_those_of_the_code() -> None:
    limits = FocusLimits()
    settings = MlsSettings(TrustAnchors(1, ()), CRYPTO)
    ordering, day, mebi = settings.limits, 86_400_000, 1 << 20
    for said in (
        f"{ordering.max_eras_an_hour} eras an hour and {ordering.max_eras_a_day} a day, {ordering.max_epochs_an_hour} commits an "
        f"hour, {ordering.max_external_commits_a_day} external commits a day",
        f"{limits.controls.burst} requests and {limits.pulls.burst} questions a minute",
        f"| {limits.max_control // mebi} MiB | one request",
        f"{ordering.max_history} requests, or {ordering.max_history_bytes // mebi} MiB of them",
        f"in pages of {ordering.max_page_bytes // 1024} KiB and at most {settings.control(mebi).max_page} requests",
        f"{ordering.max_eras_a_day_by_one} eras and {ordering.max_external_commits_a_day_by_one} external commits a day, "
        f"{ordering.max_epochs_an_hour_by_one} commits an hour",
        f"{ordering.max_group_info // 1024} KiB; {ordering.max_leaf // 1024} KiB; {ordering.max_leaves_of_one}",
        f"{limits.max_answers:,} | answers that wait",
        f"{ordering.recent_epochs} epochs, for {ordering.recent_ms // day} days",
        f"Trees of {settings.max_kept_leaves:,} leaves",
    ):
        assert said in TEXT, said
