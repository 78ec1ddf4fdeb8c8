"""Verbs that say something, and the decision to say it unencrypted.

Encrypted or not at all: each of them raises NotEncrypted, whose options stand in the error, and takes the token of one
of them as `allow` (SR-01). A token is of one chat and one transition, and cannot be made up.
"""

from __future__ import annotations

import platform
from typing import Any

from ...client import BotChat, Chat
from ...codec.chatbot.model import Action, DeviceData, DeviceSpecifics, ShareLocation
from ...errors import InputError
from ...version import __version__
from .answers import allowed, conversation, security_of, sent
from .chats import CHAT, MESSAGE
from .context import Context
from .errors import option_record
from .names import message_named
from .schemas import INTEGER, array, record, ref
from .verb import Example, Kind, Param, Verb, param

__all__ = ["ALLOW", "VERBS"]

_TEXT = param("text", Kind.TEXT, "what it says")
ALLOW = Param(
    "allow", Kind.WORD, "your decision to send this unencrypted: the token of the refusal", default="", metavar="TOKEN"
)
# At the terminal --wait has its own sense: to wait for the receipt, so many seconds.
_WAIT = Param("wait", Kind.FLAG, "false: refuse rather than keep it until keys are here", default=True, terminal=False)
_KEEP = Param("keep", Kind.FLAG, "where no keys were found: keep it, and encrypt it when there are some", default=False)
_SENT = ref("Sent")


async def _send(
    context: Context, chat: str, text: str, reply_to: str, allow: str, wait: bool, keep: bool
) -> dict[str, Any]:
    talk = await conversation(context, chat)
    option = await allowed(talk, allow)
    if not reply_to:
        return sent(talk, await talk.send(text, allow=option, wait=wait, keep=keep))
    target = await message_named(talk, reply_to)
    return sent(talk, await talk.reply(target, text, allow=option, wait=wait, keep=keep))


async def _reply(
    context: Context, chat: str, message_id: str, text: str, allow: str, wait: bool, keep: bool
) -> dict[str, Any]:
    return await _send(context, chat, text, message_id, allow, wait, keep)


async def _react(context: Context, chat: str, message_id: str, emoji: str, remove: bool, allow: str) -> dict[str, Any]:
    talk = await conversation(context, chat)
    message, option = await message_named(talk, message_id), await allowed(talk, allow)
    return sent(talk, await talk.react(message, emoji, remove=remove, allow=option))


async def _edit(context: Context, chat: str, message_id: str, text: str, allow: str) -> dict[str, Any]:
    talk = await conversation(context, chat)
    message, option = await message_named(talk, message_id), await allowed(talk, allow)
    return sent(talk, await talk.edit(message, text, allow=option))


async def _delete(context: Context, chat: str, message_id: str, allow: str) -> dict[str, Any]:
    talk = await conversation(context, chat)
    message, option = await message_named(talk, message_id), await allowed(talk, allow)
    return sent(talk, await talk.delete(message, allow=option))


async def _location(
    context: Context, chat: str, latitude: float, longitude: float, label: str, radius: float, allow: str
) -> dict[str, Any]:
    talk = await conversation(context, chat)
    option = await allowed(talk, allow)
    return sent(talk, await talk.send_location(latitude, longitude, label, radius=radius, allow=option))


async def _resend(context: Context, chat: str, message_id: str, allow: str, wait: bool) -> dict[str, Any]:
    talk = await conversation(context, chat)
    message, option = await message_named(talk, message_id), await allowed(talk, allow)
    return sent(talk, await talk.resend(message, allow=option, wait=wait))


async def _answer(
    context: Context, chat: str, message_id: str, suggestion: int, place: list[float], tell_device: bool, allow: str
) -> dict[str, Any]:
    talk = await conversation(context, chat)
    if not isinstance(talk, BotChat):
        raise InputError("suggestions are a chatbot's", code="input.suggestion", hint="its address begins with sip:")
    message, option = await message_named(talk, message_id), await allowed(talk, allow)
    suggestions = await talk.suggestions(message)
    tapped = suggestions[suggestion - 1] if suggestion <= len(suggestions) else None
    kind = tapped.kind if isinstance(tapped, Action) else None
    if place and len(place) != 2:
        raise InputError("a place has a latitude and a longitude", code="input.location")
    if isinstance(kind, ShareLocation) and not place:
        raise InputError("the bot asks for a place", code="input.location", hint="give `place`, of any place you like")
    message_id = await talk.answer(message, suggestion, allow=option)
    if isinstance(kind, ShareLocation):
        await talk.send_location(place[0], place[1])
    if isinstance(kind, DeviceSpecifics) and tell_device:
        device = DeviceData(
            model=platform.system(),
            platform_version=platform.release(),
            client_vendor="Letterlock",
            client_version=__version__,
        )
        await talk.tell_device(device)
    return sent(talk, message_id)


async def _options(context: Context, chat: str) -> list[dict[str, str]]:
    talk = await conversation(context, chat)
    return [option_record(option, context.locale) for option in await talk.options()]


async def _keep(context: Context, chat: str) -> dict[str, Any]:
    talk = await conversation(context, chat)
    await talk.keep_waiting()
    return await security_of(context, talk)


async def _release(context: Context, chat: str, allow: str) -> dict[str, Any]:
    talk = await conversation(context, chat)
    option = await allowed(talk, allow)
    if option is None or not isinstance(talk, Chat):
        raise InputError(
            "what waits goes unencrypted by a decision for this chat alone",
            code="input.allow",
            hint="the token of one of its options",
        )
    return {"released": await talk.release(option)}


VERBS = (
    Verb(
        "send",
        "send a message",
        _send,
        _SENT,
        (
            CHAT,
            _TEXT,
            Param("reply_to", Kind.MESSAGE, "the message that it answers", default="", metavar="MESSAGE"),
            ALLOW,
            _WAIT,
            _KEEP,
        ),
        description="Send a message. It is encrypted or it is not sent: exit code 7 says that it would not have been, "
        "and the error carries the token of what you may choose instead.",
        examples=(
            Example("to a number", {"chat": "+15550199", "text": "See you at eight?"}),
            Example("to a group, by its subject", {"chat": "Picnic", "text": "Who brings the bread?"}),
            Example("in answer", {"chat": "+15550199", "text": "Yes", "reply_to": "0a1b2c3d"}),
            Example("when there are keys", {"chat": "+15550199", "text": "Write to me", "keep": True}),
        ),
    ),
    Verb(
        "reply",
        "answer a message",
        _reply,
        _SENT,
        (CHAT, MESSAGE, _TEXT, ALLOW, _WAIT, _KEEP),
        description="Answer a message. Sent like any other: encrypted or not at all.",
        examples=(Example("answer", {"chat": "+15550199", "message_id": "0a1b2c3d", "text": "At nine, then"}),),
    ),
    Verb(
        "react",
        "put an emoji on a message",
        _react,
        _SENT,
        (
            CHAT,
            MESSAGE,
            param("emoji", Kind.WORD, "one emoji", metavar="EMOJI"),
            Param("remove", Kind.FLAG, "take it away", default=False),
            ALLOW,
        ),
        description="Put an emoji on a message, or take yours away again.",
        examples=(
            Example("a thumb", {"chat": "+15550199", "message_id": "0a1b2c3d", "emoji": "👍"}),
            Example("and away again", {"chat": "+15550199", "message_id": "0a1b2c3d", "emoji": "👍", "remove": True}),
        ),
    ),
    Verb(
        "edit",
        "give a message of yours another text",
        _edit,
        _SENT,
        (CHAT, MESSAGE, _TEXT, ALLOW),
        description="Give a message of yours another text. It is marked as edited, and readers can still see the first text.",
        examples=(Example("another time", {"chat": "+15550199", "message_id": "0a1b2c3d", "text": "At ten"}),),
    ),
    Verb(
        "delete",
        "take a message of yours back",
        _delete,
        _SENT,
        (CHAT, MESSAGE, ALLOW),
        description="Take a message of yours back. Its text goes from this profile at once and from the contact's when it "
        "hears of it; nobody can make a person forget what was read.",
        examples=(Example("take it back", {"chat": "+15550199", "message_id": "0a1b2c3d"}),),
    ),
    Verb(
        "location",
        "send a place",
        _location,
        _SENT,
        (
            CHAT,
            param("latitude", Kind.DECIMAL, "-90 to 90", metavar="LATITUDE"),
            param("longitude", Kind.DECIMAL, "-180 to 180", metavar="LONGITUDE"),
            Param("label", Kind.WORD, "what it is called", default="", metavar="LABEL"),
            Param("radius", Kind.DECIMAL, "how exact it is, in metres", default=0.0, metavar="METRES"),
            ALLOW,
        ),
        description="Send a place: degrees of latitude and longitude.",
        examples=(
            Example(
                "a meadow", {"chat": "+15550199", "latitude": 52.5145, "longitude": 13.3501, "label": "By the lake"}
            ),
        ),
    ),
    Verb(
        "resend",
        "send a message that failed again",
        _resend,
        _SENT,
        (CHAT, MESSAGE, ALLOW, _WAIT),
        description="Send a message of yours that failed or expired again, as a new one; the old one names it then. By the "
        "rules of sending: encrypted, or refused.",
        examples=(Example("once more", {"chat": "+15550199", "message_id": "0a1b2c3d"}),),
    ),
    Verb(
        "answer",
        "tap a suggestion of a chatbot",
        _answer,
        _SENT,
        (
            CHAT,
            MESSAGE,
            param(
                "suggestion",
                Kind.INTEGER,
                "as it stands before the suggestion",
                metavar="NUMBER",
                lowest=1,
                highest=1_000,
            ),
            # At the terminal --place takes them as one word.
            Param(
                "place",
                Kind.DECIMAL,
                "latitude and longitude, where a place is asked for",
                many=True,
                highest=2,
                terminal=False,
            ),
            Param("tell_device", Kind.FLAG, "tell this system's name and version, where the bot asks", default=False),
            ALLOW,
        ),
        description="Tap a suggestion of a chatbot: what stands on it goes back, unencrypted, to the business, which sees "
        "your number. Actions are not performed: what one asks for is yours to do.",
        examples=(
            Example("the second one", {"chat": "sip:shop@bots.example.com", "message_id": "0a1b2c3d", "suggestion": 2}),
        ),
    ),
    Verb(
        "options",
        "what may be chosen in place of encryption",
        _options,
        array(ref("Option")),
        (CHAT,),
        description="What you may choose in this chat now, who can read what is sent so, and the token of the choice. Empty "
        "while the chat is encrypted.",
        examples=(Example("is there a choice", {"chat": "+15550199"}),),
    ),
    Verb(
        "keep",
        "keep messages waiting where no keys were found",
        _keep,
        ref("Security"),
        (CHAT,),
        description="What you write in this chat is kept from now on, and encrypted when there are keys, until that changes. "
        "Nothing of it leaves unencrypted but by release; delete takes a message back.",
        examples=(Example("wait for the keys", {"chat": "+15550199"}),),
    ),
    Verb(
        "release",
        "send what waits for keys unencrypted, by your decision",
        _release,
        record(released=INTEGER),
        (CHAT, param("allow", Kind.WORD, "the token of the option that you choose", metavar="TOKEN")),
        description="Messages that wait for keys go unencrypted, by the token of an option of this chat. Those that were to "
        "be encrypted in any case stay.",
        examples=(Example("let them go", {"chat": "+15550199", "allow": "plain-rcs.1.5f0a..."}),),
    ),
)
