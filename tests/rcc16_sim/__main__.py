"""`./run sim rcc16`: twenty members over a bad network and a focus that lies (issue: part 4, "What it must show").

    --seed N        the first seed (0)
    --seeds COUNT   how many (1)
    --break NAME    with one defence switched off: has to fail; at least twenty seeds, up to the first that does
    --jobs N        processes (as many as there are cores)
    --list          the defences that can be switched off, and the lies that are told

Exit status 0 only when all held. The last line is one JSON object with the counts.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
from collections.abc import Iterable, Iterator

from .breaks import BREAKS
from .kinds import KINDS
from .run import Outcome, Sums, run_seed

_BREAK_SEEDS = 20


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="./run sim rcc16", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="the first seed (%(default)s)")
    parser.add_argument("--seeds", type=int, default=1, metavar="COUNT", help="how many (%(default)s)")
    parser.add_argument("--break", dest="broken", choices=sorted(BREAKS), metavar="NAME", help="switch off one defence")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="processes (%(default)s)")
    parser.add_argument("--list", action="store_true", help="print what can be switched off, and the lies")
    options = parser.parse_args(arguments)
    if options.list:
        _list()
        return 0
    sums = Sums()
    count = max(options.seeds, _BREAK_SEEDS) if options.broken else options.seeds
    seeds = range(options.seed, options.seed + count)
    for outcome in _outcomes(seeds, options.broken or "", options.jobs):
        sums.add(outcome)
        _tell(outcome)
        if options.broken and outcome.findings:
            break
    print(json.dumps(sums.line(options.broken or ""), separators=(",", ":")), flush=True)
    return 1 if sums.failed else 0


def _outcomes(seeds: Iterable[int], broken: str, jobs: int) -> Iterator[Outcome]:
    seeds = list(seeds)
    if jobs <= 1 or len(seeds) == 1 or broken:
        for seed in seeds:
            yield run_seed(seed, broken)
        return
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap(run_seed, seeds)


def _tell(outcome: Outcome) -> None:
    counts = outcome.counts
    lies = ", ".join(f"{kind} {count}" for kind, count in sorted(outcome.lies.items())) or "no lies"
    print(
        f"seed {outcome.seed}: {counts['members']} phones, {counts['letters']} letters, {counts['receipts']} receipts, "
        f"{counts['commits accepted']} commits; {lies} ({outcome.seconds:.1f} s)",
        flush=True,
    )
    for finding in outcome.findings:
        print(f"  FAILED {finding}", flush=True)


def _list() -> None:
    print("Defences (--break NAME):")
    for name, broken in sorted(BREAKS.items()):
        print(f"  {name:22} {broken.text}")
    print("Lies:")
    for kind, made in KINDS.items():
        print(f"  {kind:22} {' '.join((made.__doc__ or '').split())}")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
