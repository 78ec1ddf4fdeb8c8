"""Asks the key distribution server for what RCC.16 wants: certificates, the trust anchors, packages of ours and others'.

Every request gets an answer, also when there is none to be had: then the protocol asks again in its own time. What the
server says is judged by the protocol; nothing here is believed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from typing import Protocol, TypeVar

from ..codec.kds import CertificateRequest
from ..codec.x509 import decode_certificate
from ..conversation_seam import Claimed, ClaimKeyPackages, ClaimOutcome, PublishKeyPackages, RenewCertificate, Request
from ..crypto.provider import CryptoProvider
from ..engine.engine import Engine
from ..engine.step import Step
from ..errors import InputError, KdsError, LetterlockError, TransportError
from ..ids import Instant, Number, Rng
from ..rcc16.credentials.anchors import TrustAnchors
from ..rcc16.credentials.extensions import vendor_id
from ..rcc16.credentials.leaf import MAX_CERTIFICATE_BYTES
from ..rcc16.enrolment.enrolment import Enrolment
from ..rcc16.enrolment.linking import LinkAnswer, LinkRequest
from ..rcc16.enrolment.records import ANCHORS, CERTIFICATE, UPKEEP
from ..rcc16.protocol import Rcc16Protocol
from ..seam import State
from ..transport.kds import AnchorSource, KdsSigner
from .accounts import KdsAccount
from .api import CertificateInfo

__all__ = ["KeyDistribution", "KeyServer"]

T = TypeVar("T")

_log = logging.getLogger(__name__)

_PATIENCE_S = 60.0
"""For one request, whatever the transport's own patience is."""
_LOOK_PAUSE_MS = 60_000
_MOST_LOOKED = 64


class KeyDistribution(Protocol):
    """The connection; `transport.kds.KdsClient` is one. Methods raise KdsError or TransportError."""

    signer: KdsSigner | None
    """The leaf key that signs requests."""

    async def enrol(self, request: CertificateRequest) -> tuple[bytes, ...]: ...

    async def anchors(
        self, source: AnchorSource, held: TrustAnchors | None, crypto: CryptoProvider
    ) -> TrustAnchors: ...

    async def newest_anchors(self, source: AnchorSource) -> AnchorSource: ...

    async def upload(self, packages: tuple[bytes, ...]) -> int: ...

    async def withdraw(self, device: bytes, participant: KdsSigner) -> None: ...

    async def claim(
        self, numbers: Iterable[Number], servers: Mapping[Number, int] | None = None
    ) -> dict[Number, Claimed]: ...

    async def close(self) -> None: ...


class KeyServer:
    """The requests of one device. `trouble` is what went wrong last, for whoever wants to know."""

    def __init__(
        self,
        kds: KeyDistribution,
        account: Callable[[], KdsAccount],
        protocol: Rcc16Protocol,
        *,
        engine: Engine,
        state: State,
        crypto: CryptoProvider,
        clock: Callable[[], Instant],
    ) -> None:
        self._kds, self._account, self._protocol = kds, account, protocol
        self._engine, self._state = engine, state
        self._crypto, self._clock = crypto, clock
        self.trouble = ""
        self._looked: dict[Number, Instant] = {}
        self.on_answered: Callable[[], None] = lambda: None

    def answered(self) -> None:
        """A step of ours is on disk: what can be done may be another than before."""
        self.on_answered()

    @property
    def named_generation(self) -> int:
        """Of the trust anchors, by the operator's last word."""
        return self._account().anchors_generation

    def vouched_for(self, request: LinkRequest) -> LinkAnswer:
        """The primary's word for a linked device's key. Raises InvalidRcc16, InputError."""
        entries = self._state.get(ANCHORS)
        if entries is None:
            raise InputError("this device has no certificate yet", code="input.not_enrolled")
        return self._enrolment_under(TrustAnchors.of(entries)).answer_link(request, self._clock())

    @property
    def crypto(self) -> CryptoProvider:
        return self._crypto

    @property
    def account(self) -> KdsAccount:
        """By the operator's last word."""
        return self._account()

    async def withdraw(self, device: bytes) -> None:
        """Have a device of the account forgotten. Raises KdsError, TransportError; InputError on a linked device."""
        participant = self._protocol.enrolment.participant
        if participant is None:
            raise InputError("only the primary device withdraws others", code="input.not_primary")
        public = self._crypto.p256_from_spki(participant.spki)
        signer = KdsSigner(self._protocol.enrolment.number, public, participant.sign)
        await self._kds.withdraw(device, signer)

    async def look_up(self, number: Number) -> Callable[[State, Instant, Rng], Step[bool]] | None:
        """The step that takes what there is of a number now. None when it was asked a moment ago, or nobody answered.

        Each look takes one of that number's key packages, which are not ours to drain (SR-13).
        """
        now, name = self._clock(), self._protocol.name
        if 0 <= now - self._looked.get(number, 0) < _LOOK_PAUSE_MS:
            return None
        self._looked.pop(number, None)
        while len(self._looked) >= _MOST_LOOKED:
            del self._looked[next(iter(self._looked))]
        self._looked[number] = now
        found = await self._tried(self._signed, lambda: self._kds.claim((number,)))
        if found is None or number not in found:
            return None
        return lambda s, at, rng: self._engine.on_keys_looked_up(s, name, number, found[number], at, rng)

    async def look_for_anchors(self) -> TrustAnchors | None:
        """The trust anchors that there are now, those that we have or newer ones; None when nobody could say."""
        return await self._tried(lambda: None, self._anchors)

    async def perform(self, protocol: str, request: Request) -> Callable[[State, Instant, Rng], Step[None]]:
        """The step that takes the answer."""
        engine, name = self._engine, request.request
        match request:
            case ClaimKeyPackages(numbers=numbers):
                found = await self._tried(self._signed, lambda: self._kds.claim(numbers))
                answers = found or {number: Claimed(ClaimOutcome.FAILED) for number in numbers}
                return lambda s, now, rng: engine.on_claimed(s, protocol, name, answers, now, rng)
            case PublishKeyPackages(packages=packages):
                stored = await self._tried(self._signed, lambda: self._kds.upload(packages))
                return lambda s, now, rng: engine.on_uploaded(s, protocol, name, stored is not None, now, rng)
            case RenewCertificate():
                # The list counts even if no certificate comes: it may revoke the authority that is to give one.
                anchors = await self._tried(lambda: None, self._anchors)
                chain = None if anchors is None else await self._tried(lambda: None, lambda: self._enrol(anchors))
                entries = () if anchors is None else anchors.entries()
                return lambda s, now, rng: engine.on_enrolled(s, protocol, name, chain, entries, now, rng)

    def certificate(self) -> CertificateInfo:
        """What there is now."""
        now, chain, schedule = self._clock(), self._state.get(CERTIFICATE), self._state.get(UPKEEP)
        enrolment = self._protocol.enrolment
        return CertificateInfo(
            enrolment.ready(self._state, now),
            decode_certificate(chain[0], max_bytes=MAX_CERTIFICATE_BYTES).not_after if chain else 0,
            0 if schedule is None or not schedule.published_pool else enrolment.settings.one_time_packages + 1,
            self.trouble,
        )

    async def close(self) -> None:
        await self._kds.close()

    async def _anchors(self) -> TrustAnchors:
        """The newest list, by the operator's word or the server's; what is held stays where that is as new."""
        account, entries = self._account(), self._state.get(ANCHORS)
        held = TrustAnchors.of(entries) if entries is not None else None
        source = AnchorSource(account.anchors_uri, account.anchors_generation, account.anchors_signer)
        outdated = held is None or source.generation > held.generation
        try:
            source = await self._kds.newest_anchors(source)
        except (KdsError, TransportError) as error:
            # A server that does not say leaves the operator's word; one that could not be asked has to be asked again.
            if not outdated and not (isinstance(error, KdsError) and error.status == 404):
                raise
        if held is not None and source.generation <= held.generation:
            return held
        return await self._kds.anchors(source, held, self._crypto)

    async def _enrol(self, anchors: TrustAnchors) -> tuple[bytes, ...]:
        request = self._enrolment_under(anchors).request(self._state, self._account().identity_proof, self._clock())
        return await self._kds.enrol(request)

    def _enrolment_under(self, anchors: TrustAnchors) -> Enrolment:
        """The leaf names the vendor of the server's own root, which stands first in its list (rcc16.md 1.5)."""
        enrolment, vendor = self._protocol.enrolment, _vendor_of(anchors)
        if vendor is None or vendor == enrolment.settings.vendor_id:
            return enrolment
        return enrolment.with_settings(replace(enrolment.settings, vendor_id=vendor))

    def _signed(self) -> None:
        leaf = self._protocol.enrolment.leaf_key(self._state)
        if leaf is None:
            raise InputError("this device has no key that could be certified yet", code="input.not_enrolled")
        self._kds.signer = KdsSigner(self._protocol.enrolment.number, leaf.public, leaf.sign)

    async def _tried(self, before: Callable[[], None], call: Callable[[], Awaitable[T]]) -> T | None:
        try:
            before()
            async with asyncio.timeout(_PATIENCE_S):
                answer = await call()
        except TimeoutError:
            self.trouble = "no answer from the key distribution server in time"
        except LetterlockError as error:
            self.trouble = f"{error} ({error.code})"
        else:
            self.trouble = ""
            return answer
        _log.info("key distribution: %s", self.trouble)
        return None


def _vendor_of(anchors: TrustAnchors) -> int | None:
    """Of the server's own root; those that it federates with stand behind it."""
    if not anchors.certificates:
        return None
    root = decode_certificate(anchors.certificates[0], max_bytes=MAX_CERTIFICATE_BYTES)
    return vendor_id(root)
