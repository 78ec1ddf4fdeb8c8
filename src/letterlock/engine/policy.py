"""Which way a message goes: encrypted, waiting, or refused. The only place where "not encrypted" is decided."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..ids import Number

__all__ = ["PlainOption"]


@dataclass(frozen=True, slots=True)
class PlainOption:
    """The user's choice to send without encryption, in one chat and for one transition of it (SR-01).

    Options come out of NotEncrypted. The nonce cannot be guessed and is kept in the state, so that no
    constant can stand for a decision.
    """

    chat: Number
    transition: int
    nonce: bytes = field(repr=False)
    name: str = "plain-rcs"
