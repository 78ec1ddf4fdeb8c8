"""Delivery receipts that are owed: remembered in the step that stores a message, sent once that is on disk.

A receipt in a frame of its own costs both ends as much as the message. So what one commit took in from a device is
receipted by one frame. Nothing waits for a clock: the receipts of a commit go right after it (`SendReceipts`), a lone
message's too, and the more arrives at once the more of them share a frame.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from ..codec import tls
from ..ids import AccountId, ChatName, DeviceId, Instant, MessageId, Number, chat_name
from ..seam import Key, Party, RecordKind
from .effects import SendReceipts
from .step import Turn

__all__ = ["OWED", "Owed", "owe", "take"]


@dataclass(frozen=True, slots=True)
class Owed:
    """Receipts for one device of a contact, or of our own account, in one chat."""

    conversation: ChatName
    device: Party
    messages: tuple[tuple[MessageId, Instant], ...]
    """Id, and when its sender says that it was sent."""


def owe(turn: Turn, conversation: ChatName, device: Party, message_id: MessageId, sent_at: Instant) -> None:
    """Remember that this device is to hear that its message is stored here."""
    key = _key(conversation, device)
    owed = turn.staged.get(key)
    if owed is None:
        turn.effects.append(SendReceipts(key.name.partition("/")[2]))
        owed = Owed(conversation, device, ())
    turn.staged.put(key, Owed(conversation, device, (*owed.messages, (message_id, sent_at))))


def take(turn: Turn, name: str) -> Owed | None:
    """What is owed under this name, and is no longer: it goes into this step. None when an earlier one took it."""
    key: Key[Owed] = Key(OWED, "owed/" + name)
    owed = turn.staged.get(key)
    if owed is not None:
        turn.staged.delete(key)
    return owed


def _key(conversation: ChatName, device: Party) -> Key[Owed]:
    return OWED.key(conversation, f"{device.account.hex()}.{device.device}")


# --- stored form ---------------------------------------------------------------------------------------------
def _encode(owed: Owed) -> bytes:
    device = owed.device
    return b"".join(
        (
            tls.opaque(owed.conversation.encode()),
            tls.opaque(device.number.encode()),
            device.account,
            tls.u8(device.device),
            *(struct.pack(">Q", sent_at) + tls.opaque(message_id.encode()) for message_id, sent_at in owed.messages),
        )
    )


def _decode(data: bytes) -> Owed:
    reader = tls.Reader(data)
    conversation = chat_name(reader.opaque(64).decode())
    device = Party(Number(reader.opaque(64).decode()), AccountId(reader.take(16)), DeviceId(reader.u8()))
    messages = []
    while reader.more():
        sent_at = reader.u64()
        messages.append((MessageId(reader.opaque(64).decode()), sent_at))
    return Owed(conversation, device, tuple(messages))


OWED: RecordKind[Owed] = RecordKind("owed", _encode, _decode)
