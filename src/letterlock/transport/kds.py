"""Client of a key distribution server (docs/kds.md): certificates, key packages of ours, key packages of others.

It signs requests with this device's leaf key and bounds answers. What comes back are the server's claims: chains and
packages are judged by the protocol, the list of trust anchors by its signature here. TLS is verified outside loopback
(SR-19), and no redirect is followed (SR-14).
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import TypeVar
from urllib.parse import urlsplit

import aiohttp

from ..codec import kds as codec
from ..codec.addresses import is_loopback
from ..codec.kds import BodyLimits, CertificateRequest, Pool
from ..codec.kds_signature import (
    HEADER,
    NONCE_BYTES,
    RequestSignature,
    SignerKind,
    encode_signature,
    signed_text,
)
from ..conversation_seam import Claimed, ClaimOutcome
from ..crypto.provider import CryptoProvider
from ..errors import DecodeError, InputError, InvalidRcc16, KdsError, LetterlockError, TransportError
from ..ids import Instant, Number, Rng
from ..rcc16.credentials.anchors import TrustAnchors, accept_anchor_list

__all__ = ["AnchorSource", "KdsClient", "KdsSettings", "KdsSigner"]

T = TypeVar("T")

_BODIES = BodyLimits(max_body=2 << 20, max_packages=64, max_package=32_768, max_certificate=16_384, max_chain=6)


@dataclass(frozen=True, slots=True)
class KdsSettings:
    """Bounds and times (rcc16.md 1.8: twenty seconds)."""

    timeout_s: float = 20.0
    bodies: BodyLimits = _BODIES
    at_once: int = 8
    """Claims that are under way together."""


@dataclass(frozen=True, slots=True)
class KdsSigner:
    """A key of this device's and its hand: the leaf key, or for `withdraw` the account's participant key.

    `public_key` is the 65-byte point; `sign` gives ECDSA with SHA-256 in DER.
    """

    number: Number
    public_key: bytes
    sign: Callable[[bytes], bytes] = field(repr=False)


@dataclass(frozen=True, slots=True)
class AnchorSource:
    """Where the list of trust anchors is, which generation of it, and who signs it, by the configuration document.

    `signer` is DER SubjectPublicKeyInfo. The address may be on another host than the server's, and may have a path.
    """

    uri: str
    generation: int
    signer: bytes


class KdsClient:
    """One device's way to its home server. Use it as an async context manager, or call `close`.

    `signer` is the leaf key; `enrol` and the public lists do without, and it may be set later. Methods raise
    TransportError when nothing or no sense came back, KdsError when the server refused (`status`, `code`, `hint`).
    """

    def __init__(
        self,
        url: str,
        *,
        rng: Rng,
        now: Callable[[], Instant],
        signer: KdsSigner | None = None,
        tls: ssl.SSLContext | None = None,
        settings: KdsSettings | None = None,
    ) -> None:
        self._base = _checked(url)
        self._rng, self._now, self._tls = rng, now, tls
        self._settings = settings or KdsSettings()
        self._session: aiohttp.ClientSession | None = None
        self.signer = signer

    async def __aenter__(self) -> KdsClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    # --- ours ------------------------------------------------------------------------------------
    async def enrol(self, request: CertificateRequest) -> tuple[bytes, ...]:
        """A certificate for the leaf key: the chain in DER, leaf first, without the root at its end.

        The root is among the anchors or it is worth nothing, so that members need not carry it (rcc16.md 1.4).
        """
        body = await self._call("POST", "/mls/v1/certificate", codec.encode(request))
        answer = self._read(body, codec.decode_certificate_answer)
        return (answer.leaf, *answer.chain[:-1]) if len(answer.chain) > 1 else (answer.leaf, *answer.chain)

    async def anchors(self, source: AnchorSource, held: TrustAnchors | None, crypto: CryptoProvider) -> TrustAnchors:
        """The list of trust anchors that is to replace `held`. Raises KdsError `kds.anchors` if it is not to be believed."""
        url = _checked(source.uri, path=True)
        data = await self._exchange("GET", url, b"", {"Accept-Encoding": "identity"})
        try:
            return accept_anchor_list(
                data, signer_spki=source.signer, generation=source.generation, held=held, crypto=crypto
            )
        except (DecodeError, InvalidRcc16) as error:
            raise KdsError(f"the list of trust anchors is refused: {error}", code="kds.anchors") from error

    async def newest_anchors(self, source: AnchorSource) -> AnchorSource:
        """Where the newest list of trust anchors is, by the server's word: the configuration may be older than the list.

        It says which list to fetch, and never who signs it; the address is one of its own or of the configuration's host.
        Raises KdsError `kds.anchors` for another one.
        """
        body = await self._call("GET", "/mls/v1/trust-anchors", b"")
        newest = self._read(body, codec.decode_trust_anchors)
        if newest.generation <= source.generation:
            return source
        known = {(url.scheme, url.netloc) for url in map(urlsplit, (self._base, _checked(source.uri, path=True)))}
        try:
            found = urlsplit(_checked(newest.uri, path=True))
        except InputError as error:
            raise KdsError("the list of trust anchors lies nowhere", code="kds.anchors") from error
        if (found.scheme, found.netloc) not in known:
            raise KdsError("the list of trust anchors lies with somebody else", code="kds.anchors")
        return AnchorSource(newest.uri, newest.generation, source.signer)

    async def upload(self, packages: tuple[bytes, ...]) -> int:
        """Publish these packages, MLSMessage(KeyPackage), instead of what is there; the last is the one of last resort.

        How many were stored. Raises InputError without any.
        """
        if not packages:
            raise InputError("a pool has at least a package of last resort", code="input.packages")
        signer = self._signing()
        upload = codec.Upload(signer.number, tuple(packages[:-1]), packages[-1])
        body = await self._call("POST", "/mls/v1/keypackages", codec.encode(upload), signer)
        return self._read(body, codec.decode_stored)

    async def pool(self) -> Pool:
        """What of ours still waits there, by the server's word."""
        return self._read(await self._call("GET", "/mls/v1/keypackages", b"", self._signing()), codec.decode_pool)

    async def withdraw(self, device: bytes, participant: KdsSigner) -> None:
        """Have a device of ours forgotten: its packages go, and its key is certified no more.

        `device` is the `key_id` of its leaf key. `participant` signs, so that no single device can do it.
        """
        body = codec.encode(codec.Withdrawal(participant.number, device))
        await self._call("POST", "/mls/v1/devices/withdraw", body, participant, SignerKind.PARTICIPANT)

    # --- others' ---------------------------------------------------------------------------------
    async def claim(
        self, numbers: Iterable[Number], servers: Mapping[Number, int] | None = None
    ) -> dict[Number, Claimed]:
        """A key package of every device of each number. `servers`: the `mls-kds` of those whose capabilities name it."""
        signer = self._signing()
        wanted = dict.fromkeys(numbers)
        gate = asyncio.Semaphore(self._settings.at_once)

        async def one(number: Number) -> Claimed:
            async with gate:
                return await self._claim(number, (servers or {}).get(number, 0), signer)

        return dict(zip(wanted, await asyncio.gather(*map(one, wanted)), strict=True))

    async def _claim(self, number: Number, server: int, signer: KdsSigner) -> Claimed:
        request = codec.encode(codec.ClaimRequest(number, server))
        try:
            body = await self._call("POST", "/mls/v1/keypackages/claim", request, signer)
            answer = self._read(body, codec.decode_claim_answer)
        except KdsError as error:
            if error.status == 404:
                return Claimed(ClaimOutcome.NONE)
            return Claimed(ClaimOutcome.FAILED if error.status >= 500 else ClaimOutcome.REFUSED)
        except TransportError:
            return Claimed(ClaimOutcome.FAILED)
        return Claimed(ClaimOutcome.SERVED, tuple(package.package for package in answer.packages))

    # --- one exchange ----------------------------------------------------------------------------
    async def _call(
        self,
        method: str,
        path: str,
        body: bytes,
        signer: KdsSigner | None = None,
        kind: SignerKind = SignerKind.DEVICE,
    ) -> bytes:
        headers = {"Accept-Encoding": "identity"}
        if body:
            headers["Content-Type"] = "application/json"
        if signer is not None:
            headers[HEADER] = self._signature(method, path, body, signer, kind)
        return await self._exchange(method, self._base + path, body, headers)

    async def _exchange(self, method: str, url: str, body: bytes, headers: dict[str, str]) -> bytes:
        try:
            async with self._open().request(
                method, url, data=body or None, headers=headers, allow_redirects=False
            ) as response:
                answer = await self._bounded(response)
                status = response.status
        except aiohttp.ClientConnectorCertificateError as error:
            raise TransportError(
                f"the certificate of {urlsplit(url).hostname} is not to be trusted", code="transport.tls"
            ) from error
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise TransportError(
                f"no answer from the key distribution server at {urlsplit(url).netloc}: {_reason(error)}",
                code="transport.kds",
                hint="check its address and the network",
            ) from error
        if status != 200:
            raise self._refusal(status, answer)
        return answer

    async def _bounded(self, response: aiohttp.ClientResponse) -> bytes:
        body = bytearray()
        async for part in response.content.iter_any():
            if len(body) + len(part) > self._settings.bodies.max_body:
                response.close()
                raise TransportError("the server's answer is too long", code="transport.kds")
            body += part
        return bytes(body)

    def _read(self, body: bytes, decode: Callable[[bytes, BodyLimits], T]) -> T:
        try:
            return decode(body, self._settings.bodies)
        except DecodeError as error:
            raise TransportError("what answered is not a key distribution server", code="transport.kds") from error

    def _refusal(self, status: int, body: bytes) -> LetterlockError:
        try:
            said = codec.decode_refused(body, self._settings.bodies)
        except DecodeError:
            said = codec.Refused("", "", "")
        return KdsError(
            _printable(said.message) or f"the key distribution server answered {status}",
            code=said.code if _is_code(said.code) else "kds.refused",
            hint=_printable(said.hint),
            status=status,
        )

    def _signature(self, method: str, path: str, body: bytes, signer: KdsSigner, kind: SignerKind) -> str:
        unsigned = RequestSignature(kind, signer.number, signer.public_key, 0, self._now(), self._rng(NONCE_BYTES))
        return encode_signature(replace(unsigned, signature=signer.sign(signed_text(method, path, body, unsigned))))

    def _signing(self) -> KdsSigner:
        if self.signer is None:
            raise InputError("this device has no certificate yet", code="input.not_enrolled")
        return self.signer

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._settings.at_once, ssl=self._tls or True),
                timeout=aiohttp.ClientTimeout(total=self._settings.timeout_s),
                cookie_jar=aiohttp.DummyCookieJar(),
                # An answer that unpacks itself would get around the bound.
                auto_decompress=False,
                trust_env=False,
            )
        return self._session


def _checked(url: str, *, path: bool = False) -> str:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise InputError("not the address of a key distribution server", code="input.kds") from error
    if (
        parts.scheme not in ("http", "https")
        or not host
        or port == 0
        or parts.query
        or parts.fragment
        or parts.username
    ):
        raise InputError("not the address of a key distribution server", code="input.kds")
    # The signature covers the path, so a prefix that a proxy strips would break it.
    if not path and parts.path not in ("", "/"):
        raise InputError("the address of a key distribution server has no path", code="input.kds")
    if parts.scheme == "http" and not is_loopback(host):
        raise InputError(
            "a key distribution server on another machine needs https",
            code="kds.tls",
            hint="requests name the numbers that you talk to; write https://",
        )
    return f"{parts.scheme}://{parts.netloc}" + (parts.path if path else "")


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "none in time"
    number = getattr(error, "errno", None)
    return os.strerror(number).lower() if isinstance(number, int) and number > 0 else type(error).__name__


def _is_code(text: str) -> bool:
    return bool(text) and len(text) <= 64 and all(c.islower() or c.isdigit() or c in "_." for c in text)


def _printable(text: str) -> str:
    """The server's words, fit for a terminal."""
    return "".join(c for c in text[:200] if c.isprintable())
