"""Two people with a daemon each, and the network between them, all in this process.

`async with town(folder) as both:` gives `both.ana` and `both.ben` with `login_url()`, `client` and `daemon`. To look at
the page by hand: `PYTHONPATH=src:tests .venv/bin/python -m daemon.town` prints both login addresses (Enter for new ones)
and stays until Ctrl-C or the end of its input.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from client.phones import CHEAP
from letterlock.apps.daemon import Daemon, DaemonSettings
from letterlock.carrier import Accounts, Carrier, Interference, Seen, Tap
from letterlock.client import Client, ContentAccount, Environment, SipAccount
from letterlock.engine.policy import PlainOption
from letterlock.engine.security import Security
from letterlock.services.content import ContentServer
from letterlock.services.directory import Directory, DirectoryLimits, IssuedCode, Rate

__all__ = ["ANA", "BEN", "Person", "Town", "plain_option", "town"]

ANA, BEN = "+15550100", "+15550199"
_STATE = Path("state", "letterlock", "generations")  # where a process finds it whose XDG_STATE_HOME is `state`
_PASSWORD = "lab"


@dataclasses.dataclass
class Person:
    """Somebody's open profile, and the daemon on it."""

    name: str
    number: str
    folder: Path
    client: Client
    daemon: Daemon

    def login_url(self) -> str:
        return self.daemon.login_url()


class Town:
    """The network side, and the people. `tap`, when it is set, is what the carrier does to each message."""

    ana: Person
    ben: Person

    def __init__(self, folder: Path, stack: contextlib.AsyncExitStack) -> None:
        self.folder, self._stack = folder, stack
        self._codes: dict[str, str] = {}
        self.tap: Tap | None = None
        self.environment = dataclasses.replace(Environment(), argon2=CHEAP, state=folder / _STATE)

    async def start(self) -> None:
        self.carrier = await self._stack.enter_async_context(
            Carrier("127.0.0.1", 0, Accounts.lab(_PASSWORD), server_port=0, msrp_port=0, tap=self._tapped)
        )
        self.directory = await self._directory("all")
        self.content = ContentServer(self.folder / "content", password_of=None)
        await self.content.start()
        self._stack.push_async_callback(self.content.close)

    def _tapped(self, seen: Seen) -> Interference | None:
        return None if self.tap is None else self.tap(seen)

    async def _directory(self, name: str) -> Directory:
        plenty = Rate(1_000_000, 1000)
        directory = Directory(
            str(self.folder / f"directory-{name}.db"),
            on_code=self._take_code,
            limits=DirectoryLimits(bundles=plenty, bundles_of_one_device=plenty, address=plenty, lookups=plenty),
        )
        await directory.start()
        self._stack.push_async_callback(directory.close)
        return directory

    def _take_code(self, issued: IssuedCode) -> None:
        self._codes[issued.number] = issued.code

    async def person(
        self, name: str, number: str, settings: DaemonSettings | None = None, *, apart: bool = False, **changes: Any
    ) -> Person:
        """A profile for this number, opened, with a daemon; until the town ends. `apart`: its keys are in a directory of its
        own, so that it and the others find none of each other."""
        folder = self.folder / name
        await self.create(folder, number, await self._directory(name) if apart else None)
        client = await self._stack.enter_async_context(self.open(folder, **changes))
        daemon = await self._stack.enter_async_context(Daemon(client, folder, settings=settings))
        return Person(name, number, folder, client, daemon)

    async def create(self, folder: Path, number: str, directory: Directory | None = None) -> None:
        async def code() -> str:
            return self._codes[number]

        await Client.create(
            folder,
            number,
            directory=(directory or self.directory).url,
            code=code,
            sip=SipAccount(
                "127.0.0.1",
                self.carrier.port,
                self.carrier.domain,
                number,
                _PASSWORD,
                tls=False,
                msrp_relay=self.carrier.msrp_uri.encode() if self.carrier.msrp_uri is not None else None,
            ),
            content=ContentAccount(self.content.url, number, _PASSWORD),
            name=f"{folder.name}'s phone",
            passphrase="tulip",
            environment=self.environment,
        )

    def open(self, folder: Path, **changes: Any) -> Client:
        environment = dataclasses.replace(self.environment, **changes)
        return Client.open(folder, passphrase="tulip", environment=environment)


@contextlib.asynccontextmanager
async def town(
    folder: Path, settings: DaemonSettings | None = None, *, apart: bool = False, **changes: Any
) -> AsyncIterator[Town]:
    """Ana and Ben, who have not written to each other yet. `apart`: neither finds keys of the other, so that nothing can be
    encrypted. `changes` are those of `Environment`."""
    async with contextlib.AsyncExitStack() as stack:
        both = Town(folder, stack)
        await both.start()
        both.ana = await both.person("ana", ANA, settings, **changes)
        both.ben = await both.person("ben", BEN, settings, apart=apart, **changes)
        yield both


async def plain_option(both: Town) -> PlainOption:
    """What Ana may choose in a town whose people live `apart`, once their directories have said that there are no keys."""
    chat = await both.ana.client.chat(both.ben.number)
    async with asyncio.timeout(20):
        while chat.security is Security.CHECKING:
            await asyncio.sleep(0)
    return (await chat.options())[0]


async def _main() -> None:
    with tempfile.TemporaryDirectory(prefix="letterlock-town-") as folder:
        async with town(Path(folder)) as both:
            while True:
                for person in (both.ana, both.ben):
                    print(f"{person.name:4} {person.number}  {person.login_url()}", flush=True)
                if not await asyncio.to_thread(sys.stdin.readline):
                    return


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_main())
