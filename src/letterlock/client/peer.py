"""Who is at the other end of the profile's socket."""

from __future__ import annotations

import asyncio

from ..net.own_sockets import is_ours

__all__ = ["same_user"]


def same_user(writer: asyncio.StreamWriter | asyncio.BaseTransport) -> bool:
    """Whether the other process is this user's, or root's (`own_sockets.is_ours`)."""
    return is_ours(writer.get_extra_info("socket"))
