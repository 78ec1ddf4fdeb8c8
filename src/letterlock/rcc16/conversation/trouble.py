"""Saying that something is wrong. What is done about it is the ladder's (healing), when the step has settled."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from .chat import Heal
from .step import Work

__all__ = ["UNREADABLE", "suspect"]

UNREADABLE: Final = "failed-to-decrypt"
"""The cause of a repair that a letter set off."""


def suspect(work: Work, cause: str, *, from_future: bool = False, certain: bool = False) -> None:
    """Our state of the group may not be the one that counts. `certain`: the order has said so, nothing is waited for."""
    chat = work.chat
    if chat.left or chat.health.state.is_downgraded:
        return
    since = work.now - (work.core.settings.budgets.welcome_race_ms if certain else 0)
    if chat.heal is None:
        work.update(heal=Heal(since=since, cause=cause, from_future=from_future, next_at=work.now))
    elif not chat.heal.begun:
        heal = chat.heal
        work.update(
            heal=replace(
                heal,
                since=min(heal.since, since),
                from_future=heal.from_future or from_future,
                next_at=min(heal.next_at, work.now) if certain else heal.next_at,
            )
        )
