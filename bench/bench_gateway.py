"""What a gateway costs: frames through it beside the same over the native transport, latency, memory per client.

`./run bench gateway [--json]`. The embedded carrier and the gateway run in a process each; this process is the clients,
with the transports that a client has, and nothing above them. A frame is 700 random bytes in pager mode. The ops take
turns with the same over the native transport, in one run; medians of several runs. A ratio of 1 is a gateway for nothing.

* `down`: frames per second that a native client sends and a client of the gateway has; each in the inbox, on the disk,
  before the carrier gets its 200, and acknowledged. Peer: the same to a native client.
* `up`: frames per second that a client of the gateway has had answered; each answer on the disk before it is told.
* `down_p50`, `down_p99`, `up_p50`, `up_p99`: one at a time, in microseconds: until it is there, until it is answered.
* `memory_registered`: growth of the gateway's resident memory for each account that it has registered, without a link:
  most of it the transport of `transport.rcs`. `memory_link`: what an idle link adds. `memory_linked`: both.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import resource
import statistics
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

import aiohttp

from gateway_process import PASSWORD
from letterlock.carriage import Inbound, Outbound
from letterlock.codec.frame import MEDIA_TYPE
from letterlock.codec.gateway import Hello, encode
from letterlock.ids import MessageId, Number, conversation_of
from letterlock.services.gateway import CarrierProfile
from letterlock.transport.gateway.config import SUBPROTOCOL, GatewayConfig, GatewaySettings
from letterlock.transport.gateway.connection import GatewayHttp
from letterlock.transport.gateway.transport import GatewayTransport
from letterlock.transport.rcs.transport import RcsTransport
from processes import Child, run, start, tell
from report import Row, row, show

SCRIPT = str(Path(__file__).with_name("gateway_process.py"))
SENDER, NATIVE, LINKED = Number("+15550101"), Number("+15550102"), Number("+15550103")
WINDOW = 64
SIZE = 700

Transport = RcsTransport | GatewayTransport


class Receiver:
    """What has arrived, and when."""

    def __init__(self) -> None:
        self.at: dict[str, float] = {}
        self._more = asyncio.Event()

    async def take(self, inbound: Inbound) -> None:
        self.at[inbound.message_id] = time.perf_counter()
        self._more.set()

    async def has(self, ids: list[str]) -> float:
        """When the last of them was there."""
        async with asyncio.timeout(120):
            while not all(each in self.at for each in ids):
                self._more.clear()
                await self._more.wait()
        return max(self.at[each] for each in ids)


def frame(sender: Number, to: Number) -> Outbound:
    return Outbound(
        to, MessageId(str(uuid.uuid4())), conversation_of(sender, to), MEDIA_TYPE, os.urandom(SIZE), large=False
    )


async def rate(sender: Transport, me: Number, to: Number, receiver: Receiver, count: int) -> tuple[float, float]:
    """(answered, received) frames per second."""
    frames = [frame(me, to) for _ in range(count)]
    left = iter(frames)

    async def worker() -> None:
        for each in left:
            if not (await sender.send(each)).accepted:
                raise RuntimeError("a frame was not accepted")

    began = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(WINDOW)))
    answered = time.perf_counter() - began
    received = await receiver.has([each.message_id for each in frames]) - began
    return count / answered, count / received


async def latency(
    sender: Transport, me: Number, to: Number, receiver: Receiver, count: int
) -> tuple[list[float], list[float]]:
    """Microseconds until each was answered, and until it was there."""
    answered, there = [], []
    for _ in range(count):
        each = frame(me, to)
        began = time.perf_counter()
        await sender.send(each)
        answered.append((time.perf_counter() - began) * 1e6)
        there.append((await receiver.has([each.message_id]) - began) * 1e6)
    return answered, there


async def flow(runs: int, count: int, single: int) -> list[Row]:
    """Frames per second and latency, in both directions."""
    found: dict[str, list[float]] = {}
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="letterlock-bench-")))
        carrier, gateway = await processes(stack, folder)
        receivers = {number: Receiver() for number in (SENDER, NATIVE, LINKED)}
        sender = await native(stack, carrier, SENDER, receivers[SENDER])
        direct = await native(stack, carrier, NATIVE, receivers[NATIVE])
        linked = GatewayTransport(config(gateway, LINKED), receivers[LINKED].take)
        await linked.start()
        stack.push_async_callback(linked.close)
        async with asyncio.timeout(20):
            await linked.registered()
        for at in range(runs):
            tell(f"frames: run {at + 1} of {runs}")
            for name, to in (("down", LINKED), ("down peer", NATIVE)):
                found.setdefault(name, []).append((await rate(sender, SENDER, to, receivers[to], count))[1])
            for name, me, transport in (("up", LINKED, linked), ("up peer", NATIVE, direct)):
                found.setdefault(name, []).append((await rate(transport, me, SENDER, receivers[SENDER], count))[0])
        tell("one at a time")
        for name, me, to, transport in (
            ("down", SENDER, LINKED, sender),
            ("down peer", SENDER, NATIVE, sender),
            ("up", LINKED, SENDER, linked),
            ("up peer", NATIVE, SENDER, direct),
        ):
            answered, there = await latency(transport, me, to, receivers[to], single)
            times = sorted(there if name.startswith("down") else answered)
            kind, _, peer = name.partition(" ")
            for part in (50, 99):
                found[f"{kind}_p{part} {peer}".strip()] = [times[min(len(times) - 1, len(times) * part // 100)]]
    middle = {name: statistics.median(values) for name, values in found.items()}
    rows = [
        row(op, count * runs, middle[op], "1/s", peer=middle[f"{op} peer"], peer_name="native", more_is_better=True)
        for op in ("down", "up")
    ]
    for op in ("down_p50", "down_p99", "up_p50", "up_p99"):
        rows.append(row(op, single, middle[op], "us", peer=middle[f"{op} peer"], peer_name="native"))
    return rows


async def memory(clients: int) -> list[Row]:
    """Bytes of the gateway for each of its clients."""
    configs: list[GatewayConfig] = []
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="letterlock-bench-")))
        carrier = await start(stack, SCRIPT, "carrier")
        async with contextlib.AsyncExitStack() as first:
            gateway = await start_gateway(first, folder, carrier)
            tell(f"memory: {clients} devices are enrolled")
            configs = [config(gateway, Number(f"+1556{at:07d}")) for at in range(clients)]
            await in_slices([enrol(each) for each in configs])
            async with contextlib.AsyncExitStack() as links:
                await link_all(links, configs)
        async with contextlib.AsyncExitStack() as second:
            gateway = await start_gateway(second, folder, carrier)
            empty = (await gateway.ask("state"))["resident"]
            await until(gateway, "registered", clients)
            registered = (await gateway.ask("state"))["resident"]
            port = gateway.hello["port"]
            moved = [GatewayConfig(f"http://127.0.0.1:{port}", *rest(each)) for each in configs]
            async with contextlib.AsyncExitStack() as links:
                await link_all(links, moved)
                await until(gateway, "linked", clients)
                linked = (await gateway.ask("state"))["resident"]
    return [
        row("memory_registered", clients, (registered - empty) / clients, "B"),
        row("memory_link", clients, (linked - registered) / clients, "B"),
        row("memory_linked", clients, (linked - empty) / clients, "B"),
    ]


# --- the parts -----------------------------------------------------------------------------------------------
async def processes(stack: contextlib.AsyncExitStack, folder: Path) -> tuple[Child, Child]:
    carrier = await start(stack, SCRIPT, "carrier")
    return carrier, await start_gateway(stack, folder, carrier)


async def start_gateway(stack: contextlib.AsyncExitStack, folder: Path, carrier: Child) -> Child:
    given: dict[str, Any] = {
        "database": str(folder / "gateway.db"),
        "carrier": carrier.hello["port"],
        "domain": carrier.hello["domain"],
    }
    return await start(stack, SCRIPT, "gateway", json.dumps(given))


def config(gateway: Child, number: Number) -> GatewayConfig:
    instance = str(uuid.uuid5(uuid.NAMESPACE_OID, number))
    return GatewayConfig(
        f"http://127.0.0.1:{gateway.hello['port']}", number, instance, PASSWORD, "t" * 43, number, PASSWORD
    )


def rest(config: GatewayConfig) -> tuple[Number, str, str, str, str, str]:
    return config.number, config.instance, config.password, config.token, config.sip_username, config.sip_password


async def native(stack: contextlib.AsyncExitStack, carrier: Child, number: Number, receiver: Receiver) -> RcsTransport:
    profile = CarrierProfile("127.0.0.1", carrier.hello["port"], carrier.hello["domain"], tls=False)
    instance = str(uuid.uuid5(uuid.NAMESPACE_OID, number))
    transport = await stack.enter_async_context(
        RcsTransport(profile.config(number, instance, number, PASSWORD, ()), receiver.take)
    )
    async with asyncio.timeout(20):
        await transport.registered()
    return transport


async def enrol(config: GatewayConfig) -> None:
    http = GatewayHttp(config, GatewaySettings(), None)
    try:
        await http.enrol()
    finally:
        await http.close()


async def link_all(stack: contextlib.AsyncExitStack, configs: list[GatewayConfig]) -> None:
    """As many idle clients: each a WebSocket that has said hello."""
    session = await stack.enter_async_context(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
    kept: list[aiohttp.ClientWebSocketResponse] = []
    stack.callback(kept.clear)

    async def one(config: GatewayConfig) -> None:
        authorization = aiohttp.encode_basic_auth(f"{config.number}/{config.instance}", config.device_token)
        socket = await session.ws_connect(
            f"{config.url}/v1/link", protocols=(SUBPROTOCOL,), headers={"Authorization": authorization}
        )
        kept.append(socket)  # one that nobody has is closed
        await socket.send_bytes(encode(Hello(None, 0)))
        await socket.receive()

    await in_slices([one(each) for each in configs])


async def in_slices(work: list[Any]) -> None:
    for at in range(0, len(work), 32):
        await asyncio.gather(*work[at : at + 32])


async def until(gateway: Child, what: str, count: int) -> None:
    async with asyncio.timeout(120):
        while (await gateway.ask("state"))[what] < count:  # noqa: ASYNC110 - it is another process
            await asyncio.sleep(0.1)


async def measure(runs: int, count: int, single: int, clients: int) -> list[Row]:
    rows = await flow(runs, count, single)
    return rows + await memory(clients)


def main() -> None:
    parser = argparse.ArgumentParser(description="what a gateway costs")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--runs", type=int, default=5, help="of each; medians are shown")
    parser.add_argument("--count", type=int, default=2000, help="frames per run")
    parser.add_argument("--single", type=int, default=500, help="frames one at a time")
    parser.add_argument("--clients", type=int, default=1_000, help="whose memory is measured")
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    rows = run(measure(options.runs, options.count, options.single, options.clients))
    show("gateway", rows, as_json=options.json)
    sys.exit(0)


if __name__ == "__main__":
    main()
