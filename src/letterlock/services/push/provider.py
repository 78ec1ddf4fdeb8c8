"""What a provider is: the way to one push service, which tells what became of each attempt and decides nothing."""

from __future__ import annotations

from collections.abc import Set
from typing import Protocol

from ...codec.push_subscription import PushKind, Subscription
from .outcome import Outcome
from .steps import Target

__all__ = ["Provider"]


class Provider(Protocol):
    """One push service, or all endpoints of the web."""

    @property
    def kinds(self) -> Set[PushKind]: ...

    @property
    def pool(self) -> str:
        """Its name in the tables."""
        ...

    def target(self, subscription: Subscription) -> Target:
        """A subscription of one of its kinds, checked. Raises PushError, BadPublicKey."""
        ...

    async def send(self, subscription: Subscription, collapse: str) -> Outcome:
        """One attempt. It raises nothing but what is a bug, and may be cancelled."""
        ...

    async def close(self) -> None: ...
