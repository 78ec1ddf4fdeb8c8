"""The order of a chat: Lamport time, then sender, then sequence; causes before effects.

Each sending device numbers its content from 1, and names what it had seen of the others. A message
that came before its causes is held back, for a bounded time and count; then it is shown with a marker
"a message is missing", which is also how a carrier that drops is noticed. A late message fills its gap.

`Seen` of the sender itself is not a cause: it says after which sequence its present audience began, so
that a newly linked device does not miss what was never sent to it.

Lamport time of a device that knows nothing of a chat begins at 1, while the chat may be years old: a new phone of the
contact, a newly linked device. What it sends then stands behind what was there when it was met (its floor), on each
device that was there before; its own order, and that of others that came later, may be another one. It ends with its
first message that says it has seen something. The wire is the same. The same holds for whoever comes into a group that
was there before, or comes back into it, or comes with other keys; of what was under way just then devices may have
different floors, and show the newcomer's first messages before or behind it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from ..ids import AccountId, DeviceId, GroupName, MessageId, Number, group_of
from ..seam import Header, Seen
from .conversations.records import membership_key
from .conversations.values import Membership
from .core import Core
from .events import MessageMissing
from .groups.values import group_key
from .record_values import Chat, Gap, Head, HeldNote, Message, Status
from .records import held_key, message_key, order_of, order_parts
from .showing import show
from .step import Turn

__all__ = [
    "admit",
    "admit_unplaced",
    "begin_again",
    "come_in",
    "meet",
    "next_due",
    "overdue",
    "reset_account",
    "seen_of",
]

Address = tuple[AccountId, DeviceId]

_MAX_CAUSES = 32
_FAR = (1 << 32) - 1


# --- sending ------------------------------------------------------------------------------------------
def seen_of(core: Core, chat: Chat) -> tuple[Seen, ...]:
    """What our next message names as seen in this chat."""
    seen = [Seen(core.me.account, core.me.device, chat.base)] if chat.base else []
    for head in chat.heads:
        sequence = head.gaps[0].first - 1 if head.gaps else head.sequence
        if sequence > head.quiet:
            seen.append(Seen(head.account, head.device, sequence))
    return tuple(seen)


# --- receiving ------------------------------------------------------------------------------------------
def meet(core: Core, chat: Chat, header: Header) -> tuple[Chat, Header]:
    """The chat with the sending device in it, and the header with the time at which the message stands here. Before
    `admit`, which takes both."""
    if not header.sequence:
        return chat, replace(header, lamport=max(header.lamport, chat.floor + 1))
    address = (header.sender.account, header.sender.device)
    head = _head(chat, address)
    if head is None:
        base = next((seen.sequence for seen in header.seen if (seen.account, seen.device) == address), 0)
        if _is_late(core, chat, header):
            floor = chat.lamport
        elif group_of(chat.number) is not None and _has_seen_others(header):
            floor = 0  # a member that was there all the time and is silent no more: its own time is the group's
        else:
            floor = chat.floor
        head = Head(*address, min(base, header.sequence - 1), floor=floor)
        chat = _with_head(chat, head)
    return chat, replace(header, lamport=max(header.lamport, head.floor + 1 if head.floor else 0))


def _is_late(core: Core, chat: Chat, header: Header) -> bool:
    """Whether a device, met now, knows nothing of a chat that others of its side have spoken in before."""
    sender, me = header.sender, core.me.account
    if _has_seen_others(header):
        return False
    if sender.account == me:
        return chat.sequence > 0 or any(head.account == me for head in chat.heads)
    if group_of(chat.number) is None:
        return any(head.account != me for head in chat.heads)
    return any(head.account == sender.account for head in chat.heads)


def _has_seen_others(header: Header) -> bool:
    sender = header.sender
    return any((seen.account, seen.device) != (sender.account, sender.device) for seen in header.seen)


def come_in(chat: Chat, accounts: Collection[AccountId]) -> Chat:
    """These are in the group from now on: nothing of theirs stands before what was there."""
    heads = tuple(replace(head, floor=chat.lamport) if head.account in accounts else head for head in chat.heads)
    return replace(chat, heads=heads, floor=chat.lamport)


def admit(core: Core, turn: Turn, chat: Chat, peers: Collection[AccountId], header: Header, message: Message) -> Chat:
    """Take an authenticated, new message: show it now, or hold it until what it follows is there. Its device was met.

    `peers` is the account of the contact, or of the members, whoever sent the message.
    """
    address = (header.sender.account, header.sender.device)
    chat = replace(chat, lamport=max(chat.lamport, header.lamport))
    head = _head(chat, address) or Head(*address, 0)
    if header.sequence <= head.sequence:
        return _late(core, turn, chat, head, header.sequence, message)
    causes = _open_causes(core, chat, peers, header)
    if not causes and header.sequence == head.sequence + 1:
        chat = show(core, turn, chat, message)
        chat = _with_head(chat, replace(head, sequence=header.sequence))
    else:
        until = turn.now + core.limits.reorder_ms
        note = HeldNote(message.order, *address, header.sequence, causes, until)
        turn.staged.put(held_key(chat.number, message.order), message)
        chat = replace(chat, held=(*chat.held, note))
    return _bounded(core, turn, _settle(core, turn, chat)) if chat.held else chat


def admit_unplaced(core: Core, turn: Turn, chat: Chat, header: Header, message: Message) -> Chat:
    """Take a message without a sequence: it is shown at once, and nothing waits for it."""
    chat = show(core, turn, chat, message)
    return replace(chat, lamport=max(chat.lamport, header.lamport))


def overdue(core: Core, turn: Turn, chat: Chat) -> Chat:
    """Show what has been held back for too long, and mark what is missing before it."""
    while late := [note for note in chat.held if note.until <= turn.now]:
        chat = _force(core, turn, chat, min(late, key=lambda note: note.order))
    return chat


def next_due(chat: Chat) -> int | None:
    """When `overdue` has something to do."""
    return min((note.until for note in chat.held), default=None)


def reset_account(core: Core, turn: Turn, chat: Chat, old: AccountId) -> Chat:
    """The peer has another account now: show what is held of the old one, and expect nothing more of it. What the new
    one says first comes after all that."""
    for note in sorted((note for note in chat.held if note.account == old), key=lambda note: note.order):
        chat = _release(core, turn, chat, note)
    heads = tuple(replace(head, quiet=head.sequence) for head in chat.heads if head.account != old)
    return _settle(core, turn, replace(chat, heads=heads, floor=chat.lamport))


def begin_again(core: Core, turn: Turn, chat: Chat) -> Chat:
    """We come back to a group: what was said in between was not for us, and nothing waits for it."""
    for note in sorted(chat.held, key=lambda note: note.order):
        if note in chat.held:
            chat = _release(core, turn, chat, note)
    return replace(chat, heads=())


# --- the buffer --------------------------------------------------------------------------------------------
def _settle(core: Core, turn: Turn, chat: Chat) -> Chat:
    """Show everything that waits for nothing any more, first things first."""
    while True:
        ready = [note for note in chat.held if _is_ready(chat, note)]
        if not ready:
            return chat
        chat = _release(core, turn, chat, min(ready, key=lambda note: note.order))


def _bounded(core: Core, turn: Turn, chat: Chat) -> Chat:
    while len(chat.held) > core.limits.reorder_count:
        chat = _force(core, turn, chat, min(chat.held, key=lambda note: note.order))
    return chat


def _force(core: Core, turn: Turn, chat: Chat, note: HeldNote) -> Chat:
    """Show `note` now, and before it what is held of its causes; mark the rest as missing."""
    lamport = order_parts(note.order)[0]
    for account, device, sequence in note.causes:
        chat = _advance(core, turn, chat, (account, device), sequence, lamport)
    chat = _advance(core, turn, chat, (note.account, note.device), note.sequence - 1, lamport)
    if note in chat.held:
        chat = _release(core, turn, chat, note)
    return _settle(core, turn, chat)


def _advance(core: Core, turn: Turn, chat: Chat, address: Address, target: int, lamport: int) -> Chat:
    """Move one device's head to `target`: show what is held on the way, mark what is not."""
    while (head := _head(chat, address) or Head(*address, 0)).sequence < target:
        on_the_way = [
            note
            for note in chat.held
            if (note.account, note.device) == address and head.sequence < note.sequence <= target
        ]
        if on_the_way:
            # Its own causes no longer matter: it was due with what follows it.
            chat = _release(core, turn, chat, min(on_the_way, key=lambda note: note.sequence))
        else:
            chat = _missing(core, turn, chat, head, target, lamport)
    return chat


def _release(core: Core, turn: Turn, chat: Chat, note: HeldNote) -> Chat:
    head = _head(chat, (note.account, note.device)) or Head(note.account, note.device, 0)
    chat = replace(chat, held=tuple(other for other in chat.held if other is not note))
    if note.sequence > head.sequence + 1:
        chat = _missing(core, turn, chat, head, note.sequence - 1, order_parts(note.order)[0])
        head = _head(chat, (note.account, note.device)) or head
    key = held_key(chat.number, note.order)
    message = turn.staged.get(key)
    turn.staged.delete(key)
    if message is not None:
        chat = show(core, turn, chat, message)
    return _with_head(chat, replace(head, sequence=max(head.sequence, note.sequence)))


def _is_ready(chat: Chat, note: HeldNote) -> bool:
    head = _head(chat, (note.account, note.device))
    at = head.sequence if head else 0
    if note.sequence > at + 1:
        return False
    return all(
        (cause := _head(chat, (account, device))) is not None and cause.sequence >= sequence
        for account, device, sequence in note.causes
    )


def _open_causes(
    core: Core, chat: Chat, peers: Collection[AccountId], header: Header
) -> tuple[tuple[AccountId, DeviceId, int], ...]:
    """What the sender had seen and we have not."""
    me = core.me
    open_causes = []
    for seen in header.seen:
        address = (seen.account, seen.device)
        if address in ((me.account, me.device), (header.sender.account, header.sender.device)):
            continue
        # Of accounts that are neither ours nor in the chat nothing will ever come here.
        if seen.account != me.account and seen.account not in peers:
            continue
        head = _head(chat, address)
        # A linked device was not there from the start and cannot tell old from missing; a primary was, but in a group.
        if head is None and (me.device != 1 or group_of(chat.number) is not None):
            continue
        if seen.sequence > (head.sequence if head else 0):
            open_causes.append((seen.account, seen.device, min(seen.sequence, _FAR)))
    return tuple(open_causes[:_MAX_CAUSES])


# --- gaps ------------------------------------------------------------------------------------------------------
def _missing(core: Core, turn: Turn, chat: Chat, head: Head, last: int, lamport: int) -> Chat:
    """Put a marker where messages up to `last` should stand."""
    gap = Gap(head.sequence + 1, last, lamport)
    sender = _sender(core, turn, chat, head.account)
    order = _marker_order(head, gap)
    marker = Message(
        order=order,
        message_id=MessageId(f"{gap.first}-{gap.last}"),
        sender=sender,
        mine=sender == core.me.number,
        encrypted=True,
        status=Status.MISSING,
        sent_at=0,
        at=turn.now,
        content_type="",
        text="",
    )
    turn.staged.put(message_key(chat.number, order), marker)
    turn.tell(MessageMissing(chat.number, sender, head.device, gap.first, gap.last, order))
    gaps = (*head.gaps, gap)[-core.limits.max_gaps :]
    return _with_head(chat, replace(head, sequence=last, gaps=gaps))


def _sender(core: Core, turn: Turn, chat: Chat, account: AccountId) -> Number:
    if account == core.me.account:
        return core.me.number
    if group_of(chat.number) is None:
        return Number(chat.number)
    group = turn.staged.get(group_key(GroupName(chat.number)))
    if group is None:
        kept = turn.staged.get(membership_key(chat.number)) or Membership(chat.number)
        return next((each.number for each in (*kept.members, *kept.former) if each.account == account), Number(""))
    member = group.once(account)
    return member.number if member is not None else Number("")


def _late(core: Core, turn: Turn, chat: Chat, head: Head, sequence: int, message: Message) -> Chat:
    """A message whose turn is over: show it at its place, and close its gap if it had one."""
    gap = next((gap for gap in head.gaps if gap.first <= sequence <= gap.last), None)
    chat = show(core, turn, chat, message, fills_gap=gap is not None)
    if gap is None:
        return chat
    rest = [
        part
        for part in (Gap(gap.first, sequence - 1, gap.lamport), Gap(sequence + 1, gap.last, gap.lamport))
        if part.first <= part.last
    ]
    old_order = _marker_order(head, gap)
    marker = turn.staged.get(message_key(chat.number, old_order))
    turn.staged.delete(message_key(chat.number, old_order))
    if marker is not None:
        for part in rest:
            order = _marker_order(head, part)
            name = MessageId(f"{part.first}-{part.last}")
            turn.staged.put(message_key(chat.number, order), replace(marker, order=order, message_id=name))
    gaps = tuple(other for known in head.gaps for other in (rest if known is gap else (known,)))
    return _with_head(chat, replace(head, gaps=gaps[-core.limits.max_gaps :]))


def _marker_order(head: Head, gap: Gap) -> str:
    """Before the message that overtook, which has a higher sequence, and never the name of a message's own place."""
    return order_of(gap.lamport, head.account, head.device, gap.first) + "~"


def _head(chat: Chat, address: Address) -> Head | None:
    for head in chat.heads:
        if head.device == address[1] and head.account == address[0]:
            return head
    return None


def _with_head(chat: Chat, head: Head) -> Chat:
    others = tuple(other for other in chat.heads if other.device != head.device or other.account != head.account)
    return replace(chat, heads=(*others, head))
