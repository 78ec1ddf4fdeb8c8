"""What the user does with groups: create, add, remove, leave, rename, write.

Each change is an entry of the group's log, signed by this device, and goes to all members before and after it like a
message: end to end, in the order of the chat, in the outbox until each has confirmed it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ... import ids
from ...carriage import ConferenceView
from ...errors import InputError, NotEncrypted
from ...ids import GroupName, MessageId, Number
from ...trust import group_log
from ...trust.group_log import GroupLog
from ...trust.group_log_bundle import fill
from ...trust.group_log_entry import Add, Icon, Leave, Member, Operation, Remove, Revoke, Subject
from .. import chats, drafts, fetching, policy, receipts, trouble
from ..content import File, FileFormat, Sendable, check
from ..conversations import files
from ..core import Core
from ..record_values import Status
from ..records import inbox_key, order_parts
from ..security import WORDS, Security
from ..shelf import others, put
from ..step import Turn
from . import applying as groups_applying
from . import history as groups_history
from . import log as groups_log
from . import posting as groups_posting
from .log import Evidence
from .values import GROUP, Group, group_key

__all__ = [
    "add",
    "conference_seen",
    "create",
    "leave",
    "look_up",
    "mark_displayed",
    "remove",
    "revoke",
    "send",
    "set_icon",
    "set_subject",
]


# --- the log -----------------------------------------------------------------------------------------------------
def create(core: Core, turn: Turn, numbers: Sequence[Number], subject: str) -> GroupName:
    """See Engine.create_group."""
    members = _members(core, turn, numbers)
    if not members:
        raise InputError("a group needs somebody else", code="input.group_empty")
    author = groups_log.author_here(core, turn)
    log = group_log.create_group(
        author,
        members,
        subject,
        turn.now,
        turn.rng,
        lambda text: groups_log.sign_here(core, turn, text),
        core.limits.group,
    )
    group = Group(ids.group_name(log.group), met_at=turn.now)
    _made(core, turn, group, log, 0)
    _accept(core, turn, group.name)
    return group.name


def add(core: Core, turn: Turn, name: GroupName, numbers: Sequence[Number]) -> None:
    """See Engine.add_members."""
    group = _joined(turn, name)
    fresh = [member for member in _members(core, turn, numbers) if group.member(member.account) is None]
    if fresh:
        _change(core, turn, group, Add(tuple(fresh)))


def remove(core: Core, turn: Turn, name: GroupName, number: Number) -> None:
    """See Engine.remove_member. Every account that the number stands for, as far as we may."""
    group = _joined(turn, name)
    if number == core.me.number:
        raise InputError("leave the group instead", code="input.own_number")
    named = [member for member in group.members if member.number == number]
    if not named:
        raise InputError(f"{number} is no member of this group", code="input.group_member")
    for member in named:
        _change(core, turn, _joined(turn, name), Remove(member.account))


def leave(core: Core, turn: Turn, name: GroupName) -> None:
    """See Engine.leave_group."""
    _change(core, turn, _joined(turn, name), Leave())


def set_subject(core: Core, turn: Turn, name: GroupName, subject: str) -> None:
    """See Engine.set_subject."""
    _change(core, turn, _joined(turn, name), Subject(subject))


def set_icon(core: Core, turn: Turn, name: GroupName, digest: bytes, pointer: str) -> None:
    """See Engine.set_icon."""
    if len(digest) != 32:
        raise InputError("the hash of an icon has 32 bytes", code="input.group_icon")
    _change(core, turn, _joined(turn, name), Icon(digest, pointer))


def revoke(core: Core, turn: Turn, keys: Sequence[bytes]) -> None:
    """Devices of ours are gone from our list: what they sign from now on changes no group (SR-22). By the primary.

    It is no word of the user in these chats (SR-18). And a group whose log somebody has filled must keep the device
    neither on our list nor in other groups: that its key counts on there is told.
    """
    if core.me.device != 1 or core.sign is None:
        return
    for key in list(turn.staged.scan(GROUP)):
        group = turn.staged.get(key)
        if group is None or not group.joined:
            continue
        try:
            for identity_key in keys:
                _extend(core, turn, _joined(turn, group.name), Revoke(identity_key))
        except InputError:
            groups_history.mismatch(core, turn, group.name, "revocation", core.me.number, ())


def look_up(core: Core, turn: Turn, name: GroupName) -> Group:
    """See Engine.open_group."""
    group = turn.staged.get(group_key(name))
    if group is None or not group.entries:
        raise InputError("there is no such group", code="input.group")
    for member in group.members if group.joined else ():
        if member.account != core.me.account and chats.contact_of(turn, member.number) is None:
            fetching.look_up(core, turn, chats.load(turn, member.number), None)
    return group


# --- messages ----------------------------------------------------------------------------------------------------
def send(core: Core, turn: Turn, name: GroupName, content: Sendable) -> MessageId:
    """A message, or a change of one, for every member by the log. Raises InputError while we are no member."""
    group = _joined(turn, name)
    check(content, core.limits)
    if isinstance(content, File):
        files.check_format(content, FileFormat.SEALED)
    chat, order = groups_posting.next_place(core, turn, name)
    message = drafts.draft(core, turn, chat, content, order, Status.SENDING, encrypted=True)
    message = groups_posting.post(core, turn, chat, group, message, group.members)
    waiting = message.status is Status.WAITING
    chats.save(core, turn, drafts.store(core, turn, replace(chat, accepted=True), message, waiting=waiting))
    return message.message_id


def mark_displayed(core: Core, turn: Turn, name: GroupName, message_id: MessageId) -> None:
    """See Engine.mark_displayed: the author hears of it, once."""
    for message, place in others(turn, name, message_id):
        _, account, device, _ = order_parts(place.order)
        key = inbox_key(message.sender, message_id, account, device)
        entry, contact = turn.staged.get(key), chats.contact_of(turn, Number(message.sender))
        if message.mine or entry is None or entry.displayed:
            continue
        turn.staged.put(key, replace(entry, displayed=True))
        put(turn, name, replace(message, status=Status.SEEN))
        if contact is not None and contact.account == account:
            receipts.displayed_here(core, turn, chats.load(turn, name), contact, message_id, message.sent_at)


# --- the carrier's word --------------------------------------------------------------------------------------------
def conference_seen(core: Core, turn: Turn, view: ConferenceView) -> None:
    """What the focus claims, beside what is signed: a difference is told once, and changes nothing (SR-04)."""
    group = turn.staged.get(group_key(ids.group_name(view.group)))
    if group is None or not group.joined:
        return
    claimed = set(view.members) - {core.me.number}
    signed = {member.number for member in group.members} - {core.me.number}
    ghosts, missing = sorted(claimed - signed), sorted(signed - claimed)
    other = bool(view.subject) and view.subject != group.subject
    seen = core.crypto.hmac_sha256(b"view", repr((view.focus, ghosts, missing, other and view.subject)).encode())
    if not (ghosts or missing or other):
        seen = b""
    if seen == group.view:
        return
    if seen and not trouble.allow_notice(core, turn, group.name):
        return  # and not remembered: it is told when the focus says it again, later
    turn.staged.put(group_key(group.name), replace(group, view=seen))
    most = core.limits.group.max_members
    if ghosts:
        groups_history.mismatch(core, turn, group.name, "ghost", view.focus, tuple(ghosts[:most]))
    if missing:
        groups_history.mismatch(core, turn, group.name, "missing", view.focus, tuple(missing))
    if other:
        groups_history.mismatch(core, turn, group.name, "subject", view.focus, ())


# --- helpers -------------------------------------------------------------------------------------------------------
def _joined(turn: Turn, name: GroupName) -> Group:
    group = turn.staged.get(group_key(name))
    if group is None or not group.entries:
        raise InputError("there is no such group", code="input.group")
    if not group.joined:
        raise InputError(
            "you are not a member of this group any more",
            code="input.group_left",
            hint="somebody in the group can add you again",
        )
    return group


def _members(core: Core, turn: Turn, numbers: Sequence[Number]) -> list[Member]:
    """The accounts that these numbers have now. Raises NotEncrypted when one cannot be encrypted for: in a group there
    is no plain text, and nobody to ask for it (SR-01)."""
    members, refused = [], []
    worst = Security.CHECKING
    for number in dict.fromkeys(numbers):
        if number == core.me.number:
            continue
        contact, chat = chats.contact_of(turn, number), chats.load(turn, number)
        if contact is None or contact.broken or policy.encrypting(core, contact, turn.now) is None:
            state = policy.state_of(core, chat, contact, turn.now)
            worst = worst if state is Security.CHECKING else state
            refused.append(number)
        else:
            members.append(Member(number, contact.account))
    if refused:
        raise NotEncrypted(
            f"{', '.join(refused)}: {WORDS[worst].label.format(name=refused[0]).lower().rstrip('.')}",
            reason=Security.NO_KEYS_FOUND.value if worst.plain else worst.value,
            hint="groups are encrypted for every member; leave them out, or try again when their keys are there",
        )
    return members


def _change(core: Core, turn: Turn, group: Group, operation: Operation) -> None:
    """By the user's will."""
    _extend(core, turn, group, operation)
    _accept(core, turn, group.name)


def _accept(core: Core, turn: Turn, name: GroupName) -> None:
    chats.save(core, turn, replace(chats.load(turn, name), accepted=True))


def _extend(core: Core, turn: Turn, group: Group, operation: Operation) -> None:
    log = groups_log.load(core, turn, group)
    _made(core, turn, group, groups_log.extended(core, turn, log, operation), len(log.nodes))


def _made(core: Core, turn: Turn, before: Group, log: GroupLog, known: int) -> None:
    """Entries of ours behind the first `known`: take them ourselves, and send them to all who are concerned."""
    evidence = Evidence(core, turn, before.name)
    entries = [node.entry for node in log.nodes[known:]]
    after = groups_applying.apply(core, turn, before, log, evidence)
    concerned = (*after.members, *(member for member in before.members if after.member(member.account) is None))
    groups_posting.announce(core, turn, after, fill(entries, evidence.proof, core.limits.max_group_bundle), concerned)
