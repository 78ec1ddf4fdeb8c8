"""The content server over HTTP (rcs.md 2.6): limits before work, then the account, then the bytes.

`POST /upload` (empty: 204, or 401 with a Digest challenge; then the form), `GET /upload?tid=..&get_upload_info` or
`&get_download_info`, `PUT /upload/ID` with a Content-Range, `DELETE /upload?tid=..` (ours), and `GET /files/TOKEN`,
which asks for no account: the address is the right to fetch. Files are served as attachments without a type, so that
no browser runs one under the operator's name (SR-14). Downloads are not logged (SR-17).
"""

from __future__ import annotations

import contextlib
import hmac
import logging
import os
import ssl
from collections.abc import Callable
from functools import partial
from pathlib import Path

from aiohttp import web

from ...codec.addresses import is_loopback
from ...codec.ft_http import FileDocument, RemoteFile, ResumeInfo, encode_file, encode_resume_info
from ...codec.sip import Credentials
from ...errors import ContentError, DecodeError, InputError, StoreError
from ...ids import Instant, Rng
from ...sip.digest_server import DigestServer, Outcome
from ..buckets import Buckets, too_many
from ..http import NO_STORE, Guard, Handler, Listener, address_key, refusal, system_now
from ..writer import Writer
from .answers import digest_header, xml_answer
from .blobs import BlobStore
from .downloading import Downloads
from .folder import FolderBlobs
from .intake import Desk
from .limits import ContentLimits
from .logic import Library
from .tables import Tables, Upload
from .upkeep import Upkeep
from .uploading import Uploads

__all__ = ["ContentServer"]

_log = logging.getLogger("letterlock.content")
_REALM = "letterlock content"


class ContentServer:
    """The content server. `await start()`, then `url` says where clients upload; `await close()` ends it.

    `password_of(username)` gives the password of an account, which is a number, or None; without it anybody on this
    machine may upload, for labs. `folder` takes the files, unless another store for `blobs` is given, and their
    database, unless another one is named. Of a store that can be shared, with a PostgreSQL database, there may be several
    servers. With `presign_s`, downloads are sent to the store's own addresses, which last for so many seconds.
    `public_url` is how the world reaches this server when a proxy stands before it. Without `tls` it listens on
    loopback only (SR-19).
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        password_of: Callable[[str], str | None] | None,
        database: str | None = None,
        blobs: BlobStore | None = None,
        presign_s: int = 0,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        public_url: str | None = None,
        limits: ContentLimits | None = None,
        now: Callable[[], Instant] = system_now,
        rng: Rng = os.urandom,
    ) -> None:
        if password_of is None and not is_loopback(host):
            raise InputError("beyond this machine uploads need accounts", code="content.open")
        self._public_url = public_url
        self._limits = limits or ContentLimits()
        self._now, self._rng = now, rng
        self._folder = Path(folder)
        self._blobs = blobs or FolderBlobs(self._folder / "blobs")
        if presign_s and self._blobs.presigned("0" * 32, 1, now()) is None:
            raise InputError(
                "a folder has no addresses to send downloads to", code="input.presign", hint="give --blobs"
            )
        self._library = Library(self._limits)
        tables = partial(Tables, exclusive=not self._blobs.shared)
        self._writer = Writer(database or str(self._folder / "content.db"), tables, ContentError, "content")
        self._password_of = password_of
        self._digest: DigestServer | None = None
        self._buckets = Buckets(self._limits.max_buckets)
        self._blocked: dict[str, Instant] = {}
        """Addresses that guessed too often, until when."""
        self._listener = Listener(
            host, port, tls, name="content server", refusal=ContentError, purge=self.purge, log=_log
        )
        self._guard = Guard(
            ContentError,
            name="content server",
            max_in_flight=self._limits.max_in_flight,
            max_in_flight_by_address=self._limits.max_in_flight_by_address,
            admit=self._admit,
            log=_log,
            retry_s=self._limits.busy_retry_s,
        )
        self._desk = Desk(self._library, self._writer, self._blobs, self._limits, now, rng)
        self._uploads = Uploads(self._desk)
        self._downloads = Downloads(self._desk, presign_s)
        self._upkeep = Upkeep(self._desk)
        self.app = self._application()

    async def start(self) -> None:
        """Open folder and database, and listen. Raises StoreLocked, StoreError or OSError."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"the folder {self._folder} cannot be made: {error.strerror}", code="store.io") from error
        async with contextlib.AsyncExitStack() as begun:
            begun.push_async_callback(self.close)
            await self._blobs.open()
            await self._writer.start()
            folder = await self._writer.run(lambda tables: tables.folder(self._rng(16).hex()))
            await self._blobs.belongs_to(folder)
            key = await self._writer.run(lambda tables: tables.nonce_key(self._rng(32)))
            if self._password_of is not None:
                self._digest = DigestServer(_REALM, key, self._password_of, lifetime_ms=self._limits.nonce_lifetime_ms)
            # Lingering for the body of a request that was refused before its end.
            await self._listener.start(self.app, max_line=4096, lingering_s=2.0, shutdown_s=2.0)
            self._upkeep.start()
            begun.pop_all()

    async def close(self) -> None:
        """Stop listening, keep what came of uploads, close the database."""
        await self._upkeep.close()
        await self._listener.stop()
        await self._uploads.close()
        await self._listener.close()
        await self._writer.close()
        await self._blobs.close()

    @property
    def port(self) -> int:
        return self._listener.port

    @property
    def base(self) -> str:
        """What all addresses begin with."""
        if self._public_url is not None:
            return self._public_url.rstrip("/")
        return self._listener.base

    @property
    def url(self) -> str:
        """Where clients upload: the `ftHTTPCSURI` of their configuration."""
        return f"{self.base}/upload"

    async def purge(self) -> None:
        """Delete what has expired; done at the start and every hour."""
        await self._upkeep.purge()

    async def sweep(self) -> None:
        """Delete what the store holds and no row names; done beside the work, at the start and every day."""
        await self._upkeep.sweep()

    # --- uploads ---------------------------------------------------------------------------------
    def _application(self) -> web.Application:
        app = web.Application(middlewares=[self._guard.middleware, _challenge])
        app.router.add_get("/health", self._health)
        app.router.add_post("/upload", self._post)
        app.router.add_get("/upload", self._info)
        app.router.add_delete("/upload", self._drop)
        app.router.add_put("/upload/{id}", self._put)
        app.router.add_get("/files/{token}", self._downloads.answer)
        return app

    async def _health(self, request: web.Request) -> web.Response:
        await self._writer.run(lambda tables: None)
        return web.Response(text="ok\n")

    async def _post(self, request: web.Request) -> web.Response:
        account = self._account(request)
        if not request.body_exists:
            return web.Response(status=204, headers=NO_STORE)
        self._buckets.spend(ContentError, "uploads", account, self._limits.uploads, self._now())
        return self._described(await self._uploads.form(request, account))

    async def _put(self, request: web.Request) -> web.Response:
        account = self._account(request)
        upload = await self._uploads.rest(request, account, request.match_info["id"])
        return self._described(upload) if upload.complete else self._resumable(upload)

    async def _info(self, request: web.Request) -> web.Response:
        account = self._account(request)
        tid = request.query.get("tid", "")
        if "get_download_info" not in request.query and "get_upload_info" not in request.query:
            raise ContentError("say what to get", code="content.form", status=400)
        # Whoever still writes has lost its connection: otherwise the client would not ask.
        async with self._uploads.alone(account, tid, request):
            upload = await self._writer.run(lambda tables: self._library.find(tables, account, tid, self._now()))
            upload = await self._uploads.settled(upload)
        if "get_download_info" in request.query:
            if not upload.complete:
                raise ContentError("this upload is not complete", code="content.unfinished", status=404)
            return self._described(upload)
        if not upload.received:
            # The document cannot say "nothing"; without it clients begin anew.
            raise ContentError("nothing of this upload has come", code="content.unknown", status=404)
        return self._resumable(upload)

    async def _drop(self, request: web.Request) -> web.Response:
        account = self._account(request)
        tid = request.query.get("tid", "")
        async with self._uploads.alone(account, tid, request):
            upload = await self._writer.run(lambda tables: self._library.find(tables, account, tid, self._now()))
            gone = await self._writer.run(lambda tables: self._library.drop(tables, upload))
            await self._desk.forget(gone)
        return web.Response(status=204, headers=NO_STORE)

    def _described(self, upload: Upload) -> web.Response:
        thumbnail = None
        if upload.thumbnail_sha256 is not None:
            thumbnail = RemoteFile(
                upload.thumbnail_size, upload.thumbnail_type, self._address(upload.thumbnail_token), upload.expires
            )
        file = RemoteFile(
            upload.received, upload.content_type, self._address(upload.token), upload.expires, upload.name
        )
        return xml_answer(encode_file(FileDocument(file, thumbnail)), digest_header(upload.sha256 or b""))

    def _resumable(self, upload: Upload) -> web.Response:
        return xml_answer(encode_resume_info(ResumeInfo(0, upload.received - 1, f"{self.url}/{upload.id}")), {})

    def _address(self, token: str) -> str:
        return f"{self.base}/files/{token}"

    # --- before the work -------------------------------------------------------------------------
    def _admit(self, address: str) -> None:
        self._buckets.spend(ContentError, "address", address, self._limits.address, self._now())

    def _account(self, request: web.Request) -> str:
        """Who asks (RFC 7616). Raises ContentError 401 with challenges, before anything of the body is read (SR-17)."""
        if self._digest is None:  # no accounts, which is for labs
            return "lab"
        given, now = request.headers.getall("Authorization", []), self._now()
        if not all(text.isascii() for text in given):
            # Bytes that are no text come as half characters, which nothing can compute with (SR-09).
            raise ContentError("an Authorization that is no text", code="content.form", status=400)
        if given:
            self._check_guesses(address_key(request.remote), now)
        verdict = self._digest.verify(given, request.method, _digest_uri(request, given), now)
        if verdict.username is not None:
            return verdict.username
        if verdict.outcome is Outcome.WRONG:
            self._count_guess(address_key(request.remote), now)
        stale = verdict.outcome is Outcome.STALE
        raise _Unauthenticated(self._digest.challenge(self._now(), self._rng, stale=stale))

    def _check_guesses(self, address: str, now: Instant) -> None:
        # With the right password too: otherwise the refusals alone would tell which guess was right.
        until = self._blocked.get(address, now)
        if until > now:
            raise too_many(ContentError, until - now)

    def _count_guess(self, address: str, now: Instant) -> None:
        wait = self._buckets.take("password", address, self._limits.wrong_passwords, now)
        if wait:
            if len(self._blocked) >= self._limits.max_buckets:
                self._blocked = {key: until for key, until in self._blocked.items() if until > now}
            self._blocked[address] = now + wait
            raise too_many(ContentError, wait)


class _Unauthenticated(ContentError):
    """Carries the challenges."""

    def __init__(self, challenges: tuple[str, ...]) -> None:
        super().__init__("uploads need an account", code="content.unauthenticated", status=401)
        self.challenges = challenges


@web.middleware
async def _challenge(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except _Unauthenticated as error:
        return refusal(error, challenges=error.challenges)


def _digest_uri(request: web.Request, given: list[str]) -> str:
    """The `uri` that the credentials must name: the request's target, which some clients write without its query.

    RFC 7616 section 3.4 wants all of it. What is left out is not protected by the response, but then by TLS.
    """
    target = request.raw_path
    bare = target.partition("?")[0]
    for text in given:
        with contextlib.suppress(DecodeError):
            if hmac.compare_digest(Credentials.parse(text).uri.encode(), bare.encode()):
                return bare
    return target
