"""The profile that this process owns, as a whole: how it begins to work, what arrives, how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ...carriage import ConferenceView, Inbound
from ...engine.step import Step
from ...ids import Number
from ..addresses import UNVISITED, Addresses
from ..driver import StepFunction
from ..encryption import feature_tags
from ..files.transfers import Content
from ..history_filling import fill_history
from ..network import (
    Advertises,
    Capabilities,
    Conferences,
    Directory,
    KeptConferences,
    OnMessage,
    SmsRecords,
    Transport,
)
from ..sms import SmsMemory
from .carriage import LocalCarriage
from .devices import LocalDevices
from .encryption import LocalEncryption
from .events import LocalEvents
from .files import LocalFiles
from .groups import LocalGroups
from .history import LocalHistory

if TYPE_CHECKING:
    from ..key_server import KeyServer

__all__ = ["LocalProfile"]


_MANY_CARDS = 16_384


class LocalProfile(LocalHistory, LocalGroups, LocalEncryption, LocalCarriage, LocalDevices, LocalFiles, LocalEvents):
    """Owns the store. `receive` is where the transport hands in what arrives."""

    shared = False

    async def start(
        self,
        transport: Callable[[OnMessage], Transport | None] | None,
        directory: Directory | None,
        first: Sequence[StepFunction[None]] = (),
        content: Content | None = None,
        requests: KeyServer | None = None,
        sms: Callable[[OnMessage, SmsRecords], Transport | None] | None = None,
    ) -> None:
        """Begin to work: `first` steps, then everything that was pending, then the network."""
        self.key_server = requests
        self._effects.serve_requests(requests)
        self._transport = transport(self.receive) if transport is not None else None
        self._directory = directory
        self._effects.connect(self._driver, self._transport, directory)
        self._devices.connect(directory)
        self._driver.start()
        await fill_history(self._store, self._driver, self._checkpoint)
        for step in (*first, self._forget_requests):
            await self._driver.submit(step, heavy=True)
        await self._transfers.start(content)
        await self._devices.renew()
        self._sms = sms(self.receive, SmsMemory(self._store, self._driver.submit)) if sms is not None else None
        self._effects.carry_sms(self._sms)
        if self._sms is not None:
            await self._sms.start()
        self._watch()
        if self._transport is not None:
            await self._transport.start()
            await self._visit()
        await self._driver.submit(self._engine.start, heavy=True)
        if directory is not None and self._transport is not None:
            self._alerts.start(directory)
        if requests is not None:
            self._watch_encryption(requests)

    async def carry_with(
        self, transport: Callable[[OnMessage], Transport | None] | None, content: Content | None
    ) -> None:
        """Change carrier and content server while the profile is open; without a carrier messages wait."""
        old, self._transport = self._transport, None
        self._effects.connect(self._driver, None, self._directory)
        if old is not None:
            await old.close()
        await self._transfers.work_with(content)
        self._transport = None if transport is None else transport(self.receive)
        if self._transport is None:
            return
        self._effects.connect(self._driver, self._transport, self._directory)
        self._watch()
        self._advertise()
        await self._transport.start()
        await self._driver.submit(self._engine.start, heavy=True)  # what waited goes out

    def provisioned(self) -> None:
        """The operator was asked: what it named may be newer than before."""
        if self._watching is not None:
            self._watching.look_again()

    async def receive(self, inbound: Inbound) -> None:
        """Something arrived. When this returns it is on disk and may be acknowledged to the network (SR-06)."""
        self._checkpoint("receive.before")
        await self._driver.submit(
            lambda state, now, rng: self._engine.received(state, inbound, now, rng), heavy=_is_heavy(inbound)
        )
        self._checkpoint("receive.committed")

    async def _visit(self) -> None:
        if isinstance(self._transport, KeptConferences) and self._store.get(UNVISITED):
            self._transport.visit_conferences()
            await self._driver.submit(lambda s, now, rng: Step(None, {UNVISITED: None}))

    def _watch_encryption(self, requests: KeyServer) -> None:
        from ..encryption_watch import EncryptionWatch

        async def submit(step: StepFunction[None]) -> None:
            await self._driver.submit(step, heavy=True)

        watch = EncryptionWatch(requests, self._engine, self._store, self._clock, submit, self._advertise)
        self._watching, requests.on_answered = watch, watch.look_again
        watch.start()
        if self.me.primary:
            from ..linked_devices import LinkedDevices

            self._linked = LinkedDevices(self.identity, self._devices, requests, self._engine, self._store, submit)
            self._linked.start()

    def _advertise(self) -> None:
        if isinstance(self._transport, Advertises):
            self._transport.advertise(feature_tags(self._engine, self._store, self._clock()))

    def _watch(self) -> None:
        if isinstance(self._transport, Conferences):
            self._transport.watch_conferences(self._conference_seen)
        if isinstance(self._transport, KeptConferences):
            self._transport.remember_conferences(Addresses(self._store, self._effects.note))
        if isinstance(self._transport, Capabilities):
            self._transport.watch_capabilities(self._capabilities_seen)

    def _capabilities_seen(self, number: Number, features: tuple[str, ...], before: tuple[str, ...]) -> None:
        self._effects.note(lambda s, now, rng: self._engine.on_capabilities(s, number, features, before, now, rng))

    async def _conference_seen(self, view: ConferenceView) -> None:
        await self._driver.submit(lambda state, now, rng: self._engine.on_conference(state, view, now, rng))

    async def settled(self) -> None:
        """Wait until nothing is queued or under way: every frame was answered by the network or will be retried later."""
        while True:
            await self._driver.idle()
            if not self._effects.busy:
                return
            await self._effects.settled()

    async def close(self) -> None:
        """Disconnect, finish what was begun, give the profile back."""
        try:
            if self._transport is not None:
                await self._transport.close()
            if self._sms is not None:
                await self._sms.close()
            await self._alerts.close()
            for upkeep in (self._watching, self._linked):
                if upkeep is not None:
                    await upkeep.close()
            await self._readings.close_all()
            await self._transfers.close()
            await self._devices.close()
            await self._effects.close()
            await self._driver.close()
        finally:
            try:
                if self._directory is not None:
                    await self._directory.close()
                if self.key_server is not None:
                    await self.key_server.close()
            finally:
                await asyncio.to_thread(self._store.close)


def _is_heavy(inbound: Inbound) -> bool:
    """A commit or a Welcome of a large group costs far more than a slice of the event loop, and so do ten full cards."""
    if inbound.number is None and len(inbound.body) > _MANY_CARDS:
        return True
    return inbound.content_type.startswith("message/mls-rcs")
