"""Client of the directory service (docs/spec/directory.md).

It signs requests and bounds answers; the lists and bundles that it returns are the directory's claims
and are verified by the engine, never here. TLS is verified outside loopback (SR-19).
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from ..codec.addresses import is_loopback
from ..errors import DecodeError, DirectoryError, InputError, TransportError
from ..ids import AccountId, DeviceId, Instant, Number, Rng
from ..trust.requests import HEADER, RequestSigner, participant_key_hash
from ..trust.signed_list import LIMITS, decode_list

__all__ = ["DirectoryAlert", "DirectoryClient", "PrekeyCounts"]

_MAX_ANSWER = 4 << 20
_MAX_PAGES = 32
_CODE = re.compile(r"[a-z0-9_.]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class PrekeyCounts:
    """One-time keys of ours that still wait at the directory, by its own word."""

    one_time: int
    one_time_kem: int

    @property
    def lowest(self) -> int:
        return min(self.one_time, self.one_time_kem)


@dataclass(frozen=True, slots=True)
class DirectoryAlert:
    """What the directory wants this device to hear: `replaced` or `prekeys_drained`."""

    kind: str
    at: Instant


class DirectoryClient:
    """One device's way to its directory. Use it as an async context manager, or call `close`.

    `signer` is this device's hand; all but `begin_claim` and `health` need it, and it may be set later.
    Methods raise TransportError when nothing or no sense came back, DirectoryError when the directory
    refused (with `status`, `code`, `hint`).
    """

    def __init__(
        self,
        base_url: str,
        *,
        rng: Rng,
        now: Callable[[], Instant],
        signer: RequestSigner | None = None,
        tls: ssl.SSLContext | None = None,
        timeout_s: float = 15.0,
    ) -> None:
        self._base = _checked_base(base_url)
        self._rng, self._now, self._tls = rng, now, tls
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._session: aiohttp.ClientSession | None = None
        self.signer = signer

    async def __aenter__(self) -> DirectoryClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    # --- claims ----------------------------------------------------------------------------------
    async def begin_claim(self, number: Number, participant_spki: bytes) -> Instant:
        """Ask that the operator bring a code to the number's owner; when it will expire."""
        key_hash = _b64(participant_key_hash(participant_spki))
        answer = await self._call("POST", "/v1/claims", {"number": number, "key_hash": key_hash}, signed=False)
        return _int(answer, "expires")

    async def claim(self, code: str, device_list: bytes) -> None:
        """Claim the signer's number with the code and the account's first list. Safe to repeat after a lost answer."""
        code = "".join(code.split())
        if not re.fullmatch(r"[0-9]{8}", code, re.ASCII):
            raise InputError("a code has eight digits", code="input.code")
        await self._call("POST", "/v1/accounts", {"code": code, "list": _b64(device_list)})

    # --- device lists ----------------------------------------------------------------------------
    async def upload_list(self, device_list: bytes) -> None:
        """Publish the next list of our own account. Safe to repeat."""
        await self._call("PUT", "/v1/lists", {"list": _b64(device_list)})

    async def lists(self, number: Number, since: int = 0) -> tuple[bytes, ...]:
        """The lists of a number after serial `since`, oldest first, always with the newest; empty if it has none.

        With `since` 0 the newest alone. Lists of another account than the known one mean a reset.
        """
        found: list[bytes] = []
        for _ in range(_MAX_PAGES):
            try:
                answer = await self._call("POST", "/v1/lists/query", {"number": number, "since": since})
            except DirectoryError as error:
                if error.code == "directory.unknown_number" and not found:
                    return ()
                raise
            page = _list(answer, "lists", LIMITS.max_bytes)
            if not page:
                raise _senseless()
            found += page
            last = _serial(page[-1])
            if last <= since or last >= _int(answer, "serial"):
                return tuple(found)
            since = last
        raise DirectoryError("the directory's chain of lists does not end", code="directory.answer")

    # --- pre-keys --------------------------------------------------------------------------------
    async def upload_prekeys(self, upload: bytes) -> PrekeyCounts:
        """Publish pre-keys of this device. Safe to repeat; how many one-time keys wait afterwards."""
        return _counts(await self._call("PUT", "/v1/prekeys", {"upload": _b64(upload)}))

    async def bundle(self, number: Number, account: AccountId, device: DeviceId) -> bytes | None:
        """A pre-key bundle of one device, unverified; None if the directory has none."""
        query = {"number": number, "account": _b64(account), "device": device}
        try:
            answer = await self._call("POST", "/v1/bundles", query)
        except DirectoryError as error:
            if error.code in ("directory.no_prekeys", "directory.unknown_number"):
                return None
            raise
        return _bytes(answer, "bundle")

    # --- the rest --------------------------------------------------------------------------------
    async def alerts(self) -> tuple[DirectoryAlert, ...]:
        """What this device should hear; works for devices of an account that was replaced, too."""
        answer = await self._call("GET", "/v1/alerts")
        alerts = answer.get("alerts")
        if not isinstance(alerts, list) or len(alerts) > 100 or not all(isinstance(a, dict) for a in alerts):
            raise _senseless()
        return tuple(DirectoryAlert(_code_of(alert.get("kind")), _int(alert, "at")) for alert in alerts)

    async def health(self) -> None:
        """Return when a directory answers there and can write."""
        if (await self._call("GET", "/v1/health", signed=False)).get("status") != "ok":
            raise _senseless()

    # --- one exchange ----------------------------------------------------------------------------
    async def _call(
        self, method: str, path: str, content: dict[str, Any] | None = None, *, signed: bool = True
    ) -> dict[str, Any]:
        body = b"" if content is None else json.dumps(content).encode()
        headers = {"Accept-Encoding": "identity"}
        if content is not None:
            headers["Content-Type"] = "application/json"
        if signed:
            if self.signer is None:
                raise InputError("this device has no account yet", code="input.no_account")
            headers[HEADER] = self.signer.sign(method, path, body, self._now(), self._rng)
        try:
            async with self._open().request(
                method, self._base + path, data=body or None, headers=headers, allow_redirects=False
            ) as response:
                answer = _parse(await _bounded(response))
                status = response.status
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise TransportError(
                f"no answer from the directory at {self._base}: {_reason(error)}",
                code="transport.directory",
                hint="check the address of the directory and the network",
            ) from error
        if 200 <= status < 300:
            return answer
        raise DirectoryError(
            _printable(answer.get("message")) or f"the directory answered {status}",
            code=_code_of(answer.get("code")),
            hint=_printable(answer.get("hint")),
            status=status,
        )

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=8, ssl=self._tls or True),
                timeout=self._timeout,
                cookie_jar=aiohttp.DummyCookieJar(),
                # An answer that unpacks itself would get around the bound.
                auto_decompress=False,
                trust_env=False,
            )
        return self._session


def _checked_base(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise InputError(f"not the address of a directory: {url[:80]!r}", code="input.directory")
    # The signature covers the path, so a prefix that a proxy strips would break it.
    if parts.path not in ("", "/"):
        raise InputError("the address of a directory has no path", code="input.directory")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise InputError(
            "a directory on another machine needs https",
            code="directory.tls",
            hint="requests name the numbers that you talk to; write https://",
        )
    return f"{parts.scheme}://{parts.netloc}"


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for part in response.content.iter_any():
        if len(body) + len(part) > _MAX_ANSWER:
            response.close()
            raise TransportError("the directory's answer is too long", code="transport.directory")
        body += part
    return bytes(body)


# --- answers: small, typed, or nothing ---------------------------------------------------------------
def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "none in time"
    number = getattr(error, "errno", None)
    return os.strerror(number).lower() if isinstance(number, int) and number > 0 else type(error).__name__


def _parse(body: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _senseless() from error
    if not isinstance(answer, dict):
        raise _senseless()
    return answer


def _int(answer: dict[str, Any], name: str) -> int:
    value = answer.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 63:
        raise _senseless()
    return value


def _bytes(answer: dict[str, Any], name: str) -> bytes:
    return _unb64(answer.get(name), 65_536)


def _list(answer: dict[str, Any], name: str, limit: int) -> list[bytes]:
    values = answer.get(name)
    if not isinstance(values, list) or len(values) > 256:
        raise _senseless()
    return [_unb64(value, limit) for value in values]


def _counts(answer: dict[str, Any]) -> PrekeyCounts:
    return PrekeyCounts(_int(answer, "one_time"), _int(answer, "one_time_kem"))


def _serial(data: bytes) -> int:
    try:
        return decode_list(data).serial
    except DecodeError as error:
        raise _senseless() from error


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _unb64(value: object, limit: int) -> bytes:
    if not isinstance(value, str) or len(value) > limit * 4 // 3 + 4:
        raise _senseless()
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _senseless() from error


def _code_of(value: object) -> str:
    return value if isinstance(value, str) and _CODE.fullmatch(value) else "directory.refused"


def _printable(value: object) -> str:
    """The directory's words, fit for a terminal."""
    return "".join(c for c in value[:200] if c.isprintable()) if isinstance(value, str) else ""


def _senseless() -> TransportError:
    return TransportError(
        "what answered is not a directory", code="transport.directory", hint="check the address of the directory"
    )
