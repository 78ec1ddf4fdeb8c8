"""Uploads that take the place of the one-time keys that wait (SR-13)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from letterlock import ids
from letterlock.codec.prekeys import PreKeyBundle, decode_bundle, encode_upload
from letterlock.ids import DeviceId
from letterlock.services.directory import DirectoryLimits
from letterlock.transport.directory import DirectoryClient, PrekeyCounts
from services.towns import Town
from trust.people import Owner

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("both_databases")]

ANA, BEN = ids.number("+15550100"), ids.number("+15550101")


async def bundle_of(client: DirectoryClient, owner: Owner) -> PreKeyBundle:
    data = await client.bundle(owner.number, owner.account, DeviceId(1))
    assert data is not None
    return decode_bundle(data)


async def test_an_upload_that_replaces_leaves_no_older_key_sr13(tmp_path: Path) -> None:
    """SR-13: the owner has forgotten the older ones; said again it takes nothing away and brings nothing back."""
    ana, ben = Owner.make(ANA), Owner.make(BEN)
    older = encode_upload(ana.primary.prekeys(1, 3))
    replacing = replace(ana.primary.prekeys(100, 2), replaces=True)
    async with Town.open(tmp_path, DirectoryLimits(max_one_time=4)) as town:
        owner = await town.register(ana)
        await owner.upload_prekeys(older)
        client = await town.register(ben)
        assert await owner.upload_prekeys(encode_upload(replacing)) == PrekeyCounts(2, 2)
        assert (await bundle_of(client, ana)).one_time == replacing.one_time[0]
        assert await owner.upload_prekeys(encode_upload(replacing)) == PrekeyCounts(1, 1)
        assert await owner.upload_prekeys(older) == PrekeyCounts(1, 1)
        last = await bundle_of(client, ana)
        assert (last.one_time, last.kem) == (replacing.one_time[1], replacing.one_time_kem[1])
