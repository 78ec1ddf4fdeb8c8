"""MSRP URIs: reading, writing, and the comparison of RFC 4975 section 6.1.

`==` compares what is written; `same_as` compares what is meant.
"""

from __future__ import annotations

import functools
import ipaddress
import re
from dataclasses import dataclass

from ...errors import DecodeError, LimitExceeded

__all__ = ["MsrpUri", "Path", "encode_path", "parse_path"]

_URI = re.compile(
    r"(?P<scheme>msrps?)://"
    r"(?:(?P<user>(?:[A-Za-z0-9\-._~!$&'()*+,=]|%[0-9A-Fa-f]{2})+)@)?"
    r"(?P<host>\[[0-9A-Fa-f:.]{2,45}\]|(?:[A-Za-z0-9\-._~]|%[0-9A-Fa-f]{2})+)"
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"(?:/(?P<session>[A-Za-z0-9\-._~+=/]+))?"
    r";(?P<transport>[A-Za-z0-9]+)"
    r"(?P<params>(?:;[!#-'*+\-.0-9A-Z^-~]+(?:=[!#-'*+\-.0-9A-Z^-~]+)?)*)",
    re.ASCII | re.IGNORECASE,
)
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_IPV4 = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}", re.ASCII)
_KEPT_LENGTH = 256


@dataclass(frozen=True, slots=True)
class MsrpUri:
    """`msrp://host:port/session;tcp`. Scheme, host and transport are lower case; `params` is what follows them."""

    scheme: str
    host: str
    port: int | None
    session: str | None
    transport: str = "tcp"
    user: str | None = None
    params: str = ""

    @classmethod
    def parse(cls, text: str) -> MsrpUri:
        """Raises DecodeError (`msrp.uri`)."""
        # Every chunk repeats the addresses of its session; long ones are not worth keeping.
        return _parse_kept(text) if len(text) <= _KEPT_LENGTH else _parse(text)

    @property
    def secure(self) -> bool:
        """Whether the hop to this address must be TLS (section 6)."""
        return self.scheme == "msrps"

    def encode(self) -> str:
        user = "" if self.user is None else f"{self.user}@"
        port = "" if self.port is None else f":{self.port}"
        session = "" if self.session is None else f"/{self.session}"
        return f"{self.scheme}://{user}{self.host}{port}{session};{self.transport}{self.params}"

    def same_as(self, other: MsrpUri) -> bool:
        """Section 6.1: scheme, authority without userinfo, port, session id and transport; parameters do not count."""
        return self.key == other.key

    @property
    def key(self) -> tuple[str, str, int | None, str | None, str]:
        """Equal for two addresses exactly when they are the same (section 6.1); fit for a dictionary."""
        return (self.scheme, _comparable_host(self.host), self.port, self.session, self.transport)

    def __str__(self) -> str:
        return self.encode()


Path = tuple[MsrpUri, ...]
"""To-Path, From-Path, Use-Path or the path of a session description: the next hop first."""


def parse_path(text: str, at_most: int) -> Path:
    """The addresses of a path header, one space between two. Raises DecodeError; LimitExceeded when there are more than `at_most`."""
    parts = text.split(" ")
    if len(parts) > at_most:
        raise LimitExceeded("too many addresses in a path", code="msrp.limit.path")
    return tuple(MsrpUri.parse(part) for part in parts)


def encode_path(path: Path) -> str:
    return " ".join(uri.encode() for uri in path)


def _parse(text: str) -> MsrpUri:
    match = _URI.fullmatch(text)
    if match is None:
        raise DecodeError("not an MSRP address", code="msrp.uri")
    host = match["host"].lower()
    port = None if match["port"] is None else int(match["port"])
    if port is not None and not 1 <= port <= 65_535:
        raise DecodeError("not a port", code="msrp.uri")
    if host.startswith("["):
        if not _is_address(host[1:-1]):
            raise DecodeError("not an IPv6 address", code="msrp.uri")
        numeric = True
    else:
        numeric = _IPV4.fullmatch(host) is not None
        if numeric and not _is_address(host):
            raise DecodeError("not an IPv4 address", code="msrp.uri")
    if numeric and port is None:
        # Section 6: "If the authority field contains a numeric IP address, it MUST also contain a port."
        raise DecodeError("a numeric address without a port", code="msrp.uri")
    # A password in the userinfo (a colon) does not match the pattern: section 6 forbids it.
    return MsrpUri(
        match["scheme"].lower(),
        host,
        port,
        match["session"],
        match["transport"].lower(),
        match["user"],
        match["params"],
    )


_parse_kept = functools.lru_cache(maxsize=1024)(_parse)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


@functools.lru_cache(maxsize=256)
def _comparable_host(host: str) -> str:
    """The host as rule 2 of section 6.1 compares it: addresses by value, needless escapes undone, lower case."""
    if host.startswith("["):
        return ipaddress.ip_address(host[1:-1]).compressed

    def plain(match: re.Match[str]) -> str:
        character = chr(int(match[1], 16))
        return character if character in _UNRESERVED else match[0].upper()

    return _ESCAPE.sub(plain, host).lower()
