"""A key package that was claimed for a number, before it is used (RCC.16 A.4.2; rcc16.md 1.9).

MLS does not know for whom a package was asked: without these checks a KDS could hand out one of its own, certified for
another number. A package of last resort is taken like any other.
"""

from __future__ import annotations

from typing import Final

from ...errors import DecodeError
from ...ids import Instant, Number
from ...mls.suites import MLS_128_DHKEMP256_AES128GCM_SHA256_P256 as SUITE
from ...mls.wire.key_package import KeyPackage
from ...mls.wire.message import decode_message
from ...mls.wire.proposals import RFC_PROPOSALS
from ..rules import rule
from .authentication import CertificateAuthentication
from .leaf import FLOOR_MS, lasts_30_days

__all__ = ["check_claimed"]

_CLAUSE: Final = "RCC.16 A.4.2 (rcc16.md 1.9)"
_READABLE = rule("RCC-A.4.2-01", _CLAUSE, "a claimed key package can be read", module=__name__)
_SUITE = rule("RCC-A.4.2-02", _CLAUSE, "a claimed key package is for suite 2, and its leaf lists that", module=__name__)
_LIFETIME = rule("RCC-A.4.2-03", _CLAUSE, "the leaf of a claimed key package has 30 days left", module=__name__)
_FLOOR = rule("RCC-A.4.2-05", _CLAUSE, "the credential of a claimed key package has 30 days left", module=__name__)
_KEY = rule("RCC-A.4.2-04", _CLAUSE, "the leaf of a claimed key package has the certified key", module=__name__)


def check_claimed(
    message: bytes,
    number: Number,
    authentication: CertificateAuthentication,
    now: Instant,
    *,
    max_bytes: int,
) -> KeyPackage:
    """The package in an MLSMessage(KeyPackage), certified for `number` and fit to be added now. Raises InvalidRcc16.

    That it is rightly signed, MLS checks when it is added.
    """
    package = _read(message, max_bytes)
    leaf = package.leaf_node
    certified = authentication.certify(leaf.credential, now, number)
    if package.cipher_suite != SUITE or SUITE not in leaf.capabilities.cipher_suites:
        _SUITE.fail("a key package for another cipher suite")
    if not authentication.policy.tolerant:
        if leaf.lifetime is None or leaf.lifetime.not_after * 1000 < now + FLOOR_MS:
            _LIFETIME.fail("a key package that ends within 30 days")
        if not lasts_30_days(leaf.credential, now):
            _FLOOR.fail("a key package whose credential ends within 30 days")
    if leaf.signature_key != certified.leaf.key.point:
        _KEY.fail("a key package with another key than the certified one")
    return package


def _read(message: bytes, max_bytes: int) -> KeyPackage:
    try:
        package = decode_message(message, RFC_PROPOSALS, max_bytes)
    except DecodeError as error:
        _READABLE.fail(f"a key package cannot be read: {error}")
        raise
    if not isinstance(package, KeyPackage):
        _READABLE.fail("something else than a key package")
        raise DecodeError("not a key package", code="rcc16.key_package")
    return package
