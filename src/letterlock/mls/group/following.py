"""Following a commit into its epoch: path secret, key schedule, confirmation tag (RFC 9420 section 12.4.2)."""

from __future__ import annotations

from collections.abc import Mapping

from ..evolution.next_epoch import NextEpoch
from ..schedule.key_schedule import epoch_secrets, external_key_pair, joiner_secret, member_secret
from ..schedule.secret_tree import SecretTree
from ..suites import CipherSuite
from ..tree.update_path import decrypt_path, keys_still_valid
from ..wire.commit import UpdatePath
from ..wire.proposals import ExternalInit
from ..wire.welcome import GroupContext
from .epoch import EpochKeys, EpochState
from .psks import FindPsk, combine

__all__ = ["FreshSecrets", "advance", "follow", "kept_keys"]


def follow(
    epoch: EpochState,
    next_epoch: NextEpoch,
    context: GroupContext,
    path: UpdatePath | None,
    find_psk: FindPsk,
    own_updates: Mapping[bytes, bytes],
) -> EpochState:
    """Our secrets of the epoch that somebody else's commit opens; the confirmation tag is the caller's to check.

    `own_updates` maps encryption keys of Updates that we proposed to their private keys.
    Raises MissingPsk, BadMac, BadPublicKey, InvalidGroupMessage.
    """
    applied = next_epoch.applied
    suite = applied.before.suite
    private_keys = kept_keys(epoch, next_epoch, own_updates)
    commit_secret = suite.zero
    if path is not None:
        commit_secret, fresh = decrypt_path(
            next_epoch.tree,
            applied.committer,
            epoch.own_leaf,
            private_keys,
            path,
            next_epoch.provisional.encoded,
            frozenset(applied.added),
        )
        private_keys = keys_still_valid(applied.tree, next_epoch.tree, private_keys) | fresh
    external_init = applied.proposals.external_init
    init_secret = epoch.keys.init_secret if external_init is None else _external_init(suite, epoch, external_init)
    return advance(suite, next_epoch, context, epoch.own_leaf, init_secret, commit_secret, private_keys, find_psk).epoch


class FreshSecrets:
    """A new epoch, and for as long as Welcomes are made what leads into it."""

    __slots__ = ("epoch", "joiner_secret", "member_secret")

    def __init__(self, epoch: EpochState, joiner_secret: bytes, member_secret: bytes) -> None:
        self.epoch = epoch
        self.joiner_secret = joiner_secret
        self.member_secret = member_secret


def advance(
    suite: CipherSuite,
    next_epoch: NextEpoch,
    context: GroupContext,
    own_leaf: int,
    init_secret: bytes,
    commit_secret: bytes,
    private_keys: dict[int, bytes],
    find_psk: FindPsk,
) -> FreshSecrets:
    """The key schedule from one epoch to the next (section 8)."""
    psk = combine(suite, next_epoch.applied.proposals.psks, find_psk)
    joiner = joiner_secret(suite, init_secret, commit_secret, context.encoded)
    member = member_secret(suite, joiner, psk)
    secrets = epoch_secrets(suite, member, context.encoded)
    epoch = EpochState(
        own_leaf=own_leaf,
        keys=EpochKeys.of(secrets),
        messages=SecretTree(suite, secrets.encryption_secret, next_epoch.tree.leaf_count),
        private_keys=private_keys,
    )
    return FreshSecrets(epoch, joiner, member)


def kept_keys(epoch: EpochState, next_epoch: NextEpoch, own_updates: Mapping[bytes, bytes]) -> dict[int, bytes]:
    """Private keys of nodes that the proposals left as they were, and of our leaf if an Update of ours is covered."""
    before, tree = next_epoch.applied.before.tree, next_epoch.applied.tree
    kept = keys_still_valid(before, tree, epoch.private_keys)
    own_node = epoch.own_leaf * 2
    leaf = tree.leaf(epoch.own_leaf)
    if own_node not in kept and leaf is not None and leaf.encryption_key in own_updates:
        kept[own_node] = own_updates[leaf.encryption_key]
    return kept


def _external_init(suite: CipherSuite, epoch: EpochState, proposal: ExternalInit) -> bytes:
    """The init_secret that a joiner sent to the whole group (section 8.3)."""
    private, _ = external_key_pair(suite, epoch.keys.external_secret)
    return suite.export_receiver(private, proposal.kem_output)
