"""One device's registration with the carrier, whether or not its client is linked: the native transport, and an inbox.

What the network brings is in the inbox before the network hears that it was taken (SR-06), and then goes to the link.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol

from ...carriage import Conference, ConferenceView, Inbound, NetworkResult
from ...codec.gateway import (
    Advertise,
    AskFeatures,
    ConferenceSeen,
    FeaturesChanged,
    Hello,
    MakeConference,
    Message,
    RequestId,
    Roster,
    Send,
    SyncConference,
    encode,
)
from ...errors import LetterlockError, TransportError
from ...ids import Instant, Number
from ...transport.rcs.presence import RcsStatus
from ...transport.rcs.transport import RcsTransport
from .addresses import Addresses
from .house import House
from .logic import Opened, Page, unknown
from .notices import Notices
from .requests import Requests
from .tables import Device, Tables
from .tags import decode_tags, encode_tags
from .waking import Waking

__all__ = ["Line", "Linked"]

_log = logging.getLogger("letterlock.gateway")


class Linked(Protocol):
    """What a line knows of its client's link; a `Link` is one."""

    def arrived(self, cursor: int, frame: bytes, /) -> None:
        """Something new is in the inbox."""
        ...

    def patience_s(self) -> float | None:
        """In how many seconds the client will have left something lie for too long; None when it has everything."""
        ...

    async def replaced(self) -> None:
        """A newer link of this device is there."""
        ...

    async def close(self, code: int, reason: str, /) -> None:
        """Say why, and end."""
        ...


class Line:
    """Of one device. `open` registers it, `close` takes it off; in between links come and go."""

    def __init__(self, house: House, device: Device) -> None:
        self.device = device
        self.link: Linked | None = None
        self._house = house
        self._newest = device.newest
        self._acknowledged = device.acknowledged
        self._transport: RcsTransport | None = None
        self._requests: Requests | None = None
        self._addresses: Addresses | None = None
        self._changed: dict[str, str | None] = {}
        self._tidying: asyncio.Task[None] | None = None
        self._starting: asyncio.Task[None] | None = None
        self._opening = asyncio.Lock()
        self._closed = False
        self.notices = Notices(house.limits.max_notices)
        self._waking = Waking(house, device.number, device.instance, self._overdue)

    @property
    def registered(self) -> bool:
        """Whether it is on its way to the carrier, or there."""
        return self._transport is not None

    # --- the registration ------------------------------------------------------------------------
    async def open(self) -> None:
        """Register, in the background, if it is not done yet. Raises GatewayError, StoreError."""
        async with self._opening:
            if self._transport is not None or self._closed:
                return
            house, device = self._house, self.device

            def load(
                tables: Tables,
            ) -> tuple[tuple[str, str], list[tuple[bytes, Instant, NetworkResult]], dict[str, str]]:
                return (
                    house.office.credentials(tables, device),
                    tables.results(device.id),
                    tables.conferences(device.id),
                )

            (username, password), results, conferences = await house.writer.run(load)
            config = house.carrier.config(device.number, device.instance, username, password, decode_tags(device.tags))
            transport = RcsTransport(config, self._take, self._stands, rng=house.rng, clock=house.now, tls=house.tls)
            self._requests = Requests(house, device.id, results)
            self._addresses = Addresses(conferences, house.limits.max_conferences, self._conference_moved)
            transport.watch_conferences(self._conference_seen)
            transport.watch_capabilities(self._features_changed)
            transport.remember_conferences(self._addresses)
            self._transport = transport
            self._starting = asyncio.get_running_loop().create_task(self._start(transport))

    async def _start(self, transport: RcsTransport) -> None:
        """In its turn: after a start of ours all clients link at once, and the carrier is not to meet them so."""
        await self._house.pace.turn()
        await transport.start()

    async def begin(self) -> None:
        """When the gateway begins: `open`, until it is under way to the carrier; and what has waited since before is not
        forgotten. Raises GatewayError, StoreError."""
        await self.open()
        if self._starting is not None:
            await asyncio.wait({self._starting})
        self._waking.look_later()

    async def close(self, code: int, reason: str) -> None:
        """Let the link go, take the registration off, write what is left to write."""
        self._closed = True
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.gather(self._starting, return_exceptions=True)
        if self.link is not None:
            await self.link.close(code, reason)
        await self._waking.close()
        if self._requests is not None:
            await self._requests.close()
        transport, self._transport = self._transport, None
        if transport is not None:
            await transport.close()
        if self._tidying is not None:
            await asyncio.gather(self._tidying, return_exceptions=True)

    # --- what the network brings -----------------------------------------------------------------
    async def _take(self, inbound: Inbound) -> None:
        """Awaited by the transport: the network is told that it was taken when this returns."""
        house = self._house
        frame = encode(
            Message(
                0,
                inbound.sender,
                inbound.recipient,
                inbound.message_id,
                inbound.content_type,
                inbound.received_at,
                inbound.group,
                inbound.headers,
                inbound.body,
            )
        )
        house.checkpoint("inbox.before")
        now, device = house.now(), self.device.id
        cursor = await house.writer.run(lambda tables: house.office.arrived(tables, device, frame, now))
        house.checkpoint("inbox.committed")
        self._newest = max(self._newest, cursor)
        if self.link is not None:
            self.link.arrived(cursor, frame)
        self._waking.look()

    async def _conference_seen(self, view: ConferenceView) -> None:
        self.notices.seen(
            ConferenceSeen(
                view.group, view.focus, view.subject, view.members, view.encrypted_subject, view.encrypted_icon
            )
        )

    def _features_changed(self, number: Number, features: tuple[str, ...], before: tuple[str, ...]) -> None:
        self.notices.changed(FeaturesChanged(number, features, before))

    def _conference_moved(self, name: str, address: str | None) -> None:
        self._changed[name] = address
        self.notices.kept(name, address)
        self._tidy()

    def _stands(self, status: RcsStatus) -> None:
        self.notices.registered(status.state.value, status.reason)

    # --- what the client asks --------------------------------------------------------------------
    async def linked(self, link: Linked, hello: Hello) -> Opened:
        """A client has said hello; an older link of this device makes room for it. Raises GatewayError, StoreError."""
        house, device = self._house, self.device
        now, tags = house.now(), encode_tags(hello.tags, house.limits.max_tags)
        await self.open()
        if self._closed:
            raise unknown()  # revoked between its token and its hello: its cursor deletes nothing
        older, self.link = self.link, link
        if older is not None:
            await older.replaced()
        # What an older link has acknowledged is written first, so that this one is not given it again.
        await self._tidied()
        opened = await house.writer.run(
            lambda tables: house.office.linked(tables, device.id, hello.inbox, hello.cursor, tags, now, house.rng)
        )
        self._newest, self._acknowledged = max(self._newest, opened.newest), opened.cursor
        self._open().advertise(hello.tags)
        assert self._addresses is not None
        self.notices.begin(self._addresses.learn(hello.conferences))
        self._waking.present()
        return opened

    def unlinked(self, link: Linked) -> None:
        """The link has ended."""
        if self.link is link:
            self.link = None
            self.notices.on_more = None
            if not self._closed:
                self._waking.look()

    async def page(self, after: int) -> Page:
        """What is in the inbox behind a cursor."""
        house, device = self._house, self.device.id
        return await house.writer.run(lambda tables: house.office.page(tables, device, after))

    def acknowledge(self, cursor: int) -> None:
        """The client has everything up to there."""
        if cursor > self._acknowledged:
            self._acknowledged = cursor
            self._tidy()

    def settle(self, requests: tuple[RequestId, ...]) -> None:
        """The client has these answers."""
        if self._requests is not None:
            self._requests.settle(requests)
            self._tidy()

    async def send(self, asked: Send) -> NetworkResult:
        """Hand it to the network, once. Raises TransportError, StoreError."""
        transport = self._open()
        assert self._requests is not None
        return await self._requests.send(asked, transport)

    async def sync_conference(self, asked: SyncConference) -> None:
        await self._open().sync_conference(_conference(asked.conference), asked.leave)

    async def make_conference(self, asked: MakeConference) -> None:
        await self._open().make_conference(_conference(asked.conference))

    async def features(self, asked: AskFeatures) -> tuple[str, ...] | None:
        return await self._open().features(asked.number, fresh=asked.fresh)

    async def advertise(self, asked: Advertise) -> None:
        """Other tags, kept for the next start of the gateway."""
        house, device, now = self._house, self.device.id, self._house.now()
        tags = encode_tags(asked.tags, house.limits.max_tags)
        await house.writer.run(lambda tables: tables.seen(device, now, tags))
        self._open().advertise(asked.tags)

    def visit_conferences(self) -> None:
        self._open().visit_conferences()

    # --- between the two -------------------------------------------------------------------------
    def _open(self) -> RcsTransport:
        if self._transport is None:
            raise TransportError("the gateway is closing", code="transport.offline")
        return self._transport

    def _overdue(self) -> float | None:
        """For `Waking`."""
        if self._newest <= self._acknowledged:
            return None
        if self.link is None:
            return 0.0
        return self.link.patience_s()

    def _tidy(self) -> None:
        if self._tidying is None or self._tidying.done():
            self._tidying = asyncio.get_running_loop().create_task(self._tidy_soon())

    async def _tidy_soon(self) -> None:
        """Write what has been acknowledged and settled and where conferences are, collected for a moment. Until then a
        crash costs a repetition, and nothing else."""
        while True:
            await asyncio.sleep(self._house.limits.tidy_ms / 1000)
            written = self._acknowledged
            if not await self._tidied() or not (self._changed or self._settled() or self._acknowledged > written):
                return

    async def _tidied(self) -> bool:
        house, device, cursor = self._house, self.device.id, self._acknowledged
        changed, self._changed = self._changed, {}
        settled = self._settled()
        if self._requests is not None:
            self._requests.settled.difference_update(settled)

        def step(tables: Tables) -> None:
            house.office.tidy(tables, device, cursor, [*settled])
            tables.set_conferences(device, changed)

        house.checkpoint("tidy.before")
        try:
            await house.writer.run(step)
        except LetterlockError as error:
            # What was to be deleted stays, and the next acknowledgement takes it along.
            _log.warning("acknowledgements could not be written: %s", error.code)
            self._changed = {**changed, **self._changed}
            if self._requests is not None:
                self._requests.settled.update(settled)
            return False
        house.checkpoint("tidy.committed")
        return True

    def _settled(self) -> tuple[RequestId, ...]:
        return tuple(self._requests.settled) if self._requests is not None else ()


def _conference(roster: Roster) -> Conference:
    return Conference(roster.group, roster.subject, roster.members)
