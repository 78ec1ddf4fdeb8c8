"""The key distribution server of the demo, and the operator's word for each phone's participant key."""

from __future__ import annotations

import os
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from ... import ids
from ...client import KdsAccount
from ...rcc16.choices import OURS
from ...services.kds import KeyDistributionServer
from ...services.kds.folder import OUR_VENDOR, make_folder, open_folder
from ...services.provisioning import EncryptionOffer
from ...services.signer import key_from_file

__all__ = ["DemoKeys"]


@dataclass(frozen=True, slots=True)
class DemoKeys:
    """`start` brings it up; the stack ends it."""

    server: KeyDistributionServer
    _offer: EncryptionOffer

    @classmethod
    async def start(cls, folder: Path, stack: AsyncExitStack) -> DemoKeys:
        path, now = folder / "kds", time.time_ns() // 1_000_000
        make_folder(
            path, kds=OURS.kds_selector, vendor=OUR_VENDOR, name="demo", passphrase=None, now=now, rng=os.urandom
        )
        keys = open_folder(path, None)
        server = KeyDistributionServer(
            str(folder / "kds.db"), keys.authority, anchors_signer=keys.anchors, federation=keys.federation
        )
        await server.start()
        stack.push_async_callback(server.close)
        offer = EncryptionOffer(
            server.url,
            server.kds,
            server.anchors_uri,
            server.anchors.generation,
            server.anchors_signer,
            key_from_file(path / "acs.key", None),
        )
        return cls(server, offer)

    async def account(self, number: str, participant_spki: bytes) -> KdsAccount:
        """What the configuration server would say to this phone."""
        said = self._offer.services_for(ids.number(number), participant_spki, time.time_ns() // 1_000_000)
        return KdsAccount(
            said.kds_uri, said.identity_proof, said.anchors_uri, said.anchors_generation, said.anchors_signer
        )
