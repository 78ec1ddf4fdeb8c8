"""A bucket as a store of blobs, for as many content servers as share its database.

Reading, listing and deleting is obstore's; writing is `requests` and `writer`. Under the prefix lie one object a blob,
tails of unfinished ones (`BLOB.RANDOM`), and the name of the database that they belong to.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import S3Store

from ....errors import StoreError
from ....ids import Instant, Rng
from ..blobs import Blob, Found, Standing
from .requests import BucketRequests, LostUpload
from .settings import BucketSettings
from .signature import Resource, presigned
from .writer import BucketWriter, Note

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig, S3Config

__all__ = ["BucketBlobs"]

_KEY = re.compile(r"([0-9a-f]{32})(\.[0-9a-f]{16})?", re.ASCII)
_DATABASE = "database"
_BLOCK = 256 * 1024
_PAGE = 1000
_MULTIPART = "?"
"""In the key of a multipart upload, between its path and its id: no path of ours has one."""


class BucketBlobs:
    """A `BlobStore`. `spool_folder` takes parts on their way, in files without names."""

    shared = True

    def __init__(self, settings: BucketSettings, spool_folder: str, *, now: Callable[[], Instant], rng: Rng) -> None:
        self._settings, self._spool_folder, self._rng = settings, spool_folder, rng
        self._requests = BucketRequests(settings, now)
        self._bucket = _opened(settings)

    async def open(self) -> None:
        await self._requests.check()

    async def belongs_to(self, database: str) -> None:
        if await self._requests.put_first(_DATABASE, database.encode()):
            return
        found = await self._whole(_DATABASE)
        if found is not None and found.decode("ascii", "replace") != database:
            raise StoreError(
                f"the files in s3://{self._settings.bucket}/{self._settings.prefix} belong to another database",
                code="content.folder",
                hint="give the --database that they were kept with, or another prefix in --blobs",
            )

    async def close(self) -> None:
        await self._requests.close()

    # --- writing -----------------------------------------------------------------------------------------------
    async def create(self, name: str) -> BucketWriter:
        return self._writer(name, Note(self._settings.part_bytes))

    async def resume(self, name: str, standing: Standing) -> BucketWriter | WholeBlob:
        if (size := await self.size(name)) is not None:
            # It was made whole, and its server ended before it could put that down.
            return WholeBlob(self, name, size, standing)
        try:
            note = msgspec.json.decode(standing.state, type=Note)
        except msgspec.DecodeError:
            raise LostUpload from None
        writer = self._writer(name, note)
        try:
            await writer.take_up(standing.received, self._whole)
        except BaseException:  # its spool is nobody else's yet
            await writer.close()
            raise
        return writer

    def _writer(self, name: str, note: Note) -> BucketWriter:
        return BucketWriter(name, note, self._requests, self, self._spool_folder, self._rng)

    # --- reading -----------------------------------------------------------------------------------------------
    async def read(self, name: str, start: int, stop: int) -> BucketReader | None:
        if start == stop:
            return BucketReader(self._failed, b"", None)
        path = self._path(name)
        try:
            if stop - start <= _BLOCK:
                block = await obstore.get_range_async(self._bucket, path, start=start, end=stop)
                return BucketReader(self._failed, bytes(block), None)
            found = await obstore.get_async(self._bucket, path, options={"range": (start, stop)})
            stream = found.stream(min_chunk_size=_BLOCK)
            return BucketReader(self._failed, await anext(stream), stream)
        except (NotFoundError, FileNotFoundError):
            return None
        except (BaseError, OSError) as error:
            raise self._failed(error) from error

    async def digest(self, key: str) -> bytes:
        """SHA-256 of an object."""
        found = hashlib.sha256()
        try:
            async for block in (await obstore.get_async(self._bucket, self._path(key))).stream(min_chunk_size=_BLOCK):
                found.update(block)
        except (BaseError, OSError) as error:
            raise self._failed(error) from error
        return found.digest()

    async def size(self, key: str) -> int | None:
        """Of an object; None when there is none."""
        try:
            size: int = (await obstore.head_async(self._bucket, self._path(key)))["size"]
        except (NotFoundError, FileNotFoundError):
            return None
        except (BaseError, OSError) as error:
            raise self._failed(error) from error
        return size

    async def _whole(self, key: str) -> bytes | None:
        """A small object; None when there is none."""
        try:
            return bytes(await (await obstore.get_async(self._bucket, self._path(key))).bytes_async())
        except (NotFoundError, FileNotFoundError):
            return None
        except (BaseError, OSError) as error:
            raise self._failed(error) from error

    def presigned(self, name: str, seconds: int, now: Instant) -> str | None:
        settings = self._settings
        query = {
            "response-content-type": "application/octet-stream",
            "response-content-disposition": "attachment",
            "response-cache-control": "no-store",
        }
        resource = Resource(settings.public_origin, settings.path(name), query)
        return presigned(settings.key, settings.region, resource, seconds, now)

    # --- deleting ----------------------------------------------------------------------------------------------
    async def delete(self, blobs: Iterable[Blob]) -> None:
        keys = []
        for name, state in blobs:
            keys.append(name)
            with contextlib.suppress(msgspec.DecodeError):
                note = msgspec.json.decode(state, type=Note)
                keys += [note.tail] if note.tail else []
                if note.upload:
                    await self._requests.abort(self._settings.path(name), note.upload)
        await self.remove(keys)

    async def remove(self, keys: Sequence[str]) -> None:
        """Delete objects; those that are not there are passed over."""
        if not keys:
            return
        try:
            await obstore.delete_async(self._bucket, [self._path(key) for key in keys])
        except (NotFoundError, FileNotFoundError):
            return
        except (BaseError, OSError) as error:
            raise self._failed(error) from error

    async def found(self) -> AsyncIterator[Sequence[Found]]:
        try:
            # In a thread: where obstore waits for a page by itself, the process ended with a segmentation fault in the task
            # of the sweep, once in a whole run of the tests; listings that were cancelled on purpose did not bring it back.
            pages = iter(obstore.list(self._bucket, self._settings.prefix or None, chunk_size=_PAGE))
            while (page := await asyncio.to_thread(next, pages, None)) is not None:
                yield [found for each in page if (found := self._found(each["path"], "")) is not None]
        except (BaseError, OSError) as error:
            raise self._failed(error) from error
        root = f"/{self._settings.bucket}/"
        async for uploads in self._requests.unfinished():
            kept = (self._found(path.removeprefix(root), f"{_MULTIPART}{upload}") for path, upload in uploads)
            yield [each for each in kept if each is not None]

    async def discard(self, found: Sequence[Found]) -> None:
        await self.remove([each.key for each in found if _MULTIPART not in each.key])
        for each in found:
            if _MULTIPART in each.key:
                key, _, upload = each.key.partition(_MULTIPART)
                await self._requests.abort(self._settings.path(key), upload)

    def _found(self, path: str, upload: str) -> Found | None:
        key = path.removeprefix(f"{self._settings.prefix}/") if self._settings.prefix else path
        ours = _KEY.fullmatch(key)
        return Found(ours[1], bool(ours[2] or upload), f"{key}{upload}") if ours else None

    async def free(self) -> int | None:
        return None

    def _path(self, key: str) -> str:
        prefix = self._settings.prefix
        return f"{prefix}/{key}" if prefix else key

    def _failed(self, error: Exception) -> StoreError:
        # Not its text: that has addresses with signatures in it (SR-10).
        return StoreError(
            f"the bucket at {self._settings.host} failed: {type(error).__name__}", code="content.bucket_failed"
        )


class BucketReader:
    """A `BlobReader`."""

    def __init__(
        self, failed: Callable[[Exception], StoreError], first: bytes, stream: AsyncIterator[bytes] | None
    ) -> None:
        self._failed, self.first, self._stream = failed, first, stream

    async def rest(self) -> AsyncIterator[bytes]:
        if self._stream is None:
            return
        try:
            async for block in self._stream:
                yield block
        except (BaseError, OSError) as error:
            raise self._failed(error) from error

    async def close(self) -> None:
        self._stream = None


class WholeBlob:
    """A `BlobWriter` of a blob to which nothing is to be added."""

    def __init__(self, store: BucketBlobs, name: str, size: int, standing: Standing) -> None:
        self._store, self._name, self._standing = store, name, standing
        self.size, self.state = size, standing.state

    async def write(self, pieces: Sequence[bytes]) -> None:
        raise LostUpload  # it would be another file

    async def checkpoint(self) -> Standing:
        return self._standing

    async def suspend(self) -> Standing:
        return self._standing

    async def finish(self) -> bytes:
        return await self._store.digest(self._name)

    async def noted(self) -> None:
        pass

    async def close(self) -> None:
        pass


def _opened(settings: BucketSettings) -> S3Store:
    client: ClientConfig = {
        "allow_http": settings.origin.startswith("http://"),
        "connect_timeout": timedelta(seconds=settings.connect_s),
        "timeout": timedelta(days=1),  # of a whole answer, which a slow reader of a large file takes
        "read_timeout": timedelta(seconds=settings.stall_s),
    }
    if settings.authorities is not None:
        client["root_certificate"] = settings.authorities
    config: S3Config = {
        "endpoint": settings.origin,
        "region": settings.region,
        "access_key_id": settings.key.id,
        "secret_access_key": settings.key.secret,
        "virtual_hosted_style_request": False,
    }
    if settings.key.session_token:
        config["session_token"] = settings.key.session_token
    retry: RetryConfig = {
        "max_retries": settings.attempts - 1,
        "retry_timeout": timedelta(seconds=settings.stall_s),
    }
    return S3Store(settings.bucket, config=config, client_options=client, retry_config=retry)
