"""What a set of log entries says: who is a member, by which entry, and what the group is called.

A function of the set alone: readers that have the same entries agree, in whatever order these came. The
rules, with their reasons in docs/decisions/0009:

1. A *membership* is one account in one entry that creates or adds. Its *rank* is (depth of that entry,
   id of it, place in it), so the creator ranks first; the rank is fixed when the entry is written.
2. An entry *counts* if its author holds a membership at it: one made by an entry before it that counts,
   and that nothing ends which is not a descendant of this entry. Concurrent endings end it too: what a
   removed member writes beside its removal is void.
3. Remove ends every membership of the account that ranks behind the remover's own and was not made after
   it. So remove wins over a concurrent addition, earlier members over later ones, and no circle of
   removals exists. Leave ends all of the author's own memberships that were not made after it.
4. Revoke, by a primary device, voids what the revoked key signed beside it and after it.
5. Subject and icon: of the entries that count the deepest wins, then the higher id.

Rule 2 asks at each rank only about lower ranks; so one pass in the order of ranks decides everything.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from ..ids import AccountId
from .group_log_entry import Add, Create, Entry, EntryId, Icon, Leave, Member, Remove, Revoke, Subject

__all__ = ["GroupState", "Node", "Rank", "Standing", "evaluate"]

Rank: TypeAlias = tuple[int, EntryId, int]
"""Depth of the entry that made a membership, its id, and the place in it; lower is earlier."""


@dataclass(frozen=True, slots=True)
class Node:
    """An entry in its place. `before` has the bit of every ancestor's index set."""

    entry: Entry
    depth: int
    before: int


@dataclass(frozen=True, slots=True)
class Standing:
    """One member, by which entry, and how it ranks among the members."""

    member: Member
    entry: EntryId
    rank: Rank


@dataclass(frozen=True, slots=True)
class GroupState:
    """What the log says. `members` are in the order of their ranks: each may remove those behind it."""

    members: tuple[Standing, ...]
    subject: str
    subject_entry: EntryId
    icon: Icon | None
    icon_entry: EntryId
    counting: frozenset[EntryId]
    """The entries that count; the others are void."""
    ended: dict[AccountId, EntryId]
    """Of accounts that were members and are none: the remove or leave that ended it, the deepest if several."""

    def standing(self, account: AccountId) -> Standing | None:
        """How this account stands; None if it is no member."""
        return next((standing for standing in self.members if standing.member.account == account), None)

    def may_remove(self, remover: AccountId, account: AccountId) -> bool:
        """Whether a removal written now would end the membership."""
        by, of = self.standing(remover), self.standing(account)
        return by is not None and of is not None and by.rank < of.rank


@dataclass(frozen=True, slots=True)
class _Membership:
    rank: Rank
    member: Member
    node: int


def evaluate(nodes: Sequence[Node], max_members: int) -> GroupState:
    """The state. `nodes` are closed under ancestors and each stands behind its own; the first one creates the group."""
    authored: dict[AccountId, list[int]] = defaultdict(list)
    removals: dict[AccountId, list[int]] = defaultdict(list)
    leaves: dict[AccountId, list[int]] = defaultdict(list)
    revocations: dict[tuple[AccountId, bytes], list[int]] = defaultdict(list)
    for index, node in enumerate(nodes):
        author = node.entry.author
        authored[author.party.account].append(index)
        match node.entry.operation:
            case Remove(account=account):
                removals[account].append(index)
            case Leave():
                leaves[author.party.account].append(index)
            case Revoke(identity_key=key):
                revocations[author.party.account, key].append(index)

    def precedes(a: int, b: int) -> bool:
        return bool(nodes[b].before >> a & 1)

    def revoked(index: int) -> bool:
        author = nodes[index].entry.author
        return any(not precedes(index, v) for v in revocations.get((author.party.account, author.identity_key), ()))

    void = {index for index in range(len(nodes)) if revoked(index)} if revocations else set()
    counts: set[int] = set()
    standing: dict[AccountId, Standing] = {}
    was_member: set[AccountId] = set()
    for membership in _memberships(nodes):
        account = membership.member.account
        if membership.node and membership.node not in counts:
            continue
        was_member.add(account)
        ends = [index for index in leaves[account] if index not in void and not precedes(index, membership.node)]
        # What counts by now counts by a membership that ranks before this one.
        ends += [index for index in removals[account] if index in counts and not precedes(index, membership.node)]
        # In the past of every ending at once: to ask each entry about each would let one member who floods the log
        # stop all readers for minutes (SR-08).
        open_to = -1
        for end in ends:
            open_to &= nodes[end].before | 1 << end
        for index in authored[account]:
            if index in void or (index and not precedes(membership.node, index)):
                continue
            if open_to >> index & 1:
                counts.add(index)
        if not ends and account not in standing:
            standing[account] = Standing(membership.member, nodes[membership.node].entry.id, membership.rank)
    members = tuple(sorted(standing.values(), key=lambda each: each.rank))[:max_members]
    subject = _last(nodes, counts, (Create, Subject))
    icon = _last(nodes, counts, (Icon,))
    subject_operation = subject.operation if subject is not None else None
    icon_operation = icon.operation if icon is not None else None
    return GroupState(
        members=members,
        subject=subject_operation.subject if isinstance(subject_operation, Create | Subject) else "",
        subject_entry=subject.id if subject is not None else b"",
        icon=icon_operation if isinstance(icon_operation, Icon) and icon_operation.pointer else None,
        icon_entry=icon.id if icon is not None else b"",
        counting=frozenset(nodes[index].entry.id for index in counts),
        ended=_ended(nodes, counts, was_member - set(standing), removals, leaves),
    )


def _memberships(nodes: Sequence[Node]) -> list[_Membership]:
    """All that any entry makes, in the order of ranks."""
    found = []
    for index, node in enumerate(nodes):
        operation = node.entry.operation
        members: tuple[Member, ...] = ()
        if isinstance(operation, Create):
            party = node.entry.author.party
            members = (Member(party.number, party.account), *operation.members)
        elif isinstance(operation, Add):
            members = operation.members
        for place, member in enumerate(members):
            found.append(_Membership((node.depth, node.entry.id, place), member, index))
    return sorted(found, key=lambda membership: membership.rank)


def _last(nodes: Sequence[Node], counts: set[int], kinds: tuple[type, ...]) -> Entry | None:
    found = [nodes[index] for index in counts if isinstance(nodes[index].entry.operation, kinds)]
    return max(found, key=lambda node: (node.depth, node.entry.id)).entry if found else None


def _ended(
    nodes: Sequence[Node],
    counts: set[int],
    gone: set[AccountId],
    removals: dict[AccountId, list[int]],
    leaves: dict[AccountId, list[int]],
) -> dict[AccountId, EntryId]:
    ended = {}
    for account in gone:
        by_others = [index for index in removals[account] if index in counts]
        # Two devices of one account that leave at once void each other's word without changing what was said.
        found = [nodes[index] for index in (*by_others, *leaves[account])]
        if found:
            ended[account] = max(found, key=lambda node: (node.depth, node.entry.id)).entry.id
    return ended
