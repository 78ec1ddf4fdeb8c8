"""Lists of addresses inside SIP requests, `application/resource-lists+xml` (RFC 4826 with the copy control of RFC 5364).

What RFC 5366 section 4 asks for: a flat list of URIs. Lists inside lists are read as one; entries by reference
(`entry-ref`, `external`) are passed over and never fetched (SR-14).
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable
from dataclasses import dataclass

from ..errors import DecodeError, LimitExceeded
from .xml import Element, XmlLimits, decode_xml, escape, escape_attribute

__all__ = ["MEDIA_TYPE", "CopyControl", "ListEntry", "decode_resource_list", "encode_resource_list"]

MEDIA_TYPE = "application/resource-lists+xml"

_NAMESPACE = "urn:ietf:params:xml:ns:resource-lists"
_COPY = "urn:ietf:params:xml:ns:copycontrol"
# RFC 5366 writes the namespace both ways, in figures 1 and 3, and so do peers.
_COPY_READ = (_COPY, "urn:ietf:params:xml:ns:copyControl")
_COUNT = re.compile(r"\+?[0-9]{1,9}", re.ASCII)


class CopyControl(enum.Enum):
    """How a recipient is addressed; the earlier one wins where an address stands twice (RFC 5364 section 4)."""

    TO = "to"
    CC = "cc"
    BCC = "bcc"


@dataclass(frozen=True, slots=True)
class ListEntry:
    """One address. `anonymize` asks not to show it to the others, `count` says how many a shown one stands for."""

    uri: str
    copy: CopyControl = CopyControl.BCC
    anonymize: bool = False
    count: int = 1
    display_name: str = ""


def encode_resource_list(entries: Iterable[ListEntry]) -> bytes:
    """The document, as one flat list."""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\r\n<resource-lists xmlns="{_NAMESPACE}" xmlns:cp="{_COPY}"><list>'
        + "".join(map(_encoded, entries))
        + "</list></resource-lists>"
    ).encode()


def decode_resource_list(data: bytes, limits: XmlLimits, *, max_entries: int) -> tuple[ListEntry, ...]:
    """The entries in their order, each address once. Raises DecodeError, LimitExceeded for more than `max_entries`."""
    root = decode_xml(data, limits)
    # A namespace is required by the schema and left out by some peers.
    if root.name != "resource-lists" or root.namespace not in (_NAMESPACE, ""):
        raise DecodeError("not a resource-lists document", code="resource_lists.root")
    found: dict[str, ListEntry] = {}
    for element in _entries(root):
        entry = _entry(element)
        other = found.get(entry.uri)
        if other is None and len(found) == max_entries:
            raise LimitExceeded(f"more than {max_entries} entries", code="resource_lists.limit")
        if other is None or _PRECEDENCE[entry.copy] < _PRECEDENCE[other.copy]:
            # RFC 5364 section 4: at most one copy, and the highest precedence of its values.
            found[entry.uri] = entry
    return tuple(found.values())


_PRECEDENCE = {copy: place for place, copy in enumerate(CopyControl)}


def _encoded(entry: ListEntry) -> str:
    text = f'<entry uri="{escape_attribute(entry.uri)}" cp:copyControl="{entry.copy.value}"'
    if entry.anonymize:
        text += ' cp:anonymize="true"'
    if entry.count != 1:
        text += f' cp:count="{entry.count}"'
    if not entry.display_name:
        return f"{text}/>"
    return f"{text}><display-name>{escape(entry.display_name)}</display-name></entry>"


def _entries(root: Element) -> list[Element]:
    """All entries of the lists in `root`, in document order; the depth is what `decode_xml` let through."""
    found: list[Element] = []
    open_lists = [iter(root.children)]
    while open_lists:
        element = next(open_lists[-1], None)
        if element is None:
            open_lists.pop()
        elif element.namespace != root.namespace:
            continue
        elif element.name == "list":
            open_lists.append(iter(element.children))
        elif element.name == "entry" and len(open_lists) > 1:
            found.append(element)
    return found


def _entry(element: Element) -> ListEntry:
    uri = element.attribute("uri")
    if not uri:
        raise DecodeError("an entry without an address", code="resource_lists.uri")
    copy = _copy_attribute(element, "copyControl")
    count = _copy_attribute(element, "count")
    if count is not None and (not _COUNT.fullmatch(count) or not int(count)):
        raise DecodeError("not a count", code="resource_lists.count")
    try:
        # Section 4: "the absence of a 'copyControl' attribute MUST be treated as if [it] was set to "bcc"".
        control = CopyControl.BCC if copy is None else CopyControl(copy.strip().lower())
    except ValueError:
        raise DecodeError("not a copy control", code="resource_lists.copy_control") from None
    anonymize = (_copy_attribute(element, "anonymize") or "").strip() in ("true", "1")
    name = element.child_text("display-name") or ""
    return ListEntry(uri, control, anonymize, 1 if count is None else int(count), name)


def _copy_attribute(element: Element, name: str) -> str | None:
    for namespace in _COPY_READ:
        value = element.attribute(f"{namespace} {name}")
        if value is not None:
            return value
    return None
