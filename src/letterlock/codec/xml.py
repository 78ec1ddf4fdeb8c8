"""Small XML documents from strangers, as a bounded tree (SR-14).

Document type and entity declarations are refused as such, so that nothing can expand and nothing is
fetched. Everything is read as UTF-8 whatever the document declares. Mixed content keeps its text only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from xml.parsers import expat

from ..errors import DecodeError, LimitExceeded

__all__ = ["Element", "XmlLimits", "decode_xml", "escape", "escape_attribute"]


@dataclass(frozen=True, slots=True)
class XmlLimits:
    """Bounds, checked before memory is taken (SR-08)."""

    max_size: int
    max_depth: int
    max_elements: int


@dataclass(frozen=True, slots=True)
class Element:
    """One element. `namespace` is empty where none is declared; `text` is all character data directly in it, trimmed."""

    namespace: str
    name: str
    text: str
    children: tuple[Element, ...]
    attributes: tuple[tuple[str, str], ...] = ()
    """Name and value of each; the name of one in a namespace is that, a space, and its local name."""

    def attribute(self, name: str) -> str | None:
        """The value of an attribute, None when it is not there."""
        return next((value for key, value in self.attributes if key == name), None)

    def child(self, name: str) -> Element | None:
        """The first child of that name in this element's namespace."""
        return next((item for item in self.children if item.name == name and item.namespace == self.namespace), None)

    def child_text(self, name: str) -> str | None:
        """The text of that child, None when it is not there."""
        found = self.child(name)
        return None if found is None else found.text


def decode_xml(data: bytes, limits: XmlLimits) -> Element:
    """The root element. Raises DecodeError."""
    if len(data) > limits.max_size:
        raise LimitExceeded(f"document of {len(data)} bytes, at most {limits.max_size} allowed", code="xml.limit")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        # A byte order mark would outweigh the encoding given below.
        raise DecodeError("not UTF-8", code="xml.encoding")
    builder = _Builder(limits)
    parser = expat.ParserCreate("utf-8", " ")
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.characters
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.EntityDeclHandler = _refuse_entity
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise DecodeError(f"not well-formed XML at line {error.lineno}", code="xml.malformed") from None
    if builder.root is None:
        raise DecodeError("no root element", code="xml.malformed")
    return builder.root


def escape(text: str) -> str:
    """Text as element content. What XML 1.0 cannot carry at all becomes U+FFFD."""
    clean = _FORBIDDEN.sub("\ufffd", text)
    return clean.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")


def escape_attribute(text: str) -> str:
    """Text as the value of an attribute in double quotes; tabs and line ends survive (XML 1.0 section 3.3.3)."""
    return escape(text).replace('"', "&quot;").replace("\t", "&#9;").replace("\n", "&#10;")


_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


class _Open:
    """An element whose end has not been read yet."""

    __slots__ = ("attributes", "children", "name", "text")

    def __init__(self, name: str, attributes: tuple[tuple[str, str], ...]) -> None:
        self.name = name
        self.attributes = attributes
        self.text: list[str] = []
        self.children: list[Element] = []


class _Builder:
    def __init__(self, limits: XmlLimits) -> None:
        self.root: Element | None = None
        self._open: list[_Open] = []
        self._limits = limits
        self._left = limits.max_elements

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._open) == self._limits.max_depth:
            raise LimitExceeded(f"elements nested more than {self._limits.max_depth} deep", code="xml.limit")
        if self._left == 0:
            raise LimitExceeded(f"more than {self._limits.max_elements} elements", code="xml.limit")
        self._left -= 1
        self._open.append(_Open(name, tuple(attributes.items())))

    def characters(self, text: str) -> None:
        if self._open:
            self._open[-1].text.append(text)

    def end(self, name: str) -> None:
        done = self._open.pop()
        namespace, _, local = done.name.rpartition(" ")
        element = Element(namespace, local, "".join(done.text).strip(), tuple(done.children), done.attributes)
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element


def _refuse_doctype(name: str, system: str | None, public: str | None, internal: bool) -> None:
    raise DecodeError("a document type declaration is not allowed here", code="xml.doctype")


def _refuse_entity(*declaration: object) -> None:
    raise DecodeError("an entity declaration is not allowed here", code="xml.doctype")
