"""What a commit changes, in the application's terms."""

from __future__ import annotations

from ..evolution.next_epoch import NextEpoch
from .results import CommitEffects

__all__ = ["effects_of"]


def effects_of(next_epoch: NextEpoch, own_leaf: int, authenticated_data: bytes) -> CommitEffects:
    """Read off what differs between the two trees and what the proposals say. O(changes)."""
    applied = next_epoch.applied
    before, after = applied.before.tree, next_epoch.tree
    proposals = applied.proposals
    removed = (*proposals.self_removes, *proposals.removes)
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
