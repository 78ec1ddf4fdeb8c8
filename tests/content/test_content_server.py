"""The content server: who may upload what, what of it can be fetched by whom, and for how long."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import hashlib
import random
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from content.lab import (
    ANA,
    BEN,
    NOW,
    SMALL,
    B,
    Server,
    browser,
    client,
    content,
    document,
    form,
    put,
    quiet,
    resume_info,
    uploading,
)
from letterlock.codec.form_data import part_head
from letterlock.codec.ft_http import decode_resume_info
from letterlock.errors import ContentError, InputError, StoreError
from letterlock.services.content import ContentServer, tables
from letterlock.services.content.folder import FolderBlobs, FolderWriter
from letterlock.services.content.tables import Tables, Upload, Usage
from letterlock.services.credentials import derived_passwords
from letterlock.services.database import open_database
from letterlock.services.directory import Rate
from letterlock.sip.digest import DigestClient
from letterlock.transport.content.config import ContentSettings
from postgres import database_in, rows_of

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("every_place")]
IN_A_FOLDER = pytest.mark.parametrize("every_place", ["sqlite", "postgresql"], indirect=True)
LIMITS = ContentSettings().documents


FORM = {"Content-Type": "multipart/form-data; boundary=b1"}


async def authorization(
    session: aiohttp.ClientSession, url: str, method: str, path: str, user: str = ANA, password: str = "tulip"
) -> dict[str, str]:
    async with session.post(url) as asked:
        assert asked.status == 401
        digest = DigestClient(user, password, random.Random(5).randbytes)
        digest.accept(asked.headers.getall("WWW-Authenticate"))
    return {"Authorization": digest.credentials(method, path)}


async def post(session: aiohttp.ClientSession, url: str, body: bytes, user: str = ANA) -> aiohttp.ClientResponse:
    headers = {**FORM, **await authorization(session, url, "POST", "/upload", user)}
    return await session.post(url, data=body, headers=headers)


# --- the two-step POST -----------------------------------------------------------------------------------------
async def test_a_file_with_its_thumbnail_and_back(tmp_path: Path) -> None:
    data, picture = content(50_000), content(900, 2)
    (tmp_path / "a.jpg").write_bytes(data)
    (tmp_path / "t.png").write_bytes(picture)
    async with Server.running(tmp_path) as lab, browser() as session:
        found = await put(lab.url, tmp_path / "a.jpg", thumbnail=str(tmp_path / "t.png"), thumbnail_type="image/png")
        assert (found.file.size, found.file.name, found.file.content_type) == (50_000, "a.jpg", "image/jpeg")
        assert found.thumbnail is not None and found.thumbnail.content_type == "image/png"
        assert found.file.until == lab.clock.now + lab.limits.file_lifetime_ms
        for file, expected in ((found.file, data), (found.thumbnail, picture)):
            async with session.get(file.url) as got:
                assert got.status == 200 and await got.read() == expected
                digest = base64.b64encode(hashlib.sha256(expected).digest()).decode()
                assert got.headers["Digest"] == f"sha-256={digest}"


async def test_first_post_says_204_with_and_401_without_an_account(tmp_path: Path) -> None:
    async with Server.running(tmp_path) as lab, browser() as session:
        async with session.post(lab.url) as first:
            assert first.status == 401
            challenges = first.headers.getall("WWW-Authenticate")
            assert "SHA-256" in challenges[0] and "MD5" in challenges[1]
        given = await authorization(session, lab.url, "POST", "/upload")
        async with session.post(lab.url, headers=given) as second:
            assert second.status == 204


async def test_sr17_nothing_of_a_body_is_read_without_an_account(tmp_path: Path) -> None:
    """SR-17: refused by its head, and nothing is left behind."""
    async with Server.running(tmp_path) as lab, browser() as session:
        for headers in (FORM, {**FORM, "Authorization": "Digest nonsense"}, {**FORM, "Authorization": "Basic QTpC"}):
            async with session.post(lab.url, data=form(content(5000)), headers=headers) as refused:
                assert refused.status == 401
        assert lab.blobs() == []


async def test_wrong_passwords_are_limited_with_the_right_one_too(tmp_path: Path) -> None:
    limits = dataclasses.replace(SMALL, wrong_passwords=Rate(3, 600_000))
    async with Server.running(tmp_path, limits) as lab, browser() as session:
        good = await authorization(session, lab.url, "POST", "/upload")
        statuses = []
        for _ in range(5):
            bad = await authorization(session, lab.url, "POST", "/upload", password="wrong")
            async with session.post(lab.url, headers=bad) as refused:
                statuses.append(refused.status)
        assert statuses == [401, 401, 401, 429, 429]
        async with session.post(lab.url, headers=good) as refused:
            assert refused.status == 429 and int(refused.headers["Retry-After"]) > 0
        lab.clock.now += 600_000
        good = await authorization(session, lab.url, "POST", "/upload")
        async with session.post(lab.url, headers=good) as accepted:
            assert accepted.status == 204


async def test_a_replayed_authorization_is_stale(tmp_path: Path) -> None:
    async with Server.running(tmp_path) as lab, browser() as session:
        given = await authorization(session, lab.url, "POST", "/upload")
        async with session.post(lab.url, headers=given) as first:
            assert first.status == 204
        async with session.post(lab.url, headers=given) as again:
            assert again.status == 401 and "stale=true" in again.headers["WWW-Authenticate"]


async def test_an_open_server_is_for_loopback_alone() -> None:
    with pytest.raises(InputError):
        ContentServer("x", password_of=None, host="192.0.2.1")
    with pytest.raises(InputError):
        ContentServer("x", password_of=lambda user: None, host="0.0.0.0")


async def test_without_accounts_anybody_here_may_upload_and_a_tid_is_optional(tmp_path: Path) -> None:
    """As liblinphone uploads: no tid, no second thought."""
    async with Server.running(tmp_path, password_of=None) as lab, browser() as session:
        async with session.post(lab.url) as first:
            assert first.status == 204
        async with session.post(lab.url, data=form(b"hello", None), headers=FORM) as stored:
            found = document(await stored.read())
        async with session.get(found.file.url) as got:
            assert await got.read() == b"hello"


async def test_a_body_in_chunks_without_a_length(tmp_path: Path) -> None:
    """As rcsjta uploads: chunked transfer coding."""
    data = content(40_000)

    async def body() -> AsyncIterator[bytes]:
        whole = form(data)
        for at in range(0, len(whole), 777):
            yield whole[at : at + 777]

    async with Server.running(tmp_path, password_of=None) as lab, browser() as session:
        async with session.post(lab.url, data=body(), headers=FORM) as stored:
            found = document(await stored.read())
        async with session.get(found.file.url) as got:
            assert await got.read() == data


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"x", {"Content-Type": "text/plain"}, 400),
        (form(b"x")[:-30], FORM, 400),
        (part_head(B, "tid", length=1) + b"t\r\n--b1--\r\n", FORM, 400),
        (form(b"x", "../../etc/passwd"), FORM, 400),
        (form(b"x", "t" * 65), FORM, 413),
        (form(b"x", thumbnail=bytes(300_000)), FORM, 413),
        (b"--b1\r\n" + b"X: " + b"y" * 9000, FORM, 413),
        (form(bytes(200_000)), FORM, 413),
        (form(b"x").replace(b"Content-Length: 1\r", b"Content-Length: 7\r"), FORM, 400),
    ],
)
async def test_forms_that_are_refused_leave_nothing_to_fetch(
    tmp_path: Path, body: bytes, headers: dict[str, str], status: int
) -> None:
    limits = dataclasses.replace(SMALL, max_file=100_000)
    async with Server.running(tmp_path, limits, password_of=None) as lab, browser() as session:
        async with session.post(lab.url, data=body, headers=headers) as refused:
            assert refused.status == status, await refused.read()
            assert "code" in await refused.json()
        async with session.get(lab.url, params={"tid": "t-1", "get_download_info": ""}) as asked:
            assert asked.status == 404


# --- names (SR-14) ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["../../../etc/passwd", "a/b\\c", "x\r\nSet-Cookie: a", "<b>&amp;", "ü\u202egpj.exe"])
async def test_sr14_names_stay_data_and_paths_are_random(tmp_path: Path, name: str) -> None:
    """SR-14, SR-15: what a client calls a file is in no path, no header and no address; it comes back as text."""
    async with Server.running(tmp_path, password_of=None) as lab, browser() as session:
        async with session.post(lab.url, data=form(b"hi", name=name), headers=FORM) as stored:
            assert "Set-Cookie" not in stored.headers
            found = document(await stored.read())
        assert found.file.name == "".join(c for c in name if c.isprintable())
        assert [len(path.name) for path in lab.blobs()] == [32]
        assert not list(tmp_path.rglob("passwd"))
        async with session.get(found.file.url) as got:
            assert got.headers["Content-Disposition"] == "attachment"
            assert got.headers["Content-Type"] == "application/octet-stream"
            assert got.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "path", ["..%2f..%2fcontent.db", "%2e%2e/content.db", "", "x" * 64, "0" * 32, "0" * 64, "..", "a/b"]
)
async def test_sr14_addresses_lead_to_files_or_nowhere(tmp_path: Path, path: str) -> None:
    """SR-14: no directory traversal, no guessing."""
    (tmp_path / "a").write_bytes(b"secret")
    async with Server.running(tmp_path) as lab, browser() as session:
        await put(lab.url, tmp_path / "a")
        async with session.get(f"{lab.server.base}/files/{path}") as got:
            assert got.status == 404 and b"secret" not in await got.read()


# --- resuming --------------------------------------------------------------------------------------------------
async def raw(port: int, data: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    await writer.drain()
    return reader, writer


def head(body: bytes, length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    return (
        b"POST /upload HTTP/1.1\r\nHost: h\r\nContent-Type: multipart/form-data; boundary=b1\r\nContent-Length: %d\r\n\r\n"
        % size
    )


async def test_an_upload_cut_anywhere_goes_on_with_put(tmp_path: Path) -> None:
    data = content(30_000)
    whole = form(data, "t")
    async with Server.running(tmp_path, password_of=None) as lab, browser() as session:
        for cut in (*range(120, 420, 37), 5000, 16_500, 24_001, len(whole) - 9, len(whole) - 1):
            tid = f"t{cut}"
            body = form(data, tid)
            _, writer = await raw(lab.server.port, head(body) + body[:cut])
            writer.close()
            async with asyncio.timeout(10):
                while True:
                    async with session.get(f"{lab.url}?tid={tid}&get_upload_info") as got:
                        if got.status == 200:
                            info = decode_resume_info(await got.read(), LIMITS)
                            break
                        # Nothing of the file, or its connection has not been taken up: as a client would, begin anew.
                        if cut < 420:
                            info = None
                            break
            start = 0 if info is None else info.end + 1
            if info is None:
                async with session.post(lab.url, data=body, headers=FORM) as stored:
                    found = document(await stored.read())
            elif start < len(data):
                rest = {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"}
                async with session.put(info.url, data=data[start:], headers=rest) as stored:
                    assert stored.status == 200
                    found = document(await stored.read())
            else:
                async with session.get(f"{lab.url}?tid={tid}&get_download_info") as stored:
                    found = document(await stored.read())
            async with session.get(found.file.url) as got:
                assert await got.read() == data and found.file.size == len(data)


async def test_a_form_that_ends_without_its_boundary_can_be_resumed(tmp_path: Path) -> None:
    """As rcsjta pauses: the last boundary is left out. A line end that may belong to it is not taken for the file's."""
    data = content(9000)
    body = form(data)[: -len(b"--b1--\r\n")]
    assert body.endswith(b"\r\n")
    async with Server.running(tmp_path, password_of=None) as lab, browser() as session:
        async with session.post(lab.url, data=body, headers=FORM) as refused:
            assert refused.status == 400
        start, url = await resume_info(session, lab.url)
        assert start <= len(data)
        rest = {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"}
        async with session.put(url, data=data[start:], headers=rest) as stored:
            assert stored.status == 200
            found = document(await stored.read())
        async with session.get(found.file.url) as got:
            assert await got.read() == data


async def test_an_upload_of_which_only_the_last_step_is_missing_becomes_a_file(tmp_path: Path) -> None:
    """Every byte came, and then the server ended: whoever asks is told that it is whole."""
    data = content(9000)
    async with Server.running(tmp_path, password_of=None) as lab, browser() as session:
        async with session.post(lab.url, data=form(data), headers=FORM) as stored:
            assert stored.status == 200

        def undo(found: Tables) -> None:
            upload = found.of_account("lab", "t-1")
            assert upload is not None
            found.put(dataclasses.replace(upload, complete=False, sha256=None))

        await lab.server._writer.run(undo)
        async with session.get(f"{lab.url}?tid=t-1&get_download_info") as asked:
            assert asked.status == 200
            file = document(await asked.read()).file
        async with session.get(file.url) as got:
            assert await got.read() == data and got.headers["Digest"].startswith("sha-256=")
        usage = await lab.server._writer.run(lambda found: (found.usage("lab"), found.total()))
        assert usage == (Usage(9000, 1, 0), 9000)


async def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError) as caught:
        await ContentServer(tmp_path / "file" / "x", password_of=None).start()
    assert caught.value.code == "store.io"


async def test_the_rest_may_come_in_parts_and_from_earlier(tmp_path: Path) -> None:
    data = content(20_000)
    body = form(data)
    async with Server.running(tmp_path, password_of=None) as lab, browser() as session:
        async with session.post(lab.url, data=body[:-9000], headers=FORM):
            pass
        start, url = await resume_info(session, lab.url)
        assert 0 < start < 12_000
        part = {"Content-Range": f"bytes 500-11999/{len(data)}"}
        async with session.put(url, data=data[500:12_000], headers=part) as taken:
            assert taken.status == 200
            assert decode_resume_info(await taken.read(), LIMITS).end == 11_999
        for wrong in ("bytes 12001-19999/20000", "bytes 12000-19999/20001"):
            size = int(wrong.split("-")[1].split("/")[0]) - 12_000 + (wrong[9] == "0")
            async with session.put(url, data=bytes(size), headers={"Content-Range": wrong}) as refused:
                assert refused.status in (400, 409)
        rest = {"Content-Range": "bytes 12000-19999/20000"}
        async with session.put(url, data=data[12_000:], headers=rest) as stored:
            found = document(await stored.read())
        async with session.get(found.file.url) as got:
            assert await got.read() == data


@pytest.mark.parametrize(
    "header", [None, "bytes 0-9/*", "bytes */10", "bytes 5-4/10", "bytes 0-10/10", "items 0-9/10", "bytes -1-9/10"]
)
async def test_a_put_without_a_range_that_can_be(tmp_path: Path, header: str | None) -> None:
    async with Server.running(tmp_path, password_of=None) as lab, browser() as session:
        async with session.post(lab.url, data=form(content(9000))[:-4000], headers=FORM):
            pass
        _, url = await resume_info(session, lab.url)
        headers = {} if header is None else {"Content-Range": header}
        async with session.put(url, data=bytes(10), headers=headers) as refused:
            assert refused.status == 400


async def test_another_accounts_upload_is_unknown(tmp_path: Path) -> None:
    """SR-17: neither by its tid nor by the address that its owner got."""
    async with Server.running(tmp_path) as lab, browser() as session:
        refused = await post(session, lab.url, form(content(9000))[:-4000])
        assert refused.status == 400
        query = "/upload?tid=t-1&get_upload_info"
        mine = await authorization(session, lab.url, "GET", query)
        async with session.get(lab.server.base + query, headers=mine) as got:
            url = decode_resume_info(await got.read(), LIMITS).url
        theirs = await authorization(session, lab.url, "GET", query, BEN)
        async with session.get(lab.server.base + query, headers=theirs) as got:
            assert got.status == 404
        path = url.removeprefix(lab.server.base)
        theirs = await authorization(session, lab.url, "PUT", path, BEN)
        theirs["Content-Range"] = "bytes 1-1/2"
        async with session.put(url, data=b"x", headers=theirs) as got:
            assert got.status == 404
        async with session.put(url, data=b"x", headers={"Content-Range": "bytes 1-1/2"}) as got:
            assert got.status == 401


async def test_credentials_may_leave_out_the_query_as_rcsjta_does(tmp_path: Path) -> None:
    async with Server.running(tmp_path) as lab, browser() as session:
        await post(session, lab.url, form(content(9000)))
        given = await authorization(session, lab.url, "GET", "/upload")
        async with session.get(f"{lab.url}?tid=t-1&get_download_info", headers=given) as got:
            assert got.status == 200
        given = await authorization(session, lab.url, "GET", "/other")
        async with session.get(f"{lab.url}?tid=t-1&get_download_info", headers=given) as got:
            assert got.status == 401


# --- two requests for one upload -------------------------------------------------------------------------------
async def test_the_later_of_two_uploads_of_one_tid_wins(tmp_path: Path) -> None:
    """The client lost its first connection; the server has not noticed. What the first brought is replaced."""
    data, other = content(30_000), content(30_000, 2)
    async with Server.running(tmp_path, password_of=None) as lab, browser() as session:
        body = form(data)
        _, writer = await raw(lab.server.port, head(body) + body[:20_000])
        async with session.post(lab.url, data=form(other), headers=FORM) as stored:
            found = document(await stored.read())
        writer.write(body[20_000:])
        async with session.get(found.file.url) as got:
            assert await got.read() == other
        writer.close()
        assert len(lab.blobs()) == 1


@IN_A_FOLDER
async def test_asking_how_far_cuts_whoever_still_writes(tmp_path: Path) -> None:
    data = content(30_000)
    body = form(data)
    async with Server.running(tmp_path, password_of=None) as lab, browser() as session:
        reader, writer = await raw(lab.server.port, head(body) + body[:20_000])
        async with asyncio.timeout(10):
            while not lab.blobs():
                await asyncio.sleep(0)
        start, url = await resume_info(session, lab.url)
        rest = {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"}
        async with session.put(url, data=data[start:], headers=rest) as stored:
            found = document(await stored.read())
        async with session.get(found.file.url) as got:
            assert await got.read() == data
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
        writer.close()


async def test_many_uploads_of_one_tid_at_once_leave_one_whole_file(tmp_path: Path) -> None:
    files = [content(60_000, seed) for seed in range(6)]
    async with Server.running(tmp_path, password_of=None) as lab, browser() as session:

        async def one(data: bytes) -> None:
            try:
                async with session.post(lab.url, data=form(data), headers=FORM) as stored:
                    assert stored.status in (200, 400, 409)
            except aiohttp.ClientError:
                pass

        await asyncio.gather(*(one(data) for data in files))
        async with session.get(f"{lab.url}?tid=t-1&get_download_info") as asked:
            found = document(await asked.read())
        async with session.get(found.file.url) as got:
            assert await got.read() in files


async def test_a_complete_upload_is_not_begun_again(tmp_path: Path) -> None:
    """Its address may have been sent to somebody: the bytes behind an address never change."""
    async with Server.running(tmp_path, password_of=None) as lab, browser() as session:
        async with session.post(lab.url, data=form(b"first"), headers=FORM) as stored:
            found = document(await stored.read())
        async with session.post(lab.url, data=form(b"other"), headers=FORM) as refused:
            assert refused.status == 409
        async with session.get(found.file.url) as got:
            assert await got.read() == b"first"


# --- downloads: ranges -----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("header", "status", "start", "stop"),
    [
        ("bytes=0-0", 206, 0, 1),
        ("bytes=10-19", 206, 10, 20),
        ("bytes=9990-", 206, 9990, 10_000),
        ("bytes=9990-99999", 206, 9990, 10_000),
        ("bytes=-10", 206, 9990, 10_000),
        ("bytes=-99999", 206, 0, 10_000),
        ("Bytes=1-2", 206, 1, 3),
        ("bytes=10000-", 416, 0, 0),
        ("bytes=-0", 416, 0, 0),
        ("bytes=5-4", 200, 0, 10_000),
        ("bytes=0-1,5-6", 200, 0, 10_000),
        ("items=0-1", 200, 0, 10_000),
        ("bytes=a-b", 200, 0, 10_000),
        ("bytes=-", 200, 0, 10_000),
        ("bytes=" + "9" * 200 + "-", 200, 0, 10_000),
    ],
)
async def test_rfc9110_ranges(tmp_path: Path, header: str, status: int, start: int, stop: int) -> None:
    """RFC 9110 section 14: single ranges; what is none is passed over; nothing in it is 416."""
    data = content(10_000)
    (tmp_path / "a").write_bytes(data)
    async with Server.running(tmp_path) as lab, browser() as session:
        url = (await put(lab.url, tmp_path / "a")).file.url
        for method in ("GET", "HEAD"):
            async with session.request(method, url, headers={"Range": header}) as got:
                assert got.status == status
                if status == 416:
                    assert got.headers["Content-Range"] == "bytes */10000"
                    continue
                assert int(got.headers["Content-Length"]) == stop - start
                assert await got.read() == (data[start:stop] if method == "GET" else b"")
                if status == 206:
                    assert got.headers["Content-Range"] == f"bytes {start}-{stop - 1}/10000"
                    # RFC 3230: the digest is that of the whole, whatever part is sent.
                    assert got.headers["Digest"].endswith(base64.b64encode(hashlib.sha256(data).digest()).decode())


async def test_rfc9110_if_range(tmp_path: Path) -> None:
    """RFC 9110 section 13.1.5: a part only of that very version, else all of it."""
    (tmp_path / "a").write_bytes(b"0123456789")
    async with Server.running(tmp_path) as lab, browser() as session:
        url = (await put(lab.url, tmp_path / "a")).file.url
        async with session.head(url) as got:
            tag = got.headers["ETag"]
        for given, status in ((tag, 206), ('"other"', 200), (f"W/{tag}", 200), ("Mon, 23 Nov 2026 10:00:00 GMT", 200)):
            async with session.get(url, headers={"Range": "bytes=2-3", "If-Range": given}) as got:
                assert got.status == status


async def test_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"")
    async with Server.running(tmp_path) as lab, browser() as session:
        url = (await put(lab.url, tmp_path / "a")).file.url
        async with session.get(url) as got:
            assert got.status == 200 and await got.read() == b""
        async with session.get(url, headers={"Range": "bytes=0-"}) as got:
            assert got.status == 416


async def test_many_ranges_at_once_make_up_the_file(tmp_path: Path) -> None:
    data = content(300_000)
    (tmp_path / "a").write_bytes(data)
    async with Server.running(tmp_path) as lab, browser() as session:
        url = (await put(lab.url, tmp_path / "a")).file.url

        async def part(at: int) -> bytes:
            async with session.get(url, headers={"Range": f"bytes={at}-{at + 9_999}"}) as got:
                assert got.status == 206
                return await got.read()

        parts = await asyncio.gather(*(part(at) for at in range(0, 300_000, 10_000)))
        assert b"".join(parts) == data


# --- budgets, retention, full disks ----------------------------------------------------------------------------
async def test_an_account_has_a_budget_and_frees_it_by_dropping(tmp_path: Path) -> None:
    limits = dataclasses.replace(SMALL, account_bytes=60_000)
    async with Server.running(tmp_path, limits) as lab, browser() as session:
        assert (await post(session, lab.url, form(content(40_000), "one"))).status == 200
        refused = await post(session, lab.url, form(content(40_000), "two"))
        assert refused.status == 507 and (await refused.json())["code"] == "content.budget"
        assert (await post(session, lab.url, form(content(40_000), "two"), BEN)).status == 200
        assert len(lab.blobs()) == 2
        async with client(lab.url) as mine:
            await mine.drop("one")
        assert (await post(session, lab.url, form(content(40_000), "two"))).status == 200


async def test_the_total_is_the_sum_of_what_is_there(tmp_path: Path) -> None:
    """It is counted beside the rows: whole, unfinished, begun again, dropped and expired ones."""

    async def check(lab: Server, expected: int) -> None:
        def look() -> None:
            rows = rows_of(database_in(lab.folder, "content.db"), "content")
            columns = [column.name for column in dataclasses.fields(Upload)]
            assert sum(row[columns.index("reserved")] for row in rows["uploads"]) == rows["total"][0][0]
            assert len(rows["uploads"]) == expected

        await lab.restart()  # so that what was cut is put down, and what expired is dropped
        await lab.restart(look)

    async with Server.running(tmp_path, password_of=None) as lab, browser() as session:
        for tid, cut in (("a", 0), ("b", 9000), ("b", 12_000), ("c", 0), ("d", 5000)):
            async with session.post(lab.url, data=form(content(20_000), tid)[: -cut or None], headers=FORM):
                pass
        await check(lab, 4)
        async with session.delete(f"{lab.url}?tid=a"):
            pass
        await check(lab, 3)
        lab.clock.now += lab.limits.file_lifetime_ms
        await check(lab, 0)


async def test_a_body_without_a_length_cannot_outgrow_the_budget(tmp_path: Path) -> None:
    limits = dataclasses.replace(SMALL, account_bytes=100_000)

    async def body() -> AsyncIterator[bytes]:
        yield part_head(B, "tid", length=1) + b"t\r\n" + part_head(B, "File", length=0)
        for _ in range(100):
            yield bytes(10_000)

    async with Server.running(tmp_path, limits, password_of=None) as lab, browser() as session:
        try:
            async with session.post(lab.url, data=body(), headers=FORM) as refused:
                assert refused.status == 507
        except aiohttp.ClientError:
            pass  # the connection was closed while we were still talking
        async with session.get(f"{lab.url}?tid=t&get_upload_info") as asked:
            assert asked.status == 404
        assert lab.blobs() == []


async def test_unfinished_uploads_and_uploads_in_an_hour_are_limited(tmp_path: Path) -> None:
    limits = dataclasses.replace(SMALL, account_uploads=2, uploads=Rate(6, 3_600_000))
    async with Server.running(tmp_path, limits, password_of=None) as lab, browser() as session:
        statuses = []
        for number in range(8):
            async with session.post(lab.url, data=form(content(9000), f"t{number}")[:-3000], headers=FORM) as got:
                statuses.append(got.status)
        assert statuses == [400, 400, 429, 429, 429, 429, 429, 429]
        assert len(lab.blobs()) == 2


async def test_files_expire_and_are_deleted(tmp_path: Path) -> None:
    async with Server.running(tmp_path, password_of=None) as lab, browser() as session:
        async with session.post(lab.url, data=form(b"hello", thumbnail=b"tiny"), headers=FORM) as stored:
            found = document(await stored.read())
        async with session.post(lab.url, data=form(content(9000), "cut")[:-3000], headers=FORM):
            pass
        assert len(lab.blobs()) == 3
        lab.clock.now += lab.limits.upload_lifetime_ms
        async with session.get(f"{lab.url}?tid=cut&get_upload_info") as asked:
            assert asked.status == 404
        await lab.server.purge()
        assert len(lab.blobs()) == 2
        lab.clock.now += lab.limits.file_lifetime_ms
        async with session.get(found.file.url) as got:
            assert got.status == 404
        await lab.server.purge()
        assert lab.blobs() == []


@IN_A_FOLDER
async def test_a_disk_without_room_refuses_before_it_is_full(tmp_path: Path) -> None:
    limits = dataclasses.replace(SMALL, min_free_bytes=1 << 60)
    async with Server.running(tmp_path, limits, password_of=None) as lab, browser() as session:
        async with session.post(lab.url, data=form(b"x"), headers=FORM) as refused:
            assert refused.status == 507 and (await refused.json())["code"] == "content.full"
        assert lab.blobs() == []


@IN_A_FOLDER
async def test_what_no_row_names_is_swept_away_at_the_start(tmp_path: Path) -> None:
    """A server that was killed between making a file and putting it down."""
    async with Server.running(tmp_path, password_of=None) as lab, browser() as session:
        async with session.post(lab.url, data=form(b"kept"), headers=FORM) as stored:
            found = document(await stored.read())
        (lab.folder / "blobs" / ("0" * 32)).write_bytes(b"orphan")
        await lab.restart()
        async with asyncio.timeout(10):
            while len(lab.blobs()) > 1:  # it sweeps beside its work
                async with session.get(f"{lab.server.base}/health") as alive:
                    assert alive.status == 200
        async with session.get(found.file.url) as got:
            assert await got.read() == b"kept"


# --- slow and greedy -------------------------------------------------------------------------------------------
async def test_sr17_a_slow_body_is_refused_and_what_came_is_kept(tmp_path: Path) -> None:
    """SR-17: a body that does not come holds its place for the grace and no longer."""
    limits = dataclasses.replace(SMALL, body_grace_s=0.3)
    body = form(content(30_000))
    async with Server.running(tmp_path, limits, password_of=None) as lab, browser() as session:
        reader, writer = await raw(lab.server.port, head(body) + body[:20_000])
        async with asyncio.timeout(10):
            assert b" 408 " in await reader.readline()
        writer.close()
        start, _ = await resume_info(session, lab.url)
        assert start > 15_000


async def test_sr17_one_address_cannot_hold_every_place(tmp_path: Path) -> None:
    limits = dataclasses.replace(SMALL, max_in_flight_by_address=3)
    body = form(content(30_000))
    async with Server.running(tmp_path, limits, password_of=None) as lab, browser() as session:
        held = [await raw(lab.server.port, head(body) + body[:100]) for _ in range(3)]
        async with asyncio.timeout(10):
            while True:
                async with session.get(f"{lab.server.base}/health") as got:
                    if got.status == 503:
                        assert int(got.headers["Retry-After"]) > 0
                        break
        for _, writer in held:
            writer.close()


async def test_a_reader_that_takes_nothing_is_let_go(tmp_path: Path) -> None:
    """Its place is free again, and it gets no more."""
    limits = dataclasses.replace(SMALL, answer_grace_s=0.3, max_in_flight_by_address=1)
    (tmp_path / "a").write_bytes(bytes(30_000_000))
    async with Server.running(tmp_path, limits) as lab, browser() as session:
        url = (await put(lab.url, tmp_path / "a")).file.url
        path = url.removeprefix(lab.server.base)
        with socket.socket() as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            slow.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(slow, ("127.0.0.1", lab.server.port))
            await loop.sock_sendall(slow, f"GET {path} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
            got = len(await loop.sock_recv(slow, 1))
            statuses = []
            async with asyncio.timeout(10):
                while statuses[-1:] != [200]:
                    async with session.get(f"{lab.server.base}/health") as asked:
                        statuses.append(asked.status)
            assert 503 in statuses
            async with asyncio.timeout(10):
                while piece := await loop.sock_recv(slow, 1 << 20):
                    got += len(piece)
        assert got < 30_000_000


async def test_uploads_by_another_method_or_path_are_refused(tmp_path: Path) -> None:
    async with Server.running(tmp_path, password_of=None) as lab, browser() as session:
        for method, path in (
            ("PUT", "/upload"),
            ("PATCH", "/upload"),
            ("GET", "/"),
            ("POST", "/files/x"),
            ("GET", "/upload"),
        ):
            async with session.request(method, lab.server.base + path) as got:
                assert got.status in (400, 404, 405)


async def test_a_wrong_password_is_told_apart_from_a_refusal(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    async with Server.running(tmp_path) as lab, client(lab.url, password="wrong") as mine:
        with pytest.raises(ContentError) as caught:
            await mine.upload(uploading(tmp_path / "a"), quiet)
        assert caught.value.code == "content.auth"


def test_derived_passwords() -> None:
    """One secret, different services and numbers, nothing for what is no number; the same in every process."""
    content_of, sip_of = derived_passwords(bytes(32), "content"), derived_passwords(bytes(32), "sip")
    found = {content_of(ANA), content_of(BEN), sip_of(ANA), derived_passwords(b"x" * 32, "content")(ANA)}
    assert len(found) == 4 and all(password and len(password) == 32 for password in found)
    # Clients keep theirs: it may not change with a version of ours.
    assert content_of(ANA) == "WTP63BRW4HTWS3R32ELFZURSESAXSDS6"
    assert content_of("nobody") is None and content_of("") is None
    with pytest.raises(InputError):
        derived_passwords(b"short", "content")


@IN_A_FOLDER
async def test_files_of_another_database_are_left_alone(tmp_path: Path) -> None:
    """A wrong --database must not take every file for nobody's."""
    (tmp_path / "a").write_bytes(content(1000))
    async with Server.running(tmp_path) as lab:
        await put(lab.url, tmp_path / "a")
        kept = lab.blobs()
    other = ContentServer(lab.folder, password_of=None, database=str(tmp_path / "other.db"))
    with pytest.raises(StoreError) as raised:
        await other.start()
    assert raised.value.code == "content.folder"
    assert lab.blobs() == kept != []


@IN_A_FOLDER
async def test_a_database_of_the_version_before(tmp_path: Path) -> None:
    """Its files and unfinished uploads are there, and what all take together is counted."""
    place = database_in(tmp_path / "server", "content.db")
    (tmp_path / "server" / "blobs").mkdir(parents=True)
    (tmp_path / "server" / "blobs" / ("b" * 32)).write_bytes(b"old file")
    row = ("i", "lab", "t", NOW * 2, 900, 1, 8, 8, "n", "image/png", "b" * 32, "c" * 64, hashlib.sha256(b"old file").digest(),
           0, "image/png", "d" * 32, "e" * 64, None)  # fmt: skip

    def before() -> None:
        options: dict[str, Any] = {
            "application_id": tables._APPLICATION_ID,
            "name": "content",
            "hint": "",
            "exclusive": True,
        }
        database = open_database(place, tables._SCHEMA + tables._FOLDER, version=2, **options)
        database.begin()
        database.execute(f"INSERT INTO uploads VALUES ({', '.join('?' * len(row))})", row)
        database.commit()
        database.close()

    await asyncio.to_thread(before)
    async with Server.running(tmp_path, password_of=None) as lab, browser() as session:
        async with session.get(f"{lab.server.base}/files/{'c' * 64}") as got:
            assert await got.read() == b"old file"
        assert await lab.server._writer.run(lambda found: found.total()) == 900


async def test_sr17_what_the_store_did_not_take_counts_in_no_budget(tmp_path: Path) -> None:
    """A disk that fails does not lock accounts out for a day after it was mended."""

    class Failing(FolderBlobs):
        broken = True

        async def create(self, name: str) -> FolderWriter:
            if self.broken:
                raise StoreError("the folder for files failed: input/output error", code="store.io")
            return await super().create(name)

    limits, blobs = dataclasses.replace(SMALL, account_uploads=2), Failing(tmp_path / "blobs")
    async with Server.running(tmp_path, limits, blobs=blobs) as lab, browser() as session:
        for number in range(4):
            async with await post(session, lab.url, form(content(5_000), f"t-{number}")) as refused:
                assert refused.status in (500, 503)
        blobs.broken = False
        async with await post(session, lab.url, form(content(5_000), "t-9")) as taken:
            assert taken.status == 200
