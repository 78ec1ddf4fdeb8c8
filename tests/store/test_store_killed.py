"""SR-06: SIGKILL in the middle of commits; what was acknowledged is there, the rest is whole or absent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from letterlock.seam import RecordKind
from letterlock.store import Store

KEY = bytes(range(32))
NUMBER = RecordKind[int]("number", lambda n: n.to_bytes(8, "big") * 100, lambda data: int.from_bytes(data[:8], "big"))

_WRITER = """
import sys
from pathlib import Path
from letterlock.store import Store
from letterlock.seam import RecordKind
NUMBER = RecordKind[int]("number", lambda n: n.to_bytes(8, "big") * 100, lambda data: int.from_bytes(data[:8], "big"))
store = Store.open(Path(sys.argv[1]), bytes(range(32)))
n = store.get(NUMBER.key("a")) or 0
while True:
    n += 1
    store.commit([], {NUMBER.key("a"): n, NUMBER.key("b"): n, NUMBER.key("log", f"{n:08d}"): n}, store.generation)
    sys.stdout.write(f"{n}\\n")
    sys.stdout.flush()
"""


@pytest.mark.slow
def test_killed_writers_lose_nothing_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    acknowledged = 0
    for lines in (1, 20, 57, 3, 111):
        writer = subprocess.Popen([sys.executable, "-c", _WRITER, path], stdout=subprocess.PIPE, env=_environment())
        assert writer.stdout is not None
        for _ in range(lines):
            acknowledged = int(writer.stdout.readline())
        os.kill(writer.pid, signal.SIGKILL)
        rest = writer.stdout.read().split()
        acknowledged = int(rest[-1]) if rest else acknowledged
        writer.stdout.close()
        assert writer.wait() == -signal.SIGKILL
        with Store.open(path, KEY) as store:
            n = store.get(NUMBER.key("a"))
            assert n is not None
            assert acknowledged <= n <= acknowledged + 1
            assert store.get(NUMBER.key("b")) == n
            assert [number for _, number in store.after(NUMBER, "log/", 10**6)] == list(range(1, n + 1))


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
