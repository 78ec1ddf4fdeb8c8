"""A browser's and a program's way to a daemon, and requests that no well-behaved one would make."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp

from daemon.town import Person

__all__ = ["Answer", "Visitor", "raw", "visiting"]


class Answer:
    """What came back, read to its end."""

    def __init__(self, status: int, headers: Any, body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body

    @property
    def code(self) -> str:
        """The stable code of a refusal."""
        return str(json.loads(self.body)["code"])

    def json(self) -> Any:
        return json.loads(self.body)

    def __repr__(self) -> str:
        return f"{self.status} {self.body[:200]!r}"


class Visitor:
    """Somebody with a daemon's address, and what he sends by himself with every request."""

    def __init__(self, session: aiohttp.ClientSession, base: str, headers: dict[str, str]) -> None:
        self.session, self.base, self.headers = session, base, headers

    @property
    def credentials(self) -> str:
        """What a request that is written by hand says behind `Cookie:`, the proof in a line of its own."""
        return f"{self.headers['Cookie']}\nLetterlock-Proof: {self.headers['Letterlock-Proof']}"

    async def ask(self, method: str, path: str, headers: dict[str, str] | None = None, **more: Any) -> Answer:
        """Headers given as an empty text are left out."""
        sent = {name: value for name, value in {**self.headers, **(headers or {})}.items() if value}
        async with self.session.request(
            method, self.base + path, headers=sent, allow_redirects=False, **more
        ) as answer:
            return Answer(answer.status, answer.headers, await answer.read())

    async def call(self, method: str, **params: Any) -> Any:
        """A JSON-RPC call's result."""
        answered = (await self.post({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})).json()
        assert "error" not in answered, answered
        return answered["result"]

    async def post(self, value: Any, headers: dict[str, str] | None = None) -> Answer:
        given = {"Content-Type": "application/json", **(headers or {})}
        return await self.ask("POST", "/api/v1/rpc", given, data=json.dumps(value))

    async def upload(self, data: Any, headers: dict[str, str] | None = None, **query: str) -> Answer:
        given = {"Content-Type": "application/octet-stream", **(headers or {})}
        body = io.BytesIO(data) if isinstance(data, bytes) else data
        return await self.ask("POST", "/api/v1/files", given, params=query, data=body)


@contextlib.asynccontextmanager
async def visiting(person: Person, *, by: str = "browser") -> AsyncIterator[Visitor]:
    """`by`: a `browser` that logged in, a `program` with the token of the file, the `socket`, or a `stranger`."""
    connector = aiohttp.UnixConnector(str(person.daemon.socket)) if by == "socket" else None
    base, headers = person.daemon.url, {}
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:
        if by == "browser":
            login = await Visitor(session, "", {}).ask("GET", person.login_url())
            assert login.status == 303
            cookie = login.headers["Set-Cookie"].partition(";")[0]
            proof = login.headers["Location"].removeprefix("/#proof=")
            headers = {"Cookie": cookie, "Letterlock-Proof": proof, "Origin": base, "Sec-Fetch-Site": "same-origin"}
        elif by == "program":
            token = person.daemon.token_file.read_text().strip()
            headers = {"Authorization": f"Bearer {token}"}
        yield Visitor(session, "http://localhost" if by == "socket" else base, headers)


async def raw(person: Person, head: str, *pieces: bytes, seconds: float = 10.0) -> bytes:
    """Send these bytes as they are; all that comes back until the daemon hangs up, or is silent for so long."""
    reader, writer = await asyncio.open_connection("127.0.0.1", person.daemon.port)
    came = b""
    try:
        writer.write(head.replace("\n", "\r\n").encode("utf-8", "surrogateescape"))
        with contextlib.suppress(ConnectionError):
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
        with contextlib.suppress(ConnectionError, TimeoutError):
            async with asyncio.timeout(seconds):
                while part := await reader.read(65_536):
                    came += part
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
    return came
