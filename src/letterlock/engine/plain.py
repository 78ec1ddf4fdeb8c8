"""Messages without encryption: sent by the user's decision alone (SR-01), received always and marked.

Everything here is the network's word: it never touches what an encrypted message is known to be.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

from .. import ids
from ..codec import imdn
from ..codec.xml import XmlLimits
from ..errors import DecodeError
from ..ids import MessageId, Number
from . import chats, outbox, trouble
from .carriage import Inbound, NetworkResult
from .core import NOBODY, Core
from .events import MessageDelivered, MessageDisplayed, MessageReceived, MessageSent
from .record_values import Chat, InboxEntry, Message, Row, Status
from .records import delivery_key, inbox_key, message_key, order_of, outbox_key
from .step import Turn

__all__ = ["received", "received_receipt", "send", "transmit"]

_XML = XmlLimits(max_size=4_096, max_depth=8, max_elements=64)


def send(core: Core, turn: Turn, chat: Chat, text: str) -> MessageId:
    """Store and transmit a text unencrypted. The caller has the user's decision (SR-01)."""
    message_id = ids.new_message_id(turn.rng)
    chat = replace(chat, accepted=True, lamport=chat.lamport + 1)
    message = Message(
        order=order_of(chat.lamport, core.me.account, core.me.device, 0),
        message_id=message_id,
        sender=core.me.number,
        mine=True,
        encrypted=False,
        status=Status.SENDING,
        sent_at=turn.now,
        at=turn.now,
        content_type=outbox.PLAIN_TYPE,
        text=text,
    )
    chats.save(core, turn, chat)
    transmit(core, turn, chat.number, message)
    turn.tell(MessageSent(chat.number, message_id, core.me.device, message.order, text, message.content_type, False))
    return message_id


def transmit(core: Core, turn: Turn, number: Number, message: Message) -> None:
    """Put a plain message of ours on its way."""
    turn.staged.put(message_key(number, message.order), message)
    row = Row(
        chat=number,
        to=number,
        account=NOBODY,
        message_id=message.message_id,
        order=message.order,
        content_type=outbox.PLAIN_TYPE,
        body=(message.text or "").encode(),
        pending=(),
        created=turn.now,
        expires=turn.now + core.limits.expiry_ms,
        attempts=1,
        next_at=turn.now + core.limits.retry_first_ms,
        accepted=False,
    )
    outbox.add(core, turn, row)


def received(core: Core, turn: Turn, number: Number, inbound: Inbound, media_type: str) -> None:
    """Show an unencrypted message as such, whatever the chat is: receiving never blocks."""
    key = inbox_key(number, inbound.message_id, NOBODY, 0)
    if turn.staged.get(key) is not None:
        return
    digest = hashlib.sha256(inbound.body).digest()[:16]
    text: str | None = None
    if media_type == outbox.PLAIN_TYPE:
        if len(inbound.body) > core.limits.max_text:
            trouble.unreadable(core, turn, number, inbound.message_id, 0, "too_large", digest=digest)
            return
        text = inbound.body.decode("utf-8", "replace")
    chat = chats.load(turn, number)
    chat = replace(chat, lamport=chat.lamport + 1)
    message = Message(
        order=order_of(chat.lamport, NOBODY, 0, 0),
        message_id=inbound.message_id,
        sender=number,
        mine=False,
        encrypted=False,
        status=Status.RECEIVED,
        sent_at=0,
        at=turn.now,
        content_type=media_type,
        text=text,
    )
    turn.staged.put(message_key(number, message.order), message)
    turn.staged.put(key, InboxEntry(digest, message.order, turn.now, 0))
    chats.save(core, turn, chat)
    turn.tell(MessageReceived(number, message.message_id, 0, message.order, text, media_type, False, 0))


def received_receipt(core: Core, turn: Turn, number: Number, inbound: Inbound) -> None:
    """A receipt outside the encryption: of interest for plain messages alone; anybody on the way can forge it (SR-05)."""
    try:
        receipt = imdn.decode_imdn(inbound.body, _XML)
    except DecodeError:
        return
    row = turn.staged.get(outbox_key(receipt.message_id, NOBODY))
    source = row or turn.staged.get(delivery_key(receipt.message_id))
    if source is None or source.chat != number or not source.order:
        return
    message = turn.staged.get(message_key(number, source.order))
    if message is None or message.encrypted or not message.mine:
        return
    message_id = message.message_id
    if receipt.status is imdn.Status.DELIVERED and outbox.raise_status(turn, source, Status.DELIVERED):
        turn.tell(MessageDelivered(number, message_id, 0, authenticated=False))
    elif receipt.status is imdn.Status.DISPLAYED and outbox.raise_status(turn, source, Status.DISPLAYED):
        turn.tell(MessageDisplayed(number, message_id, 0, authenticated=False))
    if row is not None:
        outbox.on_network(core, turn, f"{message_id}/{NOBODY.hex()}", NetworkResult(accepted=True))
