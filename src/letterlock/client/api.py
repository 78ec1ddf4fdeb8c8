"""What can be asked of a profile, whether this process owns it (`local.py`) or another one does (`remote.py`)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from ..engine.content import Sendable
from ..engine.events import Recorded
from ..engine.policy import PlainOption
from ..engine.security import Security
from ..engine.view import MessageView
from ..ids import MessageId, Number
from ..trust import SecurityCode

__all__ = ["ChatState", "DeviceInfo", "Me", "ProfileApi"]


@dataclass(frozen=True, slots=True)
class Me:
    """Who this profile is."""

    number: Number
    account: str
    device: int
    name: str
    primary: bool


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """One device of our own list."""

    device: int
    name: str
    added_at: int
    this: bool


class ChatState(NamedTuple):
    """The security state of a chat as it was after the event with this cursor."""

    number: Number
    security: Security
    cursor: int


class ProfileApi(Protocol):
    """Every method raises StoreError when the profile cannot be used, ConnectionLost when its owner went away."""

    me: Me
    shared: bool
    """Whether another process does the work, and may end in the middle of it."""

    def security(self, number: Number) -> Security: ...
    async def open_chat(self, number: Number) -> ChatState: ...
    async def chats(self) -> Sequence[ChatState]: ...
    async def send(
        self, number: Number, content: Sendable, allow: PlainOption | None, wait: bool, request: str
    ) -> MessageId: ...
    async def options(self, number: Number) -> Sequence[PlainOption]: ...
    async def release(self, number: Number, allow: PlainOption) -> int: ...
    async def typing(self, number: Number, active: bool) -> None: ...
    async def mark_displayed(self, number: Number, message_id: MessageId) -> None: ...
    async def messages(self, number: Number, limit: int, before: str) -> Sequence[MessageView]: ...
    async def security_code(self, number: Number) -> SecurityCode: ...
    async def verify(self, number: Number, scanned: bytes | None, last_group: str | None) -> None: ...
    async def accept_keys(self, number: Number) -> None: ...
    async def devices(self) -> Sequence[DeviceInfo]: ...
    async def device_offer(self) -> str: ...
    async def add_device(self, request: str) -> int: ...
    async def remove_device(self, device: int) -> None: ...
    async def cursor(self) -> int: ...
    async def recall(self, consumer: str) -> int | None: ...
    async def keep(self, consumer: str, cursor: int) -> None: ...
    async def settled(self) -> None: ...
    def events(self, after: int) -> AsyncGenerator[Recorded, None]: ...
    async def close(self) -> None: ...
