"""What a set of entries says, whatever the order in which they came (docs/spec/group-log.md, docs/decisions/0009)."""

from __future__ import annotations

import dataclasses
import hashlib
import random
import time
from collections.abc import Sequence

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from letterlock.ids import AccountId, DeviceId, Number
from letterlock.seam import Party
from letterlock.trust import group_log
from letterlock.trust.group_log_entry import (
    LIMITS,
    Add,
    Author,
    Create,
    Entry,
    Icon,
    Leave,
    Member,
    Operation,
    Remove,
    Revoke,
    Subject,
)
from letterlock.trust.group_log_state import Node, Rank, evaluate
from trust.groups import Group, listed, member, owner
from trust.people import CRYPTO


def remove(name: str) -> Remove:
    return Remove(owner(name).account)


def add(name: str) -> Add:
    return Add((member(name),))


def test_members_in_the_order_in_which_they_came() -> None:
    group = Group()
    assert group.names == "abcd"
    group.write("b", add("e"))
    group.write("e", Subject("Climbers"))
    assert group.names == "abcde" and group.log.state.subject == "Climbers"


def test_a_member_removes_those_behind_it_only() -> None:
    group = Group()
    assert group.log.state.may_remove(owner("b").account, owner("c").account)
    assert not group.log.state.may_remove(owner("c").account, owner("b").account)
    void = group.write("c", remove("b"))
    assert group.counts(void)  # its author is a member, but it ends no membership that ranks before its own
    assert group.names == "abcd"
    group.write("b", remove("c"))
    assert group.names == "abd"
    assert owner("c").account in group.log.state.ended
    # The creator ranks first: nobody removes it, it can only leave.
    group.write("b", remove("a"))
    assert group.names == "abd"
    group.write("a", Leave())
    assert group.names == "bd"


def test_who_is_not_a_member_changes_nothing() -> None:
    """SR-04: the entries of a stranger are void, and everything that stands on them."""
    group = Group()
    ghost = group.write("g", add("h"))
    inside = group.write("h", Subject("Ours now"), after=[ghost])
    assert not group.counts(ghost) and not group.counts(inside)
    assert group.names == "abcd" and group.log.state.subject == "Hikers"


def test_remove_wins_over_a_concurrent_addition() -> None:
    group = Group()
    root = group.root
    group.write("a", remove("d"), after=[root])
    group.write("b", add("d"), after=[root])
    assert group.names == "abc"


def test_a_removed_member_brings_in_nobody_with_old_parents() -> None:
    """SR-04: what a removed member writes beside its removal is void, and so is all that a ghost of it writes."""
    group = Group()
    root = group.root
    group.write("a", remove("d"), after=[root])
    ghost = group.write("d", add("g"), after=[root])
    friend = group.write("g", add("h"), after=[ghost])
    group.write("h", Subject("Ours now"), after=[friend])
    assert group.names == "abc" and group.log.state.subject == "Hikers"
    # Also when an honest member, who did not know better, has built upon it.
    group.write("c", add("e"))
    assert group.names == "abce"


def test_what_a_member_did_before_its_removal_stays() -> None:
    group = Group()
    group.write("d", add("e"))
    group.write("a", remove("d"))
    assert group.names == "abce"


def test_added_again_by_an_entry_behind_the_removal() -> None:
    group = Group()
    group.write("a", remove("b"))
    group.write("c", add("b"))
    assert group.names == "acdb"  # and ranks last now
    group.write("b", remove("c"))
    assert group.names == "acdb"
    group.write("d", remove("b"))
    assert group.names == "acd"


def test_of_two_who_remove_each_other_the_earlier_stays() -> None:
    group = Group()
    root = group.root
    by_senior = group.write("b", remove("c"), after=[root])
    by_junior = group.write("c", remove("b"), after=[root])
    assert group.names == "abd"
    assert group.counts(by_senior) and not group.counts(by_junior)


def test_a_chain_of_concurrent_removals() -> None:
    """b removes c, c removes d, at the same time: c's removal is void with c."""
    group = Group()
    root = group.root
    group.write("b", remove("c"), after=[root])
    group.write("c", remove("d"), after=[root])
    assert group.names == "abd"
    # and a removes b: then b's is void too, and c's stands.
    group.write("a", remove("b"), after=[root])
    assert group.names == "ac"


def test_an_account_that_was_added_twice_at_once_keeps_its_earlier_rank() -> None:
    group = Group()
    root = group.root
    one = group.write("b", add("e"), after=[root])
    two = group.write("c", add("e"), after=[root])
    deep = group.write("d", Subject("later"), after=[root])
    first = min((one, two), key=lambda entry: entry.id)
    standing = group.log.state.standing(owner("e").account)
    assert standing is not None and standing.entry == first.id and group.names == "abcde"
    # One whose adder was removed beside it does not count; the other still holds.
    group.write("a", remove("b"), after=[root])
    assert group.names == "acde" and group.counts(deep)


def test_two_devices_that_leave_at_once() -> None:
    group = Group()
    root = group.root
    group.write("b", Leave(), after=[root], device=1)
    group.write("b", Leave(), after=[root], device=2)
    assert group.names == "acd" and owner("b").account in group.log.state.ended
    group.write("a", add("b"))
    assert group.names == "acdb"


def test_an_addition_beside_leaving_does_not_bring_back() -> None:
    group = Group()
    root = group.root
    group.write("b", Leave(), after=[root])
    group.write("a", add("b"), after=[root])
    assert group.names == "acd"


def test_sr22_a_revoked_device_writes_no_more() -> None:
    """SR-22: a stolen device that was taken off the list cannot act with old parents, and who saw it first agrees with
    who saw the revocation first. What it wrote before, and others knew, stays."""
    group = Group()
    before = group.write("b", add("e"), device=2)
    revocation = group.write("b", Revoke(owner("b").device(2).identity_key))
    beside = group.write("b", add("g"), after=[before], device=2)
    behind = group.write("b", remove("c"), after=[revocation], device=2)
    assert group.counts(before) and not group.counts(beside) and not group.counts(behind)
    assert group.names == "abcde"
    # Another's revocation concerns its own keys alone.
    group.write("c", Revoke(owner("d").device(2).identity_key))
    assert group.counts(group.write("d", Subject("Still here"), device=2))


def test_the_last_subject_and_icon_win_by_depth_then_hash() -> None:
    group = Group()
    root = group.root
    one = group.write("b", Subject("one"), after=[root])
    two = group.write("c", Subject("two"), after=[root])
    highest = max((one, two), key=lambda entry: entry.id)
    assert group.log.state.subject_entry == highest.id
    deeper = group.write("d", Subject("deeper"), after=[min((one, two), key=lambda entry: entry.id)])
    assert group.log.state.subject_entry == deeper.id and group.log.state.subject == "deeper"
    group.write("d", Icon(bytes(32), "https://content.example/x"))
    assert group.log.state.icon is not None
    group.write("c", Icon(bytes(32), ""))
    assert group.log.state.icon is None


def test_no_more_members_than_the_bound_and_the_earliest_stay() -> None:
    group = Group(limits=dataclasses.replace(LIMITS, max_members=5))
    group.write("b", Add((member("e"), member("f"))))
    assert group.names == "abcde"


# --- any order ---------------------------------------------------------------------------------------
@st.composite
def histories(draw: st.DrawFn) -> tuple[Group, list[Entry]]:
    """Entries of honest and hostile people, behind any of those before them."""
    group = Group()
    made = [group.root]
    for _ in range(draw(st.integers(1, 12))):
        name = draw(st.sampled_from("abcdefg"))
        operation: Operation = draw(
            st.one_of(
                st.sampled_from("abcdefg").map(add),
                st.sampled_from("abcdefg").map(remove),
                st.just(Leave()),
                st.sampled_from(["x", "y"]).map(Subject),
                st.just(Revoke(owner(name).device(2).identity_key)),
            )
        )
        device = 1 if isinstance(operation, Revoke) else draw(st.sampled_from([1, 1, 1, 2]))
        parents = draw(st.lists(st.sampled_from(made), min_size=1, max_size=3, unique_by=lambda entry: entry.id))
        time = draw(st.integers(0, 3))
        made.append(group.write(name, operation, after=parents, device=device, time=time))
    return group, made[1:]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(histories(), st.randoms(use_true_random=False))
def test_every_order_and_every_repetition_gives_one_state(
    made: tuple[Group, list[Entry]], order: random.Random
) -> None:
    group, entries = made
    shuffled = entries * 2
    order.shuffle(shuffled)
    one_by_one = group.read(shuffled)
    at_once = group_log.admit(group.read(()), [entry.encoded for entry in shuffled], listed, CRYPTO).log
    for log in (one_by_one, at_once):
        assert (log.heads, log.state, log.pending) == (group.log.heads, group.log.state, ())
    again = group_log.from_store([node.entry.encoded for node in at_once.nodes], [], group.limits)
    assert (again.heads, again.state) == (group.log.heads, group.log.state)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(histories())
def test_the_rules_as_they_are_written(made: tuple[Group, list[Entry]]) -> None:
    """The rules of the specification, word for word and with no regard to cost, give the same members and the same
    entries that count."""
    group, _ = made
    members, counting = by_the_rules(group.log.nodes)
    assert [(standing.member.account, standing.rank) for standing in group.log.state.members] == members
    assert group.log.state.counting == counting


def by_the_rules(nodes: Sequence[Node]) -> tuple[list[tuple[bytes, Rank]], set[bytes]]:
    made = []  # memberships: (rank, account, index of the entry)
    for index, node in enumerate(nodes):
        operation = node.entry.operation
        accounts = [each.account for each in operation.members] if isinstance(operation, Create | Add) else []
        if isinstance(operation, Create):
            accounts = [node.entry.author.party.account, *accounts]
        made += [((node.depth, node.entry.id, place), account, index) for place, account in enumerate(accounts)]

    def account(index: int) -> bytes:
        return nodes[index].entry.author.party.account

    def before(a: int, b: int) -> bool:
        return bool(nodes[b].before >> a & 1)

    def revoked(index: int) -> bool:
        key = nodes[index].entry.author.identity_key
        return any(
            isinstance(other.entry.operation, Revoke)
            and other.entry.operation.identity_key == key
            and account(place) == account(index)
            and not before(index, place)
            for place, other in enumerate(nodes)
        )

    def holds(membership: tuple[Rank, bytes, int], at: int | None) -> bool:
        """Whether the membership counts and nothing ends it that is not a descendant of `at`; None: the present."""
        rank, whose, origin = membership
        if origin and not counts(origin):
            return False
        for place, other in enumerate(nodes):
            operation = other.entry.operation
            if place == at or (at is not None and before(at, place)) or before(place, origin) or revoked(place):
                continue
            if isinstance(operation, Leave) and account(place) == whose:
                return False
            if isinstance(operation, Remove) and operation.account == whose and acts(place, rank):
                return False
        return True

    def acts(index: int, below: Rank | None) -> bool:
        """Whether the author holds a membership at its entry, one of a rank below this."""
        return any(
            whose == account(index)
            and (below is None or rank < below)
            and (origin != index)
            and before(origin, index)
            and holds((rank, whose, origin), index)
            for rank, whose, origin in made
        )

    def counts(index: int) -> bool:
        return not revoked(index) and (index == 0 or acts(index, None))

    best: dict[bytes, Rank] = {}
    for membership in sorted(made):
        if membership[1] not in best and holds(membership, None):
            best[membership[1]] = membership[0]
    counting = {node.entry.id for place, node in enumerate(nodes) if counts(place)}
    return sorted(best.items(), key=lambda item: item[1]), counting


def test_sr08_a_long_log_is_read_without_recursion() -> None:
    """SR-08: each of 1,500 adds the next, so every membership hangs on all before it."""
    group = Group()
    log, count = group.log, 1_500
    accounts = [hashlib.sha256(b"%d" % place).digest()[:16] for place in range(count)]
    node, nodes = log.nodes[0], [log.nodes[0]]
    for place, account in enumerate(accounts):
        party = Party(Number("+15550000000"), AccountId(accounts[place - 1]), DeviceId(1)) if place else None
        author = Author(party, bytes(33)) if party else node.entry.author
        operation = Add((Member(Number("+15550000000"), AccountId(account)),))
        entry = dataclasses.replace(
            node.entry,
            author=author,
            operation=operation,
            id=hashlib.sha256(account).digest(),
            parents=(nodes[-1].entry.id,),
        )
        nodes.append(Node(entry, place + 1, (1 << place + 1) - 1))
    state = evaluate(nodes, 2_000)
    assert len(state.members) == 4 + count and len(state.counting) == 1 + count


def test_sr08_a_flooded_log_is_read_in_time_that_is_not_cubic() -> None:
    """SR-08: somebody who was added as often as the bounds allow has written as much as they allow, and two members have
    removed it as often. Before each entry was asked about all removals at once, this took thirteen seconds."""
    group, nodes = Group(), list(Group().log.nodes)

    def write(name: str, operation: Operation) -> None:
        place = len(nodes)
        author = Author(Party(owner(name).number, owner(name).account, DeviceId(1)), bytes(33))
        entry = dataclasses.replace(
            group.root,
            author=author,
            operation=operation,
            id=place.to_bytes(32, "big"),
            parents=(nodes[-1].entry.id,),
        )
        nodes.append(Node(entry, place, (1 << place) - 1))

    for name, operation, times in (
        ("b", add("d"), LIMITS.max_times_named - 1),
        ("d", Subject("x"), 960),
        ("b", remove("d"), 960),
        ("c", remove("d"), 960),
    ):
        for _ in range(times):
            write(name, operation)
    began = time.process_time()
    state = evaluate(nodes, LIMITS.max_members)
    assert time.process_time() - began < 4
    assert [standing.member for standing in state.members] == [member(name) for name in "abc"]
    assert len(state.counting) == len(nodes)
