"""Frames on their way: sent again, byte for byte, until an authenticated receipt or their expiry.

The network's word only slows the retry: a carrier may acknowledge and drop (SR-05). Rows are written in
the same transaction as the ratchet that made their bytes, and only then transmitted (SR-06).
"""

from __future__ import annotations

from dataclasses import replace

from ..carriage import Medium, NetworkResult, Outbound
from ..ids import AccountId, DeviceId, GroupId, GroupName, Instant, MessageId, group_of
from ..seam import Key
from .chats import conversation
from .content import GROUP_TYPE
from .core import NOBODY, Core
from .effects import Transmit
from .events import MessageAccepted, MessageExpired, MessageFailed
from .groups.values import group_key
from .record_values import Delivery, Row, Status
from .records import OUTBOX, delivery_key, outbox_key
from .shelf import lookup, put
from .step import Turn

__all__ = [
    "LARGE",
    "LONGEST_WISH_MS",
    "PERMANENT",
    "PLAIN_TYPE",
    "add",
    "expire",
    "give_up_account",
    "is_silent",
    "on_network",
    "put_off_no_longer",
    "raise_status",
    "resend_all",
    "retry_due",
    "settle_device",
]

PLAIN_TYPE = "text/plain"
LARGE = 1_300
"""RCC.07: bodies over 1,300 bytes go in large-message mode."""

PERMANENT = frozenset({400, 403, 406, 413, 414, 415, 416, 420, 484, 488, 493, 603, 604, 606})
"""Answers that the same bytes will get again. Not 404, 410 or 480: a registrar says that of a phone that is off."""

_PREFIX = len("outbox/")
LONGEST_WISH_MS = 3_600_000


def add(core: Core, turn: Turn, row: Row, device: DeviceId | None = None, delay_ms: int = 0) -> None:
    """Store a new row and transmit it, now or after a delay."""
    key = outbox_key(row.message_id, row.account, device or 0)
    if delay_ms:
        row = replace(row, attempts=0, next_at=turn.now + delay_ms)
    else:
        turn.effects.append(_transmit(core, turn, key, row))
    turn.staged.put(key, row)
    turn.wake(row.next_at)


def on_network(core: Core, turn: Turn, name: str, result: NetworkResult) -> None:
    """The network's answer for one row."""
    key: Key[Row] = Key(OUTBOX, "outbox/" + name)
    row = turn.staged.get(key)
    if row is None:
        return
    if result.accepted:
        _accepted(core, turn, key, row)
    elif result.final or (row.medium is Medium.RCS and result.status in PERMANENT):
        _refused(core, turn, key, row, result)
    elif result.retry_after_ms is not None:
        wish = min(max(result.retry_after_ms, 0), LONGEST_WISH_MS)
        turn.staged.put(key, replace(row, next_at=max(row.next_at, turn.now + wish)))


def retry_due(core: Core, turn: Turn) -> None:
    """Send again what is due, drop what has expired, and ask to be woken for the rest."""
    for key in turn.staged.scan(OUTBOX):
        row = turn.staged.get(key)
        if row is None:
            continue
        if row.expires <= turn.now:
            expire(core, turn, key, row)
            continue
        if row.next_at <= turn.now:
            row = replace(row, attempts=row.attempts + 1, next_at=turn.now + _pause(core, row))
            turn.staged.put(key, row)
            turn.effects.append(_transmit(core, turn, key, row))
        turn.wake(min(row.next_at, row.expires))


def put_off_no_longer(core: Core, turn: Turn) -> None:
    """The clock was set back: nothing is sent later than its pause from now."""
    for key in turn.staged.scan(OUTBOX):
        row = turn.staged.get(key)
        if row is None:
            continue
        latest = turn.now + _pause(core, row)
        if row.next_at > latest:
            row = replace(row, next_at=latest)
            turn.staged.put(key, row)
        turn.wake(row.next_at)


def resend_all(core: Core, turn: Turn) -> None:
    """After a restart nobody knows what left: everything pending goes out again."""
    for key in turn.staged.scan(OUTBOX):
        row = turn.staged.get(key)
        if row is not None and row.expires > turn.now:
            turn.staged.put(key, replace(row, next_at=turn.now + core.limits.retry_first_ms))
            turn.effects.append(_transmit(core, turn, key, row))
            turn.wake(turn.now + core.limits.retry_first_ms)


def settle_device(turn: Turn, message_id: MessageId, account: AccountId, device: DeviceId) -> Row | None:
    """This device confirmed the message, or gets a copy of its own: stop for it. Gives a row that it was in."""
    found = None
    for key in (outbox_key(message_id, account), outbox_key(message_id, account, device)):
        row = turn.staged.get(key)
        if row is None or row.control or device not in row.pending:
            found = found or (row if row is not None and not row.control else None)
            continue
        found = row
        pending = tuple(other for other in row.pending if other != device)
        if pending:
            turn.staged.put(key, replace(row, pending=pending))
        else:
            turn.staged.delete(key)
    return found


def expire(core: Core, turn: Turn, key: Key[Row], row: Row) -> None:
    """Stop trying. It is shown unless some device of the peer has confirmed, or it was for our own devices."""
    turn.staged.delete(key)
    if row.control or row.account == core.me.account:
        return
    delivery = turn.staged.get(delivery_key(row.message_id))
    if delivery is not None and any(account == row.account for account, _ in delivery.delivered):
        return
    _remember(turn, row)
    if _lost(turn, row, Status.EXPIRED):
        turn.tell(MessageExpired(row.chat, row.message_id, _member(row)))


def give_up_account(core: Core, turn: Turn, account: AccountId) -> None:
    """The peer has other keys now: what was encrypted for the old ones and not confirmed has failed, visibly."""
    for key in list(turn.staged.scan(OUTBOX)):
        row = turn.staged.get(key)
        if row is None or row.account != account:
            continue
        turn.staged.delete(key)
        if row.control:
            continue
        _remember(turn, row)
        if _lost(turn, row, Status.FAILED):
            turn.tell(MessageFailed(row.chat, row.message_id, "keys-changed", 0, _member(row)))


def is_silent(turn: Turn, row: Row | Delivery) -> bool:
    """Whether nobody but devices wants to know how far it has got: a change of a group's log."""
    message = lookup(turn, row.chat, row.order) if row.order else None
    return message is not None and message.content_type == GROUP_TYPE


def raise_status(turn: Turn, row: Row | Delivery, status: Status) -> bool:
    """Move a message of ours forward; False if it is there already or gone. A confirmation outranks any failure."""
    if not row.order:
        return False
    message = lookup(turn, row.chat, row.order)
    if message is None or not message.mine:
        return False
    now = message.status
    confirmed = (Status.DELIVERED, Status.DISPLAYED)
    if status in confirmed:
        allowed = now not in confirmed or status > now
    else:
        allowed = status > now and now not in confirmed
    if allowed and status is not now:
        put(turn, row.chat, replace(message, status=status))
        return True
    return False


def _lost(turn: Turn, row: Row, status: Status) -> bool:
    """One copy will not arrive; whether that is to be told. In a group the message has failed when no copy is left."""
    if group_of(row.chat) is None:
        return raise_status(turn, row, status)
    delivery = turn.staged.get(delivery_key(row.message_id))
    if not any(True for _ in turn.staged.scan(OUTBOX, f"{row.message_id}/")) and not (delivery and delivery.delivered):
        raise_status(turn, row, status)
    return not is_silent(turn, row)


def _member(row: Row) -> str:
    return "" if group_of(row.chat) is None else row.to


def _accepted(core: Core, turn: Turn, key: Key[Row], row: Row) -> None:
    if row.control:
        # A receipt that was swallowed is called forth again by the repeat of its message.
        turn.staged.delete(key)
        return
    if row.account == NOBODY:
        # Nothing authenticated will ever confirm a plain message.
        turn.staged.delete(key)
        _remember(turn, row)
    elif not row.accepted:
        slow = replace(row, accepted=True, attempts=1, next_at=turn.now + core.limits.retry_accepted_ms)
        turn.staged.put(key, slow)
        turn.wake(slow.next_at)
    if row.account != core.me.account and raise_status(turn, row, Status.ACCEPTED) and not is_silent(turn, row):
        turn.tell(MessageAccepted(row.chat, row.message_id))


def _refused(core: Core, turn: Turn, key: Key[Row], row: Row, result: NetworkResult) -> None:
    turn.staged.delete(key)
    if row.control or row.account == core.me.account:
        return
    _remember(turn, row)
    if _lost(turn, row, Status.FAILED):
        turn.tell(MessageFailed(row.chat, row.message_id, "network", result.status, _member(row)))


def _remember(turn: Turn, row: Row) -> None:
    """A late receipt must still find the message."""
    key = delivery_key(row.message_id)
    if row.order and turn.staged.get(key) is None:
        turn.staged.put(key, Delivery(row.chat, row.order, at=turn.now))


def _pause(core: Core, row: Row) -> Instant:
    limits = core.limits
    first, longest = (
        (limits.retry_accepted_ms, limits.retry_accepted_longest_ms)
        if row.accepted
        else (limits.retry_first_ms, limits.retry_longest_ms)
    )
    # The shift is bounded too: a row that lives for years must not make a number of a million digits.
    return min(longest, first << min(row.attempts, 30))


def _transmit(core: Core, turn: Turn, key: Key[Row], row: Row) -> Transmit:
    return Transmit(
        key.name[_PREFIX:],
        Outbound(
            to=row.to,
            message_id=row.message_id,
            conversation=conversation(core.me.number, row.chat),
            group=_conference(turn, row),
            content_type=row.content_type,
            body=row.body,
            large=len(row.body) > LARGE,
            receipts=row.account == NOBODY and not row.control,
            headers=row.headers,
            medium=row.medium,
        ),
    )


def _conference(turn: Turn, row: Row) -> GroupId | None:
    """The group whose conference may carry it: that of a member. What a focus keeps for somebody who is taken off the
    roster is lost with the place there, and the last thing that we have for a former member is that it is out."""
    name = row.chat
    group = turn.staged.get(group_key(GroupName(name))) if group_of(name) is not None else None
    if group is None or all(member.account != row.account for member in group.members):
        return None
    return group_of(name)
