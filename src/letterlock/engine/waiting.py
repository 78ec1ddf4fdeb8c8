"""What waits for keys: messages of a chat in their order, copies for single devices, requests and receipts."""

from __future__ import annotations

from dataclasses import replace

from ..ids import ChatName, GroupName, Number, group_of
from ..seam import Device, DeviceProtocol, Key
from . import chats, policy, posting
from .content import FileFormat
from .conversations import choosing, files
from .conversations import sending as letters
from .core import Core
from .events import MessageExpired
from .groups import posting as groups_posting
from .groups.values import group_key
from .queue import chats_waiting, tasks
from .record_values import Contact, Message, Status, Task, Waiting
from .sealing import NotReady
from .shelf import lookup, put
from .step import Turn

__all__ = ["expire_waiting", "flush", "is_awaited", "keys_came"]


def keys_came(core: Core, turn: Turn, number: Number) -> None:
    """Something about the keys of this number is known, or was decided: what waits for it, in its groups too."""
    flush(core, turn, number)
    for chat in chats_waiting(turn):
        if group_of(chat) is not None:
            _flush_group(core, turn, GroupName(chat), number)


def is_awaited(turn: Turn, number: Number) -> bool:
    """Whether a copy for a member of a group waits for the keys of this number."""
    for chat in chats_waiting(turn):
        group = turn.staged.get(group_key(GroupName(chat))) if group_of(chat) is not None else None
        accounts = (
            {member.account for member in (*group.members, *group.former) if member.number == number} if group else ()
        )
        if accounts and any(task.account in accounts for _, task in tasks(turn, chat) if task.task is Task.MEMBER):
            return True
    return False


def flush(core: Core, turn: Turn, chat: ChatName) -> None:
    """Encrypt what waits in a chat (or, under our own number, for our own devices), as far as the keys are there."""
    if (keeping := choosing.of(core, turn, chat)) is not None:
        letters.flush(core, turn, keeping, chat)
        return
    if group_of(chat) is not None:
        _flush_group(core, turn, GroupName(chat))
        return
    number = Number(chat)
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


def _flush_group(core: Core, turn: Turn, name: GroupName, only: Number | None = None) -> None:
    """The same in a group: each member's copies by themselves, in their order. `only` for one number."""
    own, group = chats.contact_of(turn, core.me.number), turn.staged.get(group_key(name))
    if own is None or group is None:
        return
    for key, waiting in tasks(turn, name):
        member = group.once(waiting.account)
        number = core.me.number if waiting.account == core.me.account else member.number if member is not None else None
        if waiting.expires <= turn.now or only not in (None, number):
            continue
        if number == core.me.number:
            _flush_single(core, turn, name, key, waiting, own, own)
        elif member is None:
            # Removed long ago.
            turn.staged.delete(key)
        elif (ready := groups_posting.writable(core, turn, member)) is None:
            continue
        elif waiting.task is not Task.MEMBER:
            _flush_single(core, turn, name, key, waiting, ready[0], own)
        else:
            message = lookup(turn, name, waiting.order)
            if message is not None and not groups_posting.post_waiting(core, turn, group, message, member, own):
                continue
            turn.staged.delete(key)
            fewer(turn, name)


def fewer(turn: Turn, name: GroupName) -> None:
    """One copy for a member waits no more."""
    group = turn.staged.get(group_key(name))
    if group is not None:
        turn.staged.put(group_key(name), replace(group, waiting=max(0, group.waiting - 1)))


def expire_waiting(core: Core, turn: Turn) -> None:
    """Drop what has waited too long; messages of ours visibly."""
    for number in chats_waiting(turn):
        for key, waiting in tasks(turn, number):
            if waiting.expires > turn.now:
                turn.wake(waiting.expires)
                continue
            turn.staged.delete(key)
            if waiting.task is Task.MEMBER:
                groups_posting.expired(turn, GroupName(number), waiting)
                fewer(turn, GroupName(number))
            if waiting.task is not Task.CONTENT:
                continue
            message = lookup(turn, number, waiting.order)
            if message is not None:
                put(turn, number, replace(message, status=Status.EXPIRED))
            chat = chats.load(turn, number)
            chats.save(core, turn, replace(chat, waiting=max(0, chat.waiting - 1)))
            turn.tell(MessageExpired(number, waiting.message_id))


def _flush_content(
    core: Core,
    turn: Turn,
    number: Number,
    key: Key[Waiting],
    waiting: Waiting,
    contact: Contact,
    own: Contact,
    protocol: DeviceProtocol,
) -> bool:
    message = lookup(turn, number, waiting.order)
    chat = chats.load(turn, number)
    if message is not None and not files.is_left_behind(core, turn, number, message, FileFormat.SEALED):
        try:
            chat = posting.seal_content(core, turn, chat, message, contact, own, protocol)
        except NotReady:
            return False
        put(turn, number, replace(message, status=Status.SENDING))
    turn.staged.delete(key)
    chats.save(core, turn, replace(chat, waiting=max(0, chat.waiting - 1)))
    return True


def _flush_single(
    core: Core, turn: Turn, number: ChatName, key: Key[Waiting], waiting: Waiting, side: Contact | None, own: Contact
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
    if waiting.task is Task.RESEND and message is None:
        turn.staged.delete(key)
        return
    try:
        if message is not None:
            body, base = _again(core, turn, number, message, side)
            posting.seal_again(core, turn, number, message, body, base, recipient, own, protocol)
        else:
            posting.seal_control(core, turn, number, waiting, recipient, side, own, protocol)
    except NotReady:
        return
    turn.staged.delete(key)


def _again(core: Core, turn: Turn, chat: ChatName, message: Message, side: Contact) -> tuple[bytes, int]:
    """What a device gets that asked for a message again, and since when its audience has got our messages."""
    group = turn.staged.get(group_key(GroupName(chat))) if group_of(chat) is not None else None
    if group is not None:
        seen = groups_posting.seen_by(core, turn, group.name, side.account)
        body = groups_posting.copy_for(core, turn, group, message, side.account)
        return body, seen[0].sequence if seen else 0
    to = chat if side.account == core.me.account else None
    return posting.entity_of(message, to), chats.load(turn, chat).base


def _device(side: Contact | None, waiting: Waiting) -> Device | None:
    if side is None or side.account != waiting.account:
        return None
    return next((device for device in side.recipient.devices if device.id == waiting.device), None)
