"""`Enrolment`: this device's certificate, and what follows from it (rcc16.md 1.8). Key packages are in `pool`.

A certificate is asked for long before the floor of 30 days, because a member under the floor blocks the commits of all
others (rcc16.md 1.6). The leaf key stays the same from one certificate to the next. What a KDS sends back is not
believed: the chain goes through every check that a peer's does, and must be ours besides.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field, replace
from typing import Final

from ...codec.kds import CertificateRequest
from ...conversation_seam import RenewCertificate, Request
from ...crypto.provider import CryptoProvider
from ...errors import InputError, InvalidRcc16
from ...ids import Instant, Number, Rng
from ...mls.client import Client
from ...mls.key_packages import KeyPackageBundle
from ...mls.suites import CipherSuite, cipher_suite
from ...mls.wire.credential import Credential
from ...mls.wire.welcome import Welcome
from ...seam import Staged, State, Writes
from ..credentials.anchors import TrustAnchors, check_replacement
from ..credentials.authentication import CertificateAuthentication
from ..credentials.checking import CredentialPolicy, check_chain
from ..credentials.leaf import decode_chain, expires_at
from ..credentials.numbers import subject_alt_name, subject_name
from ..credentials.request import prove_possession
from ..credentials.successor import check_successor
from ..policy import CIPHER_SUITE
from ..rules import rule
from . import linking, pool
from .records import ANCHORS, CERTIFICATE, LEAF, UPKEEP, Own, Schedule
from .settings import EnrolmentSettings, LeafKey, ParticipantKey
from .vouching import vouch

__all__ = ["Enrolment", "Upkeep"]

_KEY = rule(
    "RCC-P.1.8-09",
    "rcc16.md 1.8",
    "a certificate that comes back is for the key that was to be certified",
    module=__name__,
)
_PARTICIPANT = rule(
    "RCC-P.1.8-10", "rcc16.md 1.8", "a certificate that comes back names our participant key", module=__name__
)

_CERTIFICATE_REQUEST: Final = "certificate"


@dataclass(frozen=True, slots=True)
class Upkeep:
    """Commit `writes`, then hand out the requests; call again at `next_at`. `needs_link`: a linked device has nothing
    (any more) that the primary signed for it, and cannot enrol."""

    writes: Writes = field(default_factory=dict)
    requests: tuple[Request, ...] = ()
    next_at: Instant | None = None
    needs_link: bool = False


class Enrolment:
    """One device's. Without state of its own but for what it has decoded last."""

    def __init__(
        self, crypto: CryptoProvider, number: Number, participant: ParticipantKey | None, settings: EnrolmentSettings
    ) -> None:
        if settings.one_time_packages < 1:
            raise InputError("a pool has at least one package beside that of last resort", code="input.packages")
        self.number: Final = number
        self.settings: Final = settings
        self._crypto: Final = crypto
        self._participant: Final = participant
        self._suite: Final[CipherSuite] = cipher_suite(CIPHER_SUITE, crypto)
        self._judge: tuple[tuple[bytes, ...], CertificateAuthentication] | None = None
        self._client: tuple[Own, tuple[bytes, ...], Client] | None = None

    def with_settings(self, settings: EnrolmentSettings) -> Enrolment:
        """The same device's with other settings: the vendor, once the server's root has named it."""
        return Enrolment(self._crypto, self.number, self._participant, settings)

    @property
    def participant(self) -> ParticipantKey | None:
        """The account's key; None on a linked device."""
        return self._participant

    # --- what there is -------------------------------------------------------------------------------------------
    def client(self, state: State, now: Instant) -> Client | None:
        """The mls client, the same object while nothing changes; None without a certificate that is valid now."""
        own, chain, judge = state.get(LEAF), state.get(CERTIFICATE), self.authentication(state)
        if own is None or chain is None or judge is None:
            return None
        if self._client is None or self._client[:2] != (own, chain) or self._client[2].authentication is not judge:
            self._client = own, chain, self._made(own, chain, judge)
        client = self._client[2]
        try:
            judge.certify(client.credential, now, self.number)
        except InvalidRcc16:
            return None
        return client

    def authentication(self, state: State) -> CertificateAuthentication | None:
        """Judges the members of groups by the anchors in force; None before there were any."""
        entries = state.get(ANCHORS)
        if entries is None:
            return None
        if self._judge is None or self._judge[0] != entries:
            policy = CredentialPolicy(tolerant=self.settings.tolerant, floor=False)
            remember = self.settings.remembered_verdicts
            judge = CertificateAuthentication(self._crypto, TrustAnchors.of(entries), policy, remember=remember)
            self._judge = entries, judge
        return self._judge[1]

    def ready(self, state: State, now: Instant) -> bool:
        """Whether the capability may be advertised: a valid certificate, and packages with it at the KDS."""
        schedule = state.get(UPKEEP)
        chain = state.get(CERTIFICATE)
        return (
            schedule is not None
            and chain is not None
            and schedule.published_pool > 0
            and self.client(state, now) is not None
        )

    def leaf_key(self, state: State) -> LeafKey | None:
        """The certified key, for signing requests to the KDS; None before the first `upkeep`."""
        own = state.get(LEAF)
        return None if own is None else LeafKey(own.public, self._suite.signer(own.private))

    # --- what is due -----------------------------------------------------------------------------------------------
    def upkeep(self, state: State, now: Instant, rng: Rng) -> Upkeep:
        """See the package."""
        staged = Staged(state)
        if staged.get(LEAF) is None:
            staged.put(LEAF, self._new_key(rng))
        requests: list[Request] = []
        times: list[Instant] = []
        needs_link = not self._can_ask(staged, now)
        renew_at = self._renew_at(staged, now)
        if renew_at > now:
            times.append(renew_at)
        elif not needs_link:
            schedule = staged.get(UPKEEP) or Schedule()
            due = schedule.certificate_asked_at + self._wait(schedule.certificate_failures)
            if due <= now:
                requests.append(RenewCertificate(_CERTIFICATE_REQUEST))
                failures = schedule.certificate_failures + 1
                schedule = replace(schedule, certificate_asked_at=now, certificate_failures=failures)
                staged.put(UPKEEP, schedule)
                due = now + self._wait(failures)
            times.append(due)
        client = self.client(staged, now)
        if client is not None:
            publish, due = pool.upkeep(staged, client, self.settings, self._wait, now, rng)
            if publish is not None:
                requests.append(publish)
            times.append(due)
        pool.housekeeping(staged, self.settings, now)
        return Upkeep(staged.writes, tuple(requests), min(times, default=None), needs_link)

    # --- certificates ------------------------------------------------------------------------------------------------
    def request(self, state: State, proof: bytes, now: Instant) -> CertificateRequest:
        """What to send to the KDS. Raises InputError where there is no key yet, or no word of the primary for it."""
        own = state.get(LEAF)
        if own is None or not self._can_ask(state, now):
            raise InputError("there is nothing to have certified yet", code="input.not_enrolled")
        participant = self._participant
        if participant is not None:
            public = self._crypto.p256_from_spki(participant.spki)
            information, csr_pop = vouch(
                participant, self.number, own.client_id, own.public, self.settings, self._crypto, now
            )
        else:
            assert own.link is not None
            public = self._crypto.p256_from_spki(own.link.participant_spki)
            information, csr_pop = own.link.participant_information, own.link.csr_pop
        return CertificateRequest(
            number=self.number,
            participant_public=public,
            leaf_public=own.public,
            subject=subject_name(own.client_id),
            subject_alt_name=subject_alt_name(self.number),
            participant_information=information,
            proof=proof,
            csr_pop=csr_pop,
            leaf_pop=prove_possession(self.number, public, own.public, self._suite.signer(own.private)),
        )

    def adopt(self, state: State, chain: tuple[bytes, ...] | None, anchors: tuple[bytes, ...], now: Instant) -> Writes:
        """Our chain, leaf first, with or without its root, and the entries of `TrustAnchors` in force (empty: unchanged).

        Raises InvalidRcc16 for a chain that does not hold, is not ours, or does not follow the one before; then nothing
        is to be written. DecodeError for anchors that are none.
        """
        staged = Staged(state)
        held = TrustAnchors.of(staged.get(ANCHORS) or ())
        trusted = TrustAnchors.of(anchors) if anchors else held
        check_replacement(held, trusted)
        if trusted != held:
            staged.put(ANCHORS, trusted.entries())
        if chain is None:
            return staged.writes
        own = staged.get(LEAF)
        if own is None:
            raise InputError("no certificate was asked for", code="input.not_enrolled")
        if len(chain) > 2 and chain[-1] in trusted.certificates:
            chain = chain[:-1]  # whoever believes the root has it
        credential = Credential.x509(chain)
        certified = check_chain(
            credential,
            anchors=trusted,
            policy=CredentialPolicy(tolerant=self.settings.tolerant, floor=True),
            now=now,
            crypto=self._crypto,
            number=self.number,
        )
        if certified.leaf.key.point != own.public:
            _KEY.fail("the certificate is for another key than ours")
        if certified.leaf.participant.participant_spki != self._participant_spki(own):
            _PARTICIPANT.fail("the certificate names another participant key than ours")
        before = staged.get(CERTIFICATE)
        if before is not None:
            check_successor(Credential.x509(before), credential)
        staged.put(CERTIFICATE, chain)
        # One that is due for renewal at once, the old one again say, is no success: the next request waits its time.
        if self._renew_at(staged, now) > now:
            schedule = staged.get(UPKEEP) or Schedule()
            staged.put(UPKEEP, replace(schedule, certificate_failures=0, certificate_asked_at=0))
        return staged.writes

    # --- key packages ------------------------------------------------------------------------------------------------
    def published(self, state: State, request: str, stored: bool, now: Instant) -> Writes:
        """The answer to PublishKeyPackages."""
        return pool.published(state, request, stored, now)

    def bundle_for(self, state: State, welcome: Welcome) -> KeyPackageBundle | None:
        """The package of ours that a Welcome is for; None if it is for none, or was opened before (SR-13)."""
        return pool.bundle_for(state, welcome, self._suite)

    def used(self, state: State, bundle: KeyPackageBundle, welcome: Welcome, now: Instant) -> Writes:
        """The Welcome was joined: a one-time package is gone, that of last resort has to be replaced."""
        return pool.used(state, bundle, welcome, self.settings, now)

    def unopenable(self, state: State, welcome: Welcome, now: Instant) -> Writes:
        """A Welcome that was addressed to us is for no package that we have: the KDS hands out what we lost."""
        return pool.unopenable(state, welcome)

    def rolled_back(self, state: State) -> Writes:
        """The store is an old copy: its packages are used by nobody any more, and the next `upkeep` makes new ones."""
        return pool.abandon(state)

    # --- linked devices ----------------------------------------------------------------------------------------------
    def link_request(self, state: State, participant_spki: bytes) -> linking.LinkRequest:
        """On a linked device, for the primary, which holds this participant key. Raises InputError before `upkeep`."""
        own = state.get(LEAF)
        if own is None:
            raise InputError("there is no key to be linked yet", code="input.not_enrolled")
        public = self._crypto.p256_from_spki(participant_spki)
        pop = prove_possession(self.number, public, own.public, self._suite.signer(own.private))
        return linking.LinkRequest(own.client_id, own.public, pop)

    def answer_link(self, request: linking.LinkRequest, now: Instant) -> linking.LinkAnswer:
        """On the primary: its word for a linked device's key. Raises InvalidRcc16 if that device does not hold the key,
        InputError on a device that is not the primary."""
        if self._participant is None:
            raise InputError("only the primary device signs for others", code="input.not_primary")
        return linking.answer(request, self.number, self._participant, self.settings, self._crypto, now)

    def adopt_link(self, state: State, answer: linking.LinkAnswer, participant_spki: bytes, now: Instant) -> Writes:
        """On a linked device: the primary's answer. Raises InvalidRcc16 if it is not for this device, or of another key."""
        own = state.get(LEAF)
        if own is None:
            raise InputError("there is no key to be linked yet", code="input.not_enrolled")
        link = linking.accepted(answer, own, self.number, participant_spki, self._crypto, now)
        return {LEAF: replace(own, link=link)}

    # --- inside --------------------------------------------------------------------------------------------------------
    def _new_key(self, rng: Rng) -> Own:
        private, public = self._suite.generate_signature_key(rng)
        return Own(str(uuid.UUID(bytes=rng(16), version=4)), private, public)

    def _made(self, own: Own, chain: tuple[bytes, ...], judge: CertificateAuthentication) -> Client:
        return Client(
            suite=self._suite,
            credential=Credential.x509(chain),
            signature_key=own.public,
            sign=self._suite.signer(own.private),
            capabilities=self.settings.capabilities,
            authentication=judge,
            policy=self.settings.policy,
        )

    def _can_ask(self, state: State, now: Instant) -> bool:
        """Whether somebody who holds the participant key vouches for this device, for long enough."""
        if self._participant is not None:
            return True
        own = state.get(LEAF)
        return own is not None and own.link is not None and own.link.until - now >= self.settings.renew_before_ms

    def _participant_spki(self, own: Own) -> bytes:
        if self._participant is not None:
            return self._participant.spki
        return b"" if own.link is None else own.link.participant_spki

    def _renew_at(self, state: State, now: Instant) -> Instant:
        """Not before a third of its time: a KDS whose certificates are short is not asked again and again. At once where
        ours does not hold any more, because its authority was revoked, say."""
        chain = state.get(CERTIFICATE)
        if chain is None or self.client(state, now) is None:
            return 0
        credential = Credential.x509(chain)
        start, end = decode_chain(credential)[0].not_before, expires_at(credential)
        return max(end - self.settings.renew_before_ms, start + (end - start) // 3)

    def _wait(self, failures: int) -> Instant:
        if failures == 0:
            return 0
        return min(self.settings.retry_ms << min(failures - 1, 20), self.settings.longest_retry_ms)
