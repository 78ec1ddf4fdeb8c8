"""What RCS costs: messages, files, registrations, groups. `./run bench rcs [--json] [--only OP[,OP]]`.

Each family of rows has a module; here they are called and collected. What each row measures, how, and what it does not
say stands in docs/benchmarks.md. One family after another, so that none disturbs the next; the machine should be
otherwise idle. What fails is named with its reason, the rest is measured all the same, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import bench_http_file
import bench_messages
import bench_msrp_file
import bench_register
from processes import run, tell
from report import Row, show


@dataclass(frozen=True)
class Family:
    """Rows that are measured together. `measure` gets those that are wanted, and a place for what failed."""

    ops: tuple[str, ...]
    measure: Callable[[frozenset[str], dict[str, str]], Awaitable[list[Row]]]


def families(options: argparse.Namespace) -> list[Family]:
    async def messages(ops: frozenset[str], failed: dict[str, str]) -> list[Row]:
        return await bench_messages.measure(
            runs=options.runs, count=options.count, window=options.window, ops=ops, failed=failed
        )

    async def msrp_file(ops: frozenset[str], failed: dict[str, str]) -> list[Row]:
        return await bench_msrp_file.measure(runs=options.runs, size=options.size, ops=ops)

    async def http_file(ops: frozenset[str], failed: dict[str, str]) -> list[Row]:
        return await bench_http_file.measure(runs=options.runs, size=options.size)

    async def register(ops: frozenset[str], failed: dict[str, str]) -> list[Row]:
        clients = options.clients
        return await bench_register.measure(clients=clients, connected=max(1, clients // 5), runs=options.runs)

    async def focus(ops: frozenset[str], failed: dict[str, str]) -> list[Row]:
        rows: list[Row] = await importlib.import_module("bench_focus").measure(
            runs=options.runs, members=options.members
        )
        return rows

    return [
        Family(bench_messages.OPS, messages),
        Family(bench_msrp_file.OPS, msrp_file),
        Family(("http_file", "http_file_up", "http_file_down"), http_file),
        Family(("register", "register_refresh", "register_memory", "register_memory_tcp"), register),
        Family(
            ("focus_fanout", "focus_fanout_one", "focus_fanout_step", "focus_fanout_collector", "focus_memory"), focus
        ),
    ]


async def measure(families: list[Family], wanted: frozenset[str], failed: dict[str, str]) -> list[Row]:
    """Rows for what is wanted. What could not be measured is in `failed`."""
    rows: list[Row] = []
    for family in families:
        ops = wanted.intersection(family.ops)
        if not ops:
            continue
        tell(f"-- {', '.join(op for op in family.ops if op in ops)}")
        try:
            found = await family.measure(ops, failed)
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            tell(f"failed: {reason}")
            failed.update(dict.fromkeys(sorted(ops), reason))
        else:
            rows += [each for each in found if each["op"] in ops]
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description="what RCS costs")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--only", metavar="OP[,OP]", help="only these rows")
    parser.add_argument("--runs", type=int, default=5, help="of each; medians are shown")
    parser.add_argument("--count", type=int, default=1500, help="messages per run")
    parser.add_argument("--window", type=int, default=128, help="messages on their way at once")
    parser.add_argument("--size", type=int, default=bench_msrp_file.SIZE, help="bytes of a file")
    parser.add_argument("--clients", type=int, default=10_000, help="that register")
    parser.add_argument("--members", type=int, default=1_000, help="of the conference")
    options = parser.parse_args()
    known = families(options)
    every = frozenset(op for family in known for op in family.ops)
    wanted = frozenset(options.only.split(",")) if options.only else every
    if wanted - every:
        parser.error(f"no such rows: {', '.join(sorted(wanted - every))} (there are {', '.join(sorted(every))})")
    failed: dict[str, str] = {}
    rows = run(measure(known, wanted, failed))
    show("rcs", rows, as_json=options.json, failed=failed)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
