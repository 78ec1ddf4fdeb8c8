"""What a change of a group's log leads to: it is stored and told, and nothing more goes to whoever is out (SR-04)."""

from __future__ import annotations

from dataclasses import replace

from ...carriage import Conference
from ...ids import AccountId, GroupName, Number
from ...trust.group_log import GroupLog
from .. import chats, ordering
from ..content import GROUP_TYPE
from ..core import Core
from ..effects import SyncConference
from ..events import MessageFailed
from ..record_values import Message, Status, Task
from ..records import OUTBOX, WAITING
from ..shelf import lookup, put
from ..step import Turn
from . import history as groups_history
from . import log as groups_log
from . import security as groups_security
from .log import Evidence
from .values import GROUP, Group, group_key, since_key

__all__ = ["apply", "contact_changed", "forget_unjoined", "sync", "sync_all"]


def apply(core: Core, turn: Turn, before: Group, log: GroupLog, evidence: Evidence) -> Group:
    """Take a log that has grown."""
    after = groups_log.store(core, turn, before, log, evidence)
    if after.joined and not before.joined and chats.exists(turn, after.name):
        chats.save(core, turn, ordering.begin_again(core, turn, chats.load(turn, after.name)))
    groups_history.changed(core, turn, before, after, log)
    for member in before.members:
        if after.member(member.account) is None:
            turn.staged.delete(since_key(after.name, member.account))
            _give_up(core, turn, after.name, member.account, member.number)
    if before.joined and not after.joined:
        _give_up(core, turn, after.name, None, Number(""))
        sync(core, turn, after)
    elif after.ours:
        sync(core, turn, after)
    if after.joined:
        for member in after.members:
            if before.member(member.account) is not None or member.account == core.me.account:
                continue
            # Keys are looked up when there is something to write: a thousand newcomers that look each other up at once
            # help nobody but who counts look-ups.
            contact = chats.contact_of(turn, member.number)
            if contact is not None and contact.account != member.account:
                groups_history.mismatch(core, turn, after.name, "other-keys", "", (member.number,))
        groups_security.refresh(core, turn, after.name)
    return turn.staged.get(group_key(after.name)) or after


def contact_changed(core: Core, turn: Turn, number: Number) -> None:
    """Keys of a number were met, or are others now: where its groups stand, and that it gets nothing for other keys."""
    contact = chats.contact_of(turn, number)
    for key in list(turn.staged.scan(GROUP)):
        group = turn.staged.get(key)
        named = [member for member in group.members if member.number == number] if group is not None else []
        if group is None or not group.joined or not named:
            continue
        if contact is not None and all(member.account != contact.account for member in named):
            groups_history.mismatch(core, turn, group.name, "other-keys", "", (number,))
        groups_security.refresh(core, turn, group.name)


def sync(core: Core, turn: Turn, group: Group) -> None:
    """Have the carrier's conference follow the log; frames reach the members without it as well."""
    numbers = tuple(member.number for member in group.members if member.account != core.me.account)
    turn.effects.append(
        SyncConference(Conference(groups_log.group_id(group.name), group.subject, numbers), not group.joined)
    )


def sync_all(core: Core, turn: Turn) -> None:
    """After a restart: of the groups whose last change was made here, once more."""
    for key in turn.staged.scan(GROUP):
        group = turn.staged.get(key)
        if group is not None and group.ours:
            sync(core, turn, group)


def forget_unjoined(core: Core, turn: Turn) -> None:
    """Groups that somebody named and that we never came to be in (SR-08)."""
    for key in list(turn.staged.scan(GROUP)):
        group = turn.staged.get(key)
        if group is None or group.joined or chats.exists(turn, group.name):
            continue
        if group.met_at + core.limits.expiry_ms <= turn.now:
            groups_log.forget(turn, group)


def _give_up(core: Core, turn: Turn, name: GroupName, account: AccountId | None, number: Number) -> None:
    """Content that nobody of this account (None: nobody at all) has confirmed goes to it no more; the log still does."""
    failed: dict[str, Message] = {}
    for key in list(turn.staged.scan(OUTBOX)):
        row = turn.staged.get(key)
        if row is None or row.chat != name or row.control or account not in (None, row.account):
            continue
        message = lookup(turn, name, row.order)
        if message is None or message.content_type != GROUP_TYPE:
            turn.staged.delete(key)
            if message is not None and row.account != core.me.account:
                failed[message.message_id] = message
    dropped = 0
    for waiting in list(turn.staged.scan(WAITING, f"{name}/")):
        task = turn.staged.get(waiting)
        message = lookup(turn, name, task.order) if task is not None else None
        if task is None or account not in (None, task.account):
            continue
        if message is None or message.content_type != GROUP_TYPE:
            turn.staged.delete(waiting)
            dropped += task.task is Task.MEMBER
            if message is not None and task.account != core.me.account:
                failed[message.message_id] = message
    group = turn.staged.get(group_key(name))
    if group is not None and dropped:
        turn.staged.put(group_key(name), replace(group, waiting=max(0, group.waiting - dropped)))
    for message in failed.values():
        if account is None and message.status < Status.DELIVERED:
            put(turn, name, replace(message, status=Status.FAILED))
        turn.tell(MessageFailed(name, message.message_id, "removed", 0, number))
