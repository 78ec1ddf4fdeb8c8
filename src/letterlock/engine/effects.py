"""What the engine asks of the world. Performed only after the step's writes are on disk (SR-06).

Effects are not stored: what is still to be done can be read from the records, and `Engine.start`
asks for all of it again after a restart. So an effect may be performed twice and must not mind.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from ..carriage import Conference, Outbound
from ..conversation_seam import Request
from ..ids import Instant, Number
from ..seam import MaterialNeeded, Publish

__all__ = [
    "Effect",
    "FetchLists",
    "FetchMaterial",
    "MakeConference",
    "PerformRequest",
    "PublishMaterial",
    "SendReceipts",
    "SyncConference",
    "Transmit",
    "WakeAt",
]


@dataclass(frozen=True, slots=True)
class Transmit:
    """Hand `outbound` to the network and report its answer with `Engine.on_network(row, ...)`.

    An empty `row` (typing) needs no report and is never repeated. One that begins with a colon is that of a packet
    (conversations/outbox.py).
    """

    row: str
    outbound: Outbound


@dataclass(frozen=True, slots=True)
class FetchLists:
    """Ask the directory, as a stranger would, for the lists of `number` after `since_serial` (0: only the newest,
    or all), and report them with `Engine.on_lists`."""

    number: Number
    since_serial: int


@dataclass(frozen=True, slots=True)
class FetchMaterial:
    """Ask the directory for a device's key material and report it with `Engine.on_material`."""

    needed: MaterialNeeded


@dataclass(frozen=True, slots=True)
class PublishMaterial:
    """Upload our key material and report success with `Engine.on_published`."""

    protocol: str
    publish: Publish


@dataclass(frozen=True, slots=True)
class SyncConference:
    """Make the group's conference at the carrier look like this: create it, invite, remove; or `leave` it.

    Idempotent, and never needed for correctness: whoever has no conference gets the group's frames directly.
    """

    conference: Conference
    leave: bool = False


@dataclass(frozen=True, slots=True)
class MakeConference:
    """Have the carrier make the conference of this group, or find it, with these members; nothing more. Its members
    change with the messages of the group's protocol, in the same request (rcc16.md 5.8). Idempotent."""

    conference: Conference


@dataclass(frozen=True, slots=True)
class PerformRequest:
    """Ask the key distribution server for this, and answer with `Engine.on_claimed`, `on_uploaded` or `on_enrolled`."""

    protocol: str
    request: Request


@dataclass(frozen=True, slots=True)
class SendReceipts:
    """Call `Engine.send_receipts` with this: messages are on disk, and their senders are to hear so."""

    owed: str


@dataclass(frozen=True, slots=True)
class WakeAt:
    """Call `Engine.on_timer` at `at`. The earliest of all asked for counts; earlier calls do no harm."""

    at: Instant


Effect: TypeAlias = (
    Transmit
    | FetchLists
    | FetchMaterial
    | MakeConference
    | PerformRequest
    | PublishMaterial
    | SendReceipts
    | SyncConference
    | WakeAt
)
