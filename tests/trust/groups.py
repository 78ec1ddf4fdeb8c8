"""Groups for tests: people by one letter, each with a log of their own or writing into a shared one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache

from letterlock.ids import DeviceId
from letterlock.seam import Party
from letterlock.trust import group_log
from letterlock.trust.group_log import GroupLog
from letterlock.trust.group_log_entry import LIMITS, Author, Entry, EntryId, GroupLimits, Member, Operation, sign_entry
from trust.people import CRYPTO, NOW, Owner, stream

__all__ = ["Group", "author", "member", "owner", "sign"]


@cache
def owner(name: str) -> Owner:
    """The same person on every call, with two devices."""
    number = "+1555" + "".join(f"{ord(c) % 100:02d}" for c in f"{name:<4}"[:4])
    made = Owner.make(number, f"group {name}")
    made.add(2)
    return made


def member(name: str) -> Member:
    return Member(owner(name).number, owner(name).account)


def author(name: str, device: int = 1) -> Author:
    who = owner(name)
    return Author(Party(who.number, who.account, DeviceId(device)), who.device(device).identity_key)


def sign(name: str, device: int = 1, salt: str = "") -> Callable[[bytes], bytes]:
    """The same signature for the same text on every run; another for another salt."""
    private = owner(name).device(device).identity_private
    return lambda message: CRYPTO.xeddsa_sign(private, message, stream(salt + message.hex()))


def listed(party: Party) -> set[bytes]:
    """The keys of everybody who was ever made here."""
    for who in (owner(name) for name in _NAMES):
        if (who.number, who.account) == (party.number, party.account):
            return {who.device(int(party.device)).identity_key} if party.device in (1, 2) else set()
    return set()


_NAMES = "abcdefghij"


@dataclass
class Group:
    """A growing set of entries, which anybody writes to at any place."""

    creator: str = "a"
    others: str = "bcd"
    limits: GroupLimits = LIMITS
    subject: str = "Hikers"
    entries: dict[EntryId, Entry] = field(default_factory=dict)
    log: GroupLog = field(init=False)

    def __post_init__(self) -> None:
        members = [member(name) for name in self.others]
        self.log = group_log.create_group(
            author(self.creator), members, self.subject, NOW, stream(self.subject), sign(self.creator), self.limits
        )
        self._keep(self.log)

    @property
    def root(self) -> Entry:
        return self.log.nodes[0].entry

    def write(
        self, name: str, operation: Operation, after: Iterable[Entry] | None = None, device: int = 1, time: int = NOW
    ) -> Entry:
        """An entry as anybody could write it, with no regard to whether it counts; behind `after`, else behind all."""
        parents = self.log.heads if after is None else [entry.id for entry in after]
        made = sign_entry(
            self.log.group, parents, author(name, device), time, operation, sign(name, device), self.limits
        )
        self.take(made)
        return made

    def take(self, *entries: Entry) -> group_log.Admitted:
        admitted = group_log.admit(self.log, [entry.encoded for entry in entries], listed, CRYPTO)
        self.log = admitted.log
        self._keep(self.log)
        return admitted

    def _keep(self, log: GroupLog) -> None:
        self.entries |= {node.entry.id: node.entry for node in log.nodes}

    def read(self, entries: Iterable[Entry]) -> GroupLog:
        """What another reader has after these, one by one in this order; the first entry is known."""
        log = group_log.join_group(self.root.encoded, self.log.group, listed, CRYPTO, self.limits)
        for entry in entries:
            log = group_log.admit(log, [entry.encoded], listed, CRYPTO).log
        return log

    @property
    def names(self) -> str:
        """The members, in the order of their ranks."""
        return names(self.log)

    def counts(self, entry: Entry) -> bool:
        return entry.id in self.log.state.counting


def names(log: GroupLog) -> str:
    by_account = {owner(name).account: name for name in _NAMES}
    return "".join(by_account[standing.member.account] for standing in log.state.members)
