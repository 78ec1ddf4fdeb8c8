"""The demo that is told in the terminal: phones talk through a carrier that sees only ciphertext. Nothing is staged.

The network side runs in this process on loopback, each phone in one of its own. First two people talk, then a group of
four, by Signal's protocol; then, by RCC.16, two people and a group of five over the carrier's focus. At the end the
phones' own records say what was delivered, and the carrier's wire log, every byte of every connection, is searched for
every word that was said.
"""

from __future__ import annotations

import json
from contextlib import AsyncExitStack
from pathlib import Path

from ...carrier import Searcher
from ...carrier.passage import FIRST_PASSAGE
from ..cli.terminal import EXIT, Terminal
from .album import Album
from .focus import Boathouse
from .group import Regatta
from .pair import Pair
from .stage import Stage

__all__ = ["talk"]


async def talk(folder: Path, log: Path, terminal: Terminal, *, say: list[str], plain: bool) -> int:
    """The whole of it; returns the exit code. `plain` is the control."""
    async with AsyncExitStack() as stack:
        stage = Stage(folder, log, plain, terminal, stack)
        stage.narrate(_opening(plain))
        await stage.build()
        ana, ben = await stage.bring_up(("Ana", "+15550100"), ("Ben", "+15550199"))
        pair = Pair(stage, ana, ben)
        await pair.talk(say)
        album = Album(stage, ana, ben)
        await album.show()
        secrets = []
        if not plain:
            # A group is never unencrypted: there is nothing to compare with in the control.
            cleo, dan = await stage.bring_up(("Cleo", "+15550142"), ("Dan", "+15550177"))
            await Regatta(stage, ana, ben, cleo, dan).talk()
            secrets.append(Regatta.subject)
            (eve,) = await stage.bring_up(("Eve", "+15550163"), protocols=("rcc16",))
            await Boathouse(stage, ana, ben, cleo, dan, eve).talk()
            secrets.append(Boathouse.subject)
        result = {**await stage.result(), "files": album.sent, "verified": album.verified}
    secrets += [item.text for item in stage.said if item.text]
    result["plaintext_on_wire"] = _found(log, secrets, album.secrets)
    print(json.dumps(result), flush=True)
    whole = result["lost"] == result["duplicated"] == 0 and result["files"] == result["verified"]
    clean = whole and bool(result["plaintext_on_wire"]) == plain
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
