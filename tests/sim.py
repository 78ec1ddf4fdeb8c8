"""`./run sim [SEEDS [FIRST]]`: engines over `signal` on a seeded hostile network, two devices each (SR-05 to SR-07).

The network refuses, swallows with an acknowledgement, duplicates, delays, forges and replays; the directory is
down a third of the time. Each seed prints a line; the first that loses, repeats or shows plaintext ends it with 1
and can be run again by its number.
"""

from __future__ import annotations

import sys
import time
import traceback

from engine.signal_keys import SignalKeys
from engine.test_engine_hostile_network import HOSTILE, check, converse
from engine.world import ALICE, BOB, CAROL, World


def main(arguments: list[str]) -> int:
    seeds = int(arguments[0]) if arguments else 5
    first = int(arguments[1]) if len(arguments) > 1 else int(time.time()) % 1_000_000
    for seed in range(first, first + seeds):
        began = time.perf_counter()
        world = World(seed, SignalKeys(), hostility=HOSTILE)
        for number in (ALICE, BOB, CAROL):
            world.person(number, 2)
        wrote = converse(world, 200)
        try:
            check(world, wrote)
        except AssertionError:
            traceback.print_exc()
            print(f"sim: seed {seed} fails; again with: ./run sim 1 {seed}", file=sys.stderr)
            return 1
        messages = sum(map(len, wrote.values()))
        print(
            f"seed {seed}: {messages} messages, {len(world.sent)} transmissions, none lost, none twice, none in the clear "
            f"({time.perf_counter() - began:.1f} s)",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
