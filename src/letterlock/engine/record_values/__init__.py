"""The values of the engine's records. All are frozen; `records.py` has their keys, `record_forms` their stored form."""

from __future__ import annotations

from .chats import Chat, Contact, Gap, Head, HeldNote, Standing
from .incoming import Parked, Trouble
from .messages import Delivery, InboxEntry, Message, Status
from .outgoing import Fetch, Row, Task, Waiting
from .regular import EventLog, Upkeep

__all__ = [
    "Chat",
    "Contact",
    "Delivery",
    "EventLog",
    "Fetch",
    "Gap",
    "Head",
    "HeldNote",
    "InboxEntry",
    "Message",
    "Parked",
    "Row",
    "Standing",
    "Status",
    "Task",
    "Trouble",
    "Upkeep",
    "Waiting",
]
