"""What a hostile carrier may do to a message. Off by default; the tests of SR-01 to SR-23 use it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from ..codec.sip import Request, Response
from ..ids import Number

__all__ = ["Interference", "Seen", "Tap", "delayed", "dropped", "duplicated", "replaced", "swallowed"]

Message: TypeAlias = Request | Response


@dataclass(frozen=True, slots=True)
class Seen:
    """A message on its way through: a request that was let in (before it is forked), or a response to one.

    `sender` and `recipient` are the numbers at its two ends, None for an application server; a REGISTER and a response
    have no recipient. An ACK is seen when it goes to the other end, a CANCEL before anybody is told of it.
    """

    message: Message
    sender: Number | None
    recipient: Number | None


@dataclass(frozen=True, slots=True)
class Interference:
    """`deliver` goes on in place of the message, each part after so many milliseconds.

    `answer` is a status to give the sender of a request at once; without one the sender hears what
    the devices say, or nothing when nothing is delivered.
    """

    deliver: tuple[tuple[Message, int], ...] = ()
    answer: int | None = None


Tap: TypeAlias = Callable[[Seen], Interference | None]
"""Looks at every message; None lets it pass untouched."""


def dropped() -> Interference:
    """It never arrives and nobody is told."""
    return Interference()


def swallowed(status: int = 200) -> Interference:
    """It never arrives and the sender is told that it did."""
    return Interference(answer=status)


def delayed(message: Message, milliseconds: int) -> Interference:
    return Interference(((message, milliseconds),))


def duplicated(message: Message, times: int = 2) -> Interference:
    return Interference(((message, 0),) * times)


def replaced(message: Message) -> Interference:
    return Interference(((message, 0),))
