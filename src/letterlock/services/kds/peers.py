"""The other key distribution servers that the operator has pinned, and which of them a number is at home at.

A peer is described by a file that its operator hands over by a way of their own: its number, address, federation key
and trust anchors. Which numbers are its, our operator says: whole numbers or prefixes, the longest that fits decides.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import msgspec

from ...codec.addresses import is_loopback
from ...codec.x509 import decode_certificate
from ...errors import DecodeError, InputError
from ...ids import Number
from ...rcc16.credentials.algorithms import key_of

__all__ = ["Peer", "Routing", "describe", "read_peer"]

_PREFIX = re.compile(r"\+[1-9][0-9]{0,14}", re.ASCII)
_MAX_KDS = 2**31 - 1
_MAX_CERTIFICATE = 16_384
_MAX_ANCHORS = 16


@dataclass(frozen=True, slots=True)
class Peer:
    """Another server. `kds` is what its numbers have as `mls-kds`; `federation_key` is the 65-byte point.

    `anchors` are the roots in DER that the certificates of its numbers, and of no others, end at.
    """

    kds: int
    url: str
    federation_key: bytes
    anchors: tuple[bytes, ...] = field(repr=False)


class Routing:
    """Who is asked about a number. Raises InputError for a table that contradicts itself."""

    def __init__(self, me: int, peers: Iterable[Peer], routes: Iterable[tuple[str, int]]) -> None:
        """`routes` are (number or prefix, number of the server); ours may stand among them."""
        self.me = me
        given = tuple(peers)
        self._peers = {peer.kds: peer for peer in given}
        if len(self._peers) != len(given) or me in self._peers:
            raise InputError("two key distribution servers have one number", code="input.kds_peer")
        self._routes: dict[str, int] = {}
        for prefix, kds in routes:
            if not _PREFIX.fullmatch(prefix):
                raise InputError(f"not a number or the start of one: {prefix[:20]!r}", code="input.kds_route")
            if kds != me and kds not in self._peers:
                raise InputError(f"a route to {kds}, which is nobody", code="input.kds_route")
            if self._routes.setdefault(prefix, kds) != kds:
                raise InputError(f"two routes for {prefix}", code="input.kds_route")

    @property
    def peers(self) -> tuple[Peer, ...]:
        return tuple(self._peers.values())

    def peer(self, kds: int) -> Peer | None:
        return self._peers.get(kds)

    def home(self, number: Number, named: int) -> Peer | None:
        """Where a number is at home; None: here. `named` is what the number's capabilities say, 0 for nothing.

        The operator's table goes first: capabilities come over the carrier and may be anybody's.
        """
        for length in range(len(number), 1, -1):
            kds = self._routes.get(number[:length])
            if kds is not None:
                return self._peers.get(kds)
        return self._peers.get(named)


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    kds: int
    url: str
    federation_key: bytes
    anchors: list[bytes]


def describe(kds: int, url: str, federation_spki: bytes, anchors: Iterable[bytes]) -> bytes:
    """The file by which another operator pins this server."""
    return msgspec.json.format(msgspec.json.encode(_File(kds, url, federation_spki, list(anchors)))) + b"\n"


def read_peer(data: bytes) -> Peer:
    """The server that such a file describes. Raises InputError."""
    try:
        found = msgspec.json.decode(data, type=_File)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError("not the description of a key distribution server", code="input.kds_peer") from error
    key = key_of(found.federation_key)
    if not 1 <= found.kds <= _MAX_KDS or key is None or key.curve != "p256":
        raise InputError("a number or key that no such server has", code="input.kds_peer")
    if not 1 <= len(found.anchors) <= _MAX_ANCHORS:
        raise InputError(f"a server has 1 to {_MAX_ANCHORS} trust anchors", code="input.kds_peer")
    try:
        for anchor in found.anchors:
            decode_certificate(anchor, max_bytes=_MAX_CERTIFICATE)
        url = urlsplit(found.url)
        host, port = url.hostname, url.port
    except (DecodeError, ValueError) as error:
        raise InputError("a trust anchor or an address that is none", code="input.kds_peer") from error
    if not host or port == 0 or url.username or url.path not in ("", "/") or url.query or url.fragment:
        raise InputError("not the address of a server", code="input.kds_peer")
    if url.scheme != "https" and not (url.scheme == "http" and is_loopback(host)):
        raise InputError("a server on another machine needs https", code="kds.tls", hint="write https://")  # SR-19
    return Peer(found.kds, f"{url.scheme}://{url.netloc}", key.point, tuple(found.anchors))
