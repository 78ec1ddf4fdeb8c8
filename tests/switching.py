"""Switching numbered rules off, for the proof that it is they who refuse."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from letterlock.rules import NumberedRule

__all__ = ["switched_off"]


@contextmanager
def switched_off(kind: type[NumberedRule], *ids: str) -> Iterator[None]:
    """These rules of one specification do nothing; without ids none of it does, for somebody who makes what they forbid."""
    fail = kind.fail

    def quiet(self: NumberedRule, what: str) -> None:
        if ids and self.id not in ids:
            fail(self, what)

    kind.fail = quiet  # type: ignore[method-assign]
    try:
        yield
    finally:
        kind.fail = fail  # type: ignore[method-assign]
