"""`letterlock security` and `letterlock encryption end|revive|retry`: who can read a chat, and what to do about it."""

from __future__ import annotations

import argparse

from ...client import EncryptionInfo
from ...client.conversation import Conversation
from ...engine.security import Security
from .group import conversation_named
from .options import add_profile, open_client
from .terminal import Terminal
from .words import chat_label, health_words, protocol_words, security_label, security_sentence

__all__ = ["add_parsers"]

_CHAT = "a number, or a group: its name, the beginning of it, or its subject"


def add_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    security = commands.add_parser(
        "security",
        help="who can read a chat, and by which protocol it is encrypted",
        description="Show the state of a chat: who can read it, by which protocol it is encrypted, and how that stands.",
    )
    security.add_argument("chat", metavar="NUMBER|GROUP", help=_CHAT)
    add_profile(security)
    security.set_defaults(run=run_security)

    encryption = commands.add_parser(
        "encryption",
        help="end encryption in a chat, begin it again, or have repair tried again",
        description="For chats that go by RCC.16, where encryption belongs to the conversation as a whole. Ending it is "
        "seen by everybody in it, and sends nothing in the clear: each message after that is your own decision.",
    )
    verbs = encryption.add_subparsers(metavar="VERB", required=True, dest="encryption_verb")
    for name, words in (
        ("end", "turn encryption off here, for everybody; nothing is sent until you decide again"),
        ("revive", "turn it on again"),
        ("retry", "have repair tried again after it came to nothing"),
    ):
        verb = verbs.add_parser(name, help=words)
        verb.add_argument("chat", metavar="NUMBER|GROUP", help=_CHAT)
        add_profile(verb)
        verb.set_defaults(run=run_encryption)


async def run_security(arguments: argparse.Namespace, terminal: Terminal) -> int:
    async with open_client(arguments) as me:
        chat = await conversation_named(me, arguments.chat)
        await me.settled()
        await _say(chat, terminal)
    return 0


async def run_encryption(arguments: argparse.Namespace, terminal: Terminal) -> int:
    async with open_client(arguments) as me:
        chat = await conversation_named(me, arguments.chat)
        match arguments.encryption_verb:
            case "end":
                await chat.end_encryption()
            case "revive":
                await chat.revive_encryption()
            case "retry":
                await chat.retry_encryption()
        await me.settled()
        await _say(chat, terminal)
    return 0


async def _say(chat: Conversation, terminal: Terminal) -> None:
    info: EncryptionInfo = await chat.encryption()
    label = chat_label(info.chat)
    lines = [f"{security_label(info.security, label)}: {security_sentence(info.security, label)}"]
    if not info.security.plain and info.security not in (Security.BUSINESS, Security.NO_KEYS_FOUND):
        lines.append(protocol_words(info.protocol))
    if info.health:
        lines.append(f"era {info.era}, epoch {info.epoch}, {health_words(info.health)}")
    terminal.data(
        {
            "chat": info.chat,
            "security": info.security.value,
            "protocol": info.protocol,
            "era": info.era,
            "epoch": info.epoch,
            "health": info.health,
        },
        "\n".join(lines),
    )
