"""Looking for plaintext in a wire log: really, and in every form that it could hide in by accident or habit.

Each connection's bytes are put together first, and so are the chunks of MSRP messages (`reassembly`). A needle is looked for as UTF-8 and as UTF-16 of both
orders; each of these as it is, as base64 at its three alignments with both alphabets (line breaks or
not), and as hex; in the bytes as they went, with quoted-printable and percent escapes undone, with
JSON escapes and XML entities, in what zlib, gzip and raw deflate streams inflate to, and in what runs of
base64 decode to. Raw deflate has no mark of its own: it is tried where a body or a header's end lets one start.

A base64 form shorter than eight characters would be found by chance; it is not looked for. At its ends
such a form holds half a byte that may belong to the neighbours and is left out: it finds rather too much.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import html
import json
import os
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from .reassembly import msrp_messages
from .wirelog import Layer, Stream, WireLog, read_wire_log

__all__ = ["Hit", "Searcher", "search"]

_MAX_INFLATED = 4 * 1024 * 1024
_MAX_DEPTH = 3
_ZLIB_START = re.compile(rb"(?=[\x08\x18\x28\x38\x48\x58\x68\x78][\x00-\xff]|\x1f\x8b\x08)")
_BODY_START = re.compile(rb"\r?\n\r?\n")
_BASE64_RUN = re.compile(rb"[A-Za-z0-9+/_\-](?:[A-Za-z0-9+/_\-]|[ \t]*\r?\n[ \t]*(?=[A-Za-z0-9+/_\-])){15,}={0,2}")
_BLANKS = b" \t\r\n"
_SHORTEST_BASE64 = 8
_SHORTEST_INFLATED = 4
_STEP = 512


@dataclass(frozen=True, slots=True)
class Hit:
    """Where a needle was found, and in which form."""

    connection: int
    received: bool
    layer: Layer
    form: str
    offset: int


class Searcher:
    """One log, made ready once and searched often; only the streams that `of` chooses, if it is given.

    What was said is short and looked for in many forms: megabytes of a file's ciphertext are searched for what is in
    files, and not for every word of a conversation.
    """

    def __init__(
        self, log: WireLog | str | os.PathLike[str], of: Callable[[Stream], bool] = lambda stream: True
    ) -> None:
        self._log = log if isinstance(log, WireLog) else read_wire_log(log)
        streams = [stream for stream in self._log.streams() if of(stream)]
        self._haystacks = [(stream, list(_views(stream, ""))) for stream in streams]
        self._haystacks += [(message, list(_views(message, "an MSRP message"))) for message in msrp_messages(streams)]

    def search(self, needle: str | bytes) -> list[Hit]:
        """Every form of `needle` that is in the log, once for each stream and form. Raises ValueError for an empty one."""
        if not needle:
            raise ValueError("nothing to look for")
        forms = list(_forms(needle if isinstance(needle, bytes) else needle.encode()))
        hits: list[Hit] = []
        for stream, views in self._haystacks:
            for how, data in views:
                for name, form in forms:
                    at = data.find(form)
                    if at >= 0:
                        label = " in ".join(part for part in (name, how) if part) or "as it is"
                        hits.append(Hit(stream.connection, stream.received, stream.layer, label, at))
        return hits


def search(log: WireLog | str | os.PathLike[str], needle: str | bytes) -> list[Hit]:
    """Every place and form in which `needle` went over the wire; empty when it did not."""
    return Searcher(log).search(needle)


# --- the needle ------------------------------------------------------------------------------------
def _forms(needle: bytes) -> Iterator[tuple[str, bytes]]:
    seen: set[bytes] = set()
    for name, form in _all_forms(needle):
        if form and form not in seen:
            seen.add(form)
            yield name, form


def _all_forms(needle: bytes) -> Iterator[tuple[str, bytes]]:
    yield "", needle
    texts = [("", needle)]
    try:
        text = needle.decode()
    except UnicodeDecodeError:
        text = ""
    if text:
        texts += [("UTF-16-LE", text.encode("utf-16-le")), ("UTF-16-BE", text.encode("utf-16-be"))]
        yield "JSON escapes", json.dumps(text)[1:-1].encode()
        yield "JSON escapes", json.dumps(text, ensure_ascii=False)[1:-1].encode()
        yield "XML escapes", html.escape(text).encode()
        yield "XML escapes", html.escape(text, quote=False).encode()
        yield "XML escapes", "".join(f"&#{ord(char)};" for char in text).encode()
    for kind, data in texts:
        yield kind, data
        for shift in range(3):
            for alphabet, encode in (("base64", base64.standard_b64encode), ("base64url", base64.urlsafe_b64encode)):
                inner = _aligned(data, shift, encode(bytes(shift) + data))
                if len(inner) >= _SHORTEST_BASE64:
                    yield f"{alphabet}+{shift} {kind}".strip(), inner
        yield f"hex {kind}".strip(), data.hex().encode()
        yield f"hex {kind}".strip(), data.hex().upper().encode()


def _aligned(data: bytes, shift: int, encoded: bytes) -> bytes:
    """The characters that depend on `data` alone when it starts `shift` bytes into a group of three."""
    start = -(-shift * 8 // 6)
    stop = (shift + len(data)) * 8 // 6
    return encoded[start:stop]


# --- the haystack ------------------------------------------------------------------------------------
def _views(stream: Stream, kind: str) -> Iterator[tuple[str, bytes]]:
    """The bytes of a stream and all that they may stand for, each with how it was come by."""
    seen: set[bytes] = set()
    todo: list[tuple[str, bytes, int]] = [(kind, stream.data, 0)]
    while todo:
        how, data, depth = todo.pop()
        if data in seen:
            continue
        seen.add(data)
        yield how, data
        for name, plain in _readings(data):
            if plain not in seen:
                seen.add(plain)
                yield _join(name, how), plain
        if depth < _MAX_DEPTH:
            todo += ((_join(name, how), inner, depth + 1) for name, inner in _contents(data))


def _readings(data: bytes) -> Iterator[tuple[str, bytes]]:
    """The same text with line breaks or escapes undone."""
    yield "lines joined", data.translate(None, _BLANKS)
    yield "bytes without separators", data.translate(None, b" :\r\n")
    if b"=" in data:
        yield "quoted-printable", binascii.a2b_qp(data)
    if b"%" in data:
        yield "percent escapes", unquote_to_bytes(data)


def _contents(data: bytes) -> Iterator[tuple[str, bytes]]:
    """What is packed inside."""
    for match in _ZLIB_START.finditer(data):
        at = match.start()
        gzipped = data[at] == 0x1F
        if gzipped or int.from_bytes(data[at : at + 2], "big") % 31 == 0:
            yield from _inflated("gzip" if gzipped else "zlib", data, at, zlib.MAX_WBITS | (16 if gzipped else 0))
    for at in {0, *(match.end() for match in _BODY_START.finditer(data))}:
        yield from _inflated("deflate", data, at, -zlib.MAX_WBITS)
    for match in _BASE64_RUN.finditer(data):
        run = match.group().translate(None, _BLANKS).rstrip(b"=").replace(b"-", b"+").replace(b"_", b"/")
        # A run may begin with letters that were not of it: all four alignments are read.
        for skip in range(4):
            part = run[skip:]
            part = part[: len(part) - 1] if len(part) % 4 == 1 else part
            yield "base64 run", base64.b64decode(part + b"=" * (-len(part) % 4))


def _inflated(name: str, data: bytes, at: int, window: int) -> Iterator[tuple[str, bytes]]:
    machine = zlib.decompressobj(window)
    out = bytearray()
    while at < len(data) and not machine.eof and len(out) < _MAX_INFLATED:
        before = machine.copy()
        piece = data[at : at + _STEP]
        try:
            out += machine.decompress(piece)
        except zlib.error:
            # Cut off or followed by something else: byte by byte, all that comes before the error is kept.
            with contextlib.suppress(zlib.error):
                for index in range(len(piece)):
                    out += before.decompress(piece[index : index + 1])
            break
        at += _STEP
    if len(out) >= _SHORTEST_INFLATED:
        yield name, bytes(out)


def _join(name: str, how: str) -> str:
    return f"{name} in {how}" if how else name
