"""The daemon over HTTP: who is let in, then which part of it answers. The same for a port of loopback and the unix socket.

Every answer has the headers of `headers`, every refusal is JSON: `{"code", "message", "hint"}`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import hdrs, web

from ...errors import Bug, InputError, LetterlockError, LimitExceeded, RemoteError, StoreError, TransportError
from ...version import __version__
from ...words import ENGLISH, locales
from ..verbs.errors import error_object
from .door import Door
from .events import EventStreams
from .guard import Refused, Rules
from .headers import SERVER, security_headers
from .media import Media
from .page import PageFiles
from .sessions import Session, Sessions
from .settings import DaemonSettings
from .uploads import Uploads

__all__ = ["SESSION", "Edge", "Handler", "application"]

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
SESSION = web.RequestKey("session", Session)
_BEGUN = web.RequestKey("begun", bool)

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Edge:
    """What the handlers share. `rpc` answers the body of a call."""

    sessions: Sessions
    settings: DaemonSettings
    events: EventStreams
    media: Media
    uploads: Uploads
    rpc: Callable[[Session, bytes, str], Awaitable[bytes | None]]
    url: Callable[[], str]
    now: Callable[[], float]
    in_flight: int = 0


def application(edge: Edge, rules: Rules) -> web.Application:
    """The routes of a daemon, behind the rules of one place where it listens."""
    door = Door(
        edge.sessions, rules, edge.now, "/api/", "/api/v1/events", "letterlock web opens a page that is logged in"
    )
    app = web.Application(middlewares=[_Front(edge, door).middleware], client_max_size=edge.settings.rpc_bytes)
    common = security_headers(edge.settings.frames)

    async def add_headers(request: web.Request, answer: web.StreamResponse) -> None:
        for name, value in common.items():
            answer.headers.setdefault(name, value)
        request[_BEGUN] = True
        answer.headers[hdrs.SERVER] = SERVER

    app.on_response_prepare.append(add_headers)
    pages = _Pages(edge, door)
    app.router.add_get("/login", pages.login, allow_head=False)
    app.router.add_get("/", pages.index)
    app.router.add_get("/favicon.ico", pages.no_icon)
    app.router.add_get("/static/{path:.+}", pages.static)
    app.router.add_post("/api/v1/rpc", pages.rpc)
    app.router.add_get("/api/v1/events", pages.events, allow_head=False)
    app.router.add_post("/api/v1/files", edge.uploads.serve)
    app.router.add_get("/media/{key:[0-9a-f]+}/{name:[^/]+}", pages.media)
    app.router.add_get("/api/v1/check", pages.check)
    app.router.add_post("/api/v1/login", pages.offer)
    app.router.add_post("/api/v1/logout", pages.logout)
    return app


class _Front:
    """The door, then the handler; every error in one shape."""

    def __init__(self, edge: Edge, door: Door) -> None:
        self._edge, self._door = edge, door

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        answer = await self._answer(request, handler)
        if request.get(_BEGUN) and not answer.prepared:
            # What went wrong behind the first byte of a stream is said by its end: an answer behind it would be read as more of it.
            if request.transport is not None:
                request.transport.close()
            raise ConnectionResetError("ended in the middle of its answer")
        return answer

    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        edge = self._edge
        if edge.in_flight >= edge.settings.in_flight:
            return _refused(Refused(503, "busy", "too many requests at the same time", "try again"))
        edge.in_flight += 1
        try:
            session = self._door.admit(request)
            if session is not None:
                request[SESSION] = session
            return await handler(request)
        except Refused as refused:
            return _said_to_a_person(refused) if request.path in ("/", "/login") else _refused(refused)
        except LetterlockError as error:
            return _refused(Refused(_status(error), "", str(error), error.hint), error)
        except web.HTTPException as error:
            return _refused(Refused(error.status, "http", error.reason.lower()))
        except (ConnectionError, asyncio.CancelledError):
            raise  # gone; there is nobody to answer
        except Exception:  # ours: the caller learns that it happened, our log what it was
            _log.exception("bug in the daemon")
            return _refused(Refused(500, "bug", "the daemon made a mistake"), Bug("the daemon made a mistake"))
        finally:
            edge.in_flight -= 1


class _Pages:
    """What needs no more than a function."""

    def __init__(self, edge: Edge, door: Door) -> None:
        self._edge, self._door, self._files = edge, door, PageFiles()

    async def login(self, request: web.Request) -> web.StreamResponse:
        return self._door.login(request)

    async def offer(self, request: web.Request) -> web.StreamResponse:
        """A login address, for this user's programs on the socket: whoever is logged in gets no more from it."""
        if request[SESSION] is not self._edge.sessions.local:
            raise Refused(403, "socket", "only over the daemon's socket")
        url = self._edge.url()
        return web.json_response({"url": url, "login": f"{url}/login?t={self._edge.sessions.offer(self._edge.now())}"})

    async def logout(self, request: web.Request) -> web.StreamResponse:
        """The page's own session ends: its streams, its files, its cookie."""
        session = request[SESSION]
        if not session.browser:
            raise Refused(403, "session", "only a page logs out", "a program's token ends with the daemon")
        self._edge.sessions.end(session)
        answer = web.Response(status=204)
        answer.del_cookie(self._edge.sessions.cookie, path="/", httponly=True, samesite="Strict")
        return answer

    async def index(self, request: web.Request) -> web.StreamResponse:
        return await self._files.index()

    async def no_icon(self, request: web.Request) -> web.StreamResponse:
        """The page names its own; browsers ask for this one beside whatever else they show, and call a 404 an error."""
        return web.Response(status=204)

    async def static(self, request: web.Request) -> web.StreamResponse:
        return await self._files.answer(request.match_info["path"])

    async def events(self, request: web.Request) -> web.StreamResponse:
        return await self._edge.events.serve(request[SESSION], request)

    async def media(self, request: web.Request) -> web.StreamResponse:
        return await self._edge.media.serve(request[SESSION], request)

    async def check(self, request: web.Request) -> web.StreamResponse:
        return web.json_response({"ok": True, "version": __version__})

    async def rpc(self, request: web.Request) -> web.StreamResponse:
        locale = request.query.get("locale", "")
        locale = locale if locale in locales() else ENGLISH
        answer = await self._edge.rpc(request[SESSION], await _body(request, self._edge.settings), locale)
        if answer is None:
            return web.Response(status=204)
        return web.Response(body=answer, content_type="application/json")


async def _body(request: web.Request, settings: DaemonSettings) -> bytes:
    """The body of a call. It is bounded before it is in memory, and in time (SR-08)."""
    body = bytearray()
    try:
        async with asyncio.timeout(settings.body_s):
            async for part in request.content.iter_any():
                if len(body) + len(part) > settings.rpc_bytes:
                    raise Refused(413, "too_large", f"the body is over {settings.rpc_bytes} bytes")
                body += part
    except TimeoutError:
        raise Refused(408, "slow", "the body did not come in time") from None
    except web.RequestPayloadError:
        raise Refused(400, "body", "the body did not come whole") from None
    return bytes(body)


def _status(error: LetterlockError) -> int:
    if isinstance(error, LimitExceeded):
        return 413
    if isinstance(error, InputError):
        return 400
    # 409: as things stand now; a human decides (TrustRequired, NotEncrypted).
    return 502 if isinstance(error, TransportError | RemoteError) else 503 if isinstance(error, StoreError) else 409


def _said_to_a_person(refused: Refused) -> web.Response:
    """Instead of the page."""
    text = f"Letterlock: {refused.message}." + (f"\n{refused.hint}." if refused.hint else "")
    return web.Response(text=text, status=refused.status)


def _refused(refused: Refused, error: LetterlockError | None = None) -> web.Response:
    # As JSON-RPC would say it, so that a page or program has one way to read a refusal.
    told = error_object(error or InputError(refused.message, code=refused.code, hint=refused.hint))
    said = {"code": told["data"]["code"], "message": refused.message, "hint": refused.hint, "error": told}
    answer = web.json_response(said, status=refused.status)
    if refused.status == 401:
        answer.headers[hdrs.WWW_AUTHENTICATE] = "Bearer"
    # What is left of a body that was refused is not read to its end.
    if refused.status in (400, 403, 408, 413, 415, 421, 503):
        answer.force_close()
    return answer
