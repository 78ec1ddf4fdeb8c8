"""`letterlock verify`: knowing with whom."""

from __future__ import annotations

import argparse
from datetime import date

from ...client import Chat
from .asking import ask, interactive
from .options import add_profile, open_client
from .qr import add_qr, show_qr
from .terminal import Terminal
from .words import security_label, security_sentence

__all__ = ["add_parsers"]


def add_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    verify = commands.add_parser(
        "verify",
        help="compare security codes with a contact",
        description="Show the security code of a chat: whoever has the same keys sees the same digits, so nobody sits in between. "
        "Read the digits to each other over another channel. Then type the last group that the other person reads out, "
        "here or with --last-group; or they scan the picture with their page or phone.",
    )
    verify.add_argument("number", metavar="NUMBER")
    verify.add_argument("--last-group", metavar="DIGITS", help="the last five digits that the contact read out")
    verify.add_argument("--accept-new-keys", action="store_true", help="go on with changed keys without comparing")
    add_qr(verify)
    add_profile(verify)
    verify.set_defaults(run=run_verify)


async def run_verify(arguments: argparse.Namespace, terminal: Terminal) -> int:
    async with open_client(arguments) as me:
        chat = await me.chat(arguments.number)
        if arguments.accept_new_keys:
            await chat.accept_keys()
            _say_state(terminal, chat)
            return 0
        await me.settled()  # both ends' keys as the directory has them now, before anybody compares
        code = await chat.security_code()
        given = arguments.last_group
        groups = code.groups
        table = "\n".join("   " + "  ".join(groups[row : row + 4]) for row in range(0, 12, 4))
        show_qr(arguments, terminal, code.scannable)
        terminal.data(
            {"chat": chat.number, "digits": code.digits, "scannable": code.scannable.hex()},
            f"security code of {me.number} and {chat.number}:\n\n{table}\n",
        )
        if given is None and interactive() and not terminal.json:
            given = await ask(f"last group that {chat.number} reads out (empty: not now): ") or None
        if given is not None:
            await chat.verify(last_group=given)
            _say_state(terminal, chat, f"{date.today():%d %B}".lstrip("0"))
        else:
            _say_state(terminal, chat)
    return 0


def _say_state(terminal: Terminal, chat: Chat, compared: str = "an earlier day") -> None:
    state = chat.security
    terminal.data(
        {"chat": chat.number, "security": state.value},
        f"{security_label(state, chat.number)}: {security_sentence(state, chat.number, compared)}",
    )
