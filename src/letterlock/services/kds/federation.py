"""Asking another key distribution server about a number that is at home there (docs/spec/kds-federation.md).

Both sides sign with a federation key that the other has pinned, the answer over the request that it answers: nobody
between them can put packages of his own in, whatever TLS is worth. The other side learns which number was asked
about and not by whom (SR-18).
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Final

import aiohttp

from ...codec import kds as codec
from ...codec.kds import BodyLimits, ClaimedPackage
from ...codec.kds_signature import (
    ANSWER_HEADER,
    HEADER,
    NONCE_BYTES,
    RequestSignature,
    SignerKind,
    answer_text,
    decode_answer,
    encode_signature,
    signed_text,
)
from ...crypto.provider import CryptoProvider
from ...errors import CryptoError, DecodeError, KdsError
from ...ids import Instant, Number, Rng
from ...rcc16.choices import OURS
from ..signer import Signer
from .peers import Peer

__all__ = ["CLAIM_PATH", "Federation"]

CLAIM_PATH: Final = f"{OURS.federation_path}/claim"
_TIMEOUT = aiohttp.ClientTimeout(total=10.0)
"""Half of what the client waits for us."""


class Federation:
    """Our hand towards other servers. `close` it at the end."""

    def __init__(
        self,
        me: int,
        signer: Signer,
        *,
        crypto: CryptoProvider,
        bodies: BodyLimits,
        now: Callable[[], Instant],
        rng: Rng,
        tls: ssl.SSLContext | None,
        max_at_once: int,
    ) -> None:
        self._under_way: Counter[int] = Counter()
        self._max_at_once = max_at_once
        self._me, self._signer, self._crypto, self._bodies = me, signer, crypto, bodies
        self._now, self._rng, self._tls = now, rng, tls
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def claim(self, peer: Peer, target: Number) -> tuple[ClaimedPackage, ...]:
        """Packages of every device of a number, by that server's word; none when it has none.

        Raises KdsError `kds.peer`, 503, when it refuses, cannot be reached, is not who it should be, or has not answered
        enough of us yet.
        """
        if self._under_way[peer.kds] >= self._max_at_once:
            raise _failed("too many questions wait for it")
        self._under_way[peer.kds] += 1
        try:
            return await self._asked(peer, target)
        finally:
            self._under_way[peer.kds] -= 1

    async def _asked(self, peer: Peer, target: Number) -> tuple[ClaimedPackage, ...]:
        body = codec.encode(codec.ClaimRequest(target))
        unsigned = RequestSignature(
            SignerKind.SERVER,
            str(self._me),
            self._signer.public_key,
            peer.kds,
            self._now(),
            self._rng(NONCE_BYTES),
        )
        text = signed_text("POST", CLAIM_PATH, body, unsigned)
        request = replace(unsigned, signature=await asyncio.to_thread(self._signer.sign, text))
        async with self._exchange(peer, body, encode_signature(request)) as response:
            answer = await self._bounded(response)
            signature = response.headers.get(ANSWER_HEADER, "")
            self._verify(peer, request, response.status, answer, signature)
            if response.status != 200:
                raise _failed(f"it answered {response.status}")
        try:
            # As large as an upload, and by somebody else.
            return (await asyncio.to_thread(codec.decode_federated_answer, answer, self._bodies)).packages
        except DecodeError as error:
            raise _failed("it answered what cannot be read") from error

    def _verify(self, peer: Peer, request: RequestSignature, status: int, body: bytes, header: str) -> None:
        try:
            text = answer_text(request, peer.kds, status, body)
            self._crypto.p256_verify(peer.federation_key, text, decode_answer(header))
        except (CryptoError, DecodeError) as error:
            raise _failed("its answer is not signed by its key") from error

    @contextlib.asynccontextmanager
    async def _exchange(self, peer: Peer, body: bytes, signature: str) -> AsyncIterator[aiohttp.ClientResponse]:
        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, ssl=self._tls or True),
                timeout=_TIMEOUT,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
            )
        headers = {HEADER: signature, "Content-Type": "application/json", "Accept-Encoding": "identity"}
        try:
            async with self._session.post(
                peer.url + CLAIM_PATH, data=body, headers=headers, allow_redirects=False
            ) as response:
                yield response
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise _failed("it does not answer") from error

    async def _bounded(self, response: aiohttp.ClientResponse) -> bytes:
        body = bytearray()
        async for part in response.content.iter_any():
            if len(body) + len(part) > self._bodies.max_body:
                response.close()
                raise _failed("its answer is too long")
            body += part
        return bytes(body)


def _failed(why: str) -> KdsError:
    # The caller learns no more than that: who of the two is at fault is for the operators.
    return KdsError(
        f"the server of that number cannot be asked: {why}", code="kds.peer", hint="try again later", status=503
    )
