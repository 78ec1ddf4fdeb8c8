"""Sending: from a text to rows in the outbox, now or when the keys are there.

A message gets its place in the chat when the user sends it, and its header when it is encrypted.
"""

from __future__ import annotations

from dataclasses import replace

from .. import ids
from ..errors import InputError, TrustRequired
from ..ids import DeviceId, MessageId, Number
from ..seam import Device, EncryptionProtocol, Key, Recipient, Seen
from . import chats, fetching, ordering, outbox, plain, policy, receipts, sealing
from .carriage import Outbound
from .content import TEXT_TYPE, Text, encode_receipt, encode_resend_request, encode_text, encode_typing
from .core import Core, media_type_of
from .effects import Transmit
from .events import MessageExpired, MessageResent, MessageSent
from .policy import PlainOption
from .records import (
    WAITING,
    Chat,
    Contact,
    Message,
    Row,
    Status,
    Task,
    Waiting,
    message_key,
    order_of,
    order_parts,
    waiting_key,
)
from .sealing import Letter, NotReady
from .security import Security
from .step import Turn

__all__ = ["chats_waiting", "expire_waiting", "flush", "look_up", "release", "send", "typing", "wait_for"]


def send(core: Core, turn: Turn, number: Number, content: Text, allow: PlainOption | None, wait: bool) -> MessageId:
    """See Engine.send."""
    chat = chats.load_peer(core, turn, number)
    own = chats.own_list(core, turn)
    _check(core, content)
    contact = chats.contact_of(turn, number)
    if contact is not None and contact.broken:
        raise TrustRequired(
            "the keys of a verified contact have changed",
            hint="compare security codes again, or accept the new keys",
        )
    if allow is not None:
        return plain.send(core, turn, _choose(core, turn, chat, allow), content.text)
    protocol = policy.encrypting(core, contact, turn.now)
    if protocol is None or contact is None:
        state = policy.state_of(core, chat, contact, turn.now)
        if state is Security.PLAIN_RCS:
            return plain.send(core, turn, chat, content.text)
        if state is not Security.CHECKING or not wait:
            raise policy.refusal(chat, state)
        look_up(core, turn, chat, contact, waiting=True)
        return _queue(core, turn, chat, content.text)
    if turn.now - contact.fetched_at >= core.limits.list_refresh_ms:
        fetching.lists(core, turn, number, contact.list.serial)
    if chat.waiting:
        # What was written first is encrypted first.
        flush(core, turn, number)
        chat = chats.load(turn, number)
    if not chat.waiting:
        message = _place(core, turn, chat, content.text, Status.SENDING)
        moved = replace(chat, accepted=True, lamport=chat.lamport + 1, sequence=chat.sequence + 1)
        try:
            moved = _seal_content(core, turn, moved, message, contact, own, protocol)
        except NotReady:
            pass
        else:
            chats.save(core, turn, moved)
            _store(turn, chat.number, message, waiting=False)
            return message.message_id
    if not wait:
        raise policy.refusal(chat, Security.CHECKING)
    return _queue(core, turn, chat, content.text)


def release(core: Core, turn: Turn, number: Number, allow: PlainOption) -> int:
    """See Engine.release."""
    chat = _choose(core, turn, chats.load_peer(core, turn, number), allow)
    count = 0
    sequence = chat.sequence
    for key, waiting in _tasks(turn, number):
        message = turn.staged.get(message_key(number, waiting.order)) if waiting.task is Task.CONTENT else None
        if message is None:
            continue
        turn.staged.delete(key)
        # Its number in the encrypted order was never used, and all that wait are the last ones.
        sequence = min(sequence, order_parts(waiting.order)[3] - 1)
        plain.transmit(core, turn, number, replace(message, encrypted=False, status=Status.SENDING))
        count += 1
    chats.save(core, turn, replace(chat, waiting=0, accepted=True, sequence=sequence))
    return count


def typing(core: Core, turn: Turn, number: Number, active: bool) -> None:
    """See Engine.typing. Not stored: a lost one does not matter, and a late one would lie."""
    chat = chats.load_peer(core, turn, number)
    contact = chats.contact_of(turn, number)
    own = chats.own_list(core, turn)
    protocol = policy.encrypting(core, contact, turn.now)
    if contact is None or protocol is None or contact.broken or not core.privacy.typing:
        return
    if turn.now - chat.typing_sent < core.limits.typing_ms if active else not chat.typing_sent:
        return
    recipient = sealing.settled_devices(core, turn, protocol, contact.recipient)
    if recipient is None or not chat.accepted:
        return
    letter = Letter(ids.new_message_id(turn.rng), 0, 0, (), encode_typing(active), number)
    try:
        frame, _, _ = sealing.seal(core, turn, protocol, letter, recipient, own)
    except NotReady:
        return
    chats.save(core, turn, replace(chat, typing_sent=turn.now if active else 0))
    outbound = Outbound(
        to=number,
        message_id=letter.message_id,
        conversation=chats.conversation(core.me.number, number),
        content_type=media_type_of(protocol),
        body=frame,
        large=len(frame) > outbox.LARGE,
    )
    turn.effects.append(Transmit("", outbound))


def look_up(core: Core, turn: Turn, chat: Chat, contact: Contact | None, *, waiting: bool = False) -> None:
    """See to it that we know what the directory has to say about this number; `waiting` for it, ask in any case."""
    if contact is None:
        at, since = (chat.absent_at + core.limits.absent_refresh_ms if chat.absent_at else 0), 0
    else:
        since = contact.list.serial
        pause = core.limits.fetch_first_ms if contact.list.expired(turn.now) else core.limits.list_refresh_ms
        at = contact.fetched_at + pause
    if waiting or at <= turn.now:
        fetching.lists(core, turn, chat.number, since, at)


# --- what waits --------------------------------------------------------------------------------------------
def wait_for(turn: Turn, number: Number, waiting: Waiting) -> None:
    """Have `flush` encrypt this when it can."""
    turn.staged.put(waiting_key(number, waiting), waiting)


def chats_waiting(turn: Turn) -> list[Number]:
    """The numbers whose tasks wait for keys."""
    return sorted({Number(key.name.split("/")[1]) for key in turn.staged.scan(WAITING)})


def flush(core: Core, turn: Turn, number: Number) -> None:
    """Encrypt what waits in a chat (or, under our own number, for our own devices), as far as the keys are there."""
    tasks = _tasks(turn, number)
    own = chats.contact_of(turn, core.me.number)
    contact = chats.contact_of(turn, number)
    if not tasks or own is None:
        return
    protocol = policy.encrypting(core, contact, turn.now)
    blocked = contact is None or contact.broken or protocol is None
    for key, waiting in tasks:
        if waiting.expires <= turn.now:
            continue
        if waiting.task is Task.CONTENT:
            if not blocked and contact is not None and protocol is not None:
                blocked = not _flush_content(core, turn, number, key, waiting, contact, own, protocol)
        else:
            side = own if waiting.account == core.me.account else contact
            _flush_single(core, turn, number, key, waiting, side, own)
    if number != core.me.number:
        chats.save(core, turn, chats.load(turn, number))


def expire_waiting(core: Core, turn: Turn) -> None:
    """Drop what has waited too long; messages of ours visibly."""
    for number in chats_waiting(turn):
        for key, waiting in _tasks(turn, number):
            if waiting.expires > turn.now:
                turn.wake(waiting.expires)
                continue
            turn.staged.delete(key)
            if waiting.task is not Task.CONTENT:
                continue
            message = turn.staged.get(message_key(number, waiting.order))
            if message is not None:
                turn.staged.put(message_key(number, waiting.order), replace(message, status=Status.EXPIRED))
            chat = chats.load(turn, number)
            chats.save(core, turn, replace(chat, waiting=max(0, chat.waiting - 1)))
            turn.tell(MessageExpired(number, waiting.message_id))


def _tasks(turn: Turn, number: Number) -> list[tuple[Key[Waiting], Waiting]]:
    found = []
    for key in turn.staged.scan(WAITING, f"{number}/"):
        waiting = turn.staged.get(key)
        if waiting is not None:
            found.append((key, waiting))
    return found


def _flush_content(
    core: Core,
    turn: Turn,
    number: Number,
    key: Key[Waiting],
    waiting: Waiting,
    contact: Contact,
    own: Contact,
    protocol: EncryptionProtocol,
) -> bool:
    message = turn.staged.get(message_key(number, waiting.order))
    chat = chats.load(turn, number)
    if message is not None:
        try:
            chat = _seal_content(core, turn, chat, message, contact, own, protocol)
        except NotReady:
            return False
        turn.staged.put(message_key(number, message.order), replace(message, status=Status.SENDING))
    turn.staged.delete(key)
    chats.save(core, turn, replace(chat, waiting=max(0, chat.waiting - 1)))
    return True


def _flush_single(
    core: Core, turn: Turn, number: Number, key: Key[Waiting], waiting: Waiting, side: Contact | None, own: Contact
) -> None:
    """A copy, or a request, for one device."""
    device = _device(side, waiting)
    protocol = policy.encrypting(core, side, turn.now)
    if side is None or device is None or side.broken:
        # The account or device that it was for is gone, or the user has to decide first.
        if side is None or not side.broken:
            turn.staged.delete(key)
        return
    if protocol is None:
        return
    recipient = replace(side.recipient, devices=(device,))
    message = turn.staged.get(message_key(number, waiting.order)) if waiting.order else None
    if waiting.task is Task.RESEND and (message is None or message.text is None):
        turn.staged.delete(key)
        return
    try:
        if message is not None:
            _seal_again(core, turn, number, message, recipient, side, own, protocol)
        else:
            _seal_control(core, turn, number, waiting, recipient, side, own, protocol)
    except NotReady:
        return
    turn.staged.delete(key)


def _device(side: Contact | None, waiting: Waiting) -> Device | None:
    if side is None or side.account != waiting.account:
        return None
    return next((device for device in side.recipient.devices if device.id == waiting.device), None)


# --- encrypting --------------------------------------------------------------------------------------------
def _seal_content(
    core: Core,
    turn: Turn,
    chat: Chat,
    message: Message,
    contact: Contact,
    own: Contact,
    protocol: EncryptionProtocol,
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
    text = message.text or ""
    body = encode_text(text, message.sent_at)
    seen = ordering.seen_of(core, chat)
    letter = Letter(message.message_id, lamport, sequence, seen, body, chat.number)
    frame, devices, skipped = sealing.seal(
        core, turn, protocol, letter, contact.recipient, own, may_skip=len(contact.recipient.devices) > 1
    )
    outbox.add(core, turn, _row(core, turn, chat.number, contact.recipient, message, protocol, frame, devices))
    for device in skipped:
        _later(core, turn, chat.number, message, contact, device)
    if others:
        copy = replace(letter, body=encode_text(text, message.sent_at, chat.number))
        _seal_for_own(core, turn, chat.number, message, copy, own)
    return chat


def _seal_for_own(core: Core, turn: Turn, number: Number, message: Message, letter: Letter, own: Contact) -> None:
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
            outbox.add(core, turn, _row(core, turn, number, recipient, message, protocol, frame, reached))
    missing = [device.id for device in others if device.id not in reached]
    for device in missing:
        _later(core, turn, number, message, own, device)
    if missing and protocol is not None:
        lacking = tuple(device for device in others if device.id in missing)
        for need in protocol.needs(turn.staged, (replace(own.recipient, devices=lacking),), turn.now):
            fetching.material(core, turn, need)


def _later(core: Core, turn: Turn, number: Number, message: Message, side: Contact, device: DeviceId) -> None:
    expires = message.at + core.limits.expiry_ms
    wait_for(
        turn,
        number,
        Waiting(Task.RESEND, message.message_id, message.order, side.account, device, turn.now, expires),
    )


def _seal_again(
    core: Core,
    turn: Turn,
    number: Number,
    message: Message,
    recipient: Recipient,
    side: Contact,
    own: Contact,
    protocol: EncryptionProtocol,
) -> None:
    """The same logical message in a new frame: same id and place, never the same key (SR-06)."""
    lamport, _, _, sequence = order_parts(message.order)
    chat = chats.load(turn, number)
    to = number if side.account == core.me.account else None
    body = encode_text(message.text or "", message.sent_at, to)
    # Nothing but the audience: what we have seen since is no cause of it.
    seen = (Seen(core.me.account, core.me.device, chat.base),) if 0 < chat.base < sequence else ()
    letter = Letter(message.message_id, lamport, sequence, seen, body, number)
    frame, devices, _ = sealing.seal(core, turn, protocol, letter, recipient, own)
    row = _row(core, turn, number, recipient, message, protocol, frame, devices)
    outbox.settle_device(turn, message.message_id, side.account, devices[0])
    outbox.add(core, turn, row, devices[0])
    if to is None:
        turn.tell(MessageResent(number, message.message_id, devices[0]))


def _seal_control(
    core: Core,
    turn: Turn,
    number: Number,
    waiting: Waiting,
    recipient: Recipient,
    side: Contact,
    own: Contact,
    protocol: EncryptionProtocol,
) -> None:
    message_id = ids.new_message_id(turn.rng)
    if waiting.task is Task.RECEIPT:
        body = encode_receipt(waiting.message_id, waiting.created, displayed=False)
    else:
        body = encode_resend_request(waiting.message_id)
    letter = Letter(message_id, 0, 0, (), body, number)
    frame, devices, _ = sealing.seal(core, turn, protocol, letter, recipient, own)
    outbox.add(core, turn, receipts.control_row(core, turn, protocol, number, side, message_id, frame, devices))


def _row(
    core: Core,
    turn: Turn,
    number: Number,
    recipient: Recipient,
    message: Message,
    protocol: EncryptionProtocol,
    frame: bytes,
    devices: tuple[DeviceId, ...],
) -> Row:
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


# --- storing ---------------------------------------------------------------------------------------------------
def _check(core: Core, content: Text) -> None:
    if not content.text:
        raise InputError("an empty message", code="input.text_empty")
    # A lone surrogate cannot be written as UTF-8; better here than in the middle of a step.
    try:
        size = len(content.text.encode())
    except UnicodeEncodeError:
        raise InputError("the text is not valid Unicode", code="input.text_unicode") from None
    if size > core.limits.max_text:
        raise InputError(f"text of {size} bytes, at most {core.limits.max_text} allowed", code="input.text_size")


def _choose(core: Core, turn: Turn, chat: Chat, allow: PlainOption) -> Chat:
    """Take the user's decision, once. Raises NotEncrypted when it is not for this chat and transition (SR-01)."""
    if not policy.accepts(chat, allow):
        contact = chats.contact_of(turn, chat.number)
        raise policy.refusal(chat, policy.state_of(core, chat, contact, turn.now))
    if chat.sticky:
        # An encrypted chat stays one: the decision was for this message, the next one asks again.
        return replace(chat, nonce=turn.rng(16))
    return replace(chat, nonce=b"", plain=chat.transition)


def _place(core: Core, turn: Turn, chat: Chat, text: str, status: Status) -> Message:
    return Message(
        order=order_of(chat.lamport + 1, core.me.account, core.me.device, chat.sequence + 1),
        message_id=ids.new_message_id(turn.rng),
        sender=core.me.number,
        mine=True,
        encrypted=True,
        status=status,
        sent_at=turn.now,
        at=turn.now,
        content_type=TEXT_TYPE,
        text=text,
    )


def _queue(core: Core, turn: Turn, chat: Chat, text: str) -> MessageId:
    if chat.waiting >= core.limits.max_waiting:
        raise InputError("too many messages wait in this chat", code="input.waiting", hint="wait for the keys")
    message = _place(core, turn, chat, text, Status.WAITING)
    expires = turn.now + core.limits.expiry_ms
    wait_for(
        turn,
        chat.number,
        Waiting(Task.CONTENT, message.message_id, message.order, core.me.account, 0, turn.now, expires),
    )
    chat = replace(chat, accepted=True, lamport=chat.lamport + 1, sequence=chat.sequence + 1, waiting=chat.waiting + 1)
    chats.save(core, turn, chat)
    turn.wake(expires)
    _store(turn, chat.number, message, waiting=True)
    return message.message_id


def _store(turn: Turn, number: Number, message: Message, *, waiting: bool) -> None:
    turn.staged.put(message_key(number, message.order), message)
    device = order_parts(message.order)[2]
    turn.tell(
        MessageSent(
            number, message.message_id, device, message.order, message.text, message.content_type, True, waiting
        )
    )
