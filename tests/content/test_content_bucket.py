"""A bucket as the content server's store: addresses that it signs, several servers on one, sweeps, and what goes wrong."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import hashlib
import io
import os
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from yarl import URL

from content.lab import (
    ANA,
    SMALL,
    Clock,
    Pauses,
    browser,
    client,
    content,
    document,
    downloading,
    fetch,
    form,
    objects,
    quiet,
    resume_info,
    uploading,
)
from content.seaweed import KEY, Seaweed
from letterlock.errors import InputError, LetterlockError, StoreError
from letterlock.services.content import ContentLimits, ContentServer, blob_store
from letterlock.services.content.blobs import Blob, Standing
from letterlock.services.content.s3.settings import BucketSettings, access_key_of, bucket_settings
from letterlock.services.content.s3.signature import AccessKey, Resource, presigned
from letterlock.services.content.s3.store import BucketBlobs
from letterlock.services.http import system_now
from letterlock.sip.digest import DigestClient
from letterlock.transport.content.config import ContentSettings

pytestmark = [pytest.mark.anyio, pytest.mark.slow]
FORM = {"Content-Type": "multipart/form-data; boundary=b1"}
BIG = content(12_000_000)  # two parts and a tail
NAME = "0" * 32


@contextlib.asynccontextmanager
async def store(bucket: BucketSettings, folder: Path) -> AsyncIterator[BucketBlobs]:
    opened = BucketBlobs(bucket, str(folder), now=system_now, rng=os.urandom)
    try:
        await opened.open()
        yield opened
    finally:
        await opened.close()


@contextlib.asynccontextmanager
async def serving(
    bucket: BucketSettings,
    folder: Path,
    *,
    limits: ContentLimits = SMALL,
    presign_s: int = 0,
    database: str | None = None,
) -> AsyncIterator[ContentServer]:
    """A content server on this bucket; several may be, with one database of PostgreSQL."""
    server = ContentServer(
        folder,
        password_of=None,
        database=database,
        blobs=BucketBlobs(bucket, str(folder), now=system_now, rng=os.urandom),
        presign_s=presign_s,
        limits=limits,
    )
    await server.start()
    try:
        yield server
    finally:
        await server.close()


async def posted(server: ContentServer, data: bytes, tid: str = "t-1") -> str:
    """The address of a file that was uploaded."""
    async with browser() as session, session.post(server.url, data=io.BytesIO(form(data, tid)), headers=FORM) as stored:
        assert stored.status == 200, await stored.read()
        return document(await stored.read()).file.url


async def cut(server: ContentServer, data: bytes, at: int, tid: str = "t-1") -> None:
    """An upload whose connection ends behind so many bytes."""

    async def body() -> AsyncIterator[bytes]:
        yield form(data, tid)[:at]
        raise ConnectionError

    async with browser() as session:
        with pytest.raises((aiohttp.ClientError, ConnectionError)):
            await session.post(server.url, data=body(), headers={**FORM, "Content-Length": str(len(form(data, tid)))})


# --- addresses that the bucket takes ---------------------------------------------------------------------------
async def test_a_download_is_sent_to_the_bucket_and_checked_here(tmp_path: Path, bucket: BucketSettings) -> None:
    """Our client follows on this machine, resumes there with a range, checks what came against our digest, and reads a part."""
    (tmp_path / "a").write_bytes(BIG)
    async with serving(bucket, tmp_path / "s", presign_s=60) as server:
        async with client(server.url) as mine:
            found = await mine.upload(uploading(tmp_path / "a"), quiet)
        (tmp_path / ".got.part").write_bytes(BIG[:5_000_001])
        seen: list[int] = []
        async with client(server.url) as mine:
            state = downloading(tmp_path, found.file, sha256=hashlib.sha256(BIG).digest())

            async def keep(new: object) -> None:
                pass

            got = await mine.download(state, lambda done, total: seen.append(done), keep)
            part = await mine.read(found.file.url, 6_000_000, 65_536, len(BIG))
        assert got.checked and Path(got.path).read_bytes() == BIG and seen[0] > 5_000_001
        assert part == BIG[6_000_000:6_065_536]


async def test_what_a_signed_address_permits(tmp_path: Path, bucket: BucketSettings) -> None:
    """GET of one object, for a while, as an attachment without a type; ranges too. Nothing else (SR-14)."""
    async with serving(bucket, tmp_path / "s", presign_s=60) as server, browser() as session:
        url, other = await posted(server, BIG), await posted(server, b"other", "t-2")
        async with session.get(url, allow_redirects=False) as sent:
            assert sent.status == 307 and sent.headers["Cache-Control"] == "no-store"
            assert sent.headers["Digest"].startswith("sha-256=") and await sent.read() == b""
            there = URL(sent.headers["Location"], encoded=True)
            assert there.query["X-Amz-Expires"] == "60" and KEY.secret not in str(there)
        async with session.head(url, allow_redirects=False) as asked:
            assert asked.status == 200 and asked.headers["Content-Length"] == str(len(BIG))
        async with session.get(there) as got:
            assert got.status == 200 and await got.read() == BIG
            assert got.headers["Content-Type"] == "application/octet-stream"
            assert got.headers["Content-Disposition"] == "attachment" and got.headers["Cache-Control"] == "no-store"
        async with session.get(there, headers={"Range": "bytes=5242870-5242889"}) as got:
            assert got.status == 206 and await got.read() == BIG[5_242_870:5_242_890]
        async with session.get(there, headers={"Range": f"bytes={len(BIG)}-"}) as got:
            assert got.status == 416
        async with session.get(other, allow_redirects=False) as sent:
            elsewhere = URL(sent.headers["Location"], encoded=True)
        wrong = str(there)[:-4] + ("0000" if not str(there).endswith("0000") else "1111")
        for address in (wrong, str(there).replace(there.path, elsewhere.path), str(there).partition("?")[0]):
            async with session.get(URL(address, encoded=True)) as refused:
                assert refused.status == 403
        for method in ("PUT", "DELETE", "POST", "HEAD"):
            async with session.request(method, there, data=b"" if method == "HEAD" else b"x") as refused:
                assert refused.status in (403, 405), method
        async with session.get(there) as got:
            assert await got.read() == BIG


async def test_a_signed_address_ends(tmp_path: Path, bucket: BucketSettings) -> None:
    resource = Resource(bucket.origin, bucket.path(NAME))
    async with browser() as session:
        for ago, status in ((0, 404), (5_000, 403)):
            address = presigned(KEY, bucket.region, resource, 2, system_now() - ago)
            async with session.get(URL(address, encoded=True)) as answered:
                assert answered.status == status


async def test_an_address_does_not_outlive_its_file(tmp_path: Path, bucket: BucketSettings) -> None:
    limits = dataclasses.replace(SMALL, file_lifetime_ms=30_000)
    async with serving(bucket, tmp_path / "s", presign_s=3600, limits=limits) as server, browser() as session:
        url = await posted(server, b"x")
        async with session.get(url, allow_redirects=False) as sent:
            assert 0 < int(URL(sent.headers["Location"]).query["X-Amz-Expires"]) <= 30


async def test_clients_may_reach_the_bucket_by_another_way(tmp_path: Path, bucket: BucketSettings) -> None:
    outside = dataclasses.replace(bucket, public_origin="https://files.example.net")
    async with serving(outside, tmp_path / "s", presign_s=60) as server, browser() as session:
        url = await posted(server, b"x")
        async with session.get(url, allow_redirects=False) as sent:
            assert sent.headers["Location"].startswith("https://files.example.net/files/")


async def test_a_folder_signs_no_addresses(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        ContentServer(tmp_path, password_of=None, presign_s=60)
    assert caught.value.code == "input.presign"


# --- several servers -------------------------------------------------------------------------------------------
async def test_another_server_goes_on_with_an_upload(
    tmp_path: Path, bucket: BucketSettings, postgresql_url: str
) -> None:
    """What one server took, the other one has: parts and tail are in the bucket, their note is in the database."""
    async with (
        serving(bucket, tmp_path / "a", database=postgresql_url) as first,
        serving(bucket, tmp_path / "b", database=postgresql_url) as second,
        browser() as session,
    ):
        await cut(first, BIG, 11_000_000)
        async with asyncio.timeout(20):
            while True:
                async with session.get(f"{second.url}?tid=t-1&get_upload_info") as asked:
                    if asked.status == 200 and (start := (await resume_info(session, second.url))[0]) > 10 << 20:
                        break
        assert start > 10_900_000, "the tail was kept too"
        _, url = await resume_info(session, second.url)
        # The rest comes from a little earlier, as it does when a client does not believe what it was told.
        rest = {"Content-Range": f"bytes {start - 1000}-{len(BIG) - 1}/{len(BIG)}"}
        async with session.put(url, data=io.BytesIO(BIG[start - 1000 :]), headers=rest) as stored:
            assert stored.status == 200, await stored.read()
            found = document(await stored.read()).file.url
        for server in (first, second):
            async with session.get(found.replace(second.base, server.base)) as got:
                assert await got.read() == BIG
        assert len(objects(bucket)) == 1, "the tail has gone"


async def test_whoever_goes_on_elsewhere_wins(tmp_path: Path, bucket: BucketSettings, postgresql_url: str) -> None:
    """The first server still believes in its connection; what it has is kept, and what it says later counts no more."""
    async with (
        serving(bucket, tmp_path / "a", database=postgresql_url) as first,
        serving(bucket, tmp_path / "b", database=postgresql_url) as second,
        browser() as session,
    ):
        release = asyncio.Event()

        async def body() -> AsyncIterator[bytes]:
            yield form(BIG)[:11_000_000]
            await release.wait()
            yield form(BIG)[11_000_000:]

        length = {**FORM, "Content-Length": str(len(form(BIG)))}
        earlier = asyncio.ensure_future(session.post(first.url, data=body(), headers=length))
        async with asyncio.timeout(20):
            while True:
                async with session.get(f"{second.url}?tid=t-1&get_upload_info") as asked:
                    if asked.status == 200:
                        break
        start, url = await resume_info(session, second.url)
        assert start in (5 << 20, 10 << 20), "whole parts are durable, and nothing else is promised"
        rest = {"Content-Range": f"bytes {start}-{len(BIG) - 1}/{len(BIG)}"}
        async with session.put(url, data=io.BytesIO(BIG[start:]), headers=rest) as stored:
            assert stored.status == 200
            found = document(await stored.read()).file.url
        release.set()
        async with await earlier as refused:
            assert refused.status == 409 and (await refused.json())["code"] == "content.taken"
        async with session.get(found) as got:
            assert await got.read() == BIG


async def test_a_budget_holds_over_two_servers(tmp_path: Path, bucket: BucketSettings, postgresql_url: str) -> None:
    """SR-17: as many as fit, whichever server they come to; given back once when they are dropped, by either."""
    limits = dataclasses.replace(SMALL, account_bytes=100_000)
    async with (
        serving(bucket, tmp_path / "a", limits=limits, database=postgresql_url) as first,
        serving(bucket, tmp_path / "b", limits=limits, database=postgresql_url) as second,
        browser() as session,
    ):

        async def one(number: int) -> int:
            url = (first, second)[number % 2].url
            async with session.post(url, data=form(content(15_000, number), f"t{number}"), headers=FORM) as answered:
                await answered.read()
                return answered.status

        for _ in range(2):
            statuses = await asyncio.gather(*(one(number) for number in range(14)))
            assert statuses.count(200) == 6 and statuses.count(507) == 8, statuses
            drops = [
                session.delete(f"{server.url}?tid=t{number}") for number in range(14) for server in (first, second)
            ]
            gone = await asyncio.gather(*drops)
            assert sorted(answered.status for answered in gone).count(204) in range(6, 13)
            assert objects(bucket) == []


async def test_one_login_holds_at_both(tmp_path: Path, bucket: BucketSettings, postgresql_url: str) -> None:
    """The key of nonces stands in the database: a client's next request may come to the other server."""
    made = [
        ContentServer(
            tmp_path / name,
            password_of={ANA: "tulip"}.get,
            database=postgresql_url,
            blobs=BucketBlobs(bucket, str(tmp_path), now=system_now, rng=os.urandom),
        )
        for name in "ab"
    ]
    async with contextlib.AsyncExitStack() as stack:
        for server in made:
            await server.start()
            stack.push_async_callback(server.close)
        session = await stack.enter_async_context(browser())
        digest = DigestClient(ANA, "tulip", os.urandom)
        async with session.post(made[0].url) as asked:
            digest.accept(asked.headers.getall("WWW-Authenticate"))
        headers = {"Authorization": digest.credentials("POST", "/upload")}
        async with session.post(made[1].url, headers=headers) as welcome:
            assert welcome.status == 204


# --- what is left ----------------------------------------------------------------------------------------------
async def test_sr17_what_expires_leaves_the_bucket(tmp_path: Path, bucket: BucketSettings) -> None:
    """SR-17: whole files and unfinished ones, their parts and tails."""
    clock = Clock()
    clock.now = system_now()
    blobs = BucketBlobs(bucket, str(tmp_path), now=system_now, rng=os.urandom)
    server = ContentServer(tmp_path / "s", password_of=None, blobs=blobs, limits=SMALL, now=clock)
    await server.start()
    try:
        await posted(server, b"whole", "t-1")
        await cut(server, BIG, 11_000_000, "t-2")
        async with asyncio.timeout(20):
            while len(objects(bucket)) < 2:
                await asyncio.sleep(0)
        async with browser() as session:
            await resume_info(session, server.url, "t-2")
        async with store(bucket, tmp_path) as opened:
            assert len(await unfinished(opened)) == 1
            clock.now += SMALL.file_lifetime_ms
            await server.purge()
            assert objects(bucket) == [] and await unfinished(opened) == []
        async with browser() as session, session.get(f"{server.url}?tid=t-2&get_upload_info") as asked:
            assert asked.status == 404
    finally:
        await server.close()


async def unfinished(opened: BucketBlobs) -> list[str]:
    return [each.key for page in [page async for page in opened.found()] for each in page if "?" in each.key]


async def test_what_nobody_needs_is_swept_away(tmp_path: Path, bucket: BucketSettings) -> None:
    """What a killed server leaves: objects and parts without a row, tails of whole files. Not what may be gone on with."""
    async with serving(bucket, tmp_path / "s") as server, store(bucket, tmp_path) as opened, browser() as session:
        url = await posted(server, b"kept", "t-1")
        await cut(server, BIG, 11_000_000, "t-2")
        async with asyncio.timeout(20):
            while len(objects(bucket)) < 2:
                await asyncio.sleep(0)
        start, rest = await resume_info(session, server.url, "t-2")
        kept = set(objects(bucket))
        whole = next(path.name for path in kept if "." not in path.name)
        for name in (NAME, f"{whole}.{'1' * 16}"):
            writer = await opened.create(name)
            await writer.write((b"orphan",))
            await writer.finish()
            await writer.close()
        writer = await opened.create("1" * 32)
        await writer.write((BIG,))
        await writer.close()
        assert len(objects(bucket)) == 4 and len(await unfinished(opened)) == 2
        await server.sweep()
        assert set(objects(bucket)) == kept and len(await unfinished(opened)) == 1
        async with session.get(url) as got:
            assert await got.read() == b"kept"
        headers = {"Content-Range": f"bytes {start}-{len(BIG) - 1}/{len(BIG)}"}
        async with session.put(rest, data=io.BytesIO(BIG[start:]), headers=headers) as stored:
            assert stored.status == 200


async def test_a_server_that_ended_between_the_last_part_and_its_row(tmp_path: Path, bucket: BucketSettings) -> None:
    """SR-06: the object is whole, the row does not know yet; the rest comes again, and it is the right file."""
    async with serving(bucket, tmp_path / "s") as server, store(bucket, tmp_path) as opened, browser() as session:
        await cut(server, BIG, 11_000_000)
        async with asyncio.timeout(20):
            while not objects(bucket):
                await asyncio.sleep(0)
        start, url = await resume_info(session, server.url)
        upload = await server._writer.run(lambda tables: tables.of_account("lab", "t-1"))
        assert upload is not None
        writer = await opened.resume(upload.blob, Standing(start, upload.state))
        await writer.write((BIG[start:],))
        assert await writer.finish() == hashlib.sha256(BIG).digest()
        await writer.close()
        rest = {"Content-Range": f"bytes {start}-{len(BIG) - 1}/{len(BIG)}"}
        async with session.put(url, data=io.BytesIO(BIG[start:]), headers=rest) as stored:
            assert stored.status == 200
            found = document(await stored.read()).file.url
        async with session.get(found) as got:
            assert await got.read() == BIG


async def test_parts_that_the_bucket_has_lost_come_again(tmp_path: Path, bucket: BucketSettings) -> None:
    """As a rule of the bucket does that drops unfinished uploads: the client begins anew by itself."""
    (tmp_path / "a").write_bytes(BIG)
    async with serving(bucket, tmp_path / "s") as server, store(bucket, tmp_path) as opened:
        await cut(server, BIG, 11_000_000)
        async with asyncio.timeout(20):
            while not objects(bucket):
                await asyncio.sleep(0)
        async with browser() as session:
            await resume_info(session, server.url)
        upload = await server._writer.run(lambda tables: tables.of_account("lab", "t-1"))
        assert upload is not None
        await opened.delete([Blob(upload.blob, upload.state)])
        async with client(server.url, settings=ContentSettings(block=65_536), pauses=Pauses()) as mine:
            found = await mine.upload(uploading(tmp_path / "a", begun=True), quiet)
        got = await fetch(server.url, downloading(tmp_path, found.file))
        assert Path(got.path).read_bytes() == BIG


# --- what goes wrong -------------------------------------------------------------------------------------------
async def test_one_line_for_each_wrong_setting(tmp_path: Path, seaweed: Seaweed, bucket: BucketSettings) -> None:
    wrong = {
        "content.bucket": seaweed.settings(bucket="no-such-bucket"),
        "content.bucket_key": seaweed.settings(key=AccessKey(KEY.id, "not the secret")),
        "content.bucket_unreachable": dataclasses.replace(bucket, origin="http://127.0.0.1:9"),
    }
    for code, settings in wrong.items():
        with pytest.raises(StoreError) as caught:
            async with serving(settings, tmp_path / code):
                pass
        assert caught.value.code == code and "\n" not in str(caught.value) and caught.value.hint
        assert "secret" not in str(caught.value)
    with pytest.raises(StoreError) as caught:
        async with serving(seaweed.settings(key=AccessKey("nobody", KEY.secret)), tmp_path / "nobody"):
            pass
    assert caught.value.code == "content.bucket_key"


async def test_a_bucket_of_another_database_is_left_alone(tmp_path: Path, bucket: BucketSettings) -> None:
    """A wrong --database must not take every file for nobody's."""
    async with serving(bucket, tmp_path / "a") as server:
        await posted(server, b"kept")
    with pytest.raises(StoreError) as caught:
        async with serving(bucket, tmp_path / "b"):
            pass
    assert caught.value.code == "content.folder" and len(objects(bucket)) == 1
    async with serving(bucket, tmp_path / "a"):
        assert len(objects(bucket)) == 1


@pytest.mark.parametrize("presign_s", [0, 60])
async def test_sr06_a_bucket_that_is_killed_in_the_middle(tmp_path: Path, presign_s: int) -> None:
    """SR-06: of an upload and of a download, and started again: both go on where they were, and nothing is lost."""
    data = content(32_000_000)  # much more than sockets on loopback hold
    (tmp_path / "a").write_bytes(data)
    down: list[str] = []
    starts: list[int] = []
    own = Seaweed()

    async def again() -> None:
        if down:
            starts.append(seen[-1])
            down.clear()
            await asyncio.to_thread(own.start)

    def progress(done: int, total: int | None) -> None:
        seen.append(done)
        if done > 6_000_000 and not down and not starts:
            down.append("killed")
            own.kill()

    async def keep(state: object) -> None:
        pass

    try:
        bucket = dataclasses.replace(own.settings(), attempts=2)
        async with serving(bucket, tmp_path / "s", presign_s=presign_s) as server:
            settings = ContentSettings(block=65_536)
            async with client(server.url, settings=settings, pauses=Pauses(again)) as mine:
                seen: list[int] = []
                found = await mine.upload(uploading(tmp_path / "a"), progress)
                assert len(starts) == 1
                starts.clear()
                seen = []
                got = await mine.download(downloading(tmp_path, found.file), progress, keep)
                assert len(starts) == 1 and seen == sorted(seen), "not begun again"
                assert Path(got.path).read_bytes() == data and got.checked
    finally:
        own.close()


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("gs://bucket", {}),
        ("s3://", {}),
        ("s3://UPPER", {}),
        ("s3://bucket/../x", {}),
        ("s3://bucket//x", {}),
        ("s3://bucket/x?y", {}),
        ("s3://bucket", {"endpoint": "http://192.0.2.1:8333"}),
        ("s3://bucket", {"endpoint": "https://h/path"}),
        ("s3://bucket", {"endpoint": "h:8333"}),
        ("s3://bucket", {"public_endpoint": "http://files.example.net"}),
        ("s3://bucket", {"region": "a b"}),
        ("s3://bucket", {"ca_file": "/dev/null"}),
    ],
)
async def test_sr19_stores_that_are_refused(tmp_path: Path, name: str, options: dict[str, str]) -> None:
    """SR-19: what is no store, and a server beyond this machine without TLS."""
    environment = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    with pytest.raises(InputError):
        blob_store(name, tmp_path, environment=environment, **options)  # type: ignore[arg-type]


async def test_an_access_key_comes_from_a_file_that_nobody_else_can_read(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("[default]\naws_access_key_id = AK\naws_secret_access_key=s3cret/+=\n# more\n")
    path.chmod(0o640)
    for problem in (path, tmp_path / "nowhere", tmp_path):
        with pytest.raises(LetterlockError) as caught:
            access_key_of(str(problem), {})
        assert caught.value.code == "input.s3_key"
    path.chmod(0o600)
    key = access_key_of(str(path), {})
    assert key == AccessKey("AK", "s3cret/+=") and "s3cret" not in repr(key)
    path.write_text("aws_access_key_id = AK\n")
    with pytest.raises(InputError):
        access_key_of(str(path), {})
    assert access_key_of(None, {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_SESSION_TOKEN": "c"}) == (
        AccessKey("a", "b", "c")
    )
    with pytest.raises(InputError):
        access_key_of(None, {})
    assert bucket_settings("s3://abc/d", key).host == "s3.us-east-1.amazonaws.com"


async def test_a_bucket_without_room_is_507(tmp_path: Path, bucket: BucketSettings) -> None:
    """Over the account's budget: refused by its head, and nothing of it is in the bucket."""
    limits = dataclasses.replace(SMALL, account_bytes=1_000_000)
    async with serving(bucket, tmp_path / "s", limits=limits) as server, browser() as session:
        async with session.post(server.url, data=io.BytesIO(form(BIG)), headers=FORM) as refused:
            assert refused.status == 507 and (await refused.json())["code"] == "content.budget"
        assert objects(bucket) == []
