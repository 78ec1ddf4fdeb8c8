"""Files over HTTP beside a raw TCP socket: megabytes per second, in one run on loopback.

Content server and client each in a process of its own, as they are used: Digest authentication, fsync before the
answer, SHA-256 on both sides, the client's file renamed when it is verified. The raw socket moves the same bytes from
one process to another and does nothing else: no file, no digest.

ops: `http_file_up`, `http_file_down`, with the socket as peer (more is better here, so the ratio is ours/peer).
`bench_rcs` takes `measure(runs, size)`; alone: `bench_http_file.py [--json] [--runs N] [--size BYTES]`.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import statistics
import sys
import tempfile
import time
from pathlib import Path

from letterlock.services.content import ContentLimits, ContentServer
from letterlock.transport.content import ContentClient
from letterlock.transport.content_config import DownloadState, ServerAccount, UploadState
from report import Row, show

NUMBER, PASSWORD = "+15550100", "bench"
SIZE = 100_000_000
RAW_BLOCK = 1 << 18


async def serve(folder: str) -> None:
    """The content server's process."""
    limits = ContentLimits(min_free_bytes=0)
    server = ContentServer(folder, password_of={NUMBER: PASSWORD}.get, limits=limits)
    await server.start()
    print(server.url, flush=True)
    await asyncio.Event().wait()


def drain(size: int) -> None:
    """The raw socket's other end."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        connection, _ = listener.accept()
        buffer = bytearray(RAW_BLOCK)
        got = 0
        while got < size:
            count = connection.recv_into(buffer)
            if not count:
                raise SystemExit("the raw connection ended early")
            got += count
        connection.sendall(b"1")
        connection.close()


async def other(*arguments: str) -> tuple[asyncio.subprocess.Process, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, __file__, *arguments, stdout=asyncio.subprocess.PIPE, env=os.environ
    )
    assert process.stdout is not None
    return process, (await process.stdout.readline()).decode().strip()


async def raw(size: int) -> float:
    """Seconds for the bytes through a socket."""
    process, port = await other("--drain", str(size))
    block = bytes(RAW_BLOCK)

    def move() -> float:
        with socket.create_connection(("127.0.0.1", int(port))) as connection:
            began = time.perf_counter()
            left = size
            while left:
                left -= connection.send(block[:left])
            connection.recv(1)
            return time.perf_counter() - began

    seconds = await asyncio.to_thread(move)
    await process.wait()
    return seconds


def fill(path: Path, size: int) -> os.stat_result:
    with open(path, "wb") as file:
        for at in range(0, size, 1 << 20):
            file.write(os.urandom(min(size - at, 1 << 20)))
    return path.stat()


async def up_and_down(url: str, source: Path, found: os.stat_result, run: int) -> tuple[float, float]:
    async with ContentClient(
        ServerAccount(url, NUMBER, PASSWORD), rng=os.urandom, now=lambda: time.time_ns() // 1_000_000
    ) as client:
        began = time.perf_counter()
        state = UploadState(
            f"t{run}", str(source), found.st_size, found.st_mtime_ns, "file", "application/octet-stream"
        )
        document = await client.upload(state, lambda done, total: None)
        up = time.perf_counter() - began

        async def keep(state: DownloadState) -> None:
            pass

        target = source.with_name(f"got{run}")
        began = time.perf_counter()
        download = DownloadState(document.file.url, str(target), f"{target}.part", found.st_size)
        got = await client.download(download, lambda done, total: None, keep)
        down = time.perf_counter() - began
        assert got.checked and got.size == found.st_size
        target.unlink()
    return up, down


async def measure(runs: int, size: int = SIZE) -> list[Row]:
    """Medians, the three interleaved."""
    ups, downs, raws = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source"
        found = fill(source, size)
        server, url = await other("--serve", str(Path(folder) / "server"))
        try:
            for run in range(runs):
                raws.append(await raw(size))
                up, down = await up_and_down(url, source, found, run)
                ups.append(up)
                downs.append(down)
        finally:
            server.kill()
            await server.wait()
    peer = size / 1e6 / statistics.median(raws)
    return [
        {
            "op": op,
            "n": runs,
            "ours": round(ours, 1),
            "peer": round(peer, 1),
            "peer_name": "raw socket",
            "unit": "MB/s",
            "ratio": round(ours / peer, 2),
        }
        for op, ours in (
            ("http_file_up", size / 1e6 / statistics.median(ups)),
            ("http_file_down", size / 1e6 / statistics.median(downs)),
        )
    ]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--size", type=int, default=SIZE)
    parser.add_argument("--serve", metavar="FOLDER", help=argparse.SUPPRESS)
    parser.add_argument("--drain", metavar="BYTES", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        asyncio.run(serve(arguments.serve))
    elif arguments.drain:
        drain(arguments.drain)
    else:
        show("http_file", asyncio.run(measure(arguments.runs, arguments.size)), as_json=arguments.json)


if __name__ == "__main__":
    main()
