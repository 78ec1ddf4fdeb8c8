"""A content server in a process of its own, to be killed: `content_process.py FOLDER PORT [MAX_FILE_BYTES]`.

It prints its URL. With MAX_FILE_BYTES the system lets it write no file beyond that, as a full disk would.
"""

from __future__ import annotations

import asyncio
import resource
import sys

from letterlock.services.content import ContentLimits, ContentServer


async def main(folder: str, port: int, most: int) -> None:
    if most:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    limits = ContentLimits(block_bytes=16_384, checkpoint_bytes=65_536, min_free_bytes=0)
    server = ContentServer(folder, password_of=None, port=port, limits=limits)
    await server.start()
    print(server.url, flush=True)
    await asyncio.Event().wait()


asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
