"""The forms of the content server's answers."""

from __future__ import annotations

import base64

from aiohttp import web

from ..http import NO_STORE

__all__ = ["digest_header", "xml_answer"]


def digest_header(sha256: bytes) -> dict[str, str]:
    """RFC 3230: of the whole file, whatever part of it is sent, so that its receiver can check what it put together."""
    return {"Digest": f"sha-256={base64.b64encode(sha256).decode()}"}


def xml_answer(body: bytes, headers: dict[str, str]) -> web.Response:
    return web.Response(body=body, content_type="text/xml", charset="utf-8", headers={**NO_STORE, **headers})
