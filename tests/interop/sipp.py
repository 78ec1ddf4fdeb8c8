"""sipp, the SIP load generator of Debian's sip-tester, with the scenarios in `sipp/`: one run, and its figures."""

from __future__ import annotations

import asyncio
import csv
import resource
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SCENARIOS = Path(__file__).parent / "sipp"


def missing() -> str:
    """Why it cannot be run here, empty when it can."""
    if shutil.which("sipp") is None:
        return "sipp is not installed (apt-get install sip-tester)"
    return ""


@dataclass(frozen=True)
class Figures:
    """What came of a run."""

    done: int
    failed: int
    seconds: float
    output: str

    @property
    def per_second(self) -> float:
        return self.done / self.seconds if self.seconds else 0.0


async def run(
    scenario: str, folder: Path, port: int, rows: Sequence[Sequence[str]], *, uri: str, rate: int, each_its_own: bool
) -> Figures:
    """Run a scenario once for each row, at most `rate` begun in a second, over TCP: a connection for each, or one for all.

    `uri` is the Request-URI without its scheme: left to itself sipp signs the server's address, which our carrier refuses.
    """
    fields = folder / f"{scenario}.csv"
    fields.write_text("SEQUENTIAL\n" + "".join(";".join(row) + "\n" for row in rows))
    statistics = folder / f"{scenario}-statistics.csv"
    sockets = min(len(rows) + 10, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 64)
    command = ["sipp", f"127.0.0.1:{port}", "-sf", str(SCENARIOS / f"{scenario}.xml"), "-inf", str(fields)]
    command += [
        "-t",
        "tn" if each_its_own else "t1",
        "-max_socket",
        str(sockets),
        "-m",
        str(len(rows)),
        "-r",
        str(rate),
    ]
    command += ["-i", "127.0.0.1", "-nostdin", "-timeout", "60s", "-timeout_error", "-fd", "1", "-trace_stat"]
    command += ["-stf", str(statistics), "-l", str(sockets), "-auth_uri", uri]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        async with asyncio.timeout(90):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    text = output.decode(errors="replace")
    if not statistics.exists():
        raise RuntimeError(f"sipp did not run:\n{text[-2000:]}")
    last = list(csv.DictReader(statistics.open(), delimiter=";"))[-1]
    # Its elapsed time is in whole seconds; the times of day end with one since 1970.
    began, ended = (float(last[name].split()[-1]) for name in ("StartTime", "CurrentTime"))
    return Figures(int(last["SuccessfulCall(C)"]), int(last["FailedCall(C)"]), ended - began, text)
