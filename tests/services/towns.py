"""A directory on loopback with owners in it, on a clock that tests turn."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from letterlock.codec.prekeys import encode_upload
from letterlock.services.directory import Directory, DirectoryLimits, IssuedCode
from letterlock.transport.directory import DirectoryClient
from postgres import database_in
from trust.people import NOW, Owner, stream

__all__ = ["Clock", "Town"]


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        return self.now


class Town:
    """A running directory, its operator's codes, and a client per device."""

    def __init__(self, folder: Path, limits: DirectoryLimits | None = None) -> None:
        self.clock = Clock()
        self.codes: list[IssuedCode] = []
        self.rng = stream("town")
        self.path = database_in(folder, "directory.db")
        self.limits = limits
        self.directory = self._directory()
        self._clients: list[DirectoryClient] = []

    def _directory(self) -> Directory:
        return Directory(self.path, on_code=self.codes.append, limits=self.limits, now=self.clock, rng=stream("codes"))

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, folder: Path, limits: DirectoryLimits | None = None) -> AsyncIterator[Town]:
        town = cls(folder, limits)
        await town.directory.start()
        try:
            yield town
        finally:
            for client in town._clients:
                await client.close()
            await town.directory.close()

    async def restart(self) -> None:
        await self.directory.close()
        self.directory = self._directory()
        await self.directory.start()

    def client(self, owner: Owner | None = None, device: int = 1) -> DirectoryClient:
        made = DirectoryClient(
            self.directory.url, rng=self.rng, now=self.clock, signer=owner.signer(device) if owner else None
        )
        self._clients.append(made)
        return made

    async def register(self, owner: Owner, *, prekeys: int = 0) -> DirectoryClient:
        """Claim the owner's number with a code, and publish pre-keys of the primary."""
        client = self.client(owner)
        await client.begin_claim(owner.number, owner.spki)
        await client.claim(self.codes.pop().code, owner.list.encoded)
        if prekeys:
            await client.upload_prekeys(encode_upload(owner.primary.prekeys(1, prekeys)))
        return client
