"""`Group`s inside a populated tree: any member whose keys were kept, and the Welcome that lets another one in.

All members are in one epoch whose secrets the tests chose, as if the last committer had just committed.
"""

from __future__ import annotations

from dataclasses import dataclass

from crypto.deterministic import seeded_rng
from letterlock.mls.client import Client
from letterlock.mls.evolution.state import PublicState
from letterlock.mls.group.epoch import EpochKeys, EpochState
from letterlock.mls.group.following import FreshSecrets
from letterlock.mls.group.group import Group
from letterlock.mls.group.group_infos import make_group_info
from letterlock.mls.group.member import Member
from letterlock.mls.group.psks import no_psks
from letterlock.mls.group.welcoming import make_welcomes
from letterlock.mls.policy import Policy
from letterlock.mls.schedule.key_schedule import epoch_secrets, member_secret
from letterlock.mls.schedule.secret_tree import SecretTree
from letterlock.mls.schedule.transcript import confirmation_tag, interim_transcript_hash
from letterlock.mls.tree.member_index import MemberIndex
from letterlock.mls.tree.update_path import OwnPath
from letterlock.mls.wire.key_package import KeyPackage
from letterlock.mls.wire.welcome import GroupContext

from .any_credential import AnyCredential
from .lab import LAB
from .populated import Populated

__all__ = ["PopulatedGroup"]

EPOCH = 7


@dataclass
class PopulatedGroup:
    """One epoch over a populated tree."""

    made: Populated
    policy: Policy = LAB

    def __post_init__(self) -> None:
        suite = self.made.suite
        rng = seeded_rng(f"epoch of {self.made.tree.member_count}")
        tree = self.made.tree
        context = GroupContext(suite.number, self.made.group_id, EPOCH, tree.tree_hash(), rng(suite.hash_length), ())
        self._joiner = rng(suite.hash_length)
        self._member = member_secret(suite, self._joiner, suite.zero)
        self._secrets = epoch_secrets(suite, self._member, context.encoded)
        tag = confirmation_tag(suite, self._secrets.confirmation_key, context.confirmed_transcript_hash)
        interim = interim_transcript_hash(suite, context.confirmed_transcript_hash, tag)
        self.state = PublicState(suite, context, tree, tag, interim)

    def client(self, leaf_index: int) -> Client:
        """The member's client, with its kept signature key."""
        leaf = self.made.tree.leaf(leaf_index)
        assert leaf is not None
        return Client(
            suite=self.made.suite,
            credential=leaf.credential,
            signature_key=leaf.signature_key,
            sign=self.made.suite.signer(self.made.signature_keys[leaf_index]),
            capabilities=leaf.capabilities,
            authentication=AnyCredential(),
            policy=self.policy,
        )

    def epoch(self, leaf_index: int) -> EpochState:
        keys = self.made.keys_of(leaf_index) if leaf_index in self.made.signature_keys else {}
        messages = SecretTree(self.made.suite, self._secrets.encryption_secret, self.made.tree.leaf_count)
        return EpochState(leaf_index, EpochKeys.of(self._secrets), messages, keys)

    def group(self, leaf_index: int) -> Group:
        """The view of one member."""
        index = MemberIndex.of(self.made.tree)
        return Group(Member(self.client(leaf_index), self.state, index, self.epoch(leaf_index), no_psks))

    def welcome(self, package: KeyPackage, *, with_tree: bool = True) -> bytes:
        """For the joiner, leaf n-2, whose leaf must be the one of `package`. With every private key of its path."""
        made = self.made
        epoch = self.epoch(made.committer)
        info = make_group_info(
            self.client(made.committer), self.state, epoch, with_tree=with_tree, with_external_pub=False
        )
        fresh = FreshSecrets(epoch, self._joiner, self._member)
        path = OwnPath((), b"", made.path_secrets, {}, made.commit_secret)
        welcomes = make_welcomes(
            self.state, fresh, path, [(made.joiner, package)], (), info, seeded_rng("welcome"), one_each=False
        )
        return welcomes[0].message
