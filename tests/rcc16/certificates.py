"""A certification authority and enrolled people for the tests of RCC.16, always the same ones.

`Lab()` is a root, an intermediate and a client authority with an ACS beside them; `lab.enrol("+15550100")` is a person
with a participant key, a leaf key, a chain and an `mls` client. Enrolling the same number again gives another device
of the same participant; `device` counts them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any

from crypto.deterministic import Deterministic, seeded_rng
from letterlock.crypto.provider import CryptoProvider
from letterlock.ids import Instant, Number, Rng, number
from letterlock.mls.client import Client
from letterlock.mls.policy import Policy
from letterlock.mls.suites import CipherSuite, cipher_suite
from letterlock.mls.wire.credential import Credential
from letterlock.rcc16.choices import Revision
from letterlock.rcc16.credentials.algorithms import Sign, spki_of
from letterlock.rcc16.credentials.anchors import TrustAnchors
from letterlock.rcc16.credentials.authentication import CertificateAuthentication
from letterlock.rcc16.credentials.checking import FOLLOWING, CredentialPolicy
from letterlock.rcc16.credentials.issuing import Issuer, issue_ca, issue_leaf, issue_root
from letterlock.rcc16.credentials.numbers import subject_alt_name, subject_name
from letterlock.rcc16.credentials.participant import participant_information
from letterlock.rcc16.credentials.proof import issue_proof
from letterlock.rcc16.credentials.request import CertificateRequest, prove_number, prove_possession
from letterlock.rcc16.policy import CIPHER_SUITE, capabilities, mls_policy

__all__ = [
    "CRYPTO",
    "DAY",
    "HOME_KDS",
    "NOW",
    "SUITE",
    "VENDOR",
    "Identity",
    "KeyPair",
    "Lab",
    "key_pair",
    "lab_policy",
]

CRYPTO: CryptoProvider = Deterministic()
SUITE: CipherSuite = cipher_suite(CIPHER_SUITE, CRYPTO)
NOW: Instant = 1_790_000_000_000
DAY = 86_400_000
VENDOR = 76
HOME_KDS = "kds.example.test"


@dataclass(frozen=True)
class KeyPair:
    """P-256."""

    private: bytes = field(repr=False)
    public: bytes
    sign: Sign = field(repr=False)

    @property
    def spki(self) -> bytes:
        return spki_of(self.public)


@cache
def key_pair(seed: str) -> KeyPair:
    """The same for the same seed."""
    private = CRYPTO.p256_generate(seeded_rng(f"rcc16 key {seed}"))
    return KeyPair(private, CRYPTO.p256_public(private), CRYPTO.signer("p256", private))


def lab_policy(revision: Revision = Revision.V3) -> Policy:
    """The MLS policy of RCC.16 with limits for tests."""
    return mls_policy(
        revision,
        max_members=2_000,
        max_message_bytes=1 << 24,
        max_past_epochs=64,
        max_lifetime_seconds=400 * 86_400,
        forward=10_000,
        out_of_order=1_000,
    )


@dataclass(frozen=True)
class Identity:
    """One device of one participant."""

    number: Number
    participant: KeyPair
    leaf: KeyPair
    chain: tuple[bytes, ...] = field(repr=False)
    """Leaf first, then the client authority and the intermediate; the root is not sent."""
    request: CertificateRequest = field(repr=False)
    authentication: CertificateAuthentication = field(repr=False)
    revision: Revision = Revision.V3

    @property
    def credential(self) -> Credential:
        return Credential.x509(self.chain)

    @property
    def client(self) -> Client:
        return Client(
            suite=SUITE,
            credential=self.credential,
            signature_key=self.leaf.public,
            sign=self.leaf.sign,
            capabilities=capabilities(self.revision),
            authentication=self.authentication,
            policy=lab_policy(self.revision),
        )


class Lab:
    """Two labs with the same `name` and `now` are the same."""

    def __init__(self, name: str = "lab", now: Instant = NOW, *, vendor_id: int = VENDOR, years: float = 9) -> None:
        self.name, self.now, self.vendor_id = name, now, vendor_id
        self.rng: Rng = seeded_rng(f"lab {name}")
        self.root_key, self.ica_key, self.client_ca_key = (key_pair(f"{name} {n}") for n in ("root", "ica", "client"))
        self.acs_key = key_pair(f"{name} acs")
        start = now - 30 * DAY
        root = issue_root(
            name=f"{name} root",
            spki=self.root_key.spki,
            sign=self.root_key.sign,
            vendor_id=vendor_id,
            serial=self.serial(),
            now=start,
            lifetime_ms=int(years * 365 * DAY),
        )
        self.root = Issuer.of(root, self.root_key.sign)
        self.ica = self.authority(self.root, "ica", self.ica_key, path_length=1, days=1_825, now=start)
        self.client_ca = self.authority(self.ica, "client ca", self.client_ca_key, path_length=0, days=730, now=start)
        self.anchors = TrustAnchors(1, (root,))
        self._devices: dict[Number, int] = {}

    def serial(self) -> int:
        return int.from_bytes(self.rng(12), "big") | 1

    def authority(
        self, issuer: Issuer, what: str, key: KeyPair, *, path_length: int, days: int, now: Instant | None = None
    ) -> Issuer:
        """One more authority under `issuer`."""
        der = issue_ca(
            issuer,
            name=f"{self.name} {what}",
            spki=key.spki,
            path_length=path_length,
            serial=self.serial(),
            now=self.now if now is None else now,
            lifetime_ms=days * DAY,
        )
        return Issuer.of(der, key.sign)

    def authentication(
        self, policy: CredentialPolicy = FOLLOWING, *, remember: int = 4_096
    ) -> CertificateAuthentication:
        """What judges by this lab's anchors."""
        return CertificateAuthentication(CRYPTO, self.anchors, policy, remember=remember)

    def proof(self, of: Number, participant_spki: bytes, *, now: Instant | None = None, days: int = 120) -> bytes:
        """What the ACS hands out."""
        expires = ((self.now if now is None else now) + days * DAY) // 1000
        return issue_proof(of, participant_spki, HOME_KDS, expires, self.acs_key.sign)

    def request(
        self,
        text: str,
        *,
        participant: KeyPair | None = None,
        leaf: KeyPair | None = None,
        device: int = 1,
        vendor_id: int | None = None,
        now: Instant | None = None,
        **changes: Any,
    ) -> CertificateRequest:
        """What a device asks of the KDS; `changes` are other fields, `window` that of ParticipantInformation."""
        of, now = number(text), self.now if now is None else now
        participant = participant or key_pair(f"participant {of}")
        leaf = leaf or key_pair(f"leaf {of} {device}")
        subject, names = changes.pop("subject", None) or subject_name(_client_id(of, device)), subject_alt_name(of)
        begin, end = changes.pop("window", (now - DAY // 24, now + 90 * DAY))
        fields = {
            "number": of,
            "participant_public": participant.public,
            "leaf_public": leaf.public,
            "subject": subject,
            "subject_alt_name": names,
            "participant_information": participant_information(
                subject=subject,
                subject_alt_name=names,
                leaf_spki=leaf.spki,
                vendor_id=self.vendor_id if vendor_id is None else vendor_id,
                not_before=begin,
                not_after=end,
                participant_spki=participant.spki,
                sign=participant.sign,
            ),
            "proof": self.proof(of, participant.spki, now=now),
            "csr_pop": prove_number(of, participant.public, participant.sign),
            "leaf_pop": prove_possession(of, participant.public, leaf.public, leaf.sign),
        }
        return CertificateRequest(**{**fields, **changes})

    def issue(
        self, request: CertificateRequest, *, now: Instant | None = None, days: float = 75.5
    ) -> tuple[bytes, ...]:
        """The chain for a request: leaf, client authority, intermediate."""
        leaf = issue_leaf(
            self.client_ca,
            request,
            serial=self.serial(),
            now=self.now if now is None else now,
            lifetime_ms=int(days * DAY),
        )
        return leaf, self.client_ca.certificate.der, self.ica.certificate.der

    def enrol(
        self,
        text: str,
        *,
        vendor_id: int | None = None,
        now: Instant | None = None,
        days: float = 75.5,
        device: int | None = None,
        participant: KeyPair | None = None,
        policy: CredentialPolicy = FOLLOWING,
        authentication: CertificateAuthentication | None = None,
        revision: Revision = Revision.V3,
    ) -> Identity:
        """A device with a certificate of `days` days from `now`. Give many people one `authentication` to be quick."""
        of = number(text)
        if device is None:
            device = self._devices[of] = self._devices.get(of, 0) + 1
        participant = participant or key_pair(f"participant {of}")
        leaf = key_pair(f"leaf {of} {device}")
        request = self.request(text, participant=participant, leaf=leaf, device=device, vendor_id=vendor_id, now=now)
        judge = authentication or self.authentication(policy)
        return Identity(of, participant, leaf, self.issue(request, now=now, days=days), request, judge, revision)


def _client_id(of: Number, device: int) -> str:
    return f"00000000-0000-4000-8000-{int(of[1:]):010d}{device:02d}"[:64]
