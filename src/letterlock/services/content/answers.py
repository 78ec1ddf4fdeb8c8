"""The forms of the content server's answers."""

from __future__ import annotations

import base64

import msgspec
from aiohttp import web

from ...errors import ContentError, LetterlockError
from ..directory.messages import ErrorAnswer

__all__ = ["NO_STORE", "digest_header", "refusal", "xml_answer"]

NO_STORE = {"Cache-Control": "no-store"}


def digest_header(sha256: bytes) -> dict[str, str]:
    """RFC 3230: of the whole file, whatever part of it is sent, so that its receiver can check what it put together."""
    return {"Digest": f"sha-256={base64.b64encode(sha256).decode()}"}


def xml_answer(body: bytes, headers: dict[str, str]) -> web.Response:
    return web.Response(body=body, content_type="text/xml", charset="utf-8", headers={**NO_STORE, **headers})


def refusal(
    error: LetterlockError, status: int = 0, *, extra: dict[str, str] | None = None, challenges: tuple[str, ...] = ()
) -> web.Response:
    status = status or (error.status if isinstance(error, ContentError) else 500)
    answer = web.Response(
        body=msgspec.json.encode(ErrorAnswer(error.code, str(error), error.hint)),
        status=status,
        content_type="application/json",
        headers={**NO_STORE, **(extra or {})},
    )
    for challenge in challenges:
        answer.headers.add("WWW-Authenticate", challenge)
    return answer
