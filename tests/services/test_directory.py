"""The directory from outside: real HTTP on loopback, real SQLite, the real client."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from letterlock.codec.prekeys import decode_bundle, encode_upload
from letterlock.errors import DirectoryError
from letterlock.services.directory import DirectoryLimits, Rate
from services.towns import Town
from trust.people import NOW, Owner

pytestmark = pytest.mark.anyio
ANA, BEN = "+15550100", "+15550101"


async def test_claim_look_up_and_bundle(tmp_path: Path) -> None:
    ana, ben = Owner.make(ANA), Owner.make(BEN)
    async with Town.open(tmp_path) as town:
        await town.register(ana, prekeys=2)
        client = await town.register(ben)
        assert await client.lists(ana.number) == (ana.list.encoded,)
        assert await client.lists("+15550199") == ()  # type: ignore[arg-type]
        data = await client.bundle(ana.number, ana.account, ana.primary.id)
        assert data is not None
        bundle = decode_bundle(data)
        assert bundle.identity_key == ana.primary.identity_key
        assert bundle.one_time is not None and not bundle.kem_is_last_resort
