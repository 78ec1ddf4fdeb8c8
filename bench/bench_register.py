"""Registrations per second and memory per registered client of the embedded carrier. `./run bench register [--json]`.

The carrier runs in a process of its own, as `letterlock carrier` does; this process is the clients. `register` counts
whole registrations: a REGISTER that is challenged, and one with the Digest answer (SHA-256). `register_refresh` is what
a client does every hour: one REGISTER with the nonce that it has. Both go over a few connections, so that the carrier
is what is measured. `register_memory` is the growth of the carrier's resident memory for each client of ten thousand
behind those connections, as a gateway has them; `register_memory_tcp` the same for clients that each have a TCP
connection of their own, which is mostly the connection's. `bench_rcs` calls `measure`. The machine should be idle.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import functools
import gc
import hashlib
import json
import os
import re
import statistics
import sys
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

from letterlock.carrier import Accounts, Carrier, Settings
from report import Row, row, show

DOMAIN = "rcs.example.test"
PASSWORD = "benchmark"
CONNECTIONS = 8
WINDOW = 16
_NONCE = re.compile(rb'nonce="([^"]+)", algorithm=SHA-256|nonce="([^"]+)"')
_CALL = re.compile(rb"\r\nCall-ID: (\d+)")
_TAGS = (
    '+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.msg,urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.session"'
    ";+g.gsma.rcs.cpm.pager-large;+g.oma.sip-im"
)


async def measure(*, clients: int = 10_000, connected: int = 2_000, runs: int = 3) -> list[Row]:
    """The four rows; each rate is the median of several runs, each of them with a carrier of its own."""
    rates: dict[str, list[float]] = {"register": [], "register_refresh": []}
    sizes: dict[str, list[float]] = {"register_memory": [], "register_memory_tcp": []}
    for _ in range(runs):
        async with _carrier() as carrier, _gateways(carrier.port, clients) as gateways:
            before = await carrier.resident()
            rates["register"].append(clients / await _timed(gateways, fresh=True))
            sizes["register_memory"].append((await carrier.resident() - before) / clients)
            rates["register_refresh"].append(clients / await _timed(gateways, fresh=False))
        async with _carrier() as carrier:
            before = await carrier.resident()
            async with _gateways(carrier.port, connected, connections=connected) as phones:
                await _timed(phones, fresh=True)
                sizes["register_memory_tcp"].append((await carrier.resident() - before) / connected)
    counts = {"register_memory_tcp": connected}
    return [
        *(row(op, clients * runs, statistics.median(values), "1/s") for op, values in rates.items()),
        *(row(op, counts.get(op, clients), statistics.median(values), "B") for op, values in sizes.items()),
    ]


async def _timed(gateways: list[_Gateway], *, fresh: bool) -> float:
    began = time.perf_counter()
    # In slices, so that no more answers are awaited at once than there would be in life.
    for at in range(0, len(gateways), 64):
        await asyncio.gather(*(gateway.register_all(fresh=fresh) for gateway in gateways[at : at + 64]))
    return time.perf_counter() - began


# --- the clients -----------------------------------------------------------------------------------------
class _Gateway(asyncio.Protocol):
    """One connection and the numbers behind it. It knows as much SIP as it takes, so as not to be what is measured."""

    def __init__(self, numbers: list[int]) -> None:
        self._numbers = numbers
        self._todo = iter(numbers)
        self._open = 0
        self._serial = 0
        self._nonce = b""
        self._count = 0
        self._pending = b""
        self._done = asyncio.Event()
        self._transport: asyncio.Transport | None = None

    async def register_all(self, *, fresh: bool) -> None:
        """Each number once: with a challenge first, or with the nonce of the last one."""
        self._todo, self._open = iter(self._numbers), 0
        self._done.clear()
        for _ in range(WINDOW):
            self._next(fresh=fresh)
        async with asyncio.timeout(300):
            await self._done.wait()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        *heads, self._pending = (self._pending + data).split(b"\r\n\r\n")
        for head in heads:
            call = _CALL.search(head)
            assert call is not None
            number = int(call[1])
            if head.startswith(b"SIP/2.0 401"):
                found = _NONCE.search(head)
                assert found is not None
                self._nonce, self._count = found[1] or found[2], 0
                self._send(number, signed=True)
            elif head.startswith(b"SIP/2.0 200"):
                self._open -= 1
                self._next(fresh=self._fresh)
            else:
                raise RuntimeError(head.partition(b"\r\n")[0].decode())

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _next(self, *, fresh: bool) -> None:
        self._fresh = fresh
        number = next(self._todo, None)
        if number is not None:
            self._open += 1
            self._send(number, signed=not fresh)
        elif self._open == 0:
            self._done.set()

    def _send(self, number: int, *, signed: bool) -> None:
        self._serial += 1
        user, uri = f"+1{number}", f"sip:{DOMAIN}"
        instance = uuid.uuid5(uuid.NAMESPACE_OID, user)
        authorization = f"Authorization: {self._credentials(user, uri)}\r\n" if signed else ""
        assert self._transport is not None
        self._transport.write(
            (
                f"REGISTER {uri} SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:5060;branch=z9hG4bK{self._serial}x{number};rport\r\n"
                f"Max-Forwards: 70\r\nFrom: <sip:{user}@{DOMAIN}>;tag={number}\r\nTo: <sip:{user}@{DOMAIN}>\r\n"
                f"Call-ID: {number}\r\nCSeq: {self._serial} REGISTER\r\n"
                f'Contact: <sip:{user}@127.0.0.1:5060;transport=tcp>;+sip.instance="<urn:uuid:{instance}>";{_TAGS}\r\n'
                f"Expires: 3600\r\nSupported: path, gruu\r\n{authorization}Content-Length: 0\r\n\r\n"
            ).encode()
        )

    def _credentials(self, user: str, uri: str) -> str:
        self._count += 1
        nonce, count = self._nonce.decode(), f"{self._count:08x}"
        first = hashlib.sha256(f"{user}:{DOMAIN}:{PASSWORD}".encode()).hexdigest()
        second = hashlib.sha256(f"REGISTER:{uri}".encode()).hexdigest()
        proof = hashlib.sha256(f"{first}:{nonce}:{count}:c:auth:{second}".encode()).hexdigest()
        return (
            f'Digest username="{user}", realm="{DOMAIN}", nonce="{nonce}", uri="{uri}", response="{proof}", '
            f'algorithm=SHA-256, cnonce="c", qop=auth, nc={count}'
        )


@contextlib.asynccontextmanager
async def _gateways(port: int, clients: int, *, connections: int = CONNECTIONS) -> AsyncIterator[list[_Gateway]]:
    gateways: list[_Gateway] = []
    try:
        for index in range(connections):
            numbers = [5_550_000_000 + at for at in range(index, clients, connections)]
            made = functools.partial(_Gateway, numbers)
            _, gateway = await asyncio.get_running_loop().create_connection(made, "127.0.0.1", port)
            gateways.append(gateway)
        yield gateways
    finally:
        for gateway in gateways:
            gateway.close()


# --- the carrier, in a process of its own -------------------------------------------------------------------
class _Running:
    """The parent's end of it."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self._process = process
        self.port = port

    async def resident(self) -> int:
        """Bytes of memory that the carrier's process has now."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"resident\n")
        return int((await _answer(self._process))["resident"])


@contextlib.asynccontextmanager
async def _carrier() -> AsyncIterator[_Running]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, __file__, "--carrier", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield _Running(process, (await _answer(process))["port"])
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(15):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


async def _answer(process: asyncio.subprocess.Process) -> dict[str, int]:
    assert process.stdout is not None
    line = await process.stdout.readline()
    if not line:
        raise RuntimeError("the carrier ended early")
    answer: dict[str, int] = json.loads(line)
    return answer


async def _serve() -> None:
    """Answers each line on stdin with the size of this process, until stdin ends."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    settings = Settings(domain=DOMAIN, max_numbers=1_000_000, max_connections=100_000)
    async with Carrier("127.0.0.1", 0, Accounts.lab(PASSWORD), settings=settings) as carrier:
        print(json.dumps({"port": carrier.port}), flush=True)
        while await reader.readline():
            print(json.dumps({"resident": _resident()}), flush=True)


def _resident() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    parser = argparse.ArgumentParser(description="registrations per second, and memory per client, of the carrier")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--clients", type=int, default=10_000, help="numbers behind a few connections")
    parser.add_argument("--connected", type=int, default=2_000, help="numbers that have a connection each")
    parser.add_argument("--carrier", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.carrier:
        asyncio.run(_serve())
        return
    rows = asyncio.run(measure(clients=options.clients, connected=options.connected, runs=options.runs))
    show("register", rows, as_json=options.json)


if __name__ == "__main__":
    main()
