"""Events of a profile, as streams that nobody loses anything by leaving."""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, cast

import pytest
from aiohttp import web

from daemon.sse import listening
from daemon.town import Town, town
from daemon.visitor import visiting
from letterlock.apps.daemon import DaemonSettings
from letterlock.apps.daemon.events import EventStreams, _Stream
from letterlock.apps.daemon.guard import Rules
from letterlock.apps.daemon.http import Edge, application
from letterlock.apps.daemon.sessions import Session
from letterlock.engine.events import Recorded, SmsFromUnknownSender
from letterlock.errors import StoreError
from letterlock.ids import MessageId

pytestmark = pytest.mark.anyio


async def say(both: Town, *texts: str) -> None:
    chat = await both.ana.client.chat(both.ben.number)
    for text in texts:
        await chat.send(text)


async def test_what_happens_is_told_with_its_cursor(both: Town) -> None:
    async with visiting(both.ana) as ana, listening(ana) as stream:
        assert [frame.event for frame in await stream.until("live")] == ["live"]
        await say(both, "Ünïcode\n\ndata: {}\r\n")
        frames = await stream.until("message-sent")
        assert frames[-1].data["text"] == "Ünïcode\n\ndata: {}\r\n"
        assert all(frame.id == frame.data["cursor"] and frame.event == "message" for frame in frames)


async def test_a_stream_resumes_behind_any_cursor(both: Town) -> None:
    """Nothing twice and nothing left out, wherever it broke off."""
    await say(both, "one", "two", "three")
    await both.ana.client.settled()
    async with visiting(both.ana) as ana:
        async with listening(ana, after=0) as stream:
            whole = [frame.id for frame in await stream.until("live") if frame.id is not None]
        assert whole == list(range(1, len(whole) + 1)) and len(whole) > 5
        for cut in whole[:-1]:
            async with listening(ana, after=0, last=cut) as stream:
                rest = [frame.id for frame in await stream.until("live") if frame.id is not None]
            assert rest == list(range(cut + 1, len(rest) + cut + 1)) and rest[-1] >= whole[-1]


async def test_consumers_do_not_share_a_cursor(both: Town) -> None:
    async with (
        visiting(both.ana) as page,
        visiting(both.ana, by="socket") as program,
        listening(page, after=0) as first,
        listening(program, after=0) as second,
        listening(program) as third,
    ):
        await asyncio.gather(*(stream.until("live") for stream in (first, second, third)))
        await say(both, "to all of them")
        seen = [await stream.until("message-sent") for stream in (first, second, third)]
        assert len({frames[-1].id for frames in seen}) == 1


async def test_a_cursor_of_the_future_is_from_now_on(both: Town) -> None:
    """Of a profile that was taken back to an older copy: events that are yet to come would never be told."""
    async with visiting(both.ana) as ana, listening(ana, last=10**12) as stream:
        await stream.until("live")
        await say(both, "hello")
        assert (await stream.until("message-sent"))[-1].data["text"] == "hello"


@pytest.mark.parametrize("cursor", ["x", "-1", "1.5", "٣", "9" * 19])
async def test_what_is_no_cursor_is_refused(both: Town, cursor: str) -> None:
    async with visiting(both.ana) as ana:
        answer = await ana.ask("GET", "/api/v1/events", params={"after": cursor})
        assert (answer.status, answer.code) == (400, "daemon.cursor")


async def test_a_quiet_stream_beats(tmp_path: Path) -> None:
    quick = DaemonSettings(heartbeat_s=0.02)
    async with town(tmp_path, quick) as both, visiting(both.ana) as ana, listening(ana) as stream:
        await stream.until("live")
        waiting = asyncio.ensure_future(stream.next())
        while stream.beats < 3:
            await asyncio.sleep(0)
        await say(both, "after the beats")
        assert (await waiting) is not None


async def test_a_page_that_is_open_and_quiet_is_alive() -> None:
    """Each heartbeat says so, and a session that is alive goes on (test_sessions)."""
    quiet: Any = Endless(quiet=True)
    beats = asyncio.Queue[Session]()
    session = Session("x", b"", 0)
    streams = EventStreams(quiet, DaemonSettings(heartbeat_s=0.01), beats.put_nowait)
    stream = asyncio.ensure_future(anext(aiter(streams._merged(quiet.events(0), _Stream(session)))))
    assert await beats.get() is session
    assert await stream == b":\n\n"


class Endless:
    """A profile with more events than anybody can take; counts how many were asked for."""

    def __init__(self, quiet: bool = False) -> None:
        self.given, self.quiet = 0, quiet

    async def cursor(self) -> int:
        return 10**9

    async def events(self, after: int) -> AsyncGenerator[Recorded, None]:
        while True:
            self.given += 1
            if self.quiet:
                await asyncio.Event().wait()
            await asyncio.sleep(0)
            yield Recorded(after + self.given, 0, SmsFromUnknownSender("ACME", MessageId("1"), "x" * 8192))


async def test_who_takes_nothing_is_hung_up_on() -> None:
    """SR-08: a consumer that stands still costs one event and its socket's buffers, and that not for ever."""
    endless: Any = Endless()
    streams = EventStreams(endless, DaemonSettings(stream_stalled_s=0.2))
    ended = asyncio.Event()

    async def serve(request: web.Request) -> web.StreamResponse:
        try:
            return await streams.serve(Session("x", b"", 0), request)
        finally:
            ended.set()

    app = web.Application()
    app.router.add_get("/", serve)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    with socket.create_connection(runner.addresses[0]) as idle:
        idle.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        async with asyncio.timeout(20):
            await ended.wait()
        taken = endless.given
        assert 10 < taken < 10_000  # some megabytes, which the kernel keeps
        for _ in range(100):
            await asyncio.sleep(0)
        assert endless.given == taken
    await runner.cleanup()


async def test_who_is_logged_out_hears_no_more(tmp_path: Path) -> None:
    """SR-16: a newer login took the place of this one, and its stream ends with it."""
    async with town(tmp_path, DaemonSettings(sessions=1)) as both, visiting(both.ana) as ana, listening(ana) as stream:
        await stream.until("live")
        async with visiting(both.ana) as newer, listening(newer) as other:
            await other.until("live")
            assert await stream.next() is None
            await say(both, "after the end")
            assert (await other.until("message-sent"))[-1].data["text"] == "after the end"


async def test_streams_end_when_the_daemon_does(both: Town) -> None:
    async with visiting(both.ana) as ana, listening(ana) as first, listening(ana, after=0) as second:
        await asyncio.gather(first.until("live"), second.until("live"))
        async with asyncio.timeout(4):
            await both.ana.daemon.close()
            for stream in (first, second):
                while await stream.next() is not None:
                    pass


async def test_a_flood_is_told_in_order_to_the_end(both: Town) -> None:
    async with visiting(both.ana) as ana, listening(ana) as stream:
        await stream.until("live")
        texts = [f"message {number}" for number in range(300)]
        sending = asyncio.ensure_future(say(both, *texts))
        told: list[str] = []
        ids: list[int] = []
        while len(told) < len(texts):
            frame = await stream.next()
            assert frame is not None and frame.id is not None
            ids.append(frame.id)
            if frame.data["kind"] == "message-sent":
                told.append(frame.data["text"])
        await sending
        assert told == texts and all(b == a + 1 for a, b in itertools.pairwise(ids))


async def test_what_goes_wrong_in_the_middle_ends_the_stream() -> None:
    """No second answer behind the first one: whoever reads would take its head and its JSON for an event."""

    class Serving:
        async def serve(self, *given: Any) -> web.StreamResponse:
            (*_, request) = given
            answer = web.StreamResponse()
            await answer.prepare(request)
            await answer.write(b"data: {}\n\n")
            raise StoreError("the disk is full", code="store.full")

    class Anybody:
        def of_authorization(self, given: str) -> Session:
            return Session("x", b"", 0)

    unused: Any = None
    serving, anybody = cast(Any, Serving()), cast(Any, Anybody())
    edge = Edge(anybody, DaemonSettings(), serving, serving, serving, unused, unused, lambda: 0.0)
    runner = web.AppRunner(application(edge, Rules(frozenset({"letterlock"}), frozenset(), {})), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    reader, writer = await asyncio.open_connection(*runner.addresses[0][:2])
    writer.write(b"GET /api/v1/events HTTP/1.1\r\nHost: letterlock\r\nAuthorization: x\r\n\r\n")
    async with asyncio.timeout(10):
        heard = await reader.read()
    assert heard.startswith(b"HTTP/1.1 200 ") and heard.count(b"HTTP/1.1") == 1
    assert heard.endswith(b"data: {}\n\n\r\n") and b"store.full" not in heard
    writer.close()
    await runner.cleanup()
