"""Groups: what is asked for, and what happens. Every group is end-to-end encrypted, whatever was asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from ..engine.events import (
    Event,
    GroupCreated,
    GroupJoined,
    MemberAdded,
    MemberLeft,
    MemberRemoved,
    SubjectChanged,
)
from ..ids import Number
from .handles import RCSURI, CellularServiceID, RCSGroupHandle, group_handle, handle_of

__all__ = [
    "AddGroupChatParticipantsRequest",
    "AddGroupChatParticipantsResult",
    "ChangeGroupChatSubjectRequest",
    "CreateGroupChatRequest",
    "CreateGroupChatResult",
    "GroupChatEnded",
    "GroupChatEvent",
    "GroupChatParticipantsAdded",
    "GroupChatParticipantsRemoved",
    "GroupChatStarted",
    "GroupChatSubjectUpdated",
    "LeaveGroupChatRequest",
    "RemoveGroupChatParticipantsRequest",
    "RemoveGroupChatParticipantsResult",
    "group_event",
]


@dataclass(frozen=True, slots=True)
class CreateGroupChatRequest:
    """A group of ourselves and these."""

    cellular_service_id: CellularServiceID
    participants: tuple[RCSURI, ...]
    subject: str = ""
    is_end_to_end_encrypted: bool = False


@dataclass(frozen=True, slots=True)
class CreateGroupChatResult:
    """`is_end_to_end_encrypted` is True, also where it was not asked for."""

    group_handle: RCSGroupHandle
    participants: tuple[RCSURI, ...]
    subject: str | None
    is_end_to_end_encrypted: bool = True


@dataclass(frozen=True, slots=True)
class LeaveGroupChatRequest:
    """We leave."""

    cellular_service_id: CellularServiceID
    group_handle: RCSGroupHandle


@dataclass(frozen=True, slots=True)
class AddGroupChatParticipantsRequest:
    """These come in."""

    cellular_service_id: CellularServiceID
    group_handle: RCSGroupHandle
    participants: tuple[RCSURI, ...]
    is_end_to_end_encrypted: bool = False


@dataclass(frozen=True, slots=True)
class AddGroupChatParticipantsResult:
    """All of those that were asked for: who has no keys makes it fail as a whole."""

    added: tuple[RCSURI, ...]


@dataclass(frozen=True, slots=True)
class RemoveGroupChatParticipantsRequest:
    """These go; each came into the group after us."""

    cellular_service_id: CellularServiceID
    group_handle: RCSGroupHandle
    participants: tuple[RCSURI, ...]


@dataclass(frozen=True, slots=True)
class RemoveGroupChatParticipantsResult:
    """Who is gone."""

    removed: tuple[RCSURI, ...]


@dataclass(frozen=True, slots=True)
class ChangeGroupChatSubjectRequest:
    """The group is called so from now on, for everybody."""

    cellular_service_id: CellularServiceID
    group_handle: RCSGroupHandle
    new_subject: str
    is_end_to_end_encrypted: bool = False


# --- what happens ----------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class GroupChatStarted:
    """There is a group that we are in: somebody has added us, or a device of ours has made it."""

    cellular_service_id: CellularServiceID
    group_handle: RCSGroupHandle
    participants: tuple[RCSURI, ...]
    creator: RCSURI
    subject: str
    is_end_to_end_encrypted: bool = True


@dataclass(frozen=True, slots=True)
class GroupChatEnded:
    """We are not in it any more, by leaving it on some device of ours (`ended_by`)."""

    cellular_service_id: CellularServiceID
    group_handle: RCSGroupHandle
    ended_by: RCSURI


@dataclass(frozen=True, slots=True)
class GroupChatSubjectUpdated:
    """It is called otherwise. `changed_by` None: nobody who can be named."""

    cellular_service_id: CellularServiceID
    group_handle: RCSGroupHandle
    new_subject: str
    changed_by: RCSURI | None


@dataclass(frozen=True, slots=True)
class GroupChatParticipantsAdded:
    """Somebody has come in."""

    cellular_service_id: CellularServiceID
    group_handle: RCSGroupHandle
    added_participants: tuple[RCSURI, ...]
    added_by: RCSURI | None


@dataclass(frozen=True, slots=True)
class GroupChatParticipantsRemoved:
    """Somebody was removed, or has left: then it was they who removed themselves. `removed_current_user`: it is we."""

    cellular_service_id: CellularServiceID
    group_handle: RCSGroupHandle
    removed_participants: tuple[RCSURI, ...]
    removed_by: RCSURI | None
    removed_current_user: bool


GroupChatEvent: TypeAlias = (
    GroupChatStarted
    | GroupChatEnded
    | GroupChatSubjectUpdated
    | GroupChatParticipantsAdded
    | GroupChatParticipantsRemoved
)


def group_event(event: Event, line: CellularServiceID, me: Number) -> GroupChatEvent | None:
    """An event of ours as Apple tells it; None for what is not told of groups there."""
    match event:
        case GroupCreated() | GroupJoined():
            members = tuple(handle_of(member) for member in event.members)
            return GroupChatStarted(line, group_handle(event.chat), members, handle_of(event.by), event.subject)
        case MemberAdded():
            return GroupChatParticipantsAdded(line, group_handle(event.chat), (handle_of(event.member),), _by(event.by))
        case MemberLeft() if event.member == me:
            return GroupChatEnded(line, group_handle(event.chat), handle_of(me))
        case MemberLeft():
            gone = handle_of(event.member)
            return GroupChatParticipantsRemoved(line, group_handle(event.chat), (gone,), gone, False)
        case MemberRemoved():
            return GroupChatParticipantsRemoved(
                line, group_handle(event.chat), (handle_of(event.member),), _by(event.by), event.member == me
            )
        case SubjectChanged():
            return GroupChatSubjectUpdated(line, group_handle(event.chat), event.subject, _by(event.by))
        case _:
            return None


def _by(number: str) -> RCSURI | None:
    return handle_of(number) if number else None
