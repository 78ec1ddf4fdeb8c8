"""Letters out: sealed now, or when the protocol says that they can be; the same message again for whom could not read it.

A message gets its place in the chat when the user sends it. Nothing of a chat that goes by such a protocol leaves
unencrypted without a decision of the user for this message (SR-01).
"""

from __future__ import annotations

from dataclasses import replace

from ... import ids
from ...conversation_seam import ConversationProtocol, Letter, Refusal, Waits
from ...errors import InputError, NotEncrypted, TrustRequired
from ...ids import ChatName, GroupName, Instant, MessageId, Number, group_of
from .. import chats, drafts, ordering, policy, posting, queue
from ..content import Delete, File, FileFormat, Sendable, check
from ..core import Core
from ..events import MessageExpired, MessageResent
from ..record_values import Chat, Delivery, Message, Standing, Status, Task, Waiting
from ..records import delivery_key, order_of, order_parts
from ..security import Security
from ..shelf import lookup, put
from ..step import Turn
from . import choosing, files, members, progress
from .letters import Placed, headers_of, write_letter
from .records import AGAIN, copy_key
from .values import Again, Copy, conversation_of_chat

__all__ = ["expire", "flush", "flush_all", "open_chat", "send"]

_CLOSED = {Standing.ENDED: Security.ENDED, Standing.STALLED: Security.STALLED, Standing.NO_KEYS: Security.NO_KEYS_FOUND}


def open_chat(core: Core, turn: Turn, protocol: ConversationProtocol, chat: Chat) -> Chat:
    """The user looks at it: ask once more where nobody had keys. Gives the chat, which is saved."""
    if chat.protocol != protocol.name or chat.standing is not Standing.NO_KEYS:
        return chat
    if 0 <= turn.now - chat.claimed_at < core.limits.look_again_ms:
        return chat
    # It stays as it stands until there is an answer: looking ends no decision of the user, to wait or to send unencrypted,
    # and a key server that does not answer, or has been asked too often, takes nothing away that can be decided.
    chats.save(core, turn, replace(chat, claimed_at=turn.now))
    _upgrade(core, turn, protocol, chat.number)
    flush(core, turn, protocol, chat.number)
    return chats.load(turn, chat.number)


def send(
    core: Core, turn: Turn, protocol: ConversationProtocol, name: ChatName, content: Sendable, wait: bool
) -> MessageId:
    """Store a message, and seal it if that can be done now. Raises as Engine.send says."""
    chat = choosing.begin(core, turn, chats.load(turn, name), protocol)
    check(content, core.limits)
    if chat.standing is Standing.BROKEN:
        raise TrustRequired(
            "the keys of a verified contact have changed",
            hint="compare security codes again, or accept the new keys",
        )
    if chat.standing is Standing.LEFT:
        raise InputError(
            "you are not a member of this group any more",
            code="input.group_left",
            hint="somebody in the group can add you again",
        )
    # What waits already can be taken back without a word about whom it was for.
    kept = chat.standing is Standing.NO_KEYS and (
        policy.patient(chat, Security.NO_KEYS_FOUND) or (isinstance(content, Delete) and chat.waiting > 0)
    )
    if chat.standing in _CLOSED and not kept:
        raise refusal(core, chat, _CLOSED[chat.standing])
    if isinstance(content, File):
        files.check_format(content, FileFormat.RCC16)
    if chat.standing is Standing.NONE:
        chat = chats.save(core, turn, replace(chat, standing=Standing.SETTING_UP))
        _upgrade(core, turn, protocol, name)
        chat = chats.load(turn, name)
    if chat.waiting:
        flush(core, turn, protocol, name)
        chat = chats.load(turn, name)
        kept = kept and chat.standing is Standing.NO_KEYS
    order = order_of(chat.lamport + 1, core.me.account, core.me.device, chat.sequence + 1)
    message = drafts.draft(core, turn, chat, content, order, Status.SENDING, encrypted=True)
    held: Waits | Refusal | None = Waits.SETTING_UP
    if not chat.waiting and not kept:
        held = _seal(core, turn, protocol, name, message)
        # What the protocol said along the way may have changed the chat.
        chat = chats.load(turn, name)
    chat = replace(
        chat, accepted=True, lamport=max(chat.lamport + 1, order_parts(order)[0]), sequence=chat.sequence + 1
    )
    if held is None:
        chats.save(core, turn, drafts.store(core, turn, chat, message))
        return message.message_id
    if isinstance(held, Refusal) and held not in _PATIENT:
        raise refusal(core, chat, _REFUSED[held])
    if not wait:
        raise refusal(core, chat, Security.NO_KEYS_FOUND if kept else Security.CHECKING)
    if chat.waiting >= core.limits.max_waiting:
        raise InputError("too many messages wait in this chat", code="input.waiting", hint="wait for the keys")
    expires = turn.now + core.limits.expiry_ms
    waiting = Waiting(
        Task.CONTENT, message.message_id, order, core.me.account, 0, turn.now, expires, turn.only_encrypted
    )
    queue.wait_for(turn, name, waiting)
    turn.wake(expires)
    if kept:
        turn.wake(max(turn.now, chat.claimed_at + core.limits.absent_refresh_ms))
    message = replace(message, status=Status.WAITING)
    chat = drafts.store(core, turn, replace(chat, waiting=chat.waiting + 1), message, waiting=True)
    chats.save(core, turn, chat)
    return message.message_id


def _asked_again(core: Core, turn: Turn, protocol: ConversationProtocol, chat: Chat) -> bool:
    """Something waits where nobody had keys: ask once more, from time to time. The chat stays as it stands until there is
    an answer, so that the user's decision does, too. Whether there was any."""
    again = chat.claimed_at + core.limits.absent_refresh_ms
    if chat.claimed_at <= turn.now < again:
        turn.wake(again)
        return False
    chats.save(core, turn, replace(chat, claimed_at=turn.now))
    turn.wake(turn.now + core.limits.absent_refresh_ms)
    _upgrade(core, turn, protocol, chat.number)
    return chats.load(turn, chat.number).standing is not Standing.NO_KEYS


def flush_all(core: Core, turn: Turn) -> None:
    """Something has changed that letters may have waited for."""
    for name in queue.chats_waiting(turn):
        if (protocol := choosing.of(core, turn, name)) is not None:
            flush(core, turn, protocol, name)
    for name in sorted({ids.chat_name(key.name.split("/")[1]) for key in turn.staged.scan(AGAIN)}):
        if (protocol := choosing.of(core, turn, name)) is not None:
            _again(core, turn, protocol, name)


def flush(core: Core, turn: Turn, protocol: ConversationProtocol, name: ChatName) -> None:
    """Seal what waits in a chat, in its order, as far as that can be done now."""
    tasks = queue.tasks(turn, name)
    if not tasks:
        return
    chat = choosing.begin(core, turn, chats.load(turn, name), protocol)
    if chat.standing is Standing.NONE:
        chat = replace(chat, standing=Standing.SETTING_UP)
        chats.save(core, turn, chat)
        _upgrade(core, turn, protocol, name)
    else:
        chats.save(core, turn, chat)
        if chat.standing is Standing.NO_KEYS and not _asked_again(core, turn, protocol, chat):
            return
    for key, waiting in tasks:
        if waiting.expires <= turn.now or waiting.task is not Task.CONTENT or turn.staged.get(key) is None:
            continue
        message = lookup(turn, name, waiting.order)
        if message is not None and not files.is_left_behind(core, turn, name, message, FileFormat.RCC16):
            held = _seal(core, turn, protocol, name, message)
            if held is not None:
                _held(core, turn, name, held)
                return
            put(turn, name, replace(message, status=Status.SENDING))
        turn.staged.delete(key)
        chat = chats.load(turn, name)
        chats.save(core, turn, replace(chat, waiting=max(0, chat.waiting - 1)))


def expire(core: Core, turn: Turn) -> None:
    """Give up what a member asked for again and that could not be sealed in time, and files without their keys."""
    files.expire(core, turn)
    for key in list(turn.staged.scan(AGAIN)):
        again = turn.staged.get(key)
        if again is not None and again.expires <= turn.now:
            turn.staged.delete(key)
            name = ids.chat_name(key.name.split("/")[1])
            turn.tell(MessageExpired(name, again.root, "" if group_of(name) is None else again.member))


def refusal(core: Core, chat: Chat, state: Security) -> NotEncrypted:
    """Why nothing is sent. A group is never unencrypted, so there is nothing to choose there."""
    return policy.refusal(core, chat, state)


# --- one letter ------------------------------------------------------------------------------------------------------
_PATIENT = frozenset({Refusal.NOT_ENROLLED})
"""Refusals that end by themselves: our own certificate is on its way."""

_REFUSED = {
    Refusal.UNPINNED: Security.NO_LONGER_VERIFIED,
    Refusal.ENDED: Security.ENDED,
    Refusal.LEFT: Security.CHECKING,
    Refusal.NO_KEYS: Security.NO_KEYS_FOUND,
    Refusal.STALLED: Security.STALLED,
}

_HELD = {
    Refusal.UNPINNED: Standing.BROKEN,
    Refusal.ENDED: Standing.ENDED,
    Refusal.LEFT: Standing.LEFT,
    Refusal.NO_KEYS: Standing.NO_KEYS,
    Refusal.STALLED: Standing.STALLED,
}


def _held(core: Core, turn: Turn, name: ChatName, held: Waits | Refusal) -> None:
    """What keeps the letters of a chat back, as its standing."""
    standing = _HELD.get(held) if isinstance(held, Refusal) else None
    chat = chats.load(turn, name)
    if standing is not None and chat.standing is not standing:
        at = turn.now if standing is Standing.NO_KEYS else chat.claimed_at
        chats.save(core, turn, replace(chat, standing=standing, claimed_at=at))


def _upgrade(core: Core, turn: Turn, protocol: ConversationProtocol, name: ChatName) -> None:
    group = group_of(name)
    others = (
        (Number(name),)
        if group is None
        else tuple(member.number for member in members.membership(turn, GroupName(name)).members)
    )
    step = protocol.upgrade(turn.staged, conversation_of_chat(name), others, turn.now, turn.rng)
    progress.take(core, turn, protocol, step)


def _seal(
    core: Core, turn: Turn, protocol: ConversationProtocol, name: ChatName, message: Message
) -> Waits | Refusal | None:
    """The packet of a message, on its way; or why not."""
    others = tuple(member.number for member in members.membership(turn, name).members)
    if group_of(name) is None:
        others = (Number(name),)
    held = _sealed(core, turn, protocol, name, message, message.message_id, (), others)
    if held is None and turn.staged.get(delivery_key(message.message_id)) is None:
        count = 0 if group_of(name) is None else len(others)
        turn.staged.put(delivery_key(message.message_id), Delivery(name, message.order, at=turn.now, members=count))
    return held


def _again(core: Core, turn: Turn, protocol: ConversationProtocol, name: ChatName) -> None:
    """Seal again what members could not read, each time under a new id (rcc16.md 4.6)."""
    for key in list(turn.staged.scan(AGAIN, f"{name}/")):
        again = turn.staged.get(key)
        message = lookup(turn, name, again.order) if again is not None else None
        if again is None or message is None:
            turn.staged.delete(key)
            continue
        if again.expires <= turn.now or not _is_in(turn, name, again):
            continue
        message_id = ids.new_message_id(turn.rng)
        held = _sealed(core, turn, protocol, name, message, message_id, (again.member,), (again.member,))
        if held is not None:
            return
        turn.staged.put(copy_key(message_id), Copy(name, again.root, turn.now))
        turn.staged.delete(key)
        turn.tell(MessageResent(name, again.root, 0, "" if group_of(name) is None else again.member))


def _is_in(turn: Turn, name: ChatName, again: Again) -> bool:
    return group_of(name) is None or any(
        member.number == again.member for member in members.membership(turn, name).members
    )


def _sealed(
    core: Core,
    turn: Turn,
    protocol: ConversationProtocol,
    name: ChatName,
    message: Message,
    message_id: MessageId,
    audience: tuple[Number, ...],
    pending: tuple[Number, ...],
) -> Waits | Refusal | None:
    lamport, _, _, sequence = order_parts(message.order)
    parts = posting.parts(message)
    seen = ordering.seen_of(core, chats.load(turn, name))
    place = Placed(lamport, sequence, core.me.device, seen, message.sent_at)
    letter = Letter(message_id, message.message_id, headers_of(parts, place), write_letter(parts), audience)
    expires: Instant = message.at + core.limits.expiry_ms
    key = files.key_letter(core, turn, message, audience)
    if key is not None:
        # It counts for nothing but itself: that it arrived says nothing about the file.
        sent = progress.Sent(key.message_id, key.message_id, message.order, pending, expires)
        if (held := _put(core, turn, protocol, name, key, sent)) is not None:
            return held
        files.remember(turn, name, key, message.message_id)
    sent = progress.Sent(message_id, message.message_id, message.order, pending, expires)
    return _put(core, turn, protocol, name, letter, sent)


def _put(
    core: Core, turn: Turn, protocol: ConversationProtocol, name: ChatName, letter: Letter, sent: progress.Sent
) -> Waits | Refusal | None:
    step = protocol.seal(turn.staged, conversation_of_chat(name), letter, turn.now, turn.rng)
    progress.take(core, turn, protocol, step, sent=sent)
    return step.refused or step.waits
