"""What an SMSC brings: receipts for what we sent, and messages, whole or in parts.

Everything is on disk before it is acknowledged (SR-06), and a message that comes again for want of an acknowledgement
gets the id that it had, by which the engine knows it. Receipts become the documents that RCS has for them; whether such a
word counts is the engine's to decide, and that it never counts as proof (SR-05).
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Awaitable, Callable, Hashable

from ... import ids
from ...carriage import Inbound, Medium
from ...codec import imdn, sms_text
from ...codec.dates import rfc3339
from ...codec.smpp import Address, DeliverSm
from ...codec.sms_text import Coding
from ...codec.sms_user_data import OF_THE_MESSAGE, read_receipt, user_data
from ...errors import DecodeError, InputError, LetterlockError
from ...ids import Instant, MessageId, Number, Rng
from .assembly import Assembled, Assembly
from .config import SmsConfig
from .memory import Changes, Memory
from .repeats import Repeats, Taken
from .submissions import Done, Submissions

__all__ = ["Arrivals"]

_TEXT = "text/plain;charset=UTF-8"
_BINARY = "application/octet-stream"
_INTERNATIONAL = 1
_MESSAGE_TYPE = 0x3C
_MOST_REPEATS = 1_024


class Arrivals:
    """`take` is for each deliver_sm in turn; `check` now and then."""

    def __init__(
        self,
        config: SmsConfig,
        memory: Memory,
        submissions: Submissions,
        on_message: Callable[[Inbound], Awaitable[None]],
        rng: Rng,
        clock: Callable[[], Instant],
    ) -> None:
        self._config = config
        self._memory = memory
        self._submissions = submissions
        self._on_message = on_message
        self._rng = rng
        self._clock = clock
        items = list(memory.items())
        self._repeats = Repeats(items, most=_MOST_REPEATS, grace_ms=config.repeats_ms)
        self._assembly = Assembly(
            items, most=config.max_groups, most_per_sender=config.max_groups_per_sender, kept_ms=config.parts_ms
        )
        self._one_at_a_time = asyncio.Lock()

    def bound(self, connection: str) -> None:
        """There is a new connection."""
        self._repeats.bound(connection, self._clock())

    async def take(self, message: DeliverSm, connection: str) -> Hashable:
        """Put it on disk. Raises whatever keeps it from there."""
        async with self._one_at_a_time:
            receipt = read_receipt(message)
            if receipt is not None:
                changes, done = self._submissions.report(receipt.carrier_id, _number(message.source), receipt.outcome)
                await self._keep(changes)
                if done is not None:
                    await self._on_message(self._receipt(done))
                    await self._keep(self._submissions.forget(done.message_id))
                return None
            if message.esm_class & _MESSAGE_TYPE:
                return None  # an acknowledgement by a person or a phone, of nothing that we asked for
            return await self._take_message(message, connection)

    async def confirmed(self, tokens: list[Hashable]) -> None:
        """The SMSC has read our acknowledgement of what `take` gave these for."""
        async with self._one_at_a_time:
            await self._keep(self._repeats.confirm(MessageId(str(token)) for token in tokens if token is not None))

    async def check(self) -> None:
        """Show what has waited for its parts for too long, and forget what no longer matters."""
        async with self._one_at_a_time:
            now = self._clock()
            await self._keep({**self._repeats.expire(now), **self._submissions.expire(now)})
            await self._show_due()

    async def _take_message(self, message: DeliverSm, connection: str) -> Hashable:
        now = self._clock()
        taken, changes = self._repeats.take(_digest(message), connection, self._fresh(), now)
        try:
            return await self._take_text(message, taken, changes, now)
        except BaseException:  # cancelled or refused
            # It is not on disk, and must not pass for taken when it comes again.
            self._repeats.undo(taken)
            raise

    async def _take_text(self, message: DeliverSm, taken: Taken, changes: Changes, now: Instant) -> MessageId:
        try:
            data = user_data(message)
        except DecodeError:
            # Shown as what it is, whole.
            await self._keep(changes)
            await self._show(taken.message_id, message.source, _BINARY, message.user_data)
            return taken.message_id
        coding = sms_text.coding_of(message.data_coding, Coding.GSM)
        part = data.part
        if part is not None and part.total <= self._config.max_parts and not (data.ports or coding is Coding.BINARY):
            if not taken.again:
                sender = _written(message.source)
                changes = {**changes, **self._assembly.add(sender, part, coding, data.octets, self._fresh(), now)}
            await self._keep(changes)
            await self._show_due()
            return taken.message_id
        await self._keep(changes)
        if data.ports or coding is Coding.BINARY:
            await self._show(taken.message_id, message.source, _BINARY, data.octets)
        else:
            text = sms_text.decode(data.octets, coding)
            await self._show(taken.message_id, message.source, _TEXT, text.encode("utf-8", "replace"))
        return taken.message_id

    async def _show_due(self) -> None:
        for assembled in self._assembly.due(self._clock()):
            await self._show_assembled(assembled)
            # It is on disk: forgotten too late it is shown under the id that it has, and so once. Its last part, asked for
            # again, would begin a message that never becomes whole.
            with contextlib.suppress(LetterlockError):
                await self._keep(self._assembly.forget(assembled))

    async def _show_assembled(self, assembled: Assembled) -> None:
        kind, _, digits = assembled.sender.partition(":")
        source = Address(int(kind), 0, digits)
        await self._show(assembled.message_id, source, _TEXT, assembled.text.encode("utf-8", "replace"))

    async def _show(self, message_id: MessageId, source: Address, content_type: str, body: bytes) -> None:
        number = _number(source)
        await self._on_message(
            Inbound(
                sender=number,
                recipient=self._config.number,
                message_id=message_id,
                content_type=content_type,
                body=body,
                received_at=self._clock(),
                medium=Medium.SMS,
                sender_name="" if number is not None else source.digits,
            )
        )

    def _receipt(self, done: Done) -> Inbound:
        status = imdn.Status.DELIVERED if done.delivered else imdn.Status.FAILED
        now = self._clock()
        document = imdn.Imdn(done.message_id, rfc3339(now), imdn.Disposition.DELIVERY, status)
        return Inbound(
            sender=done.to,
            recipient=self._config.number,
            message_id=self._fresh(),
            content_type=imdn.MEDIA_TYPE,
            body=imdn.encode_imdn(document),
            received_at=now,
            medium=Medium.SMS,
        )

    def _fresh(self) -> MessageId:
        return ids.new_message_id(self._rng)

    async def _keep(self, changes: Changes) -> None:
        if changes:
            await self._memory.keep(changes)


def _number(address: Address) -> Number | None:
    """The number, where it is one that can be written back to; not a name or a short code."""
    if address.type_of_number not in (0, _INTERNATIONAL):
        return None
    digits = address.digits.removeprefix("+").removeprefix("00" if address.type_of_number == 0 else "")
    try:
        return ids.number("+" + digits)
    except InputError:
        return None


def _written(address: Address) -> str:
    return f"{address.type_of_number}:{address.digits}"


def _digest(message: DeliverSm) -> str:
    fields = [_written(message.source), _written(message.destination), str(message.esm_class), str(message.data_coding)]
    # Of the parameters those that are the message's own; others say how it came, and may differ when it comes again.
    fields += [message.parameters.get(tag, b"").hex() for tag in OF_THE_MESSAGE]
    return hashlib.sha256("\0".join(fields).encode() + b"\0" + message.user_data).hexdigest()[:32]
