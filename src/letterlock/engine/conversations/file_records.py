"""What is kept of encrypted files on their way: keys whose document has not come, documents whose key has not."""

from __future__ import annotations

from dataclasses import dataclass, field

from ...codec import tls
from ...conversation_seam import LetterReceived, PacketHeader
from ...ids import ChatName, Instant, MessageId, Number
from ...seam import Key, RecordKind
from ..record_forms.basics import read_blob, read_chat, read_text, text
from .values import chat_of, conversation_of_chat

__all__ = [
    "KEY_CAME",
    "KEY_LETTER",
    "KEY_WAITED_FOR",
    "KeyCame",
    "KeyLetter",
    "KeyWaitedFor",
    "key_came_key",
    "key_letter_key",
    "key_waited_for_key",
]


@dataclass(frozen=True, slots=True)
class KeyLetter:
    """A letter of ours with the keys of a file: `root` is the message that the file is."""

    chat: ChatName
    root: MessageId
    at: Instant


@dataclass(frozen=True, slots=True)
class KeyCame:
    """Keys of a file that somebody sent. `of` is the message that they are for, empty where the sender does not say."""

    of: str
    info: bytes = field(repr=False)
    at: Instant


@dataclass(frozen=True, slots=True)
class KeyWaitedFor:
    """The document of an encrypted file, whole as it came. `size` is that of the ciphertext."""

    letter: LetterReceived
    size: int
    at: Instant


def _encode_letter(value: KeyLetter) -> bytes:
    return tls.u64(value.at) + text(value.chat) + text(value.root)


def _decode_letter(data: bytes) -> KeyLetter:
    reader = tls.Reader(data)
    at, chat, root = reader.u64(), read_chat(reader), MessageId(read_text(reader))
    reader.end()
    return KeyLetter(chat, root, at)


def _encode_came(value: KeyCame) -> bytes:
    return tls.u64(value.at) + text(value.of) + value.info


def _decode_came(data: bytes) -> KeyCame:
    reader = tls.Reader(data)
    at, of = reader.u64(), read_text(reader)
    return KeyCame(of, reader.rest(), at)


def _encode_waited_for(value: KeyWaitedFor) -> bytes:
    letter = value.letter
    headers = b"".join(text(part) for each in letter.headers for part in (each.namespace, each.name, each.value))
    return b"".join(
        (
            tls.u64(value.at),
            tls.u64(value.size),
            text(chat_of(letter.conversation) or ""),
            text(letter.sender),
            tls.opaque(letter.device),
            text(letter.message_id),
            text(letter.root),
            tls.opaque(headers),
            letter.entity,
        )
    )


def _decode_waited_for(data: bytes) -> KeyWaitedFor:
    reader = tls.Reader(data)
    at, size, chat = reader.u64(), reader.u64(), read_chat(reader)
    sender, device = Number(read_text(reader)), read_blob(reader)
    message_id, root = MessageId(read_text(reader)), MessageId(read_text(reader))
    inner, headers = tls.Reader(read_blob(reader)), []
    while inner.more():
        headers.append(PacketHeader(read_text(inner), read_text(inner), read_text(inner)))
    conversation = conversation_of_chat(chat)
    letter = LetterReceived(conversation, sender, device, message_id, root, tuple(headers), reader.rest())
    return KeyWaitedFor(letter, size, at)


KEY_LETTER: RecordKind[KeyLetter] = RecordKind("key-letter", _encode_letter, _decode_letter)
KEY_CAME: RecordKind[KeyCame] = RecordKind("key-came", _encode_came, _decode_came)
KEY_WAITED_FOR: RecordKind[KeyWaitedFor] = RecordKind("key-waited-for", _encode_waited_for, _decode_waited_for)


def key_letter_key(message_id: str) -> Key[KeyLetter]:
    return KEY_LETTER.key(message_id)


def key_came_key(chat: ChatName, sender: Number, message_id: str) -> Key[KeyCame]:
    return KEY_CAME.key(chat, sender, message_id)


def key_waited_for_key(chat: ChatName, sender: Number, root: str) -> Key[KeyWaitedFor]:
    return KEY_WAITED_FOR.key(chat, sender, root)
