"""The transport: stays bound to the SMSC, submits texts in parts, and hands up what comes before it acknowledges it.

SMPP has no way to ask whether a submission without an answer was taken, so its repeat can arrive as a second SMS. What we
can do about it: parts that the SMSC took are never submitted again, also after a restart; a repeat has the reference of
the first attempt, by which phones and some SMSCs know it; and our own history shows the message once, because all that
is one row of the outbox.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import os
import time
from collections.abc import Awaitable, Callable, Hashable
from types import TracebackType

from ...carriage import Inbound, Medium, NetworkResult, Outbound
from ...codec import sms_text
from ...codec.smpp import DeliverSm, decode_message_id
from ...codec.sms_user_data import Concatenation, concatenation_header
from ...errors import DecodeError, InputError, LetterlockError, TransportError
from ...ids import Instant, Number, Rng, number
from . import pdus
from .arrivals import Arrivals
from .config import LongMessages, SmsConfig, check
from .connection import Answer, SmppConnection
from .memory import Changes, Memory
from .pace import Pace
from .submissions import Submissions

__all__ = ["SmsTransport", "probe"]

_log = logging.getLogger(__name__)

_CHECK_S = 60.0
_MOST_PARTS = 255


class SmsTransport:
    """The SMS of one account. `start` it, or use it as an async context manager.

    `on_message` is awaited for each arriving message; the SMSC hears that we have it when it returns, and that it shall
    keep it when it raises (SR-06). Raises InputError for a configuration that would speak in the clear beyond this
    machine (SR-19).
    """

    def __init__(
        self,
        config: SmsConfig,
        on_message: Callable[[Inbound], Awaitable[None]],
        memory: Memory,
        *,
        rng: Rng = os.urandom,
        clock: Callable[[], Instant] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        check(config)
        self._config = config
        self._memory = memory
        self._rng = rng
        self._clock = clock
        self._submissions = Submissions(memory.items(), most=config.max_submissions, kept_ms=config.receipts_ms)
        self._arrivals = Arrivals(config, memory, self._submissions, on_message, rng, clock)
        self._pace = Pace(config.pace_first_s, config.pace_longest_s)
        self._window = asyncio.Semaphore(config.window)
        self._connection: SmppConnection | None = None
        self._bound = asyncio.Event()
        self._noting: set[asyncio.Task[None]] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self.trouble: LetterlockError | None = None
        """Why the last attempt to bind failed; None once one succeeded."""

    async def start(self) -> None:
        """Connect and stay bound, in the background."""
        self._tasks = [asyncio.create_task(self._stay_bound()), asyncio.create_task(self._check())]

    async def bound(self) -> None:
        """Wait until messages can be sent."""
        await self._bound.wait()

    async def send(self, outbound: Outbound) -> NetworkResult:
        """Submit one text, all parts of it, and wait for the SMSC's answers.

        Raises TransportError when there is none: it may have the message or not. A part that it took is not submitted
        again.
        """
        if outbound.medium is not Medium.SMS or not outbound.content_type.startswith("text/plain"):
            return NetworkResult(False, reason="not-a-text", final=True)
        try:
            to, text = number(str(outbound.to)), outbound.body.decode()
        except (InputError, UnicodeDecodeError):
            return NetworkResult(False, reason="not-a-text", final=True)
        if sms_text.parts_needed(text) > _MOST_PARTS:
            return NetworkResult(False, reason="too-long", final=True)
        messages = self._messages(outbound, to, text)
        # Of all parts together: whoever called has a limit of its own, and would cut off an answer that is on its way.
        deadline = asyncio.get_running_loop().time() + self._config.patience_s
        for part, message in enumerate(messages, 1):
            if part not in self._submissions.taken(outbound.message_id):
                result = await self._submit(outbound, to, len(messages), part, message, deadline)
                if not result.accepted:
                    return result
        if self._noting:
            # Once the outbox has forgotten the message nothing else knows whose the receipts are.
            await asyncio.gather(*self._noting, return_exceptions=True)
        return NetworkResult(True)

    async def close(self) -> None:
        """Take no more messages, acknowledge those that were taken, unbind, disconnect. Takes seconds at most."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._connection is not None:
            await self._connection.close()
        if self._noting:
            await asyncio.gather(*self._noting, return_exceptions=True)

    async def __aenter__(self) -> SmsTransport:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # --- out -------------------------------------------------------------------------------------------------
    def _messages(self, outbound: Outbound, to: Number, text: str) -> list[pdus.Request]:
        """What to submit; the same in every attempt."""
        config = self._config
        reference = int.from_bytes(hashlib.sha256(outbound.message_id.encode()).digest()[:2], "big")
        wide = config.long_messages is not LongMessages.NARROW
        split = sms_text.split(text, wide_reference=wide)
        total = len(split.parts)
        if total > 1 and config.long_messages is LongMessages.PAYLOAD:
            return [pdus.submit_whole(config.number, to, text, split.coding, reference, outbound.receipts)]
        messages = []
        for part, octets in enumerate(split.parts, 1):
            header = b""
            if total > 1:
                shown = reference if wide else reference & 0xFF
                header = concatenation_header(Concatenation(shown, total, part, wide))
            messages.append(
                pdus.submit_part(config.number, to, octets, split.coding, header, reference, outbound.receipts)
            )
        return messages

    async def _submit(
        self, outbound: Outbound, to: Number, total: int, part: int, message: pdus.Request, deadline: float
    ) -> NetworkResult:
        def heard(status: int, body: bytes) -> None:
            """Before the receipt is looked at, which may come right behind."""
            try:
                carrier_id = decode_message_id(body)
            except DecodeError:
                carrier_id = ""
            changes = self._submissions.take(outbound.message_id, to, total, part, carrier_id, self._clock())
            noting = asyncio.create_task(self._note(changes))
            self._noting.add(noting)
            noting.add_done_callback(self._noting.discard)

        async with self._window:
            while True:
                if asyncio.get_running_loop().time() + self._pace.left_s > deadline:
                    wait_ms = int(self._pace.left_s * 1000)
                    return NetworkResult(False, reason="throttled", retry_after_ms=wait_ms)
                await self._pace.turn()
                connection = self._connection
                if connection is None:
                    return NetworkResult(False, reason="offline")
                try:
                    await connection.request(message, heard)
                except Answer as refusal:
                    if refusal.status in pdus.THROTTLED:
                        self._pace.slow_down()
                        continue
                    final = pdus.is_final(refusal.status)
                    return NetworkResult(False, refusal.status, str(refusal), final=final)
                self._pace.well()
                return NetworkResult(True)

    async def _note(self, changes: Changes) -> None:
        try:
            await self._memory.keep(changes)
        except LetterlockError as error:
            # It is known until we end; after that its receipt is nobody's.
            _log.warning("what the SMSC took was not recorded: %s (%s)", error, error.code)

    # --- the connection --------------------------------------------------------------------------------------
    async def _stay_bound(self) -> None:
        pause = self._config.retry_first_s
        while True:
            name = self._rng(8).hex()

            async def deliver(message: DeliverSm, name: str = name) -> Hashable:
                return await self._arrivals.take(message, name)

            try:
                connection = await SmppConnection.open(self._config, deliver, self._arrivals.confirmed)
            except (TransportError, OSError) as error:
                self.trouble = error if isinstance(error, LetterlockError) else None
                _log.info("SMS: %s", error)
            else:
                self.trouble, pause = None, self._config.retry_first_s
                self._connection = connection
                self._arrivals.bound(name)
                self._bound.set()
                try:
                    await connection.closed()
                    self._connection = None
                    await connection.end()
                finally:
                    self._bound.clear()
            # Half of it by chance, so that not all clients of an SMSC come back at once.
            await asyncio.sleep(pause * (0.5 + self._rng(1)[0] / 512))
            pause = min(2 * pause, self._config.retry_longest_s)

    async def _check(self) -> None:
        while True:
            with contextlib.suppress(LetterlockError):
                await self._arrivals.check()
            await asyncio.sleep(_CHECK_S)


async def probe(config: SmsConfig) -> None:
    """Bind and unbind. Raises TransportError that says what is wrong, InputError for the configuration."""
    check(config)
    connection = await SmppConnection.open(config, _refuse, _nothing)
    await connection.close()


async def _refuse(message: DeliverSm) -> Hashable:
    raise TransportError("this connection takes no messages", code="sms.probe")


async def _nothing(tokens: list[Hashable]) -> None:
    return None
