"""How bodies are made fit to travel: base64, quoted-printable (RFC 2045 section 6), and compression undone within a bound."""

from __future__ import annotations

import base64
import binascii
import re
import zlib

from ..errors import DecodeError, LimitExceeded

__all__ = ["decode_transfer", "encode_transfer", "inflate"]


def encode_transfer(name: str, content: bytes) -> bytes:
    """Content as `base64` or `quoted-printable`. Raises ValueError for another name."""
    if name == "base64":
        text = base64.b64encode(content)
        return b"\r\n".join(text[at : at + 76] for at in range(0, len(text), 76))
    if name == "quoted-printable":
        # Every byte that could be changed on the way is written out, so that this is right for any content.
        pieces = [chr(byte) if byte in _PLAIN else f"={byte:02X}" for byte in content]
        lines: list[str] = []
        line = ""
        for piece in pieces:
            if len(line) + len(piece) > 75:
                lines.append(line + "=")
                line = ""
            line += piece
        return "\r\n".join([*lines, line]).encode("ascii")
    raise ValueError("transfer encodings are base64 and quoted-printable")


def decode_transfer(name: str, body: bytes) -> bytes:
    """Undo a Content-Transfer-Encoding. Raises DecodeError when it is unknown or does not hold."""
    encoding = name.strip().lower()
    if encoding in ("", "binary", "8bit", "7bit"):
        return body
    if encoding == "base64":
        return _decode_base64(body)
    if encoding == "quoted-printable":
        return _decode_quoted_printable(body)
    raise DecodeError("unknown transfer encoding", code="mime.transfer_encoding")


def inflate(data: bytes, encoding: str, max_size: int) -> bytes:
    """Undo a Content-Encoding (`deflate`, `gzip`, `identity`); peers send receipts deflated.

    Raises DecodeError; LimitExceeded as soon as the output would pass `max_size`.
    """
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return data
    if name not in ("deflate", "gzip", "x-gzip"):
        raise DecodeError("unknown content encoding", code="mime.content_encoding")
    # `deflate` is the zlib format (RFC 9110 section 8.4.1.2); some send the raw stream instead.
    for window in (zlib.MAX_WBITS, -zlib.MAX_WBITS) if name == "deflate" else (zlib.MAX_WBITS | 16,):
        try:
            return _inflate(data, window, max_size)
        except zlib.error:
            continue
    raise DecodeError("compressed content does not inflate", code="mime.content_encoding")


_QUOTED_PRINTABLE = re.compile(rb"=([0-9A-Fa-f]{2})|=[ \t]*\r\n|=|[ \t]+(?:\r\n)?")
_PLAIN = frozenset(range(0x21, 0x7F)) - {0x3D}
_STEP = 4096


def _inflate(data: bytes, window: int, max_size: int) -> bytes:
    """In small steps, so that a bomb costs what it may inflate to and no more."""
    machine = zlib.decompressobj(window)
    out: list[bytes] = []
    size = 0
    for at in range(0, len(data), _STEP):
        if machine.eof:
            break  # what follows the stream is none of it
        piece = data[at : at + _STEP]
        while piece:
            out.append(machine.decompress(piece, _STEP))
            size += len(out[-1])
            if size > max_size:
                raise LimitExceeded(f"inflates to more than {max_size} bytes", code="mime.limit")
            piece = machine.unconsumed_tail
    # All input is taken; what the machine still holds comes out step by step too.
    while not machine.eof:
        rest = machine.decompress(b"", _STEP)
        size += len(rest)
        if size > max_size:
            raise LimitExceeded(f"inflates to more than {max_size} bytes", code="mime.limit")
        if not rest:
            raise zlib.error("incomplete")
        out.append(rest)
    return b"".join(out)


def _decode_base64(body: bytes) -> bytes:
    text = body.translate(None, b" \t\r\n")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise DecodeError("not base64", code="mime.base64") from None


def _decode_quoted_printable(body: bytes) -> bytes:
    out = bytearray()
    position = 0
    for match in _QUOTED_PRINTABLE.finditer(body):
        out += body[position : match.start()]
        position = match.end()
        text = match.group()
        if match.group(1):
            out.append(int(match.group(1), 16))
        elif text == b"=":
            raise DecodeError("not quoted-printable", code="mime.quoted_printable")
        elif text[:1] != b"=":
            # RFC 2045 section 6.7 rule 3: blanks at the end of a line were added in transit.
            out += b"\r\n" if text.endswith(b"\n") else text
    return bytes(out + body[position:])
