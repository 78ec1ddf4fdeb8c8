"""Files of messages over HTTP: any range, verified as it is read, for the session that opened it (SR-14, SR-15, SR-16)."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest

from client.files_town import content, photo, received
from daemon.town import Town, plain_option, town
from daemon.visitor import Answer, Visitor, raw, visiting
from e2e.rcc16_town import RCC16
from e2e.rcc16_town import town as rcc16_town
from letterlock.apps.daemon import DaemonSettings
from letterlock.apps.daemon.sources import Sources
from letterlock.engine.content import FileFormat

pytestmark = pytest.mark.anyio


async def sent(both: Town, data: bytes, name: str, content_type: str = "") -> dict[str, Any]:
    """Ben has a file from Ana; what `file.open` takes to open it there."""
    source = both.folder / "source"
    source.write_bytes(data)
    chat = await both.ana.client.chat(both.ben.number)
    message = await chat.send_file(source, name=name, content_type=content_type)
    await received(both.ben.client, both.ana.number)
    return {"chat": both.ana.number, "message_id": message}


async def fetched(visitor: Visitor, path: str, wanted: str = "", method: str = "GET") -> Answer:
    return await visitor.ask(method, path, {"Range": wanted, "Sec-Fetch-Site": "same-origin", "Origin": ""})


async def test_a_file_is_read_whole_and_by_ranges(both: Town) -> None:
    data = content(1_000_003)
    async with visiting(both.ben) as ben:
        opened = await ben.call("file.open", **await sent(both, data, "film.mp4", "video/mp4"))
        assert (opened["size"], opened["name"], opened["inline"]) == (len(data), "film.mp4", True)
        whole = await fetched(ben, opened["path"])
        assert (whole.status, whole.body) == (200, data)
        assert whole.headers["Accept-Ranges"] == "bytes" and whole.headers["Content-Type"] == "video/mp4"
        assert whole.headers["Cache-Control"] == "no-store"
        # What Chromium asks of a film whose index is at its end.
        for wanted, start, end in (
            ("bytes=0-", 0, None),
            ("bytes=917504-", 917_504, None),
            ("bytes=65536-131071", 65_536, 131_072),
        ):
            part = await fetched(ben, opened["path"], wanted)
            assert (part.status, part.body) == (206, data[start:end])
            assert part.headers["Content-Range"] == f"bytes {start}-{(end or len(data)) - 1}/{len(data)}"
            assert part.headers["Content-Length"] == str(len(part.body))
        behind = await fetched(ben, opened["path"], f"bytes={len(data)}-")
        assert (behind.status, behind.headers["Content-Range"]) == (416, f"bytes */{len(data)}")
        head = await fetched(ben, opened["path"], "bytes=5-9", "HEAD")
        assert (head.status, head.headers["Content-Length"], head.body) == (206, "5", b"")
        conditional = await ben.ask("GET", opened["path"], {"Range": "bytes=5-9", "If-Range": '"x"', "Origin": ""})
        assert (conditional.status, conditional.body) == (200, data)


async def test_many_small_seeks_at_once(both: Town) -> None:
    data = content(3_000_000)
    async with visiting(both.ben) as ben:
        path = (await ben.call("file.open", **await sent(both, data, "film.webm", "video/webm")))["path"]
        places = [random.Random(each).randrange(len(data) - 5000) for each in range(120)]

        async def seek(at: int) -> bool:
            answer = await fetched(ben, path, f"bytes={at}-{at + 4999}")
            return answer.status == 206 and answer.body == data[at : at + 5000]

        assert all(await asyncio.gather(*(seek(at) for at in places)))


async def test_a_player_that_hangs_up_is_no_trouble(both: Town, caplog: pytest.LogCaptureFixture) -> None:
    """That is how it seeks."""
    data = content(12_000_000)
    async with visiting(both.ben) as ben:
        path = (await ben.call("file.open", **await sent(both, data, "film.mp4", "video/mp4")))["path"]
        for _ in range(10):
            answer = await ben.session.get(
                ben.base + path, headers={"Cookie": ben.headers["Cookie"], "Range": "bytes=0-"}
            )
            assert await answer.content.readexactly(1000) == data[:1000]
            answer.close()
        assert (await fetched(ben, path, "bytes=11999990-")).body == data[-10:]
    assert not [record for record in caplog.records if record.levelname in ("ERROR", "WARNING")]


async def test_thumbnails(both: Town) -> None:
    async with visiting(both.ben) as ben:
        message = await sent(both, photo(), "lake.jpg")
        small = await ben.call("file.open", **message, thumbnail=True)
        assert small["content_type"] == "image/jpeg" and small["inline"]
        assert (await fetched(ben, small["path"])).body.startswith(b"\xff\xd8\xff")
        none = await sent(both, b"words", "words.txt", "text/plain")
        answered = await ben.post(
            {"jsonrpc": "2.0", "id": 1, "method": "file.open", "params": {**none, "thumbnail": True}}
        )
        assert answered.json()["error"]["data"]["code"] == "input.thumbnail"


@pytest.mark.parametrize(
    "name", ["../../x", "%2e%2e/%2e%2e/x", "..\\..\\x", "/etc/passwd", "..", "\x00x\r\nSet-Cookie: a=b"]
)
async def test_a_file_name_leads_nowhere(both: Town, name: str) -> None:
    """SR-14, SR-16: the name is what a stranger wrote; it is in the path for show, in a header made harmless, and on no disk."""
    data = b"the file itself"
    before = set(both.folder.rglob("x*"))
    async with visiting(both.ben) as ben:
        opened = await ben.call("file.open", **await sent(both, data, name))
        tail = opened["path"].split("/")
        assert len(tail) == 4 and tail[1] == "media" and tail[3] not in ("..", ".")
        assert not set('/\\\r\n"\0') & set(opened["name"])
        answer = await fetched(ben, opened["path"])
        assert (answer.status, answer.body) == (200, data) and "Set-Cookie" not in answer.headers
        # Whatever name is asked for, what is there is this file, or nothing.
        key = tail[2]
        for asked in (
            "/media/%2e%2e/%2e%2e/etc/passwd",
            f"/media/{key}/../../static/main.js",
            f"/media/{key}/%2e%2e%2fx",
        ):
            head = f"GET {asked} HTTP/1.1\nHost: 127.0.0.1:{both.ben.daemon.port}\nCookie: {ben.headers['Cookie']}\n"
            got = await raw(both.ben, head + "Connection: close\n\n")
            assert got.startswith(b"HTTP/1.1 404") or got.endswith(data)
    assert set(both.folder.rglob("x*")) == before


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("page.html", "text/html"),
        ("picture.svg", "image/svg+xml"),
        ("feed.xml", "application/xml"),
        ("paper.pdf", "application/pdf"),
        ("page.xhtml", "application/xhtml+xml"),
        ("code.js", "text/javascript"),
        ("notes.txt", "text/plain"),
        ("picture.png", "image/svg+xml; charset=utf-8"),
        ("odd", "text/HTML"),
    ],
)
async def test_what_a_browser_could_run_is_only_to_be_saved(both: Town, name: str, content_type: str) -> None:
    """SR-14: opened as a page of our origin it would be one that may call us."""
    async with visiting(both.ben) as ben:
        opened = await ben.call("file.open", **await sent(both, b"<script>alert(1)</script>", name, content_type))
        assert opened["inline"] is False
        answer = await fetched(ben, opened["path"])
        assert answer.headers["Content-Type"] == "application/octet-stream"
        assert answer.headers["Content-Disposition"].startswith("attachment;")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in answer.headers["Content-Security-Policy"].split("; ")


async def test_a_script_that_is_called_a_picture_stays_one(both: Town) -> None:
    """SR-14: nosniff, and a policy under which nothing runs."""
    async with visiting(both.ben) as ben:
        opened = await ben.call("file.open", **await sent(both, b"<script>alert(1)</script>", "lake.png", "image/png"))
        answer = await fetched(ben, opened["path"])
        assert answer.headers["Content-Type"] == "image/png" and answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; sandbox")


async def test_a_path_is_of_one_session(both: Town) -> None:
    """SR-16: not of another login, not of a program, not of a stranger, and not of the other daemon."""
    async with visiting(both.ben) as ben, visiting(both.ben) as again, visiting(both.ben, by="program") as program:
        message = await sent(both, b"for me", "a.png", "image/png")
        first, second = [(await ben.call("file.open", **message))["path"] for _ in range(2)]
        assert first != second and len(first.split("/")[2]) == 64
        assert (await fetched(ben, first)).body == b"for me"
        for other in (again, program):
            refused = await fetched(other, first)
            assert (refused.status, refused.code) == (404, "daemon.media")
        async with visiting(both.ben, by="stranger") as stranger, visiting(both.ana) as ana:
            assert (await fetched(stranger, first)).status == 401
            assert (await fetched(ana, first)).status == 404
        wrong = first.replace("/media/", "/media/0", 1)
        assert (await fetched(ben, wrong)).status == 404


async def test_a_path_ends_with_its_session(tmp_path: Path) -> None:
    """SR-16: the one whose cookie gave way to a newer login, the oldest of too many files, and all with the daemon."""
    async with town(tmp_path, DaemonSettings(sessions=1, opened=2)) as both:
        message = await sent(both, b"for a while", "a.png", "image/png")
        async with visiting(both.ben) as ben:
            paths = [(await ben.call("file.open", **message))["path"] for _ in range(3)]
            assert [(await fetched(ben, path)).status for path in paths] == [404, 200, 200]
            async with visiting(both.ben) as newer:
                assert (await fetched(ben, paths[2])).status == 401
                assert (await fetched(newer, paths[2])).status == 404
                media = both.ben.daemon._media
                await asyncio.gather(*media._closing)
                assert not media._opened
                open_now = (await newer.call("file.open", **message))["path"]
                await both.ben.daemon.close()
                with pytest.raises(OSError):
                    await fetched(newer, open_now)
        assert not media._opened


async def test_nothing_is_released_that_does_not_verify(both: Town) -> None:
    """SR-15: a server that changes one byte; not a piece of it, and an answer that was begun does not look whole."""
    data = content(9_000_000)
    async with visiting(both.ben) as ben:
        opened = await ben.call("file.open", **await sent(both, data, "film.mp4", "video/mp4"))
        (blob,) = (
            path for path in (both.folder / "content").rglob("*") if path.is_file() and path.stat().st_size > 9_000_000
        )
        with open(blob, "r+b") as file:
            file.seek(8_700_000)
            byte = file.read(1)
            file.seek(8_700_000)
            file.write(bytes((byte[0] ^ 1,)))
        own = f"127.0.0.1:{both.ben.daemon.port}"
        whole = await raw(
            both.ben,
            f"GET {opened['path']} HTTP/1.1\nHost: {own}\nCookie: {ben.headers['Cookie']}\n\n",
            seconds=60,
        )
        assert data[8_700_000:8_700_100] not in whole and len(whole) < len(data)
        # It ends there, on a connection that nobody else's answer comes on: an error is no part of a film.
        body = whole.partition(b"\r\n\r\n")[2]
        assert body and data.startswith(body)
        bad = await fetched(ben, opened["path"], "bytes=8690000-8720000")
        assert bad.status == 502 and bad.headers["Content-Type"].startswith("application/json")
        assert bad.json()["code"].startswith("file.") and data[8_690_000:8_690_050] not in bad.body


async def test_a_file_that_was_sent_unencrypted(tmp_path: Path) -> None:
    """It has no seal to read it under: it is fetched, and its copy has no name while it is shown."""
    data = content(300_000)
    async with town(tmp_path, apart=True) as both:
        (tmp_path / "lake.png").write_bytes(data)
        chat = await both.ana.client.chat(both.ben.number)
        option = await plain_option(both)
        message = await chat.send_file(tmp_path / "lake.png", content_type="image/png", allow=option)
        file = await received(both.ben.client, both.ana.number)
        assert file.format is FileFormat.PLAIN
        async with visiting(both.ben) as ben:
            opened = await ben.call("file.open", chat=both.ana.number, message_id=message)
            assert (await fetched(ben, opened["path"], "bytes=1000-1999")).body == data[1000:2000]
            assert not [
                path for path in both.ben.folder.rglob("*") if path.is_file() and path.stat().st_size == len(data)
            ]
            assert not (await both.ben.client.transfers())


async def test_a_file_of_rcc16(tmp_path: Path) -> None:
    """One tag at the end of all of it: fetched, verified, and its copy has no name while it is read."""
    data = content(200_000)
    async with rcc16_town(tmp_path) as network:
        ana, ben = [await network.person(number, RCC16) for number in ("+15550100", "+15550199")]
        (tmp_path / "plan.bin").write_bytes(data)
        await (await ana.client.chat(ben.number)).send_file(tmp_path / "plan.bin")
        file = await received(ben.client, ana.number)
        assert file.format is FileFormat.RCC16
        sources = Sources(ben.client, ben.folder)
        source = await sources.open(file, thumbnail=False)
        assert source.size == len(data) and await source.read(100_000, 1000) == data[100_000:101_000]
        assert not [path for path in (ben.folder / "opened").rglob("*") if path.is_file()]
        await source.close()


async def test_what_a_killed_daemon_left_is_deleted(both: Town) -> None:
    """SR-15: half a plain copy of what somebody looked at."""
    left = both.ana.folder / "opened" / "0" / "file"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"plain")
    await Sources(both.ana.client, both.ana.folder).start()
    assert not left.exists()
