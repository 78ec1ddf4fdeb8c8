"""What follows from a turn's messages and events, stored with them: at the end of each turn (step.py), in its writes.

Summaries, the text that messages are found by, why a message failed, dividers and cards. So nothing of it can be
missing after a crash, and nothing of it is worked out again for a long chat (SR-06, SR-08).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..ids import ChatName, MessageId
from ..seam import Staged
from . import asides
from .content import Emptied, File, Location, read
from .events import MessageExpired, MessageFailed, MessageSent, Recorded
from .history_records import NOTICE_TYPE, Failure, Summary, failure_key, search_key, summary_key
from .limits import DEFAULTS
from .record_values import Message, Status
from .records import message_key, order_parts, place_key, thread_key
from .thread import Thread

__all__ = ["derive", "searchable", "summed", "unseen"]


def derive(staged: Staged, events: Sequence[Recorded]) -> None:
    """Add to the writes of a turn what follows from them."""
    messages: dict[tuple[ChatName, str], Message | None] = {}
    threads: list[tuple[ChatName, str]] = []
    for key, value in staged.writes.items():
        kind = key.kind.name
        if kind == "message":
            messages[_place(key.name)] = value
        elif kind == "thread":
            threads.append(_place(key.name))
    for (chat, order), message in messages.items():
        _message(staged, chat, order, message)
    for chat, order in threads:
        if (chat, order) not in messages:
            _thread(staged, chat, order)
    for recorded in events:
        event = recorded.event
        if isinstance(event, MessageFailed | MessageExpired):
            _failed(staged, event)
        elif not isinstance(event, MessageSent):
            asides.note(staged, recorded)


def searchable(message: Message, thread: Thread | None) -> str | None:
    """The text that a message is found by: its last one, the name of a file, the label of a place. None: by nothing."""
    if message.content_type == NOTICE_TYPE or message.status is Status.MISSING:
        return None
    if thread is not None and thread.deleted:
        return None
    if thread is not None and thread.edited is not None:
        return thread.edited.text
    if message.text is not None or not message.entity:
        return message.text
    match read(message.entity, DEFAULTS).content:
        case File() as file:
            return file.name or None
        case Location(label=label):
            return label or None
        case _:
            return None


def unseen(message: Message | None) -> bool:
    """Whether it counts as unread: received, not seen, and not taken back."""
    if message is None or message.mine or message.status is not Status.RECEIVED:
        return False
    if message.text is not None or not message.entity:
        return True
    return not isinstance(read(message.entity, DEFAULTS).content, Emptied)


def summed(summary: Summary, message: Message, unread: int) -> Summary:
    """A summary with this message, and so many unread ones more."""
    if message.status is Status.MISSING:
        return summary
    return Summary(max(summary.last, message.order), max(summary.at, message.at), max(0, summary.unread + unread))


def _message(staged: Staged, chat: ChatName, order: str, message: Message | None) -> None:
    if message is None or message.status is Status.MISSING:
        return  # a gap's marker: no message, before and after
    # One that has got its place in this very turn was not there before, and looking for it would cost a read of the disk.
    placed = staged.writes.get(place_key(chat, message.message_id, order_parts(order)[1]))
    before = None if placed is not None and placed.order == order else staged.before(message_key(chat, order))
    key = summary_key(chat)
    known = staged.get(key) or Summary()
    after = summed(known, message, unseen(message) - unseen(before))
    if after != known:
        staged.put(key, after)
    thread = thread_key(chat, order)
    if thread in staged.writes:
        _index(staged, chat, message, staged.get(thread))
    elif placed is not None and before is None:
        _index(staged, chat, message, None)
    elif before is None or (before.text, before.entity) != (message.text, message.entity):
        _index(staged, chat, message, staged.get(thread))


def _thread(staged: Staged, chat: ChatName, order: str) -> None:
    key = thread_key(chat, order)
    before, after = staged.before(key) or Thread(), staged.get(key) or Thread()
    message = staged.get(message_key(chat, order))
    if message is not None and (before.edited, before.deleted) != (after.edited, after.deleted):
        _index(staged, chat, message, after)


def _index(staged: Staged, chat: ChatName, message: Message, thread: Thread | None) -> None:
    key, found = search_key(chat, message.order), searchable(message, thread)
    if found:
        staged.put(key, found)
    elif thread is not None or message.entity:
        staged.delete(key)


def _failed(staged: Staged, event: MessageFailed | MessageExpired) -> None:
    expired = isinstance(event, MessageExpired)
    reason, status = ("", 0) if isinstance(event, MessageExpired) else (event.reason, event.status)
    key = failure_key(MessageId(event.message_id))
    known = staged.get(key) or Failure()
    staged.put(key, replace(known, reason=reason, status=status, expired=expired, member=event.member))


def _place(name: str) -> tuple[ChatName, str]:
    _, chat, order = name.split("/", 2)
    return _chat(chat), order


def _chat(name: str) -> ChatName:
    # Its form was checked when the record was written.
    return name  # type: ignore[return-value]
