"""`./run bench files`: its form, and that memory is the same for a small and a larger file. Not its figures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.slow


def test_rows_have_the_form_that_all_benchmarks_print(tmp_path: Path) -> None:
    ops = ("encrypt", "decrypt", "range_64k", "memory_1mb", "memory_64mb")
    done = subprocess.run(
        [
            *(sys.executable, str(ROOT / "bench" / "bench_files.py"), "--json", "--folder", str(tmp_path)),
            *("--rounds", "1", "--size", "3000000", *(word for op in ops for word in ("--op", op))),
        ],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["bench"] == "files" and "failed" not in found
    assert [row["op"] for row in found["rows"]] == list(ops)
    assert [row["unit"] for row in found["rows"]] == ["GB/s", "GB/s", "us", "MB", "MB"]
    for row in found["rows"]:
        assert row.keys() == {"op", "n", "ours", "peer", "peer_name", "unit", "ratio"}
        assert row["ours"] > 0
    for row in found["rows"][:2]:
        assert row["peer_name"] == "AES-256-GCM alone"
        assert row["ratio"] == pytest.approx(row["ours"] / row["peer"], rel=0.05)
    assert list(tmp_path.iterdir()) == []
