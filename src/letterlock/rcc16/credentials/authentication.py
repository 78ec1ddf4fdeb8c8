"""The judge of credentials that `mls` asks (RFC 9420 section 5.3), for RCC.16.

A verdict is kept as long as nothing changes it by itself: a commit to 1,000 members asks about 1,000 leaves that were
asked about before. Refusals are not kept, since time may lift them. Anchors are fixed: a new list of them, or a
certificate that was revoked, needs a new object.
"""

from __future__ import annotations

from collections import OrderedDict

from ...crypto.provider import CryptoProvider
from ...errors import InvalidRcc16
from ...ids import Instant, Number
from ...mls.wire.credential import Credential
from .anchors import TrustAnchors
from .checking import Certified, CredentialPolicy, check_chain
from .leaf import certified_number
from .numbers import digits
from .path import KnownIssuers

__all__ = ["CertificateAuthentication"]


class CertificateAuthentication:
    """`remember` is how many verdicts are kept; take more than the members of the largest group."""

    def __init__(
        self, crypto: CryptoProvider, anchors: TrustAnchors, policy: CredentialPolicy, *, remember: int
    ) -> None:
        self.anchors = anchors
        self.policy = policy
        self._crypto = crypto
        self._known = KnownIssuers(crypto)
        self._remember = remember
        # By type and body: a basic credential may hold the very bytes of a chain that was judged (SR-04).
        self._verdicts: OrderedDict[tuple[int, bytes], Certified] = OrderedDict()

    def validate(self, credential: Credential, signature_key: bytes, now: Instant) -> str | None:
        """The whole path and profile now, and that the certified key is the member's; None if all is well."""
        try:
            certified = self.certify(credential, now)
        except InvalidRcc16 as refused:
            return str(refused)
        return None if certified.leaf.key.point == signature_key else "the certificate is for another key"

    def identity(self, credential: Credential) -> bytes:
        """The digits of the certified number: a member is a number, and its successor has the same one.

        For what cannot be read something that no number equals.
        """
        try:
            return digits(certified_number(credential))
        except InvalidRcc16:
            return b"\x00" + credential.body

    def certify(self, credential: Credential, now: Instant, number: Number | None = None) -> Certified:
        """The verdict with what the leaf says. Raises InvalidRcc16, also if it is not certified for `number`."""
        key = credential.credential_type, credential.body
        known = self._verdicts.get(key)
        if known is not None and known.since <= now < known.until and number in (None, known.leaf.number):
            self._verdicts.move_to_end(key)
            return known
        certified = check_chain(
            credential,
            anchors=self.anchors,
            policy=self.policy,
            now=now,
            crypto=self._crypto,
            number=number,
            known=self._known,
        )
        self._verdicts[key] = certified
        self._verdicts.move_to_end(key)
        if len(self._verdicts) > self._remember:
            self._verdicts.popitem(last=False)
        return certified
