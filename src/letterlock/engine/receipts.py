"""Receipts inside the encryption, authenticated by the device that sends them (SR-05, SR-18).

A delivery receipt ends the retries to its device. No receipt is ever sent for a receipt. A lost one is
called forth again by the repeat of its message.
"""

from __future__ import annotations

from dataclasses import replace

from .. import ids
from ..ids import ChatName, DeviceId, GroupName, Instant, MessageId, group_of
from ..seam import DeviceProtocol, Party
from . import chats, fetching, outbox, owed, policy, sealing
from .content import MOST_RECEIPTS, Receipt, encode_receipt, encode_receipts
from .core import Core, media_type_of
from .events import MessageDelivered, MessageDisplayed
from .groups.values import group_key
from .record_values import Chat, Contact, Delivery, Row, Status, Task, Waiting
from .records import delivery_key, outbox_key, waiting_key
from .sealing import Letter, NotReady
from .step import Turn

__all__ = ["delivered_here", "displayed_here", "received", "send_all_owed", "send_control", "send_owed"]


def delivered_here(
    core: Core, turn: Turn, chat: Chat, contact: Contact, sender: Party, message_id: MessageId, sent_at: Instant
) -> None:
    """See to it that the sender hears that the message is stored here, once it is."""
    if sender.account == core.me.account:
        owed.owe(turn, core.me.number, sender, message_id, sent_at)
    elif core.privacy.delivery_receipts and (chat.accepted or core.privacy.receipts_to_strangers):
        owed.owe(turn, chat.number, sender, message_id, sent_at)


def send_owed(core: Core, turn: Turn, name: str) -> None:
    """See Engine.send_receipts. To all devices of a contact; of our own devices only to the one that sent it."""
    due = owed.take(turn, name)
    if due is None:
        return
    sender = due.device
    contact = chats.contact_of(turn, sender.number)
    if contact is None or contact.account != sender.account:
        return  # it has other keys by now, and what was sent with the old ones is given up there too
    own = sender.account == core.me.account
    span = 0 if own else core.privacy.receipt_jitter_ms
    for at in range(0, len(due.messages), MOST_RECEIPTS):
        some = due.messages[at : at + MOST_RECEIPTS]
        # Timing of receipts tells when a phone is on; a random delay blurs it (SR-18).
        delay = int.from_bytes(turn.rng(4), "big") % (span + 1) if span else 0
        only = (sender.device,) if own else None
        reached = send_control(core, turn, due.conversation, contact, encode_receipts(some), only=only, delay_ms=delay)
        if sender.device not in reached:
            for message_id, _ in some:
                _wait_for_keys(core, turn, contact, sender, message_id)


def send_all_owed(core: Core, turn: Turn) -> None:
    """What a process that ended did not come to."""
    for key in list(turn.staged.scan(owed.OWED)):
        send_owed(core, turn, key.name.partition("/")[2])


def _wait_for_keys(core: Core, turn: Turn, contact: Contact, sender: Party, message_id: MessageId) -> None:
    """The session with the sending device is gone, and it waits for our word: begin a new one for it."""
    protocol = policy.encrypting(core, contact, turn.now)
    devices = tuple(device for device in contact.recipient.devices if device.id == sender.device)
    if protocol is None or not devices:
        return
    expires = turn.now + core.limits.control_expiry_ms
    waiting = Waiting(Task.RECEIPT, message_id, "", sender.account, sender.device, turn.now, expires)
    turn.staged.put(waiting_key(contact.list.number, waiting), waiting)
    turn.wake(expires)
    for need in protocol.needs(turn.staged, (replace(contact.recipient, devices=devices),), turn.now):
        fetching.material(core, turn, need)


def displayed_here(
    core: Core, turn: Turn, chat: Chat, contact: Contact, message_id: MessageId, sent_at: Instant
) -> None:
    """Tell the peer that the user has seen the message."""
    if core.privacy.display_receipts and (chat.accepted or core.privacy.receipts_to_strangers):
        send_control(core, turn, chat.number, contact, encode_receipt(message_id, sent_at, displayed=True))


def send_control(
    core: Core,
    turn: Turn,
    conversation_with: ChatName,
    contact: Contact,
    body: bytes,
    *,
    only: tuple[DeviceId, ...] | None = None,
    delay_ms: int = 0,
) -> tuple[DeviceId, ...]:
    """Encrypt something that takes no place in the order, for the devices that we have a session with; these."""
    protocol = policy.encrypting(core, contact, turn.now)
    own = chats.contact_of(turn, core.me.number)
    if protocol is None or own is None:
        return ()
    recipient = sealing.settled_devices(core, turn, protocol, contact.recipient, only)
    if recipient is None:
        return ()
    message_id = ids.new_message_id(turn.rng)
    letter = Letter(message_id, 0, 0, (), body, conversation_with)
    try:
        frame, devices, _ = sealing.seal(core, turn, protocol, letter, recipient, own)
    except NotReady:
        return ()
    row = control_row(core, turn, protocol, conversation_with, contact, message_id, frame, devices)
    outbox.add(core, turn, row, delay_ms=delay_ms)
    return devices


def control_row(
    core: Core,
    turn: Turn,
    protocol: DeviceProtocol,
    chat: ChatName,
    contact: Contact,
    message_id: MessageId,
    frame: bytes,
    devices: tuple[DeviceId, ...],
) -> Row:
    """A row that is done as soon as the network took it."""
    return Row(
        chat=chat,
        to=contact.list.number,
        account=contact.account,
        message_id=message_id,
        order="",
        content_type=media_type_of(protocol),
        body=frame,
        pending=devices,
        created=turn.now,
        expires=turn.now + core.limits.control_expiry_ms,
        attempts=1,
        next_at=turn.now + core.limits.retry_first_ms,
        accepted=False,
    )


def received(core: Core, turn: Turn, chat: ChatName, sender: Party, receipt: Receipt) -> None:
    """A device that authenticated itself confirms a message of ours."""
    message_id = receipt.message_id
    if receipt.failed:
        return
    row = turn.staged.get(outbox_key(message_id, sender.account)) or turn.staged.get(
        outbox_key(message_id, sender.account, sender.device)
    )
    if row is not None and row.control:
        return
    if sender.account == core.me.account:
        outbox.settle_device(turn, message_id, sender.account, sender.device)
        return
    delivery = turn.staged.get(delivery_key(message_id))
    if row is None and delivery is None:
        if not _siblings(core, turn):
            return
        # Another device of ours sent it and its copy has not come yet.
        delivery = Delivery(chat, "", at=turn.now)
    if row is not None and delivery is None:
        delivery = Delivery(row.chat, row.order, at=turn.now)
    if delivery is None or not _may_confirm(turn, chat, sender, row, delivery):
        return
    outbox.settle_device(turn, message_id, sender.account, sender.device)
    address, most = (sender.account, sender.device), _MAX_ADDRESSES + delivery.members * _DEVICES_OF_MEMBER
    fresh = replace(
        delivery,
        delivered=_with(delivery.delivered, address, most),
        displayed=_with(delivery.displayed, address, most) if receipt.displayed else delivery.displayed,
    )
    if fresh == delivery:
        return
    turn.staged.put(delivery_key(message_id), fresh)
    for status, confirmed in ((Status.DELIVERED, fresh.delivered), (Status.DISPLAYED, fresh.displayed)):
        if confirmed and len({account for account, _ in confirmed}) >= fresh.members:
            outbox.raise_status(turn, fresh, status)
    if outbox.is_silent(turn, fresh):
        return
    member = "" if group_of(fresh.chat) is None else sender.number
    if fresh.delivered != delivery.delivered:
        turn.tell(MessageDelivered(fresh.chat, message_id, sender.device, member=member))
    if fresh.displayed != delivery.displayed:
        turn.tell(MessageDisplayed(fresh.chat, message_id, sender.device, member=member))


def _may_confirm(turn: Turn, chat: ChatName, sender: Party, row: Row | None, delivery: Delivery) -> bool:
    """A contact confirms messages of its own chat alone; in a group, whoever a copy was made for."""
    if group_of(delivery.chat) is None:
        return delivery.chat == chat and (row is None or row.chat == chat)
    if row is not None:
        return row.chat == delivery.chat
    group = turn.staged.get(group_key(GroupName(delivery.chat)))
    return group is not None and group.member(sender.account) is not None


def _siblings(core: Core, turn: Turn) -> bool:
    own = chats.contact_of(turn, core.me.number)
    return own is not None and len(own.recipient.devices) > 1


_MAX_ADDRESSES = 64
_DEVICES_OF_MEMBER = 4


def _with(
    known: tuple[tuple[ids.AccountId, DeviceId], ...], address: tuple[ids.AccountId, DeviceId], most: int
) -> tuple[tuple[ids.AccountId, DeviceId], ...]:
    return known if address in known or len(known) >= most else (*known, address)
