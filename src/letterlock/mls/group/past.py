"""Epochs that are over: late application messages, resumption PSKs, and which commit ended each of them.

Kept by count and by time (`Policy.past_epochs`, `past_epoch_ms`, `resumption_epochs`); what falls out is deleted.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...ids import Instant
from ..policy import Policy
from ..tree.ratchet_tree import RatchetTree
from ..wire.leaf_node import LeafNode
from .epoch import PastEpochState

__all__ = ["PastEpochs"]


class PastEpochs:
    """Ordered by epoch, without gaps from the oldest that is kept."""

    __slots__ = ("_epochs",)

    def __init__(self) -> None:
        self._epochs: dict[int, PastEpochState] = {}

    def __iter__(self) -> Iterator[PastEpochState]:
        return iter(self._epochs.values())

    def find(self, epoch: int) -> PastEpochState | None:
        return self._epochs.get(epoch)

    def add(self, past: PastEpochState) -> None:
        """The epoch that has just ended; epochs are added in order."""
        self._epochs[past.epoch] = past

    def leaf(self, epoch: int, leaf_index: int, current: RatchetTree) -> LeafNode | None:
        """The leaf as it was in a past epoch: the first later epoch that replaced it knows it."""
        for past in self._epochs.values():
            if past.epoch >= epoch and leaf_index in past.replaced:
                return past.replaced[leaf_index]
        return current.leaf(leaf_index)

    def prune(self, policy: Policy, now: Instant) -> list[PastEpochState]:
        """Delete what the policy does not keep: first the message secrets, then the rest. Gives what changed."""
        changed: list[PastEpochState] = []
        newest = max(self._epochs, default=0)
        for past in list(self._epochs.values()):
            readable = newest - past.epoch < policy.past_epochs and now - past.ended_at <= policy.past_epoch_ms
            if past.messages is not None and not readable:
                past.messages = None
                past.sender_data_secret = past.context = b""
                past.replaced = {}
                changed.append(past)
            if past.messages is None and newest - past.epoch >= policy.resumption_epochs:
                del self._epochs[past.epoch]
                past.resumption_psk = b""
                changed.append(past)
        return changed
