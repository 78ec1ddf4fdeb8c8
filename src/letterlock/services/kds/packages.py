"""Whether a key package may lie in the pool of a device, and until when it may be handed out (rcc16.md 1.9, A.4.2.2).

What is uploaded is checked here once, so that nobody claims a package that no client will take: it parses, is signed
twice, of suite 2 and lists it, its certificate is the uploader's own and chains to an anchor, it carries the mark of last
resort where it has to and nowhere else. Packages that another server hands out are checked the same way, against the
anchors of that server alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from ...codec.kds import ClaimedPackage, Upload
from ...crypto.provider import CryptoProvider
from ...errors import CryptoError, DecodeError, InvalidGroupMessage, InvalidRcc16, KdsError
from ...ids import Instant, Number
from ...mls.evolution.leaf_rules import LeafJudge
from ...mls.registries import LAST_RESORT
from ...mls.suites import cipher_suite
from ...mls.wire.extensions import find_extension
from ...mls.wire.key_package import KeyPackage
from ...mls.wire.message import decode_message
from ...rcc16.choices import OURS
from ...rcc16.credentials.anchors import TrustAnchors
from ...rcc16.credentials.authentication import CertificateAuthentication
from ...rcc16.credentials.checking import STRICT
from ...rcc16.credentials.leaf import expires_at
from ...rcc16.policy import CIPHER_SUITE, mls_policy
from .limits import KdsLimits

__all__ = ["CheckedPackage", "CheckedPool", "PackageJudge"]

_MARGIN_MS: Final = 30 * 60_000
"""Between the end of a package and that of its certificate (RCC.16 5.1)."""
_VERDICTS: Final = 4_096


@dataclass(frozen=True, slots=True)
class CheckedPackage:
    """A package that may be handed out until `usable_until`. `digest` is by which it is known never to come again."""

    message: bytes = field(repr=False)
    digest: bytes
    usable_until: Instant


@dataclass(frozen=True, slots=True)
class CheckedPool:
    """All packages of one upload."""

    one_time: tuple[CheckedPackage, ...]
    last_resort: CheckedPackage


class PackageJudge:
    """Judges packages by one list of anchors. Not for several threads at once."""

    def __init__(self, crypto: CryptoProvider, anchors: TrustAnchors, limits: KdsLimits) -> None:
        self._suite = cipher_suite(CIPHER_SUITE, crypto)
        self._authentication = CertificateAuthentication(crypto, anchors, STRICT, remember=_VERDICTS)
        self._limits = limits
        self._policy = mls_policy(
            OURS.revision,
            max_members=1,
            max_message_bytes=limits.bodies.max_package,
            max_past_epochs=0,
            max_lifetime_seconds=limits.max_package_lifetime_ms // 1000,
            forward=0,
            out_of_order=0,
        )

    def pool(self, upload: Upload, leaf_key: bytes, now: Instant) -> CheckedPool:
        """The packages of an upload by the holder of `leaf_key`. Raises KdsError 422 `kds.package`."""
        one_time = [self._read(message) for message in upload.packages]
        last_resort = self._read(upload.last_resort)
        if any(map(_is_last_resort, one_time)) or not _is_last_resort(last_resort):
            raise _refused("the package of last resort carries its mark, and no other does")
        packages = [*one_time, last_resort]
        # A key that two packages share is a key that is used twice (SR-13).
        for keys in ({p.init_key for p in packages}, {p.leaf_node.encryption_key for p in packages}):
            if len(keys) != len(packages):
                raise _refused("two packages share a key")
        if any(package.leaf_node.signature_key != leaf_key for package in packages):
            raise _refused("a package is not of the device that uploads it")
        ends = [self._judge(package, upload.number, now) for package in packages]
        checked = [
            CheckedPackage(message, hashlib.sha256(message).digest(), end)
            for message, end in zip((*upload.packages, upload.last_resort), ends, strict=True)
        ]
        return CheckedPool(tuple(checked[:-1]), checked[-1])

    def foreign(self, packages: Sequence[ClaimedPackage], number: Number, now: Instant) -> None:
        """What another server says are packages of a number. Raises KdsError 422 `kds.package`."""
        devices = set()
        for claimed in packages:
            package = self._read(claimed.package)
            if _is_last_resort(package) != claimed.last_resort:
                raise _refused("what is said of last resort is not so")
            self._judge(package, number, now)
            devices.add(package.leaf_node.signature_key)
        if len(devices) != len(packages):
            raise _refused("two packages of one device")

    def _read(self, message: bytes) -> KeyPackage:
        try:
            package = decode_message(message, self._policy.proposal_types, self._limits.bodies.max_package)
        except DecodeError as error:
            raise _refused(f"it cannot be read: {error}") from error
        if not isinstance(package, KeyPackage):
            raise _refused("it is another MLS message")
        return package

    def _judge(self, package: KeyPackage, number: Number, now: Instant) -> Instant:
        """Until when it may be handed out; at least for one moment now."""
        leaf = package.leaf_node
        try:
            # The floor of 30 days and all of the profile, strictly: others will ask the same of it.
            certified = self._authentication.certify(leaf.credential, now, number)
            judge = LeafJudge(self._suite, b"", (), self._authentication, self._policy, now)
            judge.key_package(package, sending=True)
            judge.batch.verify()
        except (InvalidRcc16, InvalidGroupMessage, DecodeError, CryptoError) as error:
            raise _refused(str(error)) from error
        lifetime = leaf.lifetime
        if lifetime is None:
            raise _refused("its leaf has no lifetime")
        end, certificate_end = lifetime.not_after * 1000, certified.leaf.certificate.not_after
        if self._limits.outlives_certificate:
            if end < certificate_end:
                raise _refused("it does not outlive its certificate, as it has to here")
        elif end > certificate_end - _MARGIN_MS:
            raise _refused("it does not end half an hour before its certificate")
        # The floor is on both ends: whoever claims it asks both for 30 days (rcc16.md 1.9).
        usable = min(end, expires_at(leaf.credential)) - self._limits.floor_ms
        if usable < now:
            raise _refused("less than 30 days of it remain")
        return usable


def _is_last_resort(package: KeyPackage) -> bool:
    return find_extension(package.extensions, LAST_RESORT) is not None


def _refused(why: str) -> KdsError:
    return KdsError(f"a key package is refused: {why}", code="kds.package", status=422)
