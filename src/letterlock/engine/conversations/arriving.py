"""Letters and signed receipts that have come: decrypted, certified, and now messages of a chat.

Repeats are told by (certified sender, its leaf, message id) and by nothing before the decryption (SR-05). A letter that
was sent again under another id is the message that it repeats: shown once, known by the id of the first.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

from ...conversation_seam import LetterReceipt, LetterReceived
from ...errors import DecodeError, InvalidRcc16
from ...ids import AccountId, ChatName, DeviceId, MessageId, Number, group_of
from ...seam import Header, Party
from .. import chats, ordering, outbox
from ..content import (
    File,
    GroupChange,
    GroupRequest,
    Receipt,
    Receipts,
    ResendRequest,
    Typing,
    read,
    with_keys,
)
from ..core import Core
from ..events import MessageDelivered, MessageDisplayed, MessageUnreadable
from ..received import message_of, typing_seen
from ..record_values import InboxEntry, Status
from ..records import INBOX, change_key, delivery_key, held_key, inbox_key, message_key
from ..step import Turn
from . import files, members
from . import outbox as packets
from .letters import Placed, placed, read_letter, referring_to, refers_to
from .records import COPY, copy_heard_key, copy_key
from .values import Copy

__all__ = ["letter", "receipt"]


def letter(core: Core, turn: Turn, name: ChatName, come: LetterReceived) -> None:
    """A letter that a leaf certified for its sender has signed."""
    if group_of(name) is None and come.sender not in (name, core.me.number):
        return  # the protocol binds the sender to the conversation (SR-03); this is the second lock on that door
    # The whole of the leaf's hash tells repeats, whatever number a device gives itself.
    key = inbox_key(name, come.root, AccountId(come.device[:16].ljust(16, b"\0")), 0)
    if turn.staged.get(key) is not None:
        return
    if files.is_key(come):
        waited = files.take_key(core, turn, name, come)
        if waited is not None:
            letter(core, turn, name, waited)
        return
    digest = hashlib.sha256(come.entity).digest()[:16]
    if come.message_id != come.root:
        turn.staged.put(copy_heard_key(name, come.message_id, come.device), Copy(name, come.root, turn.now))
    headers = come.headers
    about = _repeated(turn, name, refers_to(come))
    if about is not None:
        headers = referring_to(come, about)
    place = placed(come)
    try:
        body = read_letter(come.entity, headers, place.sent_at)
        entity = read(body, core.limits)
        if isinstance(entity.content, File) and entity.content.pointer is None:
            file = files.complete(core, turn, name, come, entity.content)
            if file is None:
                return  # until its key comes (rcc16.md 7.3)
            body, entity = with_keys(body, file), replace(entity, content=file)
    except (DecodeError, InvalidRcc16) as error:
        turn.staged.put(key, InboxEntry(digest, "", turn.now, turn.now, letter=True))
        sender = "" if group_of(name) is None else come.sender
        turn.tell(MessageUnreadable(name, come.root, place.device, f"content:{error.code}", sender=sender))
        return
    content = entity.content
    if isinstance(content, Receipt | Receipts | ResendRequest | GroupRequest | GroupChange | Typing):
        # Receipts of this protocol are signed and stand outside; requests and logs are another one's.
        turn.staged.put(key, InboxEntry(digest, "", turn.now, turn.now, letter=True))
        if isinstance(content, Typing) and group_of(name) is None and come.sender != core.me.number:
            typing_seen(core, turn, Number(name), content)
        return
    party = Party(come.sender, members.account_of(core, turn, name, come.sender), place.device)
    chat = chats.load(turn, name)
    chat, header = ordering.meet(core, chat, _header(core, turn, name, come, party, place, chat.lamport))
    message = message_of(core, party, header, entity, content, body, turn.now)
    if header.lamport <= chat.lamport and _is_taken(turn, name, message.order):
        header = replace(header, lamport=chat.lamport + 1)
        message = message_of(core, party, header, entity, content, body, turn.now)
    turn.staged.put(key, InboxEntry(digest, message.order, turn.now, turn.now, letter=True))
    if message.mine:
        chat = replace(chat, accepted=True)
    else:
        chat = replace(chat, typing_seen=0)
    chat = replace(chat, sticky=True)
    if header.sequence:
        peers = frozenset(member.account for member in members.membership(turn, name).members)
        chat = ordering.admit(core, turn, chat, peers, header, message)
    else:
        chat = ordering.admit_unplaced(core, turn, chat, header, message)
    chats.save(core, turn, chat)
    if (due := ordering.next_due(chat)) is not None:
        turn.wake(due)


def receipt(core: Core, turn: Turn, name: ChatName, come: LetterReceipt) -> None:
    """A member's signed word about a letter of ours."""
    copy = turn.staged.get(copy_key(come.message_id))
    if copy is not None and copy.chat != name:
        return
    root = copy.root if copy is not None else come.message_id
    packets.confirmed(turn, come.message_id, come.member)
    if copy is not None:
        packets.confirmed(turn, root, come.member)
    delivery = turn.staged.get(delivery_key(root))
    if come.member == core.me.number or delivery is None or delivery.chat != name:
        return
    address = (members.account_of(core, turn, name, come.member), DeviceId(0))
    most = _MOST + delivery.members
    fresh = replace(
        delivery,
        delivered=_with(delivery.delivered, address, most),
        displayed=_with(delivery.displayed, address, most) if come.displayed else delivery.displayed,
    )
    if fresh == delivery:
        return
    turn.staged.put(delivery_key(root), fresh)
    for status, confirmed in ((Status.DELIVERED, fresh.delivered), (Status.DISPLAYED, fresh.displayed)):
        if confirmed and len(confirmed) >= fresh.members:
            outbox.raise_status(turn, fresh, status)
    member = "" if group_of(name) is None else come.member
    if fresh.delivered != delivery.delivered:
        turn.tell(MessageDelivered(name, MessageId(root), 0, member=member))
    if fresh.displayed != delivery.displayed:
        turn.tell(MessageDisplayed(name, MessageId(root), 0, member=member))


# --- inside ----------------------------------------------------------------------------------------------------------
_MOST = 64


def _repeated(turn: Turn, name: ChatName, message_id: str) -> MessageId | None:
    """The message that is known under another id than the one by which somebody speaks of it: the id of a copy.

    A message of that id itself comes first, so that nobody turns what is said about it by a letter of his own under the
    same id; and where two say different things of it, none of them is believed.
    """
    ours = turn.staged.get(copy_key(message_id or "-"))
    if ours is not None:
        return ours.root if ours.chat == name else None
    if not message_id or any(True for _ in turn.staged.scan(INBOX, f"{name}/{message_id}/")):
        return None
    if turn.staged.get(delivery_key(message_id)) is not None:
        return None
    heard = [turn.staged.get(key) for key in turn.staged.scan(COPY, f"{name}/{message_id}/")]
    roots = {copy.root for copy in heard if copy is not None}
    return roots.pop() if len(roots) == 1 else None


def _with(
    known: tuple[tuple[AccountId, DeviceId], ...], address: tuple[AccountId, DeviceId], most: int
) -> tuple[tuple[AccountId, DeviceId], ...]:
    return known if address in known or len(known) >= most else (*known, address)


def _header(
    core: Core, turn: Turn, name: ChatName, come: LetterReceived, party: Party, place: Placed, lamport: int
) -> Header:
    at = place.lamport if place.sequence else lamport + 1
    if at > lamport + core.limits.max_lamport_jump:
        at = lamport + 1  # one absurd clock must not push this chat's time to its end (SR-08)
    return Header(
        sender=party,
        recipient=core.me,
        conversation=chats.conversation(core.me.number, name),
        message_id=come.root,
        lamport=at,
        sequence=place.sequence,
        seen=place.seen,
        sender_list_head=b"",
        recipient_list_head=b"",
    )


def _is_taken(turn: Turn, name: ChatName, order: str) -> bool:
    return any(turn.staged.get(key(name, order)) is not None for key in (message_key, change_key, held_key))
