"""The key distribution server over HTTP (docs/kds.md): limits before work, signature before tables, one step on them.

No number stands in a path, so that no proxy logs one, and what is asked about whom is kept nowhere (SR-17).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import ssl
from collections.abc import Callable, Iterable

from aiohttp import web

from ...codec import kds as codec
from ...codec.kds_signature import ANSWER_HEADER, HEADER, SignerKind, answer_text, decode_signature, encode_answer
from ...crypto.provider import CryptoProvider
from ...crypto.pyca import Pyca
from ...errors import KdsError, LetterlockError
from ...ids import Instant, Rng
from ...rcc16.credentials.anchors import TrustAnchors
from ...rcc16.credentials.leaf import certificate_of
from ...rcc16.policy import CIPHER_SUITE
from ..buckets import Buckets
from ..http import NO_STORE, Guard, Listener, read_body, refusal, system_now
from ..signer import Signer
from ..writer import Writer
from .anchors import publish_anchors
from .authority import Authority
from .federation import CLAIM_PATH, Federation
from .limits import KdsLimits
from .logic import Registry, SignedRequest
from .packages import PackageJudge
from .peers import Peer, Routing
from .tables import Tables

__all__ = ["KeyDistributionServer"]

_log = logging.getLogger("letterlock.kds")
_MAX_LINE = 2048
_MAX_GENERATION = 2**53


class KeyDistributionServer:
    """The server. `await start()`, then `url` says where it listens; `await close()` ends it.

    `anchors_signer` signs the list of trust anchors, `federation` is the key that other servers have pinned; `routing`
    says who they are. `revoked` are serial numbers of certificates that nobody shall believe any more. `public_url` is
    what others are told, if there is a proxy. `peer_tls` is for asking other servers. Without `tls` it listens on
    loopback only (SR-19). `database` is a file or a URL; several processes may share one on PostgreSQL.
    """

    def __init__(
        self,
        database: str,
        authority: Authority,
        *,
        anchors_signer: Signer,
        federation: Signer,
        routing: Routing | None = None,
        revoked: Iterable[int] = (),
        host: str = "127.0.0.1",
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        public_url: str = "",
        peer_tls: ssl.SSLContext | None = None,
        limits: KdsLimits | None = None,
        crypto: CryptoProvider | None = None,
        now: Callable[[], Instant] = system_now,
        rng: Rng = os.urandom,
    ) -> None:
        self._authority, self._anchors_signer, self._federation_key = authority, anchors_signer, federation
        self._routing = routing or Routing(authority.kds, (), ())
        self._revoked = tuple(revoked)
        self._public_url = public_url.rstrip("/")
        self._limits = limits or KdsLimits()
        self._crypto: CryptoProvider = crypto or Pyca()
        self._now, self._rng = now, rng
        self._registry = Registry(self._crypto, self._limits, self._routing)
        self._federation = Federation(
            authority.kds,
            federation,
            crypto=self._crypto,
            bodies=self._limits.bodies,
            now=now,
            rng=rng,
            tls=peer_tls,
            max_at_once=self._limits.max_asked_at_once,
        )
        self._writer = Writer(database, Tables, KdsError, "kds")
        self._addresses = Buckets(self._limits.max_buckets)
        self._listener = Listener(
            host, port, tls, name="key distribution server", refusal=KdsError, purge=self.purge, log=_log
        )
        self._guard = Guard(
            KdsError,
            name="key distribution server",
            max_in_flight=self._limits.max_in_flight,
            max_in_flight_by_address=self._limits.max_in_flight_by_address,
            admit=lambda address: self._spend_address("address", address),
            log=_log,
        )
        self._judging = asyncio.Lock()
        self._judge: PackageJudge
        self._peer_judges = {
            peer.kds: PackageJudge(self._crypto, TrustAnchors(0, peer.anchors), self._limits)
            for peer in self._routing.peers
        }
        self.anchors: TrustAnchors
        """The newest list, from `start` on."""
        self.app = self._application()

    async def start(self) -> None:
        """Open the database, publish the list of anchors, listen. Raises StoreLocked, StoreError or OSError."""
        await self._writer.start()
        async with contextlib.AsyncExitStack() as begun:
            begun.push_async_callback(self.close)
            peers = [anchor for peer in self._routing.peers for anchor in peer.anchors]
            self.anchors = await publish_anchors(
                self._writer, self._authority, self._anchors_signer, peers, self._revoked, self._crypto
            )
            self._judge = PackageJudge(self._crypto, self.anchors, self._limits)
            await self._listener.start(self.app, max_line=_MAX_LINE)
            begun.pop_all()

    async def close(self) -> None:
        """Stop listening, finish what has begun, close the database."""
        await self._listener.close()
        await self._federation.close()
        await self._writer.close()

    @property
    def port(self) -> int:
        return self._listener.port

    @property
    def url(self) -> str:
        """Where clients find it."""
        return self._public_url or self._listener.base

    @property
    def kds(self) -> int:
        """Its number, `mls-kds`."""
        return self._authority.kds

    @property
    def anchors_uri(self) -> str:
        """Where the newest list of anchors is."""
        return f"{self.url}/mls/v1/trust-anchors/{self.anchors.generation}"

    @property
    def anchors_signer(self) -> bytes:
        """Who signs it, DER SubjectPublicKeyInfo."""
        return self._anchors_signer.spki

    async def purge(self) -> None:
        """Drop what is older than its bound; done at the start and every hour."""
        await self._writer.run(lambda tables: tables.purge(self._now(), self._limits))

    # --- routes ----------------------------------------------------------------------------------
    def _application(self) -> web.Application:
        app = web.Application(middlewares=[self._guard.middleware], client_max_size=self._limits.bodies.max_body)
        app.router.add_get("/mls/v1/health", self._health)
        app.router.add_get("/mls/v1/supported-ciphersuites", self._suites)
        app.router.add_get("/mls/v1/trust-anchors", self._newest_anchors)
        app.router.add_get("/mls/v1/trust-anchors/{generation}", self._anchors)
        app.router.add_post("/mls/v1/certificate", self._certificate)
        app.router.add_post("/mls/v1/keypackages", self._upload)
        app.router.add_get("/mls/v1/keypackages", self._pool)
        app.router.add_post("/mls/v1/keypackages/claim", self._claim)
        app.router.add_post("/mls/v1/devices/withdraw", self._withdraw)
        app.router.add_post(CLAIM_PATH, self._claim_for_peer)
        return app

    async def _health(self, request: web.Request) -> web.Response:
        await self._writer.run(lambda tables: None)
        return _json(b'{"status":"ok"}')

    async def _suites(self, request: web.Request) -> web.Response:
        return _json(b'{"ciphersuites":[%d]}' % CIPHER_SUITE)

    async def _newest_anchors(self, request: web.Request) -> web.Response:
        return _json(codec.encode(codec.TrustAnchors(self.anchors.generation, self.anchors_uri, self.anchors_signer)))

    async def _anchors(self, request: web.Request) -> web.Response:
        text = request.match_info["generation"]
        generation = int(text) if len(text) < 17 and text.isascii() and text.isdecimal() else _MAX_GENERATION
        listed = await self._writer.run(lambda tables: tables.anchors(generation))
        if listed is None:
            raise KdsError("no such list of trust anchors", code="kds.anchors", status=404)
        return web.Response(body=listed.encoded, content_type="application/octet-stream", headers=NO_STORE)

    async def _certificate(self, request: web.Request) -> web.Response:
        body = await self._body(request, self._limits.max_small_body)
        asked = codec.decode_certificate_request(body, self._limits.bodies)
        now = self._now()
        admitted = self._authority.admit(asked, self._crypto, self._limits, now)
        await self._writer.run(lambda tables: self._registry.may_enrol(tables, admitted, now))
        # The key may be in hardware, and slow.
        leaf = await asyncio.to_thread(self._authority.issue, admitted, self._limits, now, self._rng)
        ends = certificate_of(leaf).not_after
        await self._writer.run(lambda tables: self._registry.enrolled(tables, admitted, ends))
        return _json(codec.encode(codec.CertificateAnswer(leaf, self._authority.chain)))

    async def _upload(self, request: web.Request) -> web.Response:
        signed = await self._signed(request, limit=self._limits.bodies.max_body)
        now = self._now()
        device = await self._writer.run(lambda tables: self._registry.may_upload(tables, signed, now))
        upload = await asyncio.to_thread(codec.decode_upload, signed.body, self._limits.bodies)
        if upload.number != device.number:
            raise KdsError("packages of another number", code="kds.number", status=403)
        if len(upload.packages) > self._limits.max_one_time:
            raise KdsError("too many key packages", code="kds.packages", status=413)
        async with self._judging:
            pool = await asyncio.to_thread(self._judge.pool, upload, signed.signature.key, now)
        stored = await self._writer.run(lambda tables: self._registry.uploaded(tables, device, pool, now))
        return _json(codec.encode_stored(stored))

    async def _pool(self, request: web.Request) -> web.Response:
        signed = await self._signed(request)
        pool = await self._writer.run(lambda tables: self._registry.pool(tables, signed, self._now()))
        return _json(codec.encode(pool))

    async def _claim(self, request: web.Request) -> web.Response:
        signed = await self._signed(request)
        claim = codec.decode_claim_request(signed.body, self._limits.bodies)
        # Durable before the answer leaves: killed in between, a package is lost but never given twice (SR-13).
        found = await self._writer.run(
            lambda tables: self._registry.claim(tables, signed, claim.target, claim.kds, self._now())
        )
        if isinstance(found, Peer):
            found = await self._asked(found, claim)
        return _json(codec.encode(codec.ClaimAnswer(found)))

    async def _asked(self, peer: Peer, claim: codec.ClaimRequest) -> tuple[codec.ClaimedPackage, ...]:
        found = await self._federation.claim(peer, claim.target)
        if not found:
            raise KdsError("that number's server has no key packages of it", code="kds.none", status=404)
        try:
            async with self._judging:
                judge = self._peer_judges[peer.kds]
                await asyncio.to_thread(judge.foreign, found, claim.target, self._now())
        except KdsError as error:
            _log.warning("server %d handed out what is no key package of that number: %s", peer.kds, error)
            raise KdsError(
                "that number's server handed out what cannot be used", code="kds.peer", status=503
            ) from error
        return found

    async def _withdraw(self, request: web.Request) -> web.Response:
        signed = await self._signed(request, SignerKind.PARTICIPANT)
        wanted = codec.decode_withdrawal(signed.body, self._limits.bodies)
        await self._writer.run(
            lambda tables: self._registry.withdraw(tables, signed, wanted.number, wanted.device, self._now())
        )
        return _json(b"{}")

    async def _claim_for_peer(self, request: web.Request) -> web.Response:
        signed = await self._signed(request, SignerKind.SERVER)
        peer = await self._writer.run(lambda tables: self._registry.peer(tables, signed, self._now()))
        # From here on the answer is signed, whatever it is: only then is it from us.
        try:
            target = codec.decode_claim_request(signed.body, self._limits.bodies).target
            found = await self._writer.run(
                lambda tables: self._registry.claim_for_peer(tables, peer, target, self._now())
            )
            answer = _json(codec.encode(codec.FederatedAnswer(found)))
        except KdsError as error:
            answer = refusal(error)
        except LetterlockError as error:
            answer = refusal(error, 400)
        body = answer.body
        assert isinstance(body, bytes)
        text = answer_text(signed.signature, self.kds, answer.status, body)
        answer.headers[ANSWER_HEADER] = encode_answer(await asyncio.to_thread(self._federation_key.sign, text))
        return answer

    # --- before the work -------------------------------------------------------------------------
    async def _signed(
        self, request: web.Request, kind: SignerKind = SignerKind.DEVICE, *, limit: int = 0
    ) -> SignedRequest:
        """`limit` 0: the small one."""
        header = request.headers.get(HEADER)
        if header is None:
            raise KdsError("the request is not signed", code="kds.unauthenticated", status=401)
        signature = decode_signature(header)
        body = await self._body(request, limit or self._limits.max_small_body)
        signed = SignedRequest(request.method, request.path_qs, body, signature)
        self._registry.check_signature(signed, kind, self._now())
        return signed

    async def _body(self, request: web.Request, limit: int) -> bytes:
        return await read_body(request, KdsError, limit=limit, timeout_s=self._limits.body_timeout_s)

    def _spend_address(self, purpose: str, address: str) -> None:
        self._addresses.spend(KdsError, purpose, address, self._limits.address, self._now())


def _json(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="application/json", headers=NO_STORE)
