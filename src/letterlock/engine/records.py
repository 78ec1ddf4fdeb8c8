"""The engine's records: one kind per concept, and the key of each record.

Keys sort as text: messages by their place in the chat, events by their cursor.
"""

from __future__ import annotations

from ..ids import AccountId, ChatName, DeviceId, Number
from ..seam import Key, RecordKind
from . import record_forms as forms
from .events import Recorded, decode_recorded, encode_recorded
from .record_values import (
    Chat,
    Contact,
    Delivery,
    EventLog,
    Fetch,
    InboxEntry,
    Message,
    Parked,
    Row,
    Task,
    Trouble,
    Upkeep,
    Waiting,
)
from .thread import Place, Thread

__all__ = [
    "CHANGE",
    "CHAT",
    "CONTACT",
    "DELIVERY",
    "EVENT",
    "EVENT_LOG",
    "FETCH",
    "HELD",
    "INBOX",
    "MATERIAL",
    "MESSAGE",
    "OUTBOX",
    "PARKED",
    "PENDING",
    "PLACE",
    "PLACED",
    "THREAD",
    "TROUBLE",
    "UPKEEP",
    "WAITING",
    "change_key",
    "chat_key",
    "contact_key",
    "delivery_key",
    "event_key",
    "held_key",
    "inbox_key",
    "material_key",
    "message_key",
    "order_of",
    "order_parts",
    "outbox_key",
    "parked_key",
    "pending_key",
    "place_key",
    "thread_key",
    "trouble_key",
    "waiting_key",
]


# --- kinds -------------------------------------------------------------------------------------------------------
EVENT: RecordKind[Recorded] = RecordKind("event", encode_recorded, decode_recorded)
CHAT: RecordKind[Chat] = RecordKind("chat", forms.encode_chat, forms.decode_chat)
CONTACT: RecordKind[Contact] = RecordKind("contact", forms.encode_contact, forms.decode_contact)
MESSAGE: RecordKind[Message] = RecordKind("message", forms.encode_message, forms.decode_message)
CHANGE: RecordKind[Message] = RecordKind("change", forms.encode_message, forms.decode_message)
PENDING: RecordKind[Message] = RecordKind("pending", forms.encode_message, forms.decode_message)
PLACE: RecordKind[Place] = RecordKind("at", forms.encode_place, forms.decode_place)
THREAD: RecordKind[Thread] = RecordKind("thread", forms.encode_thread, forms.decode_thread)
HELD: RecordKind[Message] = RecordKind("held", forms.encode_message, forms.decode_message)
OUTBOX: RecordKind[Row] = RecordKind("outbox", forms.encode_row, forms.decode_row)
INBOX: RecordKind[InboxEntry] = RecordKind("inbox", forms.encode_inbox, forms.decode_inbox)
DELIVERY: RecordKind[Delivery] = RecordKind("delivery", forms.encode_delivery, forms.decode_delivery)
WAITING: RecordKind[Waiting] = RecordKind("waiting", forms.encode_waiting, forms.decode_waiting)
FETCH: RecordKind[Fetch] = RecordKind("fetch", forms.encode_fetch, forms.decode_fetch)
MATERIAL: RecordKind[bytes] = RecordKind("material", bytes, bytes)
PARKED: RecordKind[Parked] = RecordKind("parked", forms.encode_parked, forms.decode_parked)
TROUBLE: RecordKind[Trouble] = RecordKind("trouble", forms.encode_trouble, forms.decode_trouble)
EVENT_LOG: Key[EventLog] = RecordKind("event-log", forms.encode_log, forms.decode_log).key("log")
PLACED: Key[bytes] = RecordKind("placed", bytes, bytes).key("all")
"""Stands where `at/` has every message: stores of before have none."""
UPKEEP: Key[Upkeep] = RecordKind("upkeep", forms.encode_upkeep, forms.decode_upkeep).key("upkeep")


# --- keys ------------------------------------------------------------------------------------------------------
def chat_key(number: ChatName) -> Key[Chat]:
    return Key(CHAT, "chat/" + number)


def contact_key(number: Number) -> Key[Contact]:
    return Key(CONTACT, "contact/" + number)


def message_key(chat: ChatName, order: str) -> Key[Message]:
    return Key(MESSAGE, f"message/{chat}/{order}")


def change_key(chat: ChatName, order: str) -> Key[Message]:
    return Key(CHANGE, f"change/{chat}/{order}")


def pending_key(chat: ChatName, target: str, order: str) -> Key[Message]:
    """A change that waits for the message with this id."""
    return Key(PENDING, f"pending/{chat}/{target}/{order}")


def place_key(chat: ChatName, message_id: str, account: AccountId) -> Key[Place]:
    """Where the message with this id by this account stands."""
    return Key(PLACE, f"at/{chat}/{message_id}/{account.hex()}")


def thread_key(chat: ChatName, order: str) -> Key[Thread]:
    """What is said about the message at this place."""
    return Key(THREAD, f"thread/{chat}/{order}")


def held_key(chat: ChatName, order: str) -> Key[Message]:
    return Key(HELD, f"held/{chat}/{order}")


def inbox_key(chat: ChatName, message_id: str, account: AccountId, device: int) -> Key[InboxEntry]:
    return Key(INBOX, f"inbox/{chat}/{message_id}/{account.hex()}.{device}")


def delivery_key(message_id: str) -> Key[Delivery]:
    return Key(DELIVERY, "delivery/" + message_id)


def outbox_key(message_id: str, account: AccountId, device: int = 0) -> Key[Row]:
    """The row of a frame for all devices of an account, or of a later copy for one."""
    return Key(OUTBOX, f"outbox/{message_id}/{account.hex()}" + (f".{device}" if device else ""))


def waiting_key(chat: ChatName, waiting: Waiting) -> Key[Waiting]:
    """Content in the order of its sequence, and after it what is sent again."""
    in_order = waiting.task in (Task.CONTENT, Task.MEMBER)
    place = f"{order_parts(waiting.order)[3]:08x}" if in_order else "~"
    return Key(
        WAITING, f"waiting/{chat}/{place}.{waiting.message_id}.{waiting.task}.{waiting.account.hex()}.{waiting.device}"
    )


def material_key(account: AccountId, device: int) -> Key[bytes]:
    return Key(MATERIAL, f"material/{account.hex()}.{device}")


def parked_key(number: Number, digest: bytes) -> Key[Parked]:
    return Key(PARKED, f"parked/{number}/{digest.hex()}")


def trouble_key(name: str) -> Key[Trouble]:
    return Key(TROUBLE, "trouble/" + name)


def event_key(cursor: int) -> Key[Recorded]:
    return Key(EVENT, f"event/{cursor:020d}")


def order_of(lamport: int, account: AccountId, device: int, sequence: int) -> str:
    """The place of a message in its chat, as text that sorts: Lamport time, sender, sequence."""
    return f"{lamport:016x}.{account.hex()}.{device:02x}.{sequence:08x}"


def order_parts(order: str) -> tuple[int, AccountId, DeviceId, int]:
    """Lamport time, account, device and sequence of a place."""
    lamport, account, device, sequence = order.split(".")
    return int(lamport, 16), AccountId(bytes.fromhex(account)), DeviceId(int(device, 16)), int(sequence, 16)
