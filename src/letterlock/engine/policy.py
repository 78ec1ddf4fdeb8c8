"""Which way a message goes: encrypted, waiting, or refused. The only place where "not encrypted" is decided."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field, replace

from ..carriage import Medium
from ..conversation_seam import ConversationProtocol
from ..errors import NotEncrypted
from ..ids import Instant, Peer, bot_of, group_of, peer_name
from ..seam import DeviceProtocol
from .core import Core
from .record_values import Chat, Contact, Standing
from .security import WORDS, Security
from .step import Turn

__all__ = ["PlainOption", "accepts", "chosen", "encrypting", "keeping", "options_of", "patient", "refusal", "state_of"]


@dataclass(frozen=True, slots=True)
class PlainOption:
    """The user's choice to send without encryption, in one chat and for one transition of it (SR-01).

    Options come out of NotEncrypted. The nonce cannot be guessed and is kept in the state, so that no
    constant can stand for a decision. `name` is `plain-rcs`, or `plain-sms` where there is an account for SMS; the
    nonce of one is not that of the other.
    """

    chat: Peer
    transition: int
    nonce: bytes = field(repr=False)
    name: str = "plain-rcs"

    @property
    def medium(self) -> Medium:
        """What carries messages by this choice."""
        return Medium.SMS if self.name == _NAMES[Medium.SMS] else Medium.RCS


def encrypting(core: Core, contact: Contact | None, now: Instant) -> DeviceProtocol | None:
    """The protocol that reaches every device of the contact by its signed list (SR-02), or None."""
    if contact is None or contact.list.expired(now):
        return None
    devices = contact.recipient.devices
    for name, protocol in core.protocols.items():
        if all(name in device.capabilities for device in devices):
            return protocol
    return None


def keeping(core: Core, chat: Chat, contact: Contact | None, now: Instant) -> ConversationProtocol | None:
    """The protocol that keeps the members itself, where the chat with a number goes by one; else None.

    It does once such a conversation was begun here, unless every device of the contact offers what comes first; where
    the signed list offers it (SR-02); and where the directory knows no list at all, because key packages may still be
    there: a number of another vendor. What the carrier's tags say has no part in it. A profile that speaks nothing else
    need not wait for the directory.
    """
    if encrypting(core, contact, now) is not None or bot_of(chat.number) is not None:
        return None
    if chat.protocol in core.keeping:
        return core.keeping[chat.protocol]
    if contact is None:
        unknown = bool(core.protocols) and not chat.absent_at
        return None if unknown else next(iter(core.keeping.values()), None)
    if contact.list.expired(now):
        return None
    offered = {name for device in contact.recipient.devices for name in device.capabilities}
    return next((protocol for name, protocol in core.keeping.items() if name in offered), None)


def state_of(core: Core, chat: Chat, contact: Contact | None, now: Instant) -> Security:
    """The security state of a chat. It follows from signed lists and decisions of the user alone (SR-02)."""
    # A standing decision ends where encryption begins, also when only another device of ours could encrypt (SR-01).
    plain = _chosen(core, chat)
    if bot_of(chat.number) is not None:
        return plain or Security.BUSINESS
    if chat.protocol and encrypting(core, contact, now) is None:
        state = _STATES[chat.standing]
        if state is Security.NO_KEYS_FOUND and plain is not None:
            return plain
        return Security.CHECKING if chat.waiting and state.encrypted else state
    if contact is None:
        if plain is not None:
            return plain
        if core.keeping:
            # Nobody has asked for key packages yet: the first message does.
            return Security.CHECKING
        return Security.NO_KEYS_FOUND if chat.absent_at and not chat.sticky else Security.CHECKING
    if contact.broken:
        return Security.NO_LONGER_VERIFIED
    if contact.list.expired(now):
        return Security.CHECKING
    if encrypting(core, contact, now) is None:
        if plain is not None:
            return plain
        return Security.CHECKING if keeping(core, chat, contact, now) is not None else Security.NO_KEYS_FOUND
    if chat.waiting:
        return Security.CHECKING
    if contact.keys_new:
        return Security.KEYS_NEW
    return Security.VERIFIED if contact.verified_at else Security.ENCRYPTED


def options_of(core: Core, chat: Chat) -> tuple[PlainOption, ...]:
    """What the user may choose in this transition: nothing that was chosen already."""
    if len(chat.nonce) != _NONCE_BYTES or group_of(chat.number) is not None:
        return ()
    chosen = chat.medium if chat.plain == chat.transition and not chat.sticky else None
    peer, sms = peer_name(chat.number), core.sms and bot_of(chat.number) is None
    return tuple(
        PlainOption(peer, chat.transition, _nonce(chat, medium), name)
        for medium, name in _NAMES.items()
        if medium is not chosen and (sms or medium is not Medium.SMS)
    )


def accepts(core: Core, chat: Chat, option: PlainOption) -> bool:
    """Whether this is an unused option of this chat and this transition (SR-01)."""
    return type(option) is PlainOption and any(
        (option.chat, option.transition, option.name) == (offered.chat, offered.transition, offered.name)
        and hmac.compare_digest(option.nonce, offered.nonce)
        for offered in options_of(core, chat)
    )


def chosen(core: Core, turn: Turn, chat: Chat, option: PlainOption) -> Chat:
    """The chat once the user has chosen it; the option is used up. `accepts` was asked before."""
    if chat.sticky:
        # An encrypted chat stays one: the decision was for this message, the next one asks again.
        return replace(chat, nonce=turn.rng(_NONCE_BYTES))
    # There may be another way to choose, now or once there is an account for SMS.
    return replace(chat, nonce=turn.rng(_NONCE_BYTES), plain=chat.transition, medium=option.medium)


def patient(chat: Chat, state: Security) -> bool:
    """Whether a message waits where it cannot be encrypted now: while keys are looked for, and where none were found by
    the user's decision. Nothing that waits by it leaves unencrypted without another one (SR-01)."""
    return state is Security.CHECKING or (state is Security.NO_KEYS_FOUND and chat.kept == chat.transition)


def refusal(core: Core, chat: Chat, state: Security) -> NotEncrypted:
    """The error that says why, in the words of the state table, and what may be chosen."""
    return NotEncrypted(
        f"not sent: {WORDS[state].label.format(name=chat.number).lower().rstrip('.')}",
        reason=state.value,
        options=options_of(core, chat),
        hint=_HINTS.get(state, "wait for the keys, or send this chat unencrypted by your own decision"),
    )


def _chosen(core: Core, chat: Chat) -> Security | None:
    """The state by the user's standing choice, if there is one. That of SMS stands while there is an account for it."""
    if chat.plain != chat.transition or chat.sticky:
        return None
    if chat.medium is Medium.SMS:
        return Security.PLAIN_SMS if core.sms else None
    return Security.PLAIN_RCS


def _nonce(chat: Chat, medium: Medium) -> bytes:
    """So that the option of one medium, altered, is not that of the other."""
    if medium is Medium.RCS:
        return chat.nonce
    return hashlib.sha256(b"letterlock plain-sms option" + chat.nonce).digest()[:_NONCE_BYTES]


_NAMES = {Medium.RCS: "plain-rcs", Medium.SMS: "plain-sms"}

_NOW_ENCRYPTED = "that choice is over, the chat is encrypted now: send it again without it (without --allow)"

_HINTS = {
    Security.ENCRYPTED: _NOW_ENCRYPTED,
    Security.VERIFIED: _NOW_ENCRYPTED,
    Security.KEYS_NEW: _NOW_ENCRYPTED,
    Security.BUSINESS: "no business can be written to encrypted; its chat is unencrypted by your own decision or not used",
    Security.ENDED: "begin encryption again (letterlock encryption revive), or send this message unencrypted by your own decision",
    Security.STALLED: "have it tried again (letterlock encryption retry), or end encryption here (letterlock encryption end)",
}

_STATES = {
    Standing.NONE: Security.CHECKING,
    Standing.SETTING_UP: Security.CHECKING,
    Standing.NO_KEYS: Security.NO_KEYS_FOUND,
    Standing.ENCRYPTED: Security.ENCRYPTED,
    Standing.VERIFIED: Security.VERIFIED,
    Standing.KEYS_NEW: Security.KEYS_NEW,
    Standing.BROKEN: Security.NO_LONGER_VERIFIED,
    Standing.ENDED: Security.ENDED,
    Standing.STALLED: Security.STALLED,
    Standing.LEFT: Security.ENCRYPTED,
}


_NONCE_BYTES = 16
