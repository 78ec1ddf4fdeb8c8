"""Encrypted files: their keys in one letter, their document in the next (rcc16.md 7.3).

The document says where the ciphertext lies; FileInfo, whose letter goes first, holds the key and what the file is
called. Both are sealed in one step, after the upload: a failed upload leaves nobody with a key for nothing (our choice;
between the two letters the order is that of the clause). The network may turn them round, so whichever comes first
waits for the other, for as long as senders repeat themselves, and a bounded number of each (SR-08).

Ours name the message that they are the key of in a header of our namespace. Without it, a key belongs to the oldest
document of the same sender whose ciphertext has the size that it tells (our choice: the source names no tie).
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TypeVar

from ... import ids
from ...codec.mime import MimeLimits, MimePart, decode_part, encode
from ...conversation_seam import Letter, LetterReceived, PacketHeader
from ...errors import DecodeError, InputError, TrustRequired
from ...ids import ChatName, MessageId, Number, group_of
from ...rcc16.files import check_descriptor, ciphertext_length
from ...rcc16.wire.content_types import FILE_INFO
from ...rcc16.wire.file_info import FileInfo, decode_file_info, encode_file_info
from ...seam import Key, RecordKind, State
from .. import policy
from ..content import File, FileFormat, read
from ..content.file import FILE_LIMITS, keyed, keys_of
from ..content.parts import LETTERLOCK
from ..core import Core
from ..events import MessageFailed, MessageUnreadable
from ..record_values import Chat, InboxEntry, Message, Status
from ..records import chat_key, contact_key, inbox_key
from ..security import Security
from ..shelf import put
from ..sms import only_text
from ..step import Turn
from .file_records import (
    KEY_CAME,
    KEY_WAITED_FOR,
    KeyCame,
    KeyLetter,
    KeyWaitedFor,
    key_came_key,
    key_letter_key,
    key_waited_for_key,
)

__all__ = [
    "check_format",
    "complete",
    "expire",
    "file_format",
    "is_key",
    "is_left_behind",
    "key_letter",
    "remember",
    "take_key",
]

T = TypeVar("T", KeyCame, KeyWaitedFor)

_OF = "Key-Of"
_MOST = 16
"""Keys without a document, and documents without a key, of one sender in one chat."""
_MAX_INFO = 16_384
_MIME = MimeLimits(_MAX_INFO, 32, 8_192, 0, 0)


# --- sending ---------------------------------------------------------------------------------------------------
def file_format(core: Core, state: State, name: ChatName, now: ids.Instant, wait: bool) -> FileFormat:
    """How a file for this chat is uploaded, decided before its first byte leaves (SR-01). PLAIN is the user's decision.

    `wait`: for a chat whose keys are being looked up, the one that it then waits in; should the chat turn out to go another
    way, it fails there. Raises NotEncrypted and TrustRequired as a send would; InputError where only text can be sent.
    """
    chat = state.get(chat_key(name)) or Chat(name)
    if group_of(name) is not None:
        return FileFormat.RCC16 if chat.protocol in core.keeping else FileFormat.SEALED
    contact = state.get(contact_key(Number(name)))
    if contact is not None and contact.broken:
        raise TrustRequired(
            "the keys of a verified contact have changed",
            hint="compare security codes again, or accept the new keys",
        )
    if policy.encrypting(core, contact, now) is not None:
        return FileFormat.SEALED
    security = policy.state_of(core, chat, contact, now)
    if security is Security.PLAIN_RCS:
        return FileFormat.PLAIN
    if security is Security.PLAIN_SMS:
        raise only_text()
    if policy.keeping(core, chat, contact, now) is not None:
        return FileFormat.RCC16
    if wait and policy.patient(chat, security) and core.protocols:
        return FileFormat.SEALED
    raise policy.refusal(core, chat, security)


def check_format(file: File, wanted: FileFormat) -> None:
    """Whether a file may go into a chat: never one that the server can read into an encrypted one, nor keys into one that
    is not (SR-01). Raises InputError."""
    if file.format is wanted:
        return
    if file.format is FileFormat.PLAIN:
        raise InputError(
            "this file lies at the server as it is, and the chat is encrypted",
            code="input.file_encrypted",
            hint="send the file by its path: then it is encrypted before it is uploaded",
        )
    kind = "an encrypted chat" if wanted is FileFormat.PLAIN else "a chat of another protocol"
    raise InputError(
        f"this file was encrypted for {kind}",
        code="input.file_sealed",
        hint="send the file by its path: then it is uploaded once more, as this chat needs it",
    )


def is_left_behind(core: Core, turn: Turn, name: ChatName, message: Message, wanted: FileFormat) -> bool:
    """Whether a message that waited is a file for the protocol that its chat went by before. It has failed then: nobody
    could open it by this one, and what leaves in another form than was decided does so by no decision (SR-01)."""
    content = read(message.entity, core.limits).content if message.entity else None
    if not isinstance(content, File) or content.format is wanted:
        return False
    put(turn, name, replace(message, status=Status.FAILED))
    turn.tell(MessageFailed(name, message.message_id, "file-protocol"))
    return True


def key_letter(core: Core, turn: Turn, message: Message, audience: tuple[Number, ...]) -> Letter | None:
    """The letter that goes before the one of an encrypted file; None before any other."""
    content = read(message.entity, core.limits).content if message.entity else None
    info = keys_of(content) if isinstance(content, File) else None
    if info is None:
        return None
    part = MimePart.of(FILE_INFO, encode_file_info(info), disposition="attachment")
    message_id = ids.new_message_id(turn.rng)
    header = PacketHeader(LETTERLOCK, _OF, message.message_id)
    return Letter(message_id, message_id, (header,), encode(part), audience)


def remember(turn: Turn, name: ChatName, letter: Letter, root: MessageId) -> None:
    """A letter with keys is on its way: should a member not be able to read it, the file is sealed again."""
    turn.staged.put(key_letter_key(letter.message_id), KeyLetter(name, root, turn.now))


# --- arriving --------------------------------------------------------------------------------------------------
def is_key(come: LetterReceived) -> bool:
    """Whether a letter is keys and nothing to show."""
    part = _part(come)
    return part is not None and (part.header("content-type") or "").partition(";")[0].strip().lower() == FILE_INFO


def take_key(core: Core, turn: Turn, name: ChatName, come: LetterReceived) -> LetterReceived | None:
    """Keep the keys; the document that waited for them, if one did. What holds no key of a file is forgotten at once."""
    digest = hashlib.sha256(come.entity).digest()[:16]
    device = ids.AccountId(come.device[:16].ljust(16, b"\0"))
    turn.staged.put(inbox_key(name, come.root, device, 0), InboxEntry(digest, "", turn.now, turn.now, letter=True))
    part, of = _part(come), _key_of(come)
    if of and turn.staged.get(inbox_key(name, of, device, 0)) is not None:
        return None  # sealed again for somebody else: we have this file
    try:
        info = decode_file_info(part.content()) if part is not None else FileInfo()
    except DecodeError:
        return None
    if info.file is None or len(info.file.name.encode()) > FILE_LIMITS.max_name:
        return None
    came = KeyCame(of, encode_file_info(replace(info, subject=None, icon=None)), turn.now)
    _keep(turn, KEY_CAME, f"{name}/{come.sender}/", key_came_key(name, come.sender, come.root), came)
    turn.wake(turn.now + core.limits.expiry_ms)
    for key, waited in _oldest_first(turn, KEY_WAITED_FOR, f"{name}/{come.sender}/"):
        if _belongs(came, info, waited.letter.root, waited.size):
            turn.staged.delete(key)
            return waited.letter
    return None


def complete(core: Core, turn: Turn, name: ChatName, come: LetterReceived, file: File) -> File | None:
    """The file with its keys; None when they have not come: then its document waits for them.

    Raises InvalidRcc16 for a document that points at a file in the clear.
    """
    check_descriptor(file.file)
    for key, came in _oldest_first(turn, KEY_CAME, f"{name}/{come.sender}/"):
        info = decode_file_info(came.info)
        if _belongs(came, info, come.root, file.file.size):
            turn.staged.delete(key)
            return keyed(file, info)
    waited = KeyWaitedFor(come, file.file.size, turn.now)
    lost = _keep(
        turn, KEY_WAITED_FOR, f"{name}/{come.sender}/", key_waited_for_key(name, come.sender, come.root), waited
    )
    for each in lost:
        _give_up(turn, name, each)
    turn.wake(turn.now + core.limits.expiry_ms)
    return None


def expire(core: Core, turn: Turn) -> None:
    """What has waited for longer than its sender would repeat the other half."""
    before = turn.now - core.limits.expiry_ms
    for key in list(turn.staged.scan(KEY_CAME)):
        came = turn.staged.get(key)
        if came is not None and came.at <= before:
            turn.staged.delete(key)
    for held in list(turn.staged.scan(KEY_WAITED_FOR)):
        waited = turn.staged.get(held)
        if waited is not None and waited.at <= before:
            turn.staged.delete(held)
            _give_up(turn, ids.chat_name(held.name.split("/")[1]), waited)


# --- inside ----------------------------------------------------------------------------------------------------
def _belongs(came: KeyCame, info: FileInfo, root: MessageId, size: int) -> bool:
    if came.of:
        return came.of == root
    hint = info.file.encryption.length_hint if info.file is not None else 0
    return not hint or ciphertext_length(hint) == size


def _key_of(come: LetterReceived) -> str:
    found = (each.value.strip() for each in come.headers if (each.namespace, each.name) == (LETTERLOCK, _OF))
    return next(found, "")


def _part(come: LetterReceived) -> MimePart | None:
    if len(come.entity) > _MAX_INFO:
        return None
    try:
        return decode_part(come.entity, _MIME)
    except DecodeError:
        return None


def _oldest_first(turn: Turn, kind: RecordKind[T], prefix: str) -> list[tuple[Key[T], T]]:
    found = [(key, value) for key in turn.staged.scan(kind, prefix) if (value := turn.staged.get(key)) is not None]
    return sorted(found, key=lambda each: (each[1].at, each[0].name))


def _keep(turn: Turn, kind: RecordKind[T], prefix: str, key: Key[T], value: T) -> list[T]:
    """Keep it, and no more than so many; what had to give way."""
    turn.staged.put(key, value)
    older = [each for each in _oldest_first(turn, kind, prefix) if each[0] != key]
    lost = older[: max(0, len(older) + 1 - _MOST)]
    for each, _ in lost:
        turn.staged.delete(each)
    return [value for _, value in lost]


def _give_up(turn: Turn, name: ChatName, waited: KeyWaitedFor) -> None:
    letter = waited.letter
    sender = "" if group_of(name) is None else letter.sender
    turn.tell(MessageUnreadable(name, letter.root, 0, "file-key", sender=sender))
