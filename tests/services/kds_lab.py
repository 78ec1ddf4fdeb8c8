"""A key distribution server on loopback with people who enrol at it, on a clock that tests turn."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp

from letterlock.codec.kds import CertificateRequest
from letterlock.codec.kds_signature import HEADER, RequestSignature, SignerKind, encode_signature, signed_text
from letterlock.ids import Instant, Number, number
from letterlock.mls.client import Client
from letterlock.mls.key_packages import LAST_RESORT_EXTENSION, KeyPackageBundle, make_key_package
from letterlock.mls.wire.credential import Credential
from letterlock.rcc16.choices import Revision
from letterlock.rcc16.credentials.proof import issue_proof
from letterlock.rcc16.policy import capabilities
from letterlock.services.buckets import Rate
from letterlock.services.kds import Authority, KdsLimits, KeyDistributionServer, Peer
from letterlock.transport.kds import AnchorSource, KdsClient, KdsSigner
from postgres import database_in
from rcc16.certificates import CRYPTO, DAY, NOW, SUITE, KeyPair, Lab, key_pair, lab_policy

__all__ = ["ANA", "BEN", "CRYPTO", "DAY", "EASY", "NOW", "Device", "Key", "Town", "Turning", "ask", "signed"]

ANA, BEN = Number("+15550100"), Number("+15550199")
PLENTY = Rate(1_000_000, 1000)
EASY = KdsLimits(
    certificates=PLENTY,
    uploads=PLENTY,
    claims=PLENTY,
    claims_of_one=PLENTY,
    claims_of_one_a_day=PLENTY,
    last_resort=PLENTY,
    last_resort_by_one=PLENTY,
    last_resort_by_peer=PLENTY,
    peer_target=PLENTY,
)
_PACKAGE_SECONDS = int(75.5 * 86_400) - 1_800
"""With an hour back, as certificates have: half an hour less than these."""


@dataclass
class Turning:
    """A clock."""

    now: Instant = NOW

    def __call__(self) -> Instant:
        return self.now


@dataclass(frozen=True)
class Key:
    """A key pair as a service holds it."""

    pair: KeyPair

    @property
    def spki(self) -> bytes:
        return self.pair.spki

    @property
    def public_key(self) -> bytes:
        return self.pair.public

    def sign(self, message: bytes) -> bytes:
        return self.pair.sign(message)


@dataclass
class Device:
    """One device of one person: keys, and what it got from the server."""

    town: Town
    number: Number
    participant: KeyPair
    leaf: KeyPair
    index: int = 1
    chain: tuple[bytes, ...] = ()
    client: KdsClient = field(init=False)

    def __post_init__(self) -> None:
        town = self.town
        self.client = KdsClient(town.server.url, rng=town.rng, now=town.clock, signer=self.signer)
        town.clients.append(self.client)

    @property
    def signer(self) -> KdsSigner:
        return KdsSigner(self.number, self.leaf.public, self.leaf.sign)

    @property
    def account(self) -> KdsSigner:
        """The participant key's hand."""
        return KdsSigner(self.number, self.participant.public, self.participant.sign)

    def request(self, *, proof_days: float = 92, **changes: Any) -> CertificateRequest:
        if "proof" not in changes:
            changes["proof"] = self.town.proof(self.number, self.participant.spki, days=proof_days)
        return self.town.lab.request(
            self.number,
            participant=self.participant,
            leaf=self.leaf,
            device=self.index,
            now=self.town.clock.now,
            **changes,
        )

    async def enrol(self, **changes: Any) -> Device:
        self.chain = await self.client.enrol(self.request(**changes))
        return self

    @property
    def mls(self) -> Client:
        return Client(
            suite=SUITE,
            credential=Credential.x509(self.chain),
            signature_key=self.leaf.public,
            sign=self.leaf.sign,
            capabilities=capabilities(Revision.V3),
            authentication=self.town.lab.authentication(),
            policy=lab_policy(),
        )

    def package(
        self, *, last_resort: bool = False, seconds: int = _PACKAGE_SECONDS, client: Client | None = None
    ) -> KeyPackageBundle:
        return make_key_package(
            client or self.mls,
            self.town.clock.now,
            self.town.rng,
            lifetime_seconds=seconds,
            last_resort=LAST_RESORT_EXTENSION if last_resort else None,
        )

    def pool(self, one_time: int = 3, **more: Any) -> tuple[bytes, ...]:
        made = [self.package(**more).message for _ in range(one_time)]
        return (*made, self.package(last_resort=True, **more).message)

    async def publish(self, one_time: int = 3) -> tuple[bytes, ...]:
        pool = self.pool(one_time)
        assert await self.client.upload(pool) == len(pool)
        return pool


class Town:
    """A running server with its authority and its ACS."""

    def __init__(self, folder: Path, database: str, name: str, kds: int, clock: Turning) -> None:
        self.lab = Lab(name)
        self.folder, self.database, self.kds, self.clock = folder, database, kds, clock
        self.rng = self.lab.rng
        self.clients: list[KdsClient] = []
        self.federation = Key(key_pair(f"{name} federation"))
        self.anchors_key = Key(key_pair(f"{name} anchors"))
        self.server: KeyDistributionServer

    @property
    def authority(self) -> Authority:
        issuers = (self.lab.client_ca, self.lab.ica, self.lab.root)
        chain = [issuer.certificate.der for issuer in issuers]
        return Authority.of(self.kds, chain, Key(self.lab.client_ca_key), self.lab.acs_key.spki)

    def make(self, limits: KdsLimits = EASY, **more: Any) -> KeyDistributionServer:
        return KeyDistributionServer(
            self.database,
            self.authority,
            **{
                "anchors_signer": self.anchors_key,
                "federation": self.federation,
                "limits": limits,
                "now": self.clock,
                "rng": self.rng,
                **more,
            },
        )

    @classmethod
    @contextlib.asynccontextmanager
    async def open(
        cls,
        folder: Path,
        database: str = "",
        limits: KdsLimits = EASY,
        *,
        name: str = "lab",
        kds: int = 2,
        clock: Turning | None = None,
        **more: Any,
    ) -> AsyncIterator[Town]:
        town = cls(folder, database or database_in(folder, f"{name}.db"), name, kds, clock or Turning())
        town.server = town.make(limits, **more)
        await town.server.start()
        try:
            yield town
        finally:
            for client in town.clients:
                await client.close()
            await town.server.close()

    async def restart(self, limits: KdsLimits = EASY, **more: Any) -> None:
        await self.server.close()
        self.server = self.make(limits, port=self.server.port, **more)
        await self.server.start()

    def proof(self, of: Number, participant_spki: bytes, *, days: float = 92, kds: int | None = None) -> bytes:
        """What the configuration server hands out."""
        expires = int(self.clock.now + days * DAY) // 1000
        home = str(self.kds if kds is None else kds)
        return issue_proof(of, participant_spki, home, expires, self.lab.acs_key.sign)

    def device(self, of: str, index: int = 1, *, participant: str = "") -> Device:
        """A device of a person, with keys that are always the same; another `participant` is a number set up anew."""
        who = number(of)
        account = key_pair(participant or f"participant {who}")
        return Device(self, who, account, key_pair(f"leaf {participant}{who} {index}"), index)

    async def enrolled(self, of: str, index: int = 1) -> Device:
        return await self.device(of, index).enrol()

    @property
    def anchor_source(self) -> AnchorSource:
        server = self.server
        return AnchorSource(server.anchors_uri, server.anchors.generation, server.anchors_signer)

    def as_peer(self) -> Peer:
        return Peer(self.kds, self.server.url, self.federation.public_key, (self.lab.root.certificate.der,))


def signed(
    device: Device,
    method: str,
    path: str,
    body: bytes,
    *,
    kind: SignerKind = SignerKind.DEVICE,
    **changes: Any,
) -> str:
    """A signature header of a device; `changes` are other fields of it, or the `sign` that makes it."""
    sign = changes.pop("sign", device.leaf.sign)
    unsigned = RequestSignature(
        **{
            "kind": kind,
            "signer": device.number,
            "key": device.leaf.public,
            "to": 0,
            "timestamp": device.town.clock.now,
            "nonce": device.town.rng(16),
            **changes,
        }
    )
    return encode_signature(replace(unsigned, signature=sign(signed_text(method, path, body, unsigned))))


async def ask(
    town: Town, method: str, path: str, body: bytes = b"", signature: str | None = None
) -> tuple[int, dict[str, Any]]:
    """One request as it is; status and JSON of the answer."""
    headers = {} if signature is None else {HEADER: signature}
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, town.server.url + path, data=body or None, headers=headers) as answer,
    ):
        return answer.status, await answer.json()
