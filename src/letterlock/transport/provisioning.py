"""Client of the provisioning server (RCC.14): one contact, answered with a document or with "a code is on its way".

It sends what deployed servers look for and nothing about the machine it runs on. The answer is bounded and read as a
whole; what of it is taken is decided by the client (SR-14). TLS is verified outside loopback (SR-19).
"""

from __future__ import annotations

import base64
import json
import os
import re
import ssl
from collections.abc import Mapping
from types import TracebackType
from typing import Any

import aiohttp
from yarl import URL

from ..codec.addresses import is_loopback
from ..codec.provisioning import ProvisioningDocument, decode_document
from ..errors import DecodeError, InputError, ProvisioningError, TransportError
from ..version import __version__
from .provisioning_config import Contact, ProvisioningSettings

__all__ = ["ProvisioningClient"]

_APPS = ("ap2001", "ap2002", "urn:letterlock:provisioning:v1")
_COOKIE = re.compile(r"[!#-+\-./0-9:<-\[\]-~]{0,1024}", re.ASCII)  # RFC 6265 section 4.1.1
_COOKIE_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)
_CODE = re.compile(r"[a-z0-9_.]{1,64}", re.ASCII)


class ProvisioningClient:
    """One device's way to its provisioning server. Use it as an async context manager, or call `close`.

    `cookies` join the two halves of a first contact; whoever ends in between keeps them and gives them back.
    """

    def __init__(
        self,
        url: str,
        *,
        tls: ssl.SSLContext | None = None,
        settings: ProvisioningSettings | None = None,
        cookies: Mapping[str, str] | None = None,
    ) -> None:
        self._url = _checked(url)
        self._tls = tls
        self._settings = settings or ProvisioningSettings()
        self._session: aiohttp.ClientSession | None = None
        self.cookies: dict[str, str] = dict(cookies or {})

    async def __aenter__(self) -> ProvisioningClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def contact(self, contact: Contact) -> ProvisioningDocument | None:
        """One contact; None when the server wants a code first, which is on its way to the number's owner.

        Raises ProvisioningError when the server refused (`provisioning.code` for a wrong code that may be tried
        again) or its document cannot be read, TransportError when nothing or no sense came back.
        """
        url = self._url.update_query(_query(contact))
        try:
            async with self._open().get(
                url, headers={"Accept-Encoding": "identity", **self._cookie()}, allow_redirects=False
            ) as response:
                body = await self._bounded(response)
                status, retry_after = response.status, response.headers.get("Retry-After", "")
                self._keep_cookies(response)
        except aiohttp.ClientConnectorCertificateError as error:
            raise TransportError(
                f"the certificate of {self._url.host} is not to be trusted",
                code="transport.tls",
                hint="if it is your operator's own, name its authority: --provisioning-ca",
            ) from error
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise TransportError(
                f"no answer from the provisioning server at {self._url.host}: {_reason(error)}",
                code="transport.provisioning",
                hint="check its address and the network",
            ) from error
        if status == 200:
            return self._document(body)
        if status == 511 and not contact.code:
            return None
        raise _refusal(status, body, retry_after, self._settings.max_retry_after_s)

    def _document(self, body: bytes) -> ProvisioningDocument:
        try:
            return decode_document(body, self._settings.documents)
        except DecodeError as error:
            raise ProvisioningError(
                f"the operator's configuration cannot be used: {error}",
                code="provisioning.document",
                hint="nothing of it was taken; tell your operator",
            ) from error

    async def _bounded(self, response: aiohttp.ClientResponse) -> bytes:
        body = bytearray()
        async for part in response.content.iter_any():
            if len(body) + len(part) > self._settings.max_document:
                response.close()
                raise ProvisioningError("the provisioning server's answer is too long", code="provisioning.document")
            body += part
        return bytes(body)

    def _cookie(self) -> dict[str, str]:
        if not self.cookies:
            return {}
        return {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}

    def _keep_cookies(self, response: aiohttp.ClientResponse) -> None:
        for name, morsel in response.cookies.items():
            if _COOKIE_NAME.fullmatch(name) and _COOKIE.fullmatch(morsel.value):
                self.cookies.pop(name, None)
                self.cookies[name] = morsel.value
        while len(self.cookies) > self._settings.max_cookies:
            self.cookies.pop(next(iter(self.cookies)))

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=2, ssl=self._tls or True),
                timeout=aiohttp.ClientTimeout(total=self._settings.timeout_s),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
            )
        return self._session


def _query(contact: Contact) -> list[tuple[str, str]]:
    """As deployed clients ask (rcs.md 2.11). Nothing of the device but our name: what identifies a person is the code."""
    query = [
        ("vers", str(contact.version)),
        ("rcs_state", str(contact.version)),
        ("msisdn", contact.number),
        ("token", contact.token),
        ("SMS_port", "0"),
        ("client_vendor", "LTLK"),
        ("client_version", f"Letterlock-{__version__}"[:15]),
        ("terminal_vendor", "LTLK"),
        ("terminal_model", "Letterlock"),
        ("terminal_sw_version", __version__[:10]),
        ("rcs_profile", "UP_2.4"),
        ("rcs_version", "11.0"),
        ("provisioning_version", "5.0"),
        ("participant_key_hash", contact.key_hash.hex()),
    ]
    query += [("app", app) for app in _APPS]
    if contact.participant_spki:
        key = base64.urlsafe_b64encode(contact.participant_spki).decode().rstrip("=")
        query.append(("participant_key", key))
    if contact.code:
        query.append(("OTP", contact.code))
    return query


def _refusal(status: int, body: bytes, retry_after: str, most: int) -> ProvisioningError:
    try:
        answer: Any = json.loads(body[:8192])
    except (ValueError, RecursionError):
        answer = {}
    if not isinstance(answer, dict):
        answer = {}
    code, hint = answer.get("code"), _printable(answer.get("hint"))
    if retry_after.isascii() and retry_after.isdigit() and len(retry_after) < 9:
        hint = hint or f"try again in {min(int(retry_after), most)} s"
    fallback = "provisioning.code" if status == 511 else "provisioning.refused"
    return ProvisioningError(
        _printable(answer.get("message")) or f"the provisioning server answered {status}",
        code=code if isinstance(code, str) and _CODE.fullmatch(code) else fallback,
        hint=hint,
        status=status,
    )


def _printable(value: object) -> str:
    return "".join(c for c in value[:200] if c.isprintable()) if isinstance(value, str) else ""


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "none in time"
    number = getattr(error, "errno", None)
    return os.strerror(number).lower() if isinstance(number, int) and number > 0 else type(error).__name__


def _checked(address: str) -> URL:
    try:
        url = URL(address)
        port = url.port
    except ValueError as error:
        raise InputError("not the address of a provisioning server", code="input.provisioning") from error
    if url.scheme not in ("http", "https") or not url.host or not port or url.user or url.fragment:
        raise InputError("not the address of a provisioning server", code="input.provisioning")
    if url.scheme == "http" and not is_loopback(url.host):
        raise InputError(
            "a provisioning server on another machine needs https",
            code="provisioning.tls",
            hint="its document holds passwords; write https://",
        )
    return url
