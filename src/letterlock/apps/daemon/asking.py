"""Asking the daemon that runs, over its unix socket, for an address to log in with."""

from __future__ import annotations

import os
from pathlib import Path

import aiohttp

from ...client.profile import MAX_SOCKET_PATH
from ...errors import StoreError
from .unix import is_answered, socket_path

__all__ = ["ask_login"]

_SECONDS = 10.0


async def ask_login(folder: Path, socket: Path | None = None) -> dict[str, str] | None:
    """`{url, login, socket}` of the daemon of the profile in this folder; None when none runs. Raises StoreError."""
    path = socket or socket_path(folder)
    if len(os.fsencode(path)) > MAX_SOCKET_PATH or not await is_answered(path):
        return None
    try:
        async with (
            aiohttp.ClientSession(
                connector=aiohttp.UnixConnector(os.fspath(path)), timeout=aiohttp.ClientTimeout(_SECONDS)
            ) as session,
            session.post("http://localhost/api/v1/login") as answer,
        ):
            if answer.status != 200:
                raise StoreError(f"the daemon refused: {answer.status}", code="daemon.answer")
            found = await answer.json()
            return {"url": str(found["url"]), "login": str(found["login"]), "socket": str(path)}
    except (aiohttp.ClientError, TimeoutError, ValueError, KeyError, TypeError) as error:
        raise StoreError(
            "the daemon does not answer", code="daemon.answer", hint="end it, and start it again"
        ) from error
