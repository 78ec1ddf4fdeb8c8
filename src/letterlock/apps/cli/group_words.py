"""How events of groups read in a terminal. A group is shown by the beginning of its name: its subject is what somebody wrote."""

from __future__ import annotations

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
from ..verbs.names import chat_label

__all__ = ["group_event_text"]


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


_MISMATCHES = {
    "ghost": "the carrier's conference lists {numbers}, whom no member has added; nothing is sent there",
    "missing": "the carrier's conference lacks {numbers}",
    "subject": "the carrier's conference is called otherwise",
    "withheld": "{source} knows changes of the group that nobody sends us",
    "revocation": "the key of the device that you removed cannot be revoked in this group; begin a new one",
    "other-group": "the carrier shows a group with {numbers} that no member you know vouches for; it was not entered",
    "other-keys": "{numbers} has other keys now than when it was added, and gets nothing until somebody adds it again",
}
