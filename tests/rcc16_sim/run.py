"""Running seeds: what one came to, and the sums of many."""

from __future__ import annotations

import time
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from letterlock.mls.group.group import Group

from .breaks import BREAKS, Break
from .kinds import KINDS, make_lies
from .plan import Plan, plan_of
from .world import World

__all__ = ["Outcome", "Sums", "run_plan", "run_seed"]

_FINDINGS_SHOWN = 6


@dataclass
class Outcome:
    """Of one seed. `findings` is empty if all held."""

    seed: int
    findings: list[str]
    counts: Counter[str]
    lies: Counter[str]
    stops: Counter[str]
    refused: Counter[str]
    seconds: float


@dataclass
class Sums:
    """Of many."""

    seeds: int = 0
    failed: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    lies: Counter[str] = field(default_factory=Counter)
    stops: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    def add(self, outcome: Outcome) -> None:
        self.seeds += 1
        self.failed += bool(outcome.findings)
        self.counts += outcome.counts
        self.lies += outcome.lies
        self.stops += outcome.stops
        self.seconds += outcome.seconds

    def line(self, broken: str) -> dict[str, object]:
        """The last line of the command."""
        return {
            "seeds": self.seeds,
            "failed": self.failed,
            "break": broken or None,
            **{name.replace(" ", "_"): count for name, count in sorted(self.counts.items())},
            "lies": dict(sorted(self.lies.items())),
            "stops": dict(sorted(self.stops.items())),
            "seconds": round(self.seconds, 1),
        }


def run_seed(seed: int, broken: str = "") -> Outcome:
    """One seed; with a defence switched off where the name of one is given."""
    if broken:
        found = BREAKS[broken]
        return run_plan(found.plan(seed), found, found.share)
    return run_plan(plan_of(seed, tuple(KINDS)))


def run_plan(plan: Plan, broken: Break | None = None, share: float | None = None) -> Outcome:
    """One plan. What raises is a finding like any other."""
    began = time.perf_counter()
    world = World(plan, make_lies(plan.lies, plan.seed, share), frozenset({broken.name} if broken else ()))
    with ExitStack() as stack:
        stack.enter_context(_generations_watched(world))
        if broken is not None:
            stack.enter_context(broken.off())
        try:
            world.run()
        except Exception as error:  # a protocol raised on something that came from outside
            where = traceback.extract_tb(error.__traceback__)[-1]
            world.watch.broken("it raised", f"{type(error).__name__}: {error}", f"{where.name}:{where.lineno}")
            world.last_error = error
    return Outcome(
        plan.seed,
        list(dict.fromkeys(world.watch.findings))[:_FINDINGS_SHOWN],
        _counts(world),
        world.lies_told,
        world.stops,
        world.watch.own_bugs,
        time.perf_counter() - began,
    )


def _counts(world: World) -> Counter[str]:
    counts = world.counts.copy()
    counts["members"] = len(world.phones)
    counts["packets lost"] = world.carrier.lost
    counts["packets repeated"] = world.carrier.repeated
    counts["packets"] = sum(world.carrier.wire.packets.values())
    for name in ("commit", "external_commit", "new_era", "new_group", "proposal"):
        counts[f"{name}s accepted"] = world.focus.counts[f"accepted {name}"]
    counts["refused"] = sum(count for name, count in world.focus.counts.items() if name.startswith("refused"))
    counts["overtaken"] = world.focus.counts["overtaken"]
    for phone in world.phones.values():
        for name, count in phone.refusals.items():
            counts[f"not sealed {name}"] += count
    return counts


@contextmanager
def _generations_watched(world: World) -> Iterator[None]:
    """Which key made which ciphertext, told when the ciphertext leaves a phone: a step that was lost made none."""
    encrypt = Group.encrypt

    def watched(self: Group, data: bytes, **options: object) -> bytes:
        key = (self.epoch_authenticator, self.own_leaf, self.next_generation())
        made = encrypt(self, data, **options)  # type: ignore[arg-type]
        world.keys_of[made] = key
        return made

    Group.encrypt = watched  # type: ignore[method-assign]
    try:
        yield
    finally:
        Group.encrypt = encrypt  # type: ignore[method-assign]
