"""An SMSC that breaks the rules, byte by byte: silence, garbage, what nobody asked for, and too much of everything."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from letterlock.errors import TransportError
from letterlock.transport.sms.transport import probe
from sms.smscs import BEN, End, text

pytestmark = pytest.mark.anyio

BIND, SUBMIT, ENQUIRE, UNBIND, DELIVER, NACK = 9, 4, 0x15, 6, 5, 0x80000000


def frame(command: int, status: int, sequence: int, body: bytes = b"") -> bytes:
    return struct.pack(">IIII", 16 + len(body), command, status, sequence) + body


def deliver(sequence: int, user_data: bytes, esm_class: int = 0, source: bytes = b"15550199") -> bytes:
    addresses = b"\0\x01\x01" + source + b"\0\x01\x0115550100\0"
    body = addresses + bytes([esm_class]) + b"\0\0\0\0\0\0\0\0" + bytes([len(user_data)]) + user_data
    return frame(DELIVER, 0, sequence, body)


class Line:
    """One connection, as the SMSC sees it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self.writer = reader, writer

    async def next(self) -> tuple[int, int, int, bytes]:
        length, command, status, sequence = struct.unpack(">IIII", await self._reader.readexactly(16))
        return command, status, sequence, await self._reader.readexactly(length - 16)

    async def expect(self, command: int) -> tuple[int, int, bytes]:
        """The next frame of this command; enquiries before it are answered."""
        while True:
            found, status, sequence, body = await self.next()
            if found == command:
                return status, sequence, body
            assert found == ENQUIRE, hex(found)
            self.writer.write(frame(ENQUIRE | NACK, 0, sequence))

    async def bind(self) -> None:
        _, sequence, _ = await self.expect(BIND)
        self.writer.write(frame(BIND | NACK, 0, sequence, b"evil\0"))


class Hostile:
    """Lets each connection play a script; `lines` are those that came."""

    def __init__(self) -> None:
        self.lines: asyncio.Queue[Line] = asyncio.Queue()
        self.open: list[asyncio.StreamWriter] = []
        self.port = 0

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open.append(writer)
        await self.lines.put(Line(reader, writer))

    async def line(self) -> Line:
        async with asyncio.timeout(10):
            line = await self.lines.get()
            await line.bind()
        return line


@asynccontextmanager
async def hostile() -> AsyncIterator[Hostile]:
    made = Hostile()
    server = await asyncio.start_server(made.take, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        for writer in made.open:
            writer.close()


@asynccontextmanager
async def bound(**config: object) -> AsyncIterator[tuple[Hostile, End, Line]]:
    async with hostile() as smsc:
        end = End(smsc.port, **{"enquire_s": 5.0, "confirm_s": 5.0, **config})
        await end.transport.start()
        try:
            line = await smsc.line()
            await end.transport.bound()
            yield smsc, end, line
        finally:
            for writer in smsc.open:
                writer.close()
            await end.transport.close()


@pytest.mark.parametrize(
    "breaks",
    [
        b"\xff\xff\xff\xff" + bytes(12),
        b"\x00\x00\x00\x04" + bytes(12),
        frame(UNBIND, 0, 1),
        b"",
    ],
    ids=["endless", "shorter than its header", "unbind", "end"],
)
async def test_sr08_a_line_that_cannot_go_on_is_made_anew(breaks: bytes) -> None:
    async with bound() as (smsc, end, line):
        line.writer.write(breaks)
        if not breaks:
            line.writer.close()
        again = await smsc.line()
        again.writer.write(deliver(1, b"hi"))
        await again.expect(DELIVER | NACK)
        assert end.texts == ["hi"]


@pytest.mark.parametrize(
    "noise",
    [
        frame(0x103, 0, 7, b"data_sm"),
        frame(0x4242, 0, 7),
        frame(SUBMIT | NACK, 0, 999, b"of nobody\0"),
        frame(NACK, 3, 998),
        frame(DELIVER, 0, 7, b"\xff\xff"),
        deliver(7, b"\xff\x00", 0x40),
        deliver(7, b"id:m1 stat:DELIVRD", 4),
        deliver(7, b"", 8),
    ],
    ids=["data_sm", "unknown", "answer to nothing", "nack", "malformed", "bad header", "receipt", "acknowledgement"],
)
async def test_sr09_noise_ends_nothing(noise: bytes) -> None:
    async with bound() as (_, end, line):
        line.writer.write(noise + deliver(8, b"after"))
        while True:
            command, status, sequence, _ = await line.next()
            if sequence == 8:
                break
        assert (command, status) == (DELIVER | NACK, 0)
        assert end.texts == ["after"]


async def test_a_silent_smsc_is_left_and_found_again() -> None:
    async with bound(enquire_s=0.05, answer_s=0.1) as (smsc, end, line):
        assert (await line.next())[0] == ENQUIRE
        again = await smsc.line()  # no answer: a new connection
        again.writer.write(deliver(1, b"hi"))
        assert (await again.expect(DELIVER | NACK))[0] == 0
        assert end.texts == ["hi"]


async def test_an_answer_of_an_unknown_status_is_an_answer() -> None:
    async with bound() as (_, end, line):
        sending = asyncio.create_task(end.transport.send(text("hello")))
        _, sequence, _ = await line.expect(SUBMIT)
        line.writer.write(frame(SUBMIT | NACK, 0x4FF, sequence))
        result = await sending
        assert (result.accepted, result.status, result.reason, result.final) == (False, 0x4FF, "0x000004ff", False)


@pytest.mark.parametrize("named", [b"", b"\0", b"x" * 300, b"\xff\0"])
async def test_a_submission_without_a_usable_id_is_accepted_once(named: bytes) -> None:
    async with bound() as (_, end, line):
        sending = asyncio.create_task(end.transport.send(text("hello")))
        _, sequence, _ = await line.expect(SUBMIT)
        line.writer.write(frame(SUBMIT | NACK, 0, sequence, named))
        assert (await sending).accepted
        assert (await end.transport.send(text("hello"))).accepted


async def test_a_receipt_right_behind_the_answer_is_taken() -> None:
    async with bound() as (_, end, line):
        sending = asyncio.create_task(end.transport.send(text("hello")))
        _, sequence, _ = await line.expect(SUBMIT)
        line.writer.write(frame(SUBMIT | NACK, 0, sequence, b"m1\0") + deliver(3, b"id:m1 stat:DELIVRD", 4))
        assert (await sending).accepted
        await end.until(lambda: end.receipts)
        assert BEN in {inbound.sender for inbound in end.seen.values()}


async def test_a_repeat_that_could_not_be_kept_is_still_a_repeat() -> None:
    async with bound() as (smsc, end, line):
        line.writer.write(deliver(1, b"hello"))
        assert (await line.expect(DELIVER | NACK))[0] == 0
        line.writer.close()
        again = await smsc.line()
        end.notes.full = True
        again.writer.write(deliver(1, b"hello"))
        assert (await again.expect(DELIVER | NACK))[0] != 0
        end.notes.full = False
        again.writer.write(deliver(2, b"hello"))
        assert (await again.expect(DELIVER | NACK))[0] == 0
        assert end.texts == ["hello"]


async def test_sr08_a_flood_is_refused_and_not_kept_in_memory() -> None:
    async with bound(max_waiting=4) as (_, end, line):
        gate = asyncio.Event()
        take = end.transport._arrivals._on_message

        async def slow(inbound: object) -> None:
            await gate.wait()
            await take(inbound)  # type: ignore[arg-type]

        end.transport._arrivals._on_message = slow  # type: ignore[assignment]
        line.writer.write(b"".join(deliver(number, b"n%d" % number) for number in range(1, 21)))
        refused = [(await line.expect(DELIVER | NACK))[:2] for _ in range(15)]
        assert {status for status, _ in refused} == {0x14}
        gate.set()
        taken = [(await line.expect(DELIVER | NACK))[:2] for _ in range(5)]
        accepted = [status for status, _ in taken if status == 0]
        assert len(end.texts) == len(accepted) in (4, 5)


async def test_no_more_than_a_window_is_without_an_answer() -> None:
    async with bound(window=3) as (_, end, line):
        sending = [asyncio.create_task(end.transport.send(text(f"n {n}", f"message-{n}"))) for n in range(8)]
        waiting = [(await line.expect(SUBMIT))[1] for _ in range(3)]
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await line.next()
        done = 0
        while done < 8:
            line.writer.write(frame(SUBMIT | NACK, 0, waiting.pop(0), b"m%d\0" % done))
            done += 1
            if done <= 5:
                waiting.append((await line.expect(SUBMIT))[1])
        assert all(result.accepted for result in await asyncio.gather(*sending))


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (lambda sequence: frame(BIND | NACK, 0x0E, sequence), "sms.bind"),
        (lambda sequence: frame(NACK, 3, sequence), "sms.bind"),
        (lambda sequence: b"HTTP/1.1 400 Bad Request\r\n\r\n", "sms.lost"),
        (lambda sequence: b"", "sms.timeout"),
    ],
    ids=["refused", "nack", "no SMSC", "silence"],
)
async def test_whatever_answers_a_bind_is_one_error(answer: Callable[[int], bytes], code: str) -> None:
    async with hostile() as smsc:
        probing = asyncio.create_task(probe(End(smsc.port, answer_s=0.3).config))
        line = await smsc.lines.get()
        _, sequence, _ = await line.expect(BIND)
        line.writer.write(answer(sequence))
        with pytest.raises(TransportError) as caught:
            await probing
        assert caught.value.code == code
