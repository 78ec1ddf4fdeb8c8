"""The stage of the talk: the network side in this process, phones in processes of their own, and who said what.

Whatever is counted at the end is read from the phones' own durable records, not from what went over the screen.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from ...engine import events as ev
from ...engine.events import Event
from ..cli.terminal import Terminal
from .network import Network
from .phone import Phone
from .view import beside, sights, width

__all__ = ["Said", "Stage", "all_of", "arrival"]

_PATIENCE_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Said:
    """One thing that was said or changed, who is to get it, and under which id it went out.

    `text` is what must not be readable on the way; empty for a deletion. `shown` is what the screen says.
    """

    speaker: Phone
    listeners: tuple[Phone, ...]
    text: str
    message_id: str
    shown: str


def arrival(event: Event) -> str | None:
    """The id of what this event brought, None when it brought nothing of the kind."""
    match event:
        case ev.MessageReceived():
            return event.message_id
        case ev.MessageEdited() | ev.MessageDeleted() | ev.ReactionChanged():
            return event.change_id
        case _:
            return None


def all_of(ids: Iterable[str], kind: type[ev.MessageDelivered | ev.MessageDisplayed]) -> Callable[[list[Event]], bool]:
    """The condition that each of these ids had an event of that kind."""
    wanted = set(ids)
    return lambda events: wanted <= {event.message_id for event in events if isinstance(event, kind)}


@dataclass(slots=True)
class Stage:
    """`plain`: the control, without encryption."""

    folder: Path
    log: Path
    plain: bool
    terminal: Terminal
    stack: AsyncExitStack
    said: list[Said] = field(default_factory=list)
    phones: list[Phone] = field(default_factory=list)
    _network: Network | None = None
    _shown: int = 0

    # --- before ------------------------------------------------------------------------------------------
    async def build(self) -> None:
        """The network side."""
        # In the control each phone has a directory of its own, so that neither finds keys of the other.
        self._network = await Network.start(self.folder, self.log, self.stack, directories=2 if self.plain else 1)

    async def bring_up(self, *people: tuple[str, str], protocols: tuple[str, ...] = ("signal", "rcc16")) -> list[Phone]:
        """A phone for each (name, number), all at once."""
        began = time.monotonic()
        phones = [Phone(name, number, self.folder / name.lower()) for name, number in people]
        # In the control nobody finds keys, so there are none of this kind either.
        spoken = ("signal",) if self.plain else protocols
        await asyncio.gather(*(self._bring_up(phone, at, spoken) for at, phone in enumerate(phones)))
        self.phones += phones
        names = " and ".join(phone.name for phone in phones)
        self.narrate(f"{names} {'are' if len(phones) > 1 else 'is'} up after {time.monotonic() - began:.1f} s")
        return phones

    async def _bring_up(self, phone: Phone, at: int, protocols: tuple[str, ...]) -> None:
        """A profile with a number, and the phone's own process on it."""
        assert self._network is not None
        await self._network.set_up(phone, protocols, directory=at)
        self.stack.push_async_callback(phone.kill)
        await phone.switch_on()

    # --- what was said -----------------------------------------------------------------------------------
    def note(self, speaker: Phone, listeners: Iterable[Phone], text: str, message_id: str, shown: str = "") -> None:
        """Remember something for the count, the search and the screen."""
        self.said.append(Said(speaker, tuple(listeners), text, message_id, shown or text))

    async def arrived(self) -> None:
        """Wait until everything said has come to everybody whom it was for."""
        for phone in self.phones:
            wanted = {item.message_id for item in self.said if phone in item.listeners}
            await self.until(phone, lambda events, wanted=wanted: wanted <= {arrival(event) for event in events})  # type: ignore[misc]

    async def until(self, phone: Phone, condition: Callable[[list[Event]], bool]) -> None:
        """Follow a phone's events until a condition on all of them holds; what it shows later says if it did not."""
        events: list[Event] = []
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE_SECONDS), phone.client() as client:
                if condition(events):
                    return
                async for recorded in client.events(after=0):
                    events.append(recorded.event)
                    if condition(events):
                        return

    # --- what it shows -----------------------------------------------------------------------------------
    async def show(self) -> None:
        """Print what was said since the last time, beside what the carrier saw of it."""
        seen = await asyncio.to_thread(sights, self.log)
        by_phone = {phone.number: [recorded.event for recorded in await phone.events()] for phone in self.phones}
        for item in self.said[self._shown :]:
            mine = by_phone[item.speaker.number]
            marks = []
            for word, kind in (("delivered", ev.MessageDelivered), ("seen", ev.MessageDisplayed)):
                by = sum(isinstance(event, kind) and event.message_id == item.message_id for event in mine)
                if by:
                    marks.append(word if len(item.listeners) == 1 else f"{word} by {by} of {len(item.listeners)}")
            to = item.listeners[0].name if len(item.listeners) == 1 else "the group"
            self.print(beside(f"{item.speaker.name} to {to}", item.shown, ", ".join(marks), seen.get(item.message_id)))
        self._shown = len(self.said)

    async def result(self) -> dict[str, int]:
        """The count."""
        brought = {
            phone.number: Counter(filter(None, (arrival(recorded.event) for recorded in await phone.events())))
            for phone in self.phones
        }
        for phone in self.phones:
            await phone.switch_off()
        delivered = sum(all(item.message_id in brought[phone.number] for phone in item.listeners) for item in self.said)
        return {
            "messages": len(self.said),
            "delivered": delivered,
            "lost": len(self.said) - delivered,
            "duplicated": sum(count - 1 for counts in brought.values() for count in counts.values()),
        }

    def narrate(self, text: str) -> None:
        """What is going on."""
        self.print(textwrap.fill(f"-- {text}", width()))

    def print(self, text: str, end: str = "\n\n") -> None:
        # With -o json standard output holds JSON alone.
        print(text, end=end, file=sys.stderr if self.terminal.json else sys.stdout, flush=True)
