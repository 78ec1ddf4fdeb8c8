"""Texts, and what makes content an answer to another message.

A reply names the message that it answers and quotes nothing: what the reader is shown of it comes from the reader's
own store, so nobody can be misquoted, and what was deleted does not live on in answers.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ...codec.cpim import CpimHeader
from .parts import LETTERLOCK, Parts, Read, Reference, letterlock_headers, text_of

__all__ = ["TEXT_TYPE", "Text", "express_text", "read_reply", "read_text", "reply_headers"]

TEXT_TYPE = "text/plain;charset=UTF-8"


@dataclass(frozen=True, slots=True)
class Text:
    """A text message. `reply_to` is the message that it answers."""

    text: str = field(repr=False)
    reply_to: Reference | None = None


def express_text(text: Text) -> Parts:
    """A text as it is written; a reader that knows no replies shows it as a text."""
    return Parts(TEXT_TYPE, text.text.encode(), reply_headers(text.reply_to))


def reply_headers(to: Reference | None, *more: tuple[str, str]) -> tuple[CpimHeader, ...]:
    """What makes content an answer to a message, and `more` headers of ours; none at all where there is nothing to say."""
    pairs = list(more)
    if to is not None:
        pairs += (("Reference-ID", to.message_id), ("Reference-Type", "Reply"))
        pairs += (("Reference-Author", to.author),) if to.author else ()
    return letterlock_headers(*pairs) if pairs else ()


def read_text(read: Read, max_size: int) -> Text:
    """Raises DecodeError."""
    return Text(text_of(read, max_size), read_reply(read))


def read_reply(read: Read) -> Reference | None:
    """The message that content answers. Raises DecodeError."""
    if not read.headers or (read.header("Reference-Type", LETTERLOCK) or "").lower() != "reply":
        return None
    return read.reference("Reference-ID", LETTERLOCK)
