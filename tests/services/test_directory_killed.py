"""SIGKILL between handing out a key and answering: the key is lost, never given twice (SR-06, SR-13)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import letterlock
from letterlock.codec.prekeys import PreKeyBundle, decode_bundle, encode_upload
from letterlock.errors import TransportError
from letterlock.transport.directory import DirectoryClient
from trust.people import NOW, Owner

pytestmark = pytest.mark.anyio
KEYS = 30


@contextlib.asynccontextmanager
async def directory(database: str, kill_at: int = 0) -> AsyncIterator[tuple[str, asyncio.subprocess.Process]]:
    script = Path(__file__).parent / "directory_process.py"
    env = {**os.environ, "PYTHONPATH": str(Path(letterlock.__file__).parents[1])}
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(script), database, str(kill_at), stdout=asyncio.subprocess.PIPE, env=env
    )
    assert process.stdout is not None
    try:
        yield (await process.stdout.readline()).decode().strip(), process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def client(url: str, owner: Owner) -> DirectoryClient:
    return DirectoryClient(url, rng=os.urandom, now=lambda: NOW, signer=owner.signer())


async def register(url: str, process: asyncio.subprocess.Process, owner: Owner) -> None:
    assert process.stdout is not None
    async with client(url, owner) as mine:
        await mine.begin_claim(owner.number, owner.spki)
        code = json.loads(await process.stdout.readline())["code"]
        await mine.claim(code, owner.list.encoded)


async def fetch(mine: DirectoryClient, owner: Owner) -> PreKeyBundle | None:
    try:
        data = await mine.bundle(owner.number, owner.account, owner.primary.id)
    except TransportError:
        return None
    assert data is not None
    return decode_bundle(data)


@pytest.mark.slow
@pytest.mark.parametrize("kill_at", [1, 4, 13, 25])
async def test_no_key_is_handed_out_twice_across_a_kill_sr13(database: str, kill_at: int) -> None:
    ana, ben = Owner.make("+15550100"), Owner.make("+15550101")
    async with directory(database, kill_at) as (url, process):
        await register(url, process, ana)
        await register(url, process, ben)
        async with client(url, ana) as owner:
            await owner.upload_prekeys(encode_upload(ana.primary.prekeys(1, KEYS)))
        async with client(url, ben) as mine:
            before = [b for b in await asyncio.gather(*(fetch(mine, ana) for _ in range(KEYS))) if b]
        assert await process.wait() == -signal.SIGKILL
        assert len(before) < kill_at
    after: list[PreKeyBundle] = []
    async with directory(database) as (url, _), client(url, ben) as mine:
        while not after or not after[-1].kem_is_last_resort:
            bundle = await fetch(mine, ana)
            assert bundle is not None
            after.append(bundle)
    kem = [b.kem.id for b in (*before, *after) if not b.kem_is_last_resort]
    one_time = [b.one_time.id for b in (*before, *after) if b.one_time]
    assert len(kem) == len(set(kem)) and len(one_time) == len(set(one_time))
    # The key whose answer died was handed out: it must be missing now.
    assert len(kem) < KEYS and len(one_time) < KEYS


@pytest.mark.slow
async def test_two_processes_hand_no_key_out_twice_sr13(postgresql_url: str) -> None:
    """What a file has by being one process's alone, PostgreSQL has by one writer at a time."""
    ana, ben = Owner.make("+15550100"), Owner.make("+15550101")
    async with directory(postgresql_url) as (url, process), directory(postgresql_url) as (other, _):
        await register(url, process, ana)
        await register(url, process, ben)
        async with client(url, ana) as owner:
            await owner.upload_prekeys(encode_upload(ana.primary.prekeys(1, KEYS)))
        async with client(url, ben) as one, client(other, ben) as two:
            asked = [fetch((one, two)[count % 2], ana) for count in range(2 * KEYS)]
            bundles = [bundle for bundle in await asyncio.gather(*asked) if bundle]
    assert len(bundles) == 2 * KEYS
    kem = [b.kem.id for b in bundles if not b.kem_is_last_resort]
    one_time = [b.one_time.id for b in bundles if b.one_time]
    assert len(kem) == len(set(kem)) == len(one_time) == len(set(one_time)) == KEYS
