"""Phones for tests: the real client, store, engine and protocol over a network inside the process."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import itertools
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

from letterlock.carriage import Inbound, NetworkResult, Outbound
from letterlock.client import Client, Environment
from letterlock.client.network import OnMessage
from letterlock.codec.prekeys import PreKeyBundle, decode_upload, encode_bundle
from letterlock.crypto.pyca import Pyca
from letterlock.engine.events import Event, MessageReceived, Recorded
from letterlock.errors import DirectoryError, StoreError, TransportError
from letterlock.ids import AccountId, DeviceId, Number
from letterlock.keystore.wrapped import Argon2Parameters
from letterlock.trust.device_list import VerifiedDeviceList, verify_list

CHEAP = Argon2Parameters(memory_kib=64, iterations=1, lanes=1)
ANA, BEN = "+15550100", "+15550199"


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Net:
    """Carries frames between attached phones, keeps them for those that are away, and remembers everything."""

    def __init__(self) -> None:
        self.sent: list[tuple[Number, Outbound]] = []
        self.phones: dict[Number, list[NetTransport]] = defaultdict(list)
        self.kept: dict[Number, list[Inbound]] = defaultdict(list)
        self.refuse: Callable[[Outbound], NetworkResult | None] = lambda outbound: None
        self.down = False

    def transport(self, number: Number, on_message: OnMessage) -> NetTransport:
        return NetTransport(self, number, on_message)


class NetTransport:
    """One phone's end."""

    def __init__(self, net: Net, number: Number, on_message: OnMessage) -> None:
        self.net, self.number, self._on_message = net, number, on_message
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self.net.phones[self.number].append(self)
        for inbound in self.net.kept.pop(self.number, []):
            self.deliver(inbound)

    async def send(self, outbound: Outbound) -> NetworkResult:
        await asyncio.sleep(0)
        if self.net.down:
            raise TransportError("the network is down")
        if (refused := self.net.refuse(outbound)) is not None:
            return refused
        self.net.sent.append((self.number, outbound))
        inbound = Inbound(self.number, outbound.to, outbound.message_id, outbound.content_type, outbound.body, now_ms())
        others = [phone for phone in self.net.phones[outbound.to] if phone is not self]
        if not others:
            self.net.kept[outbound.to].append(inbound)
        for phone in others:
            phone.deliver(inbound)
        return NetworkResult(True, 200, "OK")

    def deliver(self, inbound: Inbound) -> None:
        task = asyncio.ensure_future(self._hand_up(inbound))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _hand_up(self, inbound: Inbound) -> None:
        try:
            await self._on_message(inbound)
        except StoreError:
            self.net.kept[self.number].append(inbound)

    async def close(self) -> None:
        with contextlib.suppress(ValueError):
            self.net.phones[self.number].remove(self)
        await asyncio.gather(*self._tasks, return_exceptions=True)


@dataclasses.dataclass(frozen=True)
class Counts:
    lowest: int


@dataclasses.dataclass(frozen=True)
class Alert:
    kind: str
    at: int


class Book:
    """A directory in memory that believes everybody; the real one is tested elsewhere."""

    def __init__(self) -> None:
        self.all_lists: dict[Number, list[bytes]] = defaultdict(list)
        self.uploads: dict[tuple[AccountId, int], Any] = {}
        self.down = False
        self.alerts: list[Alert] = []

    def client(self, signer: Any) -> BookClient:
        return BookClient(self, signer)


class BookClient:
    def __init__(self, book: Book, signer: Any) -> None:
        self._book, self._signer = book, signer

    def _check(self) -> None:
        if self._book.down:
            raise TransportError("the directory is down")

    async def begin_claim(self, number: Number, participant_spki: bytes) -> int:
        self._check()
        return now_ms() + 600_000

    async def claim(self, code: str, device_list: bytes) -> None:
        self._check()
        if code != "12345678":
            raise DirectoryError("the code is wrong", code="directory.code", status=403)
        self._book.all_lists[self._signer.me.number] = [device_list]

    async def upload_list(self, device_list: bytes) -> None:
        self._check()
        known = self._book.all_lists[self._signer.me.number]
        if device_list not in known:
            known.append(device_list)

    async def lists(self, number: Number, since: int = 0) -> Sequence[bytes]:
        self._check()
        known = self._book.all_lists.get(number, [])
        return tuple(known[-1:] if since == 0 else [data for data in known if self._verified(data).serial > since])

    @staticmethod
    def _verified(data: bytes) -> VerifiedDeviceList:
        return verify_list(data, Pyca(), now_ms())

    async def upload_prekeys(self, upload: bytes) -> Counts:
        self._check()
        new = decode_upload(upload, max_one_time=200)
        where = (self._signer.me.account, self._signer.me.device)
        old = self._book.uploads.get(where)
        if old is None:
            entry = {"upload": new, "one": [], "kem": [], "seen": set()}
            old = self._book.uploads[where] = entry
        if upload not in old["seen"]:
            old["seen"].add(upload)
            old["upload"] = new
            old["one"] += new.one_time
            old["kem"] += new.one_time_kem
        return Counts(min(len(old["one"]), len(old["kem"])))

    async def bundle(self, number: Number, account: AccountId, device: DeviceId) -> bytes | None:
        self._check()
        entry = self._book.uploads.get((account, device))
        if entry is None:
            return None
        newest = self._verified(self._book.all_lists[number][-1])
        listed = newest.device(device)
        assert listed is not None
        one = entry["one"].pop(0) if entry["one"] else None
        last_resort = not entry["kem"]
        kem = entry["upload"].last_resort if last_resort else entry["kem"].pop(0)
        return encode_bundle(
            PreKeyBundle(
                registration_id=listed.registration_id,
                device=device,
                identity_key=listed.identity_key,
                signed=entry["upload"].signed,
                kem=kem,
                kem_is_last_resort=last_resort,
                one_time=one,
            )
        )

    async def alerts(self) -> Sequence[Any]:
        self._check()
        return self._book.alerts

    async def close(self) -> None:
        pass


class Town:
    """A net, a book, and profiles under one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.net, self.book = Net(), Book()
        self.names = itertools.count(1)

    def environment(self, **changes: Any) -> Environment:
        return dataclasses.replace(
            Environment(
                argon2=CHEAP,
                state=self.folder / "state",
                transport=lambda environment, settings, identity, on_message: self.net.transport(
                    identity.number, on_message
                ),
                directory=lambda environment, settings, identity: self.book.client(identity.signer(Pyca())),
            ),
            **changes,
        )

    async def create(self, number: str, name: str = "", **changes: Any) -> Path:
        path = self.folder / (name or number)
        await Client.create(
            path,
            number,
            directory="http://127.0.0.1:1",
            code="12345678",
            passphrase="tulip",
            environment=self.environment(**changes),
        )
        return path

    def open(self, path: Path, **changes: Any) -> Client:
        return Client.open(path, passphrase="tulip", environment=self.environment(**changes))

    @contextlib.asynccontextmanager
    async def two(self) -> AsyncIterator[tuple[Client, Client]]:
        """Ana and Ben, set up and open."""
        ana, ben = await self.create(ANA), await self.create(BEN)
        async with self.open(ana) as a, self.open(ben) as b:
            yield a, b


async def event(client: Client, kind: type[Event], after: int = 0, where: Callable[[Any], bool] = bool) -> Recorded:
    """The next event of a kind behind a cursor."""
    async with asyncio.timeout(20), contextlib.aclosing(client.events(after)) as events:
        async for recorded in events:
            if isinstance(recorded.event, kind) and where(recorded.event):
                return recorded
    raise AssertionError("the events ended")


async def texts(client: Client, count: int, after: int = 0) -> list[str]:
    """The texts of the next `count` received messages."""
    found: list[str] = []
    async with asyncio.timeout(30), contextlib.aclosing(client.events(after)) as events:
        async for recorded in events:
            if isinstance(recorded.event, MessageReceived):
                found.append(recorded.event.text or "")
                if len(found) == count:
                    break
    return found
