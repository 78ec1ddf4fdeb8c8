"""Groups of our clients behind Debian's Kamailio: the focus is its application server, sessions go directly and through
its MSRP relay."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from focus.client_lab import GROUP, Phone, until
from focus.town import FAST, number
from interop.kamailio import DOMAIN, LAB_PASSWORD, Kamailio, free_ports, missing
from letterlock.carriage import Conference
from letterlock.services.focus import Focus, MsrpTls

pytestmark = [pytest.mark.anyio, pytest.mark.kamailio]


class Behind:
    """Kamailio, a focus behind it, phones before it."""

    def __init__(self, folder: Path, server: Kamailio, focus: Focus) -> None:
        self.folder = folder
        self.server = server
        self.focus = focus
        self.phones = contextlib.AsyncExitStack()

    async def phone(self, index: int, device: int = 1, *, tls: bool = False, relay: bool = False) -> Phone:
        phone = Phone(
            index,
            self.server.tls_port if tls else self.server.tcp_port,
            device,
            {},
            self.server.certificate.authority if tls else None,
            password=LAB_PASSWORD,
            relay=f"msrp://127.0.0.1:{self.server.msrp_port};tcp" if relay else None,
        )
        await self.phones.enter_async_context(phone.transport)
        async with asyncio.timeout(10):
            await phone.transport.registered()
        return phone


@pytest.fixture
async def behind(tmp_path: Path) -> AsyncIterator[Behind]:
    if reason := missing():
        pytest.skip(f"kamailio: {reason}")
    (port,) = free_ports(1)
    with Kamailio(lab_password=LAB_PASSWORD, focus=port) as server:
        focus = Focus(
            str(tmp_path / "focus.db"),
            domain=DOMAIN,
            proxy=("127.0.0.1", server.application_port),
            port=port,
            settings=FAST,
            msrp_tls=MsrpTls.of_files(str(server.certificate.certificate), str(server.certificate.key)),
        )
        async with focus:
            lab = Behind(tmp_path, server, focus)
            async with lab.phones:
                yield lab


@pytest.mark.parametrize(("tls", "relay"), [(False, False), (True, False), (False, True)], ids=["tcp", "tls", "relay"])
async def test_a_group_behind_kamailio(behind: Behind, tls: bool, relay: bool) -> None:
    """Made at the factory, members called, rosters by SUBSCRIBE and NOTIFY, REFER, frames to one member, leaving."""
    ana, bob, carla = [await behind.phone(i, tls=tls, relay=relay) for i in (1, 2, 3)]
    await ana.transport.sync_conference(Conference(GROUP, "", (bob.number,)), False)
    await until(lambda: bob.members == {ana.number, bob.number})
    await until(lambda: ana.members == {ana.number, bob.number})
    await bob.transport.sync_conference(Conference(GROUP, "", (ana.number, carla.number)), False)
    everybody = {ana.number, bob.number, carla.number}
    for phone in (ana, bob, carla):
        await until(lambda phone=phone: phone.members == everybody)
    frame = bytes(range(256)) * 20
    assert await carla.send(ana.number, frame)
    await until(lambda: ana.inbox)
    assert (ana.inbox[0].sender, ana.inbox[0].group, ana.inbox[0].body) == (carla.number, GROUP, frame)
    assert bob.inbox == []
    await bob.transport.sync_conference(Conference(GROUP, "", (ana.number, carla.number)), True)
    await until(lambda: ana.members == {ana.number, carla.number})


async def test_who_was_away_gets_what_the_focus_kept(behind: Behind) -> None:
    ana, bob = [await behind.phone(i) for i in (1, 2)]
    await ana.transport.sync_conference(Conference(GROUP, "", (bob.number,)), False)
    await until(lambda: bob.members)
    await bob.transport.close()
    for i in range(5):
        assert await ana.send(bob.number, b"%d" % i)
    again = await behind.phone(2)
    await until(lambda: len(again.inbox) == 5)
    assert [each.body for each in again.inbox] == [b"%d" % i for i in range(5)]


async def test_a_roster_of_hundreds_passes_its_read_buffer(behind: Behind) -> None:
    """65,535 bytes and not one more, or the connection is gone without a word."""
    ana = await behind.phone(1)
    members = tuple(number(i) for i in range(2, 400))
    await ana.transport.sync_conference(Conference(GROUP, "", members), False)
    await until(lambda: len(ana.members) == 399)
