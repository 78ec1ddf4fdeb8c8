"""Files of a profile that another process owns."""

from __future__ import annotations

from collections.abc import Sequence

from ...codec.ft_http import RemoteFile
from ...engine.content import FileFormat
from ...files.pointer import FilePointer
from ...ids import ChatName
from ...rcc16.wire.file_info import FileMetadata
from ..files.cached import CacheInfo
from ..files.records import TransferInfo
from .line import RemoteLine

__all__ = ["RemoteFiles"]


class RemoteFiles(RemoteLine):
    """Mixed into `RemoteProfile`."""

    async def file_format(self, number: ChatName, wait: bool = False) -> FileFormat:
        form: FileFormat = await self._call("file_format", number=number, wait=wait)
        return form

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
        info: TransferInfo = await self._call(
            "upload",
            transfer=transfer,
            path=path,
            name=name,
            content_type=content_type,
            thumbnail=thumbnail,
            thumbnail_type=thumbnail_type,
            form=form,
            described=described,
        )
        return info

    async def download(
        self,
        transfer: str,
        file: RemoteFile,
        size: int | None,
        to: str,
        sha256: bytes | None,
        sealed: FileMetadata | None = None,
    ) -> TransferInfo:
        info: TransferInfo = await self._call(
            "download", transfer=transfer, file=file, size=size, to=to, sha256=sha256, sealed=sealed
        )
        return info

    async def download_sealed(self, transfer: str, pointer: FilePointer, to: str, thumbnail: bool) -> TransferInfo:
        info: TransferInfo = await self._call(
            "download_sealed", transfer=transfer, pointer=pointer, to=to, thumbnail=thumbnail
        )
        return info

    async def read_file(self, reader: str, pointer: FilePointer, thumbnail: bool, offset: int, length: int) -> bytes:
        data: bytes = await self._call(
            "read_file", reader=reader, pointer=pointer, thumbnail=thumbnail, offset=offset, length=length
        )
        return data

    async def close_file(self, reader: str) -> None:
        await self._call("close_file", reader=reader)

    async def cache(self) -> CacheInfo:
        info: CacheInfo = await self._call("cache")
        return info

    async def prune_cache(self, to: int) -> int:
        return int(await self._call("prune_cache", to=to))

    async def set_cache_budget(self, budget: int) -> None:
        await self._call("set_cache_budget", budget=budget)

    async def transfers(self) -> Sequence[TransferInfo]:
        infos: list[TransferInfo] = await self._call("transfers")
        return infos

    async def transfer(self, transfer: str) -> TransferInfo:
        info: TransferInfo = await self._call("transfer", transfer=transfer)
        return info

    async def pause_transfer(self, transfer: str) -> TransferInfo:
        info: TransferInfo = await self._call("pause_transfer", transfer=transfer)
        return info

    async def resume_transfer(self, transfer: str) -> TransferInfo:
        info: TransferInfo = await self._call("resume_transfer", transfer=transfer)
        return info

    async def cancel_transfer(self, transfer: str) -> None:
        await self._call("cancel_transfer", transfer=transfer)
