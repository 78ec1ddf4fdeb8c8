"""RCC.16: `./run bench rcc16 [--json] [--op NAME]...`. Each row that needs a database is there for SQLite and PostgreSQL.

`claim` are claims of key packages a second at the key distribution server, `claim_twice` how many packages were handed
out twice meanwhile; that has to be 0, else the exit status is 1. `..._postgresql` is the same on PostgreSQL 15. What an
operation measures, its module says. The machine should be otherwise idle.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Awaitable, Callable

from postgresql import postgresql
from processes import run, tell
from rcc16_claim import claim
from rcc16_client import client
from rcc16_focus import commit_hot, commit_many, group_memory
from report import Row, show

Measure = Callable[[str, str], Awaitable[list[Row]]]
"""(URL of the database, empty for a file of SQLite; what to append to the names of rows) to rows."""

_DATABASES = ("", "_postgresql")


def _operations(arguments: argparse.Namespace) -> dict[str, Measure]:
    """By name; each is run on both databases. Those without one ignore it and are listed in `_ALONE`."""
    return {
        "claim": lambda database, suffix: claim(database, suffix, claims=arguments.claims),
        "commit_hot": lambda database, suffix: commit_hot(database, suffix, commits=arguments.commits),
        "commit_many": lambda database, suffix: commit_many(
            database, suffix, groups=32, commits=max(1, arguments.commits // 20)
        ),
        "focus_group_memory_100": lambda database, suffix: group_memory(database, suffix, members=100, groups=20),
        "focus_group_memory_1000": lambda database, suffix: group_memory(database, suffix, members=1000, groups=4),
        **{f"client_{members}": _client(members) for members in (2, 100, 1000)},
    }


def _client(members: int) -> Measure:
    return lambda database, suffix: client(members, letters=200, commits=20)


_ALONE = frozenset({"client_2", "client_100", "client_1000"})
_MUST_BE_ZERO = ("claim_twice",)


async def _measured(arguments: argparse.Namespace) -> tuple[list[Row], dict[str, str]]:
    rows: list[Row] = []
    failed: dict[str, str] = {}
    for name, measure in _operations(arguments).items():
        if arguments.op and name not in arguments.op:
            continue
        for suffix in _DATABASES[: 1 if name in _ALONE else None]:
            tell(f"{name}{suffix}")
            try:
                with postgresql() if suffix else contextlib.nullcontext("") as database:
                    rows += await measure(database, suffix)
            except (RuntimeError, OSError) as error:
                failed[f"{name}{suffix}"] = str(error)
    return rows, failed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--op", action="append", choices=list(_operations(argparse.Namespace())), help="only this")
    parser.add_argument("--claims", type=int, default=5_120, metavar="N", help="default %(default)s")
    parser.add_argument("--commits", type=int, default=200, metavar="N", help="to the hot group, default %(default)s")
    arguments = parser.parse_args()
    rows, failed = run(_measured(arguments))
    show("rcc16", rows, as_json=arguments.json, failed=failed)
    wrong = [line["op"] for line in rows if line["op"].startswith(_MUST_BE_ZERO) and line["ours"]]
    return 1 if wrong or failed else 0


if __name__ == "__main__":
    sys.exit(main())
