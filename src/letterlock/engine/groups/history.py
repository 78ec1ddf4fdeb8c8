"""Changes of a group as events, and as items of the chat's history in the place where they took effect here."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable

from ...ids import AccountId, DeviceId, GroupName, MessageId, Number, account_uuid
from ...seam import Party
from ...trust.group_log import GroupLog
from ...trust.group_log_entry import Entry, EntryId, Leave, Member
from .. import chats
from ..core import NOBODY, Core
from ..events import event_to_json
from ..history_records import NOTICE_TYPE
from ..record_values import Message, Status
from ..records import message_key, order_of
from ..step import Turn
from .events import (
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
from .values import Group

__all__ = ["NOTICE_TYPE", "changed", "mismatch", "tell"]

_NOBODY = Party(Number(""), NOBODY, DeviceId(0))


def changed(core: Core, turn: Turn, before: Group, after: Group, log: GroupLog) -> None:
    """Tell what is different, in the order of the log. Nothing while we are not a member and were none."""
    if not before.joined and not after.joined:
        return
    name, numbers = after.name, tuple(member.number for member in after.members)
    if not before.joined:
        author = _entry_of(log, core.me.account).author.party
        if not before.entries and author.account == core.me.account:
            tell(
                core, turn, name, author, lambda order: GroupCreated(name, author.number, after.subject, numbers, order)
            )
        else:
            tell(
                core, turn, name, author, lambda order: GroupJoined(name, author.number, after.subject, numbers, order)
            )
        return
    found: list[tuple[tuple[int, EntryId, int], Party, Callable[[str], GroupEvent]]] = []
    known = {member.account for member in before.members}
    for place, standing in enumerate(log.state.members):
        if standing.member.account not in known:
            entry = log.entry(standing.entry)
            author = entry.author.party if entry is not None else _NOBODY
            found.append(((standing.rank[0], standing.entry, place), author, _added(name, standing.member, author)))
    for member in before.members:
        if after.member(member.account) is None:
            entry = log.entry(log.state.ended.get(member.account, b""))
            author = entry.author.party if entry is not None else _NOBODY
            found.append(((_depth(log, entry), entry.id if entry else b"", 0), author, _ended(name, member, entry)))
    if before.subject != after.subject:
        found.append(
            _renamed(log, log.state.subject_entry, lambda by, order: SubjectChanged(name, after.subject, by, order))
        )
    if (before.icon, before.icon_digest) != (after.icon, after.icon_digest):
        digest = after.icon_digest.hex()
        found.append(
            _renamed(log, log.state.icon_entry, lambda by, order: IconChanged(name, after.icon, digest, by, order))
        )
    for _, author, event in sorted(found, key=lambda each: each[0]):
        tell(core, turn, name, author, event)


def mismatch(core: Core, turn: Turn, name: GroupName, reason: str, source: str, numbers: tuple[str, ...]) -> None:
    """Tell that somebody's roster is not the signed one."""
    tell(core, turn, name, _NOBODY, lambda order: RosterMismatch(name, reason, source, numbers, order))


def tell(core: Core, turn: Turn, name: GroupName, author: Party, event: Callable[[str], GroupEvent]) -> None:
    """An event, and the same as an item of the history at the place of now."""
    chat = chats.load(turn, name)
    chat = dataclasses.replace(chat, lamport=chat.lamport + 1)
    order = order_of(chat.lamport, author.account, author.device, 0)
    told = event(order)
    notice = Message(
        order=order,
        message_id=MessageId(f"group-{chat.lamport:016x}"),
        sender=author.number,
        mine=author.account == core.me.account,
        encrypted=True,
        status=Status.SEEN,
        sent_at=0,
        at=turn.now,
        content_type=NOTICE_TYPE,
        text=json.dumps(event_to_json(told), ensure_ascii=False),
    )
    turn.staged.put(message_key(name, order), notice)
    chats.save(core, turn, chat)
    turn.tell(told)


def _added(name: GroupName, member: Member, author: Party) -> Callable[[str], GroupEvent]:
    uuid = account_uuid(member.account)
    return lambda order: MemberAdded(name, member.number, uuid, author.number, order)


def _ended(name: GroupName, member: Member, entry: Entry | None) -> Callable[[str], GroupEvent]:
    uuid = account_uuid(member.account)
    if entry is not None and isinstance(entry.operation, Leave):
        return lambda order: MemberLeft(name, member.number, uuid, order)
    by = entry.author.party.number if entry is not None else ""
    return lambda order: MemberRemoved(name, member.number, uuid, by, order)


def _renamed(
    log: GroupLog, entry_id: EntryId, event: Callable[[str, str], GroupEvent]
) -> tuple[tuple[int, EntryId, int], Party, Callable[[str], GroupEvent]]:
    entry = log.entry(entry_id)
    author = entry.author.party if entry is not None else _NOBODY
    return (_depth(log, entry), entry_id, 0), author, lambda order: event(author.number, order)


def _depth(log: GroupLog, entry: Entry | None) -> int:
    return next((node.depth for node in log.nodes if entry is not None and node.entry.id == entry.id), 0)


def _entry_of(log: GroupLog, account: AccountId) -> Entry:
    """The entry that made this account a member."""
    standing = log.state.standing(account)
    entry = log.entry(standing.entry) if standing is not None else None
    return entry if entry is not None else log.nodes[0].entry
