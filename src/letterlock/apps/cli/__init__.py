"""The command line: `letterlock VERB`. Each verb is a thin layer over the public API."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import platformdirs

from ... import __version__
from ...errors import Bug, LetterlockError
from . import chat, demo, doctor, network, profile
from .terminal import EXIT, Terminal

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    arguments = _parser().parse_args(argv)
    if arguments.data_dir is None:
        arguments.data_dir = platformdirs.user_data_path("letterlock")
    logging.basicConfig(
        level=logging.DEBUG if arguments.verbose > 1 else logging.INFO if arguments.verbose else logging.ERROR,
        format="letterlock: %(name)s: %(message)s",
        stream=sys.stderr,
    )
    terminal = Terminal(as_json=arguments.output == "json")
    try:
        code: int = asyncio.run(arguments.run(arguments, terminal))
        return code
    except LetterlockError as error:
        return terminal.error(error)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read our output went away; that is no error of ours.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT["ok"]
    except Exception as error:
        if arguments.verbose:
            raise
        return terminal.error(
            Bug(f"{type(error).__name__}: {error}", hint="this is ours; run it again with -v and report what it prints")
        )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="letterlock",
        description="End-to-end-encrypted RCS from the command line.",
        epilog="exit codes: 1 wrong input, 2 our bug, 3 network or store, 4 a human must decide about keys, "
        "5 too many requests, 7 it would have been sent unencrypted",
    )
    parser.add_argument("--version", action="version", version=f"letterlock {__version__}")
    parser.add_argument("-v", "--verbose", action="count", default=0, help="say more on stderr; twice for everything")
    parser.add_argument(
        "-o", "--output", choices=("text", "json"), default=os.environ.get("LETTERLOCK_OUTPUT", "text"),
        help="json is one object a line",
    )  # fmt: skip
    parser.add_argument(
        "--data-dir", type=Path, default=os.environ.get("LETTERLOCK_DATA_DIR"), help="where profiles lie"
    )
    commands = parser.add_subparsers(metavar="VERB", required=True)
    demo.add_parsers(commands)
    network.add_parsers(commands)
    profile.add_parsers(commands)
    chat.add_parsers(commands)
    doctor.add_parsers(commands)
    for command in commands.choices.values():
        # Also behind the verb, where hands type them; there they say nothing unless given.
        command.add_argument(
            "-o", "--output", choices=("text", "json"), default=argparse.SUPPRESS, help=argparse.SUPPRESS
        )
        command.add_argument("-v", "--verbose", action="count", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    return parser
