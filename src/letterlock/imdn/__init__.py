"""Receipts and typing as CPIM messages (RFC 5438, RFC 3994). Between the wire and the engine, without state.

What is read here was written by anybody on the way: it is shown to the engine as unauthenticated and
never decides a message's state (SR-05). Receipts of encrypted chats ride inside the ciphertext.
"""

from __future__ import annotations

from .messages import chat_message, composing_message, is_receipt, read_composing, read_receipt
from .receipts import UnauthenticatedReceipt, receipt_for, receipts_asked

__all__ = [
    "UnauthenticatedReceipt",
    "chat_message",
    "composing_message",
    "is_receipt",
    "read_composing",
    "read_receipt",
    "receipt_for",
    "receipts_asked",
]
