"""The page in Chromium on a daemon of its own process: `./run bench web [--json] [--rounds N] [--messages N]`.

ops, in milliseconds; the figure is the median of the rounds:

* `open_50k`: from the click on a chat with 50,000 messages to the end of the frame in which its newest messages are painted.
  The page was loaded anew just before, and has none of them: the daemon's answer is part of it. Limit 300.
* `open_50k_work`: of that, what the page's main thread spent in scripts, style and layout (Chromium's Performance.getMetrics:
  ScriptDuration, RecalcStyleDuration and LayoutDuration).
* `echo`: from pressing Enter to the end of the frame in which the message is painted in the conversation, encrypted chat,
  peer online. The message goes through daemon, store and carrier meanwhile; what is shown does not wait for them. Limit 50.
* `echo_stored`: the same to the frame in which the daemon has it, stored and encrypted.
* `first_paint`: what the browser itself calls first contentful paint, of a whole load of the page.

Beside each the same of an empty page that puts one line of text into itself, in the same browser and round about. A
frame comes sixty times a second, so neither can be much below ten.

The end of a frame: a task queued from its animation callback, which runs behind style, layout and paint. The time of the
beginning is that of the input event, not of its handler.

* `daemon_memory`: resident memory of the daemon with that history, in MB of 10^6 bytes, after it was opened, scrolled and
  searched. Limit 120. `daemon_peak` is the most that it ever was.
* `daemon_step`: for how long one step of the daemon's event loop has held it up meanwhile (`watched_steps.py`): by the clock
  on the wall, less the time in which the daemon could run and the browser, or anybody else, had the core. Limit 5.
  `daemon_step_wall` is the longest by the clock alone.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import dataclasses
import json
import os
import signal
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from aiohttp import web
from playwright.async_api import CDPSession, Page

from daemon.town import ANA, BEN, Town
from history_filler import fill_profile
from letterlock.client import Client
from letterlock.ids import Number
from processes import run, tell
from report import Row, row, show
from web.browser import Visit, chromium, missing
from web.screen import Screen

PEER = "an empty page"
LIMITS = {"open_50k": 300.0, "echo": 50.0, "daemon_memory": 120.0, "daemon_step": 5.0}

_EMPTY = """<!doctype html><html lang=en><meta charset=utf-8><title>empty</title>
<body><button>Open</button><input aria-label=Message><ol></ol><script src=/empty.js></script>"""
_EMPTY_SCRIPT = """const line = (text) => {
  const item = document.createElement('li');
  item.textContent = text;
  document.querySelector('ol').append(item);
};
document.querySelector('button').addEventListener('click', () => line('opened'));
document.querySelector('input').addEventListener('keydown', (event) => {
  if (event.key === 'Enter') line(event.target.value);
});"""

# From an input event to the end of the frame in which `there` holds for the first time.
_MEASURE = """([event, there]) => {
  const holds = new Function('return ' + there);
  window.measured = new Promise((resolve) => {
    let began = 0;
    const look = () => {
      if (began === 0 || !holds()) return;
      observer.disconnect();
      requestAnimationFrame(() => {
        const after = new MessageChannel();
        after.port1.onmessage = () => resolve(performance.now() - began);
        after.port2.postMessage(null);
      });
    };
    const observer = new MutationObserver(look);
    observer.observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
    document.addEventListener(event, (heard) => { began = heard.timeStamp; }, { capture: true, once: true });
  });
}"""


class Daemon:
    """The `letterlock daemon` of Ana's profile, watched."""

    def __init__(self, process: asyncio.subprocess.Process, hello: dict[str, str], report: Path) -> None:
        self._process, self.login, self._report = process, hello["login"], report

    @classmethod
    @contextlib.asynccontextmanager
    async def running(cls, folder: Path, profile: Path) -> AsyncIterator[Daemon]:
        report = folder / "steps.json"
        here = Path(__file__).parent
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, str(here / "watched_steps.py"), str(report)),
            *("-o", "json", "daemon", "--profile", str(profile)),
            stdout=asyncio.subprocess.PIPE,
            env={
                **os.environ,
                "LETTERLOCK_PASSPHRASE": "tulip",
                "XDG_STATE_HOME": str(folder / "state-home"),
                "PYTHONPATH": os.pathsep.join(part for part in sys.path if part),
            },
        )
        try:
            assert process.stdout is not None
            async with asyncio.timeout(30):
                line = await process.stdout.readline()
            if not line:
                raise RuntimeError("the daemon ended")
            yield cls(process, json.loads(line), report)
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
                try:
                    async with asyncio.timeout(10):
                        await process.wait()
                except TimeoutError:
                    process.kill()
                    await process.wait()

    def memory(self, name: str) -> float:
        """VmRSS or VmHWM, in MB."""
        lines = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name)) / 1e6

    async def steps(self) -> dict[str, Any]:
        """The longest steps since this was asked last."""
        self._report.unlink(missing_ok=True)
        self._process.send_signal(signal.SIGUSR1)
        async with asyncio.timeout(10):
            while not self._report.exists():  # noqa: ASYNC110 - another process writes it
                await asyncio.sleep(0.02)
        found: dict[str, Any] = json.loads(self._report.read_text(encoding="utf-8"))
        return found


@contextlib.asynccontextmanager
async def empty_page() -> AsyncIterator[str]:
    """The address of a page with nothing on it."""

    async def serve(request: web.Request) -> web.Response:
        if request.path == "/empty.js":
            return web.Response(text=_EMPTY_SCRIPT, content_type="text/javascript")
        return web.Response(text=_EMPTY, content_type="text/html")

    application = web.Application()
    application.router.add_get("/{path:.*}", serve)
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


async def busy(session: CDPSession) -> float:
    """Seconds that the page's main thread has spent in scripts, style and layout."""
    metrics = {each["name"]: each["value"] for each in (await session.send("Performance.getMetrics"))["metrics"]}
    return float(metrics["ScriptDuration"] + metrics["RecalcStyleDuration"] + metrics["LayoutDuration"])


async def first_paint(page: Page) -> float:
    found: float = await page.evaluate(
        """() => new Promise((resolve) => new PerformanceObserver((list) => {
          for (const entry of list.getEntriesByName('first-contentful-paint')) resolve(entry.startTime);
        }).observe({ type: 'paint', buffered: true }))"""
    )
    return found


class Measuring:
    """What was measured so far, ours and of the empty page."""

    def __init__(self) -> None:
        self.ours: dict[str, list[float]] = {}
        self.empty: dict[str, list[float]] = {}

    async def round(self, number: int, ours: Page, empty: Page, empty_url: str, url: str) -> None:
        await empty.goto(empty_url)
        self._keep(self.empty, "first_paint", await first_paint(empty))
        session = await empty.context.new_cdp_session(empty)
        await session.send("Performance.enable")
        await empty.evaluate(_MEASURE, ["click", "document.querySelector('li') !== null"])
        before = await busy(session)
        await empty.get_by_role("button", name="Open").click()
        self._keep(self.empty, "open_50k", await empty.evaluate("measured"))
        self._keep(self.empty, "open_50k_work", (await busy(session) - before) * 1e3)
        await session.detach()
        await empty.get_by_role("textbox").fill(f"echo {number}")
        await empty.evaluate(
            _MEASURE, ["keydown", f"document.querySelector('ol').textContent.includes('echo {number}')"]
        )
        await empty.keyboard.press("Enter")
        taken = await empty.evaluate("measured")
        self._keep(self.empty, "echo", taken)

        await ours.goto("about:blank")
        await ours.goto(url)
        screen = Screen(ours)
        self._keep(self.ours, "first_paint", await first_paint(ours))
        await screen.row(BEN).wait_for()
        await ours.evaluate("new Promise((done) => requestIdleCallback(done))")
        session = await ours.context.new_cdp_session(ours)
        await session.send("Performance.enable")
        await ours.evaluate(_MEASURE, ["click", "document.querySelectorAll('[data-message-id]').length > 10"])
        before = await busy(session)
        await screen.row(BEN).click()
        self._keep(self.ours, "open_50k", await ours.evaluate("measured"))
        self._keep(self.ours, "open_50k_work", (await busy(session) - before) * 1e3)
        await session.detach()
        text = f"echo {number} of this run"
        for op, there in (
            ("echo", f"[...document.querySelectorAll('ll-message')].at(-1).textContent.includes('{text}')"),
            ("echo_stored", _STORED.replace("TEXT", text + " again")),
        ):
            typed = text if op == "echo" else text + " again"
            await screen.writing.fill(typed)
            await ours.evaluate(_MEASURE, ["keydown", there])
            await ours.keyboard.press("Enter")
            self._keep(self.ours, op, await ours.evaluate("measured"))

    @staticmethod
    def _keep(where: dict[str, list[float]], op: str, value: float) -> None:
        where.setdefault(op, []).append(value)

    def rows(self) -> list[Row]:
        found = []
        for op, values in self.ours.items():
            peers = self.empty.get(op) or self.empty["echo"]
            found.append(
                row(op, len(values), statistics.median(values), "ms", peer=statistics.median(peers), peer_name=PEER)
            )
        return found


_STORED = """(() => {
  const last = [...document.querySelectorAll('ll-message')].findLast((each) => each.textContent.includes('TEXT'));
  return Boolean(last) && !last.classList.contains('local');
})()"""


async def used(screen: Screen) -> None:
    """Scroll far up, and search: what the daemon has to do for a reader of a long history."""
    for _ in range(12):
        await screen.page.evaluate("document.querySelector('ll-timeline .scroller').scrollTop = 0")
        await screen.page.wait_for_timeout(150)
    for text in ("train", "rain", "встре", "東京", "no such word"):
        await screen.search(text)
        await screen.page.wait_for_timeout(600)


async def measure(folder: Path, *, messages: int, rounds: int) -> tuple[list[Row], dict[str, Any]]:
    async with contextlib.AsyncExitStack() as stack:
        town = Town(folder, stack)
        await town.start()
        # The daemon is a process as users run it, with its own folder for state.
        town.environment = dataclasses.replace(
            town.environment, state=folder / "state-home" / "letterlock" / "generations"
        )
        profile = folder / "ana"
        await town.create(profile, ANA)
        await town.create(folder / "ben", BEN)
        ben: Client = await stack.enter_async_context(town.open(folder / "ben"))
        tell(f"web: a history of {messages} messages")
        async with town.open(profile) as ana:
            await (await ana.chat(BEN)).send("hello")
            await ana.settled()
        await fill_profile(profile, Number(BEN), messages, environment=town.environment)
        daemon = await stack.enter_async_context(Daemon.running(folder, profile))
        browser = await stack.enter_async_context(chromium())
        empty_url = await stack.enter_async_context(empty_page())
        ours = await stack.enter_async_context(Visit.to(browser, daemon.login))
        empty = await stack.enter_async_context(Visit.to(browser))
        url = ours.page.url.partition("#")[0]
        await Screen(ours.page).row(BEN).wait_for()
        measuring = Measuring()
        # The first round is of caches that are cold in the browser's and the daemon's code, and counts for neither.
        await measuring.round(-1, ours.page, empty.page, empty_url, url)
        measuring = Measuring()
        cold = await daemon.steps()
        for number in range(rounds):
            tell(f"web: round {number + 1} of {rounds}")
            await measuring.round(number, ours.page, empty.page, empty_url, url)
        await used(Screen(ours.page))
        steps = await daemon.steps()
        rows = measuring.rows()
        rows += [
            row("daemon_memory", 1, daemon.memory("VmRSS:"), "MB"),
            row("daemon_peak", 1, daemon.memory("VmHWM:"), "MB"),
            row("daemon_step", steps["steps"], steps["worst"][0]["held_ms"], "ms"),
            row("daemon_step_wall", steps["steps"], steps["longest_ms"], "ms"),
        ]
        await ben.settled()
        return rows, {"cold": cold, "steps": steps}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--rounds", type=int, default=15, metavar="N", help="default %(default)s")
    parser.add_argument("--messages", type=int, default=50_000, metavar="N", help="default %(default)s")
    parser.add_argument("--steps", action="store_true", help="also print the daemon's longest steps, to stderr")
    arguments = parser.parse_args()
    if reason := missing():
        show("web", [], as_json=arguments.json, failed={"web": reason})
        return 1
    with tempfile.TemporaryDirectory(prefix="letterlock-bench-") as folder:
        rows, steps = run(measure(Path(folder), messages=arguments.messages, rounds=arguments.rounds))
    show("web", rows, as_json=arguments.json)
    if arguments.steps:
        for when, found in steps.items():
            for each in found["worst"]:
                tell(
                    f"{when:6} {each['held_ms']:6.1f} ms of {each['ms']:.1f}, {each['cpu_ms']:.1f} computing, "
                    f"{each['gc_ms']:.1f} collecting: {each['what']}"
                )
    missed = [each["op"] for each in rows if each["op"] in LIMITS and each["ours"] > LIMITS[each["op"]]]
    for op in missed:
        tell(f"web: {op} is above its limit of {LIMITS[op]:.0f}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
