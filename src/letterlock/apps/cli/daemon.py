"""`letterlock daemon`, `letterlock web`: the page, and programs in any language, on a profile of this machine (SR-16).

A login address works once and for two minutes, and still is nobody else's to see: it is printed to a terminal or as
JSON on request, never into a log, and a browser is handed a file that this user alone can read, because its command line is
for everybody.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import html
import os
import sys
import webbrowser
from pathlib import Path

from ...client.profile import ProfilePaths
from .options import add_profile, open_client, profile_path
from .stopping import stop_signals
from .terminal import Terminal, has_display

__all__ = ["add_parsers"]

_EXAMPLES = """examples:
  letterlock daemon --profile ana
  letterlock daemon --profile ana --listen 127.0.0.1:8440 -o json
  curl -H "Authorization: Bearer $(cat ~/.local/share/letterlock/profiles/ana/daemon.token)" \\
       -H "Content-Type: application/json" -d '{"jsonrpc":"2.0","id":1,"method":"chats"}' \\
       http://127.0.0.1:8440/api/v1/rpc"""

_WEB_EXAMPLES = """examples:
  letterlock web --profile ana
  letterlock web --profile ana --no-open"""


def add_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    daemon = commands.add_parser(
        "daemon",
        help="serve a profile to the page and to programs of this machine",
        description="Keep a profile open and serve it: a page for a browser, JSON-RPC and events for programs. On this "
        "machine and to this user only: a port of 127.0.0.1 that asks for a login, and a unix socket.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_serving(daemon)
    daemon.set_defaults(run=run_daemon)

    web = commands.add_parser(
        "web",
        help="open the page in a browser",
        description="Open the page of a profile: from the daemon that runs, or from one that runs until Ctrl-C.",
        epilog=_WEB_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    web.add_argument("--no-open", action="store_true", help="print the address, and open no browser")
    _add_serving(web)
    web.set_defaults(run=run_web)


def _add_serving(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--listen",
        default="127.0.0.1:0",
        metavar="127.0.0.1:PORT",
        help="loopback only; 0 takes a free port (default %(default)s)",
    )
    parser.add_argument(
        "--socket", type=Path, metavar="PATH", help="the unix socket (default: in the profile's folder)"
    )
    parser.add_argument(
        "--allow-frame",
        action="append",
        default=[],
        metavar="ORIGIN",
        help="a page of this machine that may show ours in a frame: http://127.0.0.1:PORT",
    )
    parser.add_argument("--use-old-copy", action="store_true", help="go on with a restored copy of the profile")
    add_profile(parser)


async def run_daemon(arguments: argparse.Namespace, terminal: Terminal) -> int:
    return await _serve(arguments, terminal, browser=False)


async def run_web(arguments: argparse.Namespace, terminal: Terminal) -> int:
    from ..daemon.asking import ask_login

    folder = ProfilePaths.of(profile_path(arguments)).folder
    found = await ask_login(folder, arguments.socket)
    if found is None:
        return await _serve(arguments, terminal, browser=not arguments.no_open)
    _tell(terminal, found)
    if not arguments.no_open:
        await _open(folder, found["login"], terminal)
    return 0


async def _serve(arguments: argparse.Namespace, terminal: Terminal, *, browser: bool) -> int:
    # aiohttp takes longer to import than all the rest, and what is wrong with the line is said before it.
    from ..daemon.listening import listen_address, loopback_origin

    listen_address(arguments.listen)
    frames = tuple(loopback_origin(each) for each in arguments.allow_frame)
    from ..daemon import Daemon, DaemonSettings

    folder = ProfilePaths.of(profile_path(arguments)).folder
    async with open_client(arguments, use_old_copy=arguments.use_old_copy) as me:
        daemon = Daemon(
            me, folder, listen=arguments.listen, socket=arguments.socket, settings=DaemonSettings(frames=frames)
        )
        with stop_signals() as stopped:
            async with daemon:
                # What was imported stays: a full collection that walked through it would hold up the loop for 40 ms.
                gc.collect()
                gc.freeze()
                login = daemon.login_url()
                _tell(terminal, {"url": daemon.url, "login": login, "socket": str(daemon.socket)})
                if browser:
                    await _open(folder, login, terminal)
                _tell_unsent(terminal, daemon.unsent)
                terminal.say(f"{me.number}, device {me.me.device}: serving (stop with Ctrl-C)")
                await stopped.wait()
            _tell_unsent(terminal, daemon.unsent)
    return 0


def _tell(terminal: Terminal, found: dict[str, str]) -> None:
    """Where it is. A login address goes to eyes or to a program that asked for it, not to a journal."""
    shown = found["login"] if sys.stdout.isatty() else f"{found['url']}  (log in: letterlock web)"
    terminal.data(found, shown)


def _tell_unsent(terminal: Terminal, files: int) -> None:
    """They are gone with the daemon, and a page that was reloaded meanwhile cannot know of them."""
    if files:
        what = "1 file was" if files == 1 else f"{files} files were"
        terminal.say(f"{what} still on the way from the page when the daemon ended, and not sent: choose again to send")


async def _open(folder: Path, login: str, terminal: Terminal) -> None:
    page = folder / "login.html"
    address = html.escape(login, quote=True)
    text = f'<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0;url={address}">\n'

    def write() -> bool:
        page.unlink(missing_ok=True)
        with os.fdopen(os.open(page, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "w") as file:
            file.write(text)
        return webbrowser.open(page.as_uri())

    if not (has_display() and await asyncio.to_thread(write)):
        terminal.say("no browser could be opened; the address works in any, once and within two minutes")
