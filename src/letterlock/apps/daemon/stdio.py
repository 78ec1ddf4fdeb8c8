"""JSON-RPC over lines: a request a line in, an answer a line out, events as notifications between them.

For programs that start Letterlock as a child (`letterlock rpc`) and speak over its standard input and output. Requests of
one connection are begun in the order of their lines, and answered as they are done: who needs an order waits for answers,
or sends a batch. At the end of the input what was begun is finished, and subscriptions end.

An event goes to `{"jsonrpc":"2.0","method":"event","params":{"subscription":1,"event":{"cursor":..,"at":..,"kind":..}}}`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace

from ...errors import InputError, LetterlockError
from ..verbs import Context, error_object
from ..verbs.records import event_record
from .rpc import INVALID_REQUEST, MAX_BODY, Refusal, answer

__all__ = ["MAX_LINE", "LineConnection"]

MAX_LINE = MAX_BODY + 1
"""With its newline."""

_MAX_PENDING = 64
_MAX_SUBSCRIPTIONS = 16

_log = logging.getLogger(__name__)


class LineConnection:
    """One connection. `read` gives the next line with its newline, empty at the end, and raises ValueError for one that is
    too long; `write` takes a line and returns when there is room for the next: a reader that is slow slows us down, and
    nothing piles up (SR-08)."""

    def __init__(
        self, context: Context, read: Callable[[], Awaitable[bytes]], write: Callable[[bytes], Awaitable[None]]
    ) -> None:
        self._context = replace(context, subscriptions=self)
        self._read, self._write = read, write
        self._one_line = asyncio.Lock()
        self._pending: set[asyncio.Task[None]] = set()
        self._subscriptions: dict[int, asyncio.Task[None]] = {}
        self._waiting: dict[int, asyncio.Event] = {}
        self._last = 0
        self._gone = asyncio.Event()

    async def serve(self) -> None:
        """Answer until the input ends or nobody reads any more."""
        taking = asyncio.ensure_future(self._take_lines())
        gone = asyncio.ensure_future(self._gone.wait())
        try:
            await asyncio.wait((taking, gone), return_when=asyncio.FIRST_COMPLETED)
            if taking.done():
                taking.result()
                while self._pending and not self._gone.is_set():
                    await asyncio.wait((*self._pending, gone), return_when=asyncio.FIRST_COMPLETED)
        finally:
            tasks = (taking, gone, *self._pending, *self._subscriptions.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _take_lines(self) -> None:
        while True:
            try:
                line = await self._read()
            except ValueError:
                # Where the next line begins is known no more; what is said after this would be read as something else.
                refusal = Refusal(INVALID_REQUEST, "rpc.too_large", f"a line has at most {MAX_BODY:,} bytes")
                await self._say({"jsonrpc": "2.0", "id": None, "error": refusal.error})
                return
            if not line:
                return
            if not line.strip():
                continue
            task = asyncio.get_running_loop().create_task(self._answer(line))
            self._pending.add(task)
            task.add_done_callback(self._pending.discard)
            while len(self._pending) >= _MAX_PENDING:
                await asyncio.wait(self._pending, return_when=asyncio.FIRST_COMPLETED)

    async def _answer(self, line: bytes) -> None:
        answered = await answer(self._context, line.rstrip(b"\r\n"))
        if answered is not None:
            await self._send(answered)
        # Only now: whoever subscribes learns the number before the first event that bears it.
        for number in list(self._waiting):
            self._waiting.pop(number).set()

    # --- events --------------------------------------------------------------------------------------------
    def subscribe(self, after: int) -> int:
        """Begin to hand out events; the first once the answer has been written."""
        if len(self._subscriptions) >= _MAX_SUBSCRIPTIONS:
            raise InputError(f"a connection has at most {_MAX_SUBSCRIPTIONS} subscriptions", code="input.subscription")
        self._last += 1
        number = self._last
        self._waiting[number] = asyncio.Event()
        task = asyncio.get_running_loop().create_task(self._hand_out(number, after, self._waiting[number]))
        self._subscriptions[number] = task
        task.add_done_callback(lambda _: self._subscriptions.pop(number, None))
        return number

    def unsubscribe(self, subscription: int) -> bool:
        """End one; whether it was there."""
        task = self._subscriptions.pop(subscription, None)
        if task is None:
            return False
        task.cancel()
        return True

    async def _hand_out(self, number: int, after: int, answered: asyncio.Event) -> None:
        await answered.wait()
        try:
            async with contextlib.aclosing(self._context.client.events(after)) as events:
                async for recorded in events:
                    await self._notify("event", {"subscription": number, "event": event_record(recorded)})
        except LetterlockError as error:
            await self._notify("ended", {"subscription": number, "error": error_object(error)})

    async def _notify(self, method: str, params: object) -> None:
        await self._say({"jsonrpc": "2.0", "method": method, "params": params})

    async def _say(self, value: object) -> None:
        await self._send(json.dumps(value, separators=(",", ":")).encode("ascii"))

    async def _send(self, line: bytes) -> None:
        async with self._one_line:
            if self._gone.is_set():
                return
            try:
                await self._write(line + b"\n")
            except OSError:  # whoever read our output went away; that is no error of ours
                _log.info("nobody reads the answers any more")
                self._gone.set()
