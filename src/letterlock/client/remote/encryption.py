"""By which protocol a chat goes, where another process owns the profile."""

from __future__ import annotations

from ...ids import ChatName
from ..api import CertificateInfo, EncryptionInfo
from .line import RemoteLine

__all__ = ["RemoteEncryption"]


class RemoteEncryption(RemoteLine):
    """Mixed into `RemoteProfile`."""

    async def encryption(self, number: ChatName) -> EncryptionInfo:
        info: EncryptionInfo = await self._call("encryption", number=number)
        return info

    async def end_encryption(self, number: ChatName) -> None:
        await self._call("end_encryption", number=number)

    async def revive_encryption(self, number: ChatName) -> None:
        await self._call("revive_encryption", number=number)

    async def retry_encryption(self, number: ChatName) -> None:
        await self._call("retry_encryption", number=number)

    async def certificate(self) -> CertificateInfo | None:
        info: CertificateInfo | None = await self._call("certificate")
        return info
