"""sipp registers many devices, and sends many messages, at Kamailio and at the embedded carrier: none fails."""

from __future__ import annotations

import asyncio
import itertools
import uuid
from pathlib import Path
from typing import Any

import pytest

from interop import sipp
from interop.kamailio import DOMAIN, LAB_PASSWORD, Kamailio, free_ports
from interop.sip_lines import SipLine
from interop.test_kamailio_rcs import fresh_number
from letterlock.carrier import Accounts, Carrier
from letterlock.carrier.settings import Settings
from letterlock.services.mailbox import Mailbox

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.kamailio,
    pytest.mark.skipif(bool(sipp.missing()), reason=sipp.missing()),
]

DEVICES, MESSAGES = 800, 3000
# It knows no SHA-256, which our carrier would rather have.
SETTINGS = Settings(algorithms=("MD5",), challenge_requests=True, max_connections=2 * DEVICES)
REGISTER: dict[str, Any] = {"uri": DOMAIN, "rate": 2000, "each_its_own": True}
_blocks = itertools.count(10)


def devices() -> list[tuple[str, str, str]]:
    """Numbers, credentials and instances that no other test uses."""
    block = next(_blocks)
    numbers = [f"+1556{block}{each:05}" for each in range(DEVICES)]
    return [(number, credentials(number), str(uuid.uuid4())) for number in numbers]


def credentials(number: str) -> str:
    return f"[authentication username={number} password={LAB_PASSWORD}]"


def report(what: str, figures: sipp.Figures, capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print(
            f"\n  sipp, {what}: {figures.done} in {figures.seconds:.1f} s, {figures.per_second:.0f}/s, {figures.failed} failed"
        )


async def sent(port: int, receiver: SipLine, folder: Path) -> tuple[sipp.Figures, int]:
    """The figures, and how many messages the receiver took."""
    taken = 0

    async def take() -> None:
        nonlocal taken
        while True:
            receiver.answer(await receiver.arrived.get(), 200)
            taken += 1

    sender = fresh_number()
    task = asyncio.create_task(take())
    rows = [(sender, credentials(sender), receiver.me)] * MESSAGES
    figures = await sipp.run(
        "message", folder, port, rows, uri=f"{receiver.me}@{DOMAIN}", rate=4000, each_its_own=False
    )
    task.cancel()
    return figures, taken


async def test_registrations_at_kamailio(
    kamailio: Kamailio, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = await sipp.run("register", tmp_path, kamailio.tcp_port, devices(), **REGISTER)
    report("REGISTER with Digest, Kamailio", figures, capsys)
    assert (figures.done, figures.failed) == (DEVICES, 0), figures.output[-3000:]


async def test_registrations_at_kamailio_with_the_mailbox(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each is told to the mailbox too, which writes it down."""
    port = free_ports(1)[0]
    with Kamailio(lab_password=LAB_PASSWORD, mailbox=port) as server:
        proxy = (server.host, server.application_port)
        async with Mailbox(str(tmp_path / "mailbox.db"), domain=server.domain, proxy=proxy, port=port):
            figures = await sipp.run("register", tmp_path, server.tcp_port, devices(), **REGISTER)
    report("REGISTER with Digest, Kamailio and mailbox", figures, capsys)
    assert (figures.done, figures.failed) == (DEVICES, 0), figures.output[-3000:]


async def test_messages_through_kamailio(
    kamailio: Kamailio, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with SipLine(kamailio, fresh_number()) as receiver:
        await receiver.register()
        figures, taken = await sent(kamailio.tcp_port, receiver, tmp_path)
    report("MESSAGE with a challenge each, Kamailio", figures, capsys)
    assert (figures.done, figures.failed, taken) == (MESSAGES, 0, MESSAGES), figures.output[-3000:]


async def test_registrations_at_the_carrier(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with Carrier("127.0.0.1", 0, Accounts.lab(LAB_PASSWORD), settings=SETTINGS) as carrier:
        figures = await sipp.run("register", tmp_path, carrier.port, devices(), **REGISTER)
    report("REGISTER with Digest, embedded carrier", figures, capsys)
    assert (figures.done, figures.failed) == (DEVICES, 0), figures.output[-3000:]


class Address:
    """Where a line finds a carrier."""

    def __init__(self, carrier: Carrier) -> None:
        self.host, self.domain, self.tcp_port = carrier.host, carrier.domain, carrier.port


async def test_messages_through_the_carrier(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with (
        Carrier("127.0.0.1", 0, Accounts.lab(LAB_PASSWORD), settings=SETTINGS) as carrier,
        SipLine(Address(carrier), fresh_number()) as receiver,
    ):
        await receiver.register()
        figures, taken = await sent(carrier.port, receiver, tmp_path)
    report("MESSAGE with a challenge each, embedded carrier", figures, capsys)
    assert (figures.done, figures.failed, taken) == (MESSAGES, 0, MESSAGES), figures.output[-3000:]
