"""The code by which a client claims its number at the directory, asked from there for one that has shown itself (SR-21).

Both services are one operator's. The code is bound to the same participant key as the provisioning code was, so the
document that carries it is of no use to anybody else.
"""

from __future__ import annotations

import base64
import ssl
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import aiohttp
import msgspec

from ...codec.addresses import is_loopback
from ...errors import DirectoryError, InputError, TransportError
from ...ids import Number
from ..directory.messages import OperatorCodeAnswer
from ..http import ErrorAnswer

__all__ = ["Claims", "DirectoryClaims"]

Claims = Callable[[Number, bytes], Awaitable[str]]
"""The code for a number and the hash of a participant key. Raises DirectoryError or TransportError.

In one process with the directory: `(await directory.issue_code(number, key_hash)).code`.
"""

_MAX_ANSWER = 65_536
_TIMEOUT = aiohttp.ClientTimeout(total=10.0)


class DirectoryClaims:
    """Asks the operator's interface of a directory in another process. It is a `Claims`; `close` it at the end.

    Raises InputError for an address beyond this machine without TLS: its token is as good as all numbers (SR-19).
    """

    def __init__(self, url: str, token: str, tls: ssl.SSLContext | None = None) -> None:
        where = urlsplit(url)
        if where.scheme != "https" and not (where.scheme == "http" and is_loopback(where.hostname or "")):
            raise InputError(
                "a directory on another machine needs https", code="provisioning.tls", hint="write https://"
            )
        self._url, self._token, self._tls = url.rstrip("/"), token, tls
        self._session: aiohttp.ClientSession | None = None

    async def __call__(self, number: Number, key_hash: bytes) -> str:
        body = {"number": number, "key_hash": base64.b64encode(key_hash).decode()}
        try:
            async with self._open().post(
                f"{self._url}/v1/operator/codes",
                json=body,
                headers={"Authorization": f"Bearer {self._token}"},
                allow_redirects=False,
            ) as response:
                answer = await response.content.read(_MAX_ANSWER)
                status = response.status
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise TransportError(f"no answer from the directory at {self._url}", code="transport.directory") from error
        try:
            if status == 201:
                return msgspec.json.decode(answer, type=OperatorCodeAnswer).code
            refused = msgspec.json.decode(answer, type=ErrorAnswer)
        except msgspec.DecodeError as error:
            raise TransportError("what answered is not a directory", code="transport.directory") from error
        raise DirectoryError(refused.message, code=refused.code, hint=refused.hint, status=status)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=8, ssl=self._tls or True),
                timeout=_TIMEOUT,
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
            )
        return self._session
