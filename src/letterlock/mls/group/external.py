"""Joining by an external commit (RFC 9420 section 12.4.3.2): nobody inside has to be online.

With `resync` the joiner removes its own old leaf in the same commit, which is how a client that has lost its
state comes back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ...errors import BadPublicKey, InputError
from ...ids import Instant, Rng
from ..client import Client
from ..evolution.group_info import check_group_info
from ..evolution.next_epoch import apply_proposals, check_path_leaf, conclude, confirmed_context, next_state
from ..evolution.proposal_list import QueuedProposal
from ..evolution.senders import verify_sender
from ..evolution.state import PublicState
from ..protect.content import sign_content
from ..registries import EXTERNAL_PUB, PUBLIC_MESSAGE
from ..rules import rule
from ..schedule.transcript import confirmation_tag
from ..tree.member_index import MemberIndex
from ..tree.update_path import create_path, encrypt_path
from ..wire.commit import Commit, ProposalRef
from ..wire.extensions import ExternalPub, find_extension
from ..wire.framing import (
    NEW_MEMBER_COMMIT,
    AuthenticatedContent,
    FramedContent,
    FramedContentAuthData,
    PublicMessage,
)
from ..wire.leaf_node import LeafNode, LeafNodeSource
from ..wire.message import decode_message, encode_message
from ..wire.proposals import CustomProposal, ExternalInit, PreSharedKey, Remove, SelfRemove
from ..wire.psk import PreSharedKeyID
from ..wire.welcome import GroupInfo
from .epoch import EpochState
from .following import advance
from .group_infos import make_group_info
from .psks import FindPsk

__all__ = ["ExternalJoin", "join_externally"]

_EXTERNAL_PUB = rule(
    "MLS-12.4.3.2-02", "RFC 9420 section 12.4.3.2", "the GroupInfo has an external_pub", module=__name__
)


@dataclass(frozen=True, slots=True, eq=False)
class ExternalJoin:
    """A join that the delivery service has still to accept. Until then nobody else is in the new epoch."""

    message: bytes = field(repr=False)
    """MLSMessage(PublicMessage) with the commit."""
    group_info: bytes = field(repr=False)
    """MLSMessage(GroupInfo) of the new epoch, for the next one who joins."""
    state: PublicState = field(repr=False)
    index: MemberIndex = field(repr=False)
    epoch: EpochState = field(repr=False)


def join_externally(
    client: Client,
    group_info: GroupInfo,
    tree: bytes | None,
    *,
    resync: int | None,
    psks: Sequence[PreSharedKeyID],
    find_psk: FindPsk,
    self_removes: Sequence[bytes],
    proposals: Sequence[CustomProposal],
    authenticated_data: bytes,
    rng: Rng,
    now: Instant,
) -> ExternalJoin:
    """A commit that adds ourselves. `resync` is our old leaf; `self_removes` are pending SelfRemove messages that
    the delivery service gave along (draft-ietf-mls-extensions section 6.3). `proposals` are of the application's own
    types, as far as these may stand in an external commit.

    Raises InvalidGroupMessage, DecodeError, MissingPsk.
    """
    suite, policy = client.suite, client.policy
    state, index = check_group_info(
        suite,
        group_info,
        tree,
        client.authentication,
        policy,
        now,
        supported=client.supported_extensions,
    )
    context = state.context
    kem_output, init_secret = _external_init(client, group_info, rng)
    queued = [QueuedProposal(ExternalInit(kem_output), NEW_MEMBER_COMMIT, None)]
    if resync is not None:
        queued.append(QueuedProposal(Remove(resync), NEW_MEMBER_COMMIT, None))
    queued.extend(QueuedProposal(PreSharedKey(psk), NEW_MEMBER_COMMIT, None) for psk in psks)
    queued.extend(QueuedProposal(proposal, NEW_MEMBER_COMMIT, None) for proposal in proposals)
    queued.extend(_pending_self_remove(client, state, message) for message in self_removes)
    applied = apply_proposals(state, index, queued, None, client.authentication, policy, now, sending=True)
    own = applied.committer

    def build(encryption_key: bytes, parent_hash: bytes) -> LeafNode:
        return client.leaf(
            encryption_key,
            LeafNodeSource.COMMIT,
            parent_hash=parent_hash,
            group_id=context.group_id,
            leaf_index=own,
        )

    new_tree, own_path = create_path(applied.tree, own, build, rng)
    leaf = new_tree.leaf(own)
    assert leaf is not None
    check_path_leaf(applied, leaf, client.authentication, policy)
    next_epoch = conclude(applied, index, new_tree, policy)
    path = encrypt_path(new_tree, own_path, own, next_epoch.provisional.encoded, frozenset(), rng)
    content = FramedContent.build(
        group_id=context.group_id,
        epoch=context.epoch,
        sender=NEW_MEMBER_COMMIT,
        authenticated_data=authenticated_data,
        content=Commit(tuple(q.proposal if q.reference is None else ProposalRef(q.reference) for q in queued), path),
        types=policy.proposal_types,
    )
    # Outsiders sign with the context of the epoch that they join (section 6.1), and always as PublicMessage.
    signed = AuthenticatedContent(
        PUBLIC_MESSAGE,
        content,
        FramedContentAuthData(sign_content(suite, client.sign, PUBLIC_MESSAGE, content, context.encoded), None),
    )
    new_context = confirmed_context(next_epoch, signed)
    fresh = advance(
        suite, next_epoch, new_context, own, init_secret, own_path.commit_secret, own_path.private_keys, find_psk
    )
    tag = confirmation_tag(suite, fresh.epoch.keys.confirmation_key, new_context.confirmed_transcript_hash)
    after = next_state(next_epoch, new_context, tag)
    next_epoch.index.apply()
    info = make_group_info(client, after, fresh.epoch, with_tree=False, with_external_pub=True)
    message = PublicMessage(content, FramedContentAuthData(signed.auth.signature, tag), None)
    return ExternalJoin(encode_message(message), encode_message(info), after, index, fresh.epoch)


def _external_init(client: Client, group_info: GroupInfo, rng: Rng) -> tuple[bytes, bytes]:
    data = find_extension(group_info.extensions, EXTERNAL_PUB)
    if data is None:
        _EXTERNAL_PUB.fail("the GroupInfo has no external_pub: this group cannot be joined from outside")
        raise InputError("no external_pub", code="mls.external_pub")
    try:
        return client.suite.export_sender(ExternalPub.decode(data).external_pub, rng)
    except BadPublicKey:
        _EXTERNAL_PUB.fail("external_pub is not a key of this cipher suite")
        raise


def _pending_self_remove(client: Client, state: PublicState, data: bytes) -> QueuedProposal:
    """A SelfRemove of a member, checked except for its membership tag, which only members can."""
    message = decode_message(data, client.policy.proposal_types, client.policy.max_message_bytes)
    if not isinstance(message, PublicMessage) or not isinstance(message.content.content, SelfRemove):
        raise InputError("not a SelfRemove proposal", code="mls.input.self_remove")
    content = AuthenticatedContent(PUBLIC_MESSAGE, message.content, message.auth)
    verify_sender(state, content, client.policy)
    return QueuedProposal(message.content.content, message.content.sender, state.suite.proposal_ref(content.encode()))
