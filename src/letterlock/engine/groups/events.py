"""Events of groups. `chat` is the group's name; `by` the number of whoever signed the change, empty where a member is
gone because its addition became void. `order` is the place of the change in the chat's history.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...ids import GroupName, Number

__all__ = [
    "GroupCreated",
    "GroupEvent",
    "GroupJoined",
    "IconChanged",
    "MemberAdded",
    "MemberLeft",
    "MemberRemoved",
    "RosterMismatch",
    "SubjectChanged",
]


@dataclass(frozen=True, slots=True)
class GroupCreated:
    """A device of ours created the group. `members` are all, we first."""

    chat: GroupName
    by: Number
    subject: str
    members: tuple[Number, ...]
    order: str


@dataclass(frozen=True, slots=True)
class GroupJoined:
    """Somebody has added us. `members` are all there were, in the order of their ranks, ourselves among them."""

    chat: GroupName
    by: Number
    subject: str
    members: tuple[Number, ...]
    order: str


@dataclass(frozen=True, slots=True)
class MemberAdded:
    """A member was added, and signed for."""

    chat: GroupName
    member: Number
    account: str
    by: str
    order: str


@dataclass(frozen=True, slots=True)
class MemberRemoved:
    """A member was removed; if it is our own number, nothing can be sent here any more."""

    chat: GroupName
    member: Number
    account: str
    by: str
    order: str


@dataclass(frozen=True, slots=True)
class MemberLeft:
    """A member, or we on another device, left."""

    chat: GroupName
    member: Number
    account: str
    order: str


@dataclass(frozen=True, slots=True)
class SubjectChanged:
    """The group has another name."""

    chat: GroupName
    subject: str
    by: str
    order: str


@dataclass(frozen=True, slots=True)
class IconChanged:
    """The group has another picture: where it lies and the hash of its bytes in hexadecimal; empty when it was taken away."""

    chat: GroupName
    icon: str
    digest: str
    by: str
    order: str


@dataclass(frozen=True, slots=True)
class RosterMismatch:
    """What somebody says of the group's members is not what its members have signed; it changes nothing (SR-04).

    `reason`: `ghost` (the carrier's conference at `source` lists `numbers` who are no members), `missing` (it lacks
    them), `subject` (it is called otherwise there), `withheld` (the member `source` names changes of the group that
    nobody has sent, although we asked), `other-keys` (`numbers` have other keys now than the ones that were added:
    they get nothing until somebody adds them again), `other-group` (the focus shows a group of this name, with
    `numbers`, for which no member that we know vouches; it was not entered), `revocation` (the group's log takes no more changes: the key of a
    device that was taken off our list still counts there, and only a new group helps).
    """

    chat: GroupName
    reason: str
    source: str
    numbers: tuple[str, ...]
    order: str


GroupEvent = (
    GroupCreated
    | GroupJoined
    | MemberAdded
    | MemberRemoved
    | MemberLeft
    | SubjectChanged
    | IconChanged
    | RosterMismatch
)
