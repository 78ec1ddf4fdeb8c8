"""A content server on loopback with a clock that tests turn, clients of it, a wire that is cut, and a server that lies."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import random
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import obstore
from obstore.store import S3Store

from content.seaweed import bucket_in
from letterlock.codec.form_data import part_head
from letterlock.codec.ft_http import FileDocument, RemoteFile, decode_file, decode_resume_info
from letterlock.services.content import ContentLimits, ContentServer
from letterlock.services.content.s3.settings import BucketSettings
from letterlock.services.content.s3.store import BucketBlobs
from letterlock.services.http import system_now
from letterlock.transport.content.client import ContentClient
from letterlock.transport.content.config import ContentSettings, Downloaded, DownloadState, ServerAccount, UploadState
from postgres import database_in

ANA, BEN = "+15550100", "+15550199"
PASSWORD = "tulip"
NOW = 1_790_000_000_000
SETTINGS = ContentSettings(block=4096, progress=1, stall_s=5.0)
SMALL = ContentLimits(block_bytes=4096, checkpoint_bytes=16_384, min_free_bytes=0)


def content(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        return self.now


class Server:
    """A running content server and what to ask of it."""

    def __init__(self, folder: Path, limits: ContentLimits, **options: Any) -> None:
        self.folder, self.limits, self.options = folder, limits, options
        self.clock = Clock()
        self.server = self._make(0)

    def _make(self, port: int) -> ContentServer:
        options: dict[str, Any] = {"password_of": {ANA: PASSWORD, BEN: PASSWORD}.get, **self.options}
        database = database_in(self.folder, "content.db")
        self.bucket = bucket_in(self.folder)
        if self.bucket is not None and "blobs" not in options:
            spool = str(self.folder.parent)
            options["blobs"] = BucketBlobs(self.bucket, spool, now=system_now, rng=os.urandom)
        return ContentServer(self.folder, database=database, port=port, limits=self.limits, now=self.clock, **options)

    @classmethod
    @contextlib.asynccontextmanager
    async def running(cls, folder: Path, limits: ContentLimits = SMALL, **options: Any) -> AsyncIterator[Server]:
        lab = cls(folder / "server", limits, **options)
        await lab.server.start()
        try:
            yield lab
        finally:
            await lab.server.close()

    async def restart(self, meanwhile: Callable[[], None] = lambda: None) -> None:
        port = self.server.port
        await self.server.close()
        meanwhile()
        self.server = self._make(port)
        await self.server.start()

    @property
    def url(self) -> str:
        return self.server.url

    def blobs(self) -> list[Path]:
        if self.bucket is not None:
            return objects(self.bucket)
        return sorted((self.folder / "blobs").iterdir())


def objects(bucket: BucketSettings) -> list[Path]:
    """The names of all blobs in a bucket, and of tails of unfinished ones."""
    store = S3Store(
        bucket.bucket,
        endpoint=bucket.origin,
        region=bucket.region,
        access_key_id=bucket.key.id,
        secret_access_key=bucket.key.secret,
        client_options={"allow_http": True},
    )
    names = [Path(each["path"]) for page in obstore.list(store, bucket.prefix) for each in page]
    return sorted(name for name in names if name.name != "database")


class Pauses:
    """In place of sleeping: remembers how long it would have been, and may do something meanwhile."""

    def __init__(self, meanwhile: Callable[[], Awaitable[None]] | None = None) -> None:
        self.seconds: list[float] = []
        self._meanwhile = meanwhile

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        if self._meanwhile is not None:
            await self._meanwhile()


@contextlib.asynccontextmanager
async def client(
    url: str | None,
    *,
    user: str = ANA,
    password: str = PASSWORD,
    settings: ContentSettings = SETTINGS,
    pauses: Pauses | None = None,
    **options: Any,
) -> AsyncIterator[ContentClient]:
    account = None if url is None else ServerAccount(url, user, password)
    made = ContentClient(
        account,
        rng=random.Random(3).randbytes,
        now=lambda: NOW,
        settings=settings,
        sleep=pauses or Pauses(),
        **options,
    )
    async with made:
        yield made


def uploading(path: Path, tid: str = "t-1", **changes: Any) -> UploadState:
    found = path.stat()
    state = UploadState(tid, str(path), found.st_size, found.st_mtime_ns, path.name, "image/jpeg")
    return dataclasses.replace(state, **changes)


def downloading(folder: Path, file: RemoteFile, **changes: Any) -> DownloadState:
    state = DownloadState(file.url, str(folder / "got.bin"), str(folder / ".got.part"), file.size)
    return dataclasses.replace(state, **changes)


def quiet(done: int, total: int | None) -> None:
    pass


async def forget(state: DownloadState) -> None:
    pass


async def put(url: str, path: Path, tid: str = "t-1", **changes: Any) -> FileDocument:
    async with client(url) as mine:
        return await mine.upload(uploading(path, tid, **changes), quiet)


async def fetch(url: str | None, state: DownloadState, **options: Any) -> Downloaded:
    async with client(url, **options) as mine:
        return await mine.download(state, quiet, forget)


def document(body: bytes) -> FileDocument:
    return decode_file(body, SETTINGS.documents)


B = b"b1"


def form(data: bytes, tid: str | None = "t-1", *, thumbnail: bytes = b"", name: str = "a.jpg") -> bytes:
    body = b"" if tid is None else part_head(B, "tid", length=len(tid)) + tid.encode() + b"\r\n"
    if thumbnail:
        head = part_head(B, "Thumbnail", filename="t", content_type="image/png", length=len(thumbnail))
        body += head + thumbnail + b"\r\n"
    body += part_head(B, "File", filename=name, content_type="image/jpeg", length=len(data)) + data
    return body + b"\r\n--" + B + b"--\r\n"


async def resume_info(session: aiohttp.ClientSession, url: str, tid: str = "t-1") -> tuple[int, str]:
    async with session.get(f"{url}?tid={tid}&get_upload_info") as got:
        assert got.status == 200, await got.read()
        info = decode_resume_info(await got.read(), SETTINGS.documents)
        assert info.start == 0
        return info.end + 1, info.url


@contextlib.asynccontextmanager
async def browser() -> AsyncIterator[aiohttp.ClientSession]:
    """Requests as anybody may make them."""
    async with aiohttp.ClientSession(auto_decompress=False, timeout=aiohttp.ClientTimeout(total=20)) as session:
        yield session


class Wire:
    """A TCP proxy that cuts each connection after so many bytes in one direction."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.up: list[int] = []
        """Of the next connections: bytes towards the server before the cut; no more of them, no more cuts."""
        self.down: list[int] = []
        self.connections = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    @classmethod
    @contextlib.asynccontextmanager
    async def to(cls, port: int) -> AsyncIterator[Wire]:
        wire = cls(port)
        wire._server = await asyncio.start_server(wire._accept, "127.0.0.1", 0)
        try:
            yield wire
        finally:
            wire._server.close()
            for task in wire._tasks:
                task.cancel()
            await asyncio.gather(*wire._tasks, return_exceptions=True)

    @property
    def port(self) -> int:
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._carry(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        up = self.up.pop(0) if self.up else 1 << 60
        down = self.down.pop(0) if self.down else 1 << 60
        other_reader, other_writer = await asyncio.open_connection("127.0.0.1", self._port)
        ways = [
            asyncio.ensure_future(self._one_way(reader, other_writer, up)),
            asyncio.ensure_future(self._one_way(other_reader, writer, down)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            writer.transport.abort()
            # Not cut as hard: the server's system would throw away what arrived and was not read yet.
            other_writer.close()

    @staticmethod
    async def _one_way(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, left: int) -> None:
        with contextlib.suppress(OSError):
            while left > 0 and (piece := await reader.read(min(65_536, left))):
                writer.write(piece)
                await writer.drain()
                left -= len(piece)


class Liar:
    """A server that answers each request with prepared bytes, whatever was asked."""

    def __init__(self, answers: list[bytes], endless: bool, early: bool) -> None:
        self._answers, self._endless, self._early = answers, endless, early
        self.requests: list[bytes] = []
        self._scheme = "http"
        self._server: asyncio.Server | None = None
        self._writers: list[asyncio.StreamWriter] = []

    @classmethod
    @contextlib.asynccontextmanager
    async def telling(
        cls, *answers: bytes, endless: bool = False, early: bool = False, tls: ssl.SSLContext | None = None
    ) -> AsyncIterator[Liar]:
        """`endless` goes on for ever, `early` answers without a look at the body."""
        liar = cls(list(answers), endless, early)
        liar._scheme = "http" if tls is None else "https"
        liar._server = await asyncio.start_server(liar._serve, "127.0.0.1", 0, ssl=tls)
        try:
            yield liar
        finally:
            liar._server.close()
            for writer in liar._writers:
                writer.transport.abort()

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"{self._scheme}://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            self.requests.append(head)
            if not self._early and (length := re.search(rb"(?i)content-length: ([0-9]+)", head)):
                await reader.readexactly(int(length[1]))
            answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
            start, end, body = answer.partition(b"\r\n\r\n")
            honest = b"Content-Length: %d\r\n" % len(body)
            body = body.replace(b"SELF", self.url.encode())
            start = (start + b"\r\n").replace(honest, b"Content-Length: %d\r\n" % len(body)).removesuffix(b"\r\n")
            writer.write(start.replace(b"SELF", self.url.encode()) + end + body)
            while self._endless:
                writer.write(bytes(65_536))
                await writer.drain()
            await writer.drain()
            writer.close()


def answer(status: str, body: bytes = b"", **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if "Content_Length" not in headers and "Transfer_Encoding" not in headers:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body
