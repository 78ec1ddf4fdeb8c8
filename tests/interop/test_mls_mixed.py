"""One group of three implementations: each commits in turn, a server follows, and all agree after every step."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from interop.mls_matrix import Matrix
from interop.mls_members import Member, OurMember
from interop.mls_mixed import MixedGroup
from interop.mls_pairing import Pairing
from interop.mls_peers import MlsPeer, add, remove, update

pytestmark = pytest.mark.node

KINDS = ("ours", "ts-mls", "mls-rs")
wires = pytest.mark.parametrize("wire", ["public", "private"])


@contextmanager
def passes(matrix: Matrix, peers: tuple[MlsPeer, MlsPeer], feature: str, wire: str, size: int) -> Iterator[None]:
    """One row for all of them."""
    with ExitStack() as stack:
        for peer, name in zip(peers, KINDS[1:], strict=True):
            for acts in ("we", "peer"):
                stack.enter_context(Pairing(peer, name, 1, matrix).passes(feature, acts, wire=wire, size=size))
        yield


@wires
def test_each_commits_in_turn(ts_mls: MlsPeer, mls_rs: MlsPeer, mls_matrix: Matrix, wire: str) -> None:
    """mls-rs sends public handshakes in any case, and the others what is asked for."""
    with passes(mls_matrix, (ts_mls, mls_rs), "three implementations in turn", wire, 9):
        group = MixedGroup(ts_mls, mls_rs, public=wire == "public")
        group.begin(*KINDS)
        for number in range(6):  # each adds one of another kind
            group.commit(group.members[number % 3], added=[group.make(KINDS[(number + 1) % 3])])
        assert len(group.members) == 9
        for member in list(group.members):  # each commits an update path
            group.commit(member)
        for number, member in enumerate(list(group.members)):  # each proposes, the next one commits
            committer = group.members[(group.members.index(member) + 1) % len(group.members)]
            if number % 3 == 0 and group.kind(member) != "mls-rs":
                group.propose(member, update())
                group.commit(committer)
            elif number % 3 == 1:
                new = group.make(KINDS[number // 3])
                group.propose(member, add(new.key_package()))
                group.commit(committer, waiting=[new])
            else:
                leaving = next(m for m in reversed(group.members) if m not in (member, committer))
                group.propose(member, remove(identity=leaving.identity))
                group.commit(committer, gone=[leaving])
        for kind in ("ours", "ts-mls"):
            group.join_externally(group.make(kind))
        for kind in KINDS:  # one of each kind removes one of each kind
            committer = next(member for member in group.members if group.kind(member) == kind)
            leaving = next(m for m in reversed(group.members) if m is not committer)
            group.commit(committer, removed=[leaving])
            group.commit(committer)
        for member in list(group.members):
            group.commit(member)
        group.talk()


@wires
@pytest.mark.parametrize("seed", range(2))
def test_a_random_history(ts_mls: MlsPeer, mls_rs: MlsPeer, mls_matrix: Matrix, wire: str, seed: int) -> None:
    """Adds (some without a path), removes and updates, by value and by reference, by whoever comes."""
    chance = random.Random(f"{seed} {wire}")
    with passes(mls_matrix, (ts_mls, mls_rs), "random histories of three implementations", wire, 12):
        group = MixedGroup(ts_mls, mls_rs, public=wire == "public")
        group.begin(*KINDS, *KINDS)
        for _ in range(20):
            step(group, chance)
        group.talk()


def step(group: MixedGroup, chance: random.Random) -> None:
    committer = chance.choice(group.members)
    others = [member for member in group.members if member is not committer]
    leaving: list[Member] = []
    if len(group.members) > 5 and chance.random() < 0.5:
        leaving = chance.sample([m for m in others if m is not group.one_of_us], chance.randint(1, 2))
    coming = [group.make(chance.choice(KINDS)) for _ in range(chance.randint(0, 2))] if len(group.members) < 12 else []
    updating = [m for m in others if m not in leaving and group.kind(m) != "mls-rs" and chance.random() < 0.3]
    by_reference = chance.random() < 0.5 or (group.kind(committer) == "mls-rs" and leaving and coming)
    for member in updating:
        group.propose(member, update())
    if by_reference:
        proposer = chance.choice([member for member in group.members if member not in leaving])
        for member in leaving:
            group.propose(proposer, remove(identity=member.identity))
        for member in coming:
            group.propose(proposer, add(member.key_package()))
        group.commit(committer, waiting=coming, gone=leaving)
    else:
        pathless = isinstance(committer, OurMember) and bool(coming) and not (leaving or updating)
        group.commit(committer, added=coming, removed=leaving, path=not (pathless and chance.random() < 0.5))
