"""An MSRP endpoint whose every byte the test decides, written from RFC 4975 and 4976 and not from our own machines."""

from __future__ import annotations

import asyncio
import os
import re
import ssl
from dataclasses import dataclass
from pathlib import Path

from letterlock.sip.digest import DigestClient


@dataclass(frozen=True)
class Frame:
    """A request or response: `start` is what stands behind the transaction id."""

    transaction: str
    start: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    flag: str

    def get(self, name: str) -> str:
        return next((value for key, value in self.headers if key == name), "")


class MsrpLine:
    """One connection to a relay."""

    def __init__(self, host: str, port: int, ca: Path | None = None) -> None:
        self._host, self._port, self._ca = host, port, ca
        self.scheme = "msrp" if ca is None else "msrps"
        self.relay = f"{self.scheme}://{host}:{port};tcp"

    async def __aenter__(self) -> MsrpLine:
        context = None if self._ca is None else ssl.create_default_context(cafile=str(self._ca))
        self._reader, self._writer = await asyncio.open_connection(self._host, self._port, ssl=context)
        port = self._writer.get_extra_info("sockname")[1]
        self.own = f"{self.scheme}://127.0.0.1:{port}/{os.urandom(8).hex()};tcp"
        return self

    async def __aexit__(self, *exception: object) -> None:
        self._writer.close()

    def write(self, start: str, *headers: tuple[str, str], body: bytes | None = None, flag: str = "$") -> str:
        """Send a frame; returns its transaction id."""
        transaction = os.urandom(6).hex()
        lines = [f"MSRP {transaction} {start}", *(f"{name}: {value}" for name, value in headers)]
        data = "\r\n".join(lines).encode() + b"\r\n"
        if body is not None:
            data += b"\r\n" + body + b"\r\n"
        self._writer.write(data + f"-------{transaction}{flag}\r\n".encode())
        return transaction

    async def read(self) -> Frame:
        """The next frame; fails after five seconds."""
        async with asyncio.timeout(5):
            first = await self._reader.readline()
            match = re.fullmatch(rb"MSRP (\S+) (.+)\r\n", first)
            assert match, first
            end = b"-------" + match[1]
            headers = []
            while (line := await self._reader.readline()) != b"\r\n":
                if line.startswith(end):
                    return self._frame(match, headers, b"", line)
                name, _, value = line.decode().strip().partition(": ")
                headers.append((name, value))
            rest = await self._reader.readuntil(b"\r\n" + end)
            flag = await self._reader.readline()
            return self._frame(match, headers, rest[: -len(end) - 2], end + flag)

    async def silent(self, seconds: float = 0.2) -> bool:
        """Whether nothing comes."""
        try:
            async with asyncio.timeout(seconds):
                await self._reader.readexactly(1)
        except TimeoutError:
            return True
        return False

    async def auth(self, user: str, password: str, *headers: tuple[str, str]) -> Frame:
        """AUTH with Digest (RFC 4976 section 5.1); the last answer."""
        paths = (("To-Path", self.relay), ("From-Path", self.own))
        self.write("AUTH", *paths, *headers)
        challenged = await self.read()
        if not challenged.start.startswith("401"):
            return challenged
        digest = DigestClient(user, password, os.urandom)
        digest.accept([challenged.get("WWW-Authenticate")])
        self.write("AUTH", *paths, ("Authorization", digest.credentials("AUTH", self.relay)), *headers)
        return await self.read()

    def send(self, to: tuple[str, ...], body: bytes, *headers: tuple[str, str]) -> str:
        """One whole message in one chunk along a path."""
        size = len(body)
        return self.write(
            "SEND",
            ("To-Path", " ".join(to)),
            ("From-Path", self.own),
            ("Message-ID", os.urandom(6).hex()),
            ("Byte-Range", f"1-{size}/{size}"),
            *headers,
            ("Content-Type", "message/cpim"),
            body=body,
        )

    @staticmethod
    def _frame(match: re.Match[bytes], headers: list[tuple[str, str]], body: bytes, end: bytes) -> Frame:
        return Frame(match[1].decode(), match[2].decode(), tuple(headers), body, end.decode().strip()[-1])
