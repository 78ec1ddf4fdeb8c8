"""What a commit changes, in the application's terms."""

from __future__ import annotations

from dataclasses import dataclass

from ..wire.extensions import Extension
from ..wire.framing import Sender
from ..wire.leaf_node import LeafNode
from ..wire.proposals import CustomProposal, ReInit
from ..wire.psk import PreSharedKeyID
from .next_epoch import NextEpoch

__all__ = ["CommitEffects", "effects_of"]


@dataclass(frozen=True, slots=True)
class CommitEffects:
    """What a commit changes, for the application to show or to refuse before it merges."""

    committer: int
    """Leaf of the committer, in the new epoch."""
    external: bool
    added: tuple[tuple[int, LeafNode], ...]
    updated: tuple[tuple[int, LeafNode, LeafNode], ...]
    """(leaf, old, new); the committer's own leaf is here too when the commit has a path."""
    removed: tuple[tuple[int, LeafNode], ...]
    psks: tuple[PreSharedKeyID, ...]
    extensions: tuple[Extension, ...] | None
    """The new GroupContext extensions if the commit replaces them."""
    custom: tuple[tuple[Sender, CustomProposal], ...]
    reinit: ReInit | None
    self_removed: bool
    """Whether this commit removes us: merging it ends our part in the group."""
    authenticated_data: bytes


def effects_of(next_epoch: NextEpoch, own_leaf: int | None, authenticated_data: bytes) -> CommitEffects:
    """Read off what differs between the two trees and what the proposals say. `own_leaf` None: nobody's view."""
    applied = next_epoch.applied
    before, after = applied.before.tree, next_epoch.tree
    proposals = applied.proposals
    removed = proposals.removed
    added = list(applied.added)
    if applied.external:
        added.append(applied.committer)
    candidates = [leaf_index for leaf_index, _ in proposals.updates]
    if not applied.external:
        candidates.append(applied.committer)
    updated = []
    for leaf_index in candidates:
        old, new = before.leaf(leaf_index), after.leaf(leaf_index)
        if old is not None and new is not None and old != new:
            updated.append((leaf_index, old, new))
    return CommitEffects(
        committer=applied.committer,
        external=applied.external,
        added=tuple((i, leaf) for i in added if (leaf := after.leaf(i)) is not None),
        updated=tuple(updated),
        removed=tuple((i, leaf) for i in removed if (leaf := before.leaf(i)) is not None),
        psks=tuple(proposals.psks),
        extensions=proposals.context_extensions,
        custom=tuple(proposals.custom),
        reinit=proposals.reinit,
        self_removed=own_leaf in removed,
        authenticated_data=authenticated_data,
    )
