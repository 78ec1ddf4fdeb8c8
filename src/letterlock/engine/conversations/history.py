"""Changes of a group as its protocol reports them: events, and items of the chat's history in the place of their arrival."""

from __future__ import annotations

from collections.abc import Callable

from ...conversation_seam import MetadataChanged, RosterChanged
from ...ids import DeviceId, GroupName, Number, account_uuid
from ...seam import Party
from ..core import NOBODY, Core
from ..groups import history
from ..groups.events import (
    GroupCreated,
    GroupEvent,
    GroupJoined,
    IconChanged,
    MemberAdded,
    MemberLeft,
    MemberRemoved,
    SubjectChanged,
)
from ..step import Turn
from . import icons, members
from .values import Membership

__all__ = ["created", "joined", "metadata", "roster"]


def created(core: Core, turn: Turn, name: GroupName, group: Membership) -> None:
    """The user made it."""
    numbers = (core.me.number, *(member.number for member in group.members))
    _tell(core, turn, name, core.me.number, lambda at: GroupCreated(name, core.me.number, group.subject, numbers, at))


def joined(core: Core, turn: Turn, name: GroupName, by: Number, group: Membership) -> None:
    """Somebody has us in a group."""
    others = sorted((member.number for member in group.members), key=lambda number: number != by)
    numbers = (*others, core.me.number)
    _tell(core, turn, name, by, lambda at: GroupJoined(name, by, group.subject, numbers, at))


def roster(core: Core, turn: Turn, name: GroupName, noted: RosterChanged, before: Membership) -> None:
    """Who came and went, by whose commit. Whoever goes by its own will is committed out by another (rcc16.md 6): the
    protocol names it as the one that the change is by."""
    for number in noted.added:
        uuid = account_uuid(members.account_of(core, turn, name, number))
        _tell(core, turn, name, noted.by, _added(name, number, uuid, noted.by))
    for number in noted.removed:
        uuid = account_uuid(before.account(number) or members.account_of(core, turn, name, number))
        _tell(core, turn, name, noted.by, _gone(name, number, uuid, noted.by))


def metadata(
    core: Core, turn: Turn, name: GroupName, noted: MetadataChanged, before: Membership, after: Membership
) -> None:
    """The group's name or picture."""
    by = noted.by or Number("")
    if before.subject != after.subject or (noted.subject is not None and by == core.me.number):
        _tell(core, turn, name, by, lambda at: SubjectChanged(name, after.subject, by, at))
    if before.icon != after.icon:
        digest = icons.digest_of(after.icon).hex()
        _tell(
            core,
            turn,
            name,
            by,
            lambda at: IconChanged(name, "" if not digest else f"sha-256:{digest}", digest, by, at),
        )


def _tell(core: Core, turn: Turn, name: GroupName, by: Number, event: Callable[[str], GroupEvent]) -> None:
    account = members.account_of(core, turn, name, by) if by else NOBODY
    history.tell(core, turn, name, Party(by, account, DeviceId(1 if by else 0)), event)


def _added(name: GroupName, number: Number, uuid: str, by: Number) -> Callable[[str], GroupEvent]:
    return lambda at: MemberAdded(name, number, uuid, by, at)


def _gone(name: GroupName, number: Number, uuid: str, by: Number) -> Callable[[str], GroupEvent]:
    if number == by:
        return lambda at: MemberLeft(name, number, uuid, at)
    return lambda at: MemberRemoved(name, number, uuid, by, at)
