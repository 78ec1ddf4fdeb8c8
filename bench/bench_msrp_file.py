"""A large file over MSRP beside a raw TCP socket: megabytes per second between two processes on loopback.

The product's own edge at both ends (`transport.MsrpConnection`): the sender reads a file, the receiver counts the bytes
and confirms, the clock stops when the success report is there. No TLS and no relay, as with the socket, and an open
connection, as a file in a session has it. In a first transfer, which is not timed, the receiver's SHA-256 has to be that of the file.

ops: `msrp_file`, chunks of 1 MiB, as between our own nodes; `msrp_file_16k`, of 16,384 bytes, which is what the transport
sends in a session without relays; `msrp_file_2k`, of 2,048 bytes, which is what it sends where a relay is on the way
(there is none here). `bench_rcs` takes `measure`; alone: `bench_msrp_file.py [--json] [--runs N] [--size BYTES]`.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import tempfile
import time
import uuid
from collections.abc import Collection
from pathlib import Path

import raw_socket
from letterlock.codec.msrp import MsrpUri
from letterlock.msrp import MessageStarted, Session, SessionTable, new_session_id
from letterlock.transport.msrp.bodies import MsrpRefusal, Sink
from letterlock.transport.msrp.connection import MsrpConnection
from letterlock.transport.msrp.listener import MsrpListener
from letterlock.transport.msrp.settings import MsrpSettings
from processes import Answer, run, serve, start, tell
from report import Row, row, show

SIZE = 100_000_000
CHUNKS = {"msrp_file": 1 << 20, "msrp_file_16k": 16_384, "msrp_file_2k": 2048}
OPS = tuple(CHUNKS)
TYPE = "application/octet-stream"


async def measure(*, runs: int, size: int = SIZE, ops: Collection[str] = OPS) -> list[Row]:
    """Medians; the ops and the socket by turns."""
    chunks = {op: chunk for op, chunk in CHUNKS.items() if op in ops}
    taken: dict[str, list[float]] = {op: [] for op in chunks}
    raws: list[float] = []
    async with contextlib.AsyncExitStack() as stack:
        path = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="letterlock-bench-"))) / "file"
        digest = fill(path, size)
        local = MsrpUri("msrp", "127.0.0.1", 9, new_session_id(os.urandom))
        receiver = await start(stack, __file__, "--receive", local.encode(), "--size", str(size))
        sender = await Sender.connect(local, receiver.hello)
        stack.push_async_callback(sender.connection.finish)
        for op, chunk in chunks.items():
            await receiver.ask("hash")
            await sender.send(path, size, chunk)
            if (await receiver.ask("count"))["digest"] != digest:
                raise RuntimeError(f"{op}: the file arrived changed")
        for at in range(runs):
            tell(f"msrp_file: run {at + 1} of {runs}")
            raws.append(await raw_socket.send(receiver.hello["raw"], path, size))
            for op, chunk in chunks.items():
                taken[op].append(await sender.send(path, size, chunk))
    peer = raw_socket.rate(raws, size)
    return [
        row(op, runs, raw_socket.rate(seconds, size), "MB/s", peer=peer, peer_name="raw socket", more_is_better=True)
        for op, seconds in taken.items()
    ]


def fill(path: Path, size: int) -> str:
    """A file of random bytes, and their SHA-256."""
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for at in range(0, size, 1 << 20):
            piece = os.urandom(min(size - at, 1 << 20))
            digest.update(piece)
            file.write(piece)
    return digest.hexdigest()


class Nobody:
    """Who is told what happens on a connection where nothing arrives."""

    def session_bound(self, connection: MsrpConnection, session: str) -> None: ...

    def session_failed(self, connection: MsrpConnection, session: str, status: int, reason: str) -> None: ...

    def message_started(self, connection: MsrpConnection, started: MessageStarted) -> Sink:
        raise MsrpRefusal(403, "nothing is expected")


class Sender:
    """The sending end, in the process that measures."""

    def __init__(self, connection: MsrpConnection, session: str) -> None:
        self.connection = connection
        self._session = session

    @classmethod
    async def connect(cls, local: MsrpUri, hello: Answer) -> Sender:
        table = SessionTable()
        session = Session(local, (MsrpUri.parse(hello["uri"]),), (TYPE,), 1, max(CHUNKS.values()))
        table.add(session)
        connection = await MsrpConnection.connect(
            "127.0.0.1", hello["port"], None, MsrpSettings(), table, Nobody(), os.urandom
        )
        await connection.open_session(session.id)
        return cls(connection, session.id)

    async def send(self, path: Path, size: int, chunk: int) -> float:
        """Seconds until the success report."""
        with path.open("rb") as file:
            began = time.perf_counter()
            reported = await self.connection.send(
                self._session, TYPE, file, message_id=uuid.uuid4().hex, size=size, chunk=chunk
            )
            seconds = time.perf_counter() - began
        if not reported:
            raise RuntimeError("no success report")
        return seconds


# --- the receiving end, in a process of its own -----------------------------------------------------------------
class Receiver(Nobody):
    """Hands each message to a sink that counts, and for the transfer that is checked also hashes."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._hashing = False
        self._digest = hashlib.sha256()
        self._count = 0

    async def on_command(self, words: list[str]) -> Answer:
        """`hash`: the next message is hashed. `count`: the digest of what came, and only counting from now on."""
        digest, self._digest = self._digest.hexdigest(), hashlib.sha256()
        self._hashing = words[0] == "hash"
        return {"digest": digest}

    def message_started(self, connection: MsrpConnection, started: MessageStarted) -> Sink:
        self._count = 0
        return self

    def write(self, data: memoryview | bytes) -> None:
        self._count += len(data)
        if self._hashing:
            self._digest.update(data)

    async def finish(self) -> None:
        if self._count != self._size:
            raise MsrpRefusal(413, f"{self._count} bytes came")

    def broken(self, reason: str) -> None:
        tell(f"msrp_file: broken: {reason}")


async def receive(peer: MsrpUri, size: int) -> None:
    table, receiver = SessionTable(), Receiver(size)
    listener = await MsrpListener.open("127.0.0.1", 0, None, MsrpSettings(), table, receiver, os.urandom)
    server, raw = await raw_socket.listen()
    port = listener.address[1]
    local = MsrpUri("msrp", "127.0.0.1", port, new_session_id(os.urandom))
    table.add(Session(local, (peer,), (TYPE,), size, 2048))
    try:
        await serve({"port": port, "uri": local.encode(), "raw": raw}, receiver.on_command)
    finally:
        server.close()
        await listener.close()


def main() -> None:
    parser = argparse.ArgumentParser(description="a large file over MSRP beside a raw socket")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--size", type=int, default=SIZE, help="bytes of the file")
    parser.add_argument("--receive", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.receive:
        run(receive(MsrpUri.parse(options.receive), options.size))
        return
    show("msrp_file", run(measure(runs=options.runs, size=options.size)), as_json=options.json)


if __name__ == "__main__":
    main()
