"""What stands between the messages of a chat: dividers where its protection changed, cards for what was not readable.

Each stands behind everything of the Lamport time that the chat had when the turn began, so that a message of the same
turn comes after it; it takes no place in the order that devices agree on, because every device has its own. Both are
bounded per chat, and only chats that there are have any: strangers fill nothing (SR-07, SR-08).

Receipts, typing and requests are encrypted like text, and nothing outside of the encryption says which of them a frame
was. So a card claims no message; and what came one after the other, for the same reason, is one card that counts.
"""

from __future__ import annotations

import json
from dataclasses import replace

from ..ids import AccountId, ChatName, DeviceId, MessageId, Number, group_of
from ..seam import Staged
from .events import (
    EncryptionEnded,
    EncryptionStalled,
    Event,
    KeysChanged,
    MessageReceived,
    MessageUnreadable,
    ProtocolSwitched,
    Recorded,
    SecurityChanged,
    event_to_json,
)
from .history_records import CARD_TYPE, NOTICE_TYPE, Asides, aside_key, asides_key
from .record_values import Message, Status
from .records import chat_key, order_of, order_parts
from .security import Security

__all__ = ["MOST_CARDS", "MOST_DIVIDERS", "note"]

MOST_DIVIDERS = 200
MOST_CARDS = 32

_LAST = AccountId(b"\xff" * 16)
_LAST_DEVICE = DeviceId(0xFF)

_NAMED = frozenset(
    state.value
    for state in (
        Security.ENCRYPTED,
        Security.VERIFIED,
        Security.NO_LONGER_VERIFIED,
        Security.PLAIN_RCS,
        Security.PLAIN_SMS,
    )
)
"""States that have a divider of their own. Those in between (checking, no keys) send nothing, and the others have an
event that says more."""
_ENDS = frozenset((Security.ENDED.value, Security.STALLED.value))


def note(staged: Staged, recorded: Recorded) -> None:
    """An event was told: put a divider or a card, or take away the card of a message that has come after all."""
    match recorded.event:
        case MessageReceived() as received:
            _come(staged, received.chat, received.message_id)
        case MessageUnreadable(chat=str() as chat) as unreadable:
            _card(staged, chat, recorded, unreadable)
        case SecurityChanged(chat=chat, state=state):
            known = staged.get(asides_key(chat)) or Asides()
            first = not known.shown and state == Security.ENCRYPTED.value and not _after_plain(staged, chat)
            if state in _ENDS or first:
                # What was encrypted from its first message on has nothing to be divided from.
                staged.put(asides_key(chat), replace(known, shown=state))
            elif state in _NAMED and state != known.shown:
                _divider(staged, chat, replace(known, shown=state), recorded)
        case KeysChanged(chat=chat) | EncryptionEnded(chat=chat) | EncryptionStalled(chat=chat):
            _divider(staged, chat, staged.get(asides_key(chat)) or Asides(), recorded)
        case ProtocolSwitched(chat=chat):
            _divider(staged, chat, staged.get(asides_key(chat)) or Asides(), recorded)
        case _:
            pass


def _after_plain(staged: Staged, chat: ChatName) -> bool:
    known = staged.get(chat_key(chat))
    # Each unencrypted message raises it, and in a group, which has none, whoever comes in.
    return known is not None and known.floor > 0 and group_of(chat) is None


def _divider(staged: Staged, chat: ChatName, known: Asides, recorded: Recorded) -> None:
    order = _place(staged, chat, recorded)
    if order is None:
        return
    staged.put(aside_key(chat, order), _item(order, recorded, Status.SEEN, NOTICE_TYPE, "", recorded.event))
    dividers = (*known.dividers, order)
    for old in dividers[:-MOST_DIVIDERS]:
        staged.delete(aside_key(chat, old))
    staged.put(asides_key(chat), replace(known, dividers=dividers[-MOST_DIVIDERS:]))


def _card(staged: Staged, chat: ChatName, recorded: Recorded, event: MessageUnreadable) -> None:
    known = staged.get(asides_key(chat)) or Asides()
    claimed = event.message_id
    order = next((place for name, place in known.cards if claimed and name == claimed), None)
    count = 1
    if order is not None:
        count = _count(staged, chat, order)
    elif (order := _of_the_same(staged, chat, known, event)) is not None:
        count = _count(staged, chat, order) + 1
        known = replace(known, cards=(*known.cards, (claimed, order)))
    else:
        order = _place(staged, chat, recorded)
        if order is None:
            return
        known = replace(known, cards=(*known.cards, (claimed, order)))
    item = _item(order, recorded, Status.UNREADABLE, CARD_TYPE, claimed, event)
    staged.put(aside_key(chat, order), _counting(item, count))
    cards = known.cards[-MOST_CARDS:]
    for old in {place for _, place in known.cards} - {place for _, place in cards}:
        staged.delete(aside_key(chat, old))
    staged.put(asides_key(chat), replace(known, cards=cards))


def _of_the_same(staged: Staged, chat: ChatName, known: Asides, event: MessageUnreadable) -> str | None:
    """The card before, if no message stands behind it and it says the same of the same sender."""
    before = staged.before(chat_key(chat))
    if not known.cards or before is None:
        return None
    order = known.cards[-1][1]
    item = staged.get(aside_key(chat, order))
    if item is None or order_parts(order)[0] != before.lamport:
        return None
    told = json.loads(item.text or "{}")
    same = (told.get("sender", ""), told.get("reason", ""), bool(told.get("asked_again")))
    return order if same == (event.sender, event.reason, event.asked_again) else None


def _count(staged: Staged, chat: ChatName, order: str) -> int:
    item = staged.get(aside_key(chat, order))
    return 1 if item is None else int(json.loads(item.text or "{}").get("count", 1))


def _counting(item: Message, count: int) -> Message:
    if count == 1:
        return item
    return replace(item, text=json.dumps({**json.loads(item.text or "{}"), "count": count}, ensure_ascii=False))


def _come(staged: Staged, chat: ChatName, message_id: str) -> None:
    known = staged.get(asides_key(chat))
    if known is None or not known.cards:
        return
    for name, order in known.cards:
        if name == message_id:
            item, count = staged.get(aside_key(chat, order)), _count(staged, chat, order) - 1
            rest = tuple(card for card in known.cards if card != (name, order))
            if item is not None and count > 0 and any(place == order for _, place in rest):
                bare = {key: value for key, value in json.loads(item.text or "{}").items() if key != "count"}
                staged.put(aside_key(chat, order), _counting(replace(item, text=json.dumps(bare)), count))
            else:
                staged.delete(aside_key(chat, order))
            staged.put(asides_key(chat), replace(known, cards=rest))
            return


def _place(staged: Staged, chat: ChatName, recorded: Recorded) -> str | None:
    if staged.get(chat_key(chat)) is None:
        return None
    before = staged.before(chat_key(chat))
    lamport = before.lamport if before is not None else 0
    return order_of(lamport, _LAST, _LAST_DEVICE, recorded.cursor & 0xFFFFFFFF)


def _item(order: str, recorded: Recorded, status: Status, content_type: str, message_id: str, event: Event) -> Message:
    sender = event.sender if isinstance(event, MessageUnreadable) else ""
    return Message(
        order=order,
        message_id=MessageId(message_id or f"notice-{recorded.cursor:016x}"),
        sender=Number(sender),
        mine=False,
        encrypted=True,
        status=status,
        sent_at=0,
        at=recorded.at,
        content_type=content_type,
        text=json.dumps(event_to_json(event), ensure_ascii=False),
    )
