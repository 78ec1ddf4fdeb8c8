"""One bound connection to an SMSC: requests with their answers, and what it sends, in order.

It ends as a whole: at an error, at silence, when the SMSC unbinds. Whoever waits for an answer then gets TransportError
and cannot know whether the request was read.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Hashable

from ...codec import smpp
from ...codec.smpp import DeliverSm, Header
from ...errors import DecodeError, TransportError
from . import pdus
from .config import SmsConfig, tls_context

__all__ = ["Answer", "SmppConnection"]

_log = logging.getLogger(__name__)

_REFUSALS = {
    0x0D: "the SMSC refuses to let this account bind",
    0x0E: "the SMSC refuses the password",
    0x0F: "the SMSC knows no such user",
}
_LAST_WORDS_S = 2.0
_MOST_UNCONFIRMED = 1_024
_MOST_SEQUENCE = 0x7FFFFFFF

Heard = Callable[[int, bytes], None]
"""Called with status and body of an answer before anything that came after it is looked at."""

OnDeliver = Callable[[DeliverSm], Awaitable[Hashable]]
"""Awaited for each deliver_sm, one after the other; the SMSC hears that we have it when it returns, and that it shall
keep it when it raises (SR-06). What it gives stands for the message in `on_confirmed`."""

OnConfirmed = Callable[[list[Hashable]], Awaitable[None]]
"""Awaited when the SMSC has read our acknowledgement of these."""


class Answer(Exception):
    """An SMSC's refusal of a request."""

    def __init__(self, status: int) -> None:
        super().__init__(pdus.status_name(status))
        self.status = status


class SmppConnection:
    """`open` makes one. Sequence numbers are its own."""

    def __init__(
        self,
        config: SmsConfig,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        on_deliver: OnDeliver,
        on_confirmed: OnConfirmed,
    ) -> None:
        self._config = config
        self._reader = reader
        self._writer = writer
        self._on_deliver = on_deliver
        self._on_confirmed = on_confirmed
        self._sequence = 0
        self._answers: dict[int, tuple[asyncio.Future[bytes], Heard | None, int]] = {}
        self._written = 0
        self._acknowledged: list[tuple[int, Hashable]] = []
        self._arrived: asyncio.Queue[tuple[int, DeliverSm]] = asyncio.Queue(config.max_waiting)
        self._confirmed: asyncio.Queue[list[Hashable]] = asyncio.Queue()
        self._quiet_since = asyncio.get_running_loop().time()
        self._tasks: list[asyncio.Task[None]] = []
        self._acknowledging = asyncio.Event()
        self._closed = asyncio.Event()
        self._taking = True

    @classmethod
    async def open(cls, config: SmsConfig, on_deliver: OnDeliver, on_confirmed: OnConfirmed) -> SmppConnection:
        """Connect and bind. Raises TransportError (`sms.connect`, `sms.bind`)."""
        where = f"{config.host}:{config.port}"
        tls = tls_context(config) if config.tls else None
        try:
            async with asyncio.timeout(config.connect_s):
                reader, writer = await asyncio.open_connection(
                    config.host, config.port, ssl=tls, server_hostname=(config.tls_name or config.host) if tls else None
                )
        except (OSError, TimeoutError) as error:
            why = "no answer in time" if isinstance(error, TimeoutError) else str(error)
            raise TransportError(f"the SMSC at {where} cannot be reached ({why})", code="sms.connect") from error
        connection = cls(config, reader, writer, on_deliver, on_confirmed)
        connection._tasks = [
            asyncio.create_task(connection._read()),
            asyncio.create_task(connection._deliver()),
            asyncio.create_task(connection._confirm()),
        ]
        try:
            await connection.request(pdus.bind(config))
        except Answer as refusal:
            await connection.end()
            reason = _REFUSALS.get(refusal.status, f"the SMSC refuses to bind ({refusal})")
            raise TransportError(
                f"{reason}: {config.system_id} at {where}",
                code="sms.bind",
                hint="check user and password with its operator: letterlock sms --smsc",
            ) from None
        except BaseException:  # nobody else knows of this connection yet
            await connection.end()
            raise
        connection._tasks.append(asyncio.create_task(connection._enquire()))
        return connection

    async def request(self, request: pdus.Request, heard: Heard | None = None) -> bytes:
        """Send and wait for the body of the answer. Raises Answer for a refusal, TransportError when there is none."""
        if self._closed.is_set():
            raise TransportError("the connection to the SMSC has ended", code="sms.lost")
        self._sequence = self._sequence % _MOST_SEQUENCE + 1
        sequence = self._sequence
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._write(request(sequence))
        self._answers[sequence] = (answer, heard, self._written)
        try:
            async with asyncio.timeout(self._config.answer_s):
                return await answer
        except TimeoutError:
            raise TransportError("the SMSC does not answer", code="sms.timeout") from None
        finally:
            self._answers.pop(sequence, None)

    async def closed(self) -> None:
        """Wait until it has ended."""
        await self._closed.wait()

    async def close(self) -> None:
        """Take nothing more, acknowledge what was taken, unbind, disconnect."""
        self._taking = False
        with contextlib.suppress(TransportError, Answer, TimeoutError):
            async with asyncio.timeout(_LAST_WORDS_S):
                await self._arrived.join()
                await self.request(pdus.unbind())
                await self._confirmed.join()
        await self.end()

    async def end(self) -> None:
        """Disconnect at once."""
        self._end()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    def _end(self) -> None:
        self._closed.set()
        self._writer.close()
        for answer, _, _ in self._answers.values():
            if not answer.done():
                answer.set_exception(TransportError("the connection to the SMSC was lost", code="sms.lost"))

    # --- what comes ------------------------------------------------------------------------------------------
    async def _read(self) -> None:
        try:
            while True:
                header = smpp.decode_header(await self._reader.readexactly(smpp.HEADER_LENGTH), self._config.limits)
                body = await self._reader.readexactly(header.length - smpp.HEADER_LENGTH)
                self._quiet_since = asyncio.get_running_loop().time()
                if header.command & smpp.RESPONSE:
                    self._answered(header, body)
                elif not self._asked(header, body):
                    return
                await self._writer.drain()
        except (OSError, EOFError, DecodeError):
            # A frame that cannot be delimited leaves no way to find the next one.
            pass
        finally:
            self._end()

    def _answered(self, header: Header, body: bytes) -> None:
        answer, heard, written = self._answers.get(header.sequence, (None, None, 0))
        if answer is None or answer.done():
            return
        read = [token for at, token in self._acknowledged if at < written]
        if read:
            self._acknowledged = [each for each in self._acknowledged if each[0] >= written]
            self._confirmed.put_nowait(read)
        if header.status or header.command == smpp.GENERIC_NACK:
            answer.set_exception(Answer(header.status))
            return
        if heard is not None:
            heard(header.status, body)
        answer.set_result(body)

    def _asked(self, header: Header, body: bytes) -> bool:
        """Answer a request, or put it where it is answered later; False at the end."""
        match header.command:
            case smpp.ENQUIRE_LINK:
                self._write(pdus.enquire_link_resp(header.sequence))
            case smpp.UNBIND:
                self._write(pdus.unbind_resp(header.sequence))
                return False
            case smpp.DELIVER_SM:
                self._take(header, body)
            case _:
                self._write(pdus.generic_nack(header.sequence))
        return True

    def _take(self, header: Header, body: bytes) -> None:
        try:
            message = smpp.decode_deliver_sm(body, self._config.limits)
        except DecodeError as error:
            # It would come again for ever, and stand in the way of others.
            _log.warning("the SMSC sent a message that cannot be read (%s)", error.code)
            self._write(pdus.deliver_sm_resp(header.sequence, pdus.OK))
            return
        if not self._taking or self._arrived.full():
            self._write(pdus.deliver_sm_resp(header.sequence, pdus.QUEUE_FULL))
            return
        self._arrived.put_nowait((header.sequence, message))

    async def _deliver(self) -> None:
        while True:
            sequence, message = await self._arrived.get()
            try:
                token = await self._on_deliver(message)
            except Exception:  # whatever it was, the message is not on disk: the SMSC keeps it
                self._write(pdus.deliver_sm_resp(sequence, pdus.TEMPORARY))
            else:
                self._write(pdus.deliver_sm_resp(sequence, pdus.OK))
                self._acknowledged = [*self._acknowledged, (self._written, token)][-_MOST_UNCONFIRMED:]
                self._acknowledging.set()
            finally:
                self._arrived.task_done()

    async def _confirm(self) -> None:
        while True:
            tokens = await self._confirmed.get()
            # One at a time and at leisure: what it forgets too late does no harm.
            with contextlib.suppress(Exception):
                await self._on_confirmed(tokens)
            self._confirmed.task_done()

    async def _enquire(self) -> None:
        """Ask when it was quiet for long, and soon after an acknowledgement: the answer proves that it was read."""
        now = asyncio.get_running_loop().time
        while not self._closed.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(self._quiet_since + self._config.enquire_s):
                    await self._acknowledging.wait()
                    await asyncio.sleep(self._config.confirm_s)  # for several at once
            if not self._acknowledging.is_set() and now() - self._quiet_since < self._config.enquire_s:
                continue
            self._acknowledging.clear()
            try:
                await self.request(pdus.enquire_link())
            except Answer:
                continue  # an answer all the same
            except TransportError:
                self._end()

    def _write(self, pdu: bytes) -> None:
        self._written += 1
        if not self._closed.is_set():
            self._writer.write(pdu)
