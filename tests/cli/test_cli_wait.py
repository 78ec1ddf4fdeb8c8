"""`send --wait`: the exit code says what became of the message."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from letterlock.apps.cli.chat import _print_events
from letterlock.apps.cli.sending import _until_delivered
from letterlock.apps.cli.terminal import Terminal
from letterlock.engine.events import Event, MessageDelivered, MessageExpired, MessageFailed, Recorded
from letterlock.ids import MessageId, Number

BEN = Number("+15550199")
MINE = MessageId("m-1")


class Told:
    """A client that has these events, and then no more for ever."""

    def __init__(self, *events: Event) -> None:
        self._events = events

    async def events(self, after: int) -> AsyncIterator[Recorded]:
        for cursor, event in enumerate(self._events, after + 1):
            yield Recorded(cursor, 0, event)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("events", "code"),
    [
        ((MessageDelivered(BEN, MINE, 1),), 0),
        ((MessageFailed(BEN, MINE, "refused", 403),), 3),
        ((MessageExpired(BEN, MINE),), 3),
        ((MessageFailed(BEN, MessageId("another"), "refused", 403), MessageDelivered(BEN, MINE, 1)), 0),
        ((), 0),
    ],
)
async def test_the_exit_code_of_a_message_that_was_waited_for(events: tuple[Event, ...], code: int) -> None:
    told: Any = Told(*events)
    terminal = Terminal(as_json=True, write=lambda line: None)
    assert await _until_delivered(told, MINE, 0, 5.0, terminal) == code


class Stopped:
    """A client whose printing is stopped while it keeps the place of an event that is on the screen already."""

    def __init__(self) -> None:
        self.keeping = asyncio.Event()
        self.go_on = asyncio.Event()
        self.kept: list[int] = []

    async def events(self, after: int) -> AsyncIterator[Recorded]:
        yield Recorded(7, 0, MessageDelivered(BEN, MINE, 1))

    async def keep(self, consumer: str, cursor: int) -> None:
        self.keeping.set()
        await self.go_on.wait()
        self.kept.append(cursor)


@pytest.mark.anyio
async def test_what_was_printed_is_kept_also_when_listen_is_stopped_just_then() -> None:
    """Else the next listen prints it again although nothing crashed."""
    client: Any = Stopped()
    printed: list[str] = []
    arguments = argparse.Namespace(consumer="listen", unread=True)
    task = asyncio.ensure_future(_print_events(client, arguments, Terminal(as_json=True, write=printed.append), 0))
    await client.keeping.wait()
    task.cancel()
    await asyncio.sleep(0)
    client.go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(printed) == 1
    assert client.kept == [7]
