"""`letterlock demo`: phones talk through a carrier that sees only ciphertext. What it does is in `apps/demo`."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from ...errors import InputError
from .terminal import Terminal

__all__ = ["add_parsers"]


def add_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    demo = commands.add_parser(
        "demo",
        help="watch phones talk, beside what the carrier sees",
        description="Opens a page with two phones and the carrier between them, whose frames you can open and which you "
        "can make hostile; all of it runs on this machine. With --headless it is told in the terminal: two phones, then a "
        "group of four, then two and a group of five by RCC.16; the last line is JSON, and "
        "plaintext_on_wire counts the messages that were found in the carrier's log, in any of the usual encodings.",
    )
    demo.add_argument("--headless", action="store_true", help="no page: the talk in the terminal, which ends by itself")
    demo.add_argument("--no-open", action="store_true", help="print the page's address, and open no browser")
    demo.add_argument("--say", action="append", default=[], metavar="TEXT", help="Ana says this too; may be repeated")
    demo.add_argument("--log", type=Path, metavar="FILE", help="keep the carrier's wire log in FILE")
    demo.add_argument(
        "--plain",
        action="store_true",
        help="with --headless, as a control: two people without encryption, so that the search must find everything",
    )
    demo.set_defaults(run=run_demo)


async def run_demo(arguments: argparse.Namespace, terminal: Terminal) -> int:
    if arguments.log is not None and arguments.log.exists():
        raise InputError(
            f"{arguments.log} exists already", code="input.log", hint="name a file that does not exist yet"
        )
    if arguments.plain and not arguments.headless:
        raise InputError(
            "--plain is a control of the talk in the terminal",
            code="input.plain",
            hint="letterlock demo --headless --plain; on the page, the last step of the tour is the control",
        )
    with tempfile.TemporaryDirectory(prefix="letterlock-demo-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        # Only now: they bring the whole network side along, which `--help` and the completion do without.
        if arguments.headless:
            from ..demo.talk import talk

            log = arguments.log or folder / "wire.log"
            return await talk(folder, log, terminal, say=arguments.say, plain=arguments.plain)
        from ..demo.show import show

        return await show(folder, arguments.log, terminal, say=arguments.say, browser=not arguments.no_open)
