"""What waits for keys: messages of a chat in their order, copies for single devices, requests and receipts."""

from __future__ import annotations

from dataclasses import replace

from ..ids import Number
from ..seam import Device, EncryptionProtocol, Key
from . import chats, policy, posting
from .core import Core
from .events import MessageExpired
from .record_values import Contact, Status, Task, Waiting
from .records import WAITING, waiting_key
from .sealing import NotReady
from .shelf import lookup, put
from .step import Turn

__all__ = ["expire_waiting", "flush", "numbers_waiting", "tasks", "wait_for"]


def wait_for(turn: Turn, number: Number, waiting: Waiting) -> None:
    """Have `flush` encrypt this when it can."""
    turn.staged.put(waiting_key(number, waiting), waiting)


def numbers_waiting(turn: Turn) -> list[Number]:
    """The numbers whose tasks wait for keys."""
    return sorted({Number(key.name.split("/")[1]) for key in turn.staged.scan(WAITING)})


def flush(core: Core, turn: Turn, number: Number) -> None:
    """Encrypt what waits in a chat (or, under our own number, for our own devices), as far as the keys are there."""
    waiting_here = tasks(turn, number)
    own = chats.contact_of(turn, core.me.number)
    contact = chats.contact_of(turn, number)
    if not waiting_here or own is None:
        return
    protocol = policy.encrypting(core, contact, turn.now)
    blocked = contact is None or contact.broken or protocol is None
    for key, waiting in waiting_here:
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
    for number in numbers_waiting(turn):
        for key, waiting in tasks(turn, number):
            if waiting.expires > turn.now:
                turn.wake(waiting.expires)
                continue
            turn.staged.delete(key)
            if waiting.task is not Task.CONTENT:
                continue
            message = lookup(turn, number, waiting.order)
            if message is not None:
                put(turn, number, replace(message, status=Status.EXPIRED))
            chat = chats.load(turn, number)
            chats.save(core, turn, replace(chat, waiting=max(0, chat.waiting - 1)))
            turn.tell(MessageExpired(number, waiting.message_id))


def tasks(turn: Turn, number: Number) -> list[tuple[Key[Waiting], Waiting]]:
    """All that waits in a chat, messages first."""
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
    message = lookup(turn, number, waiting.order)
    chat = chats.load(turn, number)
    if message is not None:
        try:
            chat = posting.seal_content(core, turn, chat, message, contact, own, protocol)
        except NotReady:
            return False
        put(turn, number, replace(message, status=Status.SENDING))
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
    message = lookup(turn, number, waiting.order) if waiting.order else None
    if waiting.task is Task.RESEND and (message is None or not posting.is_whole(message)):
        turn.staged.delete(key)
        return
    try:
        if message is not None:
            posting.seal_again(core, turn, number, message, recipient, side, own, protocol)
        else:
            posting.seal_control(core, turn, number, waiting, recipient, side, own, protocol)
    except NotReady:
        return
    turn.staged.delete(key)


def _device(side: Contact | None, waiting: Waiting) -> Device | None:
    if side is None or side.account != waiting.account:
        return None
    return next((device for device in side.recipient.devices if device.id == waiting.device), None)
