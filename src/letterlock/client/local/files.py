"""Files of the profile that this process owns: transfers, reading, the cache."""

from __future__ import annotations

from collections.abc import Sequence

from ...codec.ft_http import RemoteFile
from ...engine.content import FileFormat
from ...files.pointer import FilePointer
from ...ids import ChatName
from ...rcc16.wire.file_info import FileMetadata
from ..files.cached import CacheInfo
from ..files.records import TransferInfo
from ..files.sealed_transfers import blob_of
from .core import LocalCore

__all__ = ["LocalFiles"]


class LocalFiles(LocalCore):
    """Mixed into `LocalProfile`."""

    async def file_format(self, number: ChatName, wait: bool = False) -> FileFormat:
        return self._engine.file_format(self._store, number, self._clock(), wait=wait)

    async def upload(
        self,
        transfer: str,
        path: str,
        name: str,
        content_type: str,
        thumbnail: str | None,
        thumbnail_type: str,
        form: FileFormat = FileFormat.PLAIN,
        described: bool = True,
    ) -> TransferInfo:
        return await self._transfers.upload(
            transfer, path, name, content_type, thumbnail, thumbnail_type, form, described
        )

    async def download(
        self,
        transfer: str,
        file: RemoteFile,
        size: int | None,
        to: str,
        sha256: bytes | None,
        sealed: FileMetadata | None = None,
    ) -> TransferInfo:
        return await self._transfers.download(transfer, file, size, to, sha256, sealed)

    async def download_sealed(self, transfer: str, pointer: FilePointer, to: str, thumbnail: bool) -> TransferInfo:
        return await self._transfers.download_sealed(transfer, pointer, to, thumbnail)

    async def read_file(self, reader: str, pointer: FilePointer, thumbnail: bool, offset: int, length: int) -> bytes:
        at = blob_of(pointer, thumbnail)
        data = await self._readings.read(reader, at, offset, length, self._transfers.read_range)
        await self._cache.note(pointer)
        return data

    async def close_file(self, reader: str) -> None:
        await self._readings.close(reader)

    async def cache(self) -> CacheInfo:
        return await self._cache.info()

    async def prune_cache(self, to: int) -> int:
        return await self._cache.prune(to)

    async def set_cache_budget(self, budget: int) -> None:
        await self._cache.set_budget(budget)

    async def transfers(self) -> Sequence[TransferInfo]:
        return await self._transfers.listed()

    async def transfer(self, transfer: str) -> TransferInfo:
        return await self._transfers.one(transfer)

    async def pause_transfer(self, transfer: str) -> TransferInfo:
        return await self._transfers.pause(transfer)

    async def resume_transfer(self, transfer: str) -> TransferInfo:
        return await self._transfers.resume(transfer)

    async def cancel_transfer(self, transfer: str) -> None:
        await self._transfers.cancel(transfer)
