"""From a message of a group to rows in the outbox: one for each member by the log, and for nobody else (SR-04).

A member is written to for the account that the log names. Whose keys are not there yet gets its copy later and holds
up nobody; a number whose keys have changed since it was added is another account, and gets nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ... import ids
from ...ids import AccountId, GroupName
from ...seam import DeviceProtocol, Seen
from ...trust.group_log_bundle import Bundle, encode_bundle
from ...trust.group_log_entry import Member
from .. import chats, fetching, ordering, outbox, policy, posting, sealing
from ..content import GROUP_TYPE, Parts, encode, with_chat, with_heads
from ..core import Core
from ..events import MessageExpired, MessageFailed
from ..record_values import Chat, Contact, Delivery, Message, Status, Task, Waiting
from ..records import delivery_key, order_of, order_parts, waiting_key
from ..sealing import Letter, NotReady
from ..shelf import lookup, put
from ..step import Turn
from . import log as groups_log
from .values import Group, Since, group_key, since_key

__all__ = ["announce", "copy_for", "expired", "next_place", "post", "post_waiting", "seen_by", "writable"]

_MOST_SEEN = 32
"""Of the devices that a message follows, the last ones that spoke: who has these has what they followed."""


def next_place(core: Core, turn: Turn, name: GroupName) -> tuple[Chat, str]:
    """The chat one message further, and the place of that message."""
    chat = chats.load(turn, name)
    chat = replace(chat, lamport=chat.lamport + 1, sequence=chat.sequence + 1)
    return chat, order_of(chat.lamport, core.me.account, core.me.device, chat.sequence)


def announce(core: Core, turn: Turn, group: Group, bundle: Bundle, concerned: Iterable[Member]) -> None:
    """Send entries of ours like a message: in the order of the chat, until each of these has confirmed them."""
    chat, order = next_place(core, turn, group.name)
    message = Message(
        order=order,
        message_id=ids.new_message_id(turn.rng),
        sender=core.me.number,
        mine=True,
        encrypted=True,
        status=Status.SENDING,
        sent_at=turn.now,
        at=turn.now,
        content_type=GROUP_TYPE,
        text=None,
        entity=encode(Parts(GROUP_TYPE, encode_bundle(bundle)), turn.now),
        change=True,
    )
    put(turn, group.name, post(core, turn, chat, group, message, concerned))
    chats.save(core, turn, chat)


def post(core: Core, turn: Turn, chat: Chat, group: Group, message: Message, recipients: Iterable[Member]) -> Message:
    """Rows for these members and for our own other devices. Gives the message with its status; the caller stores it."""
    own = chats.own_list(core, turn)
    reached, waiting = 0, 0
    for member in recipients:
        if member.account == core.me.account or _is_elsewhere(turn, member):
            continue
        try:
            _post_to(core, turn, chat, group, message, member, own)
            reached += 1
        except NotReady:
            waiting += _wait(core, turn, group.name, message, member)
    turn.staged.put(
        delivery_key(message.message_id),
        Delivery(group.name, message.order, at=turn.now, members=max(1, reached + waiting)),
    )
    if len(own.recipient.devices) > 1:
        lamport, _, _, sequence = order_parts(message.order)
        body = copy_for(core, turn, group, message, core.me.account)
        since = _since(turn, group.name, own, sequence)
        turn.staged.put(since_key(group.name, own.account), since)
        seen = (*_began(core, since), *_followed(core, chat))
        letter = Letter(message.message_id, lamport, sequence, seen, body, group.name)
        posting.seal_for_own(core, turn, group.name, message, letter, own)
    if not reached:
        status = Status.WAITING if waiting else Status.DELIVERED
        return replace(message, status=status)
    return message


def post_waiting(core: Core, turn: Turn, group: Group, message: Message, member: Member, own: Contact) -> bool:
    """The copy of one member that has waited for keys; whether they are there."""
    try:
        _post_to(core, turn, chats.load(turn, group.name), group, message, member, own)
    except NotReady:
        return False
    if message.status is Status.WAITING:
        put(turn, group.name, replace(message, status=Status.SENDING))
    return True


def expired(turn: Turn, name: GroupName, waiting: Waiting) -> None:
    """The keys of one member did not come in time."""
    message, group = lookup(turn, name, waiting.order), turn.staged.get(group_key(name))
    member = group.member(waiting.account) if group is not None else None
    if message is None or message.content_type == GROUP_TYPE:
        return
    if message.status is Status.WAITING:
        put(turn, name, replace(message, status=Status.EXPIRED))
    turn.tell(MessageExpired(name, message.message_id, member.number if member is not None else ""))


def writable(core: Core, turn: Turn, member: Member) -> tuple[Contact, DeviceProtocol] | None:
    """The keys to encrypt for a member, and how; None while there are none that are the log's and that the user has
    not objected to."""
    contact = chats.contact_of(turn, member.number)
    if contact is None or contact.account != member.account or contact.broken:
        return None
    protocol = policy.encrypting(core, contact, turn.now)
    return None if protocol is None else (contact, protocol)


def copy_for(core: Core, turn: Turn, group: Group, message: Message, account: AccountId) -> bytes:
    """What is encrypted for one account: a newcomer to this device gets as much of the log as one frame takes."""
    entity = posting.entity_of(message)
    if message.content_type == GROUP_TYPE and turn.staged.get(since_key(group.name, account)) is None:
        entity = encode(Parts(GROUP_TYPE, _whole_log(core, turn, group)), message.sent_at)
    entity = with_heads(entity, group.heads)
    return with_chat(entity, group.name) if account == core.me.account else entity


def _whole_log(core: Core, turn: Turn, group: Group) -> bytes:
    key = (group.name, group.entries)
    if key not in turn.whole_logs:
        log = groups_log.load(core, turn, group)
        turn.whole_logs[key] = encode_bundle(groups_log.bundle_of(core, turn, log, ()))
    return turn.whole_logs[key]


def seen_by(core: Core, turn: Turn, name: GroupName, account: AccountId) -> tuple[Seen, ...]:
    """After which sequence of ours this member's devices began to get our messages."""
    since = turn.staged.get(since_key(name, account))
    return _began(core, since) if since is not None else ()


# --- one member ------------------------------------------------------------------------------------------------
def _post_to(core: Core, turn: Turn, chat: Chat, group: Group, message: Message, member: Member, own: Contact) -> None:
    ready = writable(core, turn, member)
    if ready is None:
        contact = chats.contact_of(turn, member.number)
        fetching.lists(core, turn, member.number, contact.list.serial if contact is not None else 0)
        fetching.hasten(core, turn, member.number)
        raise NotReady
    contact, protocol = ready
    if turn.now - contact.fetched_at >= core.limits.list_refresh_ms:
        fetching.lists(core, turn, member.number, contact.list.serial)
    lamport, _, _, sequence = order_parts(message.order)
    body = copy_for(core, turn, group, message, member.account)
    since = _since(turn, group.name, contact, sequence)
    seen = (*_began(core, since), *_followed(core, chat))
    letter = Letter(message.message_id, lamport, sequence, seen, body, group.name)
    several = len(contact.recipient.devices) > 1
    frame, devices, skipped = sealing.seal(core, turn, protocol, letter, contact.recipient, own, may_skip=several)
    row = posting.row_of(core, turn, group.name, contact.recipient, message, protocol, frame, devices)
    outbox.add(core, turn, row)
    turn.staged.put(since_key(group.name, member.account), since)
    for device in skipped:
        posting.later(core, turn, group.name, message, contact, device)


def _since(turn: Turn, name: GroupName, contact: Contact, sequence: int) -> Since:
    """Newcomers, and new devices of members, must not wait for what was never sent to them (ordering.py)."""
    devices = bytes(device.id for device in contact.recipient.devices)
    since = turn.staged.get(since_key(name, contact.account))
    return since if since is not None and since.devices == devices else Since(devices, sequence - 1)


def _began(core: Core, since: Since) -> tuple[Seen, ...]:
    return (Seen(core.me.account, core.me.device, since.sequence),) if since.sequence else ()


def _followed(core: Core, chat: Chat) -> tuple[Seen, ...]:
    return ordering.seen_of(core, chat)[-_MOST_SEEN:]


def _is_elsewhere(turn: Turn, member: Member) -> bool:
    """The number has other keys now than the ones that the log names."""
    contact = chats.contact_of(turn, member.number)
    return contact is not None and contact.account != member.account


def _wait(core: Core, turn: Turn, name: GroupName, message: Message, member: Member) -> int:
    """Have it encrypted when the keys are there; not more than a bounded number in one group (SR-08)."""
    group = turn.staged.get(group_key(name))
    if group is None or group.waiting >= core.limits.max_waiting:
        turn.tell(MessageFailed(name, message.message_id, "no-keys", 0, member.number))
        return 0
    turn.staged.put(group_key(name), replace(group, waiting=group.waiting + 1))
    expires = message.at + core.limits.expiry_ms
    task = Waiting(Task.MEMBER, message.message_id, message.order, member.account, 0, turn.now, expires)
    turn.staged.put(waiting_key(name, task), task)
    turn.wake(expires)
    return 1
