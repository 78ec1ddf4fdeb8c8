"""Links: bounds, cursors, clients that are slow, flap or lie."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from pathlib import Path

import pytest

from gateway.lab import ANA, BEN, Inbox, Lab, eventually, text
from gateway.raw import Raw, enrolled, raw_link
from letterlock.codec.gateway import (
    Acknowledge,
    AskFeatures,
    ClientFrame,
    Failure,
    Gap,
    GapReason,
    Hello,
    Message,
    RequestId,
    Result,
    Roster,
    Send,
    Settled,
    SyncConference,
    encode,
)
from letterlock.errors import StoreError
from letterlock.ids import GroupId, MessageId, conversation_of
from letterlock.services.buckets import Rate
from letterlock.services.gateway import GatewayLimits
from letterlock.transport.gateway.transport import GatewayState

pytestmark = pytest.mark.anyio

_ONE = RequestId(b"1" * 16)


def send(body: bytes = b"hi", request: RequestId = _ONE) -> Send:
    return Send(request, BEN, MessageId("m-1"), conversation_of(ANA, BEN), "text/plain", body)


# --- frames that no client of ours would send ------------------------------------------------------------------
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x02\x09",
        b"\x01\xff",
        b"\x01\x09",  # honest, but no hello
        encode(Acknowledge(0)),
        encode(Hello(None, 0))[:-1],
        encode(Hello(None, 0)) + b"\x00",
        b"\xff" * 1000,
    ],
    ids=range(8),
)
async def test_sr09_a_link_that_does_not_begin_with_a_hello_ends(tmp_path: Path, data: bytes) -> None:
    async with Lab.running(tmp_path) as lab, raw_link(await enrolled(lab.config(ANA))) as link:
        await link.socket.send_bytes(data)
        assert await link.end() == 4002
        assert lab.gateway._lines.linked_devices() == []


@pytest.mark.parametrize(
    "frame",
    [Hello(None, 0), Acknowledge(1), Acknowledge((1 << 64) - 1)],
    ids=["a second hello", "one that was not sent", "the last of all"],
)
async def test_a_frame_out_of_its_place_ends_the_link(tmp_path: Path, frame: ClientFrame) -> None:
    async with Lab.running(tmp_path) as lab, raw_link(await enrolled(lab.config(ANA))) as link:
        await link.hello()
        await link.say(frame)
        assert await link.end() == 4002


async def test_text_and_frames_that_are_too_large_end_the_link(tmp_path: Path) -> None:
    async with Lab.running(tmp_path) as lab:
        config = await enrolled(lab.config(ANA))
        async with raw_link(config) as link:
            await link.socket.send_str("hello")
            assert await link.end() == 4002
        async with raw_link(config) as link:
            await link.hello()
            with contextlib.suppress(ConnectionError):  # refused at its length, before the rest of it is read
                await link.socket.send_bytes(bytes(GatewayLimits().frames.max_frame + 1))
            assert await link.end() in (1009, None)


async def test_who_says_nothing_is_not_waited_for(tmp_path: Path) -> None:
    limits = GatewayLimits(hello_ms=50)
    async with Lab.running(tmp_path, limits=limits) as lab, raw_link(await enrolled(lab.config(ANA))) as link:
        assert await link.end() == 4002


# --- cursors ---------------------------------------------------------------------------------------------------
async def waiting(lab: Lab, count: int) -> None:
    """So many messages in Ben's inbox, who has been here once."""
    ben = await lab.linked(BEN)
    await ben.close()
    ana = await lab.native(ANA)
    for at in range(count):
        assert (await ana.send(text(ANA, BEN, f"{at}"))).accepted


async def bodies(link: Raw, count: int) -> list[bytes]:
    return [(await link.next(Message)).body for _ in range(count)]


async def test_what_is_not_acknowledged_comes_again_and_the_rest_does_not(tmp_path: Path) -> None:
    async with Lab.running(tmp_path) as lab:
        await waiting(lab, 4)
        config = lab.config(BEN)
        async with raw_link(config) as link:
            first = await link.hello()
            assert await bodies(link, 4) == [b"0", b"1", b"2", b"3"]
            await link.say(Acknowledge(first.cursor + 2))
        async with raw_link(config) as link:
            again = await link.hello()
            assert (again.inbox, again.cursor) == (first.inbox, first.cursor + 2)
            assert await bodies(link, 2) == [b"2", b"3"]
        async with raw_link(config) as link:  # a client that has one more on its disk than it could say
            assert (await link.hello(first.inbox, first.cursor + 3)).cursor == first.cursor + 3
            assert await bodies(link, 1) == [b"3"]


async def test_a_cursor_of_the_past_brings_what_is_there_and_one_of_another_inbox_counts_for_nothing(
    tmp_path: Path,
) -> None:
    async with Lab.running(tmp_path) as lab:
        await waiting(lab, 2)
        config = lab.config(BEN)
        async with raw_link(config) as link:
            first = await link.hello()
            await bodies(link, 2)
            await link.say(Acknowledge(first.cursor + 1))
        for inbox, cursor in ((first.inbox, 0), (bytes(16), 77), (None, 77)):
            async with raw_link(config) as link:
                assert (await link.hello(inbox, cursor)).cursor == first.cursor + 1
                assert await bodies(link, 1) == [b"1"]


async def test_a_cursor_of_the_future_makes_another_inbox(tmp_path: Path) -> None:
    """The gateway was restored from a copy: what comes now must not be taken for what the client has seen."""
    async with Lab.running(tmp_path) as lab:
        await waiting(lab, 1)
        async with raw_link(lab.config(BEN)) as link:
            first = await link.hello()
            await bodies(link, 1)
        async with raw_link(lab.config(BEN)) as link:
            other = await link.hello(first.inbox, first.cursor + 1000)
            assert other.inbox != first.inbox
            assert await bodies(link, 1) == [b"0"]


async def test_a_gateway_from_an_old_copy_delivers_what_it_has(tmp_path: Path) -> None:
    async with Lab.running(tmp_path) as lab:
        bens = Inbox()
        ben, ana = await lab.linked(BEN, bens), await lab.native(ANA)
        await ana.send(text(ANA, BEN, "one"))
        await eventually(lambda: bens.texts == ["one"])
        await lab.end()
        copy = {path: path.read_bytes() for path in tmp_path.iterdir() if path.name.startswith("gateway.db")}
        await lab.begin()
        await ben.registered()
        for at in range(3):
            await ana.send(text(ANA, BEN, f"then {at}"))
        await eventually(lambda: len(bens.got) == 4)
        await lab.end()
        for path, data in copy.items():
            path.write_bytes(data)
        await lab.begin()
        await eventually(lambda: ben.status.state is GatewayState.REGISTERED, 20)
        assert (await ana.send(text(ANA, BEN, "afterwards"))).accepted
        await eventually(lambda: bens.texts[-1] == "afterwards")


# --- retention -------------------------------------------------------------------------------------------------
async def test_sr08_a_full_inbox_drops_the_oldest_and_says_so(tmp_path: Path) -> None:
    limits = GatewayLimits(max_messages=3, tidy_ms=5)
    async with Lab.running(tmp_path, limits=limits) as lab:
        await waiting(lab, 8)
        async with raw_link(lab.config(BEN)) as link:
            welcome = await link.hello()
            assert await link.next(Gap) == Gap(welcome.cursor + 1, welcome.cursor + 5, GapReason.OVERFLOW)
            assert await bodies(link, 3) == [b"5", b"6", b"7"]
        bens = Inbox()
        ben = await lab.linked(BEN, bens)
        await eventually(lambda: bens.texts == ["5", "6", "7"])
        assert ben.status.lost == 5
        await ben.close()
        again = await lab.linked(BEN, bens)  # told once
        assert again.status.lost == 0


async def test_sr08_a_full_inbox_in_bytes(tmp_path: Path) -> None:
    limits = GatewayLimits(max_bytes=1_500, tidy_ms=5)
    async with Lab.running(tmp_path, limits=limits) as lab:
        await waiting(lab, 40)
        async with raw_link(lab.config(BEN)) as link:
            welcome = await link.hello()
            gap = await link.next(Gap)
            left = await bodies(link, welcome.cursor + 40 - gap.last)
            assert left and left[-1] == b"39"
            device = await lab.gateway._writer.run(lambda tables: tables.device(BEN, lab.config(BEN).instance))
            assert device is not None and device.bytes <= 1_500 and device.kept == len(left)


async def test_what_is_too_old_goes_and_the_client_sees_the_gap(tmp_path: Path) -> None:
    now = [1_800_000_000_000]
    async with Lab.running(tmp_path, now=lambda: now[0]) as lab:
        await waiting(lab, 2)
        now[0] += GatewayLimits().message_ms + 1
        await lab.gateway._writer.run(lambda tables: tables.seen(1, now[0], b""))
        await lab.gateway.purge()
        async with raw_link(lab.config(BEN)) as link:
            welcome = await link.hello()
            assert await link.next(Gap) == Gap(welcome.cursor + 1, welcome.cursor + 2, GapReason.EXPIRED)
            assert await lab.gateway._writer.run(lambda tables: tables.total()) == 0


async def test_a_device_that_stays_linked_is_not_forgotten(tmp_path: Path) -> None:
    now = [1_800_000_000_000]
    async with Lab.running(tmp_path, now=lambda: now[0]) as lab:
        ben = await lab.linked(BEN)
        now[0] += GatewayLimits().known_ms + 1
        await lab.gateway.purge()
        assert len(lab.gateway._lines) == 1
        assert ben.status.state is GatewayState.REGISTERED


async def test_a_device_that_does_not_come_any_more_is_forgotten(tmp_path: Path) -> None:
    now = [1_800_000_000_000]
    async with Lab.running(tmp_path, now=lambda: now[0]) as lab:
        await waiting(lab, 2)
        await enrolled(lab.config(ANA, device=9))
        now[0] += GatewayLimits().enrolled_ms + 1
        await lab.gateway.purge()
        assert len(lab.gateway._lines) == 1
        now[0] += GatewayLimits().known_ms
        await lab.gateway.purge()
        assert len(lab.gateway._lines) == 0
        assert await lab.gateway._writer.run(lambda tables: (tables.total(), tables.devices())) == (0, [])


# --- clients that are slow, flap, or are there twice ---------------------------------------------------------------
async def test_sr08_a_client_that_does_not_acknowledge_gets_a_window_and_no_more(tmp_path: Path) -> None:
    limits = GatewayLimits(window=4, page=3, tidy_ms=5)
    async with Lab.running(tmp_path, limits=limits) as lab:
        await waiting(lab, 10)
        ana = await lab.native(ANA)
        async with raw_link(lab.config(BEN)) as link:
            welcome = await link.hello()
            got = await bodies(link, 4)
            for at in range(10, 30):
                await ana.send(text(ANA, BEN, f"{at}"))
            line = lab.gateway._lines.find(BEN, lab.config(BEN).instance)
            assert line is not None and line.link is not None
            assert len(line.link._flying) == 4
            assert len(line.link._fresh) <= 4  # the rest is on the disk
            for at in range(4, 30):
                await link.say(Acknowledge(welcome.cursor + at))
                got += await bodies(link, 1)
            assert got == [str(at).encode() for at in range(30)]


async def test_a_message_that_cannot_be_stored_comes_again(tmp_path: Path) -> None:
    async with Lab.running(tmp_path) as lab:
        bens, failures = Inbox(), [0]

        def full(inbound: object) -> None:
            failures[0] += 1
            if 2 <= failures[0] <= 4:
                raise StoreError("the disk is full")

        bens.fail = full
        ana, _ = await lab.native(ANA), await lab.linked(BEN, bens)
        for at in range(5):
            assert (await ana.send(text(ANA, BEN, f"{at}"))).accepted
        await eventually(lambda: set(bens.texts) == set("01234"))
        assert failures[0] > 4


async def test_a_link_that_flaps_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    async with Lab.running(tmp_path, limits=GatewayLimits(tidy_ms=5, links=Rate(1_000, 1_000))) as lab:
        bens = Inbox()
        ana, ben = await lab.native(ANA), await lab.linked(BEN, bens)
        got: list[str] = []
        for at in range(30):
            if at % 3 == 0 and ben._links._socket is not None:
                await ben._links._socket.close()
            assert (await ana.send(text(ANA, BEN, f"{at}"))).accepted
            assert (await ben.send(text(BEN, ANA, f"{at}"))).accepted
        await eventually(lambda: len(bens.got) >= 30)
        got = bens.texts
        assert sorted(got, key=int) == [str(at) for at in range(30)]  # each once: the cursor outlives links


async def test_a_newer_link_replaces_the_older_which_is_told(tmp_path: Path) -> None:
    async with Lab.running(tmp_path) as lab:
        ben = await lab.linked(BEN)
        async with raw_link(lab.config(BEN)) as link:
            await link.hello()
            await eventually(lambda: ben.status.state is GatewayState.REPLACED)
            line = lab.gateway._lines.find(BEN, lab.config(BEN).instance)
            assert line is not None and line.link is not None


# --- rates -----------------------------------------------------------------------------------------------------
async def test_sr17_messages_and_requests_have_rates_and_the_client_is_told_how_long(tmp_path: Path) -> None:
    limits = GatewayLimits(sends=Rate(2, 60_000), requests=Rate(1, 60_000))
    async with Lab.running(tmp_path, limits=limits) as lab, raw_link(await enrolled(lab.config(ANA))) as link:
        await link.hello()
        results = []
        for at in range(3):
            await link.say(send(request=RequestId(bytes([at]) * 16)))
            results.append(await link.next(Result))
        assert [result.status == 429 for result in results] == [False, False, True]
        assert results[2].retry_after_ms is not None and results[2].retry_after_ms > 1_000
        await link.say(AskFeatures(_ONE, BEN, False), SyncConference(_ONE, False, Roster(GroupId(bytes(16)), "", ())))
        assert (await link.next(Failure)).code == "gateway.rate"


async def test_a_request_that_is_repeated_while_it_is_under_way_goes_out_once(tmp_path: Path) -> None:
    async with Lab.running(tmp_path) as lab:
        bens = Inbox()
        await lab.native(BEN, bens)
        config = await enrolled(lab.config(ANA))
        async with raw_link(config) as link:
            await link.hello()
            await link.say(send(), send(), send())
            answers = [await link.next(Result) for _ in range(3)]
            assert {answer.accepted for answer in answers} == {True}
            await link.say(Settled((_ONE,)), send(b"another"))
            await link.next(Result)
            await eventually(lambda: len(bens.got) == 2)
            assert bens.texts == ["hi", "another"]


async def test_a_message_to_nobody_and_one_that_cannot_be_written_are_refused_and_the_link_stays(
    tmp_path: Path,
) -> None:
    async with Lab.running(tmp_path) as lab, raw_link(await enrolled(lab.config(ANA))) as link:
        await link.hello()
        await link.say(dataclasses.replace(send(), to=None))
        assert (await link.next(Failure)).code == "gateway.nobody"
        await link.say(dataclasses.replace(send(), content_type="text/plain\r\nX: y"))
        assert isinstance(await link.next(Failure | Result), Failure)  # type: ignore[arg-type]
        await link.say(send())
        await link.next(Result)


async def test_many_links_at_once_leave_one_that_is_told_everything(tmp_path: Path) -> None:
    async with Lab.running(tmp_path) as lab:
        config = await enrolled(lab.config(BEN))
        async with contextlib.AsyncExitStack() as stack:
            links = [await stack.enter_async_context(raw_link(config)) for _ in range(6)]
            await asyncio.gather(*(link.say(Hello(None, 0)) for link in links))
            codes = [asyncio.create_task(link.end()) for link in links]
            await eventually(lambda: sum(task.done() for task in codes) == 5)
            open_ = [task for task in codes if not task.done()]
            assert len(open_) == 1
            for task in open_:
                task.cancel()
            await asyncio.gather(*open_, return_exceptions=True)
            ana = await lab.native(ANA)
            left = links[codes.index(open_[0])]
            assert (await ana.send(text(ANA, BEN, "to the one that is left"))).accepted
            assert (await left.next(Message)).body == b"to the one that is left"


async def test_no_content_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with Lab.running(tmp_path) as lab:
        bens = Inbox()
        bens.fail = lambda inbound: (_ for _ in ()).throw(ValueError(inbound.body.decode()))
        ana = await lab.native(ANA)
        ben = await lab.linked(BEN, bens)
        await ana.send(text(ANA, BEN, "the violet text"))
        await eventually(lambda: ben.status.state is not GatewayState.REGISTERED)
        await asyncio.sleep(0)
    assert "violet" not in caplog.text
