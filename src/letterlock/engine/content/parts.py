"""What every family of content is made of: CPIM headers that say what it refers to, a media type and a body.

The same parts travel inside the encryption (entity.py) and, in a chat that the user left unencrypted, as CPIM and
MIME. Names are found by namespace URI, whatever prefix the sender chose.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ... import ids
from ...codec import cpim
from ...codec.cpim import CpimHeader
from ...codec.mime import ContentType
from ...codec.xml import XmlLimits
from ...errors import DecodeError, InputError
from ...ids import MessageId, Peer

__all__ = [
    "GOOGLE",
    "LETTERLOCK",
    "RCS",
    "XML",
    "Parts",
    "Read",
    "Reference",
    "letterlock_headers",
    "message_id",
    "text_of",
]

LETTERLOCK = "urn:letterlock:cpim:v1"
"""Ours, for what RCS has no known values for: replies, edits, deletes."""
RCS = "http://www.gsma.com"
GOOGLE = "urn:rcs:message:reactions:"

XML = XmlLimits(max_size=16_384, max_depth=16, max_elements=128)


@dataclass(frozen=True, slots=True)
class Reference:
    """A message that content is about; `author` where the sender names whose it is."""

    message_id: MessageId
    author: Peer | None = None


@dataclass(frozen=True, slots=True)
class Parts:
    """Content as it is written."""

    content_type: str
    body: bytes = field(repr=False)
    headers: tuple[CpimHeader, ...] = ()


@dataclass(frozen=True, slots=True)
class Read:
    """Content as it was found: `kind` is its Content-Type, `body` without transfer encoding."""

    kind: ContentType
    body: bytes = field(repr=False)
    headers: tuple[CpimHeader, ...] = ()

    def header(self, name: str, namespace: str) -> str | None:
        """The value of a header. Raises DecodeError when it is there twice: two readers would take different ones."""
        wanted = name.lower()
        found = [header for header in self.headers if header.namespace == namespace and header.local.lower() == wanted]
        if len(found) > 1:
            raise DecodeError(f"more than one {name}", code="content.header")
        return found[0].value.strip() if found else None

    def reference(self, name: str, namespace: str) -> Reference:
        """What the content is about. Raises DecodeError."""
        author = self.header("Reference-Author", LETTERLOCK)
        try:
            return Reference(
                message_id(self.header(name, namespace) or ""), None if author is None else ids.peer_name(author)
            )
        except InputError:
            raise DecodeError("the author of a reference is no number and no chatbot", code="content.author") from None


def letterlock_headers(*pairs: tuple[str, str]) -> tuple[CpimHeader, ...]:
    """Headers in our namespace."""
    return cpim.headers(("NS", f"ll <{LETTERLOCK}>"), *((f"ll.{name}", value) for name, value in pairs))


def message_id(text: str) -> MessageId:
    """A message id from elsewhere. Raises DecodeError."""
    try:
        return ids.message_id(text)
    except InputError:
        raise DecodeError("not a message id", code="content.message_id") from None


def text_of(read: Read, max_size: int) -> str:
    """A body as text: whatever Unicode it holds is data. Raises DecodeError for another charset or too much of it."""
    charset = (read.kind.parameter("charset") or "utf-8").lower()
    if charset not in ("utf-8", "us-ascii"):
        raise DecodeError("text in an unknown charset", code="content.charset")
    if len(read.body) > max_size:
        raise DecodeError(f"text of {len(read.body)} bytes", code="content.text_size")
    try:
        return read.body.decode()
    except UnicodeDecodeError:
        raise DecodeError("text is not UTF-8", code="content.charset") from None
