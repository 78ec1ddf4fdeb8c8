"""A content server in a process of its own, to be killed: `content_process.py FOLDER PORT [MAX_FILE_BYTES]`.

It prints its URL, and keeps its files where `every_place` has said. With MAX_FILE_BYTES the system lets it write no file beyond that, as a full disk would.
"""

from __future__ import annotations

import asyncio
import os
import resource
import sys
from pathlib import Path

from content.seaweed import bucket_in
from letterlock.services.content import ContentLimits, ContentServer
from letterlock.services.content.s3.store import BucketBlobs
from letterlock.services.http import system_now
from postgres import database_in


async def main(folder: str, port: int, most: int) -> None:
    if most:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    limits = ContentLimits(block_bytes=16_384, checkpoint_bytes=65_536, min_free_bytes=0)
    bucket = bucket_in(Path(folder))
    blobs = None if bucket is None else BucketBlobs(bucket, str(Path(folder).parent), now=system_now, rng=os.urandom)
    rows = database_in(Path(folder), "content.db")
    Path(folder).mkdir(exist_ok=True)
    server = ContentServer(folder, password_of=None, port=port, limits=limits, blobs=blobs, database=rows)
    await server.start()
    print(server.url, flush=True)
    await asyncio.Event().wait()


asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
