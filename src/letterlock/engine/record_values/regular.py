"""The engine's own books: events that exist, work that is due."""

from __future__ import annotations

from dataclasses import dataclass

from ...ids import Instant

__all__ = ["EventLog", "Upkeep"]


@dataclass(frozen=True, slots=True)
class EventLog:
    """The cursors that exist: `first` to `next` - 1."""

    first: int
    next: int


@dataclass(frozen=True, slots=True)
class Upkeep:
    """When the engine's regular work is due."""

    protocols: tuple[tuple[str, Instant], ...] = ()
    prune_at: Instant = 0
    self_check_at: Instant = 0
    publishing: tuple[tuple[str, bytes, int, Instant], ...] = ()
    """(protocol, payload, attempts, next attempt) of uploads that were not confirmed yet."""
