"""CPIM messages (RFC 3862), `message/cpim`: metadata headers, then one MIME entity.

Headers are found by namespace URI and name, whatever prefix the sender chose and whatever its case:
deployed peers disagree about case although section 2.2 forbids it. What was read is written back
byte for byte, because intermediaries must not change headers and signatures may cover them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..errors import DecodeError, LimitExceeded
from .mime import MimeLimits, MimePart, decode_part
from .mime import encode as encode_entity

__all__ = [
    "ANONYMOUS",
    "CORE",
    "IMDN",
    "MEDIA_TYPE",
    "Cpim",
    "CpimAddress",
    "CpimHeader",
    "CpimLimits",
    "decode_cpim",
    "encode_cpim",
    "escape",
    "headers",
    "unescape",
]

MEDIA_TYPE = "message/cpim"

CORE = "urn:ietf:params:cpim-headers:"
"""The default namespace (RFC 3862 section 4)."""

IMDN = "urn:ietf:params:imdn"
"""The namespace of receipts (RFC 5438 section 6.1)."""

ANONYMOUS = "<sip:anonymous@anonymous.invalid>"
"""What RCS writes as From and To between two people; who it is stands in the SIP layer's asserted identity."""


@dataclass(frozen=True, slots=True)
class CpimLimits:
    """Bounds, checked before memory is taken (SR-08)."""

    max_size: int
    max_headers: int
    max_header_bytes: int

    def mime(self) -> MimeLimits:
        """The same bounds for the content's own header."""
        return MimeLimits(self.max_size, self.max_headers, self.max_header_bytes, 0, 0)


@dataclass(frozen=True, slots=True)
class CpimHeader:
    """One header. `name` is as written, prefix included; `raw` is all behind the colon; `namespace` is empty if undeclared."""

    name: str
    raw: str
    namespace: str

    @property
    def local(self) -> str:
        """The name without its prefix."""
        return self.name.rpartition(".")[2]

    @property
    def text(self) -> str:
        """The value as written, escapes and all; without the parameters before it, of which nobody reads any."""
        return _PARAMETERS.sub("", self.raw, count=1).strip(" ")

    @property
    def value(self) -> str:
        """The value with its escapes undone (section 2.3.1)."""
        return unescape(self.text)


@dataclass(frozen=True, slots=True)
class CpimAddress:
    """A From, To or cc: a display name, possibly empty, and a URI."""

    display_name: str
    uri: str


@dataclass(frozen=True, slots=True)
class Cpim:
    """A message. Every header is a claim of whoever wrote it."""

    headers: tuple[CpimHeader, ...]
    content: MimePart

    def all(self, name: str, namespace: str = CORE) -> tuple[CpimHeader, ...]:
        """The headers of that name, in order."""
        wanted = name.lower()
        return tuple(
            header for header in self.headers if header.namespace == namespace and header.local.lower() == wanted
        )

    def value(self, name: str, namespace: str = CORE) -> str | None:
        """The value of the first header of that name."""
        found = self.all(name, namespace)
        return found[0].value if found else None

    @property
    def senders(self) -> tuple[CpimAddress, ...]:
        """The From headers that hold a URI."""
        return self._addresses("From")

    @property
    def recipients(self) -> tuple[CpimAddress, ...]:
        """The To headers that hold a URI."""
        return self._addresses("To")

    @property
    def date_time(self) -> str | None:
        """When the sender says it was sent, as it says it (RFC 3339)."""
        return self.value("DateTime")

    @property
    def message_id(self) -> str | None:
        """imdn.Message-ID."""
        return self.value("Message-ID", IMDN)

    @property
    def disposition_notification(self) -> tuple[str, ...]:
        """The receipts asked for, in lower case and without parameters: `positive-delivery`, `display`..."""
        wanted: list[str] = []
        for header in self.all("Disposition-Notification", IMDN):
            wanted += (item.partition(";")[0].strip().lower() for item in header.value.split(","))
        return tuple(item for item in wanted if item)

    def _addresses(self, name: str) -> tuple[CpimAddress, ...]:
        found = (_ADDRESS.fullmatch(header.text) for header in self.all(name))
        return tuple(CpimAddress(_display(match.group(1)), unescape(match.group(2))) for match in found if match)


def encode_cpim(message: Cpim) -> bytes:
    """The bytes of a message."""
    lines = "".join(f"{header.name}:{header.raw}\r\n" for header in message.headers)
    return lines.encode() + b"\r\n" + encode_entity(message.content)


def decode_cpim(data: bytes, limits: CpimLimits) -> Cpim:
    """Read a message. Raises DecodeError."""
    if len(data) > limits.max_size:
        raise LimitExceeded(f"CPIM of {len(data)} bytes, at most {limits.max_size} allowed", code="cpim.limit")
    end = data.find(b"\r\n\r\n", 0, limits.max_header_bytes)
    if end < 0:
        if len(data) >= limits.max_header_bytes:
            raise LimitExceeded(f"header over {limits.max_header_bytes} bytes", code="cpim.limit")
        raise DecodeError("header without an end", code="cpim.truncated")
    if data.count(b"\n", 0, end) >= limits.max_headers:
        raise LimitExceeded(f"more than {limits.max_headers} headers", code="cpim.limit")
    try:
        lines = data[:end].decode().split("\r\n")
    except UnicodeDecodeError:
        raise DecodeError("header is not UTF-8", code="cpim.utf8") from None
    read = _resolve(lines)
    for namespace, name in _SINGLE:
        if sum(header.namespace == namespace and header.local.lower() == name for header in read) > 1:
            # Two readers that take different ones would disagree about which message this is.
            raise DecodeError(f"more than one {name}", code="cpim.duplicate")
    content = decode_part(data[end + 4 :], limits.mime())
    if content.header("content-type") is None:
        raise DecodeError("content without a type", code="cpim.content_type")
    return Cpim(read, content)


def headers(*pairs: tuple[str, str]) -> tuple[CpimHeader, ...]:
    """Headers of our own from (name, value as it is to be written): `headers(("From", ANONYMOUS), ("NS", "imdn <...>"))`.

    A value holding free text goes through `escape` first. Raises ValueError for what cannot be written.
    """
    lines = [f"{name}: {text}" for name, text in pairs]
    try:
        return _resolve(lines)
    except DecodeError as error:
        raise ValueError(str(error)) from None


def escape(text: str) -> str:
    """Free text as a header value: backslash and control characters escaped (section 2.3.1)."""
    return _MUST_ESCAPE.sub(lambda match: _SHORT.get(match.group(), f"\\u{ord(match.group()):04x}"), text)


def unescape(text: str) -> str:
    """A header value as text. An unknown escape stands for its character, a last backslash for nothing."""
    if "\\" not in text:
        return text
    plain = _ESCAPE.sub(_unescaped, text)
    # Escapes are UCS-2 code units: pairs make one character, a lone half would be no text at all.
    return plain.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


# --- grammar ---------------------------------------------------------------------------------------
_LINE = re.compile(r"((?:[!#$%&'*+^_`|~0-9A-Za-z-]+\.)?[!#$%&'*+^_`|~0-9A-Za-z-]+):([^\x00-\x1f\x7f]*)")
_PARAMETERS = re.compile(r'\A(?:;[^\s;="]+=(?:"[^"\\]*(?:\\.[^"\\]*)*"|[^\s;"]*))*')
_DECLARATION = re.compile(r" *([!#$%&'*+^_`|~0-9A-Za-z-]*) *<([^<> ]+)> *")
_ADDRESS = re.compile(r"([^<]*)<([^<>]*)>")
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.|\Z)", re.DOTALL)
_MUST_ESCAPE = re.compile(r"[\x00-\x1f\x7f\\]")
_SHORT = {"\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\r": "\\r"}
_LONG = {"b": "\b", "t": "\t", "n": "\n", "r": "\r", "": ""}
_SINGLE = ((IMDN, "message-id"), (CORE, "datetime"))


def _resolve(lines: list[str]) -> tuple[CpimHeader, ...]:
    """Lines to headers; a declaration counts for the lines behind it (section 3.4)."""
    known = {"": CORE}
    read: list[CpimHeader] = []
    for line in lines:
        match = _LINE.fullmatch(line)
        if match is None:
            raise DecodeError("malformed header", code="cpim.header")
        name, raw = match.groups()
        if name.upper() == "NS":
            prefix, uri = _declaration(raw)
            known[prefix.lower()] = uri
            read.append(CpimHeader(name, raw, CORE))
        else:
            prefix = name.rpartition(".")[0].lower()
            read.append(CpimHeader(name, raw, known.get(prefix, "")))
    return tuple(read)


def _declaration(raw: str) -> tuple[str, str]:
    match = _DECLARATION.fullmatch(raw)
    if match is None:
        raise DecodeError("malformed namespace declaration", code="cpim.namespace")
    return match.group(1), match.group(2)


def _display(text: str) -> str:
    name = text.strip(" ")
    if len(name) >= 2 and name[0] == name[-1] == '"':
        name = name[1:-1]
    return unescape(name)


def _unescaped(match: re.Match[str]) -> str:
    code = match.group(1)
    if len(code) == 5:
        return chr(int(code[1:], 16))
    return _LONG.get(code, code)
