"""What people write, as MIME entities inside the encryption."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Text"]


@dataclass(frozen=True, slots=True)
class Text:
    """A text message."""

    text: str = field(repr=False)
