"""`./run fuzz [SECONDS] [NAME]`: mutate honest input to every decoder until the time is up (SR-09).

Anything but a value or DecodeError (with MalformedMessage and Downgrade for Signal messages), and anything
slower than a second, is printed with the input in hex, and the exit code is 1.
"""

from __future__ import annotations

import random
import sys
import time
import traceback
from collections import Counter

from decoders import decoders, mutated
from letterlock.errors import DecodeError, Downgrade, MalformedMessage, RemoteError

DOCUMENTED: tuple[type[RemoteError], ...] = (DecodeError, MalformedMessage, Downgrade)


def main(arguments: list[str]) -> int:
    seconds = float(arguments[0]) if arguments else 60.0
    chosen = [d for d in decoders() if len(arguments) < 2 or arguments[1] in d.name]
    seed = random.SystemRandom().randrange(1 << 32)
    rng = random.Random(seed)
    print(f"fuzz: seed {seed}, {len(chosen)} decoders, {seconds:g} s", flush=True)
    counts: Counter[str] = Counter()
    values: Counter[str] = Counter()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for decoder in chosen:
            data = mutated(rng.choice(decoder.examples), rng)
            start = time.perf_counter()
            try:
                decoder.decode(data)
                values[decoder.name] += 1
            except DOCUMENTED:
                pass
            except Exception:
                print(f"fuzz: {decoder.name} raised what it does not document, input {data.hex()}", file=sys.stderr)
                traceback.print_exc()
                return 1
            if time.perf_counter() - start > 1.0:
                print(f"fuzz: {decoder.name} took over a second, input {data.hex()}", file=sys.stderr)
                return 1
            counts[decoder.name] += 1
    for name, count in sorted(counts.items()):
        print(f"{name:28} {count:9} inputs, {values[name]:9} of them read")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
