"""PostgreSQL for a benchmark: Debian's binaries on a Unix socket in a folder of its own, durable as in life."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["postgresql"]

_PATIENCE_SECONDS = 30.0


@contextlib.contextmanager
def postgresql() -> Iterator[str]:
    """The URL of an empty database. Raises RuntimeError where it cannot be run."""
    found = sorted(Path("/usr/lib/postgresql").glob("[0-9]*/bin"), key=lambda each: int(each.parts[4]))
    if not found:
        raise RuntimeError("PostgreSQL is not installed")
    binaries = found[-1]
    folder = Path(tempfile.mkdtemp(prefix="llpg-", dir="/tmp"))  # short, as the path of a socket has to be
    as_user: dict[str, Any] = {}
    if os.getuid() == 0:  # which PostgreSQL refuses to run as
        shutil.chown(folder, "postgres", "postgres")
        as_user = {"user": "postgres", "group": "postgres", "extra_groups": [], "env": {"PATH": "/usr/bin:/bin"}}
    data = folder / "data"
    subprocess.run(
        [binaries / "initdb", "-D", data, "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--no-locale"],
        check=True, stdout=subprocess.DEVNULL, cwd=folder, **as_user,
    )  # fmt: skip
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [binaries / "postgres", "-D", data, "-k", folder, "-c", "listen_addresses="],
            stdout=log, stderr=log, cwd=folder, **as_user,
        )  # fmt: skip
    try:
        until = time.monotonic() + _PATIENCE_SECONDS
        ready = [binaries / "pg_isready", "-q", "-h", folder, "-U", "postgres"]
        while subprocess.run(ready, check=False).returncode:
            if server.poll() is not None or time.monotonic() > until:
                raise RuntimeError("PostgreSQL does not start: " + (folder / "log").read_text()[-500:])
            time.sleep(0.05)
        yield f"postgresql://postgres@/postgres?host={folder}"
    finally:
        server.terminate()
        server.wait()
        shutil.rmtree(folder, ignore_errors=True)
