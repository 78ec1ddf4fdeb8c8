"""The trust anchors come before the certificate, and count whatever becomes of that (rcc16.md 1.7)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from letterlock.client import KdsAccount
from letterlock.client.key_server import KeyServer
from letterlock.conversation_seam import RenewCertificate
from letterlock.errors import KdsError
from letterlock.rcc16.credentials.anchors import TrustAnchors
from rcc16.certificates import CRYPTO, NOW, Lab
from rcc16.world import ANA, World


class Kds:
    """Gives the list; a certificate only if it has one."""

    signer = None

    def __init__(self, anchors: TrustAnchors | None, chain: tuple[bytes, ...] | None) -> None:
        self._anchors, self._chain = anchors, chain

    async def anchors(self, *_: Any) -> TrustAnchors:
        if self._anchors is None:
            raise KdsError("not to be believed", code="kds.anchors")
        return self._anchors

    async def newest_anchors(self, source: Any) -> Any:
        return source

    async def enrol(self, request: Any) -> tuple[bytes, ...]:
        if self._chain is None:
            raise KdsError("no certificate for you", code="kds.refused")
        return self._chain


class Engine:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, Any]] = []

    def on_enrolled(self, s: Any, protocol: str, name: str, chain: Any, anchors: Any, now: int, rng: Any) -> None:
        self.told.append((chain, anchors))


@pytest.mark.parametrize(("listed", "issued"), [(True, True), (True, False), (False, True)])
def test_what_there_is_is_handed_on(listed: bool, issued: bool) -> None:
    phone, engine = World().phone(ANA), Engine()
    newer = TrustAnchors(2, Lab().anchors.certificates, frozenset({7}))
    kds: Any = Kds(newer if listed else None, (b"leaf", b"issuer") if issued else None)
    account = KdsAccount("https://kds.example", b"proof", "https://kds.example/anchors", 2, b"signer")
    told: Any = engine
    server = KeyServer(
        kds, lambda: account, phone.protocol, engine=told, state=phone.state, crypto=CRYPTO, clock=lambda: NOW
    )
    step: Any = asyncio.run(server.perform("rcc16", RenewCertificate("certificate")))
    step(phone.state, NOW, phone.rng)
    chain = (b"leaf", b"issuer") if listed and issued else None
    assert engine.told == [(chain, newer.entries() if listed else ())]
    assert bool(server.trouble) is not (listed and issued)
