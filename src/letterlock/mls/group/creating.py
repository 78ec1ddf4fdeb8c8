"""A new group with one member (RFC 9420 section 11)."""

from __future__ import annotations

from ...ids import Instant, Rng
from ..client import Client
from ..evolution.leaf_rules import LeafJudge, check_extensions_once
from ..evolution.membership import check_external_senders
from ..evolution.state import PublicState
from ..schedule.key_schedule import epoch_secrets_from
from ..schedule.secret_tree import SecretTree
from ..schedule.transcript import confirmation_tag, interim_transcript_hash
from ..tree.member_index import MemberIndex
from ..tree.ratchet_tree import RatchetTree
from ..wire.extensions import Extension
from ..wire.leaf_node import LeafNodeSource, Lifetime
from ..wire.welcome import GroupContext
from .epoch import EpochKeys, EpochState
from .member import Member
from .psks import FindPsk

__all__ = ["create_member"]


def create_member(
    client: Client,
    group_id: bytes,
    extensions: tuple[Extension, ...],
    find_psk: FindPsk,
    rng: Rng,
    now: Instant,
) -> Member:
    """Epoch 0. The creator has to be able to do what it asks of the others."""
    suite = client.suite
    check_extensions_once(extensions)
    check_external_senders(suite, extensions, client.authentication, now)
    private, public = suite.generate_key_pair(rng)
    # The creator's leaf is as if it came from a key package; it is never added, so a short lifetime will do.
    start = now // 1000 - 3600
    lifetime = Lifetime(start, start + min(client.policy.max_lifetime_seconds, 84 * 86_400))
    leaf = client.leaf(public, LeafNodeSource.KEY_PACKAGE, lifetime=lifetime)
    judge = LeafJudge(suite, group_id, extensions, client.authentication, client.policy, now)
    judge.leaf(leaf, LeafNodeSource.KEY_PACKAGE, 0)
    judge.batch.verify()
    tree = RatchetTree.single(suite, leaf)
    context = GroupContext(suite.number, group_id, 0, tree.tree_hash(), b"", extensions)
    secrets = epoch_secrets_from(suite, rng(suite.hash_length))
    tag = confirmation_tag(suite, secrets.confirmation_key, b"")
    state = PublicState(suite, context, tree, tag, interim_transcript_hash(suite, b"", tag))
    epoch = EpochState(0, EpochKeys.of(secrets), SecretTree(suite, secrets.encryption_secret, 1), {0: private})
    return Member(client, state, MemberIndex.of(tree), epoch, find_psk)
