"""SR-06: the power goes at any step of what an SMSC brings. Each message is shown, once; each receipt is heard."""

from __future__ import annotations

import dataclasses
import itertools

import pytest

from letterlock.carriage import Inbound
from letterlock.codec.smpp import Address, DeliverSm
from letterlock.codec.sms_user_data import Concatenation, concatenation_header
from letterlock.ids import MessageId
from letterlock.transport.sms.arrivals import Arrivals
from letterlock.transport.sms.config import SmsConfig
from letterlock.transport.sms.memory import Changes
from letterlock.transport.sms.submissions import Submissions
from sms.smscs import ANA, BEN

pytestmark = pytest.mark.anyio

CONFIG = SmsConfig(ANA, "127.0.0.1", 1, "ana", "secret", tls=False)


def deliver(user_data: bytes, esm_class: int = 0) -> DeliverSm:
    return DeliverSm(Address(1, 1, BEN[1:]), Address(1, 1, ANA[1:]), esm_class, 0, 0, user_data, {})


def part(number: int, octets: bytes) -> DeliverSm:
    return deliver(concatenation_header(Concatenation(7, 2, number, False)) + octets, 0x40)


BROUGHT = (
    deliver(b"one"),
    part(2, b"parts"),
    deliver(b"id:c1 stat:DELIVRD", 4),
    part(1, b"in two "),
    deliver(b"id:c2 stat:DELIVRD", 4),
    deliver(b"one more"),
)


class Cut(BaseException):
    """The power goes. No error: nothing may catch it and go on."""


class Disk:
    """Records, and what the engine has taken: by id, each once. It is over before or after write number `last`."""

    def __init__(self, last: int, after: bool) -> None:
        self.records: dict[str, str] = {}
        self.shown: dict[MessageId, str] = {}
        self._left = last
        self._after = after

    def items(self) -> list[tuple[str, str]]:
        return list(self.records.items())

    async def keep(self, changes: Changes) -> None:
        with self._write():
            for name, text in changes.items():
                if text is None:
                    self.records.pop(name, None)
                else:
                    self.records[name] = text

    async def show(self, inbound: Inbound) -> None:
        with self._write():
            self.shown[inbound.message_id] = inbound.content_type.partition(";")[0] + " " + inbound.body.decode()

    def _write(self) -> Disk:
        self._left -= 1
        if self._left == 0 and not self._after:
            raise Cut
        return self

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        if self._left == 0:
            raise Cut

    @property
    def spent(self) -> bool:
        return self._left <= 0


async def receive_all(disk: Disk) -> None:
    """An SMSC repeats what was not acknowledged, in a new connection to a new process."""
    ids, connections = itertools.count(1), itertools.count(1)
    waiting = list(BROUGHT)
    while waiting:
        submissions = Submissions(disk.items(), most=9, kept_ms=1_000_000)
        arrivals = Arrivals(CONFIG, disk, submissions, disk.show, lambda size: next(ids).to_bytes(size), lambda: 1_000)
        connection = f"connection {next(connections)}"
        arrivals.bound(connection)
        try:
            await arrivals.check()
            while waiting:
                await arrivals.take(waiting[0], connection)
                waiting.pop(0)
        except Cut:
            continue


@pytest.mark.parametrize("after", [False, True])
async def test_sr06_the_power_goes_at_any_write(after: bool) -> None:
    for last in itertools.count(1):
        disk = Disk(0, after)
        sent = Submissions((), most=9, kept_ms=1_000_000)
        for number in (1, 2):
            await disk.keep(sent.take(MessageId("ours"), BEN, 2, number, f"c{number}", 1))
        disk._left = last
        await receive_all(disk)
        texts = sorted(text for text in disk.shown.values() if text.startswith("text/plain"))
        assert texts == ["text/plain in two parts", "text/plain one", "text/plain one more"], last
        receipts = [text for text in disk.shown.values() if not text.startswith("text/plain")]
        assert receipts and all("ours" in text and "delivered" in text for text in receipts), last
        assert [name for name in disk.records if not name.startswith("taken/")] == [], last
        if not disk.spent:
            assert last > 10
            return


async def test_parts_of_the_same_octets_are_no_repeats_of_each_other() -> None:
    """What numbers them may stand in parameters alone; the line is lost between the two."""
    disk = Disk(0, False)
    submissions = Submissions((), most=9, kept_ms=1_000_000)
    ids = itertools.count(1)
    arrivals = Arrivals(CONFIG, disk, submissions, disk.show, lambda size: next(ids).to_bytes(size), lambda: 1_000)
    for number in (1, 2):
        arrivals.bound(f"connection {number}")
        sar = {0x020C: b"\0\x07", 0x020E: b"\2", 0x020F: bytes([number])}
        await arrivals.take(dataclasses.replace(deliver(b"ha"), parameters=sar), f"connection {number}")
    assert list(disk.shown.values()) == ["text/plain haha"]
