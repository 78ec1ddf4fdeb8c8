"""`letterlock export`: one's own history, out of the encrypted store and into a file, for whatever comes after us.

What is written is not encrypted any more: the command says so. A file appears under its name when it is whole, for this user
alone (0600); what an end in the middle leaves behind has another name. No keys are in it, of sessions or of files.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import IO, Any

from ...client import Client
from ...errors import InputError, StoreError
from ..verbs.names import conversation_named
from .export_markdown import Markdown
from .options import add_profile, open_client
from .terminal import Terminal

__all__ = ["add_parsers"]

_FORMATS = ("ndjson", "markdown")
_ENDINGS = {".md": "markdown", ".markdown": "markdown"}
_EVERY = 500


def add_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    export = commands.add_parser(
        "export",
        help="write your own history to a file, not encrypted",
        description="Write the history of this profile, or of one chat: as a JSON object a line (ndjson), or to be read "
        "(markdown). It is not encrypted there, and no key is in it. The last object of ndjson has the type 'end'; without "
        "it the export is not whole.",
    )
    export.add_argument(
        "chat",
        nargs="?",
        metavar="CHAT",
        help="a number, a chatbot, or a group: its name or its subject (default: all)",
    )
    export.add_argument(
        "--to",
        default="-",
        metavar="FILE|-",
        help="a file that is not there yet, or - for standard output (default: %(default)s)",
    )
    export.add_argument("--format", choices=_FORMATS, help="default: markdown for a FILE that ends in .md, else ndjson")
    add_profile(export)
    export.set_defaults(run=run_export)


async def run_export(arguments: argparse.Namespace, terminal: Terminal) -> int:
    to_file = arguments.to != "-"
    path = Path(arguments.to).expanduser().absolute() if to_file else None
    form = arguments.format or (_ENDINGS.get(path.suffix.lower(), "ndjson") if path is not None else "ndjson")
    if path is not None and path.exists():
        raise InputError(f"{path} is there already", code="input.export", hint="name a file that is not there yet")
    async with open_client(arguments) as me:
        chat = (await conversation_named(me, arguments.chat)).name if arguments.chat else ""
        if path is None:
            messages = await _write(me, chat, _form(form, sys.stdout.write), terminal)
            sys.stdout.flush()
        else:
            with _made_at_the_end(path) as file:
                messages = await _write(me, chat, _form(form, file.write), terminal)
    if path is not None:
        terminal.data(
            {"path": str(path), "format": form, "messages": messages}, f"{messages:,} messages written to {path}"
        )
    terminal.say("what was written is not encrypted: whoever gets it can read it")
    return 0


async def _write(me: Client, chat: str, line: Callable[[dict[str, Any]], None], terminal: Terminal) -> int:
    """Each record as it comes; the number of messages. Raises StoreError when the end is missing."""
    messages, whole = 0, False
    async for record in _counted(me.export(chat), terminal):
        # A store that is slow to be written to does not hold up what arrives meanwhile.
        await asyncio.to_thread(line, record)
        messages += record["type"] == "message"
        whole = record["type"] == "end"
    if not whole:
        raise StoreError("the export ended in the middle", code="store.export", hint="run it again")
    return messages


def _form(name: str, write: Callable[[str], Any]) -> Callable[[dict[str, Any]], None]:
    if name == "markdown":
        return Markdown(write).add
    # ASCII, as everything that programs get here: what a peer wrote reaches no terminal as a control character (SR-14).
    return lambda record: write(json.dumps(record, separators=(",", ":")) + "\n")


async def _counted(records: AsyncIterator[dict[str, Any]], terminal: Terminal) -> AsyncIterator[dict[str, Any]]:
    """Passed on; a person at a terminal sees how many there were."""
    shown = sys.stderr.isatty() and not terminal.json
    count = 0
    async for record in records:
        yield record
        count += record["type"] == "message"
        if count and count % _EVERY == 0 and record["type"] == "message":
            if terminal.json:
                terminal.note({"progress": "export", "messages": count})
            elif shown:
                print(f"\r{count:,} messages", end="", file=sys.stderr, flush=True)
    if shown and count >= _EVERY:
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)


@contextlib.contextmanager
def _made_at_the_end(path: Path) -> Iterator[IO[str]]:
    """A file beside it, for this user alone, that gets the name when all is written; else it goes."""
    try:
        fd, beside = tempfile.mkstemp(prefix=f".{path.name[:64]}.", dir=path.parent)  # 0600, and nobody else's name
    except OSError as error:
        raise InputError(f"nothing can be written in {path.parent}: {error.strerror}", code="input.export") from error
    try:
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        _name(beside, path)
    except OSError as error:
        raise InputError(f"{path} could not be written: {error.strerror}", code="input.export") from error
    finally:
        Path(beside).unlink(missing_ok=True)


def _name(beside: str, path: Path) -> None:
    """A second name fails where something has come to be there meanwhile, which a rename would replace."""
    try:
        os.link(beside, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without second names, as on a memory stick
        os.rename(beside, path)
