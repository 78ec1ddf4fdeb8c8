"""What a seed does: how many members, how bad the network, who lies about what. Everything follows from the number.

Of ten seeds eight are a group of twenty, one a group of five in worse weather and with more going on, one three chats of
two. The lies take turns: seed n tells the n-th of the list, every other one of them a second one as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from .carrier import CALM, Weather

__all__ = ["Plan", "plan_of", "quiet_plan"]

_MINUTE = 60_000
_TWENTY = 20
_VISIBLE = {"ghost-in-roster", "insider-adds"}
"""Together they are no ghost: a member adds somebody whom the conference shows, and everybody sees both."""


@dataclass(frozen=True)
class Plan:
    """Shares are per step; counts are of the whole seed."""

    seed: int
    members: int
    pairs: int
    """Chats of two instead of a group."""
    weather: Weather
    lies: tuple[str, ...]
    chaos_ms: int
    letters: int
    changes: int
    """Members added and removed, members that leave, subjects."""
    absences: int
    """Phones that are off for a while."""
    ends: bool
    """Somebody ends encryption, and takes it up again."""
    crashes: float
    rollbacks: int
    kds_failures: float
    verified: bool = False
    """Everybody has compared security codes; then somebody is removed and added again."""
    crowds: int = 0
    """How often all members change something at the same instant."""


def plan_of(seed: int, lies: tuple[str, ...]) -> Plan:
    """`lies` are all kinds there are, in their order."""
    random = Random(f"plan {seed}")
    told = [lies[seed % len(lies)]] if lies else []
    if lies and random.random() < 0.5:
        told.append(random.choice(lies))
    if set(told) >= _VISIBLE:
        told.pop()
    wild = seed % 10 == 4
    pairs = 3 if seed % 10 == 9 else 0
    weather = Weather(
        loss=random.choice((0.0, 0.02, 0.1 if wild else 0.05)),
        swallowed=random.choice((0.0, 0.01, 0.05 if wild else 0.02)),
        repeated=random.choice((0.0, 0.05, 0.2)),
        late=random.choice((0.0, 0.05, 0.2 if wild else 0.1)),
    )
    return Plan(
        seed=seed,
        members=2 * pairs if pairs else 5 if wild else _TWENTY,
        pairs=pairs,
        weather=weather,
        lies=tuple(dict.fromkeys(told)),
        chaos_ms=(40 if wild else 15) * _MINUTE,
        letters=16 if wild or pairs else 5,
        changes=10 if wild else 3,
        absences=2 if wild else 1,
        ends=random.random() < 0.1,
        crashes=0.01 if wild or pairs else 0.001,
        rollbacks=int(random.random() < (0.5 if wild else 0.2)),
        kds_failures=random.choice((0.0, 0.2)),
        verified=random.random() < 0.2,
        crowds=int(random.random() < 0.3),
    )


def quiet_plan(seed: int, lies: tuple[str, ...], members: int = 6) -> Plan:
    """Good weather and nothing but these lies: to see what one of them comes to."""
    return Plan(seed, members, 0, CALM, lies, 15 * _MINUTE, 5, 3, 0, False, 0.0, 0, 0.0)
