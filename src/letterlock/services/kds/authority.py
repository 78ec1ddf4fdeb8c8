"""The certificate authority of a key distribution server: who is certified, for how long, and the list of anchors.

Its keys are held by reference (services/signer.py). The root's is not needed here: it makes the issuing authority once,
and can lie in a safe. What a client asked for goes into its certificate verbatim (rcc16.md 1.8).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from ...codec.kds import CertificateRequest
from ...crypto.provider import CryptoProvider
from ...errors import InputError, InvalidRcc16, KdsError
from ...ids import Instant, Number, Rng
from ...rcc16.credentials.algorithms import spki_of
from ...rcc16.credentials.anchors import TrustAnchors
from ...rcc16.credentials.extensions import vendor_id
from ...rcc16.credentials.issuing import BACKDATED_MS, Issuer, issue_ca, issue_leaf, issue_root, new_serial
from ...rcc16.credentials.leaf import certificate_of
from ...rcc16.credentials.participant import decode_participant_information
from ...rcc16.credentials.proof import decode_proof
from ...rcc16.credentials.request import check_request
from ..signer import Signer
from .limits import KdsLimits

__all__ = ["Admitted", "Authority", "make_authorities"]

_DAY_MS: Final = 86_400_000
_ROOT_MS: Final = 3_650 * _DAY_MS
_ISSUING_MS: Final = 1_825 * _DAY_MS


@dataclass(frozen=True, slots=True)
class Admitted:
    """A request that holds: the leaf key is the device's, the participant key the number's by the word of the ACS.

    `ends` is when the shorter of the two signatures ends that stand in the certificate, milliseconds.
    """

    request: CertificateRequest
    participant_spki: bytes
    proof_expires: int
    ends: Instant

    @property
    def number(self) -> Number:
        return self.request.number


@dataclass(frozen=True, slots=True)
class Authority:
    """`chain` is the issuing authority and those above it, the root last; `signer` has the key of the first.

    `kds` is the server's number, which its clients have as `mls-kds` and the ACS signs as their home.
    """

    kds: int
    chain: tuple[bytes, ...]
    acs_spki: bytes
    vendor_id: int
    issuer: Issuer = field(repr=False)

    @classmethod
    def of(cls, kds: int, chain: Iterable[bytes], signer: Signer, acs_spki: bytes) -> Authority:
        """Raises InputError for a chain that is none, or is of another key; DecodeError for no certificates."""
        ordered = tuple(chain)
        certificates = [certificate_of(der) for der in ordered]
        if not certificates or certificates[0].spki != signer.spki:
            raise InputError("the certificate of the authority is of another key", code="input.kds_authority")
        for below, above in pairwise(certificates):
            if below.issuer != above.subject:
                raise InputError("the certificates of the authority are no chain", code="input.kds_authority")
        vendor = vendor_id(certificates[-1])
        if vendor is None:
            raise InputError("the root names no vendor", code="input.kds_authority")
        return cls(kds, ordered, acs_spki, vendor, Issuer(certificates[0], signer.sign))

    @property
    def root(self) -> bytes:
        return self.chain[-1]

    def admit(self, request: CertificateRequest, crypto: CryptoProvider, limits: KdsLimits, now: Instant) -> Admitted:
        """Who asks, by the signatures in the request. Raises KdsError `kds.request` 422.

        The number is authenticated by the ACS's proof and the possession of the participant key; no session says more.
        """
        if request.leaf_public != request.participant_public and not limits.separate_participant_keys:
            raise _refused("leaf and participant key are one here")
        try:
            check_request(
                request,
                number=request.number,
                vendor_id=self.vendor_id,
                home_kds=str(self.kds),
                acs_spki=self.acs_spki,
                now=now,
                crypto=crypto,
            )
        except InvalidRcc16 as error:
            raise _refused(str(error)) from error
        proof = decode_proof(request.proof)
        ends = min(proof.expires * 1000, decode_participant_information(request.participant_information).not_after)
        # One that is under the floor on its first day is of no use, and would block whoever takes it in (rcc16.md 1.6).
        if ends < now + limits.floor_ms + _DAY_MS:
            raise _refused("the identity proof or the ParticipantInformation ends too soon: renew it")
        return Admitted(request, spki_of(request.participant_public), proof.expires, ends)

    def issue(self, admitted: Admitted, limits: KdsLimits, now: Instant, rng: Rng) -> bytes:
        """The leaf certificate. It does not outlive what stands in it. May wait for a hardware key."""
        lifetime_ms = min(limits.leaf_lifetime_ms, admitted.ends - (now - BACKDATED_MS))
        return issue_leaf(self.issuer, admitted.request, serial=new_serial(rng), now=now, lifetime_ms=lifetime_ms)

    def anchors(self, peers: Iterable[bytes], revoked: Iterable[int], generation: int) -> TrustAnchors:
        """What clients of this server believe: our root, the roots of those we federate with, less what was revoked."""
        return TrustAnchors(generation, tuple(dict.fromkeys((self.root, *peers))), frozenset(revoked))


def make_authorities(
    name: str, vendor: int, root: Signer, issuing: Signer, now: Instant, rng: Rng
) -> tuple[bytes, bytes]:
    """A root and below it the authority that issues to clients, in DER: (issuing, root)."""
    top = issue_root(
        name=f"{name} root",
        spki=root.spki,
        sign=root.sign,
        vendor_id=vendor,
        serial=new_serial(rng),
        now=now,
        lifetime_ms=_ROOT_MS,
    )
    below = issue_ca(
        Issuer.of(top, root.sign),
        name=f"{name} client authority",
        spki=issuing.spki,
        path_length=0,
        serial=new_serial(rng),
        now=now,
        lifetime_ms=_ISSUING_MS,
    )
    return below, top


def _refused(why: str) -> KdsError:
    return KdsError(f"no certificate for this: {why}", code="kds.request", status=422)
