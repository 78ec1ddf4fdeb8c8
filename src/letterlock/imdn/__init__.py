"""Messages as CPIM, and what they ask of the other end (RFC 5438). Between the wire and the engine, without state.

Plain receipts that arrive are read by the engine, which never lets them decide a message's state (SR-05). Receipts of
encrypted chats ride inside the ciphertext.
"""

from __future__ import annotations

from .messages import chat_message

__all__ = ["chat_message"]
