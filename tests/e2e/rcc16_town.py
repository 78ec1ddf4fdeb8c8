"""The whole network of a lab on loopback, and people in it who speak RCC.16, signal, or both."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

from client.phones import CHEAP
from letterlock.apps.cli.lab import Lab
from letterlock.client import Client, Environment
from letterlock.engine.events import Event
from letterlock.keystore import KeyFile

__all__ = ["Person", "Town", "town"]

BOTH, RCC16 = ("signal", "rcc16"), ("rcc16",)


class Person:
    """A number with one device. `client` is open between `come` and `go`."""

    def __init__(self, town: Town, number: str, folder: Path) -> None:
        self.town, self.number, self.folder = town, number, folder
        self.environment = Environment(state=folder / "state", argon2=CHEAP)
        self.client: Client
        self._open: AsyncExitStack | None = None

    async def set_up(self, protocols: tuple[str, ...]) -> None:
        self.folder.mkdir()
        KeyFile(self.folder / "key").create(self.environment.rng)
        self.town.codes[self.number] = asyncio.get_running_loop().create_future()
        await Client.provision(
            self.folder / "profile",
            self.number,
            url=self.town.lab.provisioning.url,
            code=lambda: self.town.codes[self.number],
            protocols=protocols,
            key_file=self.folder / "key",
            environment=self.environment,
        )

    async def come(self) -> None:
        self._open = AsyncExitStack()
        client = Client.open(self.folder / "profile", key_file=self.folder / "key", environment=self.environment)
        self.client = await self._open.enter_async_context(client)

    async def go(self) -> None:
        """Switch the phone off."""
        opened, self._open = self._open, None
        if opened is not None:
            await opened.aclose()

    async def events(self) -> list[Event]:
        last, found = await self.client.cursor(), []
        if last:
            async for recorded in self.client.events(after=0):
                found.append(recorded.event)
                if recorded.cursor >= last:
                    break
        return found

    async def until(self, condition: Callable[[list[Event]], bool], seconds: float = 20.0) -> list[Event]:
        """Wait for a condition on all events so far; AssertionError with the last of them when it does not come."""
        events: list[Event] = []
        try:
            async with asyncio.timeout(seconds):
                async for recorded in self.client.events(after=0):
                    events.append(recorded.event)
                    if condition(events):
                        return events
        except TimeoutError:
            tail = "\n".join(map(repr, events[-12:]))
            raise AssertionError(f"{self.number} waits in vain; the last events:\n{tail}") from None
        raise AssertionError("closed")


class Town:
    """`log` is every byte of the carrier's connections."""

    def __init__(self, folder: Path, lab: Lab) -> None:
        self.folder, self.lab = folder, lab
        self.log = folder / "wire.log"
        self.codes: dict[str, asyncio.Future[str]] = {}
        self.people: list[Person] = []

    async def person(self, number: str, protocols: tuple[str, ...]) -> Person:
        person = Person(self, number, self.folder / number.strip("+"))
        self.people.append(person)
        await person.set_up(protocols)
        await person.come()
        return person


@contextlib.asynccontextmanager
async def town(folder: Path) -> AsyncIterator[Town]:
    async with AsyncExitStack() as stack:
        lab = Lab(folder / "network", log=str(folder / "wire.log"), free_ports=True)
        made = Town(folder, lab)
        await lab.start(stack, lambda issued: made.codes[issued.number].set_result(issued.code), _nobody)
        try:
            yield made
        finally:
            for person in made.people:
                await person.go()


def _nobody(issued: object) -> None:
    """Nobody is set up past the provisioning server here."""
