"""What has to have happened before a test begins, done by the library rather than by clicking."""

from __future__ import annotations

import asyncio
import contextlib

from daemon.town import Person, Town
from letterlock.engine.events import Event

__all__ = ["acquainted", "heard"]


async def acquainted(both: Town, one: Person | None = None, other: Person | None = None, *, say: str = "hello") -> None:
    """Two people who have each other's keys: each has written once, and read it."""
    one, other = one or both.ana, other or both.ben
    for sender, reader in ((one, other), (other, one)):
        sent = await (await sender.client.chat(reader.number)).send(f"{say} from {sender.name}")
        await heard(reader, "message-received", message_id=sent)
        await (await reader.client.chat(sender.number)).mark_displayed(sent)
        await heard(sender, "message-displayed", message_id=sent)


async def heard(person: Person, kind: str, **fields: object) -> Event:
    """Wait for an event of this kind with these fields; it may have come already."""
    async with asyncio.timeout(30), contextlib.aclosing(person.client.events(after=0)) as events:
        async for recorded in events:
            event = recorded.event
            if _kind(event) == kind and all(getattr(event, name) == value for name, value in fields.items()):
                return event
    raise AssertionError("the events ended")


def _kind(event: Event) -> str:
    name = type(event).__name__
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("-")
