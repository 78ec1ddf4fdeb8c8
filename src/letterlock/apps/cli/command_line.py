"""Understanding a command line: which verb, from which module; running it, and phrasing what went wrong."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import platformdirs

from ...errors import Bug, InputError, LetterlockError
from ...version import __version__
from .examples import WHOLE_NAME, ExampleFormatter, dress, every_parser
from .overview import FIRST_STEPS
from .terminal import EXIT, Terminal
from .usage import Parser, json_wanted

__all__ = ["parser", "run"]

_VERBS = {
    "demo": "demo",
    "network": "lab",
    "carrier": "network",
    "directory": "network",
    "content": "content",
    "provisioning": "provisioning",
    "mailbox": "mailbox",
    "push": "push",
    "gateway": "gateway",
    "focus": "focus",
    "kds": "kds",
    "setup": "profile",
    "me": "plain_verbs",
    "name": "plain_verbs",
    "devices": "profile",
    "send": "chat",
    "listen": "chat",
    "chats": "chat",
    "chat": "plain_verbs",
    "messages": "plain_verbs",
    "search": "plain_verbs",
    "displayed": "plain_verbs",
    "capabilities": "plain_verbs",
    "reply": "messages",
    "react": "messages",
    "edit": "messages",
    "delete": "messages",
    "location": "messages",
    "resend": "messages",
    "answer": "chatbot",
    "group": "group",
    "upload": "content",
    "download": "content",
    "transfers": "plain_verbs",
    "transfer": "plain_verbs",
    "cache": "cache",
    "verify": "trust",
    "security": "encryption",
    "options": "plain_verbs",
    "keep": "plain_verbs",
    "release": "plain_verbs",
    "accept-keys": "plain_verbs",
    "withdraw": "plain_verbs",
    "certificate": "plain_verbs",
    "encryption": "encryption",
    "sms": "sms",
    "daemon": "daemon",
    "web": "daemon",
    "rpc": "rpc",
    "doctor": "doctor",
    "completion": "completion",
    "export": "export",
}
"""Verb to the module that adds it. Only what is asked for is imported: `listen` starts without the carrier's code."""


def run(given: Sequence[str]) -> int:
    """Run one command; returns its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a locale without umlauts is no reason to fail
    terminal = Terminal(as_json=json_wanted(given))
    verbose, verb = False, ""
    try:
        arguments = parser(given).parse_args(given)
        verbose, verb = bool(arguments.verbose), getattr(arguments, WHOLE_NAME, "")
        if arguments.output not in ("text", "json"):
            raise InputError("LETTERLOCK_OUTPUT is text or json", code="input.output")
        if arguments.data_dir is None:
            arguments.data_dir = platformdirs.user_data_path("letterlock")
        terminal.keep_log(logging.DEBUG if arguments.verbose > 1 else logging.INFO if verbose else logging.WARNING)
        code: int = asyncio.run(arguments.run(arguments, terminal))
        return code
    except LetterlockError as error:
        if isinstance(error, InputError) and not error.hint and verb:
            error.hint = f"letterlock {verb} --help"  # nobody is left without a next step
        return terminal.error(error)
    except KeyboardInterrupt:
        print(file=sys.stderr)  # the shell's prompt starts on a line of its own
        return 130
    except BrokenPipeError:
        # Whoever read our output went away; that is no error of ours.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT["ok"]
    except Exception as error:  # ours: whoever typed the command gets a line to report, with -v the whole trace
        if verbose:
            raise
        return terminal.error(
            Bug(f"{type(error).__name__}: {error}", hint="this is ours; run it again with -v and report what it prints")
        )


def parser(given: Sequence[str] = ()) -> argparse.ArgumentParser:
    """The parser for a command line; for one that names no verb, with all of them."""
    top = Parser(
        prog="letterlock",
        description="End-to-end-encrypted RCS from the command line. New here? Try: letterlock demo",
        formatter_class=ExampleFormatter,
        epilog=FIRST_STEPS,
    )
    top.add_argument("--version", action="version", version=f"letterlock {__version__}")
    top.add_argument("-v", "--verbose", action="count", default=0, help="say more on stderr; twice for everything")
    top.add_argument(
        "-o", "--output", choices=("text", "json"), default=os.environ.get("LETTERLOCK_OUTPUT") or "text",
        help="json is one object a line",
    )  # fmt: skip
    top.add_argument(
        "--data-dir", type=Path, metavar="DIR", default=os.environ.get("LETTERLOCK_DATA_DIR") or None,
        help="where profiles lie (default: the user's data directory)",
    )  # fmt: skip
    verbs = top.add_subparsers(metavar="VERB", required=True, dest="verb")
    helping = bool(given) and given[0] in ("-h", "--help")
    wanted = [module for verb, module in _VERBS.items() if verb in given and not helping] or _VERBS.values()
    for module in dict.fromkeys(wanted):
        import_module(f".{module}", __package__).add_parsers(verbs)
    for _, command, _ in every_parser(top):
        # Also behind the verb, where hands type them; there they say nothing unless given.
        for options, more in _ANYWHERE.items():
            command.add_argument(*options, default=argparse.SUPPRESS, help=argparse.SUPPRESS, **more)
    dress(top)
    top.verbs = tuple(_VERBS)
    return top


_ANYWHERE: dict[tuple[str, ...], dict[str, Any]] = {
    ("-o", "--output"): {"choices": ("text", "json")},
    ("-v", "--verbose"): {"action": "count"},
    ("--data-dir",): {"type": Path},
}
