"""Sending: from a text to rows in the outbox, now or when the keys are there.

A message gets its place in the chat when the user sends it, and its header when it is encrypted.
"""

from __future__ import annotations

from dataclasses import replace

from .. import ids
from ..carriage import Medium, Outbound
from ..errors import InputError, TrustRequired
from ..ids import MessageId, Number, group_of
from . import chats, drafts, fetching, outbox, plain, policy, posting, queue, sealing, sms, waiting
from .content import Delete, Emptied, File, FileFormat, Sendable, check, encode_typing, is_sealed_file, read
from .conversations import choosing, files
from .conversations import sending as letters
from .core import Core, media_type_of
from .effects import Transmit
from .events import MessageFailed
from .policy import PlainOption
from .record_values import Chat, Message, Status, Task, Waiting
from .records import chat_key, order_of, order_parts
from .sealing import Letter, NotReady
from .security import Security
from .shelf import lookup, put
from .step import Turn

__all__ = ["keep_waiting", "release", "send", "typing"]


def send(
    core: Core,
    turn: Turn,
    number: Number,
    content: Sendable,
    allow: PlainOption | None,
    wait: bool,
    keep: bool = False,
) -> MessageId:
    """See Engine.send."""
    chat = chats.load_peer(core, turn, number)
    own = chats.own_list(core, turn)
    check(content, core.limits)
    contact = chats.contact_of(turn, number)
    if contact is not None and contact.broken:
        raise TrustRequired(
            "the keys of a verified contact have changed",
            hint="compare security codes again, or accept the new keys",
        )
    if keep:
        chat = keep_waiting(core, turn, chat)
    if allow is not None:
        return plain.send(core, turn, _choose(core, turn, chat, allow), content, allow.medium)
    protocol = policy.encrypting(core, contact, turn.now)
    if protocol is None or contact is None:
        state = policy.state_of(core, chat, contact, turn.now)
        if state.plain:
            return plain.send(core, turn, chat, content, chat.medium)
        if (keeping := choosing.of(core, turn, number)) is not None:
            return letters.send(core, turn, keeping, number, content, wait)
        # What waits already can be taken back without a word about whom it was for.
        taken_back = isinstance(content, Delete) and chat.waiting and state is Security.NO_KEYS_FOUND
        if not (wait and (policy.patient(chat, state) or taken_back)):
            raise policy.refusal(core, chat, state)
        fetching.look_up(core, turn, chat, contact, waiting=True)
        return _queue(core, turn, chat, content)
    chat = choosing.end(core, turn, chat, protocol.name)
    if turn.now - contact.fetched_at >= core.limits.list_refresh_ms:
        fetching.lists(core, turn, number, contact.list.serial)
    if chat.waiting:
        # What was written first is encrypted first.
        waiting.flush(core, turn, number)
        chat = chats.load(turn, number)
    if not chat.waiting:
        message = _place(core, turn, chat, content, Status.SENDING)
        moved = replace(chat, accepted=True, lamport=chat.lamport + 1, sequence=chat.sequence + 1)
        try:
            moved = posting.seal_content(core, turn, moved, message, contact, own, protocol)
        except NotReady:
            pass
        else:
            _store(core, turn, moved, message, waiting=False)
            return message.message_id
    if not wait:
        raise policy.refusal(core, chat, Security.CHECKING)
    return _queue(core, turn, chat, content)


def keep_waiting(core: Core, turn: Turn, chat: Chat) -> Chat:
    """See Engine.keep_waiting."""
    chat = chats.save(core, turn, chat)
    contact = None if group_of(chat.number) is not None else chats.contact_of(turn, Number(chat.number))
    state = policy.state_of(core, chat, contact, turn.now)
    if state.plain or state is Security.BUSINESS:
        # It would leave unencrypted at once, which is not what was decided (SR-01).
        raise policy.refusal(core, chat, state)
    chat = replace(chat, kept=chat.transition)
    turn.staged.put(chat_key(chat.number), chat)
    return chat


def release(core: Core, turn: Turn, number: Number, allow: PlainOption) -> int:
    """See Engine.release."""
    chat = _choose(core, turn, chats.load_peer(core, turn, number), allow)
    count = 0
    sequence = chat.sequence
    taken_back: set[str] = set()
    for key, task in queue.tasks(turn, number):
        message = lookup(turn, number, task.order) if task.task is Task.CONTENT else None
        if message is None:
            continue
        turn.staged.delete(key)
        # Its number in the encrypted order was never used, and all that wait are the last ones.
        sequence = min(sequence, order_parts(task.order)[3] - 1)
        content = read(message.entity, core.limits).content if message.entity else None
        if isinstance(content, Emptied) or (isinstance(content, Delete) and content.target in taken_back):
            # Nobody was sent what was deleted, and nobody needs to hear that it was.
            taken_back.add(message.message_id)
            put(turn, number, replace(message, status=Status.EXPIRED))
            continue
        if task.only_encrypted:
            put(turn, number, replace(message, status=Status.FAILED))
            turn.tell(MessageFailed(number, message.message_id, "only-encrypted"))
            continue
        if message.change and not drafts.fits(core, turn, number, message, encrypted=False):
            # What it is for was encrypted: nobody would take the network's word for this change of it.
            put(turn, number, replace(message, status=Status.FAILED))
            turn.tell(MessageFailed(number, message.message_id, "target-encrypted"))
            continue
        if is_sealed_file(message.entity, core.limits):
            # What is at the server is ciphertext, and its key is nothing to send in the clear.
            put(turn, number, replace(message, status=Status.FAILED))
            turn.tell(MessageFailed(number, message.message_id, "file-encrypted"))
            continue
        if allow.medium is Medium.SMS and not sms.carries(message, core.limits):
            put(turn, number, replace(message, status=Status.FAILED))
            turn.tell(MessageFailed(number, message.message_id, "sms-only-text"))
            continue
        sent = replace(message, encrypted=False, status=Status.SENDING, medium=allow.medium)
        plain.transmit(core, turn, number, sent)
        count += 1
    chats.save(core, turn, replace(chat, waiting=0, accepted=True, sequence=sequence))
    return count


def typing(core: Core, turn: Turn, number: Number, active: bool) -> None:
    """See Engine.typing. Not stored: a lost one does not matter, and a late one would lie."""
    chat = chats.load_peer(core, turn, number)
    contact = chats.contact_of(turn, number)
    own = chats.own_list(core, turn)
    protocol = policy.encrypting(core, contact, turn.now)
    if not core.privacy.typing or (contact is not None and contact.broken):
        return
    if 0 <= turn.now - chat.typing_sent < core.limits.typing_ms if active else not chat.typing_sent:
        return
    if contact is None or protocol is None:
        if policy.state_of(core, chat, contact, turn.now) is Security.PLAIN_RCS:
            chats.save(core, turn, replace(chat, typing_sent=turn.now if active else 0))
            plain.say_typing(core, turn, number, active)
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


def _choose(core: Core, turn: Turn, chat: Chat, allow: PlainOption) -> Chat:
    """Take the user's decision, once. Raises NotEncrypted when it is not for this chat and transition (SR-01)."""
    # Its state as of now: a clock that was set back makes keys good again, and nothing has told so.
    chat = chats.save(core, turn, chat)
    if not policy.accepts(core, chat, allow):
        contact = chats.contact_of(turn, Number(chat.number))
        raise policy.refusal(core, chat, policy.state_of(core, chat, contact, turn.now))
    return policy.chosen(core, turn, chat, allow)


def _place(core: Core, turn: Turn, chat: Chat, content: Sendable, status: Status) -> Message:
    """The message, or change, with its place in the order. Raises InputError for what cannot be sent encrypted."""
    if isinstance(content, File):
        files.check_format(content, FileFormat.SEALED)
    order = order_of(chat.lamport + 1, core.me.account, core.me.device, chat.sequence + 1)
    return drafts.draft(core, turn, chat, content, order, status, encrypted=True)


def _queue(core: Core, turn: Turn, chat: Chat, content: Sendable) -> MessageId:
    if chat.waiting >= core.limits.max_waiting:
        raise InputError("too many messages wait in this chat", code="input.waiting", hint="wait for the keys")
    message = _place(core, turn, chat, content, Status.WAITING)
    expires = turn.now + core.limits.expiry_ms
    queue.wait_for(
        turn,
        chat.number,
        Waiting(
            Task.CONTENT, message.message_id, message.order, core.me.account, 0, turn.now, expires, turn.only_encrypted
        ),
    )
    chat = replace(chat, accepted=True, lamport=chat.lamport + 1, sequence=chat.sequence + 1, waiting=chat.waiting + 1)
    turn.wake(expires)
    _store(core, turn, chat, message, waiting=True)
    return message.message_id


def _store(core: Core, turn: Turn, chat: Chat, message: Message, *, waiting: bool) -> None:
    chats.save(core, turn, drafts.store(core, turn, chat, message, waiting=waiting))
