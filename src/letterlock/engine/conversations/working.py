"""The regular work of protocols that keep the members themselves: timers, packets and requests that are due again."""

from __future__ import annotations

from ...carriage import NetworkResult
from ...conversation_seam import ConversationProtocol, Packet, Progress
from ..core import Core
from ..record_values import Upkeep
from ..records import UPKEEP
from ..step import Turn
from . import groups, outbox, progress, requests, sending
from .values import chat_of

__all__ = ["network", "put_off_no_longer", "retry_due", "start", "timers", "trusted"]

_DAY_MS = 86_400_000


def start(core: Core, turn: Turn) -> None:
    """The process has (re)started: everything pending goes out again, and is asked for again."""
    if core.keeping:
        outbox.resend_all(core, turn)
        requests.ask_all(core, turn)
        groups.make_all(turn)


def retry_due(core: Core, turn: Turn) -> None:
    """Packets and requests whose time has come."""
    if core.keeping:
        for packet in outbox.retry_due(core, turn):
            _hear(core, turn, packet, False)
        requests.due(core, turn)
        sending.expire(core, turn)


def put_off_no_longer(core: Core, turn: Turn) -> None:
    """The clock was set back."""
    outbox.put_off_no_longer(core, turn)
    requests.put_off_no_longer(core, turn)


def timers(core: Core, turn: Turn) -> None:
    """Whatever a protocol has due."""
    for name, protocol in core.keeping.items():
        upkeep = turn.staged.get(UPKEEP) or Upkeep()
        due = dict(upkeep.protocols).get(name, 0)
        if due > turn.now:
            turn.wake(due)
            continue
        step = protocol.on_timer(turn.staged, turn.now, turn.rng)
        progress.next_due(turn, name, turn.now + _DAY_MS, anew=True)
        if progress.take(core, turn, protocol, step):
            sending.flush_all(core, turn)


def network(core: Core, turn: Turn, row: str, result: NetworkResult) -> None:
    """The network's answer for a packet."""
    heard = outbox.on_network(core, turn, row, result)
    if heard is not None:
        _hear(core, turn, *heard)


def trusted(core: Core, turn: Turn, steps: list[tuple[ConversationProtocol, Progress]]) -> None:
    """The user has decided about keys: what each protocol makes of it."""
    for protocol, step in steps:
        progress.take(core, turn, protocol, step)
    if steps:
        sending.flush_all(core, turn)


def _hear(core: Core, turn: Turn, packet: Packet, accepted: bool) -> None:
    name = chat_of(packet.conversation)
    if name is None:
        return
    for protocol in core.keeping.values():
        step = protocol.network(turn.staged, packet.conversation, packet.message_id, accepted, turn.now, turn.rng)
        if progress.take(core, turn, protocol, step):
            sending.flush_all(core, turn)
