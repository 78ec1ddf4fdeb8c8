"""Key distribution servers as an operator runs them: processes of the command line, two on one PostgreSQL, and federated."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from letterlock.apps.cli import main
from letterlock.conversation_seam import Claimed, ClaimOutcome
from letterlock.ids import Number
from letterlock.rcc16.credentials.proof import issue_proof
from letterlock.services.kds.folder import OUR_VENDOR
from letterlock.services.signer import Signer, key_from_file
from letterlock.transport.kds import KdsClient
from rcc16.certificates import DAY, Lab, key_pair
from services.kds_lab import ANA, Device, Turning

pytestmark = pytest.mark.anyio

BEN = Number("+49301000")
PASSPHRASE = {"LETTERLOCK_KDS_PASSPHRASE": "tulip and rose"}


def letterlock(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """One run of the command line."""
    return subprocess.run(
        [sys.executable, "-m", "letterlock", *map(str, arguments)],
        env={**os.environ, **PASSPHRASE}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


@dataclass
class At:
    """Where a server is."""

    url: str


@dataclass
class Town:
    """As `kds_lab.Town`, around a process and its folder, on the clock on the wall."""

    folder: Path
    kds: int
    server: At
    acs: Signer = field(repr=False)
    clients: list[KdsClient] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clock = Turning(time.time_ns() // 1_000_000)
        self.lab = Lab("processes", self.clock.now, vendor_id=OUR_VENDOR)
        self.rng = os.urandom

    def proof(self, of: Number, participant_spki: bytes, *, days: float = 92) -> bytes:
        expires = int(self.clock.now + days * DAY) // 1000
        return issue_proof(of, participant_spki, str(self.kds), expires, self.acs.sign)

    def device(self, of: str) -> Device:
        return Device(self, Number(of), key_pair(f"participant {of}"), key_pair(f"leaf {of}"))  # type: ignore[arg-type]


def made(folder: Path, kds: int) -> Path:
    assert letterlock("kds", "init", "--folder", folder, "--number", str(kds)).returncode == 0
    return folder


@contextmanager
def running(folder: Path, database: str, port: int = 0, *more: str | Path) -> Iterator[dict[str, Any]]:
    """A server; what it says of itself."""
    command = ["-o", "json", "kds", "run", "--folder", folder, "--database", database, "--port", str(port), *more]
    with subprocess.Popen(
        [sys.executable, "-m", "letterlock", *map(str, command)],
        env={**os.environ, **PASSPHRASE}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None and process.stderr is not None
            line = process.stdout.readline()
            assert line, process.stderr.read()
            yield json.loads(line)
        finally:
            process.terminate()


@contextmanager
def town(folder: Path, kds: int, said: dict[str, Any]) -> Iterator[Town]:
    acs = key_from_file(folder / "acs.key", PASSPHRASE["LETTERLOCK_KDS_PASSPHRASE"].encode())
    yield Town(folder, kds, At(said["kds"]), acs)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def closed(*towns: Town) -> None:
    for each in towns:
        for client in each.clients:
            await client.close()


async def test_sr13_two_processes_on_one_database_hand_nothing_out_twice(tmp_path: Path, postgresql_url: str) -> None:
    """SR-13: 64 at once, half of them at each process; what one process certified the other knows."""
    folder = made(tmp_path / "kds", 2)
    with (
        running(folder, postgresql_url) as one,
        running(folder, postgresql_url) as two,
        town(folder, 2, one) as here,
        town(folder, 2, two) as there,
    ):
        assert one["trust_anchors"].rpartition("/")[2] == two["trust_anchors"].rpartition("/")[2] == "1"
        ben = await here.device(BEN).enrol()
        pool = await ben.publish(40)
        people = [await here.device(f"+1555020{i:03d}").enrol() for i in range(64)]
        for person in people[::2]:
            person.client = KdsClient(there.server.url, rng=here.rng, now=here.clock, signer=person.signer)
            there.clients.append(person.client)
        answers = await asyncio.gather(*(person.client.claim([BEN]) for person in people))
        got = [package for answer in answers for package in answer[BEN].packages]
        assert sorted(package for package in got if package != pool[-1]) == sorted(pool[:-1])
        # The rest got that of last resort, twenty from each process at most.
        assert 20 <= got.count(pool[-1]) <= 24
        await closed(here, there)


async def test_two_operators(tmp_path: Path, postgresql_url: str) -> None:
    """Each with a process and a database of its own, one of them PostgreSQL; described to each other by their operators."""
    folders = {2: made(tmp_path / "here", 2), 7: made(tmp_path / "there", 7)}
    ports = {kds: free_port() for kds in folders}
    for kds, folder in folders.items():
        described = letterlock("kds", "peer", "--folder", folder, "--url", f"http://127.0.0.1:{ports[kds]}")
        assert described.returncode == 0, described.stderr
        (tmp_path / f"{kds}.json").write_text(described.stdout)
        (folder / "root.key").unlink()  # in its safe
    with (
        running(folders[2], postgresql_url, ports[2], "--peer", tmp_path / "7.json", "--route", "+49:7") as one,
        running(
            folders[7], str(tmp_path / "there.db"), ports[7], "--peer", tmp_path / "2.json", "--route", "+1:2"
        ) as two,
        town(folders[2], 2, one) as here,
        town(folders[7], 7, two) as there,
    ):
        ana, ben = await here.device(ANA).enrol(), await there.device(BEN).enrol()
        assert await ana.client.claim([BEN]) == {BEN: Claimed(ClaimOutcome.NONE)}
        pools = {ANA: await ana.publish(1), BEN: await ben.publish(1)}
        for by, of in ((ana, BEN), (ben, ANA)):
            for package in pools[of]:
                assert await by.client.claim([of]) == {of: Claimed(ClaimOutcome.SERVED, (package,))}
        await closed(here, there)


def test_the_command_line_says_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, secret, other = tmp_path / "kds", tmp_path / "secret", tmp_path / "other"
    secret.write_text("tulip and rose\n")
    other.write_text("another\n")

    def told(*arguments: str | Path, passphrase: Path | None = secret) -> str:
        given = ("--passphrase-file", passphrase) if passphrase else ()
        code = main([str(part) for part in ("kds", *arguments, "--folder", folder, *given)])
        said = capsys.readouterr()
        return said.err if code == 1 else f"{code} {said.out}"

    # SR-11: no key in the clear unless somebody says so by name.
    assert "--unprotected-keys" in told("init", passphrase=None)
    assert "which was meant" in told("init", "--unprotected-keys") and not folder.exists()
    assert told("init").startswith("0 ")
    assert all(b"ENCRYPTED" in key.read_bytes() for key in folder.glob("*.key"))
    for arguments, words in (
        (("init",), "File exists"),
        (("run", "--route", "+49"), "not a route"),
        (("run", "--route", "+49:8"), "nobody"),
        (("run", "--peer", folder / "kds.json"), "not the description"),
        (("run", "--peer", tmp_path / "none"), "cannot be read"),
        (("run", "--revoke", "xyz"), "not a serial number"),
        (("run", "--host", "192.0.2.1"), "without TLS"),
        (("peer", "--url", "http://kds.example.test"), "needs https"),
    ):
        assert words in told(*arguments), arguments
    assert "passphrase" in told("run", passphrase=other) and "is encrypted" in told("run", passphrase=None)
    assert '"kds": 2' in told("peer", "--url", "https://kds.example.test")
    (folder / "issuing.key").chmod(0o644)
    assert "chmod 600" in told("run")
    (folder / "kds.json").unlink()
    assert "letterlock kds init" in told("run")
