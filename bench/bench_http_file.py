"""Files over HTTP beside a raw TCP socket: megabytes per second between two processes on loopback.

Content server and client as they are used: Digest authentication, the server's fsync before it answers, SHA-256 at both
ends, the client's file written, verified, forced to the disk and renamed. The socket moves the same file's bytes and does
none of this. No TLS at either.

ops: `http_file_up`, `http_file_down`, and `http_file`, both one after the other. The disk counts here: how long an fsync
takes is the machine's. `bench_rcs` takes `measure`; alone: `bench_http_file.py [--json] [--runs N] [--size BYTES]`.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import tempfile
import time
from pathlib import Path

import raw_socket
from letterlock.services.content import ContentLimits, ContentServer
from letterlock.transport.content.client import ContentClient
from letterlock.transport.content.config import DownloadState, ServerAccount, UploadState
from processes import Answer, run, serve, start, tell
from report import Row, row, show

NUMBER, PASSWORD = "+15550100", "bench"
SIZE = 100_000_000


async def measure(*, runs: int, size: int = SIZE) -> list[Row]:
    """Medians; the socket and the server by turns. A first round, which makes files and connections, is not counted."""
    ups: list[float] = []
    downs: list[float] = []
    raws: list[float] = []
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="letterlock-bench-")))
        source = folder / "source"
        source.write_bytes(os.urandom(size))
        server = await start(stack, __file__, "--serve", str(folder / "server"))
        client = ContentClient(
            ServerAccount(server.hello["url"], NUMBER, PASSWORD),
            rng=os.urandom,
            now=lambda: time.time_ns() // 1_000_000,
        )
        await stack.enter_async_context(client)
        for at in range(-1, runs):
            if at >= 0:
                tell(f"http_file: run {at + 1} of {runs}")
            raw = await raw_socket.send(server.hello["raw"], source, size)
            up, down = await up_and_down(client, source, f"run{at + 1}")
            if at >= 0:
                raws.append(raw)
                ups.append(up)
                downs.append(down)
    peer = raw_socket.rate(raws, size)
    rates = {
        "http_file_up": raw_socket.rate(ups, size),
        "http_file_down": raw_socket.rate(downs, size),
        "http_file": raw_socket.rate([up + down for up, down in zip(ups, downs, strict=True)], 2 * size),
    }
    return [
        row(op, runs, rate, "MB/s", peer=peer, peer_name="raw socket", more_is_better=True)
        for op, rate in rates.items()
    ]


async def up_and_down(client: ContentClient, source: Path, name: str) -> tuple[float, float]:
    """Seconds for each. The client has compared sizes and digests when these return."""
    found = source.stat()  # noqa: ASYNC240 - of a file that is in memory
    state = UploadState(name, str(source), found.st_size, found.st_mtime_ns, "file", "application/octet-stream")
    began = time.perf_counter()
    document = await client.upload(state, lambda done, total: None)
    up = time.perf_counter() - began

    target = source.with_name(name)
    download = DownloadState(document.file.url, str(target), f"{target}.part", found.st_size)
    began = time.perf_counter()
    got = await client.download(download, lambda done, total: None, keep)
    down = time.perf_counter() - began
    if not got.checked or got.size != found.st_size:
        raise RuntimeError("the file did not come back as it was")
    target.unlink()
    return up, down


async def keep(state: DownloadState) -> None:
    """A client would store it; the cost of that is the store's."""


async def serve_content(folder: str) -> None:
    """The content server's process, where the raw socket's other end is too."""
    server = ContentServer(folder, password_of={NUMBER: PASSWORD}.get, limits=ContentLimits(min_free_bytes=0))
    await server.start()
    sockets, raw = await raw_socket.listen()
    try:
        await serve({"url": server.url, "raw": raw}, nothing)
    finally:
        sockets.close()
        await server.close()


async def nothing(words: list[str]) -> Answer:
    return {}


def main() -> None:
    parser = argparse.ArgumentParser(description="a large file over HTTP beside a raw socket")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--size", type=int, default=SIZE, help="bytes of the file")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        run(serve_content(options.serve))
        return
    show("http_file", run(measure(runs=options.runs, size=options.size)), as_json=options.json)


if __name__ == "__main__":
    main()
