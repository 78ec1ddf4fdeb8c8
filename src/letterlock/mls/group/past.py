"""Epochs that are over: late application messages, resumption PSKs, and which commit ended each of them.

Kept by count and by time (`Policy.past_epochs`, `past_epoch_ms`, `resumption_epochs`); what falls out is deleted.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...ids import Instant
from ..policy import Policy
from ..schedule.secret_tree import SecretTree
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

    def prune(self, policy: Policy, now: Instant) -> list[tuple[int, SecretTree | None]]:
        """Delete what the policy does not keep: first the message secrets, then the rest.

        Gives the epochs that changed, with the message secrets that went.
        """
        changed: list[tuple[int, SecretTree | None]] = []
        newest = max(self._epochs, default=0)
        readable = True
        for past in reversed(list(self._epochs.values())):
            # An epoch is read with the replaced leaves of those after it: so never longer than they are kept, even
            # where the clock was set back in between.
            readable = readable and newest - past.epoch < policy.past_epochs
            readable = readable and now - past.ended_at <= policy.past_epoch_ms
            gone, old = None if readable else past.messages, newest - past.epoch >= policy.resumption_epochs
            if gone is not None:
                past.messages = None
                past.sender_data_secret = past.context = b""
                past.replaced = {}
            if past.messages is None and old:
                del self._epochs[past.epoch]
                past.resumption_psk = b""
            if past.messages is None and (gone is not None or old):
                changed.append((past.epoch, gone))
        return changed
