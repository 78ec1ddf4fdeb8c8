"""By which protocol a chat goes, and the decisions about it."""

from __future__ import annotations

from ...ids import ChatName
from ..api import CertificateInfo, EncryptionInfo
from .core import LocalCore

__all__ = ["LocalEncryption"]


class LocalEncryption(LocalCore):
    """Mixed into `LocalProfile`."""

    async def encryption(self, number: ChatName) -> EncryptionInfo:
        name, view = self._engine.conversation(self._store, number)
        protocol, security = name or ("signal" if self._engine.speaks("signal") else ""), self.security(number)
        if view is None:
            return EncryptionInfo(number, protocol, security)
        return EncryptionInfo(number, protocol, security, view.era, view.epoch, view.health)

    async def end_encryption(self, number: ChatName) -> None:
        await self._driver.submit(lambda s, now, rng: self._engine.end_encryption(s, number, now, rng), heavy=True)

    async def revive_encryption(self, number: ChatName) -> None:
        await self._driver.submit(lambda s, now, rng: self._engine.revive_encryption(s, number, now, rng), heavy=True)

    async def retry_encryption(self, number: ChatName) -> None:
        await self._driver.submit(lambda s, now, rng: self._engine.retry_encryption(s, number, now, rng), heavy=True)

    async def certificate(self) -> CertificateInfo | None:
        return None if self.key_server is None else self.key_server.certificate()
