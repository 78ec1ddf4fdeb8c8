"""Offer and answer for message sessions: what of MSRP stands in a session description.

RFC 3264 for the exchange, RFC 4975 section 8 for its attributes, RFC 6135 for who connects, RFC 6714 for networks that
put themselves in between, RFC 4572 for fingerprints. Values only: nobody is connected to here.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass, field

from ..codec.msrp import Path, encode_path, parse_path
from ..codec.sdp import Attribute, Connection, Media, Origin, SessionDescription
from ..errors import DecodeError, ProtocolError

__all__ = [
    "Agreement",
    "Direction",
    "Fingerprint",
    "MsrpMedia",
    "Setup",
    "agree",
    "answer_description",
    "answering_setup",
    "matches_type",
    "offer_description",
    "read_answer",
    "read_offer",
]

_PLAIN, _SECURE = "TCP/MSRP", "TCP/TLS/MSRP"
_MAX_PATH = 8
_DEFAULT_PORT = 2855  # RFC 4975 section 15.4
_MAX_TYPES = 64
_MAX_FINGERPRINTS = 8
_FINGERPRINT = re.compile(r"([A-Za-z0-9\-]+) +([0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){15,63})", re.ASCII)
_TYPE = re.compile(r"(?:\*|[!#-'*+\-.0-9A-Z^-~]+/[!#-'*+\-.0-9A-Z^-~]+)(?:;[^\s]*)?", re.ASCII | re.IGNORECASE)
_SIZE = re.compile(r"[0-9]{1,18}", re.ASCII)
_DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")
# `connection` is among them: RFC 6135 section 4.4 wants it ignored.
_KNOWN = frozenset(
    ["path", "accept-types", "accept-wrapped-types", "max-size", "setup", "connection", "msrp-cema", "fingerprint"]
).union(_DIRECTIONS)


class Setup(enum.Enum):
    """Who makes the connection (RFC 6135). `holdconn` is ignored, as section 4.2.1 wants it."""

    ACTIVE = "active"
    PASSIVE = "passive"
    ACTPASS = "actpass"


class Direction(enum.Enum):
    """Which way messages go; reports and receipts go both ways always (RFC 4975 section 8.9)."""

    SENDRECV = "sendrecv"
    SENDONLY = "sendonly"
    RECVONLY = "recvonly"
    INACTIVE = "inactive"


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Of a certificate: the hash's name in lower case, and its value."""

    hash_name: str
    value: bytes

    def encode(self) -> str:
        # RFC 4572 section 5: upper case; names as they are registered, "sha-256".
        return f"{self.hash_name} {self.value.hex(':').upper()}"


@dataclass(frozen=True, slots=True)
class MsrpMedia:
    """One side of a message session. `address` and `port` are those of c= and m=, which need not be the path's (RFC 6714).

    `port` 9 belongs to a side that only connects (RFC 4145). `others` are attributes with no meaning here, kept as they
    stand: `file-selector` and its kin.
    """

    path: Path
    address: str
    port: int
    accept_types: tuple[str, ...]
    accept_wrapped_types: tuple[str, ...] = ()
    max_size: int | None = None
    setup: Setup | None = None
    cema: bool = False
    fingerprints: tuple[Fingerprint, ...] = ()
    direction: Direction = Direction.SENDRECV
    others: tuple[Attribute, ...] = field(default=(), repr=False)

    @property
    def secure(self) -> bool:
        """Whether it speaks TLS: the scheme of the first hop says so."""
        return bool(self.path) and self.path[0].secure


@dataclass(frozen=True, slots=True)
class Agreement:
    """What an offer and an answer come to, seen from our side.

    `active`: we connect, to `address` and `port`, and send first; else we wait. `peer` is what the other side said.
    """

    active: bool
    address: str
    port: int
    peer: MsrpMedia
    may_send: bool
    may_receive: bool

    def takes(self, content_type: str, wrapped_type: str | None = None) -> bool:
        """Whether the peer takes this root type, and inside of it that type (RFC 4975 section 8.6)."""
        if not matches_type(content_type, self.peer.accept_types):
            return False
        inside = (*self.peer.accept_types, *self.peer.accept_wrapped_types)
        return wrapped_type is None or matches_type(wrapped_type, inside)


def offer_description(media: MsrpMedia, origin: Origin) -> SessionDescription:
    """The description that offers it."""
    return SessionDescription(origin, (_line(media),), connection=_connection(media.address))


def answer_description(offer: SessionDescription, media: MsrpMedia, origin: Origin) -> SessionDescription:
    """The description that answers `offer` with it: every other medium of the offer is refused in its place (RFC 3264 section 6)."""
    chosen = next((i for i, line in enumerate(offer.media) if _is_ours(line)), None)
    lines = tuple(
        _line(media) if i == chosen else Media(line.kind, 0, line.protocol, line.formats)
        for i, line in enumerate(offer.media)
    )
    return SessionDescription(origin, lines, connection=_connection(media.address))


def read_offer(description: SessionDescription) -> MsrpMedia:
    """The message session that is offered. Raises ProtocolError `sip.media` when there is none: answer 488."""
    return _read(description, _choose(description))


def read_answer(description: SessionDescription) -> MsrpMedia:
    """The answer to our offer of one session. Raises ProtocolError `sip.media` when it was refused."""
    if len(description.media) != 1:
        # Section 6 of RFC 3264: "the answer MUST contain exactly the same number of 'm=' lines as the offer".
        raise ProtocolError("the answer does not fit the offer", code="sip.media")
    return _read(description, _choose(description))


def agree(local: MsrpMedia, remote: MsrpMedia, *, offerer: bool) -> Agreement:
    """Who connects whereto. Raises ProtocolError `sip.media.setup` when nobody would, `sip.media.middlebox` when only a
    network that speaks MSRP itself could carry it.
    """
    offered, answered = (local.setup, remote.setup) if offerer else (remote.setup, local.setup)
    # RFC 4975 section 8.5: without the attribute "the party that sent the original offer is responsible for connecting".
    if answered is Setup.ACTPASS or (answered or Setup.PASSIVE) is (offered or Setup.ACTIVE):
        raise ProtocolError("nobody or both would connect", code="sip.media.setup")
    active = (answered is not Setup.ACTIVE) is offerer
    hop = remote.path[0]
    both = local.cema and remote.cema
    anchored = (remote.address.lower(), remote.port) != (hop.host.strip("[]"), hop.port)
    if not both and anchored and remote.port != 9 and _is_literal(remote.address) and _is_literal(hop.host.strip("[]")):
        # RFC 6714 sections 4.2 and 4.3: somebody rewrote the address without saying that it can do so.
        raise ProtocolError("a middlebox that we cannot pass", code="sip.media.middlebox")
    if both and not (len(remote.path) > 1 and not anchored):
        address, port = remote.address, remote.port
    else:
        address, port = hop.host.strip("[]"), hop.port or _DEFAULT_PORT
    sends = local.direction in (Direction.SENDRECV, Direction.SENDONLY)
    hears = local.direction in (Direction.SENDRECV, Direction.RECVONLY)
    peer_sends = remote.direction in (Direction.SENDRECV, Direction.SENDONLY)
    peer_hears = remote.direction in (Direction.SENDRECV, Direction.RECVONLY)
    return Agreement(active, address, port, remote, sends and peer_hears, hears and peer_sends)


def answering_setup(offered: Setup | None, *, reachable: bool) -> Setup:
    """What our answer says when we can, or cannot, be connected to. Raises ProtocolError `sip.media.setup`: answer 488."""
    if offered is Setup.PASSIVE:
        return Setup.ACTIVE
    if reachable:
        return Setup.PASSIVE  # RFC 6135 section 4.2.2: SHOULD, for whoever is not behind a NAT
    if offered is not Setup.ACTPASS:
        raise ProtocolError("neither side can be connected to", code="sip.media.setup")
    return Setup.ACTIVE


def matches_type(content_type: str, entries: tuple[str, ...]) -> bool:
    """Whether a media type is in a list of accept-types; parameters do not count, `*` and `text/*` match (section 8.6)."""
    kind = content_type.partition(";")[0].strip().lower()
    main = kind.partition("/")[0]
    names = {entry.partition(";")[0].lower() for entry in entries}
    return "*" in names or kind in names or f"{main}/*" in names


def _choose(description: SessionDescription) -> Media | None:
    """The first line that is ours to take."""
    return next((line for line in description.media if _is_ours(line)), None)


def _is_ours(line: Media) -> bool:
    return line.kind == "message" and line.port > 0 and line.protocol.upper() in (_PLAIN, _SECURE)


def _read(description: SessionDescription, line: Media | None) -> MsrpMedia:
    if line is None:
        raise ProtocolError("no message session", code="sip.media")
    connection = description.connection_of(line)
    path_text, types = line.attribute("path"), line.attribute("accept-types")
    if connection is None or not path_text or not types:
        raise ProtocolError("a message session without path or types", code="sip.media")
    try:
        path = parse_path(path_text, _MAX_PATH)
    except DecodeError as error:
        raise ProtocolError(f"a path that cannot be read ({error.code})", code="sip.media") from error
    if path[0].secure is not (line.protocol.upper() == _SECURE):
        raise ProtocolError("path and protocol disagree about TLS", code="sip.media")
    size = line.attribute("max-size")
    return MsrpMedia(
        path,
        connection.address,
        line.port,
        _types(types),
        _types(line.attribute("accept-wrapped-types") or ""),
        int(size) if size and _SIZE.fullmatch(size) else None,
        _setup(description.attribute_of(line, "setup")),
        line.attribute("msrp-cema") is not None,
        _fingerprints(description, line),
        _direction(description, line),
        tuple(a for a in line.attributes if a.name not in _KNOWN),
    )


def _line(media: MsrpMedia) -> Media:
    attributes = [
        Attribute("accept-types", " ".join(media.accept_types)),
        *(
            (Attribute("accept-wrapped-types", " ".join(media.accept_wrapped_types)),)
            if media.accept_wrapped_types
            else ()
        ),
        *((Attribute("max-size", str(media.max_size)),) if media.max_size is not None else ()),
        Attribute("path", encode_path(media.path)),
        *((Attribute("setup", media.setup.value),) if media.setup is not None else ()),
        *((Attribute("msrp-cema"),) if media.cema else ()),
        *(Attribute("fingerprint", fingerprint.encode()) for fingerprint in media.fingerprints),
        Attribute(media.direction.value),
        *media.others,
    ]
    return Media("message", media.port, _SECURE if media.secure else _PLAIN, ("*",), attributes=tuple(attributes))


def _connection(address: str) -> Connection:
    return Connection(address, "IP6" if ":" in address else "IP4")


def _types(text: str) -> tuple[str, ...]:
    """What cannot be read is passed over: it is a type that we will not send."""
    return tuple(entry for entry in text.split(" ")[:_MAX_TYPES] if _TYPE.fullmatch(entry))


def _setup(text: str | None) -> Setup | None:
    try:
        return None if text is None else Setup(text.strip().lower())
    except ValueError:
        return None  # holdconn, or what nobody knows


def _direction(description: SessionDescription, line: Media) -> Direction:
    for attributes in (line.attributes, description.attributes):
        for attribute in attributes:
            if attribute.name in _DIRECTIONS:
                return Direction(attribute.name)
    return Direction.SENDRECV


def _fingerprints(description: SessionDescription, line: Media) -> tuple[Fingerprint, ...]:
    own = [a.value or "" for a in line.attributes if a.name == "fingerprint"]
    texts = own or [a.value or "" for a in description.attributes if a.name == "fingerprint"]
    matches = (_FINGERPRINT.fullmatch(text.strip()) for text in texts[:_MAX_FINGERPRINTS])
    return tuple(Fingerprint(m[1].lower(), bytes.fromhex(m[2].replace(":", ""))) for m in matches if m is not None)


def _is_literal(address: str) -> bool:
    return bool(re.fullmatch(r"[0-9.]+|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*", address))
