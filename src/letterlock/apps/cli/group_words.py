"""How events of groups read in a terminal. A group is shown by the beginning of its name: its subject is what somebody wrote."""

from __future__ import annotations

from functools import partial

from ...engine.groups.events import (
    GroupCreated,
    GroupEvent,
    GroupJoined,
    IconChanged,
    MemberAdded,
    MemberLeft,
    MemberRemoved,
    RosterMismatch,
    SubjectChanged,
)
from ...words import ENGLISH, text
from ...words.en import STRINGS
from ..verbs.names import chat_label

__all__ = ["group_event_words"]


def group_event_words(event: GroupEvent, locale: str = ENGLISH) -> str:
    """What happened, in words."""
    t, where = partial(text, locale=locale), chat_label(event.chat)
    match event:
        case GroupCreated():
            members = ", ".join(event.members[1:])
            return t("terminal.group.group-created", chat=where, subject=repr(event.subject), members=members)
        case GroupJoined():
            subject, count = repr(event.subject), len(event.members)
            return t("terminal.group.group-joined", chat=where, by=event.by, subject=subject, count=count)
        case MemberAdded():
            return t("terminal.group.member-added", chat=where, by=event.by, member=event.member)
        case MemberRemoved() if event.by:
            return t("terminal.group.member-removed", chat=where, by=event.by, member=event.member)
        case MemberRemoved():
            return t("terminal.group.member-removed.none", chat=where, member=event.member)
        case MemberLeft():
            return t("terminal.group.member-left", chat=where, member=event.member)
        case SubjectChanged():
            return t("terminal.group.subject-changed", chat=where, by=event.by, subject=repr(event.subject))
        case IconChanged() if event.icon:
            return t("terminal.group.icon-changed", chat=where, by=event.by)
        case IconChanged():
            return t("terminal.group.icon-changed.none", chat=where, by=event.by)
        case RosterMismatch():
            key = f"terminal.group.roster-mismatch.{event.reason}"
            key = key if key in STRINGS else "terminal.group.roster-mismatch"
            numbers = ", ".join(event.numbers)
            return t(key, chat=where, numbers=numbers, source=event.source, reason=event.reason)
