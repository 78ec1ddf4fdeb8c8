"""Apple's asynchronous sequences over the client's durable events.

Each stream of a service is a consumer with a cursor in the profile. What was given out counts as dealt with when the
next one is asked for: an application that ends in between gets it again, and none is lost while nobody listens. Two
iterations of one stream at the same time share the cursor, as they would share a mailbox.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TypeVar

from ..client import Client
from ..engine.events import Recorded

__all__ = ["follow"]

T = TypeVar("T")


async def follow(
    client: Client,
    consumer: str,
    told: Callable[[Recorded], Awaitable[T | None]],
    errors: Callable[[], contextlib.AbstractContextManager[None]],
) -> AsyncGenerator[T, None]:
    """What `told` makes of each event, from where this consumer was. Ends when the client is closed."""
    with errors():
        async with contextlib.aclosing(client.events(await client.recall(consumer) or 0)) as events:
            async for recorded in events:
                found = await told(recorded)
                if found is not None:
                    yield found
                    await client.keep(consumer, recorded.cursor)
