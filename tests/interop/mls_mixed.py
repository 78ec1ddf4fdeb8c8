"""`MixedGroup`: a group of us, ts-mls and mls-rs, in which everybody gets every message and agrees after each commit.

With public handshakes a server follows with a `PublicGroup`. Our members are stored and loaded again at every step.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from interop.mls_members import Member, OurMember, agree, group_of, now
from interop.mls_peers import MlsPeer, PeerError, PeerMember, add, remove
from letterlock.mls.group.group import Group
from letterlock.mls.policy import DEFAULT_POLICY
from letterlock.mls.public_group import PublicGroup, StagedPublicCommit
from mls.any_credential import AnyCredential

__all__ = ["MixedGroup"]

UNMERGED = "must list leaf node in its unmerged_leaves"
"""ts-mls refuses some valid trees with this: see the README."""


@dataclass
class MixedGroup:
    """Start with `begin`; then `commit`, `propose` and `join_externally`, by any member."""

    ts_mls: MlsPeer
    mls_rs: MlsPeer
    public: bool
    members: list[Member] = field(default_factory=list)
    server: PublicGroup | None = None
    refused_trees: int = 0

    def make(self, kind: str) -> Member:
        return {
            "ours": OurMember,
            "ts-mls": lambda: PeerMember(self.ts_mls),
            "mls-rs": lambda: PeerMember(self.mls_rs),
        }[kind]()

    def begin(self, *kinds: str) -> None:
        self.members = group_of(*map(self.make, kinds))
        if self.public:
            info = self.one_of_us.group_info()
            self.server = PublicGroup(
                self.one_of_us.client.suite,
                info,
                authentication=AnyCredential(),
                policy=DEFAULT_POLICY,
                now=now(),
            )
        self.talk()
        self.check()

    @property
    def one_of_us(self) -> OurMember:
        return next(member for member in self.members if isinstance(member, OurMember))

    def kind(self, member: Member) -> str:
        if isinstance(member, OurMember):
            return "ours"
        return "ts-mls" if member.peer is self.ts_mls else "mls-rs"

    def propose(self, member: Member, proposal: dict[str, Any]) -> None:
        self._send(member.propose(proposal, public=self.public), member, self.members)

    def commit(
        self,
        committer: Member,
        *,
        added: Sequence[Member] = (),
        removed: Sequence[Member] = (),
        waiting: Sequence[Member] = (),
        gone: Sequence[Member] = (),
        path: bool = True,
    ) -> None:
        """`added` and `removed` by value; `waiting` and `gone` are added and removed by proposals sent before."""
        out = [*removed, *gone]
        proposals = [
            *(add(member.key_package()) for member in added),
            *(remove(identity=member.identity) for member in removed),
        ]
        options = {"path": path} if isinstance(committer, OurMember) else {}
        made = committer.commit(*proposals, public=self.public, **options)
        staying = [member for member in self.members if member not in out]
        for member in out:  # a peer might not see that it is out, see the README
            if isinstance(member, OurMember):
                member.process(made.commit)
                assert not member.g.active
        self._send(made.commit, committer, staying)
        self.members = staying
        coming = [*waiting, *added]
        refused = [member for member in coming if not self._joins(member, made.welcome)]
        self.check()
        self.talk(member for member in coming if member not in refused)
        if refused:
            self.refused_trees += len(refused)
            us = self.one_of_us
            leaves = [remove(index=us.leaf_of(member.identity)) for member in refused]
            self._send(us.commit(*leaves, public=self.public).commit, us, self.members)
            self.check()

    def join_externally(self, member: Member) -> None:
        self._send(member.external_join(self.one_of_us.group_info()), member, self.members)
        self.members.append(member)
        self.check()
        self.talk([member])

    def talk(self, senders: Iterable[Member] | None = None) -> None:
        """They (or all) are heard by everybody; mls-rs removes only whom it has heard."""
        for sender in self.members if senders is None else senders:
            sealed = sender.encrypt(sender.identity)
            for reader in self.members:
                if reader is not sender:
                    assert reader.process(sealed, sender.identity).data == sender.identity

    def check(self) -> None:
        agree(*self.members)
        for member in self.members:
            if isinstance(member, OurMember):
                stored_and_loaded(member)
        if self.server is not None:
            assert self.server.state.context == self.one_of_us.g.state.context
            assert self.server.state.tree.tree_hash() == self.one_of_us.g.state.context.tree_hash

    def _joins(self, member: Member, welcome: bytes | None) -> bool:
        """False for a tree that ts-mls does not take."""
        assert welcome is not None
        try:
            member.join(welcome)
        except PeerError as error:
            if UNMERGED not in error.message:
                raise
            return False
        self.members.append(member)
        return True

    def _send(self, message: bytes, sender: Member, to: Sequence[Member]) -> None:
        if self.server is not None:
            judged = self.server.process(message, now=now())
            if isinstance(judged, StagedPublicCommit):
                self.server.merge(judged)
        for member in to:
            if member is not sender:
                member.process(message, sender.identity)


def stored_and_loaded(member: OurMember) -> None:
    """As after a restart: only what was written is there."""
    for name, row in member.g.take_changes().items():
        if row is None:
            member.rows.pop(name, None)
        else:
            member.rows[name] = row
    member.group = Group.load(member.client, member.rows, find_psk=member.find_psk)
