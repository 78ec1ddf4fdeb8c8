"""From a message to rows in the outbox: copies for the peer and for our own other devices, now or again later."""

from __future__ import annotations

from dataclasses import replace

from .. import ids
from ..ids import ChatName, DeviceId, MessageId, Number, group_of
from ..seam import DeviceProtocol, Recipient, Seen
from . import fetching, ordering, outbox, policy, receipts, sealing
from .content import (
    Parts,
    Reference,
    Text,
    encode,
    encode_receipt,
    encode_resend_request,
    encode_text,
    express,
    parts_of,
    with_chat,
)
from .core import Core, media_type_of
from .events import MessageResent
from .record_values import Chat, Contact, Message, Row, Task, Waiting
from .records import order_parts, waiting_key
from .sealing import Letter, NotReady
from .step import Turn

__all__ = [
    "entity_of",
    "later",
    "parts",
    "row_of",
    "seal_again",
    "seal_content",
    "seal_control",
    "seal_for_own",
]


def parts(message: Message) -> Parts:
    """A message of ours as it is written."""
    if message.entity:
        return parts_of(message.entity)
    return express(_text(message), message.message_id, message.sender, message.sent_at)


def _text(message: Message) -> Text:
    author = Number(message.reply_author) if message.reply_author else None
    reply = Reference(MessageId(message.reply_to), author) if message.reply_to else None
    return Text(message.text or "", reply)


def entity_of(message: Message, to: ChatName | None = None) -> bytes:
    """What is encrypted; `to` in copies for our own other devices."""
    if not message.entity and not message.reply_to:
        return encode_text(message.text or "", message.sent_at, to)
    entity = message.entity or encode(parts(message), message.sent_at)
    return with_chat(entity, to) if to is not None else entity


def seal_content(
    core: Core,
    turn: Turn,
    chat: Chat,
    message: Message,
    contact: Contact,
    own: Contact,
    protocol: DeviceProtocol,
) -> Chat:
    """Rows for the peer and for our own other devices. Raises NotReady while the peer's key material is missing."""
    lamport, _, _, sequence = order_parts(message.order)
    others = tuple(device for device in own.recipient.devices if device.id != core.me.device)
    audience = b"".join(
        (
            contact.account,
            bytes(device.id for device in contact.recipient.devices),
            b"\x00",
            bytes(device.id for device in others),
        )
    )
    if audience != chat.audience:
        # Newcomers must not wait for what was never sent to them (ordering.py).
        chat = replace(chat, audience=audience, base=sequence - 1)
    body = entity_of(message)
    seen = ordering.seen_of(core, chat)
    letter = Letter(message.message_id, lamport, sequence, seen, body, chat.number)
    frame, devices, skipped = sealing.seal(
        core, turn, protocol, letter, contact.recipient, own, may_skip=len(contact.recipient.devices) > 1
    )
    outbox.add(core, turn, row_of(core, turn, chat.number, contact.recipient, message, protocol, frame, devices))
    for device in skipped:
        later(core, turn, chat.number, message, contact, device)
    if others:
        copy = replace(letter, body=entity_of(message, chat.number))
        seal_for_own(core, turn, chat.number, message, copy, own)
    return chat


def seal_again(
    core: Core,
    turn: Turn,
    chat: ChatName,
    message: Message,
    body: bytes,
    base: int,
    recipient: Recipient,
    own: Contact,
    protocol: DeviceProtocol,
) -> None:
    """The same logical message in a new frame: same id and place, never the same key (SR-06). `base` is our sequence
    when this audience began."""
    lamport, _, _, sequence = order_parts(message.order)
    # Nothing but the audience: what we have seen since is no cause of it.
    seen = (Seen(core.me.account, core.me.device, base),) if 0 < base < sequence else ()
    letter = Letter(message.message_id, lamport, sequence, seen, body, chat)
    frame, devices, _ = sealing.seal(core, turn, protocol, letter, recipient, own)
    row = row_of(core, turn, chat, recipient, message, protocol, frame, devices)
    outbox.settle_device(turn, message.message_id, recipient.account, devices[0])
    outbox.add(core, turn, row, devices[0])
    if recipient.account != core.me.account:
        member = "" if group_of(chat) is None else recipient.number
        turn.tell(MessageResent(chat, message.message_id, devices[0], member))


def seal_control(
    core: Core,
    turn: Turn,
    number: ChatName,
    waiting: Waiting,
    recipient: Recipient,
    side: Contact,
    own: Contact,
    protocol: DeviceProtocol,
) -> None:
    message_id = ids.new_message_id(turn.rng)
    if waiting.task is Task.RECEIPT:
        body = encode_receipt(waiting.message_id, waiting.created, displayed=False)
    else:
        body = encode_resend_request(waiting.message_id)
    letter = Letter(message_id, 0, 0, (), body, number)
    frame, devices, _ = sealing.seal(core, turn, protocol, letter, recipient, own)
    outbox.add(core, turn, receipts.control_row(core, turn, protocol, number, side, message_id, frame, devices))


def seal_for_own(core: Core, turn: Turn, number: ChatName, message: Message, letter: Letter, own: Contact) -> None:
    """Copies for our own other devices; one without key material gets its copy later and holds up nobody."""
    others = tuple(device for device in own.recipient.devices if device.id != core.me.device)
    protocol = policy.encrypting(core, own, turn.now)
    recipient = sealing.settled_devices(core, turn, protocol, own.recipient) if protocol is not None else None
    reached: tuple[DeviceId, ...] = ()
    if recipient is not None and protocol is not None:
        try:
            frame, reached, _ = sealing.seal(core, turn, protocol, letter, recipient, own)
        except NotReady:
            pass
        else:
            outbox.add(core, turn, row_of(core, turn, number, recipient, message, protocol, frame, reached))
    missing = [device.id for device in others if device.id not in reached]
    for device in missing:
        later(core, turn, number, message, own, device)
    if missing and protocol is not None:
        lacking = tuple(device for device in others if device.id in missing)
        for need in protocol.needs(turn.staged, (replace(own.recipient, devices=lacking),), turn.now):
            fetching.material(core, turn, need)


def later(core: Core, turn: Turn, number: ChatName, message: Message, side: Contact, device: DeviceId) -> None:
    """Have the copy for one device made when its keys are there."""
    expires = message.at + core.limits.expiry_ms
    waiting = Waiting(Task.RESEND, message.message_id, message.order, side.account, device, turn.now, expires)
    turn.staged.put(waiting_key(number, waiting), waiting)


def row_of(
    core: Core,
    turn: Turn,
    number: ChatName,
    recipient: Recipient,
    message: Message,
    protocol: DeviceProtocol,
    frame: bytes,
    devices: tuple[DeviceId, ...],
) -> Row:
    """A row that waits for the word of each of these devices."""
    return Row(
        chat=number,
        to=recipient.number,
        account=recipient.account,
        message_id=message.message_id,
        order=message.order,
        content_type=media_type_of(protocol),
        body=frame,
        pending=devices,
        created=turn.now,
        expires=message.at + core.limits.expiry_ms,
        attempts=1,
        next_at=turn.now + core.limits.retry_first_ms,
        accepted=False,
    )
