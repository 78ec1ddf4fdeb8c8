"""Digest challenges and credentials as they stand in headers (RFC 7616, RFC 2617, RFC 8760). No hashing here."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ...errors import DecodeError
from .grammar import quote, split_list, token, unquote

__all__ = ["Challenge", "Credentials"]

_NC = re.compile(r"[0-9a-fA-F]{8}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Challenge:
    """WWW-Authenticate or Proxy-Authenticate. `algorithm` None means MD5, an empty `qop` means the RFC 2069 form."""

    realm: str
    nonce: str
    algorithm: str | None = None
    qop: tuple[str, ...] = ()
    opaque: str | None = None
    stale: bool = False
    domain: str | None = None

    @classmethod
    def parse(cls, text: str) -> Challenge:
        """Raises DecodeError; its code is `sip.auth.scheme` for a scheme other than Digest, which callers skip."""
        fields = _digest_fields(text)
        return cls(
            realm=_required(fields, "realm"),
            nonce=_required(fields, "nonce"),
            algorithm=fields.get("algorithm"),
            qop=tuple(part.strip().lower() for part in fields.get("qop", "").split(",") if part.strip()),
            opaque=fields.get("opaque"),
            stale=fields.get("stale", "").lower() == "true",
            domain=fields.get("domain"),
        )

    def encode(self) -> str:
        parts = [f"realm={quote(self.realm)}"]
        if self.domain is not None:
            parts.append(f"domain={quote(self.domain)}")
        parts.append(f"nonce={quote(self.nonce)}")
        if self.opaque is not None:
            parts.append(f"opaque={quote(self.opaque)}")
        if self.stale:
            parts.append("stale=true")
        if self.algorithm is not None:
            parts.append(f"algorithm={token(self.algorithm, 'algorithm')}")
        if self.qop:
            parts.append(f'qop="{",".join(self.qop)}"')
        return "Digest " + ", ".join(parts)


@dataclass(frozen=True, slots=True)
class Credentials:
    """Authorization or Proxy-Authorization. Empty nonce and response are the first REGISTER of IMS (TS 24.229 5.1.1.2)."""

    username: str
    realm: str
    nonce: str
    uri: str
    response: str = field(repr=False)
    algorithm: str | None = None
    opaque: str | None = None
    qop: str | None = None
    cnonce: str | None = None
    nc: int | None = None

    @classmethod
    def parse(cls, text: str) -> Credentials:
        """Raises DecodeError; its code is `sip.auth.scheme` for a scheme other than Digest."""
        fields = _digest_fields(text)
        nc = fields.get("nc")
        if nc is not None and not _NC.fullmatch(nc):
            raise DecodeError("not a nonce count", code="sip.auth")
        qop = fields.get("qop")
        return cls(
            username=_required(fields, "username"),
            realm=_required(fields, "realm"),
            nonce=_required(fields, "nonce"),
            uri=_required(fields, "uri"),
            response=_required(fields, "response"),
            algorithm=fields.get("algorithm"),
            opaque=fields.get("opaque"),
            qop=None if qop is None else qop.lower(),
            cnonce=fields.get("cnonce"),
            nc=None if nc is None else int(nc, 16),
        )

    def encode(self) -> str:
        parts = [
            f"username={quote(self.username)}",
            f"realm={quote(self.realm)}",
            f"nonce={quote(self.nonce)}",
            f"uri={quote(self.uri)}",
            f"response={quote(self.response)}",
        ]
        if self.algorithm is not None:
            parts.append(f"algorithm={token(self.algorithm, 'algorithm')}")
        if self.cnonce is not None:
            parts.append(f"cnonce={quote(self.cnonce)}")
        if self.opaque is not None:
            parts.append(f"opaque={quote(self.opaque)}")
        if self.qop is not None:
            # RFC 7616 section 3.4: qop and nc are not quoted in credentials.
            parts.append(f"qop={token(self.qop, 'qop')}")
        if self.nc is not None:
            parts.append(f"nc={self.nc:08x}")
        return "Digest " + ", ".join(parts)


def _digest_fields(text: str) -> dict[str, str]:
    scheme, _, rest = text.strip().partition(" ")
    if scheme.lower() != "digest":
        raise DecodeError("not a digest scheme", code="sip.auth.scheme")
    fields: dict[str, str] = {}
    for part in split_list(rest):
        if not part:
            continue
        name, equals, value = part.partition("=")
        key = token(name.strip(), "authentication parameter").lower()
        if not equals or key in fields:
            # A repeated parameter is read differently by different servers: refuse it.
            raise DecodeError("not an authentication parameter", code="sip.auth")
        fields[key] = unquote(value.strip())
    return fields


def _required(fields: dict[str, str], name: str) -> str:
    value = fields.get(name)
    if value is None:
        raise DecodeError(f"no {name} in the authentication header", code="sip.auth")
    return value
