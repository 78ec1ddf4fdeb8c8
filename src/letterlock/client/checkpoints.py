"""The places between two effects where a crash is tested: a test kills the process there with SIGKILL (SR-06)."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["CHECKPOINTS", "Checkpoint", "no_checkpoint"]

Checkpoint = Callable[[str], None]
"""Called with one of CHECKPOINTS as the program passes it, in whichever thread does that."""

CHECKPOINTS = (
    "step.before",  # a command was taken from the queue
    "step.done",  # encrypted or decrypted, only in memory
    "store.indexed",  # the same, and what the messages are found by
    "store.before-commit",  # rows written inside the transaction, not committed
    "store.committed",  # on disk, generation not yet outside
    "commit.done",  # on disk, nobody has been told
    "caller.resolved",  # the caller knows, no effect has been performed
    "transmit.before",  # a frame is about to go to the transport
    "transmit.after",  # the network answered, the answer is not recorded
    "receive.before",  # something arrived, nothing was done with it
    "receive.committed",  # stored, not yet acknowledged to the network
    "fetch.before",  # about to ask the directory
    "fetch.after",  # the directory answered (one-time keys may be used up there), nothing is recorded
    "publish.before",  # about to upload key material
    "publish.after",  # uploaded, not recorded
    "event.before",  # an event is about to be handed to a consumer
)


def no_checkpoint(_: str) -> None:
    """What runs outside tests."""
