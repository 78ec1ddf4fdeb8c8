"""Where messages and changes lie, and how they are found again."""

from __future__ import annotations

from ..ids import AccountId, ChatName, Number
from ..seam import Key
from .events import MessageReceived, MessageSent
from .record_values import Message
from .records import EVENT, MESSAGE, PLACE, PLACED, change_key, message_key, order_parts, place_key
from .step import Turn
from .thread import Place

__all__ = ["index_all", "lookup", "others", "put", "remember_place", "target_of"]


def put(turn: Turn, chat: ChatName, message: Message) -> None:
    """Store a message, or a change, at its place."""
    turn.staged.put(_key(chat, message), message)


def lookup(turn: Turn, chat: ChatName, order: str) -> Message | None:
    """What stands at a place: a message, or a change."""
    return turn.staged.get(message_key(chat, order)) or turn.staged.get(change_key(chat, order))


def remember_place(turn: Turn, chat: ChatName, message: Message, cursor: int, *, fresh: bool = False) -> None:
    """From now on the message can be found by its id. The lowest place keeps the id: a second one comes from no
    honest device. A `fresh` id of ours has none yet, and looking for it would cost a read of the disk."""
    key = place_key(chat, message.message_id, order_parts(message.order)[1])
    known = None if fresh else turn.staged.get(key)
    if known is None or message.order < known.order:
        turn.staged.put(key, Place(message.order, cursor))


def target_of(turn: Turn, chat: ChatName, message_id: str, account: AccountId) -> tuple[Message, Place] | None:
    """The message with this id by this account."""
    place = turn.staged.get(place_key(chat, message_id, account))
    message = turn.staged.get(message_key(chat, place.order)) if place is not None else None
    return (message, place) if message is not None and place is not None else None


def others(turn: Turn, chat: ChatName, message_id: str) -> list[tuple[Message, Place]]:
    """All messages with this id, whoever wrote them: first things first."""
    found = []
    for key in turn.staged.scan(PLACE, f"{chat}/{message_id}/"):
        place = turn.staged.get(key)
        message = turn.staged.get(message_key(chat, place.order)) if place is not None else None
        if message is not None and place is not None:
            found.append((message, place))
    return sorted(found, key=lambda item: item[1].order)


def index_all(turn: Turn) -> None:
    """Once in the life of a store that was made before there was an index."""
    if turn.staged.get(PLACED) is not None:
        return
    turn.staged.put(PLACED, b"1")
    told: dict[tuple[str, str], int] = {}
    messages = [key for key in turn.staged.scan(MESSAGE) if not key.name.endswith("~")]
    for event in turn.staged.scan(EVENT) if messages else ():
        recorded = turn.staged.get(event)
        if recorded is not None and isinstance(recorded.event, MessageReceived | MessageSent):
            told[recorded.event.chat, recorded.event.order] = recorded.cursor
    for key in messages:
        chat = Number(key.name.split("/")[1])
        message = turn.staged.get(key)
        if message is not None:
            remember_place(turn, chat, message, told.get((chat, message.order), 0))


def _key(chat: ChatName, message: Message) -> Key[Message]:
    return change_key(chat, message.order) if message.change else message_key(chat, message.order)
