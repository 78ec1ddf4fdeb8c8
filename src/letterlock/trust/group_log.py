"""The membership log of a group: a growing set of signed entries, and what it says (SR-04).

Members and subject of an encrypted `signal` group come from here and from nowhere else: not from the
carrier, not from the focus of a conference. Readers exchange entries until they have the same set; then
they agree, because the state is a function of the set (group_log_state.py).

A `GroupLog` is a value. `admit` takes an entry from anybody: it checks the signature, and that the key
was the author's by a device list that the caller verified (`listed`). An entry whose parents have not
come yet, or whose author's list is unknown, is kept aside as pending, within bounds (SR-08).
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import InitVar, dataclass, field, replace

from ..crypto.provider import CryptoProvider
from ..errors import InputError, LimitExceeded, ProtocolError, RemoteError
from ..ids import AccountId, GroupId, Instant, Rng
from ..seam import Party
from .device_entry import Sign
from .group_log_entry import (
    Add,
    Author,
    Create,
    Entry,
    EntryId,
    GroupLimits,
    Member,
    Operation,
    Remove,
    check_signature,
    decode_entry,
    sign_entry,
)
from .group_log_state import GroupState, Node, evaluate

__all__ = ["Admitted", "GroupLog", "Listed", "admit", "append", "create_group", "from_store", "join_group"]

Listed = Callable[[Party], Collection[bytes]]
"""Every identity key (0x05 and 32 bytes) that a verified device list of that account has named for that device, newest
or not; empty when no such list is known."""

_ROOT_NONCE = 32


_checked = object()


@dataclass(frozen=True, slots=True)
class GroupLog:
    """The entries that one reader has, and what they say. Built by `create_group`, `join_group`, `admit`, `append` and
    `from_store` only."""

    nodes: tuple[Node, ...]
    """Each behind its parents, in the order in which they came; the first one created the group."""
    pending: tuple[Entry, ...]
    """Signed, but parents or the author's list are missing."""
    limits: GroupLimits
    token: InitVar[object]
    heads: tuple[EntryId, ...] = field(init=False)
    """The entries that no other names: together they stand for the whole log. In order of their bytes."""
    state: GroupState = field(init=False)
    _index: dict[EntryId, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self, token: object) -> None:
        if token is not _checked:
            raise TypeError("only the functions of this module make a GroupLog")
        index = {node.entry.id: place for place, node in enumerate(self.nodes)}
        named = {parent for node in self.nodes for parent in node.entry.parents}
        object.__setattr__(self, "_index", index)
        object.__setattr__(self, "heads", tuple(sorted(each for each in index if each not in named)))
        object.__setattr__(self, "state", evaluate(self.nodes, self.limits.max_members))

    @property
    def group(self) -> GroupId:
        return self.nodes[0].entry.group

    def entry(self, entry_id: EntryId) -> Entry | None:
        """One of the entries that were admitted."""
        place = self._index.get(entry_id)
        return None if place is None else self.nodes[place].entry

    def lacks(self, heads: Iterable[EntryId]) -> tuple[EntryId, ...]:
        """Which of these we do not have."""
        return tuple(head for head in heads if head not in self._index)

    def newest(self, account: AccountId) -> tuple[EntryId, ...]:
        """The heads that an entry or a message of this member names: as many as fit, its own addition's before others."""
        if len(self.heads) <= self.limits.max_parents:
            return self.heads
        standing = self.state.standing(account)
        own = 1 << self._index[standing.entry] if standing is not None else 0

        def worth(head: EntryId) -> tuple[bool, int]:
            place = self._index[head]
            return bool((self.nodes[place].before | 1 << place) & own), self.nodes[place].depth

        return tuple(sorted(sorted(self.heads, key=worth)[-self.limits.max_parents :]))

    def missing(self) -> tuple[EntryId, ...]:
        """Parents that pending entries name and nobody has sent."""
        pending = {entry.id for entry in self.pending}
        wanted = {parent for entry in self.pending for parent in entry.parents}
        return tuple(sorted(each for each in wanted if each not in self._index and each not in pending))

    def after(self, heads: Iterable[EntryId], until: EntryId | None = None) -> tuple[Entry, ...]:
        """What somebody who has these entries lacks, parents first; `until` an entry, no more than it stands on. Heads
        that we do not know count for nothing."""
        had = 0
        last = self._index.get(until) if until is not None else None
        if until is not None:
            wanted = self.nodes[last].before | 1 << last if last is not None else 0
            had = ~wanted
        for head in heads:
            place = self._index.get(head)
            if place is not None:
                had |= self.nodes[place].before | 1 << place
        return tuple(node.entry for place, node in enumerate(self.nodes) if not had >> place & 1)


# --- writing ---------------------------------------------------------------------------------------
def create_group(
    author: Author,
    members: Sequence[Member],
    subject: str,
    now: Instant,
    rng: Rng,
    sign: Sign,
    limits: GroupLimits,
) -> GroupLog:
    """A new group: the author first, then these. Raises InputError for a roster or subject that the format refuses."""
    operation = Create(tuple(members), subject, rng(_ROOT_NONCE))
    return _begun(sign_entry(None, (), author, now, operation, sign, limits), limits)


def append(log: GroupLog, author: Author, operation: Operation, now: Instant, sign: Sign) -> GroupLog:
    """The log with one more entry of ours at its end.

    Raises InputError when it would not count: the author is no member, or may not remove that member.
    """
    if log.state.standing(author.party.account) is None:
        raise InputError("you are not a member of this group", code="input.group_member")
    if isinstance(operation, Remove) and not log.state.may_remove(author.party.account, operation.account):
        raise InputError(
            "a member can be removed by those who were in the group before",
            code="input.group_remove",
            hint="ask somebody who is higher in the list of members",
        )
    # Not more heads than an entry may name; those left out stay heads, and a later entry names them.
    parents = log.newest(author.party.account)
    entry = sign_entry(log.group, parents, author, now, operation, sign, log.limits)
    try:
        _Room(log).take(entry)
    except LimitExceeded as error:
        raise InputError("the log of this group is full", code="input.group_full", hint="create a new group") from error
    after = _extended(log, (*log.pending, entry), lambda each: each is entry)
    if entry.id not in after.state.counting:
        # Nothing that was admitted before voids a new entry at the end, but a revocation of this very key.
        raise InputError("this device may not change the group any more", code="input.group_revoked")
    return after


# --- reading ---------------------------------------------------------------------------------------
def join_group(data: bytes, expected: GroupId, listed: Listed, crypto: CryptoProvider, limits: GroupLimits) -> GroupLog:
    """The log that begins with this entry of a group that we were told of.

    Raises DecodeError, or ProtocolError when it is not the first entry of the `expected` group, was not signed by the
    key that it names (`group.signature`), or the author's list is unknown or does not name the key (`group.author`).
    """
    entry = decode_entry(data, limits)
    if not isinstance(entry.operation, Create) or entry.group != expected:
        raise ProtocolError("not the first entry of this group", code="group.root")
    check_signature(entry, crypto)
    if not _is_listed(entry, listed):
        raise ProtocolError("the author of a group entry is not listed with its key", code="group.author")
    return _begun(entry, limits)


@dataclass(frozen=True, slots=True)
class Admitted:
    """The log after some entries, what is new in it, and the codes of what was refused."""

    log: GroupLog
    added: tuple[Entry, ...]
    refused: tuple[str, ...]


def admit(log: GroupLog, entries: Iterable[bytes], listed: Listed, crypto: CryptoProvider) -> Admitted:
    """Take entries from anybody, in any order; pending ones that they complete come with them.

    Each stands for itself: a refused one spoils no other. The codes are those of the format (`group.*`, `tls.*`), and
    `group.other` (of another group), `group.root` (a second first entry), `group.signature`, `group.full` (a bound
    that depends on what came before), `group.pending` (no room to wait). With no entries, pending ones are tried again.
    """
    room = _Room(log)
    fresh: dict[EntryId, Entry] = {entry.id: entry for entry in log.pending}
    refused = []
    for data in entries:
        try:
            entry = decode_entry(data, log.limits)
            if entry.group != log.group:
                raise ProtocolError("an entry of another group", code="group.other")
            if entry.id in fresh or log.entry(entry.id) is not None:
                continue
            if isinstance(entry.operation, Create):
                # Half of a hash names the group: its creator may have searched for two beginnings of one name.
                raise ProtocolError("a second first entry", code="group.root")
            check_signature(entry, crypto)
            room.take(entry)
        except RemoteError as error:
            refused.append(error.code)
        else:
            fresh[entry.id] = entry
    after = _extended(log, tuple(fresh.values()), lambda entry: _is_listed(entry, listed))
    if len(after.pending) > log.limits.max_pending:
        refused += ["group.pending"] * (len(after.pending) - log.limits.max_pending)
        after = replace(after, pending=after.pending[: log.limits.max_pending], token=_checked)
    added = tuple(node.entry for node in after.nodes[len(log.nodes) :])
    return Admitted(after, added, tuple(refused))


def from_store(entries: Sequence[bytes], pending: Sequence[bytes], limits: GroupLimits) -> GroupLog:
    """Take back what this device admitted before it stored it, in that order. Never call it on bytes from outside.

    Raises DecodeError if the stored bytes are damaged.
    """
    decoded = tuple(decode_entry(data, limits) for data in (*entries, *pending))
    known = {entry.id for entry in decoded[: len(entries)]}
    return _extended(_begun(decoded[0], limits), decoded[1:], lambda entry: entry.id in known)


# --- helpers ---------------------------------------------------------------------------------------
def _begun(entry: Entry, limits: GroupLimits) -> GroupLog:
    return GroupLog((Node(entry, 0, 0),), (), limits, _checked)


def _extended(log: GroupLog, entries: Sequence[Entry], accepted: Callable[[Entry], bool]) -> GroupLog:
    """The log with those of the entries that are accepted and whose parents are there; the rest is pending."""
    nodes = list(log.nodes)
    index = {node.entry.id: place for place, node in enumerate(nodes)}
    lacking = {entry.id: sum(parent not in index for parent in entry.parents) for entry in entries}
    children: dict[EntryId, list[Entry]] = {}
    for entry in entries:
        for parent in entry.parents:
            children.setdefault(parent, []).append(entry)
    ready = deque(entry for entry in entries if not lacking[entry.id])
    while ready:
        entry = ready.popleft()
        if not accepted(entry):
            continue
        before, depth = 0, 0
        for place in (index[parent] for parent in entry.parents):
            before |= nodes[place].before | 1 << place
            depth = max(depth, nodes[place].depth + 1)
        index[entry.id] = len(nodes)
        nodes.append(Node(entry, depth, before))
        for child in children.get(entry.id, ()):
            lacking[child.id] -= 1
            if not lacking[child.id]:
                ready.append(child)
    pending = tuple(entry for entry in entries if entry.id not in index)
    if len(nodes) == len(log.nodes) and pending == log.pending:
        return log
    return GroupLog(tuple(nodes), pending, log.limits, _checked)


def _is_listed(entry: Entry, listed: Listed) -> bool:
    return entry.author.identity_key in listed(entry.author.party)


class _Room:
    """SR-08: the bounds that depend on what came before. Only a member that floods the log can reach them."""

    __slots__ = ("_authored", "_limits", "_named")

    def __init__(self, log: GroupLog) -> None:
        self._limits = log.limits
        self._authored: Counter[AccountId] = Counter()
        self._named: Counter[AccountId] = Counter()
        for entry in (*(node.entry for node in log.nodes), *log.pending):
            self._count(entry)

    def take(self, entry: Entry) -> None:
        """Count one more. Raises LimitExceeded."""
        limits, members = self._limits, _named_in(entry)
        if (
            self._authored.total() >= limits.max_entries
            or self._authored[entry.author.party.account] >= limits.max_entries_of_account
            or self._named.total() + len(members) > limits.max_named
            or any(self._named[member.account] >= limits.max_times_named for member in members)
        ):
            raise LimitExceeded("the log of the group is full", code="group.full")
        self._count(entry)

    def _count(self, entry: Entry) -> None:
        self._authored[entry.author.party.account] += 1
        self._named.update(member.account for member in _named_in(entry))


def _named_in(entry: Entry) -> tuple[Member, ...]:
    operation = entry.operation
    return operation.members if isinstance(operation, Create | Add) else ()
