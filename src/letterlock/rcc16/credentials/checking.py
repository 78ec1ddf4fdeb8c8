"""All checks of a peer's credential, in the order of A.4.1 (rcc16.md 1.5), and how strict they are.

1 the path, its signatures and validity; 2 the leaf's profile; 3 revoked serial numbers; 4 the issuers' profile; 5 what
holds for every certificate; 6 the length of the path; 7 the vendor. The order decides which rule a certificate that
breaks several is refused by, so that two clients report the same one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ...codec.x509 import Certificate
from ...crypto.provider import CryptoProvider
from ...ids import Instant, Number
from ...mls.wire.credential import Credential
from ..rules import rule
from .anchors import TrustAnchors
from .extensions import vendor_id
from .general_profile import check_certificate
from .issuer_profile import check_issuer
from .leaf import FLOOR_MS, Leaf, decode_chain, read_leaf
from .leaf_profile import check_leaf
from .path import KnownIssuers, check_path

__all__ = ["FOLLOWING", "STRICT", "TOLERANT", "Certified", "CredentialPolicy", "check_chain"]

_CLAUSE: Final = "RCC.16 A.4.1 (rcc16.md 1.5)"
_REVOKED = rule("RCC-A.4.1-11", _CLAUSE, "no certificate of the path is revoked", module=__name__)
_LENGTH = rule("RCC-A.4.1-12", _CLAUSE, "a credential has a leaf and one to three issuers", module=__name__)
_VENDOR = rule(
    "RCC-A.4.1-13",
    "RCC.16 A.4.1, 14.4 (rcc16.md 1.5)",
    "the vendor in the leaf's ParticipantInformation is the root's",
    module=__name__,
)

MIN_CHAIN: Final = 2
MAX_CHAIN: Final = 4
"""Leaf, two intermediates as deployed, and the root where somebody sends it."""


@dataclass(frozen=True, slots=True)
class CredentialPolicy:
    """How strict to be. Nothing else can be relaxed, and that a certificate has expired never."""

    tolerant: bool
    """Take certificates as others deploy them: longer than 76 days, with less than 30 days left, with other extensions
    that are not critical."""
    floor: bool
    """Ask for 30 days left. The server asks when a commit is made; whoever follows that commit later must not come to
    another verdict than those who followed it in time, and asks for validity only (our choice)."""


STRICT: Final = CredentialPolicy(tolerant=False, floor=True)
"""For key packages that we claim, certificates that we adopt, and what a server hands out."""
FOLLOWING: Final = CredentialPolicy(tolerant=False, floor=False)
"""For the members of a group."""
TOLERANT: Final = CredentialPolicy(tolerant=True, floor=False)
"""For networks whose certificates break the profile."""


@dataclass(frozen=True, slots=True)
class Certified:
    """A credential that holds. The verdict is the same from `since` until before `until`."""

    leaf: Leaf
    path: tuple[Certificate, ...]
    """From the leaf to its anchor."""
    since: Instant
    until: Instant


def check_chain(
    credential: Credential,
    *,
    anchors: TrustAnchors,
    policy: CredentialPolicy,
    now: Instant,
    crypto: CryptoProvider,
    number: Number | None = None,
    known: KnownIssuers | None = None,
) -> Certified:
    """All checks. `number` is the one that was asked for, if one was. Raises InvalidRcc16.

    `known` remembers what was found out about issuers from one call to the next, under one policy.
    """
    chain = decode_chain(credential)
    known = known or KnownIssuers(crypto)
    path = check_path(chain, anchors, known, now)
    check_leaf(chain[0], number=number, tolerant=policy.tolerant, floor=policy.floor, now=now, crypto=crypto)
    leaf = read_leaf(credential)
    for certificate in path:
        if certificate.serial in anchors.revoked:
            _REVOKED.fail("a certificate of the path is revoked")
    issuers = known.unknown(path[1:])
    for issuer in issuers:
        check_issuer(issuer)
    check_certificate(path[0], tolerant=policy.tolerant, leaf=True)
    for issuer in issuers:
        check_certificate(issuer, tolerant=policy.tolerant, leaf=False)
    known.remember(issuers)
    if not MIN_CHAIN <= len(chain) <= MAX_CHAIN:
        _LENGTH.fail(f"a chain of {len(chain)} certificates")
    root_vendor = vendor_id(path[-1])
    if root_vendor is not None and root_vendor != leaf.participant.vendor_id:
        _VENDOR.fail("the leaf's vendor is not the root's")
    return Certified(leaf, path, *_window(leaf, path, policy))


def _window(leaf: Leaf, path: tuple[Certificate, ...], policy: CredentialPolicy) -> tuple[Instant, Instant]:
    """While no check that looks at the time comes to another verdict."""
    ends = [certificate.not_after for certificate in path]
    ends.append(leaf.participant.not_after)
    if leaf.proof is not None:
        ends.append(leaf.proof.expires * 1000 - 1)
    if policy.floor and not policy.tolerant:
        ends.append(leaf.certificate.not_after - FLOOR_MS)
    starts = [certificate.not_before for certificate in path]
    starts.append(leaf.participant.not_before)
    return max(starts), min(ends) + 1
