"""Clients of the gateway that lie, do not read, or come all at once; and a gateway that was restored or killed."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from pathlib import Path
from typing import Any, cast

import pytest
from aiohttp import WSMessage, WSMsgType, web

from gateway.lab import ANA, BEN, QUICK, Inbox, Lab, eventually, text
from gateway.raw import enrolled, raw_link
from gateway.test_gateway_links import bodies, send, waiting
from gateway.test_gateway_push import away, place
from letterlock.codec.gateway import (
    Acknowledge,
    Advertise,
    AskFeatures,
    ClientFrame,
    Hello,
    Registration,
    RequestId,
    Result,
    VisitConferences,
    Welcome,
    encode,
)
from letterlock.errors import InputError, StoreError
from letterlock.ids import Number
from letterlock.services.buckets import Rate
from letterlock.services.gateway import CarrierProfile, Gateway, GatewayLimits
from letterlock.services.gateway.link import Link
from letterlock.services.gateway.notices import Notices
from letterlock.services.gateway.pace import Pace
from letterlock.transport.gateway.transport import GatewayState, GatewayTransport

pytestmark = pytest.mark.anyio

GROUP = "ab" * 16
PLENTY = Rate(1_000_000, 1_000)


# --- what a client tells ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "hello",
    [
        Hello(None, 0, (("x\r\nEvil: 1", "y"),)),
        Hello(None, 0, (("x", "y\r\nEvil: 1"),)),
        Hello(None, 0, (("", ""),)),
        Hello(None, 0, (("é", ""),)),
        Hello(None, 0, (("x", "y" * 513),)),
        Hello(None, 0, (("x", "y"),) * 65),
    ],
    ids=range(6),
)
async def test_sr08_what_no_registration_could_say_is_neither_kept_nor_said(tmp_path: Path, hello: Hello) -> None:
    """It was kept for the next start, megabytes of it, and its device could never register again."""
    async with Lab.running(tmp_path) as lab:
        config = await enrolled(lab.config(BEN))
        async with raw_link(config) as link:
            await link.say(hello)
            assert await link.end() == 4002
        async with raw_link(config) as link:
            await link.hello()
            await link.say(Advertise(hello.tags))
            assert await link.end() == 4002
        device = await lab.gateway._writer.run(lambda tables: tables.device(BEN, config.instance))
        assert device is not None and device.tags == b"[]"
        await lab.end()
        await lab.begin()
        await lab.linked(BEN)


async def test_sr08_what_is_no_address_of_a_conference_is_not_kept(tmp_path: Path) -> None:
    told = ((GROUP, "sip:a@h.test\r\nEvil: 1"), ("not a group", "sip:a@h.test"), (GROUP, "s" * 1025))
    async with Lab.running(tmp_path) as lab:
        config = await enrolled(lab.config(BEN))
        for conferences in (told, (*told, (GROUP, "sip:a@h.test"))):
            async with raw_link(config) as link:
                await link.say(Hello(None, 0, (), conferences))
                await link.next(Welcome)
        await lab.end()
        await lab.begin()
        device = await lab.gateway._writer.run(lambda tables: tables.device(BEN, config.instance))
        assert device is not None
        kept = await lab.gateway._writer.run(lambda tables: tables.conferences(device.id))
        assert kept == {GROUP: "sip:a@h.test"}


async def test_sr17_who_was_revoked_between_token_and_hello_deletes_nothing(tmp_path: Path) -> None:
    async with Lab.running(tmp_path) as lab:
        await waiting(lab, 2)
        async with raw_link(lab.config(BEN)) as link:
            first = await link.hello()
            await bodies(link, 2)
        async with raw_link(lab.config(BEN)) as stolen:
            new = await enrolled(lab.config(BEN, token="n" * 43))
            await stolen.say(Hello(first.inbox, first.cursor + 2))
            assert await stolen.end() == 4001
        async with raw_link(new) as link:
            await link.hello()
            assert await bodies(link, 2) == [b"0", b"1"]


# --- clients that cost ------------------------------------------------------------------------------------------
class Deaf:
    """A socket whose client sends much and reads nothing."""

    def __init__(self, frames: list[ClientFrame]) -> None:
        self.left = deque(encode(frame) for frame in frames)
        self.gone = asyncio.Event()

    async def receive(self) -> WSMessage:
        if self.left:
            return WSMessage(WSMsgType.BINARY, self.left.popleft(), None)
        await self.gone.wait()
        return WSMessage(WSMsgType.CLOSED, None, None)

    async def send_bytes(self, data: bytes) -> None:
        await self.gone.wait()
        raise ConnectionError

    async def close(self, **_: Any) -> None:
        self.gone.set()


async def test_sr08_answers_that_a_client_does_not_read_take_room(tmp_path: Path) -> None:
    limits = GatewayLimits(max_requests=8, requests=Rate(1, 60_000), frame_rate=PLENTY)
    async with Lab.running(tmp_path, limits=limits) as lab:
        config = await enrolled(lab.config(BEN))
        line = lab.gateway._lines.find(BEN, config.instance)
        assert line is not None
        asked = [AskFeatures(RequestId(at.to_bytes(16)), ANA, True) for at in range(1000)]
        deaf = Deaf([Hello(None, 0), *asked])
        link = Link(lab.gateway._house, line, cast(web.WebSocketResponse, deaf), None)
        running = asyncio.create_task(link.run())
        await eventually(lambda: len(deaf.left) < 1000)
        for _ in range(200):
            await asyncio.sleep(0)
        assert len(link._answers) <= limits.max_requests
        assert len(deaf.left) >= 1000 - 2 * limits.max_requests
        await deaf.close()
        async with asyncio.timeout(5):
            await running  # it does not wait for room that never comes
        assert line.link is None


def test_sr08_what_a_client_does_not_hear_of_is_bounded() -> None:
    notices, told = Notices(10), [0]
    notices.begin({})
    notices.on_more = lambda: told.append(1)
    for at in range(1000):
        notices.kept(f"{at:032x}", "sip:a@h.test")
    notices.registered("registered", "registered")
    last = [*notices.due()]
    assert len(last) == 40 and len(told) == 1002
    assert last[-1] == encode(Registration("registered", "registered"))
    assert [*notices.due()] == []


@pytest.mark.parametrize("secret", [b"", b"s" * 31])
def test_a_secret_that_could_be_guessed_seals_nothing(tmp_path: Path, secret: bytes) -> None:
    with pytest.raises(InputError) as caught:
        Gateway(str(tmp_path / "g.db"), CarrierProfile("127.0.0.1", 1, "h.test", tls=False), lambda _: None, secret)
    assert caught.value.code == "input.secret"


@pytest.mark.parametrize("frame", [VisitConferences(), Advertise((("+g.test", "1"),))], ids=["visit", "advertise"])
async def test_sr17_what_costs_the_carrier_requests_has_a_rate(tmp_path: Path, frame: ClientFrame) -> None:
    limits = GatewayLimits(requests=Rate(4, 1_000), tidy_ms=5)
    async with Lab.running(tmp_path, limits=limits) as lab, raw_link(await enrolled(lab.config(ANA))) as link:
        await link.hello()
        began = time.monotonic()
        await link.say(*[frame] * 8, send())
        await link.next(Result)
        assert time.monotonic() - began > 0.7


async def test_turns_come_so_many_a_second_and_the_first_at_once() -> None:
    pace, loop = Pace(50), asyncio.get_running_loop()
    began = loop.time()
    await pace.turn()
    assert loop.time() - began < 0.02
    await asyncio.gather(*(pace.turn() for _ in range(10)))
    assert loop.time() - began >= 0.2


async def test_clients_that_come_all_at_once_register_one_after_another(tmp_path: Path) -> None:
    """After a start of the gateway everybody links again within a second."""
    limits = GatewayLimits(registrations_per_s=5, tidy_ms=5)
    numbers = [Number(f"+1555010{at}") for at in range(5)]
    async with Lab.running(tmp_path, limits=limits) as lab:
        configs = [await enrolled(lab.config(number)) for number in numbers]
        began = time.monotonic()

        async def linked(at: int) -> None:
            transport = lab.transport(numbers[at], Inbox())
            lab.closing.push_async_callback(transport.close)
            await transport.start()
            await transport.registered()

        await asyncio.gather(*(linked(at) for at in range(len(configs))))
        assert time.monotonic() - began > 0.75


async def test_sr08_many_small_messages_make_room_for_a_large_one(tmp_path: Path) -> None:
    limits = GatewayLimits(max_bytes=100_000, tidy_ms=5)
    async with Lab.running(tmp_path, limits=limits) as lab:
        config = await enrolled(lab.config(BEN))
        device = lab.gateway._lines.find(BEN, config.instance).device.id  # type: ignore[union-attr]
        office = lab.gateway._office

        def fill(tables: Any) -> Any:
            for _ in range(600):
                office.arrived(tables, device, bytes(100), 1)
            office.arrived(tables, device, bytes(90_000), 1)
            return tables.device_by_id(device)

        found = await lab.gateway._writer.run(fill)
        assert (found.kept, found.bytes, found.gap) == (101, 100_000, 500)


# --- a gateway that was restored or killed -------------------------------------------------------------------------
async def test_sr06_a_gateway_from_an_old_copy_that_took_much_since_deletes_nothing_new(tmp_path: Path) -> None:
    """The client's cursor is one of before; what came to the copy has the same places in the inbox."""
    async with Lab.running(tmp_path) as lab:
        await waiting(lab, 1)
        await lab.end()
        copy = {path: path.read_bytes() for path in tmp_path.iterdir() if path.name.startswith("gateway.db")}
        await lab.begin()
        config = lab.config(BEN)
        async with raw_link(config) as link:
            first = await link.hello()
            ana = await lab.native(ANA)
            for at in range(3):
                assert (await ana.send(text(ANA, BEN, f"before {at}"))).accepted
            await bodies(link, 4)
            await link.say(Acknowledge(first.cursor + 4))
        await lab.end()
        for path, data in copy.items():
            path.write_bytes(data)
        await lab.begin()
        await eventually(lambda: all(line.registered for line in lab.gateway._lines._lines.values()))
        new = [f"new {at}".encode() for at in range(5)]
        for body in new:
            while not (await ana.send(text(ANA, BEN, body.decode()))).accepted:
                await asyncio.sleep(0.05)
        async with raw_link(config) as link:
            await link.hello(first.inbox, first.cursor + 4)
            assert await bodies(link, 6) == [b"0", *new]


async def test_what_waited_when_the_gateway_was_killed_still_wakes(tmp_path: Path) -> None:
    provider, pushes, running = place(tmp_path, wake_after_ms=50)
    async with pushes, running() as lab:
        await away(lab)
        await lab.end()
        await lab.begin(pushes=None)  # killed between the inbox and the push service
        ana = await lab.native(ANA)
        assert (await ana.send(text(ANA, BEN, "one"))).accepted
        await lab.end()
        assert provider.woken == []
        await lab.begin(limits=lab.changes["limits"], pushes=pushes)
        await eventually(lambda: provider.woken)


class FullDisk(dict[str, str]):
    """Addresses of conferences that cannot be written down."""

    def __setitem__(self, name: str, address: str) -> None:
        raise StoreError("the disk is full")


@pytest.mark.parametrize(
    ("kept", "address"),
    [(dict.fromkeys(map(str, range(4096)), "sip:a@h.test"), "sip:a@h.test"), ({}, "s" * 1025)],
    ids=["many", "long"],
)
async def test_sr08_an_address_that_does_not_fit_is_passed_over(
    tmp_path: Path, kept: dict[str, str], address: str
) -> None:
    """Whoever runs a conference chooses it: it ended each link of whom they had invited, as soon as it began."""
    async with Lab.running(tmp_path) as lab:
        bens, known = Inbox(), dict(kept)
        ben = await lab.linked(BEN, bens)
        ben.remember_conferences(known)
        line = lab.gateway._lines.find(BEN, lab.config(BEN).instance)
        assert line is not None and line._addresses is not None
        line.notices.kept(GROUP, address)  # of a gateway that takes everything
        assert (await (await lab.native(ANA)).send(text(ANA, BEN, "behind it"))).accepted
        await eventually(lambda: bens.texts == ["behind it"])
        assert known == kept and ben.status.state is GatewayState.REGISTERED
        line._addresses[GROUP] = address  # ours
        assert (GROUP in line._addresses) == (len(address) < 1025)


async def test_an_address_that_cannot_be_written_ends_the_link_and_not_the_transport(tmp_path: Path) -> None:
    async with Lab.running(tmp_path) as lab:
        bens, states = Inbox(), list[GatewayState]()
        config = lab.config(BEN)
        ben = GatewayTransport(config, bens.take, lambda status: states.append(status.state), settings=QUICK)
        lab.closing.push_async_callback(ben.close)
        await ben.start()
        await ben.registered()
        ben.remember_conferences(FullDisk())
        line = lab.gateway._lines.find(BEN, config.instance)
        assert line is not None
        line.notices.kept(GROUP, "sip:a@h.test")
        await eventually(lambda: GatewayState.OFFLINE in states)
        ben.remember_conferences({})
        await eventually(lambda: ben.status.state is GatewayState.REGISTERED)


async def test_a_message_that_no_version_of_ours_can_take_does_not_keep_the_others(tmp_path: Path) -> None:
    """A bug is no full disk: the carrier would have given such a message up, and the gateway keeps it for a month."""
    async with Lab.running(tmp_path) as lab:
        bens, tried = Inbox(), [0]

        def take(inbound: Any) -> None:
            if inbound.body == b"poison":
                tried[0] += 1
                raise ZeroDivisionError
            if inbound.body == b"disk" and tried.count(0) + len(tried) < 8:
                tried.append(1)
                raise StoreError("the disk is full")

        bens.fail = take
        ana, ben = await lab.native(ANA), await lab.linked(BEN, bens)
        for body in ("poison", "disk", "after"):
            with contextlib.suppress(Exception):
                await ana.send(text(ANA, BEN, body))
        await eventually(lambda: ben._arrivals.acknowledged == 3, 20)
        assert set(bens.texts) == {"disk", "after"}
        assert tried[0] == 3
