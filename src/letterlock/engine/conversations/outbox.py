"""Packets on their way: the same bytes until the network took them, or until every member's signed receipt has come.

The network's word ends the retries of what is no letter, and only slows those of a letter (SR-05). A row is written in
the step that made its bytes, and only then transmitted (SR-06).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ...carriage import NetworkResult, Outbound
from ...conversation_seam import Packet, PacketHeader, UntilWhen
from ...ids import GroupId, Instant, MessageId, Number, group_of
from ...seam import Key
from .. import outbox
from ..chats import conversation
from ..core import Core
from ..effects import Transmit
from ..events import MessageAccepted, MessageExpired, MessageFailed
from ..record_values import Status
from ..records import delivery_key
from ..step import Turn
from .file_records import key_letter_key
from .records import PACKET, packet_key
from .values import PacketRow, chat_of

__all__ = [
    "PREFIX",
    "add",
    "confirmed",
    "drop",
    "on_network",
    "outbound_of",
    "put_off_no_longer",
    "resend_all",
    "retry_due",
    "row_named",
]

PREFIX = ":"
"""Begins the name of a packet's row in `Transmit`; no message id holds it, so no other row has such a name."""

_PREFIXES = {"http://www.gsma.com/rcs/mls": "mls", "urn:ietf:params:imdn": "imdn"}
_MOST_SINGLE = 8
"""Members that a letter is sent to one by one when it is sent again; for more it goes to all once more."""


def add(
    core: Core,
    turn: Turn,
    packet: Packet,
    *,
    order: str = "",
    root: MessageId | None = None,
    pending: Iterable[Number] = (),
    expires: Instant | None = None,
) -> None:
    """Put a packet on its way; a letter's with the place of its message and the members whose receipts it waits for."""
    chat = chat_of(packet.conversation)
    if chat is None:
        return
    if packet.until is UntilWhen.ONCE:
        turn.effects.append(Transmit("", outbound_of(core.me.number, packet, packet.to)))
        return
    key = packet_key(packet.message_id, packet.to)
    known = turn.staged.get(key)
    if known is not None and known.packet == packet and known.order and not order:
        # The protocol says a letter once more. Its row stays: it knows the message, and who has not answered.
        _transmit(core, turn, key, known)
        return
    lives = core.limits.expiry_ms
    row = PacketRow(
        packet=packet,
        order=order,
        root=root or packet.message_id,
        pending=tuple(pending),
        created=turn.now,
        expires=expires if expires is not None else turn.now + lives,
        attempts=1,
        next_at=turn.now + core.limits.retry_first_ms,
    )
    turn.staged.put(key, row)
    turn.effects.append(Transmit(_name(key), outbound_of(core.me.number, packet, packet.to)))
    turn.wake(row.next_at)


def row_named(turn: Turn, name: str) -> tuple[Key[PacketRow], PacketRow] | None:
    """The row that a `Transmit` was for, if it is still there."""
    key: Key[PacketRow] = Key(PACKET, "packet/" + name.removeprefix(PREFIX))
    row = turn.staged.get(key)
    return None if row is None else (key, row)


def on_network(core: Core, turn: Turn, name: str, result: NetworkResult) -> tuple[Packet, bool] | None:
    """The network's answer; what the protocol is to hear of it: a packet, and whether it was taken. None for nothing new."""
    found = row_named(turn, name)
    if found is None:
        return None
    key, row = found
    if result.accepted:
        if row.accepted:
            return None
        if row.packet.until is UntilWhen.NETWORK or (row.order and not row.pending):
            turn.staged.delete(key)
        else:
            at = turn.now + core.limits.retry_accepted_ms
            turn.staged.put(key, replace(row, accepted=True, attempts=1, next_at=at))
            turn.wake(at)
        chat = chat_of(row.packet.conversation)
        delivery = turn.staged.get(delivery_key(row.root)) if row.order else None
        if chat is not None and delivery is not None and outbox.raise_status(turn, delivery, Status.ACCEPTED):
            turn.tell(MessageAccepted(chat, row.root))
        return row.packet, True
    if result.status in outbox.PERMANENT:
        turn.staged.delete(key)
        fail(turn, row, "network", result.status)
        return row.packet, False
    if result.retry_after_ms is not None:
        wish = min(max(result.retry_after_ms, 0), outbox.LONGEST_WISH_MS)
        turn.staged.put(key, replace(row, next_at=max(row.next_at, turn.now + wish)))
    return None


def confirmed(turn: Turn, message_id: MessageId, member: Number) -> PacketRow | None:
    """A member's signed receipt has come: stop for it. Gives the row of the letter, if it is still there."""
    found = None
    for key in (packet_key(message_id, None), packet_key(message_id, member)):
        row = turn.staged.get(key)
        if row is None or not row.order:
            continue
        found = row
        pending = tuple(other for other in row.pending if other != member)
        if pending:
            turn.staged.put(key, replace(row, pending=pending))
        else:
            turn.staged.delete(key)
    return found


def drop(turn: Turn, message_id: str) -> PacketRow | None:
    """Send this packet no more. Gives its row, if there was one."""
    found = None
    for key in list(turn.staged.scan(PACKET, f"{message_id}/")):
        found = turn.staged.get(key) or found
        turn.staged.delete(key)
    return found


def retry_due(core: Core, turn: Turn) -> list[Packet]:
    """Send again what is due; what has expired before the network ever took it, for the protocol to hear."""
    lost = []
    for key in list(turn.staged.scan(PACKET)):
        row = turn.staged.get(key)
        if row is None:
            continue
        if row.expires <= turn.now:
            turn.staged.delete(key)
            _expired(turn, row)
            if not row.accepted:
                lost.append(row.packet)
            continue
        if row.next_at <= turn.now:
            row = replace(row, attempts=row.attempts + 1, next_at=turn.now + _pause(core, row))
            turn.staged.put(key, row)
            _transmit(core, turn, key, row)
        turn.wake(min(row.next_at, row.expires))
    return lost


def put_off_no_longer(core: Core, turn: Turn) -> None:
    """The clock was set back: nothing is sent later than its pause from now."""
    for key in turn.staged.scan(PACKET):
        row = turn.staged.get(key)
        if row is not None and row.next_at > turn.now + _pause(core, row):
            turn.staged.put(key, replace(row, next_at=turn.now + _pause(core, row)))


def resend_all(core: Core, turn: Turn) -> None:
    """After a restart nobody knows what left: everything pending goes out again, in the order in which it was made."""
    rows = [(row.created, key.name, key, row) for key in turn.staged.scan(PACKET) if (row := turn.staged.get(key))]
    for _, _, key, row in sorted(rows, key=lambda each: each[:2]):
        if row.expires > turn.now:
            turn.staged.put(key, replace(row, next_at=turn.now + core.limits.retry_first_ms))
            _transmit(core, turn, key, row)
            turn.wake(turn.now + core.limits.retry_first_ms)


def fail(turn: Turn, row: PacketRow, reason: str, status: int = 0) -> None:
    """A letter will not arrive; a packet that is none concerns no message."""
    chat = chat_of(row.packet.conversation)
    key = turn.staged.get(key_letter_key(row.root))  # a file without its key is no use to anybody
    root = row.root if key is None else key.root
    delivery = turn.staged.get(delivery_key(root)) if row.order else None
    if chat is not None and delivery is not None and outbox.raise_status(turn, delivery, Status.FAILED):
        turn.tell(MessageFailed(chat, root, reason, status))


# --- inside ----------------------------------------------------------------------------------------------------
def _expired(turn: Turn, row: PacketRow) -> None:
    chat = chat_of(row.packet.conversation)
    delivery = turn.staged.get(delivery_key(row.root)) if row.order else None
    if chat is None or delivery is None:
        return
    if group_of(chat) is None:
        if outbox.raise_status(turn, delivery, Status.EXPIRED):
            turn.tell(MessageExpired(chat, row.root))
        return
    if not delivery.delivered:
        outbox.raise_status(turn, delivery, Status.EXPIRED)
    for member in row.pending:
        turn.tell(MessageExpired(chat, row.root, member))


def _pause(core: Core, row: PacketRow) -> Instant:
    limits = core.limits
    first, longest = (
        (limits.retry_accepted_ms, limits.retry_accepted_longest_ms)
        if row.accepted
        else (limits.retry_first_ms, limits.retry_longest_ms)
    )
    return min(longest, first << min(row.attempts, 30))


def _name(key: Key[PacketRow]) -> str:
    return PREFIX + key.name.removeprefix("packet/")


def _transmit(core: Core, turn: Turn, key: Key[PacketRow], row: PacketRow) -> None:
    """Once more. What the conference took goes to those alone who have not confirmed: the others have it."""
    packet = row.packet
    to_all = packet.conversation.group is not None and packet.to is None
    if to_all and row.accepted and 0 < len(row.pending) <= _MOST_SINGLE:
        # What the network says of these is of no interest: the row has had its answer.
        turn.effects.extend(Transmit("", outbound_of(core.me.number, packet, member)) for member in row.pending)
    else:
        turn.effects.append(Transmit(_name(key), outbound_of(core.me.number, packet, packet.to)))


def outbound_of(me: Number, packet: Packet, to: Number | None) -> Outbound:
    """A packet for the transport: to whom it says, or to the one member `to`."""
    group, peer = packet.conversation.group, packet.conversation.peer
    chat = chat_of(packet.conversation)
    assert chat is not None, "a packet without a conversation is not added"
    return Outbound(
        to=to if group is not None else (to or peer),
        message_id=packet.message_id,
        conversation=conversation(me, chat),
        content_type=packet.content_type,
        body=packet.body,
        large=packet.large or len(packet.body) > outbox.LARGE,
        group=None if group is None else GroupId(group),
        headers=_headers(packet.headers),
        packet=True,
        dispositions=packet.dispositions,
    )


def _headers(headers: tuple[PacketHeader, ...]) -> tuple[tuple[str, str], ...]:
    """Each declaration right before the first header that needs it, as deployed peers write them (rcc16.md 3.1)."""
    out: list[tuple[str, str]] = []
    prefixes = {"urn:ietf:params:imdn": "imdn"}  # declared where the message id stands
    for header in headers:
        prefix = prefixes.get(header.namespace)
        if prefix is None:
            prefix = prefixes[header.namespace] = _PREFIXES.get(header.namespace, f"n{len(prefixes)}")
            out.append(("NS", f"{prefix} <{header.namespace}>"))
        out.append((f"{prefix}.{header.name}", header.value))
    return tuple(out)
