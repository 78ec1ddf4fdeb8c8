"""HTTP with a gateway: admitting this device there, and opening its WebSocket. Certificates are verified (SR-19)."""

from __future__ import annotations

import json
import os
import ssl

import aiohttp

from ...errors import GatewayError, TransportError
from .config import SUBPROTOCOL, GatewayConfig, GatewaySettings, base_of

__all__ = ["GatewayHttp", "Socket"]

Socket = aiohttp.ClientWebSocketResponse
_MAX_ANSWER = 4_096


class GatewayHttp:
    """One client session. Raises InputError for an address that is not to be used."""

    def __init__(self, config: GatewayConfig, settings: GatewaySettings, tls: ssl.SSLContext | None) -> None:
        self._config, self._settings = config, settings
        self._base = base_of(config.url)
        self._tls = tls
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def healthy(self) -> None:
        """Raises TransportError when nothing, or no gateway, answers."""
        try:
            async with self._open().get(f"{self._base}/v1/health", allow_redirects=False) as response:
                body = await response.content.read(_MAX_ANSWER)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise _unreachable(error) from error
        if response.status != 200 or SUBPROTOCOL.encode() not in body:
            raise TransportError("no gateway of this version answers there", code="transport.gateway")

    async def enrol(self) -> None:
        """Have this device admitted, with its account at the carrier. The same again changes nothing.

        Raises GatewayError when the gateway refuses, TransportError when there is no answer.
        """
        config = self._config
        body = {
            "instance": config.instance,
            "token": config.device_token,
            "sip_username": config.sip_username,
            "sip_password": config.sip_password,
        }
        headers = {"Authorization": aiohttp.encode_basic_auth(config.number, config.password)}
        try:
            async with self._open().post(
                f"{self._base}/v1/devices", json=body, headers=headers, allow_redirects=False
            ) as response:
                answer = await response.content.read(_MAX_ANSWER)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise _unreachable(error) from error
        if response.status != 200:
            raise _refusal(response.status, answer)

    async def link(self) -> Socket:
        """Open the WebSocket. Raises GatewayError, with 401 for a device that is to be enrolled, and TransportError."""
        config, settings = self._config, self._settings
        name = f"{config.number}/{config.instance}"
        try:
            return await self._open().ws_connect(
                f"{self._base}/v1/link",
                protocols=(SUBPROTOCOL,),
                headers={"Authorization": aiohttp.encode_basic_auth(name, config.device_token)},
                heartbeat=settings.heartbeat_s,
                autoping=True,
                max_msg_size=settings.frames.max_frame,
                timeout=aiohttp.ClientWSTimeout(ws_close=settings.goodbye_s),
            )
        except aiohttp.WSServerHandshakeError as error:
            raise _refusal(error.status, b"") from error
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise _unreachable(error) from error

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            trace = aiohttp.TraceConfig()
            trace.on_request_redirect.append(_refuse_redirect)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=self._tls if self._tls is not None else True),
                timeout=aiohttp.ClientTimeout(total=self._settings.connect_s),
                cookie_jar=aiohttp.DummyCookieJar(),
                trace_configs=[trace],
            )
        return self._session


async def _refuse_redirect(*_: object) -> None:
    # A WebSocket cannot be opened without following redirects; one could lead to another machine, or out of TLS.
    raise TransportError("the gateway answers with a redirect", code="transport.gateway")


def _refusal(status: int, body: bytes) -> GatewayError:
    """What the gateway answered; its words only where they have our form."""
    message, code, hint = f"the gateway refused: {status}", "gateway.refused", ""
    try:
        answer = json.loads(body)
        if all(isinstance(answer[name], str) for name in ("message", "code", "hint")):
            message, code, hint = (_printable(answer[name]) for name in ("message", "code", "hint"))
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    if status == 401:
        code, hint = "gateway.unauthenticated", "check the account's password at the gateway"
    return GatewayError(message, code=code, hint=hint, status=status)


def _unreachable(error: Exception) -> TransportError:
    if isinstance(error, aiohttp.ClientConnectorCertificateError | ssl.SSLCertVerificationError):
        return TransportError(
            "the gateway's certificate is not to be trusted",
            code="transport.tls",
            hint="if it is your operator's own, name its authority: --gateway-ca",
        )
    number = getattr(error, "errno", None)
    if isinstance(error, TimeoutError):
        reason = "no answer in time"
    elif isinstance(number, int) and number > 0:
        reason = os.strerror(number).lower()
    else:
        reason = type(error).__name__
    return TransportError(f"cannot reach the gateway: {reason}", code="transport.gateway", hint="is it running?")


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text[:200])
