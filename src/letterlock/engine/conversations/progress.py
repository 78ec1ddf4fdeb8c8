"""What a step of the protocol led to, taken over whole: writes, packets, requests, notices, in this order.

Nothing of it leaves before the engine's step is committed (SR-06): packets and requests are effects.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from ...conversation_seam import ConversationProtocol, Packet, Progress
from ...ids import Instant, MessageId, Number
from ..core import Core
from ..record_values import Upkeep
from ..records import UPKEEP
from ..step import Turn
from . import members, noticing, outbox, requests

__all__ = ["Sent", "next_due", "take"]


@dataclass(frozen=True, slots=True)
class Sent:
    """The letter that a step was to seal: the id of its packet, the message that it carries, whose receipts are waited for."""

    packet: MessageId
    root: MessageId
    order: str
    pending: tuple[Number, ...]
    expires: Instant


def take(
    core: Core,
    turn: Turn,
    protocol: ConversationProtocol,
    progress: Progress,
    *,
    sent: Sent | None = None,
    allow: Callable[[Packet], bool] = lambda packet: True,
) -> bool:
    """Take it over. Gives whether what waits in some chat may go now. A packet that `allow` refuses is not sent: a
    receipt that the user does not want to give (SR-18)."""
    may_go, steps = False, [progress]
    numbers: set[Number] = set()
    while steps:
        step = steps.pop(0)
        turn.staged.merge(step.writes)
        for packet in step.packets:
            if sent is not None and packet.message_id == sent.packet:
                outbox.add(
                    core, turn, packet, order=sent.order, root=sent.root, pending=sent.pending, expires=sent.expires
                )
            elif allow(packet):
                outbox.add(core, turn, packet)
        for request in step.requests:
            requests.ask(core, turn, protocol.name, request)
        if step.wake_at is not None:
            next_due(turn, protocol.name, step.wake_at)
        for notice in step.notices:
            noticed = noticing.notice(core, turn, protocol, notice)
            may_go = may_go or noticed.may_go
            steps.extend(noticed.steps)
            if noticed.keys_of is not None:
                numbers.add(noticed.keys_of)
    if numbers:
        members.keys_changed(core, turn, protocol, numbers)
    return may_go


def next_due(turn: Turn, name: str, at: Instant, *, anew: bool = False) -> None:
    """The protocol wants its timer called at `at`, or earlier if it has said so before; `anew`: it was just called."""
    upkeep = turn.staged.get(UPKEEP) or Upkeep()
    known = dict(upkeep.protocols).get(name)
    if known is not None and not anew:
        at = min(at, known)
    turn.wake(at)
    if at != known:
        others = tuple(item for item in upkeep.protocols if item[0] != name)
        turn.staged.put(UPKEEP, replace(upkeep, protocols=(*others, (name, at))))
