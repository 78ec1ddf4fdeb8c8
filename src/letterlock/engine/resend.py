"""Asking for what we could not read, and answering those who ask us: authenticated, visible and bounded (SR-07).

A request comes in a session of its own making, so that it can be read when the old session cannot. It
retires the session that could not be read; the message is encrypted again in a new one, under its old id.
"""

from __future__ import annotations

from dataclasses import replace

from ..ids import ChatName, DeviceId, MessageId, group_of
from ..seam import DeviceProtocol, Party
from . import outbox, queue, trouble, waiting
from .core import Core
from .events import ResendRequested
from .record_values import Contact, Delivery, Row, Task, Waiting
from .records import delivery_key, order_parts, outbox_key
from .shelf import lookup
from .step import Turn

__all__ = ["answer", "ask"]


def ask(
    core: Core, turn: Turn, protocol: DeviceProtocol, contact: Contact, device: DeviceId, message_id: MessageId
) -> bool:
    """Ask a listed device to encrypt a message again; False when that was asked too often."""
    number = contact.list.number
    if not trouble.allow_request(core, turn, number):
        return False
    if trouble.allow_reset(core, turn, number):
        turn.staged.merge(protocol.on_rejected(turn.staged, Party(number, contact.account, device), turn.now))
    expires = turn.now + core.limits.control_expiry_ms
    queue.wait_for(turn, number, Waiting(Task.REQUEST, message_id, "", contact.account, device, turn.now, expires))
    waiting.flush(core, turn, number)
    turn.wake(expires)
    turn.tell(ResendRequested(number, message_id, device))
    return True


def answer(
    core: Core,
    turn: Turn,
    protocol: DeviceProtocol,
    number: ChatName,
    sender: Party,
    message_id: MessageId,
    *,
    new_session: bool,
) -> None:
    """A device that authenticated itself could not read a message of ours.

    `new_session`: the request has begun a session. That one serves: another would cost a one-time key more, and
    a directory that gives none, or a spent one, could keep us from answering (SR-13).
    """
    if not trouble.allow_resend(core, turn, sender.number):
        return
    first_in_a_while = not new_session and trouble.allow_reset(core, turn, sender.number)
    if first_in_a_while:
        turn.staged.merge(protocol.on_rejected(turn.staged, sender, turn.now))
    row = turn.staged.get(outbox_key(message_id, sender.account)) or turn.staged.get(
        outbox_key(message_id, sender.account, sender.device)
    )
    delivery = turn.staged.get(delivery_key(message_id))
    chat, order = _message_for(core, sender, row, delivery)
    # A copy that was made for an account of a group may be asked for in any conversation with it: which one it was
    # for cannot be told from what cannot be read.
    if not order or (sender.account != core.me.account and chat != number and group_of(chat) is None):
        return
    message = lookup(turn, chat, order)
    if message is None or not message.mine or not message.encrypted or order_parts(order)[2] != core.me.device:
        # Of another device of ours we may have kept less than it sent; and under its place nobody would take ours.
        return
    delivery = delivery or Delivery(chat, order, at=turn.now)
    counts = {(account, device): n for account, device, n in delivery.resends}
    done = counts.get((sender.account, sender.device), 0)
    if done >= core.limits.resends_per_message:
        return
    if done and not first_in_a_while and not new_session:
        # The new session could not be read either.
        turn.staged.merge(protocol.on_rejected(turn.staged, sender, turn.now))
    counts[(sender.account, sender.device)] = done + 1
    resends = tuple((account, device, n) for (account, device), n in counts.items())
    turn.staged.put(delivery_key(message_id), replace(delivery, resends=resends))
    outbox.settle_device(turn, message_id, sender.account, sender.device)
    expires = message.at + core.limits.expiry_ms
    queue.wait_for(
        turn, chat, Waiting(Task.RESEND, message_id, order, sender.account, sender.device, turn.now, expires)
    )
    waiting.flush(core, turn, chat)


def _message_for(core: Core, sender: Party, row: Row | None, delivery: Delivery | None) -> tuple[ChatName, str]:
    """Chat and place of the message, if it was ever encrypted for this account."""
    if row is not None and not row.control:
        return row.chat, row.order
    if delivery is not None and (
        sender.account == core.me.account or any(account == sender.account for account, _ in delivery.delivered)
    ):
        return delivery.chat, delivery.order
    return sender.number, ""
