"""Session descriptions (RFC 8866), as far as sessions for messages need them: bytes to values and back.

Read is every description that keeps to the grammar's order of lines; what messaging has no use for (information,
addresses of people, bandwidth, repetitions, keys) is kept as it stands. No attribute has a meaning here: which mean
what in an offer is `letterlock.sip.msrp_media`'s business. The work is linear in the input and bounded by SdpLimits.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from ..errors import DecodeError, InputError, LimitExceeded

__all__ = [
    "MEDIA_TYPE",
    "Attribute",
    "Connection",
    "Media",
    "Origin",
    "SdpLimits",
    "SessionDescription",
    "decode_sdp",
    "encode_sdp",
]

MEDIA_TYPE = "application/sdp"

_TOKEN = re.compile(r"[!#$%&'*+\-.0-9A-Z^_`a-z{|}~]+", re.ASCII)
_VISIBLE = re.compile(r"[^\x00-\x20\x7f]+")
_PROTOCOL = re.compile(r"[!#$%&'*+\-.0-9A-Z^_`a-z{|}~]+(?:/[!#$%&'*+\-.0-9A-Z^_`a-z{|}~]+)*", re.ASCII)
_DIGITS = re.compile(r"[0-9]{1,20}", re.ASCII)
_PORT = re.compile(r"([0-9]{1,5})(?:/([0-9]{1,5}))?", re.ASCII)
_LINE = re.compile(r"([a-z])=([^\r\n\x00]+)")

# Section 9: the order of lines, "order fixed, to enhance error detection" (section 5). A line may stand where the last
# one stood or further on; t, r and z are one group, which repeats.
_SESSION_ORDER = {
    letter: place for place, group in enumerate(("i", "u", "e", "p", "c", "b", "trz", "k", "a")) for letter in group
}
_MEDIA_ORDER = {letter: place for place, letter in enumerate("icbka")}
_ONCE = frozenset("iuk")


@dataclass(frozen=True, slots=True)
class SdpLimits:
    """Bounds checked before memory is taken (SR-08). `max_lines` holds for a whole description."""

    max_size: int
    max_lines: int
    max_media: int


@dataclass(frozen=True, slots=True)
class Attribute:
    """`a=name` or `a=name:value`."""

    name: str
    value: str | None = None


@dataclass(frozen=True, slots=True)
class Connection:
    """`c=`: for us `IN`, `IP4` or `IP6`, and an address, which may be a host name."""

    address: str
    address_type: str = "IP4"
    network: str = "IN"


@dataclass(frozen=True, slots=True)
class Origin:
    """`o=`: who made this description. The same one again means that nothing has changed (RFC 4975 section 8.4)."""

    username: str
    session_id: int
    version: int
    connection: Connection


@dataclass(frozen=True, slots=True)
class Media:
    """One `m=` line and what follows it. Port 0 refuses it (RFC 3264 section 6). `lines` are the others, as they stand."""

    kind: str
    port: int
    protocol: str
    formats: tuple[str, ...]
    connection: Connection | None = None
    attributes: tuple[Attribute, ...] = ()
    port_count: int | None = None
    lines: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    def attribute(self, name: str) -> str | None:
        """The first value of an attribute, "" when it has none, None when it is absent. Names have case (section 5.13)."""
        return next((a.value or "" for a in self.attributes if a.name == name), None)


@dataclass(frozen=True, slots=True)
class SessionDescription:
    """A whole description. `lines` are those of the session that have no field, as they stand."""

    origin: Origin
    media: tuple[Media, ...] = ()
    name: str = "-"
    connection: Connection | None = None
    attributes: tuple[Attribute, ...] = ()
    lines: tuple[tuple[str, str], ...] = field(default=(("t", "0 0"),), repr=False)

    def connection_of(self, media: Media) -> Connection | None:
        """The address for a medium: its own, else the session's (section 5.7)."""
        return media.connection or self.connection

    def attribute_of(self, media: Media, name: str) -> str | None:
        """An attribute of a medium, else of the session, which is the default for all (section 5.13)."""
        value = media.attribute(name)
        return value if value is not None else next((a.value or "" for a in self.attributes if a.name == name), None)


def decode_sdp(data: bytes, limits: SdpLimits) -> SessionDescription:
    """Raises DecodeError; LimitExceeded when over a bound."""
    if len(data) > limits.max_size:
        raise LimitExceeded("session description too long", code="sdp.limit.size")
    lines = _lines(data, limits)
    heads = [letter for letter, _ in lines[:3]]
    if heads != ["v", "o", "s"]:
        raise DecodeError("a session description begins with v, o and s", code="sdp.order")
    if lines[0][1] != "0":
        raise DecodeError("not version 0", code="sdp.version")
    origin = _origin(lines[1][1])
    starts = [i for i, (letter, _) in enumerate(lines) if letter == "m"]
    if len(starts) > limits.max_media:
        raise LimitExceeded("too many media", code="sdp.limit.media")
    session = lines[3 : starts[0] if starts else len(lines)]
    connections, attributes, others = _section(session, _SESSION_ORDER)
    if len(connections) > 1:
        raise DecodeError("more than one address", code="sdp.connection")
    times = [letter for letter, _ in others if letter in "trz"]
    if not times or times[0] != "t":
        raise DecodeError("no time", code="sdp.time")
    connection = connections[0] if connections else None
    media = tuple(_media(lines[a:b]) for a, b in zip(starts, [*starts[1:], len(lines)], strict=False))
    if connection is None and any(m.connection is None for m in media):
        # Section 5.7: "at least one 'c=' line in every media description or a single one at the session level".
        raise DecodeError("no address", code="sdp.connection")
    return SessionDescription(origin, media, lines[2][1], connection, attributes, others)


def encode_sdp(description: SessionDescription) -> bytes:
    """The bytes. Raises InputError when a value would break out of its line, or is empty."""
    origin = description.origin
    lines = [
        ("v", "0"),
        ("o", f"{origin.username} {origin.session_id} {origin.version} {_connection_text(origin.connection)}"),
        ("s", description.name),
        *_ordered(description.lines, description.connection, description.attributes, _SESSION_ORDER),
    ]
    for media in description.media:
        count = "" if media.port_count is None else f"/{media.port_count}"
        lines.append(("m", f"{media.kind} {media.port}{count} {media.protocol} {' '.join(media.formats)}"))
        lines += _ordered(media.lines, media.connection, media.attributes, _MEDIA_ORDER)
    texts = [f"{letter}={value}" for letter, value in lines]
    if not all(_LINE.fullmatch(text) for text in texts):
        raise InputError("a value cannot stand in a session description", code="sdp.injection")
    try:
        return "".join(f"{text}\r\n" for text in texts).encode()
    except UnicodeEncodeError:
        raise InputError("a value holds half a character", code="sdp.injection") from None


def _lines(data: bytes, limits: SdpLimits) -> list[tuple[str, str]]:
    if data.count(b"\n") > limits.max_lines:
        raise LimitExceeded("too many lines", code="sdp.limit.lines")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise DecodeError("not UTF-8", code="sdp.utf8") from None
    # Section 5: "parsers SHOULD be tolerant and also accept records terminated with a single newline character".
    found: list[tuple[str, str]] = []
    for line in text.removesuffix("\n").split("\n"):
        match = _LINE.fullmatch(line.removesuffix("\r"))
        if match is None:
            raise DecodeError("not a line of a session description", code="sdp.line")
        found.append((match[1], match[2]))
    return found


def _section(
    lines: list[tuple[str, str]], order: dict[str, int]
) -> tuple[list[Connection], tuple[Attribute, ...], tuple[tuple[str, str], ...]]:
    connections: list[Connection] = []
    attributes: list[Attribute] = []
    others: list[tuple[str, str]] = []
    place = 0
    seen: set[str] = set()
    for letter, value in lines:
        if letter not in order:
            # Section 5: a parser "MUST completely ignore any session description that contains a type letter that
            # it does not understand".
            raise DecodeError("a line of a kind that is not known here", code="sdp.letter")
        if order[letter] < place or (letter in _ONCE and letter in seen):
            raise DecodeError("lines out of order", code="sdp.order")
        place = order[letter]
        seen.add(letter)
        if letter == "c":
            connections.append(_connection(value))
        elif letter == "a":
            attributes.append(_attribute(value))
        else:
            others.append((letter, value))
    return connections, tuple(attributes), tuple(others)


def _media(lines: list[tuple[str, str]]) -> Media:
    parts = lines[0][1].split(" ")
    port = _PORT.fullmatch(parts[1]) if len(parts) >= 4 else None
    if port is None or int(port[1]) > 65_535:
        raise DecodeError("not a media line", code="sdp.media")
    kind, _, protocol, *formats = parts
    if not _TOKEN.fullmatch(kind) or not _PROTOCOL.fullmatch(protocol) or not all(map(_TOKEN.fullmatch, formats)):
        raise DecodeError("not a media line", code="sdp.media")
    connections, attributes, others = _section(lines[1:], _MEDIA_ORDER)
    if len(connections) > 1:
        # Only a layered multicast has several (section 5.7), which no session of ours is.
        raise DecodeError("more than one address", code="sdp.connection")
    count = None if port[2] is None else int(port[2])
    connection = connections[0] if connections else None
    return Media(kind, int(port[1]), protocol, tuple(formats), connection, attributes, count, others)


def _origin(text: str) -> Origin:
    parts = text.split(" ")
    if len(parts) != 6 or not _VISIBLE.fullmatch(parts[0]) or not all(map(_DIGITS.fullmatch, parts[1:3])):
        raise DecodeError("not an origin", code="sdp.origin")
    return Origin(parts[0], int(parts[1]), int(parts[2]), _connection(" ".join(parts[3:])))


def _connection(text: str) -> Connection:
    parts = text.split(" ")
    if len(parts) != 3 or not all(map(_TOKEN.fullmatch, parts[:2])) or not _VISIBLE.fullmatch(parts[2]):
        raise DecodeError("not an address", code="sdp.connection")
    return Connection(parts[2], parts[1], parts[0])


def _connection_text(connection: Connection) -> str:
    return f"{connection.network} {connection.address_type} {connection.address}"


def _attribute(text: str) -> Attribute:
    name, colon, value = text.partition(":")
    if not _TOKEN.fullmatch(name) or (colon and not value):
        raise DecodeError("not an attribute", code="sdp.attribute")
    return Attribute(name, value if colon else None)


def _ordered(
    lines: Iterable[tuple[str, str]],
    connection: Connection | None,
    attributes: tuple[Attribute, ...],
    order: dict[str, int],
) -> list[tuple[str, str]]:
    """The lines of one section where the grammar wants them."""
    out = list(lines)
    if connection is not None:
        out.append(("c", _connection_text(connection)))
    out += [("a", a.name if a.value is None else f"{a.name}:{a.value}") for a in attributes]
    try:
        return sorted(out, key=lambda line: order[line[0]])
    except KeyError:
        raise InputError("a line of a kind that is not known here", code="sdp.injection") from None
