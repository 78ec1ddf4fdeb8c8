"""Content of a kind that this version does not know, or that does not hold what its kind requires.

It is shown as such. Its bytes are kept as they came, up to a bound, for a later version or a program that knows more.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ...codec.cpim import CpimHeader

__all__ = ["Unknown"]


@dataclass(frozen=True, slots=True)
class Unknown:
    """`size` is of the body, `body` None when it was too large to keep. `reason` is the code of the error, if it was one.

    `text` is what can be read of it all the same: a text with headers that we do not know.
    """

    content_type: str
    size: int
    body: bytes | None = field(repr=False)
    headers: tuple[CpimHeader, ...] = ()
    reason: str = ""
    text: str | None = field(default=None, repr=False)
