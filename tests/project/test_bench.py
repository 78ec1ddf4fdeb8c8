"""The benchmarks of RCS: their form, what they say when something fails, and that nothing stays behind. Not their figures."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
KEYS = {"op", "n", "ours", "peer", "peer_name", "unit", "ratio"}

pytestmark = pytest.mark.slow


def begin(*arguments: str, with_tests: bool = True, folder: Path | None = None) -> subprocess.Popen[str]:
    path = [str(ROOT / "src"), *([str(ROOT / "tests")] if with_tests else [])]
    temporary = {} if folder is None else {"TMPDIR": str(folder)}
    return subprocess.Popen(
        [sys.executable, str(ROOT / "bench" / "bench_rcs.py"), "--json", *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path), **temporary},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def bench(*arguments: str, expect: int = 0, with_tests: bool = True) -> dict[str, Any]:
    with begin(*arguments, with_tests=with_tests) as process:
        out, err = process.communicate(timeout=120)
    assert process.returncode == expect, err
    found: dict[str, Any] = json.loads(out)
    return found


def test_rows_have_the_form_that_all_benchmarks_print() -> None:
    found = bench(
        *("--only", "register,register_memory,msrp_file,http_file"),
        *("--runs", "1", "--clients", "40", "--size", "300000"),
    )
    assert found.keys() == {"bench", "rows"}
    assert found["bench"] == "rcs"
    assert [row["op"] for row in found["rows"]] == ["msrp_file", "http_file", "register", "register_memory"]
    for row in found["rows"]:
        assert row.keys() == KEYS
    files, registrations = found["rows"][:2], found["rows"][2:]
    for row in files:
        assert (row["n"], row["unit"], row["peer_name"]) == (1, "MB/s", "raw socket")
        assert row["ours"] > 0
        assert row["ratio"] == pytest.approx(row["ours"] / row["peer"], rel=0.1, abs=0.01)
    assert [(row["n"], row["unit"], row["peer"]) for row in registrations] == [(40, "1/s", None), (40, "B", None)]


@pytest.mark.kamailio
def test_messages_through_kamailio_by_request_and_over_a_session() -> None:
    found = bench("--only", "pager_encrypted,pager_plain,session_encrypted", "--runs", "1", "--count", "10")
    assert [row["op"] for row in found["rows"]] == ["pager_encrypted", "pager_plain", "session_encrypted"]
    for row in found["rows"]:
        assert row.keys() == KEYS
        assert (row["n"], row["unit"]) == (10, "1/s")
        assert row["ours"] > 0


def test_what_fails_is_named_and_the_rest_is_measured() -> None:
    # Without tests/ in the path there is nobody who could start Kamailio.
    found = bench("--only", "pager_plain,register", "--runs", "1", "--clients", "5", with_tests=False, expect=1)
    assert [row["op"] for row in found["rows"]] == ["register"]
    assert found["failed"].keys() == {"pager_plain"}
    assert "interop" in found["failed"]["pager_plain"]


def test_an_unknown_row_is_refused() -> None:
    with begin("--only", "pager_secret") as process:
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (2, "")
    assert "pager_secret" in err
    assert "pager_encrypted" in err


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("op", ["http_file", "msrp_file", "register"])
def test_when_it_is_ended_nothing_stays(op: str, end: signal.Signals, tmp_path: Path) -> None:
    size = ("--size", "10000000")
    with begin("--only", op, "--runs", "1000", "--clients", "2000", *size, folder=tmp_path) as process:
        assert process.stderr is not None
        # Its children write there too: the pipe is at its end when all of them have gone.
        line = process.stderr.readline()
        while op in ("http_file", "msrp_file") and "run 1" not in line:
            line = process.stderr.readline()
        process.send_signal(end)
        process.communicate(timeout=60)
    if end is signal.SIGTERM:
        assert process.returncode == 128 + signal.SIGTERM
        assert list(tmp_path.iterdir()) == []
