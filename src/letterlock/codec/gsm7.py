"""The GSM 7-bit default alphabet and its extension table (3GPP TS 23.038 sections 6.2.1 and 6.2.1.1), a septet an octet.

SMPP passes septets unpacked. Both directions are total: what cannot be written gives None, and what cannot be read gives
the replacement character, never an error, because an SMS is text from anybody.
"""

from __future__ import annotations

__all__ = ["ESCAPE", "decode", "encode"]

ESCAPE = 0x1B

_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅå"
    "Δ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ"
    " !\"#¤%&'()*+,-./"
    "0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNO"
    "PQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmno"
    "pqrstuvwxyzäöñüà"
)
_EXTENSION = {
    0x0A: "\f",
    0x14: "^",
    0x28: "{",
    0x29: "}",
    0x2F: "\\",
    0x3C: "[",
    0x3D: "~",
    0x3E: "]",
    0x40: "|",
    0x65: "€",
}
_ENCODED = {character: bytes([code]) for code, character in enumerate(_BASIC) if code != ESCAPE}
_ENCODED |= {character: bytes([ESCAPE, code]) for code, character in _EXTENSION.items()}


def encode(text: str) -> bytes | None:
    """The octets, or None where a character is in neither table."""
    out = bytearray()
    for character in text:
        code = _ENCODED.get(character)
        if code is None:
            return None
        out += code
    return bytes(out)


def decode(data: bytes) -> str:
    """The text. An extension that nobody knows shows as the character of the first table, as the specification has it."""
    out = []
    escaped = False
    for octet in data:
        if octet >= len(_BASIC):
            out.append("\ufffd")
            escaped = False
        elif escaped:
            # An escape after an escape is reserved, and shown as a space.
            out.append(" " if octet == ESCAPE else _EXTENSION.get(octet) or _BASIC[octet])
            escaped = False
        elif octet == ESCAPE:
            escaped = True
        else:
            out.append(_BASIC[octet])
    return "".join(out)
