"""Content as a letter, and back: a MIME entity, and CPIM headers that travel with it inside the ciphertext.

Everybody reads the entity. What orders our messages stands in headers of our own namespace, which other vendors' clients
pass over: Lamport time, sequence, device, what the sender had seen, its clock. A letter without them has no place but
that of its arrival, and nothing is ever missing before it. What these headers say is the word of the certified sender
about itself: it can make its own messages stand wrong, and nobody else's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ...codec import cpim
from ...codec.cpim import CpimHeader
from ...codec.mime import MimeLimits, MimePart, decode_part
from ...codec.mime import encode as encode_part
from ...conversation_seam import LetterReceived, PacketHeader
from ...ids import AccountId, DeviceId, Instant, MessageId
from ...rcc16.wire.content_types import FILE
from ...seam import Seen
from ..content import Parts, encode
from ..content.file import FILE_TYPE
from ..content.parts import LETTERLOCK, RCS

__all__ = ["Placed", "headers_of", "placed", "read_letter", "referring_to", "refers_to", "write_letter"]

_MOST_SEEN = 32
_MAX_FIELDS = 64
_MAX_FIELD_BYTES = 8_192
_DIGITS = re.compile(r"[0-9]{1,15}", re.ASCII)
_SEEN = re.compile(r"([0-9a-f]{32})\.([0-9]{1,3})\.([0-9]{1,10})", re.ASCII)
_NAMES = ("lamport", "sequence", "device", "seen", "sent")
_REFERENCE = "reference-id"
_FAR = (1 << 32) - 2


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a letter of ours stands. `sequence` 0: it has no place (a foreign client's)."""

    lamport: int
    sequence: int
    device: DeviceId
    seen: tuple[Seen, ...] = ()
    sent_at: Instant = 0


def write_letter(parts: Parts) -> bytes:
    """The entity that everybody reads: as deployed clients write it (rcc16.md 4.3)."""
    return encode_part(MimePart.of(parts.content_type, parts.body, disposition="inline"))


def headers_of(parts: Parts, place: Placed) -> tuple[PacketHeader, ...]:
    """What the content refers to, and where it stands."""
    seen = " ".join(f"{each.account.hex()}.{each.device}.{each.sequence}" for each in place.seen[-_MOST_SEEN:])
    about = tuple(
        PacketHeader(header.namespace, header.local, header.value)
        for header in parts.headers
        if header.name.upper() != "NS"
    )
    return (
        *about,
        PacketHeader(LETTERLOCK, "Lamport", str(place.lamport)),
        PacketHeader(LETTERLOCK, "Sequence", str(place.sequence)),
        PacketHeader(LETTERLOCK, "Device", str(place.device)),
        *((PacketHeader(LETTERLOCK, "Seen", seen),) if seen else ()),
        PacketHeader(LETTERLOCK, "Sent", str(place.sent_at)),
    )


def placed(letter: LetterReceived) -> Placed:
    """Where the sender says that it stands; nowhere if it does not say all of it, or what cannot be."""
    values = {
        header.name.lower(): header.value
        for header in letter.headers
        if header.namespace == LETTERLOCK and header.name.lower() in _NAMES
    }
    sent = values.get("sent", "")
    sent_at = int(sent) if _DIGITS.fullmatch(sent) else 0
    numbers = [values.get(name, "") for name in _NAMES[:3]]
    if not all(_DIGITS.fullmatch(text) for text in numbers):
        return Placed(0, 0, _device_of(letter.device), sent_at=sent_at)
    lamport, sequence, device = map(int, numbers)
    if not 1 <= device <= 127 or not 1 <= sequence <= _FAR:
        return Placed(0, 0, _device_of(letter.device), sent_at=sent_at)
    seen = []
    for word in values.get("seen", "").split()[:_MOST_SEEN]:
        match = _SEEN.fullmatch(word)
        if match is not None and 1 <= int(match[2]) <= 127:
            seen.append(Seen(AccountId(bytes.fromhex(match[1])), DeviceId(int(match[2])), int(match[3])))
    return Placed(lamport, sequence, DeviceId(device), tuple(seen), sent_at)


def refers_to(letter: LetterReceived) -> str:
    """The id of the message that a letter is about; empty when it is about none."""
    for header in letter.headers:
        if header.name.lower() == _REFERENCE and header.namespace in (RCS, LETTERLOCK):
            return header.value.strip()
    return ""


def referring_to(letter: LetterReceived, root: MessageId) -> tuple[PacketHeader, ...]:
    """Its headers, about the message that people know under this id: it was sent again under another one."""
    return tuple(
        PacketHeader(header.namespace, header.name, root)
        if header.name.lower() == _REFERENCE and header.namespace in (RCS, LETTERLOCK)
        else header
        for header in letter.headers
    )


def read_letter(entity: bytes, headers: tuple[PacketHeader, ...], sent_at: Instant) -> bytes:
    """The entity as the engine keeps and reads it, its headers in front. Raises DecodeError."""
    part = decode_part(entity, MimeLimits(len(entity), _MAX_FIELDS, _MAX_FIELD_BYTES, 0, 0))
    kind = part.header("content-type") or "application/octet-stream"
    if kind.partition(";")[0].strip().lower() == FILE:
        kind = FILE_TYPE  # deployed clients call the document of an encrypted file either way (rcc16.md 4.3)
    return encode(
        Parts(kind if kind.isprintable() else "application/octet-stream", part.content(), _cpim(headers)), sent_at
    )


def _cpim(headers: tuple[PacketHeader, ...]) -> tuple[CpimHeader, ...]:
    """Without what orders it: that is not kept. One that cannot stand in CPIM is left out."""
    prefixes: dict[str, str] = {}
    out: list[CpimHeader] = []
    for header in headers:
        if header.namespace == LETTERLOCK and header.name.lower() in _NAMES:
            continue
        prefix = prefixes.get(header.namespace, f"n{len(prefixes) + 1}")
        try:
            written = cpim.headers(
                ("NS", f"{prefix} <{header.namespace}>"), (f"{prefix}.{header.name}", cpim.escape(header.value))
            )
        except ValueError:
            continue
        out.extend(written[1:] if header.namespace in prefixes else written)
        prefixes[header.namespace] = prefix
    return tuple(out)


def _device_of(device: bytes) -> DeviceId:
    """A small number that tells a foreign sender's devices apart where people look; repeats are told by the whole of it."""
    return DeviceId(1 + device[0] % 127 if device else 1)
