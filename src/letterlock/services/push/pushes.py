"""The push service as its callers see it: register a device, wake it, account for what became of every wake-up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ...codec.push_subscription import Subscription
from ...ids import Number
from .outcome import Fate, Reason

__all__ = ["Accounting", "Pushes"]


@dataclass(frozen=True, slots=True)
class Accounting:
    """What became of all wake-ups that were ever asked for: `requested` is the sum of `ended` and `waiting`."""

    requested: int
    waiting: int
    ended: Mapping[tuple[Fate, Reason], int]

    def count(self, fate: Fate) -> int:
        """Of one fate, whatever the reason."""
        return sum(count for (each, _), count in self.ended.items() if each is fate)


class Pushes:
    """Wakes devices. An asynchronous context: `async with Pushes(...) as pushes`.

    `account` is a number, `device` any name of up to 255 characters that its caller has for the device. Whoever calls has
    authenticated the device (SR-17).
    """

    async def start(self) -> None:
        """Open the database and go on where the last process ended. Raises StoreError."""
        raise NotImplementedError

    async def close(self) -> None:
        raise NotImplementedError

    async def __aenter__(self) -> Pushes:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def subscribe(self, account: Number, device: str, subscription: Subscription) -> None:
        """From now on the device is woken there. The same again refreshes it: apps do so at every start.

        Raises PushError: `push.kind` for a push service that the operator has not set up, `push.topic` for an app that is
        not the operator's, `push.address` for one that is not of the Internet, `push.rate`; BadPublicKey, StoreError.
        """
        raise NotImplementedError

    async def unsubscribe(self, account: Number, device: str) -> None:
        """Wake it no more; what waits for it is dropped. Raises StoreError."""
        raise NotImplementedError

    async def wake(self, account: Number, device: str) -> Fate | None:
        """Ask for a wake-up. None when it will go out, otherwise how it has ended already. Raises StoreError.

        It returns once the wake-up is on the disk, and does not wait for the push service.
        """
        raise NotImplementedError

    async def present(self, account: Number, device: str) -> None:
        """The device is there by itself: what waits for it is not needed. Raises StoreError."""
        raise NotImplementedError

    async def accounting(self) -> Accounting:
        """Raises StoreError."""
        raise NotImplementedError
