"""`letterlock cache`: how much lies sealed in the cache of a profile, of what, and how much may."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ...codec.file_names import safe_file_name
from ...errors import InputError
from .options import add_profile, open_client
from .terminal import Terminal, visible

if TYPE_CHECKING:
    from ...client import CachedFile, CacheInfo, Client

__all__ = ["add_parsers"]

_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def add_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    cache = commands.add_parser(
        "cache",
        help="what was fetched and lies sealed here",
        description="Files of encrypted chats are kept as ciphertext, and opened as they are looked at. What was used "
        "longest ago gives way when the budget is used up; the files can be fetched again while their servers keep them.",
    )
    # One parser for all of it: a subcommand's --profile would silently replace one that stands before it.
    cache.add_argument(
        "what",
        nargs="?",
        choices=("prune", "budget"),
        metavar="prune|budget",
        help="delete; or set how much may lie there",
    )
    cache.add_argument("bytes", nargs="?", type=_bytes, metavar="BYTES", help="the budget, as 2G; at first it is 1G")
    cache.add_argument(
        "--to", type=_bytes, metavar="BYTES", help="with prune: so much may stay, as 300M (default: nothing)"
    )
    add_profile(cache)
    cache.set_defaults(run=run_cache)


async def run_cache(arguments: argparse.Namespace, terminal: Terminal) -> int:
    what, to, budget = arguments.what, arguments.to, arguments.bytes
    if (to is not None and what != "prune") or (budget is None) == (what == "budget"):
        raise InputError(
            "cache, cache prune [--to BYTES] or cache budget BYTES", code="input.usage", hint="letterlock cache --help"
        )
    async with open_client(arguments) as me:
        if what == "prune":
            return await _prune(me, to or 0, terminal)
        if what == "budget":
            return await _budget(me, budget, terminal)
        info = await me.cache()
    terminal.data(
        {"used": info.used, "budget": info.budget, "files": [_record(each) for each in info.files]}, _text(info)
    )
    return 0


async def _prune(me: Client, to: int, terminal: Terminal) -> int:
    freed = await me.prune_cache(to)
    info = await me.cache()
    terminal.data({"freed": freed, "used": info.used}, f"{freed:,} bytes deleted, {info.used:,} left")
    return 0


async def _budget(me: Client, budget: int, terminal: Terminal) -> int:
    await me.set_cache_budget(budget)
    info = await me.cache()
    terminal.data({"budget": info.budget, "used": info.used}, f"{info.used:,} of {info.budget:,} bytes")
    return 0


def _record(file: CachedFile) -> dict[str, Any]:
    return {
        "digest": file.digest,
        "size": file.size,
        "used": file.used,
        "name": file.name,
        "content_type": file.content_type,
        "whole": file.whole,
        "in_use": file.in_use,
        "thumbnail": file.thumbnail,
    }


def _text(info: CacheInfo) -> str:
    lines = [f"{info.used:,} of {info.budget:,} bytes, {len(info.files)} files"]
    for file in info.files:
        name = safe_file_name(file.name) if file.name else "(not known any more)"
        used = datetime.fromtimestamp(file.used / 1000, UTC)
        small = " (thumbnail)" if file.thumbnail else ""
        begun = "" if file.whole else "  [begun]"
        lines.append(
            visible(f"{file.size:>14,}  {used:%Y-%m-%d %H:%M}  {file.content_type or '-':<26}  {name}{small}{begun}")
        )
    return "\n".join(lines)


def _bytes(text: str) -> int:
    unit = text[-1:].upper() if not text[-1:].isdecimal() else ""
    digits = text[: len(text) - len(unit)]
    if unit not in _UNITS or not digits.isascii() or not digits.isdecimal() or len(digits) > 15:
        raise argparse.ArgumentTypeError(f"not a number of bytes: {text[:20]}")
    return int(digits) * _UNITS[unit]
