"""Verbs of the table that need nothing of a terminal: done, and printed."""

from __future__ import annotations

import argparse

from .tabled import add_verb

__all__ = ["add_parsers"]

_NAMES = (
    "me",
    "chat",
    "messages",
    "search",
    "displayed",
    "name",
    "capabilities",
    "options",
    "keep",
    "release",
    "accept-keys",
    "withdraw",
    "certificate",
    "transfers",
)


def add_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    for name in _NAMES:
        add_verb(commands, name)
    transfer = commands.add_parser("transfer", help="pause, resume or cancel a file that is on its way")
    verbs = transfer.add_subparsers(metavar="VERB", required=True, dest="transfer_verb")
    for name in ("cancel", "pause", "resume"):
        add_verb(verbs, f"transfer {name}")
