"""MIME entities (RFC 2045, 2046): header fields and a body, kept byte for byte.

`decode_part` reads one entity and looks no deeper; `decode_tree` opens multiparts down to a bound.
What was read is written back exactly: a field keeps the bytes behind its colon, a multipart keeps its
preamble, epilogue and padding. Lines end in CRLF and nothing else; a bare CR or LF in a header is
refused because two readers would disagree about where the header ends.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

from ..errors import DecodeError, LimitExceeded
from .transfer import decode_transfer, encode_transfer

__all__ = [
    "ContentType",
    "Entity",
    "Field",
    "MimeLimits",
    "MimePart",
    "Multipart",
    "decode_content_type",
    "decode_part",
    "decode_tree",
    "encode",
]


@dataclass(frozen=True, slots=True)
class MimeLimits:
    """Bounds, checked before memory is taken (SR-08). Sizes in bytes; counts are over the whole tree.

    `max_header_bytes` is of one header block. `max_depth` 1 allows one multipart of leaves.
    """

    max_size: int
    max_headers: int
    max_header_bytes: int
    max_depth: int
    max_parts: int


@dataclass(frozen=True, slots=True)
class Field:
    """One header field. `raw` is what stands between the colon and the final CRLF, folding included."""

    name: str
    raw: bytes

    @classmethod
    def of(cls, name: str, value: str) -> Field:
        """A field of our own. Raises ValueError for a name or value that cannot stand on one line."""
        if not _NAME.fullmatch(name.encode("ascii", "replace")):
            raise ValueError("not a header name")
        raw = value.encode()
        if _CONTROL.search(raw):
            raise ValueError("a header value holds no control characters")
        return cls(name, b" " + raw)

    @property
    def value(self) -> str:
        """The value unfolded and trimmed; bytes that are no UTF-8 show as U+FFFD."""
        return self.raw.replace(b"\r\n", b"").strip(b" \t").decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class ContentType:
    """A media type in lower case and its parameters, names in lower case."""

    media_type: str
    parameters: tuple[tuple[str, str], ...] = ()

    def parameter(self, name: str) -> str | None:
        """The first parameter of that name."""
        return next((value for key, value in self.parameters if key == name.lower()), None)


@dataclass(frozen=True, slots=True)
class MimePart:
    """One entity. `body` is as on the wire; `content()` undoes the transfer encoding."""

    fields: tuple[Field, ...]
    body: bytes

    @classmethod
    def of(
        cls,
        media_type: str,
        content: bytes,
        *,
        transfer_encoding: str = "",
        disposition: str = "",
        content_length: bool = True,
    ) -> MimePart:
        """An entity of our own; `transfer_encoding` is empty (binary), `base64` or `quoted-printable`."""
        fields = [Field.of("Content-Type", media_type)]
        if disposition:
            fields.append(Field.of("Content-Disposition", disposition))
        if transfer_encoding:
            fields.append(Field.of("Content-Transfer-Encoding", transfer_encoding))
            content = encode_transfer(transfer_encoding, content)
        if content_length:
            fields.append(Field.of("Content-Length", str(len(content))))
        return cls(tuple(fields), content)

    def header(self, name: str) -> str | None:
        """The value of the first field of that name, in any case."""
        return _header(self.fields, name)

    @property
    def content_type(self) -> ContentType:
        """Raises DecodeError when the field is there and malformed; absent means text/plain (RFC 2045 section 5.2)."""
        return _content_type(self.fields)

    @property
    def disposition(self) -> str:
        """The first token of Content-Disposition in lower case, or an empty string."""
        return (self.header("content-disposition") or "").partition(";")[0].strip().lower()

    def content(self) -> bytes:
        """The body with its transfer encoding undone. Raises DecodeError when it is unknown or does not hold."""
        return decode_transfer(self.header("content-transfer-encoding") or "", self.body)


@dataclass(frozen=True, slots=True)
class Multipart:
    """An entity made of entities. `padding` holds the blanks behind each delimiter where there are any.

    `preamble` and `epilogue` are None when not even their line break is there.
    """

    fields: tuple[Field, ...]
    parts: tuple[Entity, ...]
    preamble: bytes | None = None
    epilogue: bytes | None = None
    padding: tuple[bytes, ...] = ()

    @classmethod
    def of(cls, subtype: str, boundary: str, parts: tuple[Entity, ...]) -> Multipart:
        """A multipart of our own. The caller picks a boundary that no part contains (RFC 2046 section 5.1.1)."""
        if not _BOUNDARY.fullmatch(boundary):
            raise ValueError("not a boundary")
        return cls((Field.of("Content-Type", f'multipart/{subtype};boundary="{boundary}"'),), parts)

    def header(self, name: str) -> str | None:
        """The value of the first field of that name, in any case."""
        return _header(self.fields, name)

    @property
    def content_type(self) -> ContentType:
        return _content_type(self.fields)


Entity: TypeAlias = MimePart | Multipart


def encode(entity: Entity) -> bytes:
    """The bytes of an entity."""
    pieces: list[bytes] = []
    _write(entity, pieces)
    return b"".join(pieces)


def decode_part(data: bytes, limits: MimeLimits) -> MimePart:
    """Read one entity; a multipart stays one body. Raises DecodeError."""
    fields, body = _Reader(data, limits).fields(0, len(data))
    return MimePart(fields, data[body:])


def decode_tree(data: bytes, limits: MimeLimits) -> Entity:
    """Read an entity and all entities in it. Raises DecodeError, LimitExceeded when it is too deep or has too many.

    Multiparts are found by offsets into `data`; only leaf bodies are copied, so that a nested bomb
    costs its own size at most (SR-08).
    """
    return _Reader(data, limits).entity(0, len(data), 0)


def decode_content_type(text: str) -> ContentType:
    """Read a Content-Type value. Raises DecodeError."""
    match = _MEDIA_TYPE.match(text)
    if match is None:
        raise DecodeError("malformed Content-Type", code="mime.content_type")
    position = match.end()
    parameters: list[tuple[str, str]] = []
    while position < len(text):
        found = _PARAMETER.match(text, position)
        if found is None:
            raise DecodeError("malformed Content-Type parameter", code="mime.content_type")
        name, token, quoted = found.groups()
        if name is not None:
            parameters.append((name.lower(), token if token is not None else _QUOTED_PAIR.sub(r"\1", quoted)))
        position = found.end()
    return ContentType(match.group(1).lower(), tuple(parameters))


# --- grammar ---------------------------------------------------------------------------------------
_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - a grammar production
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
# One field with its continuation lines. No blank before the colon: some readers take it, some do not,
# and a field that only one of them sees is how checks are got round.
# Possessive, so that folds cost no backtracking memory.
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]++):([^\r\n\x00]*+(?:\r\n[ \t][^\r\n\x00]*+)*+)\r\n")
_MEDIA_TYPE = re.compile(rf"\s*({_TOKEN}/{_TOKEN})[ \t]*")
_PARAMETER = re.compile(rf';[ \t]*(?:({_TOKEN})=(?:({_TOKEN})|"([^"\\]*(?:\\.[^"\\]*)*)")[ \t]*)?', re.DOTALL)
_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]")
_DELIMITER_END = re.compile(rb"(--)?([ \t]*)(?=\r\n|\Z)")


class _Reader:
    """One bounded descent over one buffer. The counts of fields and parts are over the whole of it."""

    __slots__ = ("_data", "_fields_left", "_limits", "_parts_left")

    def __init__(self, data: bytes, limits: MimeLimits) -> None:
        if len(data) > limits.max_size:
            raise LimitExceeded(f"entity of {len(data)} bytes, at most {limits.max_size} allowed", code="mime.limit")
        self._data = data
        self._limits = limits
        self._fields_left = limits.max_headers
        self._parts_left = limits.max_parts

    def fields(self, start: int, stop: int) -> tuple[tuple[Field, ...], int]:
        """The fields from `start`, and where the body begins."""
        data = self._data
        fields: list[Field] = []
        position = start
        horizon = min(stop, start + self._limits.max_header_bytes)
        while not data.startswith(b"\r\n", position, stop):
            match = _FIELD.match(data, position, horizon)
            if match is None:
                if horizon < stop and data.find(b"\r\n\r\n", position, horizon) < 0:
                    raise LimitExceeded(f"header over {self._limits.max_header_bytes} bytes", code="mime.limit")
                raise DecodeError("malformed header field", code="mime.header")
            if self._fields_left == 0:
                raise LimitExceeded(f"more than {self._limits.max_headers} header fields", code="mime.limit")
            self._fields_left -= 1
            fields.append(Field(match.group(1).decode("ascii"), match.group(2)))
            position = match.end()
        return tuple(fields), position + 2

    def entity(self, start: int, stop: int, depth: int) -> Entity:
        fields, body = self.fields(start, stop)
        kind = _content_type(fields)
        if not kind.media_type.startswith("multipart/"):
            return MimePart(fields, self._data[body:stop])
        if depth == self._limits.max_depth:
            raise LimitExceeded(f"multiparts nested more than {depth} deep", code="mime.limit")
        boundary = kind.parameter("boundary")
        if boundary is None or not _BOUNDARY.fullmatch(boundary):
            raise DecodeError("multipart without a boundary", code="mime.boundary")
        return self._multipart(fields, b"--" + boundary.encode("ascii"), body, stop, depth)

    def _multipart(self, fields: tuple[Field, ...], delimiter: bytes, start: int, stop: int, depth: int) -> Multipart:
        data = self._data
        lines = self._delimiters(delimiter, start, stop)
        parts: list[Entity] = []
        for (_, begin, _), (end, _, _) in pairwise(lines):
            if end - 2 < begin + 2:
                raise DecodeError("part without a header block", code="mime.truncated")
            parts.append(self.entity(begin + 2, end - 2, depth + 1))
        first, last = lines[0][0], lines[-1][1]
        preamble = None if first == start else data[start : first - 2]
        epilogue = None if last == stop else data[last + 2 : stop]
        padding = tuple(blanks for _, _, blanks in lines)
        return Multipart(fields, tuple(parts), preamble, epilogue, padding if any(padding) else ())

    def _delimiters(self, delimiter: bytes, start: int, stop: int) -> list[tuple[int, int, bytes]]:
        """(start, end, blanks) of each delimiter line up to the closing one; nothing is built before they are counted."""
        data = self._data
        lines: list[tuple[int, int, bytes]] = []
        at = data.find(delimiter, start, stop)
        while at >= 0:
            match = _DELIMITER_END.match(data, at + len(delimiter), stop)
            # The CRLF before a delimiter belongs to it (RFC 2046 section 5.1.1); only the very first may stand without.
            if match is not None and (at == start or (at >= start + 2 and data.startswith(b"\r\n", at - 2))):
                lines.append((at, match.end(), match.group(2)))
                if match.group(1):
                    if len(lines) == 1:
                        raise DecodeError("multipart without parts", code="mime.multipart")
                    return lines
                if self._parts_left == 0:
                    raise LimitExceeded(f"more than {self._limits.max_parts} parts", code="mime.limit")
                self._parts_left -= 1
            at = data.find(delimiter, at + len(delimiter), stop)
        raise DecodeError("multipart without its closing delimiter", code="mime.truncated")


def _header(fields: tuple[Field, ...], name: str) -> str | None:
    wanted = name.lower()
    return next((field.value for field in fields if field.name.lower() == wanted), None)


def _content_type(fields: tuple[Field, ...]) -> ContentType:
    value = _header(fields, "content-type")
    return ContentType("text/plain") if value is None else decode_content_type(value)


def _write(entity: Entity, out: list[bytes]) -> None:
    for field in entity.fields:
        out += (field.name.encode("ascii"), b":", field.raw, b"\r\n")
    out.append(b"\r\n")
    if isinstance(entity, MimePart):
        out.append(entity.body)
        return
    delimiter = b"--" + (entity.content_type.parameter("boundary") or "").encode("ascii")
    padding = iter(entity.padding or (b"",) * (len(entity.parts) + 1))
    if entity.preamble is not None:
        out += (entity.preamble, b"\r\n")
    for part in entity.parts:
        out += (delimiter, next(padding), b"\r\n")
        _write(part, out)
        out.append(b"\r\n")
    out += (delimiter, b"--", next(padding))
    if entity.epilogue is not None:
        out += (b"\r\n", entity.epilogue)
