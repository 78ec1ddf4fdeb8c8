"""`claim` of bench_rcc16: claims of key packages a second over HTTP, by 64 claimers at once, and none handed out twice.

The server runs in a process of its own, as `letterlock kds run` does, with its database on disk; a claim is answered when
it is committed there. The claimers share one process and have a connection each; their requests are signed beforehand, so
that the server is what is measured. Each claim verifies a signature, remembers a nonce, takes a package out of the
tables and remembers that it is out. Rates are out of the way.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import tempfile
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from letterlock.codec import kds as codec
from letterlock.codec.kds_signature import (
    HEADER,
    NONCE_BYTES,
    RequestSignature,
    SignerKind,
    encode_signature,
    signed_text,
)
from letterlock.ids import Number
from letterlock.mls.client import Client
from letterlock.mls.key_packages import LAST_RESORT_EXTENSION, make_key_package
from letterlock.mls.wire.credential import Credential
from letterlock.rcc16.choices import OURS
from letterlock.rcc16.credentials.proof import issue_proof
from letterlock.rcc16.policy import capabilities
from letterlock.services.buckets import Rate
from letterlock.services.kds import KdsLimits, KeyDistributionServer
from letterlock.services.kds.folder import OUR_VENDOR, make_folder, open_folder
from letterlock.services.signer import key_from_file
from letterlock.transport.kds import KdsClient, KdsSigner
from processes import Answer, serve, start, tell
from rcc16.certificates import DAY, SUITE, KeyPair, Lab, key_pair, lab_policy
from report import Row, row

__all__ = ["claim"]

CLAIMERS = 64
_POOL = 40
_PACKAGE_SECONDS = int(75.5 * 86_400) - 1_800
_PATH = "/mls/v1/keypackages/claim"
_PLENTY = Rate(10_000_000, 1000)
_LIMITS = KdsLimits(
    address=_PLENTY, calls=_PLENTY, certificates=_PLENTY, uploads=_PLENTY, claims=_PLENTY, claims_of_one=_PLENTY,
    claims_of_one_a_day=_PLENTY,
    last_resort=_PLENTY, max_in_flight_by_address=512,
)  # fmt: skip


async def claim(database: str, suffix: str, *, claims: int) -> list[Row]:
    """Claims a second on this database (empty: a file of SQLite), and how many packages came twice."""
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="letterlock-kds-")))
        make_folder(
            folder / "kds", kds=2, vendor=OUR_VENDOR, name="bench", passphrase=None,
            now=time.time_ns() // 1_000_000, rng=os.urandom,
        )  # fmt: skip
        child = await start(stack, __file__, str(folder / "kds"), database or str(folder / "kds.db"))
        people = _People(child.hello["url"], folder / "kds")
        # Few pools, so that many claimers meet at each: more than in life, where nobody is claimed so often.
        targets = -(-claims // _POOL)
        tell(f"{targets} pools of {_POOL} packages at {child.hello['database']}")
        numbers = [await people.published(n) for n in range(targets)]
        claimers = [await people.enrolled(10_000 + n) for n in range(CLAIMERS)]
        wanted = [numbers[n % targets] for n in range(targets * _POOL)]
        requests: list[list[bytes]] = [[] for _ in claimers]
        for n, number in enumerate(wanted):
            requests[n % CLAIMERS].append(people.request(*claimers[n % CLAIMERS], number))
        connections = [await asyncio.open_connection("127.0.0.1", people.port) for _ in claimers]
        began = time.perf_counter()
        answers = await asyncio.gather(
            *(_ask(*connection, mine) for connection, mine in zip(connections, requests, strict=True))
        )
        seconds = time.perf_counter() - began
        for _, writer in connections:
            writer.close()
    given = Counter(package for mine in answers for package in mine)
    twice = sum(count - 1 for count in given.values())
    if len(given) + twice != len(wanted):
        raise RuntimeError(f"{len(wanted)} claims brought {len(given)} packages")
    return [
        row(f"claim{suffix}", len(wanted), len(wanted) / seconds, "1/s"),
        row(f"claim_twice{suffix}", len(wanted), twice, "n"),
    ]


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, requests: list[bytes]) -> list[str]:
    """One claimer: the next request when the last is answered. What it was handed."""
    got = []
    for request in requests:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        body = await reader.readexactly(length)
        if b" 200 " not in head.split(b"\r\n", 1)[0]:
            raise RuntimeError(f"a claim was refused: {body[:200]!r}")
        found: dict[str, Any] = json.loads(body)
        if found["is_last_resort"]:
            raise RuntimeError("a package of last resort, with others left")
        got.append(found["key_package"])
    return got


class _People:
    """Those who enrol, publish and claim."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.port = url, int(url.rpartition(":")[2])
        self._acs = key_from_file(folder / "acs.key", None)
        self._lab = Lab("bench", time.time_ns() // 1_000_000, vendor_id=OUR_VENDOR)

    async def enrolled(self, n: int) -> tuple[Number, KeyPair]:
        number, leaf, _ = await self._enrolled(n)
        return number, leaf

    async def published(self, n: int) -> Number:
        number, leaf, chain = await self._enrolled(n)
        client = Client(
            suite=SUITE,
            credential=Credential.x509(chain),
            signature_key=leaf.public,
            sign=leaf.sign,
            capabilities=capabilities(OURS.revision),
            authentication=self._lab.authentication(),
            policy=lab_policy(),
        )
        now = time.time_ns() // 1_000_000
        packages = tuple(
            make_key_package(
                client, now, os.urandom, lifetime_seconds=_PACKAGE_SECONDS - 3_600,
                last_resort=LAST_RESORT_EXTENSION if last else None,
            ).message
            for last in (*[False] * _POOL, True)
        )  # fmt: skip
        async with self._client(KdsSigner(number, leaf.public, leaf.sign)) as kds:
            await kds.upload(packages)
        return number

    def request(self, claimer: Number, leaf: KeyPair, target: Number) -> bytes:
        """One claim, as bytes."""
        body = codec.encode(codec.ClaimRequest(target))
        now = time.time_ns() // 1_000_000
        unsigned = RequestSignature(SignerKind.DEVICE, claimer, leaf.public, 0, now, os.urandom(NONCE_BYTES))
        signed = replace(unsigned, signature=leaf.sign(signed_text("POST", _PATH, body, unsigned)))
        head = (
            f"POST {_PATH} HTTP/1.1\r\nHost: kds\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n{HEADER}: {encode_signature(signed)}\r\n\r\n"
        )
        return head.encode() + body

    async def _enrolled(self, n: int) -> tuple[Number, KeyPair, tuple[bytes, ...]]:
        number = Number(f"+155{n:08d}")
        participant, leaf = key_pair(f"participant {number}"), key_pair(f"leaf {number}")
        now = time.time_ns() // 1_000_000
        proof = issue_proof(number, participant.spki, "2", (now + 92 * DAY) // 1000, self._acs.sign)
        request = self._lab.request(number, participant=participant, leaf=leaf, proof=proof, now=now)
        async with self._client() as kds:
            return number, leaf, await kds.enrol(request)

    def _client(self, signer: KdsSigner | None = None) -> KdsClient:
        return KdsClient(self.url, rng=os.urandom, now=lambda: time.time_ns() // 1_000_000, signer=signer)


# --- the server ------------------------------------------------------------------------------------------------
async def _serve(folder: str, database: str) -> None:
    keys = open_folder(Path(folder), None)
    server = KeyDistributionServer(
        database, keys.authority, anchors_signer=keys.anchors, federation=keys.federation, limits=_LIMITS
    )
    await server.start()

    async def nothing(command: list[str]) -> Answer:
        return {}

    try:
        kind = "PostgreSQL" if database.startswith("postgresql") else "SQLite"
        await serve({"url": server.url, "database": kind}, nothing)
    finally:
        await server.close()


if __name__ == "__main__":
    asyncio.run(_serve(*sys.argv[1:]))
