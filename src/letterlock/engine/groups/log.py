"""The membership logs of our groups, as they are stored: read, extended, handed on, with the proofs of their authors.

What a log says is worked out when it changes, and kept as a `Group`: no message has to read a log.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Any

from ...errors import DeviceListError, InputError
from ...ids import GroupId, GroupName, group_of
from ...seam import Party, RecordKind
from ...trust import group_log
from ...trust.device_list import VerifiedDeviceList, from_store, verify_evidence
from ...trust.group_log import GroupLog
from ...trust.group_log_bundle import Bundle, fill
from ...trust.group_log_entry import Author, Entry, EntryId, Operation
from .. import chats
from ..core import Core
from ..step import Turn
from .values import (
    GROUP_ENTRY,
    GROUP_KNOWN,
    GROUP_LETTER,
    GROUP_LIST,
    GROUP_PENDING,
    GROUP_SINCE,
    Group,
    entry_key,
    group_key,
    known_key,
    list_key,
    pending_entry_key,
)

__all__ = [
    "Evidence",
    "author_here",
    "bundle_of",
    "extended",
    "forget",
    "group_id",
    "lacking",
    "load",
    "sign_here",
    "store",
]


_MOST_FORMER = 64


def group_id(name: GroupName) -> GroupId:
    """The id behind a group's name."""
    found = group_of(name)
    if found is None:
        raise InputError("this is no group", code="input.group")
    return found


def load(core: Core, turn: Turn, group: Group) -> GroupLog:
    """The log, from its records."""
    stored = [turn.staged.get(entry_key(group.name, place)) for place in range(group.entries)]
    waiting = [turn.staged.get(key) for key in turn.staged.scan(GROUP_PENDING, f"{group.name}/")]
    entries = [entry for entry in stored if entry is not None]
    return group_log.from_store(entries, [entry for entry in waiting if entry is not None], core.limits.group)


def lacking(turn: Turn, group: Group, heads: Iterable[EntryId]) -> tuple[EntryId, ...]:
    """Which of the heads that somebody names we do not have."""
    return tuple(
        head
        for head in dict.fromkeys(heads)
        if head not in group.heads and turn.staged.get(known_key(group.name, head)) is None
    )


def store(core: Core, turn: Turn, group: Group, log: GroupLog, evidence: Evidence) -> Group:
    """Write what is new in a log; gives the group as the log says it is now."""
    name, state = group.name, log.state
    for place in range(group.entries, len(log.nodes)):
        entry = log.nodes[place].entry
        turn.staged.put(entry_key(name, place), entry.encoded)
        turn.staged.put(known_key(name, entry.id), b"")
        evidence.keep(entry)
    pending = {pending_entry_key(name, entry.id): entry.encoded for entry in log.pending}
    for key in list(turn.staged.scan(GROUP_PENDING, f"{name}/")):
        if key not in pending:
            turn.staged.delete(key)
    for key, encoded in pending.items():
        turn.staged.put(key, encoded)
    last = max(log.nodes, key=lambda node: (node.depth, node.entry.id)).entry
    lacks = (*(head for head in group.lacks if log.entry(head) is None), *log.missing())
    members = tuple(standing.member for standing in state.members)
    former = [member for member in (*group.former, *group.members) if member not in members]
    after = replace(
        group,
        members=members,
        former=tuple(dict.fromkeys(former))[-_MOST_FORMER:],
        subject=state.subject,
        icon=state.icon.pointer if state.icon is not None else "",
        icon_digest=state.icon.digest if state.icon is not None else b"",
        heads=log.newest(core.me.account),
        entries=len(log.nodes),
        joined=state.standing(core.me.account) is not None,
        lacks=tuple(dict.fromkeys(lacks))[: core.limits.group.max_parents],
        ours=last.author.party == core.me,
    )
    if not after.lacks:
        after = replace(after, informant=None, asks=0)
    elif after.entries > group.entries:
        # A part of a long log has come: the next one is asked for at once.
        after = replace(after, asks=0)
    turn.staged.put(group_key(name), after)
    return after


def forget(turn: Turn, group: Group) -> None:
    """Delete everything of a group."""
    kinds: tuple[RecordKind[Any], ...] = (
        GROUP_ENTRY,
        GROUP_KNOWN,
        GROUP_LETTER,
        GROUP_LIST,
        GROUP_PENDING,
        GROUP_SINCE,
    )
    for kind in kinds:
        for key in list(turn.staged.scan(kind, f"{group.name}/")):
            turn.staged.delete(key)
    turn.staged.delete(group_key(group.name))


def bundle_of(core: Core, turn: Turn, log: GroupLog, heads: Iterable[EntryId], until: EntryId | None = None) -> Bundle:
    """What somebody who has these heads lacks, as much as one frame takes."""
    evidence = Evidence(core, turn, GroupName(log.group.hex()))
    return fill(log.after(heads, until), evidence.proof, core.limits.max_group_bundle)


# --- our own entries -----------------------------------------------------------------------------------------
def author_here(core: Core, turn: Turn) -> Author:
    """This device as an author. Raises InputError while it is not listed, or cannot sign."""
    own = chats.own_list(core, turn)
    entry = own.list.device(core.me.device)
    if entry is None or core.sign is None:
        raise InputError("this device cannot sign changes of groups", code="input.group_signer")
    return Author(core.me, entry.identity_key)


def sign_here(core: Core, turn: Turn, text: bytes) -> bytes:
    """Our identity key's signature."""
    if core.sign is None:
        raise InputError("this device cannot sign changes of groups", code="input.group_signer")
    return core.sign(text, turn.rng)


def extended(core: Core, turn: Turn, log: GroupLog, operation: Operation) -> GroupLog:
    """The log with a change of ours. Raises InputError when we may not make it."""
    return group_log.append(log, author_here(core, turn), operation, turn.now, lambda text: sign_here(core, turn, text))


# --- proofs --------------------------------------------------------------------------------------------------
class Evidence:
    """Which device lists name the keys that entries were signed with: stored with the group, pinned, or just brought.

    Called with a party it gives the keys that verified lists have named for it, newest or not.
    """

    def __init__(self, core: Core, turn: Turn, name: GroupName) -> None:
        self._core = core
        self._turn = turn
        self._name = name
        self._lists: dict[bytes, dict[bytes, VerifiedDeviceList]] = {}

    def add(self, signed: bytes) -> str:
        """Take a list that somebody brought; a code when it does not hold."""
        try:
            verified = verify_evidence(signed, self._core.crypto)
        except DeviceListError as error:
            return error.code
        self._of(verified.account)[verified.head] = verified
        return ""

    def __call__(self, party: Party) -> Collection[bytes]:
        return {
            entry.identity_key
            for verified in self._known(party)
            for entry in verified.devices
            if entry.device == party.device
        }

    def proof(self, entry: Entry) -> bytes | None:
        """A list that names the key of this entry's author."""
        verified = self._proving(entry)
        return None if verified is None else verified.encoded

    def keep(self, entry: Entry) -> None:
        """Store it, for those whom we hand the entry on to."""
        verified = self._proving(entry)
        if verified is not None:
            key = list_key(self._name, verified.account, verified.head)
            if self._turn.staged.get(key) is None:
                self._turn.staged.put(key, verified.encoded)

    def _proving(self, entry: Entry) -> VerifiedDeviceList | None:
        author = entry.author
        for verified in self._known(author.party):
            device = verified.device(author.party.device)
            if device is not None and device.identity_key == author.identity_key:
                return verified
        return None

    def _known(self, party: Party) -> list[VerifiedDeviceList]:
        known = [each for each in self._of(party.account).values() if each.number == party.number]
        contact = chats.contact_of(self._turn, party.number)
        if contact is not None and contact.account == party.account:
            known.append(contact.list)
        return known

    def _of(self, account: bytes) -> dict[bytes, VerifiedDeviceList]:
        lists = self._lists.get(account)
        if lists is None:
            stored = self._turn.staged.scan(GROUP_LIST, f"{self._name}/{account.hex()}.")
            found = [from_store(data) for key in stored if (data := self._turn.staged.get(key)) is not None]
            lists = self._lists[account] = {verified.head: verified for verified in found}
        return lists
