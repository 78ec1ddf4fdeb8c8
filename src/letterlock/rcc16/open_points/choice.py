"""One open point: what is not known, how well it is sourced, and what we chose.

The marks are those of rcc16.md: I inferred, N not sourced, D and C a third party's reading or code, W seen on the wire.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..choices import Choices

__all__ = ["Choice"]


@dataclass(frozen=True, slots=True)
class Choice:
    """One row. `id` is the field of `Choices` if there is one, `item` the number in rcc16.md section 12 (0: only marked in
    the text), `where` what reads the field, or says what is fixed: paths in src/letterlock."""

    id: str
    item: int
    open: str
    mark: str
    ours: str
    where: str

    @property
    def switched(self) -> bool:
        """Whether a field of `Choices` decides it."""
        return self.id in Choices.__dataclass_fields__
