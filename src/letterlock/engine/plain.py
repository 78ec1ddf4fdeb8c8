"""Messages without encryption: sent by the user's decision alone (SR-01), received always and marked.

What RCS has values for is written and read as RCS does: texts, reactions, positions, files, receipts, typing. What it
has none for goes as a text that carries our own headers. Everything here is the network's word: it never touches what
an encrypted message is known to be (SR-05).
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from dataclasses import replace

from .. import ids
from ..carriage import Inbound, Medium, NetworkResult, Outbound
from ..codec import imdn, iscomposing
from ..codec.cpim import IMDN, CpimHeader
from ..codec.ft_http import instant_of
from ..codec.mime import decode_content_type
from ..errors import DecodeError
from ..ids import Instant, MessageId, Number, Peer
from . import changing, chats, drafts, outbox, policy, posting, sms, trouble
from .content import (
    ENCRYPTED_ONLY,
    BotContent,
    Content,
    Delete,
    Edit,
    File,
    FileFormat,
    Parts,
    Reaction,
    Read,
    Sendable,
    SuggestionResponse,
    Suggestions,
    Text,
    Unknown,
    bounded,
    encode,
    read_parts,
    read_receipt,
    read_typing,
    receipt_document,
    typing_document,
)
from .content.card import CHATBOT_LIMITS
from .conversations import files
from .core import NOBODY, Core
from .effects import Transmit
from .events import MessageDelivered, MessageDisplayed, MessageFailed, MessageReceived, TypingChanged
from .record_values import Chat, InboxEntry, Message, Row, Status
from .records import delivery_key, inbox_key, order_of, outbox_key
from .security import Security
from .shelf import lookup, put, remember_place
from .step import Turn
from .view import describe

__all__ = [
    "displayed_here",
    "received",
    "received_receipt",
    "received_sms",
    "received_typing",
    "say_typing",
    "send",
    "transmit",
]

_KEPT_HEADERS = 16
_BINARY = "application/octet-stream"
_CONTROLS = re.compile(rb"[\x00-\x08\x0e-\x1f]")


# --- out -----------------------------------------------------------------------------------------------------
def send(core: Core, turn: Turn, chat: Chat, content: Sendable, medium: Medium) -> MessageId:
    """Store and transmit unencrypted. The caller has the user's decision (SR-01).

    Raises InputError for an encrypted file: its key does not travel in the clear, and without it nobody can open it; and
    for what SMS does not carry.
    """
    if medium is Medium.SMS:
        sms.check(content, core.limits)
    if isinstance(content, File):
        files.check_format(content, FileFormat.PLAIN)
    order = order_of(chat.lamport + 1, core.me.account, core.me.device, 0)
    message = drafts.draft(core, turn, chat, content, order, Status.SENDING, encrypted=False)
    message = replace(message, medium=medium)
    chat = replace(chat, accepted=True, lamport=chat.lamport + 1, floor=chat.lamport + 1)
    transmit(core, turn, ids.peer_name(chat.number), message)
    chats.save(core, turn, drafts.store(core, turn, chat, message))
    return message.message_id


def transmit(core: Core, turn: Turn, number: Peer, message: Message) -> None:
    """Put a plain message, or change, of ours on its way."""
    put(turn, number, message)
    parts = posting.parts(message)
    row = Row(
        chat=number,
        to=number,
        account=NOBODY,
        message_id=message.message_id,
        order=message.order,
        content_type=outbox.PLAIN_TYPE if parts.content_type.startswith(outbox.PLAIN_TYPE) else parts.content_type,
        body=parts.body,
        pending=(),
        created=turn.now,
        expires=turn.now + core.limits.expiry_ms,
        attempts=1,
        next_at=turn.now + core.limits.retry_first_ms,
        accepted=False,
        headers=tuple((header.name, header.raw.strip()) for header in parts.headers),
        medium=message.medium,
    )
    outbox.add(core, turn, row)


def say_typing(core: Core, turn: Turn, number: Number, active: bool) -> None:
    """Not stored: a lost one does not matter, and a late one would lie."""
    document = typing_document(active)
    turn.effects.append(Transmit("", _outbound(core, turn, number, iscomposing.MEDIA_TYPE, document)))


def displayed_here(core: Core, turn: Turn, chat: Chat, message: Message) -> None:
    """The user has seen a plain message whose sender asked to hear of it."""
    if core.privacy.display_receipts:
        _receipt(core, turn, chat, message, displayed=True)


# --- in ------------------------------------------------------------------------------------------------------
def received(core: Core, turn: Turn, number: Peer, inbound: Inbound, media_type: str) -> None:
    """Show an unencrypted message as such, whatever the chat is: receiving never blocks."""
    key = inbox_key(number, inbound.message_id, NOBODY, 0)
    if turn.staged.get(key) is not None:
        return
    digest = hashlib.sha256(inbound.body).digest()[:16]
    if media_type == outbox.PLAIN_TYPE and len(inbound.body) > core.limits.max_text:
        trouble.unreadable(core, turn, number, inbound.message_id, 0, "too_large", digest=digest)
        return
    if media_type == outbox.PLAIN_TYPE and _is_no_text(inbound.body):
        # As a ciphertext whose envelope somebody relabelled: a screen of odd characters tells nobody anything.
        trouble.unreadable(core, turn, number, inbound.message_id, 0, "not_text", digest=digest)
        return
    if media_type in ENCRYPTED_ONLY:
        trouble.unreadable(core, turn, number, inbound.message_id, 0, "not_encrypted", digest=digest)
        return
    content = _read(core, inbound, media_type)
    chat = chats.load(turn, number)
    chat = replace(chat, lamport=chat.lamport + 1, floor=chat.lamport + 1, typing_seen=0)
    message = _message(core, turn, chat, inbound, media_type, content)
    asked = _asked(inbound)
    wants_display = "display" in asked and not message.change
    turn.staged.put(key, InboxEntry(digest, message.order, turn.now, 0, wants_display=wants_display))
    if message.change:
        chat = changing.take(core, turn, chat, message)
    else:
        put(turn, number, message)
        cursor = turn.tell(
            MessageReceived(
                number,
                message.message_id,
                0,
                message.order,
                message.text,
                media_type,
                False,
                message.sent_at,
                reply_to=message.reply_to,
                content=describe(message, core.limits),
                medium=message.medium.label,
            )
        )
        remember_place(turn, number, message, cursor)
    chats.save(core, turn, chat)
    if "positive-delivery" in asked and core.privacy.delivery_receipts:
        _receipt(core, turn, chat, message, displayed=False)


def received_sms(core: Core, turn: Turn, inbound: Inbound, media_type: str) -> None:
    """What an SMSC brings: texts, and its own receipts. It says who sent them, and can say what it likes (SR-05)."""
    if media_type == imdn.MEDIA_TYPE and inbound.sender is not None:
        received_receipt(core, turn, inbound.sender, inbound)
    elif media_type not in (outbox.PLAIN_TYPE, _BINARY) or inbound.sender == core.me.number:
        return
    elif inbound.sender is not None:
        received(core, turn, inbound.sender, inbound, media_type)
    elif media_type == outbox.PLAIN_TYPE:
        sms.from_nobody(core, turn, inbound)


def received_receipt(core: Core, turn: Turn, number: Peer, inbound: Inbound) -> None:
    """A receipt outside the encryption: of interest for plain messages alone; anybody on the way can forge it (SR-05)."""
    try:
        receipt = read_receipt(inbound.body)
    except DecodeError:
        return
    if receipt is None:
        return
    row = turn.staged.get(outbox_key(receipt.message_id, NOBODY))
    source = row or turn.staged.get(delivery_key(receipt.message_id))
    if source is None or source.chat != number or not source.order:
        return
    message = lookup(turn, number, source.order)
    if message is None or message.encrypted or not message.mine or message.medium is not inbound.medium:
        return
    message_id = message.message_id
    if receipt.failed:
        if outbox.raise_status(turn, source, Status.FAILED):
            turn.tell(MessageFailed(number, message_id, "recipient"))
    elif receipt.displayed and inbound.medium is Medium.RCS:  # an SMSC cannot know
        if outbox.raise_status(turn, source, Status.DISPLAYED):
            turn.tell(MessageDisplayed(number, message_id, 0, authenticated=False))
    elif outbox.raise_status(turn, source, Status.DELIVERED):
        turn.tell(MessageDelivered(number, message_id, 0, authenticated=False))
    if row is not None:
        outbox.on_network(core, turn, f"{message_id}/{NOBODY.hex()}", NetworkResult(accepted=True))


def received_typing(core: Core, turn: Turn, number: Peer, inbound: Inbound, timeout_ms: int) -> None:
    """Typing outside the encryption: of no interest where people talk inside it."""
    chat = chats.load(turn, number)
    if chat.sticky:
        return
    try:
        active = read_typing(inbound.body).active
    except DecodeError:
        return
    typing = bool(chat.typing_seen) and 0 <= turn.now - chat.typing_seen < timeout_ms
    if active != typing:
        chats.save(core, turn, replace(chat, typing_seen=turn.now if active else 0))
        turn.tell(TypingChanged(number, active, encrypted=False))


def _read(core: Core, inbound: Inbound, media_type: str) -> Content:
    kind = decode_content_type(_declared(inbound, media_type))
    found = Read(kind, inbound.body, _ours(inbound))
    content = read_parts(found, core.limits)
    if kind.media_type == outbox.PLAIN_TYPE and not found.headers and isinstance(content, Unknown):
        # Some declare another charset than they use; better a few odd characters than no text.
        return Text(inbound.body.decode("utf-8", "replace"))
    return content


def _is_no_text(body: bytes) -> bool:
    """Neither UTF-8, nor free of control characters, as a text in another charset would be."""
    try:
        body.decode()
    except UnicodeDecodeError:
        return _CONTROLS.search(body) is not None
    return False


def _declared(inbound: Inbound, media_type: str) -> str:
    """What it is said to be, in a form that can be read again from disk: one that cannot would make the turn fail, and
    the network bring the message for ever (SR-09)."""
    for text in (inbound.content_type, media_type):
        if text.isprintable():
            with contextlib.suppress(DecodeError):
                decode_content_type(text)
                return text
    return _BINARY


def _message(core: Core, turn: Turn, chat: Chat, inbound: Inbound, media_type: str, content: Content) -> Message:
    entity = b""
    if not isinstance(content, Text):
        parts = Parts(_declared(inbound, media_type), inbound.body, _ours(inbound))
        # Ten full cards are longer than anything that people send.
        most = CHATBOT_LIMITS.max_body if isinstance(content, BotContent) else core.limits.max_entity
        entity = bounded(encode(parts, 0), most)
    reply = content.reply_to if isinstance(content, Text | File) else None
    return Message(
        order=order_of(chat.lamport, NOBODY, 0, 0),
        message_id=inbound.message_id,
        sender=ids.peer_name(chat.number),
        mine=False,
        encrypted=False,
        status=Status.RECEIVED,
        sent_at=_sent_at(inbound),
        at=turn.now,
        content_type=media_type,
        text=content.text if isinstance(content, Text | Suggestions | SuggestionResponse | Unknown) else None,
        entity=entity,
        reply_to=reply.message_id if reply is not None else "",
        reply_author=(reply.author or "") if reply is not None else "",
        change=isinstance(content, Reaction | Edit | Delete),
        medium=inbound.medium,
    )


def _ours(inbound: Inbound) -> tuple[CpimHeader, ...]:
    """The headers that say what content is about: those of namespaces, without the receipts', and their declarations."""
    if not any(header.namespace != IMDN and "." in header.name for header in inbound.headers):
        return ()
    kept = [
        header
        for header in inbound.headers
        if header.namespace != IMDN and ("." in header.name or header.name.upper() == "NS")
    ]
    return tuple(kept[:_KEPT_HEADERS])


def _asked(inbound: Inbound) -> frozenset[str]:
    """The receipts that the sender asks for (RFC 5438 section 6.3)."""
    wanted = [
        header.value
        for header in inbound.headers
        if header.namespace == IMDN and header.local.lower() == "disposition-notification"
    ]
    return frozenset(item.partition(";")[0].strip().lower() for text in wanted for item in text.split(","))


def _sent_at(inbound: Inbound) -> Instant:
    """When its sender says that it was written; a claim, 0 if none."""
    dates = [header.value for header in inbound.headers if header.name.lower() == "datetime"]
    return (instant_of(dates[0]) or 0) if dates else 0


def _receipt(core: Core, turn: Turn, chat: Chat, message: Message, *, displayed: bool) -> None:
    """In a chat that is unencrypted by the user's decision, and in no other: who asks may be the network (SR-01, SR-18)."""
    if policy.state_of(core, chat, chats.contact_of(turn, Number(chat.number)), turn.now) is not Security.PLAIN_RCS:
        return
    if not (chat.accepted or core.privacy.receipts_to_strangers):
        return
    body = receipt_document(message.message_id, message.sent_at or message.at, displayed)
    row = Row(
        chat=chat.number,
        to=ids.peer_name(chat.number),
        account=NOBODY,
        message_id=ids.new_message_id(turn.rng),
        order="",
        content_type=imdn.MEDIA_TYPE,
        body=body,
        pending=(),
        created=turn.now,
        expires=turn.now + core.limits.control_expiry_ms,
        attempts=1,
        next_at=turn.now + core.limits.retry_first_ms,
        accepted=False,
    )
    outbox.add(core, turn, row)


def _outbound(core: Core, turn: Turn, number: Number, content_type: str, body: bytes) -> Outbound:
    return Outbound(
        to=number,
        message_id=ids.new_message_id(turn.rng),
        conversation=chats.conversation(core.me.number, number),
        content_type=content_type,
        body=body,
        large=len(body) > outbox.LARGE,
    )
