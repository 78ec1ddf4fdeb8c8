"""What a genuine frame leads to: a message in its order, a receipt, a resend, typing; and the receipt for it.

The protocol has authenticated the sender and the header was checked (inbox.py); now repeats are
recognised by (sender device, message id) and nothing else (SR-05).
"""

from __future__ import annotations

from dataclasses import replace

from ..codec.frame import WireFrame
from ..errors import DecodeError
from ..ids import AccountId, ChatName, GroupId, GroupName, MessageId, Number, group_name, group_of
from ..seam import Content as Opening
from ..seam import DeviceProtocol, Header, Opened, Party
from . import chats, fetching, ordering, receipts, resend
from .content import (
    Content,
    Entity,
    GroupChange,
    GroupRequest,
    Parts,
    Receipt,
    Receipts,
    ResendRequest,
    Typing,
    encode,
    read,
)
from .core import Core
from .events import MessageUnreadable
from .groups import receiving as groups_receiving
from .groups.values import group_key
from .received import message_of, typing_seen
from .record_values import Contact, InboxEntry, Message
from .records import change_key, held_key, inbox_key, message_key, order_of
from .step import Turn

__all__ = ["deliver", "receipt_again"]


def deliver(
    core: Core,
    turn: Turn,
    protocol: DeviceProtocol,
    contact: Contact,
    party: Party,
    result: Opened,
    digest: bytes,
) -> None:
    header = result.content.header
    number = contact.list.number
    key = inbox_key(number, header.message_id, party.account, party.device)
    known = turn.staged.get(key)
    if known is not None:
        # The same message in a new frame (SR-05: recognised after authentication).
        turn.staged.put(key, replace(known, digest=digest))
        frame = WireFrame(party.account, party.device, core.me.account, b"", ())
        receipt_again(core, turn, number, header.message_id, frame, known)
        return
    body = result.content.body
    try:
        entity = read(body, core.limits)
        chat = _chat_of(core, party, header, entity)
    except DecodeError as error:
        if not header.sequence or party.account == core.me.account:
            turn.staged.put(key, InboxEntry(digest, "", turn.now, turn.now))
            turn.tell(MessageUnreadable(number, header.message_id, party.device, f"content:{error.code}"))
            return
        # It has a place in the order, and what follows it must not wait for it.
        body = encode(Parts("application/octet-stream", body), 0)
        entity = read(body, core.limits)
        chat = _chat_named(core, party, header)
    content = entity.content
    if not isinstance(content, Receipt | Receipts | ResendRequest | Typing | GroupRequest):
        _content(core, turn, contact, party, replace(result.content, body=body), entity, content, chat, digest)
        if isinstance(content, GroupChange) and group_of(chat) is not None:
            _take_letters(core, turn, GroupName(chat))
        return
    turn.staged.put(key, InboxEntry(digest, "", turn.now, turn.now))
    group = group_of(chat) is not None
    if isinstance(content, Receipt):
        receipts.received(core, turn, chat, party, content)
    elif isinstance(content, Receipts):
        for message_id in content.message_ids:
            receipts.received(core, turn, chat, party, Receipt(message_id, displayed=False))
    elif isinstance(content, ResendRequest):
        new_session = "session_started" in result.notes
        resend.answer(core, turn, protocol, chat, party, content.message_id, new_session=new_session)
    elif isinstance(content, GroupRequest):
        if group:
            groups_receiving.answer(core, turn, GroupName(chat), contact, party, content)
    elif party.account != core.me.account and not group:
        typing_seen(core, turn, Number(chat), content)


def _content(
    core: Core,
    turn: Turn,
    contact: Contact,
    party: Party,
    opened: Opening,
    entity: Entity,
    content: Content,
    chat: ChatName,
    digest: bytes,
) -> None:
    """Something to show, or a change of a group. Without a place in the order it counts all the same: nothing that was
    authenticated is lost."""
    header = opened.header
    message = message_of(core, party, header, entity, content, opened.body, turn.now)
    if group_of(chat) is None:
        _admit(core, turn, contact, party, header, message, chat, digest)
        return
    name, heads, is_change = GroupName(chat), entity.heads or (), isinstance(content, GroupChange)
    if isinstance(content, GroupChange):
        try:
            groups_receiving.learn(core, turn, name, content.entries, party)
        except DecodeError as error:
            turn.tell(MessageUnreadable(name, header.message_id, party.device, error.code, sender=party.number))
    behind = groups_receiving.note_heads(core, turn, name, heads, party)
    if is_change and chats.exists(turn, name):
        # Entries speak for themselves, whoever brings them; only their place in the order is left to note.
        message = message if message.mine else replace(message, entity=b"")
        _admit(core, turn, contact, party, header, message, name, digest)
    elif not is_change and groups_receiving.may_speak(core, turn, name, party):
        _admit(core, turn, contact, party, header, message, name, digest)
    elif behind or (not is_change and groups_receiving.may_return(turn, name)):
        groups_receiving.park(core, turn, name, party, opened, digest)
    else:
        key = inbox_key(contact.list.number, header.message_id, party.account, party.device)
        turn.staged.put(key, InboxEntry(digest, message.order if is_change else "", turn.now, turn.now))
        if is_change:
            receipts.delivered_here(
                core, turn, chats.load(turn, name), contact, party, header.message_id, entity.sent_at
            )
        else:
            reason = "group:not-a-member"
            turn.tell(MessageUnreadable(name, header.message_id, party.device, reason, sender=party.number))
            groups_receiving.tell_out(core, turn, name, contact, party, heads)


def _take_letters(core: Core, turn: Turn, name: GroupName) -> None:
    """More of a group's log is known: what waited for it is shown, waits on, or is refused."""
    before = -1
    while (letters := groups_receiving.letters(turn, name)) and len(letters) != before:
        # Changes wait as well, and each may be what others wait for.
        before = len(letters)
        for letter in letters:
            groups_receiving.take_up(turn, name, letter)
            contact = chats.contact_of(turn, letter.party.number)
            entity = read(letter.content.body, core.limits)
            if contact is not None and contact.account == letter.party.account and isinstance(entity.content, Content):
                _content(core, turn, contact, letter.party, letter.content, entity, entity.content, name, letter.digest)


def _admit(
    core: Core,
    turn: Turn,
    contact: Contact,
    party: Party,
    header: Header,
    message: Message,
    chat_number: ChatName,
    digest: bytes,
) -> None:
    mine = message.mine
    chat, header = ordering.meet(core, chats.load(turn, chat_number), header)
    message = replace(message, order=order_of(header.lamport, party.account, party.device, header.sequence))
    # One absurd clock must not push this chat's time to its end (SR-08). And a device that was put back from a
    # backup counts again from there: its new message must not take the place of an old one.
    if header.lamport > chat.lamport + core.limits.max_lamport_jump or (
        header.lamport <= chat.lamport and _is_taken(turn, chat_number, message.order)
    ):
        header = replace(header, lamport=chat.lamport + 1)
        order = order_of(header.lamport, party.account, party.device, header.sequence)
        message = replace(message, order=order)
    key = inbox_key(contact.list.number, header.message_id, party.account, party.device)
    turn.staged.put(key, InboxEntry(digest, message.order, turn.now, turn.now))
    peers = _peers(turn, chat_number, contact, mine)
    if mine:
        # Another device of ours encrypts to this chat: so must this one, whatever it is told (SR-01).
        chat = replace(chat, sticky=True, accepted=True)
        if not peers:
            fetching.look_up(core, turn, chat, None)
    else:
        chat = replace(chat, typing_seen=0)
    if header.sequence:
        chat = ordering.admit(core, turn, chat, peers, header, message)
    else:
        chat = ordering.admit_unplaced(core, turn, chat, header, message)
    chats.save(core, turn, chat)
    if (due := ordering.next_due(chat)) is not None:
        turn.wake(due)
    receipts.delivered_here(core, turn, chat, contact, party, header.message_id, message.sent_at)


def _peers(turn: Turn, chat: ChatName, contact: Contact, mine: bool) -> frozenset[AccountId]:
    """The accounts of the others in the chat, as far as they are known."""
    if group_of(chat) is not None:
        group = turn.staged.get(group_key(GroupName(chat)))
        return frozenset(member.account for member in group.members) if group is not None else frozenset()
    peer = contact if not mine else chats.contact_of(turn, Number(chat))
    return frozenset((peer.account,)) if peer is not None else frozenset()


def _is_taken(turn: Turn, number: ChatName, order: str) -> bool:
    return any(turn.staged.get(key(number, order)) is not None for key in (message_key, change_key, held_key))


def _chat_of(core: Core, party: Party, header: Header, entity: Entity) -> ChatName:
    """The chat that the content belongs to. Raises DecodeError when header and content disagree (SR-03)."""
    me = core.me.number
    if party.account != core.me.account:
        return _chat_named(core, party, header)
    control = isinstance(entity.content, Receipt | Receipts | ResendRequest | Typing)
    chat: ChatName | None = me if control else entity.to
    if chat is None and entity.heads is not None:
        # Devices of one account bring each other up to date about a group's log.
        chat = group_name(GroupId(header.conversation))
    if chat is None or header.conversation != chats.conversation(me, chat):
        raise DecodeError("a copy of our own names no chat", code="content.conversation")
    return chat


def _chat_named(core: Core, party: Party, header: Header) -> ChatName:
    """What another account's header names: the chat with it, or a group (inbox.py has seen to it that it is one)."""
    if header.conversation == chats.conversation(core.me.number, party.number):
        return party.number
    return group_name(GroupId(header.conversation))


def receipt_again(
    core: Core, turn: Turn, number: Number, message_id: MessageId, frame: WireFrame, entry: InboxEntry
) -> None:
    """It is sent again because our receipt was lost, or late: send one more, not too often."""
    if not entry.order or 0 <= turn.now - entry.receipt_at < core.limits.repeat_receipt_ms:
        return
    contact = chats.contact_of(turn, number)
    if contact is None or contact.account != frame.sender_account:
        return
    key = inbox_key(number, message_id, frame.sender_account, frame.sender_device)
    turn.staged.put(key, replace(entry, receipt_at=turn.now))
    sender = Party(number, frame.sender_account, frame.sender_device)
    # In a group the receipt goes by the message alone, in whatever conversation it is said.
    receipts.delivered_here(core, turn, chats.load(turn, number), contact, sender, message_id, entry.at)
