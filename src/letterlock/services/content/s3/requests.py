"""Requests to S3 that write, and those that a multipart upload takes.

obstore uploads in parts too, but whoever began such an upload has to end it: when its process is killed, all of it is
lost. With the requests themselves each part that was answered is durable, and whatever process knows upload and parts
goes on. Every request here may be repeated, and is when the server fails in a way that passes.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import ssl
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import aiohttp
from yarl import URL

from ....codec.xml import Element, XmlLimits, decode_xml, escape
from ....errors import ContentError, DecodeError, StoreError
from ....ids import Instant
from ..logic import full
from .settings import BucketSettings
from .signature import EMPTY_SHA256, Resource, signed

__all__ = ["Body", "BucketRequests", "LostUpload"]

_XML = XmlLimits(4 << 20, 8, 100_000)
_MAX_ANSWER = 4 << 20
_PASSING = frozenset({408, 429, 500, 502, 503, 504})
_OBJECT = {
    # What a browser makes of it that comes here by a signed address: nothing (SR-14).
    "Content-Type": "application/octet-stream",
    "Content-Disposition": "attachment",
}


class LostUpload(ContentError):
    """The bucket does not know the multipart upload, or a part of it, any more: its bytes have to come again."""

    def __init__(self) -> None:
        super().__init__("what came of this upload is lost", code="content.lost", hint="upload it again", status=409)


@dataclass(frozen=True, slots=True)
class Body:
    """What is written: so many bytes of this SHA-256, read anew for each attempt."""

    size: int
    sha256: str
    read: Callable[[], AsyncIterator[bytes]]


class Unfinished(NamedTuple):
    """A multipart upload that nobody has ended: its object's path in the bucket, and its id."""

    path: str
    upload: str


class _Answer(NamedTuple):
    status: int
    tag: str
    body: bytes


class BucketRequests:
    """Requests as one access key. Everything raises StoreError, or ContentError where there is no room."""

    def __init__(self, settings: BucketSettings, now: Callable[[], Instant]) -> None:
        self._settings, self._now = settings, now
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def check(self) -> None:
        """One request that reads, without patience. Raises StoreError that says what is wrong."""
        query = {"list-type": "2", "max-keys": "1", "prefix": self._settings.path("").removeprefix(self._root)}
        await self._ask("GET", self._root, query, attempts=1)

    # --- objects -----------------------------------------------------------------------------------------------
    async def put(self, key: str, body: Body) -> None:
        await self._ask("PUT", self._settings.path(key), body=body, headers=_OBJECT)

    async def put_first(self, key: str, data: bytes) -> bool:
        """Write an object that is not there yet; False when it is."""
        body, path = _body(data), self._settings.path(key)
        answer = await self._ask("PUT", path, body=body, headers={"If-None-Match": "*"}, permitted=(409, 412))
        return answer.status == 200

    # --- multipart uploads -------------------------------------------------------------------------------------
    async def begin(self, key: str) -> str:
        """The id of a new multipart upload."""
        answer = await self._ask("POST", self._settings.path(key), {"uploads": ""}, headers=_OBJECT)
        found = _text(answer.body, "UploadId")
        if not found or len(found) > 1024:
            raise self._nonsense()
        return found

    async def part(self, key: str, upload: str, number: int, body: Body) -> str:
        """Its tag. When this returns the part is durable."""
        query = {"partNumber": str(number), "uploadId": upload}
        answer = await self._ask("PUT", self._settings.path(key), query, body=body)
        if not answer.tag or len(answer.tag) > 128:
            raise self._nonsense()
        return answer.tag

    async def complete(self, key: str, upload: str, tags: Sequence[str]) -> None:
        """Make the object of its parts. Raises LostUpload."""
        parts = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{escape(tag)}</ETag></Part>"
            for number, tag in enumerate(tags, 1)
        )
        document = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
        answer = await self._ask("POST", self._settings.path(key), {"uploadId": upload}, body=_body(document))
        # It may take long, and then the status is told before the outcome.
        if _document(answer.body).name != "CompleteMultipartUploadResult":
            raise self._failure(answer)

    async def abort(self, path: str, upload: str) -> None:
        with contextlib.suppress(LostUpload):
            await self._ask("DELETE", path, {"uploadId": upload}, permitted=(404,))

    async def unfinished(self) -> AsyncIterator[Sequence[Unfinished]]:
        """Multipart uploads of our prefix that nobody has ended."""
        query = {"uploads": "", "prefix": self._settings.path("").removeprefix(self._root)}
        while True:
            root = _document((await self._ask("GET", self._root, query)).body)
            uploads = [child for child in root.children if child.name == "Upload"]
            yield [
                Unfinished(f"{self._root}{each.child_text('Key')}", each.child_text("UploadId") or "")
                for each in uploads
            ]
            if root.child_text("IsTruncated") != "true" or not uploads:
                return
            query |= {
                "key-marker": root.child_text("NextKeyMarker") or "",
                "upload-id-marker": root.child_text("NextUploadIdMarker") or "",
            }

    # --- one request -------------------------------------------------------------------------------------------
    @property
    def _root(self) -> str:
        return f"/{self._settings.bucket}/"

    async def _ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        body: Body | None = None,
        permitted: Sequence[int] = (),
        attempts: int | None = None,
    ) -> _Answer:
        settings = self._settings
        resource = Resource(settings.origin, path, query or {})
        left, pause = attempts or settings.attempts, settings.first_pause_s
        while True:
            left -= 1
            try:
                answer = await self._once(method, resource, headers or {}, body)
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                if not left:
                    raise _unreachable(settings, error) from error
            else:
                if answer.status in (200, 204, 206) or answer.status in permitted:
                    return answer
                if answer.status not in _PASSING or not left:
                    raise self._failure(answer)
            await asyncio.sleep(pause)
            pause *= 2

    async def _once(self, method: str, resource: Resource, headers: Mapping[str, str], body: Body | None) -> _Answer:
        settings = self._settings
        sha256 = EMPTY_SHA256 if body is None else body.sha256
        given = signed(settings.key, settings.region, method, resource, headers, sha256, self._now())
        given["Content-Length"] = str(0 if body is None else body.size)
        url = URL(resource.url, encoded=True)
        async with self._open().request(
            method, url, headers=given, data=body.read() if body and body.size else None, allow_redirects=False
        ) as response:
            found = bytearray()
            async for piece in response.content.iter_any():
                found += piece
                if len(found) > _MAX_ANSWER:
                    response.close()
                    raise self._nonsense()
            return _Answer(response.status, response.headers.get("ETag", ""), bytes(found))

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            settings = self._settings
            trust = ssl.create_default_context()
            if settings.authorities is not None:
                trust.load_verify_locations(cadata=settings.authorities)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, ssl=trust),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=settings.connect_s, sock_read=settings.stall_s),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                skip_auto_headers=("Content-Type", "Accept-Encoding"),
            )
        return self._session

    # --- failures ----------------------------------------------------------------------------------------------
    def _failure(self, answer: _Answer) -> StoreError | ContentError:
        code = _text(answer.body, "Code") or ""
        settings = self._settings
        if code in ("NoSuchUpload", "InvalidPart", "InvalidPartOrder"):
            return LostUpload()
        if code == "QuotaExceeded" or answer.status == 507:
            return full()
        _raise_no_bucket(settings, answer)
        if code == "RequestTimeTooSkewed":
            return StoreError(
                f"{settings.host} has another time than we", code="content.bucket_time", hint="set this machine's clock"
            )
        if answer.status in (301, 307) or code == "AuthorizationHeaderMalformed":
            return StoreError(
                f"the bucket {settings.bucket} is in another region than {settings.region}",
                code="content.bucket_region",
                hint="name it: --s3-region",
            )
        if answer.status in (401, 403):
            return StoreError(
                f"{settings.host} does not take our access key for the bucket {settings.bucket}: {_word(code)}",
                code="content.bucket_key",
                hint="check the key, and that it may list, read, write and delete there",
            )
        return StoreError(
            f"{settings.host} answered {answer.status} {_word(code)}".rstrip(), code="content.bucket_failed"
        )

    def _nonsense(self) -> StoreError:
        return StoreError(f"{self._settings.host} answers what makes no sense", code="content.bucket_failed")


def _raise_no_bucket(settings: BucketSettings, answer: _Answer) -> None:
    if _text(answer.body, "Code") == "NoSuchBucket":
        raise StoreError(
            f"there is no bucket {settings.bucket} at {settings.host}", code="content.bucket", hint="make it first"
        )


def _unreachable(settings: BucketSettings, error: Exception) -> StoreError:
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError):
        return StoreError(
            f"the certificate of {settings.host} is not to be trusted",
            code="content.bucket_tls",
            hint="if it is your own, name its authority: --s3-ca FILE",
        )
    number = getattr(error, "errno", None)
    reason = os.strerror(number).lower() if isinstance(number, int) and number > 0 else type(error).__name__
    return StoreError(
        f"the S3 server {settings.host} is not reached: {reason}",
        code="content.bucket_unreachable",
        hint="check --s3-endpoint, and that it runs",
    )


def _body(data: bytes) -> Body:
    async def read() -> AsyncIterator[bytes]:
        yield data

    return Body(len(data), hashlib.sha256(data).hexdigest(), read)


def _document(body: bytes) -> Element:
    try:
        return decode_xml(body, _XML)
    except DecodeError:
        return Element("", "", "", ())


def _text(body: bytes, name: str) -> str | None:
    return _document(body).child_text(name) if body else None


def _word(code: str) -> str:
    """A code of the server's, as far as it is one word that may be shown."""
    return code if code.isascii() and code.isalnum() and len(code) <= 64 else ""
