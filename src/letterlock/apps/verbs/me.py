"""Verbs about this profile as a whole: who it is, what it can, whether it answers, the words of its pages."""

from __future__ import annotations

import contextlib
from typing import Any

from ...carriage import Medium
from ...engine.events import Event, NumberReset, OwnListMismatch, StoreRolledBack
from ...errors import InputError
from ...files import MAX_SIZE
from ...version import __version__
from ...words import direction, locales, table
from .context import Context
from .schemas import ANY, BOOLEAN, INTEGER, STRING, array, nullable, record, words
from .verb import Example, Kind, Param, Verb

__all__ = ["VERBS"]

_ALARMS: dict[type[Event], str] = {
    NumberReset: "number-reset",
    OwnListMismatch: "own-list",
    StoreRolledBack: "rolled-back",
}
_SEEN = "alarms"
"""The consumer whose cursor says up to where they were seen."""


async def _me(context: Context) -> dict[str, Any]:
    client = context.client
    me = client.me
    return {
        "number": me.number,
        "account": me.account,
        "device": me.device,
        "name": me.name,
        "primary": me.primary,
        "version": __version__,
        "carried": {"rcs": await client.carried(Medium.RCS), "sms": await client.carried(Medium.SMS)},
        "locale": context.locale,
        "limits": {"text_bytes": client.limits.max_text, "file_bytes": MAX_SIZE},
    }


async def _alarms(context: Context, seen: int) -> dict[str, Any]:
    client = context.client
    newest, at = await client.cursor(), await client.recall(_SEEN) or 0
    if at < seen <= newest:
        at = seen
        await client.keep(_SEEN, at)
    found: dict[str, None] = {}
    if at < newest:
        async with contextlib.aclosing(client.events(at)) as events:
            async for recorded in events:
                if name := _ALARMS.get(type(recorded.event)):
                    found[name] = None
                if recorded.cursor >= newest:
                    break
    if at < newest and not found:
        await client.keep(_SEEN, newest)  # not looked through again
    return {"alarms": list(found), "cursor": newest}


async def _check(context: Context) -> dict[str, Any]:
    # Asks the owner of the profile: a process that only answers for itself is not "ok".
    await context.client.cursor()
    return {"ok": True, "version": __version__}


async def _strings(context: Context, locale: str) -> dict[str, Any]:
    wanted = locale or context.locale
    if wanted not in locales():
        raise InputError(
            f"there is no locale {wanted[:20]!r}", code="input.locale", hint=f"there are {', '.join(locales())}"
        )
    return {"locale": wanted, "dir": direction(wanted), "strings": dict(table(wanted))}


async def _certificate(context: Context) -> dict[str, Any] | None:
    info = await context.client.certificate()
    if info is None:
        return None
    return {"ready": info.ready, "not_after": info.not_after, "packages": info.packages, "trouble": info.trouble}


VERBS = (
    Verb(
        "me",
        "who this profile is, and what it can",
        _me,
        record(
            number=STRING,
            account=STRING,
            device=INTEGER,
            name=STRING,
            primary=BOOLEAN,
            version=STRING,
            carried=record(rcs=BOOLEAN, sms=BOOLEAN),
            locale=STRING,
            limits=record(text_bytes=INTEGER, file_bytes=INTEGER),
        ),
        description="The number, account and device of this profile; whether a carrier is set up for RCS and for SMS; and "
        "the bounds of what can be sent, in bytes.",
        examples=(Example("who am I"),),
    ),
    Verb(
        "alarms",
        "what happened to the account that was not put away yet",
        _alarms,
        record(alarms=array(words(*_ALARMS.values())), cursor=INTEGER),
        (Param("seen", Kind.INTEGER, "the cursor of an answer: what it told is put away", default=0),),
        description="What happened to the account and is no matter of one chat: somebody else claimed the number, strangers "
        "are shown other keys for it, the profile was an older copy. Each is told until it is put away.",
        instead="doctor",
        examples=(Example("is there anything"), Example("they were read", {"seen": 4711})),
    ),
    Verb(
        "check",
        "whether the profile is open and answers",
        _check,
        record(ok=BOOLEAN, version=STRING),
        description="Whether whoever owns the profile answers, and in which version of Letterlock.",
        instead="doctor",
        examples=(Example("is it there"),),
    ),
    Verb(
        "strings",
        "every text of the pages in a locale",
        _strings,
        record(locale=STRING, dir={"type": "string", "enum": ["ltr", "rtl"]}, strings=ANY),
        (Param("locale", Kind.WORD, "default: that of the session", default=""),),
        description="The one table of texts: labels and sentences of states, refusals and outcomes, and what the pages say. "
        "A text has placeholders in braces; where a number decides, it is an object of plural forms.",
        instead="the terminal speaks English",
        examples=(Example("the mirrored locale that proves a right-to-left layout", {"locale": "ar-XB"}),),
    ),
    Verb(
        "certificate",
        "what this device has at the key distribution server",
        _certificate,
        nullable(record(ready=BOOLEAN, not_after=INTEGER, packages=INTEGER, trouble=STRING)),
        description="Of a profile that speaks RCC.16: whether this device can be encrypted to, until when its certificate "
        "lasts, how many key packages it published last, and what troubles it. Nothing for any other profile.",
        examples=(Example("can others encrypt to this device by RCC.16"),),
    ),
)
