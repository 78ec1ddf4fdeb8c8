"""Firefox and WebKitGTK as Debian has them, started for a test, and what they complain of.

Firefox is driven by its Marionette, WebKit's MiniBrowser by WebKitWebDriver on a display of its own (Xvfb). Both have a
profile that ends with the test.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from web.webdriver import Http, Marionette, Wire

__all__ = ["ENGINES", "Engine", "firefox", "missing", "webkit"]

_PATIENCE = 30.0
_PACKAGES = {
    "firefox": ({"firefox-esr": "firefox-esr"}),
    "webkit": ({"WebKitWebDriver": "webkit2gtk-driver", "Xvfb": "xvfb"}),
}
_MINI_BROWSER = "webkit2gtk-4.1/MiniBrowser"

_PREFERENCES = {
    "marionette.port": 0,  # any; it writes which one into its profile
    "accessibility.force_disabled": -1,
    "app.update.auto": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.page": 0,
    "datareporting.policy.dataSubmissionEnabled": False,
    "browser.dom.window.dump.enabled": True,
    "devtools.console.stdout.content": True,
    "dom.disable_beforeunload": True,
    "extensions.update.enabled": False,
    "intl.accept_languages": "en-US",
    "media.autoplay.default": 0,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "messaging-system.rsexperimentloader.enabled": False,
    "services.settings.server": "data:,#nothing/v1",
    "toolkit.telemetry.reportingpolicy.firstRun": False,
    "ui.prefersReducedMotion": 1,
}

# What Firefox says of scripts and of the page's policy; what a page writes to its console it prints.
_COMPLAINTS = """
const { nsIScriptError } = Components.interfaces;
return Services.console.getMessageArray()
  .filter((each) => each instanceof nsIScriptError && !(each.flags & nsIScriptError.warningFlag))
  .filter((each) => each.sourceName.startsWith("http://127.0.0.1"))
  .map((each) => `${each.category}: ${each.errorMessage}`);
"""

# WebKit tells nobody while it is driven (its switch for that is without effect then), so that the page is listened to
# from the first look at it on. What goes wrong before is seen by Chromium and Firefox only.
_HEARD = """
if (!window.heard) {
  const heard = (window.heard = []);
  addEventListener("error", (event) => heard.push("uncaught: " + event.message));
  addEventListener("unhandledrejection", (event) => heard.push("uncaught: " + event.reason));
  document.addEventListener("securitypolicyviolation", (event) =>
    heard.push("policy: " + event.effectiveDirective + " " + event.blockedURI));
  const { error } = console;
  console.error = (...words) => (heard.push("console: " + words.join(" ")), error(...words));
}
return window.heard;
"""


@dataclass(frozen=True, slots=True)
class Engine:
    """A running browser: `complaints()` is what went wrong in its pages so far."""

    name: str
    version: str
    wire: Wire
    complaints: Callable[[], Awaitable[list[str]]]


def missing(name: str) -> str:
    """Why this engine cannot run here, empty when it can."""
    absent = [package for program, package in _PACKAGES[name].items() if not shutil.which(program)]
    return f"{name} is not here (apt-get install --no-install-recommends {' '.join(absent)})" if absent else ""


@contextlib.asynccontextmanager
async def firefox(folder: Path, *, dark: bool = False) -> AsyncIterator[Engine]:
    """Debian's Firefox, without a window."""
    profile = folder / "profile"
    profile.mkdir()
    preferences = {**_PREFERENCES, "ui.systemUsesDarkTheme": int(dark)}
    (profile / "user.js").write_text(
        "".join(f"user_pref({json.dumps(key)}, {json.dumps(value)});\n" for key, value in preferences.items())
    )
    # System access is for its console alone: what a page may not see of its own policy's complaints.
    switches = ("--headless", "--marionette", "--remote-allow-system-access", "--no-remote", "--profile", str(profile))
    async with _program("firefox-esr", *switches, folder=folder, MOZ_HEADLESS="1") as running:
        port = int(await _written(profile / "MarionetteActivePort", running))
        async with Marionette.begun(port) as wire:
            version = await _firefox_version(wire)

            async def complaints() -> list[str]:
                await wire.call("Marionette:SetContext", value="chrome")
                try:
                    found: list[str] = await wire.call("WebDriver:ExecuteScript", script=_COMPLAINTS, args=[])
                finally:
                    await wire.call("Marionette:SetContext", value="content")
                said = running.log.read_text(errors="replace").splitlines()
                # Of pages: what Firefox's own parts write has their name before it.
                return [*found, *(line for line in said if line.startswith('console.error: "'))]

            yield Engine("firefox", version, wire, complaints)


async def _firefox_version(wire: Wire) -> str:
    agent: str = await wire.call("WebDriver:ExecuteScript", script="return navigator.userAgent", args=[])
    return agent.rpartition("/")[2]


@contextlib.asynccontextmanager
async def webkit(folder: Path, *, dark: bool = False) -> AsyncIterator[Engine]:
    """WebKitGTK's MiniBrowser on a display that nobody sees."""
    browser = next(path for path in Path("/usr/lib").glob(f"*/{_MINI_BROWSER}"))
    async with contextlib.AsyncExitStack() as stack:
        display = await stack.enter_async_context(_display(folder))
        port = _free_port()
        settings = {"DISPLAY": display, "GTK_THEME": "Adwaita:dark" if dark else "Adwaita"}
        running = await stack.enter_async_context(
            _program("WebKitWebDriver", f"--port={port}", folder=folder, **settings)
        )
        await _answers(port, running)
        options = {"binary": str(browser), "args": ["--automation"]}
        wire = await stack.enter_async_context(
            Http.begun(f"http://127.0.0.1:{port}", {"webkitgtk:browserOptions": options})
        )

        async def complaints() -> list[str]:
            found: list[str] = await wire.call("WebDriver:ExecuteScript", script=_HEARD, args=[])
            return found

        yield Engine("webkit", wire.version, wire, complaints)


ENGINES: dict[str, Callable[..., contextlib.AbstractAsyncContextManager[Engine]]] = {
    "firefox": firefox,
    "webkit": webkit,
}


@dataclass(frozen=True, slots=True)
class _Running:
    """A program of ours: what it says is in `log`."""

    process: asyncio.subprocess.Process
    log: Path

    def failed(self) -> RuntimeError:
        said = self.log.read_text(errors="replace")[-2000:]
        return RuntimeError(f"it did not start (exit {self.process.returncode}): {said}")


@contextlib.asynccontextmanager
async def _program(*command: str, folder: Path, **environment: str) -> AsyncIterator[_Running]:
    """Runs in `folder`, with nothing of the user's own, and ends with all that it started."""
    log = folder / f"{command[0]}.log"
    own = {
        "HOME": str(folder),
        "XDG_RUNTIME_DIR": str(folder),
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        **environment,
    }
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=folder,
            env=own,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield _Running(process, log)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            async with asyncio.timeout(5):
                await process.wait()
        except TimeoutError:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


@contextlib.asynccontextmanager
async def _display(folder: Path) -> AsyncIterator[str]:
    """A screen in memory, under a number that nobody else has."""
    number = folder / "display"
    command = f'exec Xvfb -displayfd 3 -screen 0 1280x900x24 -nolisten tcp 3>"{number}"'
    async with _program("sh", "-c", command, folder=folder) as running:
        yield f":{(await _written(number, running)).strip()}"


async def _written(path: Path, running: _Running) -> str:
    """What a program writes into a file when it is ready."""
    async with asyncio.timeout(_PATIENCE):
        while not (path.exists() and (text := path.read_text())):
            if running.process.returncode is not None:
                raise running.failed()
            await asyncio.sleep(0.02)
    return text


async def _answers(port: int, running: _Running) -> None:
    """Wait until something listens there."""
    async with asyncio.timeout(_PATIENCE):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                if running.process.returncode is not None:
                    raise running.failed() from None
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return


def _free_port() -> int:
    """The driver takes any port by itself, but tells nobody which."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port
