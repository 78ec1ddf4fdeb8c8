"""From a frame to genuine content: who could have sent it, open, check. What it leads to is in delivering.py.

Until the protocol has opened a frame everything about it is a claim, so nothing before that point may
suppress or change anything but bounded counters (SR-05, SR-07). After it, the inner header must agree
with every claim (SR-03) and name device lists that we know (SR-22).
"""

from __future__ import annotations

import hashlib
import hmac

from ..carriage import Inbound, Medium
from ..codec.frame import FrameCopy, WireFrame, decode_frame
from ..codec.imdn import MEDIA_TYPE as IMDN_TYPE
from ..codec.iscomposing import MEDIA_TYPE as TYPING_TYPE
from ..errors import DecodeError, DeviceListError
from ..ids import ConversationId, GroupId, Number, bot_of, group_name
from ..seam import Device, DeviceProtocol, Envelope, Frame, Header, Opened, Party, Rejected, Rejection
from . import bots, chats, contacts, delivering, fetching, parking, plain, resend, trouble, waiting
from .contacts import Unknown
from .content import names_group
from .conversations import receiving as conversations
from .core import Core
from .events import ProtocolNoted, SessionWithoutOneTimePrekey
from .groups.values import group_key
from .received import TYPING_MS
from .record_values import Contact
from .records import PARKED, inbox_key
from .step import Turn

__all__ = ["received", "unpark"]

_MAX_SEQUENCE = (1 << 32) - 2


class _Refused(Exception):
    """The frame is not taken. `ask` says that a fresh copy could be."""

    def __init__(self, reason: str, *, ask: bool = False, silent: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.ask = ask
        self.silent = silent


class _Parked(Exception):
    """The frame waits for a list."""

    def __init__(self, unknown: Unknown) -> None:
        super().__init__()
        self.unknown = unknown


def received(core: Core, turn: Turn, inbound: Inbound) -> None:
    """See Engine.received."""
    sender, media_type = inbound.sender, inbound.content_type.partition(";")[0].strip().lower()
    protocol = core.media_types.get(media_type)
    if inbound.recipient != core.me.number:
        return
    bot = bot_of(sender) if sender is not None else None
    if bot is not None:
        # In its own chat and nowhere else: whatever it holds or claims, it is no number's (SR-03).
        if inbound.group is None:
            bots.received(core, turn, bot, inbound, media_type)
    elif inbound.medium is Medium.SMS:
        plain.received_sms(core, turn, inbound, media_type)
    elif protocol is not None:
        _frame(core, turn, protocol, inbound, may_park=True)
    elif (
        (core.keeping and conversations.received(core, turn, inbound, media_type))
        or sender is None
        or sender == core.me.number
    ):
        return
    elif media_type == IMDN_TYPE:
        plain.received_receipt(core, turn, sender, inbound)
    elif media_type == TYPING_TYPE:
        plain.received_typing(core, turn, sender, inbound, TYPING_MS)
    else:
        plain.received(core, turn, sender, inbound, media_type)
        _look_again(core, turn, Number(sender))


def _look_again(core: Core, turn: Turn, number: Number) -> None:
    """A contact of whom no keys were found is there: it may just have got them. Strangers make us ask nothing (SR-08)."""
    chat, contact = chats.load(turn, number), chats.contact_of(turn, number)
    if contact is None and chat.absent_at:
        fetching.look_up(core, turn, chat, None)


def unpark(core: Core, turn: Turn, number: Number) -> None:
    """The directory has answered about a number: take what waited for it, or refuse it for good."""
    for key in list(turn.staged.scan(PARKED, f"{number}/")):
        parked = turn.staged.get(key)
        turn.staged.delete(key)
        if parked is not None:
            media_type = parked.inbound.content_type.partition(";")[0].strip().lower()
            protocol = core.media_types.get(media_type)
            if protocol is not None:
                _frame(core, turn, protocol, parked.inbound, may_park=False)


# --- one frame ----------------------------------------------------------------------------------------------
def _frame(core: Core, turn: Turn, protocol: DeviceProtocol, inbound: Inbound, *, may_park: bool) -> None:
    digest = hashlib.sha256(inbound.body).digest()[:16]
    frame: WireFrame | None = None
    try:
        frame = _decode(core, inbound)
        if _is_repeat(core, turn, inbound, frame, digest):
            return
        _take(core, turn, protocol, inbound, frame, digest, may_park)
    except _Parked as parked:
        parking.park(core, turn, inbound, digest, parked.unknown)
    except _Refused as refused:
        if refused.silent:
            return
        device = frame.sender_device if frame is not None else 0
        asked = refused.ask and frame is not None and _ask_again(core, turn, protocol, inbound, frame, digest)
        trouble.unreadable(
            core, turn, inbound.number, inbound.message_id, device, refused.reason, digest=digest, asked_again=asked
        )


def _decode(core: Core, inbound: Inbound) -> WireFrame:
    limits = core.limits
    if inbound.number is None:
        raise _Refused("no_sender")
    try:
        return decode_frame(
            inbound.body, max_frame=limits.max_frame, max_list=limits.max_list, max_copies=limits.max_copies
        )
    except DecodeError as error:
        raise _Refused("malformed") from error


def _is_repeat(core: Core, turn: Turn, inbound: Inbound, frame: WireFrame, digest: bytes) -> bool:
    """Whether exactly these bytes were taken before, under exactly these claims. Nothing else counts (SR-05)."""
    sender = inbound.number or core.me.number
    number = core.me.number if frame.sender_account == core.me.account else sender
    key = inbox_key(number, inbound.message_id, frame.sender_account, frame.sender_device)
    entry = turn.staged.get(key)
    if entry is None or not hmac.compare_digest(entry.digest, digest):
        return False
    delivering.receipt_again(core, turn, number, inbound.message_id, frame, entry)
    return True


def _take(
    core: Core,
    turn: Turn,
    protocol: DeviceProtocol,
    inbound: Inbound,
    frame: WireFrame,
    digest: bytes,
    may_park: bool,
) -> None:
    me, sender = core.me, inbound.number
    if sender is None:
        raise _Refused("no_sender")
    if frame.sender_account == me.account and frame.sender_device == me.device:
        # Our own frame back from the network, or a reflection (SR-05).
        raise _Refused("reflected", silent=True)
    if frame.recipient_account != me.account:
        # For the keys that this number had before: a fresh copy would be for ours.
        raise _Refused("other_account", ask=True)
    copy = next((copy for copy in frame.copies if copy.device == me.device), None)
    if copy is None:
        raise _Refused("no_copy", silent=True)
    own = chats.contact_of(turn, me.number)
    if own is None:
        raise _Refused("no_list")
    before, after = _sender(core, turn, own, sender, frame, may_park)
    device = _device(after, frame, may_park)
    party = Party(sender, frame.sender_account, frame.sender_device)
    result = protocol.open(turn.staged, _seam_frame(core, inbound, party, device, copy), turn.now)
    if isinstance(result, Rejected):
        raise _rejection(core, turn, sender, inbound, frame, result)
    header = result.content.header
    _check_header(core, turn, inbound, party, result)
    _check_heads(core, turn, own, after, header, may_park)
    # From here on the frame is genuine.
    turn.staged.merge(result.writes)
    if before is not after:
        if party.account == me.account:
            contacts.pin_own(core, turn, before, after)
        else:
            contacts.pin(core, turn, before, after)
    if before is None:
        # Trust on first use; whether the directory says the same is asked all the same.
        fetching.lists(core, turn, sender, after.list.serial)
    _notes(turn, protocol, sender, result)
    delivering.deliver(core, turn, protocol, after, party, result, digest)
    if before is not after:
        waiting.keys_came(core, turn, after.list.number)


def _sender(
    core: Core, turn: Turn, own: Contact, sender: Number, frame: WireFrame, may_park: bool
) -> tuple[Contact | None, Contact]:
    """The sender's contact as stored and as it would be with the list in the frame. Changes nothing."""
    before: Contact | None
    if frame.sender_account == core.me.account:
        if sender != core.me.number:
            raise _Refused("envelope_mismatch")
        before = own
    elif sender == core.me.number:
        raise _Refused("envelope_mismatch")
    else:
        before = chats.contact_of(turn, sender)
    if before is not None and before.account != frame.sender_account:
        # Anyone can sign a list for any number; only the directory says whose it is now.
        raise _park_or_refuse(Unknown(sender, before.list.serial), may_park, "other_keys")
    try:
        if before is None:
            if not frame.device_list:
                raise _Refused("unknown_sender")
            after: Contact | Unknown = contacts.meet(core, sender, frame.device_list, turn.now)
        else:
            after = contacts.follow(core, before, frame.device_list, turn.now) if frame.device_list else before
    except DeviceListError as error:
        trouble.list_refused(core, turn, sender, error.code)
        raise _Refused("device_list") from error
    if isinstance(after, Unknown):
        raise _park_or_refuse(after, may_park, "device_list")
    if after.account != frame.sender_account:
        raise _Refused("device_list")
    return before, after


def _device(contact: Contact, frame: WireFrame, may_park: bool) -> Device:
    for device in contact.recipient.devices:
        if device.id == frame.sender_device:
            return device
    # Linked since we looked, or removed (SR-22).
    raise _park_or_refuse(Unknown(contact.list.number, contact.list.serial), may_park, "unknown_device")


def _park_or_refuse(unknown: Unknown, may_park: bool, reason: str) -> _Parked | _Refused:
    return _Parked(unknown) if may_park else _Refused(reason)


def _seam_frame(core: Core, inbound: Inbound, party: Party, device: Device, copy: FrameCopy) -> Frame:
    envelope = Envelope(party.number, inbound.recipient, inbound.message_id)
    return Frame(envelope, party, device, core.me, copy.type, copy.ciphertext)


def _rejection(
    core: Core, turn: Turn, sender: Number, inbound: Inbound, frame: WireFrame, result: Rejected
) -> _Refused:
    entry = turn.staged.get(inbox_key(sender, inbound.message_id, frame.sender_account, frame.sender_device))
    if entry is None:
        # "Duplicate" may also mean "too late for its keys": what we have never seen is worth asking for.
        return _Refused(result.reason.value, ask=result.ask_again or result.reason is Rejection.DUPLICATE)
    # Nothing is missing, so there is nothing to ask for. Whoever sent this, that we have the message is
    # true, and perhaps its sender still waits to hear so.
    delivering.receipt_again(core, turn, sender, inbound.message_id, frame, entry)
    return _Refused(result.reason.value, silent=result.reason is Rejection.DUPLICATE)


def _check_header(core: Core, turn: Turn, inbound: Inbound, party: Party, result: Opened) -> None:
    """SR-03: sender, recipient, conversation and message id are what the sender encrypted, or the frame is refused."""
    header = result.content.header
    agrees = (
        header.sender == party
        and header.recipient == core.me
        and header.message_id == inbound.message_id
        and 0 <= header.sequence <= _MAX_SEQUENCE
    )
    # A copy from another device of ours names a chat that we learn from its content (see _chat_of).
    if agrees and inbound.group is not None:
        # A frame for one conversation that the focus hands out in another (SR-03).
        agrees = header.conversation == ConversationId(inbound.group)
    if agrees and party.account != core.me.account:
        agrees = header.conversation == chats.conversation(core.me.number, party.number) or _is_of_group(turn, result)
    if not agrees:
        raise _Refused(Rejection.ENVELOPE_MISMATCH.value)


def _is_of_group(turn: Turn, result: Opened) -> bool:
    """Whether the conversation is a group: one that we know, or one that the sender, too, says is one."""
    name = group_name(GroupId(result.content.header.conversation))
    return turn.staged.get(group_key(name)) is not None or names_group(result.content.body)


def _check_heads(core: Core, turn: Turn, own: Contact, sender: Contact, header: Header, may_park: bool) -> None:
    """SR-22: both sides name the lists that they used, so that an old or forked one does not go unnoticed."""
    if header.sender_list_head != sender.head and header.sender_list_head not in sender.past_heads:
        if not may_park:
            trouble.list_refused(core, turn, sender.list.number, "unknown_head")
        raise _park_or_refuse(Unknown(sender.list.number, sender.list.serial), may_park, "device_list")
    if header.recipient_list_head != own.head and header.recipient_list_head not in own.past_heads:
        if core.me.device != 1 and may_park:
            raise _Parked(Unknown(core.me.number, own.list.serial))
        # The message is genuine and for us, but its sender was shown a list of ours that we do not know.
        trouble.own_list_mismatch(core, turn, sender.list.number, "unknown-head")


def _notes(turn: Turn, protocol: DeviceProtocol, sender: Number, result: Opened) -> None:
    for note in result.notes:
        if note == "session_without_one_time_prekey":
            turn.tell(SessionWithoutOneTimePrekey(sender, protocol.name))
        elif note not in ("session_started", "epoch_advanced"):
            turn.tell(ProtocolNoted(sender, protocol.name, note))


# --- what could not be taken --------------------------------------------------------------------------------------
def _ask_again(
    core: Core, turn: Turn, protocol: DeviceProtocol, inbound: Inbound, frame: WireFrame, digest: bytes
) -> bool:
    sender = inbound.number
    contact = chats.contact_of(turn, sender) if sender is not None else None
    if contact is None or contact.account != frame.sender_account:
        return False
    if all(device.id != frame.sender_device for device in contact.recipient.devices):
        return False
    return resend.ask(core, turn, protocol, contact, frame.sender_device, inbound.message_id)
