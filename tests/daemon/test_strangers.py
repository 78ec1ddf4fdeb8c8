"""Connections of those who have shown no session: they have places and time of their own, and take nobody else's (SR-08)."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from daemon.town import Person, Town, town
from daemon.visitor import visiting
from letterlock.apps.daemon import DaemonSettings
from letterlock.apps.daemon.serving import AT_ONCE

pytestmark = pytest.mark.anyio

MANY = 300
PATIENCE_SECONDS = 20.0


class Line:
    """A connection that is written by hand."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def ask(self, person: Person, *headers: str, path: str = "/api/v1/check") -> int:
        """The status of an answer that leaves the connection open."""
        lines = [f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{person.daemon.port}", *headers, "", ""]
        self.writer.write("\r\n".join(lines).encode())
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
        await self.reader.readexactly(int(length.split(b":")[1]))
        return int(head.split(b" ")[1])

    async def ended(self) -> bool:
        """Wait until the daemon hangs up; it says nothing before."""
        with contextlib.suppress(ConnectionError):
            return await self.reader.read() == b""
        return True


@contextlib.asynccontextmanager
async def lines(person: Person, count: int) -> AsyncIterator[list[Line]]:
    opened: list[Line] = []
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            for _ in range(count):
                opened.append(Line(*await asyncio.open_connection("127.0.0.1", person.daemon.port)))
            yield opened
    finally:
        for each in opened:
            each.writer.close()


def token(person: Person) -> str:
    return f"Authorization: Bearer {person.daemon.token_file.read_text().strip()}"


async def test_sr08_three_hundred_strangers_shut_out_nobody(both: Town) -> None:
    """SR-08: whoever is in stays in, whoever has the secrets gets in, and a new browser can log in."""
    async with visiting(both.ana) as page, lines(both.ana, 1) as (known,):
        assert await known.ask(both.ana, token(both.ana)) == 200
        async with lines(both.ana, MANY) as strangers:
            assert await known.ask(both.ana, token(both.ana)) == 200
            assert (await page.ask("GET", "/api/v1/check")).status == 200
            async with visiting(both.ana) as another, visiting(both.ana, by="program") as program:
                assert await another.call("me") == await program.call("me") == await page.call("me")
            # The ones that came first have made room.
            assert all([await each.ended() for each in strangers[: MANY - DaemonSettings().strangers]])
            assert await strangers[-1].ask(both.ana) == 401


async def test_sr08_who_came_first_makes_room_whatever_it_says(tmp_path: Path) -> None:
    """SR-08, SR-16: speaking costs nothing; and a cookie goes to every port of this machine, so it makes nobody known."""
    async with town(tmp_path, DaemonSettings(strangers=2)) as both, visiting(both.ana) as page:
        page.session.connector.close()  # type: ignore[union-attr]  # it was a stranger's when it logged in
        async with lines(both.ana, 2) as (first, second):
            assert await second.ask(both.ana) == 401
            assert await first.ask(both.ana, f"Cookie: {page.headers['Cookie']}") == 401
            async with lines(both.ana, 1):
                assert await first.ended()
                assert await second.ask(both.ana) == 401


async def test_sr08_a_page_on_its_way_in_is_not_pushed_out_by_strangers(tmp_path: Path) -> None:
    """SR-08, SR-16: a cookie alone has places of its own; whoever saw it takes those, and nothing else."""
    async with town(tmp_path, DaemonSettings(guests=1, strangers=1)) as both, visiting(both.ana) as page:
        page.session.connector.close()  # type: ignore[union-attr]
        cookie = f"Cookie: {page.headers['Cookie']}"
        async with lines(both.ana, 1) as (loading,):
            assert await loading.ask(both.ana, cookie, path="/") == 200
            async with lines(both.ana, 3):
                assert await loading.ask(both.ana, cookie, path="/static/index.html") == 200
            async with lines(both.ana, 1) as (thief,):
                assert await thief.ask(both.ana, cookie, path="/") == 200
                assert await loading.ended()


class Flood:
    """In every round of the event loop more connections than the daemon takes, and all of them speak."""

    def __init__(self, port: int) -> None:
        self.came = 0
        self._port = port
        self._sockets: list[socket.socket] = []
        self._next = asyncio.get_running_loop().call_soon(self._round)

    def _round(self) -> None:
        for _ in range(5 * AT_ONCE):
            one = socket.socket()
            one.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                one.connect(("127.0.0.1", self._port))
            self._sockets.append(one)
        self.came += 5 * AT_ONCE
        while len(self._sockets) > 2 * DaemonSettings().strangers:
            self._sockets.pop(0).close()
        for one in self._sockets:
            with contextlib.suppress(OSError):
                one.send(b"GET / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % self._port)
        self._next = asyncio.get_running_loop().call_soon(self._round)

    def end(self) -> None:
        self._next.cancel()
        for one in self._sockets:
            one.close()


async def test_sr08_a_flood_that_speaks_keeps_nobody_from_logging_in(both: Town) -> None:
    """SR-08: a browser that logs in is a stranger, too, and its address works once: it is answered at the first try."""
    loop, port = asyncio.get_running_loop(), both.ana.daemon.port
    flood = Flood(port)
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while flood.came < 2 * DaemonSettings().strangers:
                await asyncio.sleep(0)
            path = both.ana.login_url().partition(str(port))[2]
            with socket.socket() as browser:
                browser.setblocking(False)
                await loop.sock_connect(browser, ("127.0.0.1", port))
                await loop.sock_sendall(browser, f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
                assert (await loop.sock_recv(browser, 12)) == b"HTTP/1.1 303"
    finally:
        flood.end()


async def test_sr08_nobody_stays_a_stranger_for_long(tmp_path: Path) -> None:
    """SR-08: counted from the start, whatever trickles in; who has shown a session may be silent."""
    async with town(tmp_path, DaemonSettings(stranger_s=2.0)) as both, lines(both.ana, 3) as (known, silent, slow):
        assert await known.ask(both.ana, token(both.ana)) == 200

        async def trickle() -> None:
            with contextlib.suppress(ConnectionError):
                for letter in b"GET /" + b"x" * 100_000:
                    slow.writer.write(bytes((letter,)))
                    await slow.writer.drain()
                    await asyncio.sleep(0.01)

        trickling = asyncio.create_task(trickle())
        assert await silent.ended() and await slow.ended()
        trickling.cancel()
        assert await known.ask(both.ana, token(both.ana)) == 200


async def test_sr08_there_are_places_for_so_many_with_a_session(tmp_path: Path) -> None:
    """SR-08: a connection costs a file; the profile keeps enough of them. A place is free again when its holder goes."""
    async with town(tmp_path, DaemonSettings(connections=2)) as both, lines(both.ana, 3) as (one, two, three):
        assert [await each.ask(both.ana, token(both.ana)) for each in (one, two, three)] == [200, 200, 503]
        one.writer.close()
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                async with lines(both.ana, 1) as (next_one,):
                    if await next_one.ask(both.ana, token(both.ana)) == 200:
                        break


async def test_sr08_the_socket_is_nobodys_but_this_users(tmp_path: Path) -> None:
    """Whoever can connect there is known by that, and may think before the first word."""
    async with town(tmp_path, DaemonSettings(stranger_s=0.1)) as both:
        reader, writer = await asyncio.open_unix_connection(both.ana.daemon.socket)
        async with lines(both.ana, 1) as (stranger,):
            assert await stranger.ended()
        assert await Line(reader, writer).ask(both.ana) == 200
        writer.close()
