"""What the transport must know after a restart: records of text, kept by whoever owns the profile."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

__all__ = ["Changes", "Memory"]

Changes = Mapping[str, str | None]
"""By name; None removes."""


class Memory(Protocol):
    """Records by name. The transport reads them once, and is the only one that changes them."""

    def items(self) -> Iterable[tuple[str, str]]:
        """All of them."""
        ...

    async def keep(self, changes: Changes) -> None:
        """All of the changes, or none. They are on disk when this returns. Raises StoreError."""
        ...
