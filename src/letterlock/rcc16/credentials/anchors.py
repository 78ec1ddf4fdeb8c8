"""The certificates that paths end at, and the signed list by which they come (rcc16.md 1.7).

The list has a generation and replaces the one before whole: an anchor that was withdrawn stays withdrawn, and an older
list brings none back (SR-22). With no anchors nothing is certified, and nothing is sent in the clear instead.
The list also names revoked serial numbers: no certificate tells where to ask, and revoking an intermediate is the lever
that there is (rcc16.md 1.5). The form of the list is our choice; none is sourced.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from ...codec.der import INTEGER, DerReader, integer, sequence
from ...codec.der import whole as whole_der
from ...codec.tls import Reader, opaque, u64, whole
from ...codec.x509 import decode_certificate
from ...crypto.provider import CryptoProvider
from ...errors import DecodeError, LimitExceeded
from ..rules import rule
from .algorithms import ECDSA_SHA256, Sign, ecdsa_holds
from .labels import ANCHOR_LIST
from .leaf import MAX_CERTIFICATE_BYTES

__all__ = ["TrustAnchors", "accept_anchor_list", "check_replacement", "decode_anchor_list", "sign_anchor_list"]

_SIGNER = rule(
    "RCC-P.1.7-01",
    "our choice (rcc16.md 1.7)",
    "the list of trust anchors is signed by the signer that the configuration names",
    module=__name__,
)
_ASKED = rule(
    "RCC-P.1.7-02",
    "rcc16.md 1.7",
    "a list of trust anchors is of the generation that the configuration names",
    module=__name__,
)
_OLDER = rule(
    "RCC-P.1.7-03",
    "rcc16.md 1.7",
    "trust anchors are not replaced by an older generation of them",
    module=__name__,
)
_SAME = rule(
    "RCC-P.1.7-04",
    "our choice (rcc16.md 1.7)",
    "one generation of the list of trust anchors has one content",
    module=__name__,
)

MAX_LIST_BYTES: Final = 1 << 18


@dataclass(frozen=True, slots=True)
class TrustAnchors:
    """Anchors in DER, and the serial numbers that no certificate of a path may have."""

    generation: int = 0
    certificates: tuple[bytes, ...] = field(default=(), repr=False)
    revoked: frozenset[int] = frozenset()

    def entries(self) -> tuple[bytes, ...]:
        """The same as plain DER elements: SEQUENCE { generation, revoked serial numbers }, then the certificates."""
        head = sequence(integer(self.generation), sequence(*(integer(serial) for serial in sorted(self.revoked))))
        return head, *self.certificates

    @classmethod
    def of(cls, entries: tuple[bytes, ...]) -> TrustAnchors:
        """From `entries`, or from certificates alone. Raises DecodeError for anything else."""
        if not entries:
            return cls()
        head = _read_head(entries[0])
        certificates = entries[0 if head is None else 1 :]
        for der in certificates:
            decode_certificate(der, max_bytes=MAX_CERTIFICATE_BYTES)
        generation, revoked = head or (0, frozenset())
        return cls(generation, certificates, revoked)


def sign_anchor_list(anchors: TrustAnchors, sign: Sign) -> bytes:
    """The list as it is published. `sign` is the signer's, P-256 with SHA-256."""
    revoked = b"".join(opaque(integer(serial)) for serial in sorted(anchors.revoked))
    body = u64(anchors.generation) + opaque(b"".join(map(opaque, anchors.certificates))) + opaque(revoked)
    return opaque(body) + opaque(sign(ANCHOR_LIST + body))


def accept_anchor_list(
    data: bytes, *, signer_spki: bytes, generation: int, held: TrustAnchors | None, crypto: CryptoProvider
) -> TrustAnchors:
    """The anchors that replace `held`. `generation` is what the configuration says there is.

    Raises DecodeError for what is no list, InvalidRcc16 for one that is not to be believed.
    """
    anchors, body, signature = _decode(data)
    if not ecdsa_holds(crypto, signer_spki, ECDSA_SHA256, ANCHOR_LIST + body, signature):
        _SIGNER.fail("the list of trust anchors is not signed by its signer")
    if anchors.generation != generation:
        _ASKED.fail(f"generation {anchors.generation} of the trust anchors, wanted is {generation}")
    if held is not None:
        check_replacement(held, anchors)
    return anchors


def check_replacement(held: TrustAnchors, anchors: TrustAnchors) -> None:
    """Whether a list may take the place of another one. Generation 0 is of no list, as in a lab. Raises InvalidRcc16."""
    if anchors.generation < held.generation:
        _OLDER.fail(f"generation {anchors.generation} of the trust anchors is older than {held.generation}")
    if anchors.generation == held.generation != 0 and anchors != held:
        _SAME.fail(f"generation {anchors.generation} of the trust anchors comes with another content")


def decode_anchor_list(data: bytes) -> TrustAnchors:
    """What a list says, believed or not. Raises DecodeError."""
    return _decode(data)[0]


def _decode(data: bytes) -> tuple[TrustAnchors, bytes, bytes]:
    if len(data) > MAX_LIST_BYTES:
        raise LimitExceeded("a list of trust anchors that is too long", code="rcc16.anchors.limit")
    body, signature = whole(data, lambda reader: (reader.vector(), reader.vector()))
    return whole(body, _read), body, signature


def _read(reader: Reader) -> TrustAnchors:
    generation = reader.u64()
    certificates: list[bytes] = []
    listed = reader.sub()
    while listed.more():
        certificates.append(listed.vector())
        decode_certificate(certificates[-1], max_bytes=MAX_CERTIFICATE_BYTES)
    revoked: list[int] = []
    serials = reader.sub()
    while serials.more():
        revoked.append(whole_der(serials.vector(), DerReader.integer, max_bytes=64, max_depth=1))
    if len(set(certificates)) != len(certificates) or revoked != sorted(set(revoked)):
        raise DecodeError("an entry of the trust anchors twice, or out of order", code="rcc16.anchors.order")
    return TrustAnchors(generation, tuple(certificates), frozenset(revoked))


def _read_head(entry: bytes) -> tuple[int, frozenset[int]] | None:
    """None for a certificate, which starts with a SEQUENCE in a SEQUENCE and not with an INTEGER."""
    outer = DerReader(entry, max_bytes=MAX_LIST_BYTES, max_depth=4).sequence()
    if not outer.next_is(INTEGER):
        return None

    def read(reader: DerReader) -> tuple[int, frozenset[int]]:
        fields = reader.sequence()
        generation, serials = fields.integer(), fields.sequence()
        fields.end()
        revoked: set[int] = set()
        while serials.more():
            revoked.add(serials.integer())
        return generation, frozenset(revoked)

    return whole_der(entry, read, max_bytes=MAX_LIST_BYTES, max_depth=4)
