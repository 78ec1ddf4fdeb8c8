"""Which way a message goes: encrypted, waiting, or refused. The only place where "not encrypted" is decided."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field

from ..errors import NotEncrypted
from ..ids import Instant, Number
from ..seam import DeviceProtocol
from .core import Core
from .record_values import Chat, Contact
from .security import WORDS, Security

__all__ = ["PlainOption", "accepts", "encrypting", "options_of", "refusal", "state_of"]


@dataclass(frozen=True, slots=True)
class PlainOption:
    """The user's choice to send without encryption, in one chat and for one transition of it (SR-01).

    Options come out of NotEncrypted. The nonce cannot be guessed and is kept in the state, so that no
    constant can stand for a decision.
    """

    chat: Number
    transition: int
    nonce: bytes = field(repr=False)
    name: str = "plain-rcs"


def encrypting(core: Core, contact: Contact | None, now: Instant) -> DeviceProtocol | None:
    """The protocol that reaches every device of the contact by its signed list (SR-02), or None."""
    if contact is None or contact.list.expired(now):
        return None
    devices = contact.recipient.devices
    for name, protocol in core.protocols.items():
        if all(name in device.capabilities for device in devices):
            return protocol
    return None


def state_of(core: Core, chat: Chat, contact: Contact | None, now: Instant) -> Security:
    """The security state of a chat. It follows from signed lists and decisions of the user alone (SR-02)."""
    # A standing decision ends where encryption begins, also when only another device of ours could encrypt (SR-01).
    plain = chat.plain == chat.transition and not chat.sticky
    if contact is None:
        if plain:
            return Security.PLAIN_RCS
        return Security.NO_KEYS_FOUND if chat.absent_at and not chat.sticky else Security.CHECKING
    if contact.broken:
        return Security.NO_LONGER_VERIFIED
    if contact.list.expired(now):
        return Security.CHECKING
    if encrypting(core, contact, now) is None:
        return Security.PLAIN_RCS if plain else Security.NO_KEYS_FOUND
    if chat.waiting:
        return Security.CHECKING
    if contact.keys_new:
        return Security.KEYS_NEW
    return Security.VERIFIED if contact.verified_at else Security.ENCRYPTED


def options_of(chat: Chat) -> tuple[PlainOption, ...]:
    """What the user may choose in this transition; nothing once it was chosen."""
    return (PlainOption(Number(chat.number), chat.transition, chat.nonce),) if chat.nonce else ()


def accepts(chat: Chat, option: PlainOption) -> bool:
    """Whether this is the unused option of this chat and this transition (SR-01)."""
    return (
        type(option) is PlainOption
        and option.chat == chat.number
        and option.transition == chat.transition
        and len(chat.nonce) == _NONCE_BYTES
        and hmac.compare_digest(option.nonce, chat.nonce)
    )


def refusal(chat: Chat, state: Security) -> NotEncrypted:
    """The error that says why, in the words of the state table, and what may be chosen."""
    return NotEncrypted(
        f"not sent: {WORDS[state].label.format(name=chat.number).lower().rstrip('.')}",
        reason=state.value,
        options=options_of(chat),
        hint="wait for the keys, or send this chat unencrypted by your own decision",
    )


_NONCE_BYTES = 16
