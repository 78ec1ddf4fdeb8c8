"""Verbs of groups: who is in them, what they are called. Talking there is done with the verbs for chats."""

from __future__ import annotations

from typing import Any

from ...client import Group
from .answers import names
from .context import Context
from .names import group_named
from .records import group_record, member_record
from .schemas import array, ref
from .verb import Example, Kind, Param, Verb, param

__all__ = ["VERBS"]

_GROUP = param("chat", Kind.CHAT, "its name or the beginning of it, or its subject", metavar="GROUP")
_MEMBERS = param("members", Kind.NUMBER, "numbers", many=True, highest=1_000)
_SECONDS = 5.0


async def _create(context: Context, subject: str, members: list[str], protocol: str) -> dict[str, Any]:
    group = await context.client.create_group(members, subject, protocol=protocol, patience=_SECONDS)
    return group_record(await group.info())


async def _list(context: Context) -> list[dict[str, Any]]:
    return [group_record(info) for info in await context.client.groups()]


async def _info(context: Context, chat: str) -> dict[str, Any]:
    return group_record(await (await group_named(context.client, chat)).info())


async def _members(context: Context, chat: str) -> list[dict[str, Any]]:
    group = await group_named(context.client, chat)
    known = await names(context, group)
    return [member_record(member, known) for member in (await group.info()).members]


async def _add(context: Context, chat: str, members: list[str]) -> dict[str, Any]:
    group = await group_named(context.client, chat)
    await group.add(*members, patience=_SECONDS)
    return group_record(await group.info())


async def _remove(context: Context, chat: str, member: str) -> dict[str, Any]:
    group = await group_named(context.client, chat)
    await group.remove(member)
    return group_record(await group.info())


async def _leave(context: Context, chat: str) -> dict[str, Any]:
    group: Group = await group_named(context.client, chat)
    await group.leave()
    return group_record(await group.info())


async def _subject(context: Context, chat: str, subject: str) -> dict[str, Any]:
    group = await group_named(context.client, chat)
    await group.set_subject(subject)
    return group_record(await group.info())


_RESULT = ref("Group")

VERBS = (
    Verb(
        "group create",
        "a new group of you and these numbers",
        _create,
        _RESULT,
        (
            param("subject", Kind.WORD, "what it is called", metavar="SUBJECT"),
            _MEMBERS,
            Param(
                "protocol",
                Kind.WORD,
                "default: signal if everybody has it on every device, else rcc16",
                default="",
                choices=("", "signal", "rcc16"),
            ),
        ),
        description="Begin an encrypted group. Refused when somebody has no keys: nobody is silently left out, and nothing "
        "is ever sent unencrypted to a group.",
        examples=(Example("a picnic", {"subject": "Picnic", "members": ["+15550199", "+15550142"]}),),
    ),
    Verb(
        "group list",
        "the groups that you are or were in",
        _list,
        array(_RESULT),
        description="The groups that you are in, and those that you have left or were removed from (`joined` false).",
        examples=(Example("all of them"),),
    ),
    Verb(
        "group info",
        "a group as its members have signed it",
        _info,
        _RESULT,
        (_GROUP,),
        description="Subject and members as the members have signed them; the carrier cannot change them.",
        examples=(Example("the picnic", {"chat": "Picnic"}),),
    ),
    Verb(
        "group members",
        "who is in it, in the order in which they came",
        _members,
        array(ref("Member")),
        (_GROUP,),
        description="Who is in it, in the order in which they came. `removable`: it came after you. `current` false: it has "
        "other keys now than those that were added, and gets nothing until somebody adds it again.",
        examples=(Example("who is there", {"chat": "Picnic"}),),
    ),
    Verb(
        "group add",
        "add people; also somebody whose keys have changed, once more",
        _add,
        _RESULT,
        (_GROUP, _MEMBERS),
        description="Any member adds people. Somebody whose keys have changed is added again, with the new ones.",
        examples=(Example("one more", {"chat": "Picnic", "members": ["+15550177"]}),),
    ),
    Verb(
        "group remove",
        "remove somebody who came after you",
        _remove,
        _RESULT,
        (_GROUP, param("member", Kind.NUMBER, "a number")),
        description="A member can be removed by those who were in the group before it.",
        examples=(Example("remove", {"chat": "Picnic", "member": "+15550177"}),),
    ),
    Verb(
        "group leave",
        "leave; what there is stays readable",
        _leave,
        _RESULT,
        (_GROUP,),
        description="Leave: nothing can be sent there until somebody adds you again; what there is stays readable.",
        examples=(Example("leave", {"chat": "Picnic"}),),
    ),
    Verb(
        "group subject",
        "call it otherwise, for everybody",
        _subject,
        _RESULT,
        (_GROUP, param("subject", Kind.WORD, "what it is called", metavar="SUBJECT")),
        description="Give the group another name, for everybody in it.",
        examples=(Example("another name", {"chat": "Picnic", "subject": "Picnic on Sunday"}),),
    ),
)
