"""Sealed files: `./run bench files [--json] [--op NAME]...`, file to file in a folder that is memory (`/dev/shm`).

ops: `encrypt` and `decrypt`, from file to file with everything that belongs to it: reading, AES-256-GCM, SHA-256 of the
sealed file, writing, and the name at the end. Beside them AES-256-GCM alone over as many bytes, in chunks of the same
size and in one thread: the first 16 MiB of the file again and again, from memory to memory, which flatters the cipher
where a cache holds them. Nothing is read, digested or written there. The two take turns. GB are 10^9 bytes of
the plain file; the figure is the median of the rounds.

`range_64k`: 64 KiB from anywhere in the sealed file, read and verified, which takes two chunks; median, in microseconds.

`memory_1mb` to `memory_4gb`: the peak of resident memory, in MB of 10^6 bytes, of a process that seals and opens a file of
that size. It has to stay the same: if any is more than 16 MB above the smallest, the exit status is 1.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from letterlock.client.files.sealed import open_file, reading, seal_file
from letterlock.crypto.pyca import Pyca
from letterlock.files.layout import CHUNK, TAG
from processes import tell
from report import Row, row, show

PEER = "AES-256-GCM alone"
MEMORY = {"memory_1mb": 10**6, "memory_64mb": 64 * 10**6, "memory_1gb": 10**9, "memory_4gb": 4 * 10**9}
OPS = ("encrypt", "decrypt", "range_64k", *MEMORY)
CRYPTO = Pyca()

_FLAT = 16.0
_BATCH = 256  # chunks of the raw cipher that are in memory: 16 MiB, and as much for what comes out


def throughput(folder: Path, ops: list[str], *, size: int, rounds: int) -> list[Row]:
    plain, sealed, opened = folder / "plain", folder / "sealed", folder / "opened"
    with plain.open("wb") as file:
        for at in range(0, size, 1 << 20):
            file.write(os.urandom(min(1 << 20, size - at)))
    taken: dict[str, list[float]] = {name: [] for name in ("encrypt", "decrypt", "raw_encrypt", "raw_decrypt")}
    raw = Raw(plain, size)
    for at in range(-1, rounds):  # the first round makes what the others find made
        if at >= 0:
            tell(f"files: round {at + 1} of {rounds}")
        seconds = {"raw_encrypt": timed(raw.encrypt)}
        began = time.perf_counter()
        seal = seal_file(plain, sealed, crypto=CRYPTO, rng=os.urandom)
        seconds["encrypt"] = time.perf_counter() - began
        seconds["raw_decrypt"] = timed(raw.decrypt)
        began = time.perf_counter()
        name = open_file(sealed, opened, seal, part=folder / ".part", crypto=CRYPTO)
        seconds["decrypt"] = time.perf_counter() - began
        if at == -1 and opened.read_bytes() != plain.read_bytes():
            raise RuntimeError("what was opened is not what was sealed")
        os.unlink(name)
        if at >= 0:
            for key, value in seconds.items():
                taken[key].append(value)
    rows = []
    for op in ("encrypt", "decrypt"):
        if op in ops:
            ours, peer = (size / statistics.median(taken[key]) / 1e9 for key in (op, f"raw_{op}"))
            line = row(op, rounds, ours, "GB/s", peer=peer, peer_name=PEER, more_is_better=True)
            rows.append({**line, "ours": round(ours, 3), "peer": round(peer, 3), "ratio": round(ours / peer, 3)})
    if "range_64k" in ops:
        count = 2_000
        with reading(sealed, seal, crypto=CRYPTO) as reader:
            spots = [int.from_bytes(os.urandom(6), "big") % max(1, size - CHUNK) for _ in range(count)]
            times = [timed(lambda spot=spot: reader.read(spot, CHUNK)) for spot in spots]  # type: ignore[misc]
        rows.append(row("range_64k", count, statistics.median(times) * 1e6, "us"))
    return rows


class Raw:
    """The cipher and nothing else, over as many bytes as the file has."""

    def __init__(self, plain: Path, size: int) -> None:
        length = min(size, _BATCH * CHUNK) // CHUNK * CHUNK
        with plain.open("rb") as file:
            self._plain = memoryview(bytearray(file.read(length)))
        self._sealed = memoryview(bytearray(length // CHUNK * (CHUNK + TAG)))
        self._out = memoryview(bytearray(length))
        self._aead = CRYPTO.aes_gcm(os.urandom(32))
        self._chunks = size // CHUNK

    def encrypt(self) -> None:
        self._each(lambda nonce, at, to: self._aead.seal_into(nonce, self._plain[at], b"", self._sealed[to]))

    def decrypt(self) -> None:
        self._each(lambda nonce, at, to: self._aead.open_into(nonce, self._sealed[to], b"", self._out[at]))

    def _each(self, act: Callable[[bytes, slice, slice], None]) -> None:
        held = len(self._plain) // CHUNK
        for count in range(self._chunks):
            index = count % held
            at, to = index * CHUNK, index * (CHUNK + TAG)
            # The nonce is that of the place: the same bytes again, which is of no matter for what nobody keeps.
            act(index.to_bytes(12, "big"), slice(at, at + CHUNK), slice(to, to + CHUNK + TAG))


def timed(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def memory(folder: Path, op: str) -> Row:
    size = MEMORY[op]
    free = os.statvfs(folder)
    if free.f_bavail * free.f_frsize < 2.2 * size:
        raise RuntimeError(f"{folder} has no room for twice {size} bytes")
    tell(f"files: {op}")
    command = [sys.executable, __file__, "--child", str(size), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().rpartition("\n")[2] or f"the process ended with {done.returncode}")
    return row(op, 1, json.loads(done.stdout) / 1e6, "MB")


def child(size: int, folder: Path) -> None:
    """Seal and open a file of zeros, which takes no memory as a file, and say what it took at most."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        plain, sealed, opened = (Path(name) / each for each in ("plain", "sealed", "opened"))
        plain.touch()
        os.truncate(plain, size)
        seal = seal_file(plain, sealed, crypto=CRYPTO, rng=os.urandom)
        open_file(sealed, opened, seal, part=Path(name) / ".part", crypto=CRYPTO)
        if opened.stat().st_size != size:
            raise RuntimeError("what was opened is not what was sealed")
    # Of this program alone; what getrusage says begins with that of who started it.
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    print(next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--op", action="append", choices=OPS, help="only this")
    parser.add_argument("--rounds", type=int, default=7, metavar="N", help="default %(default)s")
    parser.add_argument("--size", type=int, default=500_000_000, metavar="BYTES", help="default %(default)s")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="where the files are, default /dev/shm")
    parser.add_argument("--child", nargs=2, metavar=("SIZE", "DIR"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(int(arguments.child[0]), Path(arguments.child[1]))
        return 0
    if arguments.size < CHUNK or arguments.rounds < 1:
        parser.error(f"at least {CHUNK} bytes and one round")
    ops = [op for op in OPS if not arguments.op or op in arguments.op]
    rows: list[Row] = []
    failed: dict[str, str] = {}
    shm = Path("/dev/shm")
    place = arguments.folder or (shm if shm.is_dir() else None)
    with tempfile.TemporaryDirectory(prefix="letterlock-bench-", dir=place) as name:
        if set(ops) - set(MEMORY):
            try:
                with tempfile.TemporaryDirectory(dir=name) as inner:
                    rows += throughput(Path(inner), ops, size=arguments.size, rounds=arguments.rounds)
            except (RuntimeError, OSError) as error:
                failed["files"] = str(error)
        for op in ops:
            if op in MEMORY:
                try:
                    rows.append(memory(Path(name), op))
                except (RuntimeError, OSError) as error:
                    failed[op] = str(error)
    show("files", rows, as_json=arguments.json, failed=failed)
    peaks = [line["ours"] for line in rows if line["op"] in MEMORY]
    grown = bool(peaks) and max(peaks) > min(peaks) + _FLAT
    return 1 if failed or grown else 0


if __name__ == "__main__":
    sys.exit(main())
