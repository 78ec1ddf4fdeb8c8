"""MLS groups of enrolled people, the bare way: no conversation machine, no focus, everything in order."""

from __future__ import annotations

from collections.abc import Sequence

from crypto.deterministic import seeded_rng
from letterlock.ids import Rng
from letterlock.mls.group.group import CommitOptions, Group
from letterlock.mls.group.results import OwnEcho, PendingCommit, StagedCommit
from letterlock.mls.key_packages import KeyPackageBundle, make_key_package
from letterlock.mls.wire.extensions import Extension
from letterlock.mls.wire.proposals import Add, Proposal
from letterlock.rcc16.wire.extensions import era_extension

from .certificates import NOW, Identity, Lab

__all__ = ["GROUP_ID", "Member", "everybody_merges", "group_of"]

GROUP_ID = b"000102030405060708090a0b0c0d0e0f"


class Member:
    """A device and its group."""

    def __init__(self, identity: Identity, label: str) -> None:
        self.identity = identity
        self.client = identity.client
        self.rng: Rng = seeded_rng(f"rcc16 member {label}")
        self.group: Group | None = None
        self.bundle: KeyPackageBundle = make_key_package(self.client, NOW, self.rng, lifetime_seconds=70 * 86_400)

    @property
    def g(self) -> Group:
        assert self.group is not None
        return self.group

    def create(self, *more: Extension, era: int = 1, group_id: bytes = GROUP_ID, rng: Rng | None = None) -> None:
        self.group = Group.create(
            self.client, group_id, extensions=(era_extension(era), *more), rng=rng or self.rng, now=NOW
        )

    def commit(self, proposals: Sequence[Proposal] = (), **options: object) -> PendingCommit:
        chosen = CommitOptions(tree_in_welcome=False, **options)  # type: ignore[arg-type]
        return self.g.commit(proposals, options=chosen, rng=self.rng, now=NOW)

    def join(self, pending: PendingCommit, tree: bytes) -> None:
        """Treeless: the tree comes beside the Welcome (rcc16.md 2.4)."""
        self.group = Group.join(self.client, self.bundle, pending.welcomes[0].message, tree=tree, now=NOW)


def group_of(numbers: Sequence[str], lab: Lab | None = None, **options: int) -> list[Member]:
    """The first creates the group and adds the others in one commit."""
    lab = lab or Lab()
    judge = lab.authentication()
    members = [Member(lab.enrol(number, authentication=judge), f"{number} {n}") for n, number in enumerate(numbers)]
    first, others = members[0], members[1:]
    first.create(**options)
    pending = first.commit([Add(other.bundle.key_package) for other in others])
    first.g.merge(pending, now=NOW)
    tree = first.g.state.tree.encode()
    for other in others:
        other.join(pending, tree)
    return members


def everybody_merges(message: bytes, members: Sequence[Member]) -> None:
    """Each processes a commit and merges it."""
    for member in members:
        result = member.g.process(message, now=NOW)
        if isinstance(result, StagedCommit):
            member.g.merge(result, now=NOW)
        else:
            assert isinstance(result, OwnEcho) and result.pending is not None
            member.g.merge(result.pending, now=NOW)
