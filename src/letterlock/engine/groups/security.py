"""The security state of a group: what holds for all of its members, by their signed lists and the user's decisions."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ...ids import GroupName, Instant, Number
from ...seam import State
from ...trust.group_log_entry import Member
from .. import policy
from ..core import Core
from ..events import SecurityChanged
from ..record_values import Contact
from ..records import chat_key, contact_key
from ..security import Security
from ..step import Turn
from .values import GROUP, Group, group_key

__all__ = ["MemberState", "members_of", "refresh", "refresh_all", "state_of"]


@dataclass(frozen=True, slots=True)
class MemberState:
    """One member, in the order of ranks. `state` is that of its keys; `removable` by us.

    `current` False: the number has other keys now than the ones that were added, and gets nothing.
    """

    number: Number
    account: str
    state: Security
    current: bool
    me: bool
    removable: bool


def members_of(core: Core, state: State, group: Group, now: Instant) -> tuple[MemberState, ...]:
    """The members, earliest first."""
    found, behind_us = [], False
    for member in group.members:
        mine = member.account == core.me.account
        contact = state.get(contact_key(member.number))
        current = mine or contact is None or contact.account == member.account
        held = Security.VERIFIED if mine else _keys_of(core, member, contact, now)
        found.append(MemberState(member.number, member.account.hex(), held, current, mine, behind_us and group.joined))
        behind_us = behind_us or mine
    return tuple(found)


def state_of(core: Core, state: State, group: Group, now: Instant) -> Security:
    """Nothing here is ever sent unencrypted (SR-01), so the worst is that nobody can be written to yet."""
    states = [
        _keys_of(core, member, state.get(contact_key(member.number)), now)
        for member in group.members
        if member.account != core.me.account
    ]
    if states and all(held is Security.CHECKING for held in states):
        return Security.CHECKING
    if any(held in (Security.KEYS_NEW, Security.NO_LONGER_VERIFIED) for held in states):
        return Security.KEYS_NEW
    verified = bool(states) and all(held is Security.VERIFIED for held in states)
    return Security.VERIFIED if verified else Security.ENCRYPTED


def refresh(core: Core, turn: Turn, name: GroupName) -> None:
    """Tell the state if it changed."""
    group, chat = turn.staged.get(group_key(name)), turn.staged.get(chat_key(name))
    if group is None or chat is None:
        return
    state = state_of(core, turn.staged, group, turn.now)
    if chat.shown != state.value:
        turn.staged.put(chat_key(name), replace(chat, shown=state.value, sticky=True))
        turn.tell(SecurityChanged(name, state.value))


def refresh_all(core: Core, turn: Turn, number: Number) -> None:
    """The same for every group that this number is in."""
    for key in list(turn.staged.scan(GROUP)):
        group = turn.staged.get(key)
        if group is not None and any(member.number == number for member in group.members):
            refresh(core, turn, group.name)


def _keys_of(core: Core, member: Member, contact: Contact | None, now: Instant) -> Security:
    if contact is None:
        return Security.CHECKING
    if contact.account != member.account:
        return Security.KEYS_NEW
    if contact.broken:
        return Security.NO_LONGER_VERIFIED
    if policy.encrypting(core, contact, now) is None:
        return Security.CHECKING
    if contact.keys_new:
        return Security.KEYS_NEW
    return Security.VERIFIED if contact.verified_at else Security.ENCRYPTED
