"""Letters: sealed once, read once (rcc16.md 4.1 to 4.3).

Sending: no letter leaves while somebody's verified key is another one, while encryption is ended, or while a commit of
ours that changes who reads it is on its way. A message id is encrypted once; asked for again, the same bytes are given.

Reading, in this order, and a letter that fails one of it is dropped without a trace, its key not used up, so that
nothing that a network does to a copy keeps the genuine one from being read (SR-05): the gate of the headers; the era;
decryption; the id bound to it against the envelope's and the number certified by the signing leaf against the asserted
sender (SR-03); the counter against the key's generation.
"""

from __future__ import annotations

import hashlib

from ...conversation_seam import Letter, LetterReceived, Packet, PacketHeader, Refusal, Unreadable, Waits
from ...errors import InputError, LetterlockError
from ...ids import MessageId, Number, message_id
from ...mls.group.group import Group
from ...mls.group.results import Application, Duplicate, PastEpoch
from ..credentials.leaf import certified_number, participant_key
from ..health.budgets import Charge
from ..health.election import precedes
from ..health.transitions import Moment
from ..rules import rule
from ..wire.authenticated_data import decode_authenticated_data
from ..wire.content_types import Arm
from ..wire.packet_headers import find_header, judge_headers
from ..wire.secret_payload import TEXT, Content, decode_content, decode_secret_payload, encode_content
from .chat import Chat, Kind
from .encrypting import encrypted
from .heads import head_of
from .members import device_id, others_of
from .metadata import is_delivery, take_delivery
from .own_devices import unwanted
from .parking import park
from .pins import broken
from .posting import letter_packet
from .receipts import acknowledge, acknowledge_again
from .records import SENT, Received, Sent, chat_text, received_key
from .reports import cannot_read
from .step import Work
from .trouble import UNREADABLE, suspect
from .withdrawn import check_member, withdrawn_members

__all__ = ["check_binding", "open_application", "seal", "take_letter", "waiting"]

_ID = rule(
    "RCC-7.5.3.1-01",
    "RCC.16 7.5.3.1 (rcc16.md 4.1)",
    "the message id in the authenticated data is that of the envelope, byte for byte",
    module=__name__,
)
_ERA = rule(
    "RCC-7.5.3.1-02",
    "RCC.16 7.5.3 (rcc16.md 4.1)",
    "the era in the authenticated data is the group's",
    module=__name__,
)
_SENDER = rule(
    "RCC-7.5.3.1-03",
    "RCC.16 7.5.3 (rcc16.md 4.1)",
    "the number certified by the signing leaf is the asserted sender",
    module=__name__,
)
_OURSELVES = rule(
    "RCC-7.5.3.1-05",
    "our choice (SR-03)",
    "a letter of our own number is by a device of our own participant key",
    module=__name__,
)
_GENERATION = rule(
    "RCC-7.5.4-01",
    "RCC.16 7.5.4 (rcc16.md 4.3), our choice",
    "the counter in the payload is the generation of its key",
    module=__name__,
)
_ROOT = "Root"
"""In our own namespace, inside the encryption: the letter that this one repeats (our choice)."""
_CHANGES_READERS = frozenset(
    {Kind.ADD, Kind.REMOVE, Kind.COMMIT_PROPOSALS, Kind.END_MLS, Kind.ERA_ADVANCE, Kind.EXTERNAL}
)


# --- sending -------------------------------------------------------------------------------------------------
def seal(work: Work, letter: Letter) -> None:
    """The letter's packet; or why it waits, or is refused."""
    sent = work.state.get(SENT.key(chat_text(work.conversation), letter.message_id))
    if sent is not None and sent.packet is not None:
        work.packets.append(sent.packet)  # never the same id twice
        return
    refused = _refusal(work)
    if refused is not None:
        work.refused = refused
        return
    waits = waiting(work.chat) or (Waits.COMMITTING if unwanted(work) else None)
    group, held = work.group(), work.chat.group
    if waits is not None or group is None or held is None or list(group.proposals()):
        work.waits = waits or Waits.HEALING
        return
    original = letter.root if letter.root != letter.message_id else None
    root = () if original is None else (PacketHeader(work.core.settings.choices.own_namespace, _ROOT, original),)
    content = encode_content((*letter.headers, *root), letter.entity)
    body = encrypted(work, group, held.era, letter.message_id, content)
    packet = letter_packet(work, letter.message_id, body, held.era, group.epoch_authenticator, original)
    work.packets.append(packet)
    work.state.put(
        SENT.key(chat_text(work.conversation), letter.message_id),
        Sent(
            root=letter.root,
            at=work.now,
            era=held.era,
            epoch=group.epoch,
            waiting=tuple(letter.audience) or others_of(work),
            packet=packet,
        ),
    )


def _refusal(work: Work) -> Refusal | None:
    chat = work.chat
    if work.client is None:
        return Refusal.NOT_ENROLLED
    if chat.left:
        return Refusal.LEFT
    if chat.ended or work.health.is_downgraded:
        return Refusal.ENDED
    if chat.stalled or withdrawn_members(work):
        return Refusal.STALLED
    if broken(work, chat.members) or chat.blocked == "unpinned":
        return Refusal.UNPINNED
    if chat.group is None and chat.operation is None and (chat.blocked or not (chat.wants or chat.heal or chat.rejoin)):
        return Refusal.NO_KEYS
    return None


def waiting(chat: Chat) -> Waits | None:
    """What a letter would wait for now."""
    operation = chat.operation
    if chat.rejoin or (chat.heal is not None and chat.heal.begun):
        return Waits.HEALING
    if chat.group is None:
        return Waits.SETTING_UP
    if operation is not None and operation.kind in _CHANGES_READERS and operation.control_id:
        return Waits.COMMITTING
    # RFC 9420 section 12.4: what was proposed is committed first. And who is to be removed reads nothing more.
    return Waits.COMMITTING if chat.commit_at or chat.removes else None


# --- reading ---------------------------------------------------------------------------------------------------
def take_letter(work: Work, packet: Packet, sender: Number | None) -> None:
    """Something of type message/mls came."""
    gate = judge_headers(packet.headers, Arm.APPLICATION)
    if gate.drop or gate.era is None or gate.authenticator is None or sender is None:
        return
    if _seen(work, packet, sender):
        return
    chat = work.chat
    head = head_of(packet.body, work.core.settings.max_message_bytes)
    if chat.left or head is None:
        return
    if chat.mls_id and head.group_id != chat.mls_id.encode():
        if work.conversation.peer == sender and chat.operation is None:
            # Two groups of one chat, and each of us in another: who has the higher number looks at once (our choice).
            suspect(work, "other-group", certain=precedes(sender, work.core.number))
        return
    at = Moment(gate.era, head.epoch)
    if chat.group is None or work.group() is None or work.health.buffers_inbound or at > chat.moment:
        _early(work, packet, sender, at)
        return
    if gate.era < chat.moment.era:
        cannot_read(work, packet, sender, "superseded-era")
        if packet.message_id not in work.retried and not _looked_often(work):
            suspect(work, UNREADABLE)  # late, or it is we who are in an era that nobody else has: a look tells
        return
    _open(work, packet, sender, agrees=at == chat.moment and gate.authenticator == chat.authenticator)


def _early(work: Work, packet: Packet, sender: Number, at: Moment) -> None:
    """Of a moment that we have not reached: often what leads there is already on its way (rcc16.md 2.3)."""
    if not park(work, packet, sender, at):
        return
    if work.chat.group is None:
        suspect(work, "no-group", from_future=True)  # others are in it, and our Welcome has not come (client reason 13)
    elif at > work.chat.moment:
        suspect(work, "future-message", from_future=True)


def _open(work: Work, packet: Packet, sender: Number, *, agrees: bool) -> None:
    group = work.group()
    assert group is not None
    try:
        result = group.process(packet.body, now=work.now)
    except LetterlockError as error:
        # Nothing has changed. Where both sides name the same epoch the message is broken and the group is not: no
        # repair is begun because of it, so that garbage from the network costs us nothing (SR-07).
        if agrees or packet.message_id in work.retried or _looked_often(work):
            cannot_read(work, packet, sender, error.code)
        else:
            park(work, packet, sender, work.chat.moment, failed=True)
            suspect(work, UNREADABLE)
            work.notices.append(Unreadable(work.conversation, sender, packet.message_id, error.code, repairing=True))
        return
    if isinstance(result, PastEpoch):
        cannot_read(work, packet, sender, "past-epoch")
        suspect(work, "past-epoch")  # late, or it is we who are in an epoch that nobody else has: a look tells
    if isinstance(result, Duplicate) or not isinstance(result, Application):
        return
    try:
        content = open_application(work, group, result, packet.message_id, sender)
    except LetterlockError:
        work.forget_changes()  # its key was not used: the genuine message may still come
        return
    if content is None:
        return
    if is_delivery(work, content):
        take_delivery(work, group, content, sender)
        return
    _received(work, packet, sender, result, content)


def _looked_often(work: Work) -> bool:
    """Three repairs at this very moment found us in step: more would help nobody but who makes us look (rcc16.md 5.5).
    For an hour: an order that lied to us then may be honest now, and nothing but such a letter would have us ask it."""
    ledger, budgets = work.chat.ledger, work.core.settings.budgets
    return work.chat.heal is None and not ledger.left(Charge.PARK, budgets, work.now)


def check_binding(work: Work, data: bytes, envelope_id: str, certified: Number, sender: Number | None) -> None:
    """What is bound to a message is what its envelope says (SR-03). Raises InvalidRcc16, DecodeError."""
    held = work.chat.group
    found = decode_authenticated_data(data, accept_resent=work.core.settings.choices.accept_resent)
    if found.message_id != envelope_id:
        _ID.fail("the message was encrypted under another id")
    if held is not None and found.era != held.era:
        _ERA.fail(f"a message of era {found.era}")
    if sender is not None and certified != sender:
        _SENDER.fail("somebody else's message")


def open_application(
    work: Work, group: Group, result: Application, envelope_id: str, sender: Number | None
) -> Content | None:
    """The content, all checks made; None for a payload of a kind that nobody knows. Raises InvalidRcc16, DecodeError."""
    certified = certified_number(result.leaf.credential)
    check_binding(work, result.authenticated_data, envelope_id, certified, sender)
    check_member(work, result.leaf.credential)
    own = work.client.credential if work.client is not None and certified == work.core.number else None
    if own is not None and participant_key(result.leaf.credential) != participant_key(own):
        # It would stand in our history as written by ourselves, on the word of whoever issues certificates.
        _OURSELVES.fail("somebody else has our number")
    payload = decode_secret_payload(result.data)
    if payload.generation != result.generation and work.core.settings.choices.generation_must_match:
        _GENERATION.fail(f"counter {payload.generation} in generation {result.generation}")
    return decode_content(payload.content, work.core.settings.content) if payload.payload_type == TEXT else None


def _received(work: Work, packet: Packet, sender: Number, result: Application, content: Content) -> None:
    chat, device = work.chat, device_id(result.leaf.signature_key)
    # Original-Message-ID in the envelope is anybody's word: who believed it would take a new letter for a repeat of one
    # that was read, and never show it (SR-05). What counts is the header inside the encryption.
    own_namespace = work.core.settings.choices.own_namespace
    root = _root(find_header(content.headers, _ROOT, own_namespace), packet.message_id)
    headers = tuple(one for one in content.headers if (one.namespace, one.name) != (own_namespace, _ROOT))
    wants = tuple(packet.dispositions)
    received = Received(
        device=device,
        digest=hashlib.sha256(packet.body).digest(),
        at=work.now,
        era=chat.moment.era,
        wants_display="display" in wants,
        displayed=False,
    )
    work.state.put(received_key(work.conversation, sender, packet.message_id), received)
    known_as = received_key(work.conversation, sender, root)
    if work.state.get(known_as) is None:
        work.state.put(known_as, received)  # people see it under the id of the first, and that is what is told
    work.notices.append(
        LetterReceived(
            work.conversation,
            sender,
            device,
            packet.message_id,
            root,
            headers,
            content.entity,
        )
    )
    if "positive-delivery" in wants:
        acknowledge(work, sender, packet.message_id)


def _root(named: str | None, own: MessageId) -> MessageId:
    """What a letter says that it repeats. Keys of records are made of it, so it has to be a message id."""
    try:
        return own if named is None else message_id(named)
    except InputError:
        return own


def _seen(work: Work, packet: Packet, sender: Number) -> bool:
    """A repeat of the very bytes that we have read: our receipt was lost, so it is given again (SR-05)."""
    known = work.state.get(received_key(work.conversation, sender, packet.message_id))
    if known is None or known.digest != hashlib.sha256(packet.body).digest():
        return False
    if "positive-delivery" in packet.dispositions:
        acknowledge_again(work, sender, packet.message_id, known.displayed)
    return True
