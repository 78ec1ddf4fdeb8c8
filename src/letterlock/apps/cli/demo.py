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
        description="Two phones, then a group of four, talk over real SIP on this machine; then two and a group of five by RCC.16. "
        "The last line is JSON; "
        "plaintext_on_wire counts the messages that were found in the carrier's log, in any of the usual encodings.",
    )
    demo.add_argument("--headless", action="store_true", help="end by itself; else you may go on writing")
    demo.add_argument("--say", action="append", default=[], metavar="TEXT", help="Ana says this too; may be repeated")
    demo.add_argument("--log", type=Path, metavar="FILE", help="keep the carrier's wire log in FILE")
    demo.add_argument(
        "--plain",
        action="store_true",
        help="as a control: two people without encryption, so that the search must find everything",
    )
    demo.set_defaults(run=run_demo)


async def run_demo(arguments: argparse.Namespace, terminal: Terminal) -> int:
    # Only now: it brings the whole network side along, which `--help` and the completion do without.
    from ..demo.talk import talk

    if arguments.log is not None and arguments.log.exists():
        raise InputError(
            f"{arguments.log} exists already", code="input.log", hint="name a file that does not exist yet"
        )
    with tempfile.TemporaryDirectory(prefix="letterlock-demo-") as folder:
        log = arguments.log or Path(folder) / "wire.log"
        return await talk(
            Path(folder), log, terminal, say=arguments.say, plain=arguments.plain, ends=arguments.headless
        )
