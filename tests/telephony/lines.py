"""Two people with sessions over real clients: the embedded carrier, a directory and a content server on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from pathlib import Path
from typing import TypeVar

from client.lab import KeyWatch, Lab
from client.phones import ANA, BEN
from content.lab import PASSWORD, Server
from letterlock.carriage import Inbound
from letterlock.carrier import Accounts, Carrier, Interference, Seen
from letterlock.client import Client, ContentAccount
from letterlock.codec.sip import Request
from letterlock.ids import Number
from letterlock.telephony import (
    RCSURI,
    CellularServiceID,
    IncomingMessageNotification,
    RCSMessageID,
    RCSService,
    TelephonyMessagingSession,
)
from letterlock.transport.rcs.transport import RcsTransport

T = TypeVar("T")
C = TypeVar("C")

NOBODY = "+15550177"
"""A number that nobody has."""


def uri(number: str) -> RCSURI:
    found = RCSURI.phone_number(number)
    assert found is not None
    return found


class Line:
    """One person: the session, its service, and ids that count up."""

    def __init__(self, session: TelephonyMessagingSession, path: Path) -> None:
        self.session, self.path = session, path
        self.client: Client = session.client
        self.rcs: RCSService = session.rcs_service
        self.id = CellularServiceID(self.client.number)
        self.uri = uri(self.client.number)
        self.incoming = self.rcs.incoming_message_notifications()
        self._ids = itertools.count(1)

    def new_id(self) -> RCSMessageID:
        return RCSMessageID(f"{self.client.number[-3:]}-{next(self._ids)}")

    async def heard(
        self, kind: type[C], where: Callable[[C], bool] = lambda content: True
    ) -> tuple[IncomingMessageNotification, C]:
        """The next notification with such content; what stands before it is passed over."""
        async with asyncio.timeout(20):
            async for told in self.incoming:
                content = told.message.content
                if isinstance(content, kind) and where(content):
                    return told, content
        raise AssertionError("the notifications ended")


async def first(stream: AsyncGenerator[T, None], wanted: Callable[[T], bool] = lambda item: True) -> T:
    """The next item that is wanted; the stream goes on."""
    async with asyncio.timeout(20):
        async for item in stream:
            if wanted(item):
                return item
    raise AssertionError("the stream ended")


class Overheard(KeyWatch):
    """All that the carrier was given to carry."""

    def __init__(self) -> None:
        super().__init__()
        self.bodies: list[bytes] = []

    def __call__(self, seen: Seen) -> Interference | None:
        if isinstance(seen.message, Request) and seen.message.method == "MESSAGE":
            self.bodies.append(seen.message.body)
        return super().__call__(seen)

    def heard(self, text: str) -> bool:
        return any(text.encode() in body for body in self.bodies)


class ListeningLab(Lab):
    """With a carrier that listens."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.overheard = Overheard()
        self.carrier = Carrier("127.0.0.1", 0, Accounts.lab("lab"), tap=self.overheard)


class Place:
    """The network."""

    def __init__(self, lab: ListeningLab, content: Server, lines: contextlib.AsyncExitStack) -> None:
        self.lab, self.content, self._lines = lab, content, lines

    @classmethod
    @contextlib.asynccontextmanager
    async def running(cls, folder: Path) -> AsyncIterator[Place]:
        passwords = dict.fromkeys((ANA, BEN, "+15550133"), PASSWORD)
        async with (
            ListeningLab.running(folder) as lab,
            Server.running(folder, password_of=passwords.get) as content,
            contextlib.AsyncExitStack() as lines,
        ):
            assert isinstance(lab, ListeningLab)
            yield cls(lab, content, lines)

    async def create(self, number: str) -> Path:
        path = self.lab.folder / number

        async def code() -> str:
            return self.lab.codes[number]

        await Client.create(
            path,
            number,
            directory=self.lab.directory.url,
            code=code,
            sip=self.lab.sip(number),
            content=ContentAccount(self.content.url, number, PASSWORD),
            passphrase="tulip",
            environment=self.lab.environment,
        )
        return path

    async def line(self, number: str) -> Line:
        path = await self.create(number)
        session = TelephonyMessagingSession.open(path, passphrase="tulip", environment=self.lab.environment)
        line = Line(await self._lines.enter_async_context(session), path)
        await self._lines.enter_async_context(contextlib.aclosing(line.incoming))
        return line

    async def stranger(self, number: str = NOBODY) -> list[Inbound]:
        """Somebody with a phone and without keys; what comes there."""
        come: list[Inbound] = []

        async def take(inbound: Inbound) -> None:
            come.append(inbound)

        config = self.lab.sip(number).config(Number(number), str(uuid.uuid4()))
        await self._lines.enter_async_context(phone := RcsTransport(config, take))
        await phone.registered()
        return come


@contextlib.asynccontextmanager
async def ana_and_ben(folder: Path) -> AsyncIterator[tuple[Line, Line, Place]]:
    async with Place.running(folder) as place:
        yield await place.line(ANA), await place.line(BEN), place


__all__ = ["ANA", "BEN", "NOBODY", "Line", "Place", "ana_and_ben", "first", "uri"]
