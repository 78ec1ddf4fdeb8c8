"""Bytes that no client of ours sends: the directory answers with its documented errors, and goes on (SR-08, SR-09)."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import random
import zlib
from pathlib import Path

import aiohttp
import pytest

from letterlock.services.directory import DirectoryLimits, Rate
from letterlock.trust.requests import HEADER
from services.towns import Town
from trust.people import Owner

pytestmark = pytest.mark.anyio
PLENTY = Rate(1_000_000, 1000)
LIMITS = DirectoryLimits(
    address=PLENTY, claims_by_address=PLENTY, codes_by_number=PLENTY,
    codes_by_number_and_address=PLENTY, calls=PLENTY, lookups=PLENTY, bundles=PLENTY,
    bundles_of_one_device=PLENTY, list_uploads=PLENTY, prekey_uploads=PLENTY, body_timeout_s=0.2,
)  # fmt: skip
ROUTES = [
    ("POST", "/v1/claims"),
    ("POST", "/v1/accounts"),
    ("PUT", "/v1/lists"),
    ("POST", "/v1/lists/query"),
    ("PUT", "/v1/prekeys"),
    ("POST", "/v1/bundles"),
    ("GET", "/v1/alerts"),
]


def bodies(seed: int) -> list[bytes]:
    source = random.Random(seed)
    good = [
        {"number": "+15550100", "key_hash": "A" * 43 + "="},
        {"code": "12345678", "list": "AAAA"},
        {"list": "AAAA"},
        {"number": "+15550100", "since": 0},
        {"upload": "AAAA"},
        {"number": "+15550100", "account": "AAAA", "device": 1},
    ]
    odd: list[object] = [
        None,
        True,
        -1,
        2**64,
        1.5,
        "",
        "\u0000",
        "+1",
        "x" * 5000,
        [],
        {},
        [[]],
        "12345678\n",
        "١٢٣٤٥٦٧٨",
    ]
    made = [b"", b"null", b"[]", b"{", b"\xff\xfe", b"[" * 60_000, b'{"a":' * 10_000, b'{"number": "\\ud800"}']
    for body in good:
        made.append(json.dumps(body).encode())
        for key in body:
            made += [json.dumps({**body, key: value}).encode() for value in odd]
            made.append(json.dumps({k: v for k, v in body.items() if k != key}).encode())
        made.append(json.dumps({**body, "more": 1}).encode())
        raw = bytearray(json.dumps(body).encode())
        for _ in range(10):
            raw[source.randrange(len(raw))] = source.randrange(256)
            made.append(bytes(raw))
    return made


async def check(town: Town, response: aiohttp.ClientResponse) -> int:
    """A documented answer: one JSON shape, no 500, nothing of the machine in it."""
    text = await response.text()
    assert response.status < 500, (response.status, text)
    if response.status >= 400:
        error = json.loads(text)
        assert set(error) == {"code", "message", "hint"} and error["code"] and error["message"]
        assert "Traceback" not in text and str(Path(town.path).parent) not in text
    return response.status


async def test_any_signed_body_gets_a_documented_answer_sr09(tmp_path: Path) -> None:
    ana = Owner.make("+15550100")
    async with Town.open(tmp_path, LIMITS) as town, aiohttp.ClientSession() as session:
        await town.register(ana, prekeys=1)
        seen = set()
        for seed, (method, path) in enumerate(ROUTES):
            for body in bodies(seed):
                header = ana.signer().sign(method, path, body, town.clock(), town.rng)
                async with session.request(
                    method, town.directory.url + path, data=body, headers={HEADER: header}
                ) as got:
                    seen.add(await check(town, got))
        assert {200, 202, 400, 404, 422} <= seen
        assert await town.client(ana).lists(ana.number) == (ana.list.encoded,)


async def test_any_signature_header_gets_a_documented_answer_sr09(tmp_path: Path) -> None:
    ana = Owner.make("+15550100")
    source = random.Random(1)
    async with Town.open(tmp_path, LIMITS) as town, aiohttp.ClientSession() as session:
        await town.register(ana)
        good = ana.signer().sign("GET", "/v1/alerts", b"", town.clock(), town.rng)
        headers = ["", "x", "é", "A" * 257, good + "A", good[:-4], good.replace("A", "*")]
        headers += [good[:i] + source.choice("ABCabc019-_") + good[i + 1 :] for i in range(len(good))]
        for header in headers:
            async with session.get(town.directory.url + "/v1/alerts", headers={HEADER: header}) as got:
                assert await check(town, got) in ((200, 400, 401) if header == good else (400, 401))


async def test_wrong_routes_and_methods_are_refused_in_one_shape(tmp_path: Path) -> None:
    async with Town.open(tmp_path) as town, aiohttp.ClientSession() as session:
        for method, path, status in (
            ("GET", "/", 404),
            ("GET", "/v1/claims", 405),
            ("DELETE", "/v1/lists", 405),
            ("GET", "/../etc", 404),
        ):
            async with session.request(method, town.directory.url + path) as got:
                assert await check(town, got) == status


async def raw(town: Town, data: bytes, *, then: float = 2.0) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", town.directory.port)
    try:
        writer.write(data)
        await writer.drain()
        return await asyncio.wait_for(reader.read(65_536), then)
    finally:
        writer.close()


async def test_sizes_are_bounded_before_they_are_read_sr08(tmp_path: Path) -> None:
    ana = Owner.make("+15550100")
    async with Town.open(tmp_path, LIMITS) as town:
        await town.register(ana)
        header = ana.signer().sign("PUT", "/v1/lists", b"", town.clock(), town.rng)
        head = f"PUT /v1/lists HTTP/1.1\r\nHost: x\r\n{HEADER}: {header}\r\n".encode()
        assert b" 413 " in await raw(town, head + b"Content-Length: 10000000000\r\n\r\n")
        chunk = b"1000\r\n" + b"x" * 4096 + b"\r\n"
        assert b" 413 " in await raw(town, head + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 17)
        assert b" 400 " in await raw(town, b"GET /" + b"x" * 10_000 + b" HTTP/1.1\r\n\r\n")
        assert b" 400 " in await raw(town, b"GET / HTTP/1.1\r\nA: " + b"x" * 20_000 + b"\r\n\r\n")
        assert await town.client(ana).alerts() == ()


async def test_a_compressed_body_is_not_inflated_sr08(tmp_path: Path) -> None:
    """What is signed is the body as sent; nobody makes us unpack sixty megabytes from sixty kilobytes."""
    body = zlib.compress(bodies(0)[8])
    head = f"POST /v1/claims HTTP/1.1\r\nHost: x\r\nContent-Encoding: deflate\r\nContent-Length: {len(body)}\r\n\r\n"
    async with Town.open(tmp_path, LIMITS) as town:
        assert b" 400 " in await raw(town, head.encode() + body)


async def test_a_body_that_does_not_come_is_not_waited_for_sr08(tmp_path: Path) -> None:
    ana = Owner.make("+15550100")
    async with Town.open(tmp_path, LIMITS) as town:
        await town.register(ana)
        header = ana.signer().sign("PUT", "/v1/lists", b"", town.clock(), town.rng)
        head = f"PUT /v1/lists HTTP/1.1\r\nHost: x\r\n{HEADER}: {header}\r\nContent-Length: 100\r\n\r\nslow".encode()
        assert b" 408 " in await raw(town, head)


async def test_one_address_cannot_hold_every_place_sr17(tmp_path: Path) -> None:
    """Bodies that do not come, more than there are places: somebody else is served all the same."""
    limits = dataclasses.replace(LIMITS, max_in_flight=8, max_in_flight_by_address=4, body_timeout_s=5.0)
    head = b"POST /v1/claims HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nslow"
    async with Town.open(tmp_path, limits) as town, contextlib.AsyncExitStack() as stack:
        for _ in range(12):
            _, writer = await asyncio.open_connection("127.0.0.1", town.directory.port)
            stack.callback(writer.close)
            writer.write(head)
        async with asyncio.timeout(4):
            while town.directory._guard._in_flight.total() < 4:
                await asyncio.sleep(0.01)
        for address, status in (("127.0.0.1", 503), ("127.0.0.2", 200)):
            async with (
                aiohttp.ClientSession(connector=aiohttp.TCPConnector(local_addr=(address, 0))) as session,
                session.get(town.directory.url + "/v1/health") as got,
            ):
                assert got.status == status


async def test_a_broken_chunk_is_no_bug_of_the_directory(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ana = Owner.make("+15550100")
    async with Town.open(tmp_path, LIMITS) as town:
        header = ana.signer().sign("PUT", "/v1/lists", b"", town.clock(), town.rng)
        head = f"PUT /v1/lists HTTP/1.1\r\nHost: x\r\n{HEADER}: {header}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
        assert b" 400 " in await raw(town, head + b"zz\r\nbody")
        assert "bug in the directory" not in caplog.text


async def test_more_requests_than_it_can_hold_are_turned_away_sr17(tmp_path: Path) -> None:
    async with (
        Town.open(tmp_path, DirectoryLimits(max_in_flight=0)) as town,
        aiohttp.ClientSession() as session,
        session.get(town.directory.url + "/v1/health") as got,
    ):
        assert got.status == 503 and (await got.json())["code"] == "directory.busy"
