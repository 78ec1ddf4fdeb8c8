"""What the driver asks of a transport and of a directory; tests and other transports put their own in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Protocol, runtime_checkable

from ..carriage import Conference, ConferenceView, Inbound, NetworkResult, Outbound
from ..codec.provisioning import ProvisioningDocument
from ..codec.push_subscription import Subscription
from ..conversation_seam import Request
from ..engine.step import Step
from ..ids import AccountId, DeviceId, Instant, Number, Rng
from ..seam import State
from ..transport.provisioning_config import Contact
from ..transport.sms.memory import Memory as SmsRecords

__all__ = [
    "Advertises",
    "Capabilities",
    "Conferences",
    "Directory",
    "DirectoryAlert",
    "KeptConferences",
    "OnCapabilities",
    "OnConference",
    "OnMessage",
    "PrekeyCounts",
    "Provisioning",
    "Requests",
    "SmsRecords",
    "Transport",
    "Wakeable",
]

OnMessage = Callable[[Inbound], Awaitable[None]]
"""Awaited for each arriving message; the network gets its acknowledgement when it returns, not when it raises."""

OnConference = Callable[[ConferenceView], Awaitable[None]]
"""Awaited for each roster that the focus of a conference claims."""


OnCapabilities = Callable[[Number, tuple[str, ...], tuple[str, ...]], None]
"""Called for each number of which the carrier names other features than before: those, and the former ones."""


class Transport(Protocol):
    """Carries frames; sees no content."""

    async def start(self) -> None:
        """Connect and stay connected, in the background. Returns without waiting for the network."""
        ...

    async def send(self, outbound: Outbound) -> NetworkResult:
        """Hand over once and wait for the network's answer. Raises TransportError when there is none."""
        ...

    async def close(self) -> None:
        """Take no more messages, finish acknowledging those that were taken, disconnect."""
        ...


@runtime_checkable
class Conferences(Protocol):
    """What a transport has beside `Transport` when it can hold conferences; groups work without."""

    def watch_conferences(self, on_conference: OnConference) -> None:
        """Called once, before `start`: report every claimed roster there."""
        ...

    async def sync_conference(self, conference: Conference, leave: bool) -> None:
        """Make the group's conference look like this, or leave it. Idempotent; keeps trying by itself while connected,
        and a later call for the same group replaces an earlier one. Raises TransportError when it cannot now."""
        ...


@runtime_checkable
class KeptConferences(Protocol):
    """What a transport has when it can hold conferences whose members change with the messages of their protocol."""

    def remember_conferences(self, kept: MutableMapping[str, str]) -> None:
        """Called once, before `start`: where the conferences of groups are, to be read and written."""
        ...

    def visit_conferences(self) -> None:
        """Called after `start` on a device that is new to its account: make it known in every conference that is kept."""
        ...

    async def make_conference(self, conference: Conference) -> None:
        """Have it made, or find it, with these members, and nothing beyond. Raises TransportError when it cannot now."""
        ...


@runtime_checkable
class Advertises(Protocol):
    """What a transport has when it tells others what we can do."""

    def advertise(self, tags: tuple[tuple[str, str], ...]) -> None:
        """Further feature tags from now on, instead of those before."""
        ...


class Requests(Protocol):
    """Asks the key distribution server for what a protocol wants."""

    def answered(self) -> None:
        """A step that `perform` gave is on disk."""
        ...

    async def perform(self, protocol: str, request: Request) -> Callable[[State, Instant, Rng], Step[None]]:
        """The step that takes the answer; also when there is none now. Raises nothing that has to do with the server."""
        ...


@runtime_checkable
class Capabilities(Protocol):
    """What a transport has beside `Transport` when its network tells what others can do."""

    def watch_capabilities(self, on_change: OnCapabilities) -> None:
        """Called once, before `start`: report every change there."""
        ...

    async def features(self, number: Number, *, fresh: bool = False) -> tuple[str, ...] | None:
        """The names of a number's features, none for a number without RCS, None when nobody knows now. `fresh`: ask even
        if it is known. Raises TransportError."""
        ...


@runtime_checkable
class Wakeable(Protocol):
    """What a transport has when somebody takes messages for this device while it is away, and can wake it."""

    async def subscribe(self, push: Subscription | None) -> None:
        """Wake this device there from now on; None: not any more. Raises TransportError."""
        ...


class Directory(Protocol):
    """Looks up and publishes keys; `transport.directory.DirectoryClient` is one. Methods raise DirectoryError or TransportError."""

    async def begin_claim(self, number: Number, participant_spki: bytes) -> Instant:
        """Ask that the operator bring a one-time code to the number's owner (SR-21); when it expires."""
        ...

    async def claim(self, code: str, device_list: bytes) -> None:
        """Claim our number with that code. Safe to repeat after a lost answer."""
        ...

    async def upload_list(self, device_list: bytes) -> None:
        """Publish the next list of our account. Safe to repeat."""
        ...

    async def lists(self, number: Number, since: int = 0) -> Sequence[bytes]:
        """Signed device lists after serial `since`, oldest first; empty when the number has none."""
        ...

    async def upload_prekeys(self, upload: bytes) -> PrekeyCounts:
        """Publish key material of ours. Safe to repeat."""
        ...

    async def bundle(self, number: Number, account: AccountId, device: DeviceId) -> bytes | None:
        """A device's pre-key bundle; None when it has none to give."""
        ...

    async def alerts(self) -> Sequence[DirectoryAlert]:
        """What this device should hear; also answered to devices of an account that was replaced."""
        ...

    async def close(self) -> None:
        """Drop connections."""
        ...


class Provisioning(Protocol):
    """Asks the operator for the configuration; `transport.provisioning.ProvisioningClient` is one."""

    cookies: dict[str, str]

    async def contact(self, contact: Contact) -> ProvisioningDocument | None:
        """A document, or None: a code is on its way to the owner of the number. Raises ProvisioningError, TransportError."""
        ...

    async def close(self) -> None:
        """Drop connections."""
        ...


class PrekeyCounts(Protocol):
    """What the directory says of our one-time keys there."""

    @property
    def lowest(self) -> int:
        """Of the kind that there is least of."""
        ...


class DirectoryAlert(Protocol):
    """One of them: `replaced` or `prekeys_drained`, and since when."""

    @property
    def kind(self) -> str: ...

    @property
    def at(self) -> Instant: ...
