"""`letterlock demo`: phones talk through a carrier that sees only ciphertext. Nothing in it is staged.

The network side runs in this process on loopback, each phone in one of its own. First two people talk, then a group of
four, by Signal's protocol; then, by RCC.16, two people and a group of five over the carrier's focus. At the end the phones' own records say what was delivered, and the carrier's wire log, every byte of every
connection, is searched for every word that was said.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

from ...carrier import Searcher
from ...carrier.passage import FIRST_PASSAGE
from ...errors import InputError
from .asking import interactive
from .demo_album import Album
from .demo_focus import Boathouse
from .demo_group import Regatta
from .demo_pair import Pair
from .demo_stage import Stage
from .terminal import EXIT, Terminal

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
    if arguments.log is not None and arguments.log.exists():
        raise InputError(
            f"{arguments.log} exists already", code="input.log", hint="name a file that does not exist yet"
        )
    with tempfile.TemporaryDirectory(prefix="letterlock-demo-") as folder:
        log = arguments.log or Path(folder) / "wire.log"
        async with AsyncExitStack() as stack:
            stage = Stage(Path(folder), log, arguments.plain, terminal, stack)
            stage.narrate(_opening(arguments.plain))
            await stage.build()
            ana, ben = await stage.bring_up(("Ana", "+15550100"), ("Ben", "+15550199"))
            pair = Pair(stage, ana, ben)
            await pair.talk(arguments.say)
            album = Album(stage, ana, ben)
            await album.show()
            secrets = []
            if not arguments.plain:
                # A group is never unencrypted: there is nothing to compare with in the control.
                cleo, dan = await stage.bring_up(("Cleo", "+15550142"), ("Dan", "+15550177"))
                await Regatta(stage, ana, ben, cleo, dan).talk()
                secrets.append(Regatta.subject)
                (eve,) = await stage.bring_up(("Eve", "+15550163"), protocols=("rcc16",))
                await Boathouse(stage, ana, ben, cleo, dan, eve).talk()
                secrets.append(Boathouse.subject)
            if not arguments.headless and interactive():
                await pair.improvise()
            result = {**await stage.result(), "files": album.sent, "verified": album.verified}
        secrets += [item.text for item in stage.said if item.text]
        result["plaintext_on_wire"] = _found(log, secrets, album.secrets)
    print(json.dumps(result), flush=True)
    whole = result["lost"] == result["duplicated"] == 0 and result["files"] == result["verified"]
    clean = whole and bool(result["plaintext_on_wire"]) == arguments.plain
    return EXIT["ok"] if clean else EXIT["bug"]


def _found(log: Path, said: list[str], of_files: list[str | bytes]) -> int:
    """How many of these can be read: all of them in what went over the carrier, what is of files also on the way to the
    content server."""
    carrier = Searcher(log, lambda stream: stream.connection < FIRST_PASSAGE)
    passage = Searcher(log, lambda stream: stream.connection >= FIRST_PASSAGE)
    return sum(bool(carrier.search(text)) for text in said) + sum(
        bool(carrier.search(secret) or passage.search(secret)) for secret in of_files
    )


def _opening(plain: bool) -> str:
    text = "starting a carrier with a conversation focus, a directory and two phones on this machine"
    return f"{text}; as a control the phones have a directory each, and find no keys of the other" if plain else text
