"""The demo's own page on loopback, behind the same door as a daemon's (SR-16): who may ask, with what, and over how many
connections is decided by `daemon.door`, what the page may do by a policy as strict as theirs, with two frames more.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from aiohttp import web

from ...errors import InputError, LetterlockError
from ...words import direction, locales, table
from .. import web as page
from ..daemon.connections import Bounds
from ..daemon.door import Door
from ..daemon.guard import Refused, Rules
from ..daemon.headers import SERVER, page_policy, security_headers
from ..daemon.serving import Serving, serve
from ..daemon.sessions import Sessions
from .acts import act
from .forms import whole
from .handset import PhoneRefused
from .scene import Scene

__all__ = ["DemoServer"]

_STATIC = Path(__file__).parent / "static"
_LOGIN_SECONDS = 3_600.0
_SESSION_SECONDS = 12 * 3_600.0
_MOST_BODY = 8_192
_QUEUE = 4_000
_BEAT_SECONDS = 10.0
_BOUNDS = Bounds(known=128, guests=32, strangers=128, stranger_s=10.0)


class DemoServer:
    """`start` takes a free port and brings up the first scene. `watched_until` is when somebody last had the page open."""

    def __init__(self, folder: Path, log: Path | None, *, now: Callable[[], float] = time.monotonic) -> None:
        """`now` in seconds, of a clock that never goes back."""
        self._now = now
        self._folder, self._log = folder, log
        self._sessions = Sessions(
            f"demo-{os.getpid()}",
            rng=os.urandom,
            login_s=_LOGIN_SECONDS,
            session_s=_SESSION_SECONDS,
            most_sessions=16,
            most_logins=16,
        )
        self._scene: Scene | None = None
        self._scenes = 0
        self._serving: Serving | None = None
        self._listeners: set[asyncio.Queue[tuple[str, dict[str, Any]] | None]] = set()
        self._changing = asyncio.Lock()
        self._seen = self._now()
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def scene(self) -> Scene:
        assert self._scene is not None, "not started"
        return self._scene

    def login_url(self) -> str:
        """An address that logs a browser in, once."""
        return f"{self.url}/login?t={self._sessions.offer(self._now())}"

    def unwatched_seconds(self) -> float:
        """For how long nobody has had the page open."""
        return 0.0 if self._listeners else self._now() - self._seen

    async def __aenter__(self) -> DemoServer:
        try:
            listener = socket.socket()
            listener.bind(("127.0.0.1", 0))
            self.port = listener.getsockname()[1]
            await self._new_scene()
            await self._serve(listener)
        except BaseException:  # Ctrl-C above all: nobody calls __aexit__ of what was not entered
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """The page first, then what it shows."""
        if self._serving is not None:
            self._serving.refuse()
        for listener in self._listeners:
            listener.put_nowait(None)
        self._sessions.end_all()
        if self._serving is not None:
            await self._serving.end()
        if self._scene is not None:
            await self._scene.close()

    async def _new_scene(self) -> None:
        """Both phones forget: another network, other keys, an empty log."""
        async with self._changing:
            if self._scene is not None:
                await self._scene.close()
            self._scenes += 1
            folder = Path(tempfile.mkdtemp(prefix=f"{self._scenes}-", dir=self._folder))
            self._scene = Scene(folder, self._publish, self._log if self._scenes == 1 else None)
            await self._scene.start(self.url)

    # --- serving -------------------------------------------------------------------------------------------
    async def _serve(self, listener: socket.socket) -> None:
        names = {f"127.0.0.1:{self.port}", f"localhost:{self.port}"}
        rules = Rules(frozenset(names), frozenset(f"http://{name}" for name in names), {})
        door = Door(
            self._sessions,
            rules,
            self._now,
            "/demo/",
            "/demo/events",
            "open the address that the terminal shows, or start the demo again for a new one",
        )

        async def login(request: web.Request) -> web.StreamResponse:
            return door.login(request)

        app = web.Application(middlewares=[_behind(door)], client_max_size=_MOST_BODY)
        app.on_response_prepare.append(self._add_headers)
        app.router.add_get("/login", login, allow_head=False)
        app.router.add_get("/", self._index)
        app.router.add_get("/static/{path:.+}", self._file)
        app.router.add_get("/demo/state", self._state)
        app.router.add_get("/demo/strings", self._strings)
        app.router.add_get("/demo/phones", self._phones)
        app.router.add_get("/demo/frame/{number:[0-9]{1,9}}", self._frame)
        app.router.add_get("/demo/events", self._events, allow_head=False)
        app.router.add_post("/demo/act", self._act)
        self._serving = await serve(app, listener, _BOUNDS)

    async def _add_headers(self, request: web.Request, answer: web.StreamResponse) -> None:
        for name, value in security_headers(()).items():
            answer.headers.setdefault(name, value)
        # The phones' own pages in frames, which look for a camera when a code is scanned.
        phones = " ".join(handset.url for handset in self.scene.handsets)
        answer.headers["Content-Security-Policy"] = f"{page_policy(())}; frame-src {phones}"
        answer.headers["Permissions-Policy"] = "geolocation=(), camera=(), microphone=()"
        answer.headers["Server"] = SERVER

    async def _index(self, request: web.Request) -> web.StreamResponse:
        return await _sent(_STATIC / "index.html")

    async def _file(self, request: web.Request) -> web.StreamResponse:
        # Names are looked up, not joined: there is no path to go up.
        path = self._files().get(request.match_info["path"])
        if path is None:
            raise web.HTTPNotFound
        return await _sent(path)

    def _files(self) -> dict[str, Path]:
        own = {f"demo/{path.relative_to(_STATIC).as_posix()}": path for path in _STATIC.rglob("*") if path.is_file()}
        return {**page.files(), **own}

    async def _strings(self, request: web.Request) -> web.StreamResponse:
        wanted = request.query.get("locale", "en")
        locale = wanted if wanted in locales() else "en"
        return web.json_response({"locale": locale, "dir": direction(locale), "strings": dict(table(locale))})

    async def _state(self, request: web.Request) -> web.StreamResponse:
        return web.json_response({**self.scene.state(), "scene": self._scenes})

    async def _phones(self, request: web.Request) -> web.StreamResponse:
        """Where the frames lead: an address for each phone that logs in, once."""
        urls = await asyncio.gather(*(handset.login_url() for handset in self.scene.handsets))
        return web.json_response({"phones": urls})

    async def _frame(self, request: web.Request) -> web.StreamResponse:
        frame = self.scene.frames.frame(int(request.match_info["number"]))
        if frame is None:
            return _error(404, "demo.frame", "this frame is not kept any more")
        return web.json_response(whole(frame))

    async def _act(self, request: web.Request) -> web.StreamResponse:
        if request.content_type != "application/json":
            raise Refused(415, "type", "the body has to be application/json")
        try:
            asked = json.loads(await request.read())
        except ValueError:
            asked = None
        if not isinstance(asked, dict):
            raise InputError("an act is a JSON object", code="input.act")
        if asked.get("act") == "forget":
            await self._new_scene()
            self._publish("forgotten", {"scene": self._scenes})
            return web.json_response({})
        return web.json_response(await act(self.scene, asked))

    # --- events --------------------------------------------------------------------------------------------
    def _publish(self, kind: str, data: dict[str, Any]) -> None:
        for listener in list(self._listeners):
            if listener.qsize() >= _QUEUE:
                listener.put_nowait(None)  # it does not read; it comes back and asks for the state
                self._listeners.discard(listener)
            else:
                listener.put_nowait((kind, data))

    async def _events(self, request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await answer.prepare(request)
        queue: asyncio.Queue[tuple[str, dict[str, Any]] | None] = asyncio.Queue()
        self._listeners.add(queue)
        try:
            await answer.write(b"retry: 1000\nevent: here\ndata: {}\n\n")
            while True:
                try:
                    async with asyncio.timeout(_BEAT_SECONDS):
                        item = await queue.get()
                except TimeoutError:
                    await answer.write(b":\n\n")
                    continue
                if item is None:
                    break
                kind, data = item
                await answer.write(f"event: {kind}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode())
        except ConnectionError:
            pass  # the page was closed
        finally:
            self._listeners.discard(queue)
            self._seen = self._now()
        return answer


def _behind(door: Door) -> Any:
    @web.middleware
    async def answered(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        try:
            door.admit(request)
            return await handler(request)
        except Refused as refused:
            return _error(refused.status, refused.code, f"{refused.message}; {refused.hint}".removesuffix("; "))
        except PhoneRefused as error:
            return _error(409, error.code, str(error))
        except LetterlockError as error:
            return _error(400 if isinstance(error, InputError) else 500, error.code, str(error))

    return answered


async def _sent(path: Path) -> web.Response:
    content_type = page.CONTENT_TYPES.get(path.suffix)
    if content_type is None:
        raise web.HTTPNotFound
    return web.Response(body=await asyncio.to_thread(path.read_bytes), headers={"Content-Type": content_type})


def _error(status: int, code: str, message: str) -> web.Response:
    return web.json_response({"code": code, "message": message}, status=status)
