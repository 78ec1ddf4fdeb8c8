"""How our state compares with the server's (rcc16.md 5.5): equal numbers are not equal state.

What is compared is era, epoch and epoch authenticator. Only equal authenticators mean that both hold the same group;
"unknown" is an answer of its own and never counts as agreement (verify-then-adopt, rcc16.md 2.2).
"""

from __future__ import annotations

import enum
import hmac
from dataclasses import dataclass, field

from .transitions import Moment

__all__ = ["ServerSays", "Standing", "Verdict", "verdict"]


@dataclass(frozen=True, slots=True)
class Standing:
    """Which group state somebody holds."""

    moment: Moment
    authenticator: bytes = field(repr=False)


class ServerSays(enum.Enum):
    """An answer of the server that names no standing."""

    UNKNOWN = "unknown"
    """It could not be asked, or said nothing usable."""
    NOT_IN_GROUP = "not-in-group"
    NOT_FOUND = "not-found"


class Verdict(enum.Enum):
    """What the comparison means; the comment of each is what follows from it."""

    IN_SYNC = "in-sync"
    DIVERGED = "diverged"
    """Same numbers, other authenticator: rebuild."""
    LOCAL_AHEAD = "local-ahead"
    """We hold what the server never accepted: rebuild."""
    BEHIND = "behind"
    """Lower epoch of the same era: replay, or wait."""
    ERA_GAP = "era-gap"
    """The server is in a later era: come in again, or rebuild."""
    NOT_IN_GROUP = "not-in-group"
    """Ask for our Welcome (client reason 13)."""
    GROUP_NOT_FOUND = "group-not-found"
    """Create it again."""
    UNKNOWN = "unknown"
    """Wait."""


def verdict(local: Standing | None, server: Standing | ServerSays) -> Verdict:
    """Compares what we hold (None: no group) with what the server holds."""
    if isinstance(server, ServerSays):
        return _SAID[server]
    if local is None:
        return Verdict.NOT_IN_GROUP
    if local.moment > server.moment:
        return Verdict.LOCAL_AHEAD
    if local.moment.era != server.moment.era:
        return Verdict.ERA_GAP
    if local.moment.epoch != server.moment.epoch:
        return Verdict.BEHIND
    return Verdict.IN_SYNC if _same(local, server) else Verdict.DIVERGED


def _same(a: Standing, b: Standing) -> bool:
    return hmac.compare_digest(a.authenticator, b.authenticator)


_SAID = {
    ServerSays.UNKNOWN: Verdict.UNKNOWN,
    ServerSays.NOT_IN_GROUP: Verdict.NOT_IN_GROUP,
    ServerSays.NOT_FOUND: Verdict.GROUP_NOT_FOUND,
}
