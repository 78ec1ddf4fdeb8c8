"""Credential: who a member says it is (RFC 9420 section 5.3). Whether that is true, the application judges."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from ...codec.tls import Reader, opaque, u16
from ...errors import DecodeError
from ..registries import BASIC, X509

__all__ = ["Credential"]


@dataclass(frozen=True, slots=True)
class Credential:
    """`identity` is of a basic credential, `certificates` of an X.509 one (DER, the member's own first).

    `body` is what follows the type on the wire; the constructors `basic` and `x509` make it.
    """

    credential_type: int
    identity: bytes
    certificates: tuple[bytes, ...]
    body: bytes

    @classmethod
    def basic(cls, identity: bytes) -> Self:
        return cls(BASIC, identity, (), opaque(identity))

    @classmethod
    def x509(cls, certificates: Iterable[bytes]) -> Self:
        chain = tuple(certificates)
        return cls(X509, b"", chain, opaque(b"".join(map(opaque, chain))))

    def encode(self) -> bytes:
        return u16(self.credential_type) + self.body

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """An unknown type says nothing about its length, so that nothing behind it could be read."""
        credential_type = reader.u16()
        start = reader.position
        if credential_type == BASIC:
            identity = reader.vector()
            return cls(credential_type, identity, (), reader.slice(start))
        if credential_type == X509:
            chain: list[bytes] = []
            inner = reader.sub()
            while inner.more():
                chain.append(inner.vector())
            return cls(credential_type, b"", tuple(chain), reader.slice(start))
        raise DecodeError(f"credential of unknown type {credential_type:#06x}", code="mls.credential")
