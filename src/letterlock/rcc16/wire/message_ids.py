"""Message ids: ours are upper-case UUIDs, the form that Apple writes and Google takes (rcc16.md 4.2).

Google's are `Mx` and 22 to 26 characters of base64url with `_` written as `=`. Any token is accepted of others.
"""

from __future__ import annotations

import uuid

from ...ids import MessageId, Rng

__all__ = ["new_message_id", "welcome_id"]


def new_message_id(rng: Rng) -> MessageId:
    """A fresh one. It is minted before what it names is built, because the authenticated data hold it."""
    return MessageId(str(uuid.UUID(bytes=rng(16), version=4)).upper())


def welcome_id(group_id: bytes) -> MessageId:
    """Of the Welcome of a chat of two, which goes to the peer directly (rcc16.md 3.2)."""
    return MessageId(f"mls-welcome-{group_id.decode('ascii')}")
