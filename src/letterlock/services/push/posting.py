"""POST over HTTPS with aiohttp, its many failures told apart: certainly unheard, or perhaps heard."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

import aiohttp
from yarl import URL

from ...net.guarded_resolver import ForbiddenAddress
from .exchange import Answer, Lost, NotSent

__all__ = ["POST_TIMES", "Forbidden", "post"]

_CONNECT_S = 10.0
_REQUEST_S = 15.0
_MAX_ANSWER = 16_384

POST_TIMES = aiohttp.ClientTimeout(total=_REQUEST_S, connect=_CONNECT_S)
"""The times of a session that is used here: less than an attempt has, so that it knows how each ended."""


class Forbidden(NotSent):
    """The name stands for an address that nobody may send us to (SR-14)."""


async def post(session: aiohttp.ClientSession, url: URL, headers: Mapping[str, str], body: bytes) -> Answer:
    """No redirect is followed: it would lead past every check. Raises NotSent, Forbidden, Lost."""
    try:
        async with session.post(url, headers=headers, data=body, allow_redirects=False) as response:
            found = bytearray()
            # The status is the answer. Its reasons are a courtesy: what breaks off, or goes on for ever, is left.
            with contextlib.suppress(aiohttp.ClientError, OSError):
                while len(found) < _MAX_ANSWER and (piece := await response.content.read(_MAX_ANSWER - len(found))):
                    found += piece
            given = {name.lower(): value for name, value in response.headers.items()}
            return Answer(response.status, given, bytes(found))
    # The errors of aiohttp name the address, which is a secret: none is passed on (SR-10).
    except aiohttp.ClientConnectorError as error:
        raise (Forbidden if isinstance(error.os_error, ForbiddenAddress) else NotSent)("no connection") from None
    except (aiohttp.ClientSSLError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL):
        raise NotSent("no connection") from None
    except (aiohttp.ClientError, OSError, TimeoutError):
        raise Lost("no answer") from None
