"""What the carrier's core asks its edge to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from ..codec.sip import Request, Response

__all__ = ["Effect", "Hangup", "Send"]


@dataclass(frozen=True, slots=True)
class Send:
    """Write a message to a connection. A negative one is the link to an application server (`servers.link_of`)."""

    connection: int
    message: Request | Response


@dataclass(frozen=True, slots=True)
class Hangup:
    """Close a connection."""

    connection: int
    reason: str


Effect: TypeAlias = Send | Hangup
