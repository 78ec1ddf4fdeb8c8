"""How events of groups read in a terminal. A group is shown by the beginning of its name: its subject is what somebody wrote."""

from __future__ import annotations

import json

from ...engine.events import event_from_json
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
from ...errors import DecodeError
from ...ids import ChatName, group_of

__all__ = ["chat_label", "group_event_text", "notice_text"]


def chat_label(chat: ChatName) -> str:
    """A number as it is; of a group's name as much as one types."""
    return chat if group_of(chat) is None else f"group {chat[:8]}"


def group_event_text(event: GroupEvent) -> str:
    """One line for people."""
    where = chat_label(event.chat)
    match event:
        case GroupCreated():
            return f"{where}: created {event.subject!r} with {', '.join(event.members[1:])}"
        case GroupJoined():
            return f"{where}: {event.by} added you to {event.subject!r} of {len(event.members)}"
        case MemberAdded():
            return f"{where}: {event.by} added {event.member}"
        case MemberRemoved():
            return f"{where}: {event.by or 'the end of another membership'} removed {event.member}"
        case MemberLeft():
            return f"{where}: {event.member} left"
        case SubjectChanged():
            return f"{where}: {event.by} called it {event.subject!r}"
        case IconChanged():
            return f"{where}: {event.by} {'changed' if event.icon else 'took away'} the picture"
        case RosterMismatch():
            return f"{where}: {_MISMATCHES.get(event.reason, event.reason).format(numbers=', '.join(event.numbers), source=event.source)}"


def notice_text(notice: str) -> str:
    """An item of the history that is no message: the event that it holds, in words."""
    try:
        event = event_from_json(json.loads(notice))
    except (ValueError, DecodeError):
        return "(a change of the group)"
    return f"({group_event_text(event)})" if isinstance(event, GroupEvent) else "(a change of the group)"


_MISMATCHES = {
    "ghost": "the carrier's conference lists {numbers}, whom no member has added; nothing is sent there",
    "missing": "the carrier's conference lacks {numbers}",
    "subject": "the carrier's conference is called otherwise",
    "withheld": "{source} knows changes of the group that nobody sends us",
    "revocation": "the key of the device that you removed cannot be revoked in this group; begin a new one",
    "other-group": "the carrier shows a group with {numbers} that no member you know vouches for; it was not entered",
    "other-keys": "{numbers} has other keys now than when it was added, and gets nothing until somebody adds it again",
}
