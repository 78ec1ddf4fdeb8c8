"""Letting go of what is past its time: ciphertexts, letters that no repeat will come of (SR-08)."""

from __future__ import annotations

from dataclasses import replace

from ...ids import Instant
from ...seam import Staged
from .records import PARKED, RECEIVED, SENT
from .settings import Settings

__all__ = ["sweep"]


def sweep(state: Staged, settings: Settings, now: Instant) -> None:
    """Everything of all conversations that is due to go."""
    kept = settings.received_kept_ms
    for key in list(state.scan(SENT)):
        sent = state.get(key)
        if sent is not None and now - sent.at > kept:
            state.delete(key)
        elif sent is not None and sent.packet is not None and now - sent.at > settings.budgets.ciphertext_kept_ms:
            state.put(key, replace(sent, packet=None))
    for seen in list(state.scan(RECEIVED)):
        received = state.get(seen)
        if received is not None and now - received.at > kept:
            state.delete(seen)
    for waiting in list(state.scan(PARKED)):
        parked = state.get(waiting)
        if parked is not None and now - parked.at > kept:
            state.delete(waiting)
