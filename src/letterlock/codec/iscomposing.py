"""Typing documents (RFC 3994), `application/im-iscomposing+xml`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..errors import DecodeError
from .xml import XmlLimits, decode_xml, escape

__all__ = ["MEDIA_TYPE", "IsComposing", "decode_iscomposing", "encode_iscomposing"]

MEDIA_TYPE = "application/im-iscomposing+xml"

_NAMESPACE = "urn:ietf:params:xml:ns:im-iscomposing"
_REFRESH = re.compile(r"\+?[0-9]{1,9}", re.ASCII)


@dataclass(frozen=True, slots=True)
class IsComposing:
    """Whether the peer is typing. `refresh_seconds` None means that the receiver gives up after 120 s (section 3.3)."""

    active: bool
    content_type: str | None = None
    last_active: str | None = None
    refresh_seconds: int | None = None


def encode_iscomposing(document: IsComposing) -> bytes:
    """The document."""
    fields = [
        ("state", "active" if document.active else "idle"),
        ("lastactive", document.last_active),
        ("contenttype", document.content_type),
        ("refresh", None if document.refresh_seconds is None else str(document.refresh_seconds)),
    ]
    body = "".join(f"<{name}>{escape(text)}</{name}>" for name, text in fields if text is not None)
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\r\n<isComposing xmlns="{_NAMESPACE}">{body}</isComposing>'
    ).encode()


def decode_iscomposing(data: bytes, limits: XmlLimits) -> IsComposing:
    """Read a document; elements that we do not know are passed over. Raises DecodeError."""
    root = decode_xml(data, limits)
    if root.name != "isComposing" or root.namespace not in (_NAMESPACE, ""):
        raise DecodeError("not an isComposing document", code="iscomposing.root")
    state = root.child_text("state")
    if state is None:
        raise DecodeError("no state", code="iscomposing.state")
    refresh = root.child_text("refresh")
    # Section 3.5: any state but "active" is to be treated as "idle". A refresh that is no positive
    # number is passed over too: it only changes when the dots go away.
    seconds = int(refresh) if refresh is not None and _REFRESH.fullmatch(refresh) else 0
    return IsComposing(
        state == "active", root.child_text("contenttype"), root.child_text("lastactive"), seconds or None
    )
