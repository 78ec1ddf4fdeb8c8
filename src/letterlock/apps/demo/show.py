"""The demo that is looked at: brings up the page, says where it is, and goes on until Ctrl-C or until nobody looks."""

from __future__ import annotations

import asyncio
import contextlib
import html
import time
import webbrowser
from pathlib import Path

from ..cli.stopping import stop_signals
from ..cli.terminal import EXIT, Terminal, has_display
from .server import DemoServer

__all__ = ["show"]

_UNWATCHED_SECONDS = 600.0
_LOOK_SECONDS = 5.0


async def show(
    folder: Path,
    log: Path | None,
    terminal: Terminal,
    *,
    say: list[str],
    browser: bool,
    unwatched_s: float = _UNWATCHED_SECONDS,
) -> int:
    """Until somebody ends it. `browser`: open one, if this machine has one to show."""
    began = time.monotonic()
    with stop_signals() as stopped:
        terminal.say("starting two phones and the network between them on this machine")
        async with DemoServer(folder, log) as server:
            login = server.login_url()
            terminal.data({"url": server.url, "login": login}, login)
            terminal.say(f"up after {time.monotonic() - began:.1f} s; the address works once; stop with Ctrl-C")
            for text in say:
                await server.scene.say(server.scene.ana, server.scene.ben.number, text)
            if browser and has_display():
                await _open(folder, login, terminal)
            while not stopped.is_set():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(min(_LOOK_SECONDS, unwatched_s)):
                        await stopped.wait()
                if server.unwatched_seconds() >= unwatched_s:
                    minutes = unwatched_s / 60
                    terminal.say(f"nobody had the page open for {minutes:g} minutes: the demo ends")
                    break
    return EXIT["ok"]


async def _open(folder: Path, login: str, terminal: Terminal) -> None:
    # By a file that this user alone can read: what stands on a browser's command line is for everybody.
    page = folder / "open.html"
    page.touch(mode=0o600)
    page.write_text(
        f'<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0;url={html.escape(login)}">\n'
    )
    if not await asyncio.to_thread(webbrowser.open, page.as_uri()):
        terminal.say("no browser could be opened; the address works in any")
