"""A provisioning server with a directory beside it, both on a clock that tests turn, and an operator who reads codes."""

from __future__ import annotations

import contextlib
import dataclasses
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from client.phones import CHEAP
from letterlock.client import Client, Environment
from letterlock.codec.provisioning import ProvisioningDocument
from letterlock.errors import TransportError
from letterlock.ids import Number
from letterlock.services.buckets import Rate
from letterlock.services.directory import Directory, DirectoryLimits
from letterlock.services.directory import IssuedCode as DirectoryCode
from letterlock.services.provisioning import IssuedCode, Offer, ProvisioningLimits, ProvisioningServer
from letterlock.transport.provisioning import ProvisioningClient
from letterlock.transport.provisioning_config import Contact
from postgres import database_in

ANA, BEN = Number("+15550100"), Number("+15550199")
NOW = 1_790_000_000_000
KEY, OTHER = b"\x01" * 32, b"\x02" * 32
PLENTY = Rate(100_000, 1000)
EASY = ProvisioningLimits(
    contacts=PLENTY, codes_by_number=PLENTY, codes_by_number_and_address=PLENTY, max_codes_per_number=100
)


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        return self.now


class Operator:
    """The operator's servers."""

    def __init__(self, folder: Path, limits: ProvisioningLimits) -> None:
        self.folder = folder
        self.clock = Clock()
        self.codes: list[IssuedCode] = []
        self.directory_codes: list[DirectoryCode] = []
        self.directory_down = False
        self.directory = Directory(
            database_in(folder, "directory.db"),
            on_code=self.directory_codes.append,
            now=self.clock,
            limits=DirectoryLimits(codes_by_number=PLENTY, max_codes_per_number=100),
        )
        self._limits = limits
        self._rng = random.Random(9).randbytes
        self.server: ProvisioningServer

    def offer(self, **changes: Any) -> Offer:
        subscribers = {ANA: "sip-a", BEN: "sip-b"}
        offer = Offer(
            version=1,
            validity_s=86_400,
            sip_host="127.0.0.1",
            sip_port=5060,
            sip_tls=False,
            domain="ims.example.test",
            directory_url=self.directory.url,
            sip_password=subscribers.get,
            content_password=lambda number: f"files-{number}",
            content_url="http://127.0.0.1:8470/upload",
            msrp_relay="msrp://127.0.0.1:2855;tcp",
            conference_factory="sip:conference-factory@ims.example.test",
            max_group=100,
            max_message=1_000_000,
            max_file=100 << 20,
            idle_s=45,
        )
        return dataclasses.replace(offer, **changes)

    async def claims(self, number: Number, key_hash: bytes) -> str:
        if self.directory_down:
            raise TransportError("no directory")
        return (await self.directory.issue_code(number, key_hash)).code

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, folder: Path, limits: ProvisioningLimits = EASY) -> AsyncIterator[Operator]:
        operator = cls(folder, limits)
        await operator.directory.start()
        operator.server = operator._server()
        await operator.server.start()
        try:
            yield operator
        finally:
            await operator.server.close()
            await operator.directory.close()

    def _server(self, port: int = 0) -> ProvisioningServer:
        return ProvisioningServer(
            database_in(self.folder, "provisioning.db"),
            self.offer(),
            claims=self.claims,
            on_code=self.codes.append,
            port=port,
            limits=self._limits,
            now=self.clock,
            rng=self._rng,
        )

    async def restart(self) -> None:
        port = self.server.port
        await self.server.close()
        self.server = self._server(port)
        await self.server.start()

    @property
    def url(self) -> str:
        return self.server.url

    # --- as a client ---------------------------------------------------------------------------------------------
    async def contact(self, number: Number = ANA, key: bytes = KEY, **more: Any) -> ProvisioningDocument | None:
        async with ProvisioningClient(self.url) as client:
            return await client.contact(Contact(number, key, **more))

    async def configured(self, number: Number = ANA, key: bytes = KEY) -> ProvisioningDocument:
        """A first contact with the code that the operator got."""
        async with ProvisioningClient(self.url) as client:
            assert await client.contact(Contact(number, key)) is None
            document = await client.contact(Contact(number, key, code=self.codes.pop().code))
        assert document is not None
        return document

    # --- as a user -----------------------------------------------------------------------------------------------
    def environment(self, **changes: Any) -> Environment:
        """A real directory and real provisioning; a carrier that is not there."""
        base = Environment(
            clock=self.clock,
            argon2=CHEAP,
            state=self.folder / "state",
            transport=lambda environment, settings, identity, on_message: None,
        )
        return dataclasses.replace(base, **changes)

    async def code(self) -> str:
        return self.codes.pop().code

    async def provision(self, number: Number = ANA, **options: Any) -> Path:
        path = self.folder / number
        given = {"url": self.url, "code": self.code, "environment": self.environment(), **options}
        await Client.provision(path, number, passphrase="tulip", **given)
        return path
