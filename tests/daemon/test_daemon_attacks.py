"""What pages of others and impolite programs try, each against a daemon that runs (SR-16, SR-08).

Each attack differs in one thing from a request that is answered, and that one is made as well.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from pathlib import Path

import pytest

from daemon.town import Person, Town, town
from daemon.visitor import Visitor, raw, visiting
from letterlock.apps.daemon import DaemonSettings

pytestmark = pytest.mark.anyio

ME = {"jsonrpc": "2.0", "id": 1, "method": "me"}


async def refused(visitor: Visitor, headers: dict[str, str]) -> str:
    """The code of the refusal of a call with these headers; the same call without them is answered."""
    assert (await visitor.post(ME)).json()["result"]["number"]
    answer = await visitor.post(ME, headers)
    assert answer.status >= 400 and b"result" not in answer.body
    return answer.code


async def test_dns_rebinding(both: Town) -> None:
    """SR-16: evil.example was given our address; cookies and all, the browser sends its name."""
    async with visiting(both.ana) as ana:
        for host in ("evil.example", f"evil.example:{both.ana.daemon.port}", "127.0.0.1", "localhost:1"):
            assert await refused(ana, {"Host": host}) == "daemon.host"
            assert (await ana.ask("GET", "/", {"Host": host})).status == 421
        by_name = {"Host": f"localhost:{both.ana.daemon.port}", "Origin": f"http://localhost:{both.ana.daemon.port}"}
        assert (await ana.post(ME, by_name)).status == 200


async def test_a_call_of_another_site(both: Town) -> None:
    """SR-16: by each of the three things that tell it, and by none of them alone is it let in."""
    async with visiting(both.ana) as ana:
        assert await refused(ana, {"Origin": "http://evil.example"}) == "daemon.origin"
        assert await refused(ana, {"Origin": "null"}) == "daemon.origin"
        assert await refused(ana, {"Sec-Fetch-Site": "cross-site"}) == "daemon.site"
        assert await refused(ana, {"Content-Type": "text/plain"}) == "daemon.type"
        assert await refused(ana, {"Content-Type": "application/x-www-form-urlencoded"}) == "daemon.type"
        assert await refused(ana, {"Origin": "", "Sec-Fetch-Site": ""}) == "daemon.origin"


async def test_a_call_of_a_page_on_another_port(both: Town) -> None:
    """SR-16: its cookie jar is ours, and to the browser it is same-site."""
    async with visiting(both.ana) as ana:
        assert await refused(ana, {"Origin": both.ben.daemon.url}) == "daemon.origin"
        assert await refused(ana, {"Origin": "", "Sec-Fetch-Site": "same-site"}) == "daemon.site"
        for path in ("/api/v1/check", "/static/main.js"):
            answer = await ana.ask(
                "GET", path, {"Origin": "", "Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"}
            )
            assert (answer.status, answer.code) == (403, "daemon.site")


async def test_nobody_elsewhere_is_told_what_he_may_do(both: Town) -> None:
    """The question that a browser asks before a call with another content type."""
    async with visiting(both.ana, by="stranger") as stranger:
        asked = {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
        answer = await stranger.ask("OPTIONS", "/api/v1/rpc", asked)
        assert answer.status == 403 and not any(name.startswith("Access-Control") for name in answer.headers)


@pytest.mark.parametrize("headers", [{"Origin": "http://evil.example"}, {"Origin": "", "Sec-Fetch-Site": "cross-site"}])
async def test_events_for_another_origin(both: Town, headers: dict[str, str]) -> None:
    """SR-16: an EventSource of another page sends our cookie, too."""
    async with visiting(both.ana) as ana:
        answer = await ana.ask("GET", "/api/v1/events?after=0", headers)
        assert answer.status == 403 and b"cursor" not in answer.body


def _head(person: Person, cookie: str, more: str, path: str = "/api/v1/rpc", kind: str = "application/json") -> str:
    own = f"127.0.0.1:{person.daemon.port}"
    return (
        f"POST {path} HTTP/1.1\nHost: {own}\nOrigin: http://{own}\nCookie: {cookie}\n"
        f"Content-Type: {kind}\nConnection: close\n{more}\n\n"
    )


def _status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


async def test_a_body_that_is_too_large_by_its_own_word(both: Town) -> None:
    """SR-08: refused at its head; nothing of it is read."""
    async with visiting(both.ana) as ana:
        cookie = ana.credentials
        assert _status(await raw(both.ana, _head(both.ana, cookie, f"Content-Length: {(1 << 20) + 1}"))) == 413
        path = f"/api/v1/files?chat={both.ben.number}&name=x".replace("+", "%2B")
        upload = _head(both.ana, cookie, f"Content-Length: {(2 << 30) + 1}", path, "application/octet-stream")
        assert _status(await raw(both.ana, upload)) == 413


async def test_a_body_that_is_larger_than_its_word(both: Town, caplog: pytest.LogCaptureFixture) -> None:
    """What is behind the announced length is no part of the body, and what cannot be read is in no log (SR-10)."""
    caplog.set_level(0)
    body = json.dumps(ME).encode()
    async with visiting(both.ana) as ana:
        length = f"Content-Length: {len(body)}"
        assert _status(await raw(both.ana, _head(both.ana, ana.credentials, length), body)) == 200
        smuggled = await raw(both.ana, _head(both.ana, ana.credentials, length), body + b"secret" * 20)
        assert _status(smuggled) == 400 and b'"result"' not in smuggled
        both_ways = f"{length}\nTransfer-Encoding: chunked"
        assert _status(await raw(both.ana, _head(both.ana, ana.credentials, both_ways), body)) == 400
    assert "secretsecret" not in caplog.text


async def test_a_body_without_an_end(tmp_path: Path) -> None:
    """SR-08: in chunks nobody has said how much; it is counted as it comes, for calls and for files."""
    settings = DaemonSettings(rpc_bytes=10_000, upload_bytes=10_000)
    async with town(tmp_path, settings) as both, visiting(both.ana) as ana:
        chunk = b"3e8\r\n" + b"x" * 1000 + b"\r\n"
        cookie, chunked = ana.credentials, "Transfer-Encoding: chunked"
        assert _status(await raw(both.ana, _head(both.ana, cookie, chunked), *[chunk] * 50)) == 413
        path = f"/api/v1/files?chat=%2B{both.ben.number[1:]}&name=x"
        upload = _head(both.ana, cookie, chunked, path, "application/octet-stream")
        assert _status(await raw(both.ana, upload, *[chunk] * 50)) == 413
        assert not list((both.ana.folder / "uploads").iterdir())


async def test_a_body_that_does_not_come(tmp_path: Path) -> None:
    """SR-08: for a call there is a time altogether, for a file one between its pieces; then its place is free again."""
    settings = DaemonSettings(body_s=0.1, upload_quiet_s=0.1, uploads=1)
    async with town(tmp_path, settings) as both, visiting(both.ana) as ana:
        cookie = ana.credentials
        assert _status(await raw(both.ana, _head(both.ana, cookie, "Content-Length: 100"), b"{")) == 408
        path = f"/api/v1/files?chat=%2B{both.ben.number[1:]}&name=x"
        upload = _head(both.ana, cookie, "Content-Length: 100", path, "application/octet-stream")
        for _ in range(2):
            assert _status(await raw(both.ana, upload, b"x")) == 408
        assert not list((both.ana.folder / "uploads").iterdir())


async def test_a_file_that_drips(tmp_path: Path) -> None:
    """SR-08: a byte now and then keeps no place for ever."""
    settings = DaemonSettings(upload_quiet_s=0.3, upload_rate=1e6)
    async with town(tmp_path, settings) as both, visiting(both.ana) as ana:
        path = f"/api/v1/files?chat=%2B{both.ben.number[1:]}&name=x"
        head = _head(both.ana, ana.credentials, "Content-Length: 1000", path, "application/octet-stream")
        reader, writer = await asyncio.open_connection("127.0.0.1", both.ana.daemon.port)
        writer.write(head.replace("\n", "\r\n").encode())
        answered = asyncio.ensure_future(reader.read())
        dripped = 0
        async with asyncio.timeout(10):
            while not answered.done() and dripped < 1000:
                with contextlib.suppress(ConnectionError):
                    writer.write(b"x")
                    dripped += 1
                await asyncio.wait({answered}, timeout=0.01)
        assert _status(answered.result()) == 408 and dripped < 1000
        writer.close()


async def test_more_requests_than_there_are_places(tmp_path: Path) -> None:
    """SR-08: a refusal, not a queue; and it ends with what took the places."""
    async with town(tmp_path, DaemonSettings(in_flight=3, streams=2)) as both, visiting(both.ana) as ana:
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(2):
                stream = await stack.enter_async_context(
                    ana.session.get(f"{ana.base}/api/v1/events", headers=ana.headers)
                )
                assert stream.status == 200
            third = await ana.ask("GET", "/api/v1/events")
            assert (third.status, third.code) == (503, "daemon.streams")
            reader, writer = await asyncio.open_connection("127.0.0.1", both.ana.daemon.port)
            head = _head(both.ana, ana.credentials, "Content-Length: 5")
            writer.write(head.replace("\n", "\r\n").encode())
            await writer.drain()
            while (busy := await ana.ask("GET", "/api/v1/check")).status == 200:
                await asyncio.sleep(0)
            assert busy.code == "daemon.busy"
            writer.write(b"{}   ")
            assert b"-32600" in await reader.read()
            writer.close()
        while (await ana.ask("GET", "/api/v1/check")).status != 200:
            await asyncio.sleep(0)


async def test_what_is_no_call_is_answered_as_json_rpc_says(both: Town) -> None:
    """SR-09."""
    async with visiting(both.ana) as ana:
        for body in (b"", b"{", b"[]", b"\xff", b"[" * 100_000, b"null", b"0"):
            answer = await ana.ask("POST", "/api/v1/rpc", {"Content-Type": "application/json"}, data=body)
            assert answer.status == 200 and answer.json()["error"]["code"] in (-32700, -32600)
        notification = await ana.post({"jsonrpc": "2.0", "method": "me"})
        assert (notification.status, notification.body) == (204, b"")
        assert await ana.call("me")


async def test_more_files_at_once_than_there_are_places(tmp_path: Path) -> None:
    """SR-08: each takes memory, or a place on the disk, until it is sealed; the place is free again when its sender goes away."""
    async with town(tmp_path, DaemonSettings(uploads=1)) as both, visiting(both.ana) as ana:
        path = f"/api/v1/files?chat=%2B{both.ben.number[1:]}&name=x"
        head = _head(both.ana, ana.credentials, "Content-Length: 1000", path, "application/octet-stream")
        _, writer = await asyncio.open_connection("127.0.0.1", both.ana.daemon.port)
        writer.write(head.replace("\n", "\r\n").encode() + b"x")
        while not list((both.ana.folder / "uploads").glob("*")):
            await asyncio.sleep(0)
        refused = await ana.upload(b"y", chat=both.ben.number, name="y")
        assert (refused.status, refused.code) == (503, "daemon.busy")
        writer.close()
        while list((both.ana.folder / "uploads").glob("*")):
            await asyncio.sleep(0)
        assert (await ana.upload(b"y", chat=both.ben.number, name="y")).status == 202
