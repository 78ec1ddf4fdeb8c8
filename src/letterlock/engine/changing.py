"""Reactions, edits and deletes take effect.

The author alone edits and deletes. A change and its target have the same protection: what the network says in the
clear touches no encrypted message, and what is said inside the encryption is about messages that were (SR-05). Edits
count in the order of the chat, a delete wins over all; whatever the order of arrival, the outcome is the same
(thread.py). A change may come before its message: it is kept, bounded in number and time, and told when given up.
"""

from __future__ import annotations

from dataclasses import replace

from ..errors import InputError
from ..ids import ChatName, MessageId, Number
from .content import Change, Delete, Edit, Emptied, Reaction, Reference, encode, express, read
from .core import NOBODY, Core
from .events import (
    ChangeRefused,
    MessageDeleted,
    MessageEdited,
    MessageReceived,
    MessageSent,
    ReactionChanged,
)
from .record_values import Chat, Message
from .records import (
    PENDING,
    change_key,
    event_key,
    order_parts,
    outbox_key,
    pending_key,
    thread_key,
)
from .shelf import others, put, target_of
from .step import Turn
from .thread import Edited, Mark, Place, Thread

__all__ = ["check_reply", "check_target", "emptied", "expire_pending", "settle_pending", "take"]


# --- of ours -------------------------------------------------------------------------------------------------
def check_target(core: Core, turn: Turn, chat: Chat, content: Change, *, encrypted: bool) -> Message:
    """The message that a change of ours is for. Raises InputError when there is none that it could be for."""
    message_id = _target_id(content)
    found = [message for message, _ in others(turn, chat.number, message_id)]
    if not found:
        raise InputError("no message with this id in this chat", code="input.target")
    if not isinstance(content, Reaction):
        found = [message for message in found if message.mine]
        if not found:
            raise InputError("only its author can change a message", code="input.not_author")
    elif content.target.author is not None:
        found = [message for message in found if message.sender == content.target.author] or found
    same = [message for message in found if message.encrypted is encrypted]
    if not same:
        raise _other_protection()
    target = same[0]
    thread = turn.staged.get(thread_key(chat.number, target.order))
    if (thread is not None and thread.deleted) or (target.text is None and _is_emptied(core, target)):
        raise InputError("that message was deleted", code="input.deleted")
    if isinstance(content, Edit) and target.text is None:
        raise InputError("only a text can be edited", code="input.not_text")
    return target


def check_reply(turn: Turn, chat: Chat, to: Reference, *, encrypted: bool) -> Reference:
    """The message that a text of ours answers, with its author. Raises InputError when there is none."""
    found = [message for message, _ in others(turn, chat.number, to.message_id)]
    found = [message for message in found if to.author in (None, message.sender)]
    if not found:
        raise InputError("no message with this id in this chat", code="input.target")
    same = [message for message in found if message.encrypted is encrypted]
    if not same:
        raise _other_protection()
    return Reference(to.message_id, same[0].sender)


# --- of anybody ----------------------------------------------------------------------------------------------
def take(core: Core, turn: Turn, chat: Chat, change: Message) -> Chat:
    """A change in its turn: it takes effect, waits for its message, or is refused."""
    put(turn, chat.number, change)
    content = _content(core, change)
    return _judge(core, turn, chat, change, content) if content is not None else chat


def settle_pending(core: Core, turn: Turn, chat: Chat, message_id: MessageId) -> Chat:
    """A message has come: do what waited for it."""
    for key in list(turn.staged.scan(PENDING, f"{chat.number}/{message_id}/")):
        change = turn.staged.get(key)
        turn.staged.delete(key)
        chat = replace(chat, pending=max(0, chat.pending - 1))
        content = _content(core, change) if change is not None else None
        if change is not None and content is not None:
            chat = _judge(core, turn, chat, change, content)
    return chat


def expire_pending(core: Core, turn: Turn) -> dict[Number, int]:
    """Give up what has waited too long; how many in which chat."""
    gone: dict[Number, int] = {}
    for key in list(turn.staged.scan(PENDING)):
        change = turn.staged.get(key)
        if change is None or change.at + core.limits.pending_ms > turn.now:
            continue
        turn.staged.delete(key)
        chat = Number(key.name.split("/")[1])
        gone[chat] = gone.get(chat, 0) + 1
        content = _content(core, change)
        if content is not None:
            _refuse(turn, chat, change, content, "no-message")
    return gone


def emptied(message: Message) -> Message:
    """The same place without what was written."""
    parts = express(Emptied(message.change), message.message_id, message.sender, message.sent_at)
    entity = encode(parts, message.sent_at)
    return replace(message, text=None, entity=entity, reply_to="", reply_author="")


# --- whom it is for --------------------------------------------------------------------------------------------
def _judge(core: Core, turn: Turn, chat: Chat, change: Message, content: Change) -> Chat:
    message_id = _target_id(content)
    account = order_parts(change.order)[1]
    if isinstance(content, Reaction):
        author = content.target.author
        known = others(turn, chat.number, message_id)
        fitting = [
            found for found in known if found[0].encrypted is change.encrypted and author in (None, found[0].sender)
        ]
        target = fitting[0] if fitting else None
    else:
        target = target_of(turn, chat.number, message_id, account)
        if target is not None and (target[0].encrypted, target[0].mine) != (change.encrypted, change.mine):
            target = None
        known = others(turn, chat.number, message_id) if target is None else []
    if target is not None:
        _apply(core, turn, chat, change, content, *target)
        return chat
    if not change.encrypted:
        # Nobody promises that what it is for will come; and the network must not fill what is kept for those who do.
        reason = (
            "unencrypted" if any(message.encrypted for message, _ in known) else "not-author" if known else "no-message"
        )
        _refuse(turn, chat.number, change, content, reason)
        return chat
    if not isinstance(content, Reaction) and any(message.encrypted for message, _ in known):
        _refuse(turn, chat.number, change, content, "not-author")
        return chat
    return _keep(core, turn, chat, change, content)


def _keep(core: Core, turn: Turn, chat: Chat, change: Message, content: Change) -> Chat:
    account = order_parts(change.order)[1]
    waiting = [key for key in turn.staged.scan(PENDING, f"{chat.number}/") if _account_in(key.name) == account]
    if len(waiting) >= core.limits.max_pending:
        _refuse(turn, chat.number, change, content, "too-many")
        return chat
    turn.staged.put(pending_key(chat.number, _target_id(content), change.order), change)
    return replace(chat, pending=chat.pending + 1)


# --- what it does ------------------------------------------------------------------------------------------------
def _apply(core: Core, turn: Turn, chat: Chat, change: Message, content: Change, target: Message, place: Place) -> None:
    key = thread_key(chat.number, target.order)
    thread = turn.staged.get(key) or Thread()
    match content:
        case Delete():
            after = _delete(turn, chat, thread, change, target, place)
        case Edit():
            after = _edit(core, turn, chat, thread, change, content, target)
        case Reaction():
            after = _react(core, turn, chat, thread, change, content, target)
    if after is not thread:
        turn.staged.put(key, after)


def _delete(turn: Turn, chat: Chat, thread: Thread, change: Message, target: Message, place: Place) -> Thread:
    if thread.deleted:
        return thread
    _wipe(turn, chat.number, target, place.cursor)
    if thread.edited is not None:
        _wipe_edit(turn, chat.number, thread.edited.order, thread.edited.cursor)
    turn.tell(
        MessageDeleted(
            chat.number,
            target.message_id,
            change.message_id,
            change.sender,
            order_parts(change.order)[2],
            target.order,
            change.encrypted,
        )
    )
    return Thread(deleted=change.order)


def _edit(
    core: Core, turn: Turn, chat: Chat, thread: Thread, change: Message, content: Edit, target: Message
) -> Thread:
    if thread.deleted or (thread.edited is not None and thread.edited.order >= change.order):
        # Too late; and what does not count is not kept either.
        put(turn, chat.number, emptied(change))
        return thread
    if target.text is None:
        _refuse(turn, chat.number, change, content, "not-text")
        return thread
    if thread.edited is not None:
        _wipe_edit(turn, chat.number, thread.edited.order, thread.edited.cursor)
    cursor = turn.tell(
        MessageEdited(
            chat.number,
            target.message_id,
            change.message_id,
            change.sender,
            order_parts(change.order)[2],
            target.order,
            content.text,
            change.encrypted,
            change.sent_at,
        )
    )
    return replace(thread, edited=Edited(change.order, change.message_id, content.text, change.sent_at, cursor))


def _react(
    core: Core, turn: Turn, chat: Chat, thread: Thread, change: Message, content: Reaction, target: Message
) -> Thread:
    if thread.deleted:
        return thread
    _, account, device, _ = order_parts(change.order)
    mark = Mark(account, change.sender, content.emoji, change.order, not content.remove)
    after = thread.with_mark(mark, core.limits.max_marks)
    if after.shows(mark) != thread.shows(mark):
        turn.tell(
            ReactionChanged(
                chat.number,
                target.message_id,
                change.message_id,
                change.sender,
                device,
                target.order,
                content.emoji,
                content.remove,
                change.encrypted,
            )
        )
    return after


# --- what is gone ---------------------------------------------------------------------------------------------
def _wipe(turn: Turn, chat: ChatName, message: Message, cursor: int) -> None:
    """Take the text out of the store: out of the message, its event, and a plain frame that still waits to go."""
    put(turn, chat, emptied(message))
    _wipe_event(turn, cursor)
    if not message.encrypted and message.mine:
        turn.staged.delete(outbox_key(message.message_id, NOBODY))


def _wipe_edit(turn: Turn, chat: ChatName, order: str, cursor: int) -> None:
    edit = turn.staged.get(change_key(chat, order))
    if edit is not None:
        _wipe(turn, chat, edit, cursor)
    else:
        _wipe_event(turn, cursor)


def _wipe_event(turn: Turn, cursor: int) -> None:
    key = event_key(cursor)
    recorded = turn.staged.get(key) if cursor else None
    if recorded is None:
        return
    event = recorded.event
    if isinstance(event, MessageReceived | MessageSent):
        turn.staged.put(key, replace(recorded, event=replace(event, text=None, content={"kind": "deleted"})))
    elif isinstance(event, MessageEdited):
        turn.staged.put(key, replace(recorded, event=replace(event, text=None)))


def _refuse(turn: Turn, chat: ChatName, change: Message, content: Change, reason: str) -> None:
    if isinstance(content, Edit):
        # What does not count is not kept either.
        put(turn, chat, emptied(change))
    kind = "reaction" if isinstance(content, Reaction) else "edit" if isinstance(content, Edit) else "delete"
    device = order_parts(change.order)[2]
    turn.tell(ChangeRefused(chat, _target_id(content), change.message_id, change.sender, device, kind, reason))


def _other_protection() -> InputError:
    return InputError(
        "that message was sent with another protection than this chat has now",
        code="input.target_protection",
        hint="an encrypted message is answered and changed inside the encryption, an unencrypted one in the clear",
    )


def _content(core: Core, change: Message) -> Change | None:
    content = read(change.entity, core.limits).content
    return content if isinstance(content, Reaction | Edit | Delete) else None


def _is_emptied(core: Core, message: Message) -> bool:
    return bool(message.entity) and isinstance(read(message.entity, core.limits).content, Emptied)


def _target_id(content: Change) -> MessageId:
    return content.target.message_id if isinstance(content, Reaction) else content.target


def _account_in(name: str) -> bytes:
    return order_parts(name.rpartition("/")[2])[1]
