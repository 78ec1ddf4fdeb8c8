"""A commit of ours that was stored before it was accepted, staged again after a restart."""

from __future__ import annotations

import hashlib

from ...errors import InputError
from ..client import Client
from ..evolution.effects import effects_of
from ..evolution.next_epoch import confirmed_context, next_state, resolve_proposals, restage
from ..schedule.secret_tree import RowKey as MessageKey
from ..schedule.transcript import check_confirmation_tag
from ..stored_row import bad_row
from ..wire.commit import Commit
from ..wire.framing import Sender
from .epoch import EpochState
from .member import Member
from .pending_row import StoredPending
from .results import PendingCommit, StagedCommit
from .row_checks import check_private_keys, secret_tree_of

__all__ = ["client_after", "staged_again"]


def client_after(client: Client, rotated: Client | None, stored: StoredPending) -> Client:
    """Who we are once the pending commit is merged."""
    if not stored.rotates:
        return client
    commit = stored.content.content.content
    path = commit.path if isinstance(commit, Commit) else None
    if rotated is None or path is None or path.leaf_node.signature_key != rotated.signature_key:
        raise InputError(
            "a commit that rotates our keys is pending, and its client was not given",
            code="mls.input.rotate",
            hint="load with `rotated`: the client that the commit was made with",
        )
    return rotated


def staged_again(member: Member, stored: StoredPending, after: Client) -> PendingCommit:
    """Staged again. Nobody can open its own path, so the secrets are the stored ones; the tag proves that they fit."""
    client, state, epoch, content = member.client, member.state, member.active(), stored.content
    framed = content.content
    us = Sender.member(epoch.own_leaf)
    if not isinstance(framed.content, Commit) or (framed.group_id, framed.epoch, framed.sender) != (
        state.group_id,
        state.epoch,
        us,
    ):
        raise bad_row("the pending commit is not for this state of the group")
    covered = tuple(resolve_proposals(framed.content, us, stored.covered))
    next_epoch = restage(
        state,
        member.index,
        framed.content,
        covered,
        epoch.own_leaf,
        client.authentication,
        client.policy,
        linking=stored.linking,
    )
    context = confirmed_context(next_epoch, content)
    tag = content.auth.confirmation_tag
    check_confirmation_tag(state.suite, stored.keys.confirmation_key, context.confirmed_transcript_hash, tag)
    tree = next_epoch.tree
    check_private_keys(tree, epoch.own_leaf, stored.private_keys)
    root: MessageKey = ("node", tree.root)
    secrets = EpochState(
        epoch.own_leaf,
        stored.keys,
        secret_tree_of(state.suite, tree.height, stored.used or [(root, stored.messages)]),
        stored.private_keys,
    )
    staged = StagedCommit(
        base_epoch=state.epoch,
        effects=effects_of(next_epoch, epoch.own_leaf, framed.authenticated_data),
        digest=hashlib.sha256(stored.message).digest(),
        state=next_state(next_epoch, context, tag or b""),
        next_epoch=next_epoch,
        secrets=secrets,
    )
    return PendingCommit(staged, stored.message, stored.welcomes, content, covered, stored.linking, after)
