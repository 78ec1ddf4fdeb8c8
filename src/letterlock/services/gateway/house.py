"""What every part of a running gateway works with."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass

from ...ids import Instant, Rng
from ..buckets import Buckets
from ..push import Pushes
from ..writer import Writer
from .carrier import CarrierProfile
from .limits import GatewayLimits
from .logic import Office
from .pace import Pace
from .tables import Tables

__all__ = ["CHECKPOINTS", "House", "no_checkpoint"]

CHECKPOINTS = (
    "inbox.before",  # something arrived, nothing is on disk
    "inbox.committed",  # in the inbox, not acknowledged to the network
    "deliver.before",  # about to go to the client
    "send.before",  # a client's request was read, nothing was handed to the network
    "result.before",  # the network answered, nothing of that is on disk
    "result.committed",  # the answer is remembered, the client has not got it
    "tidy.before",  # acknowledged by the client, not deleted
    "tidy.committed",  # deleted
)
"""The places where a test kills the process (SR-06)."""


def no_checkpoint(_: str) -> None:
    """What runs outside tests."""


@dataclass(frozen=True, slots=True)
class House:
    """`pushes` None: devices that are away are not woken."""

    limits: GatewayLimits
    carrier: CarrierProfile
    office: Office
    writer: Writer[Tables]
    buckets: Buckets
    now: Callable[[], Instant]
    rng: Rng
    pushes: Pushes | None
    checkpoint: Callable[[str], None]
    pace: Pace
    """Of registrations, whoever causes them."""
    tls: ssl.SSLContext | None
    """With the carrier: one for all accounts, because the authorities of a system are most of a megabyte."""
