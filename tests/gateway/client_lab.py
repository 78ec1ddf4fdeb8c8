"""The lab of tests/client with a gateway between its phones and the carrier: nothing else is other than there."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from client.lab import Lab
from letterlock.client import Client, GatewayAccount
from letterlock.services.buckets import Rate
from letterlock.services.gateway import CarrierProfile, Gateway, GatewayLimits
from letterlock.services.push import Pushes

__all__ = ["GatewayLab"]


class GatewayLab(Lab):
    """Phones that `create` makes link with the gateway."""

    gateway: Gateway

    @classmethod
    @contextlib.asynccontextmanager
    async def running(  # type: ignore[override]
        cls, folder: Path, pushes: Pushes | None = None, **changes: Any
    ) -> AsyncIterator[GatewayLab]:
        async with super().running(folder) as lab:
            assert isinstance(lab, GatewayLab)
            plenty = Rate(1_000_000, 1_000)
            lab.gateway = Gateway(
                str(folder / "gateway.db"),
                CarrierProfile("127.0.0.1", lab.carrier.port, lab.carrier.domain, tls=False),
                lambda number: "lab",
                b"s" * 32,
                limits=GatewayLimits(links=plenty, enrolments=plenty),
                pushes=pushes,
                **changes,
            )
            await lab.gateway.start()
            try:
                yield lab
            finally:
                await lab.gateway.close()

    async def create(self, number: str, **changes: Any) -> Path:
        path = self.folder / number

        async def code() -> str:
            return self.codes[number]

        await Client.create(
            path,
            number,
            directory=self.directory.url,
            code=code,
            gateway=GatewayAccount.new(self.gateway.url, "lab", number, "lab"),
            passphrase="tulip",
            environment=dataclasses.replace(self.environment, **changes),
        )
        return path
