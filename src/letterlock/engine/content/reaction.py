"""Reactions, with the headers that deployed clients exchange (rcs.md 2.9): an emoji as text, and what it is for.

Removing is read in both forms that were seen or assumed; Google's older form is read and not written.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...codec import cpim
from ...errors import DecodeError
from .parts import GOOGLE, LETTERLOCK, RCS, Parts, Read, Reference, text_of
from .text import TEXT_TYPE

__all__ = ["Reaction", "express_reaction", "read_reaction"]

_BLANKS = " \t\r\n\u200a"
"""Google's older form stands between hair spaces."""


@dataclass(frozen=True, slots=True)
class Reaction:
    """An emoji for a message, or its removal. Each person has a set of them on each message."""

    target: Reference
    emoji: str
    remove: bool = False


def express_reaction(reaction: Reaction) -> Parts:
    """A reaction as it is written. Who wrote the target is said in our own namespace, because ids are not unique."""
    target = reaction.target
    pairs = [
        ("NS", f"n1 <{RCS}>"),
        ("n1.Reference-ID", target.message_id),
        ("n1.Reference-Type", "-Reaction" if reaction.remove else "+Reaction"),
    ]
    if target.author:
        pairs += [("NS", f"ll <{LETTERLOCK}>"), ("ll.Reference-Author", target.author)]
    return Parts(TEXT_TYPE, reaction.emoji.encode(), cpim.headers(*pairs))


def read_reaction(read: Read, max_emoji: int) -> Reaction | None:
    """The reaction, None when this is none. Raises DecodeError."""
    kind = (read.header("Reference-Type", RCS) or "").lower()
    name, namespace = "Reference-ID", RCS
    if kind not in ("+reaction", "-reaction"):
        kind = (read.header("Message-Reply-Type", GOOGLE) or "").lower()
        name, namespace = "In-Reply-To-Message-Id", GOOGLE
        if kind not in ("message-reaction-add", "message-reaction-remove"):
            return None
    if read.kind.media_type != "text/plain":
        raise DecodeError("a reaction that is no text", code="content.emoji")
    emoji = text_of(read, max_emoji + 16).strip(_BLANKS)
    if not emoji or len(emoji.encode()) > max_emoji:
        raise DecodeError("a reaction without an emoji, or with far more than one", code="content.emoji")
    return Reaction(read.reference(name, namespace), emoji, kind in ("-reaction", "message-reaction-remove"))
