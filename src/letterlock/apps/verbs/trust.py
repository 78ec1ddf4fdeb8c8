"""Verbs about who can read a chat, and with whom one speaks there: its state, its code, what the user has compared."""

from __future__ import annotations

import asyncio
import binascii
from typing import Any

import segno

from ...errors import InputError
from .answers import conversation, names, security_of
from .chat_records import encryption_record
from .chats import CHAT
from .context import Context
from .names import number_named
from .schemas import BOOLEAN, INTEGER, STRING, array, record, ref
from .verb import Example, Kind, Param, Verb, param

__all__ = ["VERBS"]

_NUMBER = param("chat", Kind.NUMBER, "a number")


async def _security(context: Context, chat: str) -> dict[str, Any]:
    return await security_of(context, await conversation(context, chat))


async def _code(context: Context, chat: str) -> dict[str, Any]:
    talk = await number_named(context.client, chat)
    fresh = await talk.fresh_code()
    known = await names(context, talk)
    me = context.client.me
    return {
        "chat": talk.name,
        "digits": fresh.code.digits,
        "groups": list(fresh.code.groups),
        "scannable": fresh.code.scannable.hex(),
        "qr": await asyncio.to_thread(_matrix, fresh.code.scannable),  # some ten milliseconds
        "me": me.number,
        "them": talk.name,
        "me_name": me.number,
        "them_name": known.of(talk.name),
        "fetched_at": fresh.fetched_at,
        "fresh": fresh.fresh,
    }


def _matrix(data: bytes) -> list[str]:
    """The squares of a QR code, a row a text, with the quiet zone that a scanner needs."""
    code = segno.make_qr(data, error="m", mode="byte", boost_error=False)
    return ["".join("1" if dark else "0" for dark in row) for row in code.matrix_iter(scale=1, border=4)]


async def _verify(context: Context, chat: str, last_group: str, scanned: str) -> dict[str, Any]:
    talk = await number_named(context.client, chat)
    if bool(last_group) == bool(scanned):
        raise InputError("give what was scanned, or the last group of digits", code="input.verify")
    try:
        data = bytes.fromhex(scanned) if scanned else None
    except (ValueError, binascii.Error):
        raise InputError("what was scanned is given in hexadecimal digits", code="input.verify") from None
    await talk.verify(scanned=data, last_group=last_group or None)
    return await security_of(context, talk)


async def _accept_keys(context: Context, chat: str) -> dict[str, Any]:
    talk = await number_named(context.client, chat)
    await talk.accept_keys()
    return await security_of(context, talk)


async def _withdraw(context: Context, chat: str) -> dict[str, Any]:
    talk = await number_named(context.client, chat)
    await talk.withdraw()
    return await security_of(context, talk)


async def _end(context: Context, chat: str) -> dict[str, Any]:
    talk = await conversation(context, chat)
    await talk.end_encryption()
    return encryption_record(await talk.encryption())


async def _revive(context: Context, chat: str) -> dict[str, Any]:
    talk = await conversation(context, chat)
    await talk.revive_encryption()
    return encryption_record(await talk.encryption())


async def _retry(context: Context, chat: str) -> dict[str, Any]:
    talk = await conversation(context, chat)
    await talk.retry_encryption()
    return encryption_record(await talk.encryption())


_SECURITY = ref("Security")
_ENCRYPTION = record(chat=STRING, security=STRING, protocol=STRING, era=INTEGER, epoch=INTEGER, health=STRING)

VERBS = (
    Verb(
        "security",
        "who can read a chat, and by which protocol it is encrypted",
        _security,
        _SECURITY,
        (CHAT,),
        description="Show the state of a chat: who can read it, by which protocol it is encrypted, and how that stands.",
        examples=(Example("of the chat with Ben", {"chat": "+15550199"}),),
    ),
    Verb(
        "code",
        "the security code of a chat: sixty digits, and a QR code",
        _code,
        record(
            chat=STRING,
            digits=STRING,
            groups=array(STRING),
            scannable=STRING,
            qr=array(STRING),
            me=STRING,
            them=STRING,
            me_name=STRING,
            them_name=STRING,
            fetched_at=INTEGER,
            fresh=BOOLEAN,
        ),
        (_NUMBER,),
        description="The code to compare, over the keys of both sides as the directory has them now (`fresh`), or had them "
        "at `fetched_at`. `groups` are its twelve groups of five digits, `qr` the squares of the QR code, `1` a dark one. "
        "Looking at it marks nothing: that is `verify`.",
        instead="verify shows it, and asks",
        examples=(Example("what to compare", {"chat": "+15550199"}),),
    ),
    Verb(
        "verify",
        "compare security codes with a contact",
        _verify,
        _SECURITY,
        (
            _NUMBER,
            Param(
                "last_group", Kind.WORD, "the last five digits that the contact read out", default="", metavar="DIGITS"
            ),
            # At the terminal --scan takes a picture.
            Param("scanned", Kind.WORD, "what the QR code of the contact says, in hex", default="", terminal=False),
        ),
        description="Show the security code of a chat. Read the digits to each other over another channel. Then type the "
        "last group that the other person reads out, here or with --last-group.",
        examples=(Example("they match", {"chat": "+15550199", "last_group": "81374"}),),
    ),
    Verb(
        "accept-keys",
        "go on with a contact's new keys without comparing",
        _accept_keys,
        _SECURITY,
        (_NUMBER,),
        description="After the keys of a verified contact have changed: send to the new ones without comparing codes. The "
        "chat is encrypted then, and not verified.",
        examples=(Example("send anyway", {"chat": "+15550199"}),),
    ),
    Verb(
        "withdraw",
        "take the mark of verification back",
        _withdraw,
        _SECURITY,
        (_NUMBER,),
        description="You no longer vouch for this contact's keys: the chat stays encrypted, and is not verified any more.",
        examples=(Example("not verified any more", {"chat": "+15550199"}),),
    ),
    Verb(
        "encryption end",
        "turn encryption off here, for everybody; nothing is sent until you decide again",
        _end,
        _ENCRYPTION,
        (CHAT,),
        description="For chats that go by RCC.16, where encryption belongs to the conversation as a whole. Seen by everybody "
        "in it; sends nothing in the clear: each message after that is your own decision.",
        examples=(Example("end it", {"chat": "+15550199"}),),
    ),
    Verb(
        "encryption revive",
        "turn it on again",
        _revive,
        _ENCRYPTION,
        (CHAT,),
        description="Begin encryption again after it was ended, in a chat that goes by RCC.16.",
        examples=(Example("encrypt again", {"chat": "+15550199"}),),
    ),
    Verb(
        "encryption retry",
        "have repair tried again after it came to nothing",
        _retry,
        _ENCRYPTION,
        (CHAT,),
        description="Have the repair of a conversation that goes by RCC.16 tried again.",
        examples=(Example("try again", {"chat": "+15550199"}),),
    ),
)
