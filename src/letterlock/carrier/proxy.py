"""Forwarding to devices: forks, branches, what the sender hears, and handing over what was kept.

A MESSAGE goes to every device of the number. It is answered 200 as soon as one has taken it, 202 when
none has and it is kept for at least one; a device that is away, or fails in a way that may pass, gets
its own copy later. OPTIONS goes to those that are there, and is never kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ..codec.sip import Params, Request, Response, Uri, Via
from ..ids import Instant, Number, Rng
from ..sip.message import new_branch, new_tag, response_to
from .location import Device, DeviceKey, Locations
from .mailbox import Mailbox, Stored
from .settings import Settings

__all__ = ["Effect", "Hangup", "Proxy", "Send"]

# After these a device may still take the message another time.
_MAY_PASS = frozenset({408, 480, 500, 503, 504})


@dataclass(frozen=True, slots=True)
class Send:
    """Write a message to a connection."""

    connection: int
    message: Request | Response


@dataclass(frozen=True, slots=True)
class Hangup:
    """Close a connection."""

    connection: int
    reason: str


Effect = Send | Hangup


@dataclass(slots=True, eq=False)
class _Fork:
    """One request on its way to all devices. `upstream` is None when nobody waits for an answer."""

    upstream: tuple[int, Request] | None
    open: int = 0
    taken: bool = False
    kept: bool = False
    refusals: list[int] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class _Branch:
    """One copy at one device that has not answered. `stored` is set when it came out of the mailbox."""

    fork: _Fork | None
    device: DeviceKey
    connection: int
    request: Request
    deadline: Instant
    stored: Stored | None


class Proxy:
    """Requests that were let in, to devices and back."""

    def __init__(
        self,
        settings: Settings,
        locations: Locations,
        mailbox: Mailbox,
        via: Via,
        rng: Rng,
        pass_response: Callable[[Response, Number], list[tuple[Response, int]]],
        later: Callable[[Instant, Callable[[Instant], list[Effect]]], None],
    ) -> None:
        self._settings = settings
        self._locations = locations
        self._mailbox = mailbox
        self._via = via
        self._rng = rng
        self._pass_response = pass_response
        self._later = later
        self._branches: dict[str, _Branch] = {}
        self._retry_at: dict[DeviceKey, Instant] = {}

    def forward(
        self, upstream: tuple[int, Request] | None, request: Request, phone: Number, now: Instant
    ) -> list[Effect]:
        """Send `request` to every device of `phone` but the one it came from; answer `upstream` when that is decided."""
        effects: list[Effect] = []
        fork = _Fork(upstream)
        devices = self._locations.of(phone)
        mine = None if upstream is None else upstream[0]
        for device in devices:
            if device.connection is not None and device.connection == mine:
                continue
            # A message queues behind those that are kept, so that order is kept; a question does not.
            queues = request.method == "MESSAGE" and self._mailbox.waiting(device.key)
            if device.connection is not None and not queues:
                effects += self._try(fork, device, request, now, None)
            elif request.method == "MESSAGE":
                self._keep(fork, device.key, request, now)
        return effects + self._decide(fork)

    def on_response(self, connection: int, response: Response, now: Instant) -> list[Effect]:
        """A device's answer; one that fits no branch of its connection is dropped."""
        vias = response.headers.listed("Via")
        if not vias:
            return []
        name = Via.parse(vias[0]).branch
        branch = self._branches.get(name)
        if branch is None or branch.connection != connection or response.status < 200:
            return []
        del self._branches[name]
        return self._settled(branch, response, now)

    def on_disconnect(self, connection: int, now: Instant) -> list[Effect]:
        """Copies under way on a dead connection are as good as not taken."""
        lost = [name for name, branch in self._branches.items() if branch.connection == connection]
        return [effect for name in lost for effect in self._settled(self._branches.pop(name), None, now)]

    def on_deadline(self, now: Instant) -> list[Effect]:
        """Give up on devices that do not answer, and offer again what they did not take."""
        effects: list[Effect] = []
        late = []
        for name, branch in self._branches.items():
            if branch.deadline > now:
                break
            late.append(name)
        for name in late:
            effects += self._settled(self._branches.pop(name), None, now)
        for key in [key for key, at in self._retry_at.items() if at <= now]:
            del self._retry_at[key]
            device = self._locations.find(key)
            if device is not None:
                effects += self._offer(device, now)
        return effects

    def next_deadline(self) -> Instant | None:
        first = next(iter(self._branches.values()), None)
        times = [*self._retry_at.values()] if first is None else [first.deadline, *self._retry_at.values()]
        return min(times, default=None)

    def hand_over(self, device: Device, now: Instant) -> list[Effect]:
        """Offer a device that has come back what was kept for it, oldest first, some at a time."""
        self._retry_at.pop(device.key, None)
        return self._offer(device, now)

    def _offer(self, device: Device, now: Instant) -> list[Effect]:
        effects: list[Effect] = []
        if device.connection is None or device.key in self._retry_at:
            return effects
        for stored in self._mailbox.of(device.key)[: self._settings.drain_window]:
            if not stored.in_flight:
                stored.in_flight = True
                effects += self._try(None, device, stored.request, now, stored)
        return effects

    def _try(
        self, fork: _Fork | None, device: Device, request: Request, now: Instant, stored: Stored | None
    ) -> list[Effect]:
        assert device.connection is not None
        if len(self._branches) >= self._settings.max_open_branches:
            if stored is not None:
                stored.in_flight = False
                self._retry_at.setdefault(device.key, now + self._settings.retry_ms)
            elif fork is not None:
                self._failed(fork, device.key, request, 503, now)
            return []
        name = new_branch(self._rng)
        branch = _Branch(fork, device.key, device.connection, request, now + self._settings.branch_timeout_ms, stored)
        self._branches[name] = branch
        if fork is not None:
            fork.open += 1
        via = Via(self._via.transport, self._via.host, self._via.port, Params((("branch", name),)))
        copy = Request(
            request.method,
            device.contact.uri.encode(),
            request.headers.prepended("Via", via.encode()),
            request.body,
        )
        return [Send(device.connection, copy)]

    def _settled(self, branch: _Branch, response: Response | None, now: Instant) -> list[Effect]:
        """One branch is over: with a final response, or with None when none came."""
        status = 408 if response is None else response.status
        if branch.stored is not None:
            return self._settled_stored(branch, branch.stored, status, now)
        fork = branch.fork
        if fork is None:
            return []
        fork.open -= 1
        effects: list[Effect] = []
        if response is not None and 200 <= status < 300:
            if not fork.taken:
                fork.taken = True
                effects += self._upstream(fork, response, branch.device[0], now)
        else:
            self._failed(fork, branch.device, branch.request, status, now)
        return effects + self._decide(fork)

    def _settled_stored(self, branch: _Branch, stored: Stored, status: int, now: Instant) -> list[Effect]:
        stored.in_flight = False
        if status in _MAY_PASS:
            self._retry_at[branch.device] = now + self._settings.retry_ms
            return []
        self._mailbox.remove(branch.device, stored)
        device = self._locations.find(branch.device)
        return [] if device is None else self._offer(device, now)

    def _failed(self, fork: _Fork, key: DeviceKey, request: Request, status: int, now: Instant) -> None:
        fork.refusals.append(status)
        if request.method == "MESSAGE" and status in _MAY_PASS:
            self._keep(fork, key, request, now)
            self._retry_at.setdefault(key, now + self._settings.retry_ms)

    def _keep(self, fork: _Fork, key: DeviceKey, request: Request, now: Instant) -> None:
        device = self._locations.find(key)
        if device is None or not device.lasting:
            return
        if self._mailbox.put(key, _to_keep(request), now):
            fork.kept = True
        else:
            fork.refusals.append(503)

    def _decide(self, fork: _Fork) -> list[Effect]:
        """What the sender hears once no branch is open and none was taken."""
        if fork.open or fork.taken or fork.upstream is None:
            return []
        connection, request = fork.upstream
        fork.upstream = None
        # The best refusal is a final one of a device (section 16.7 step 6: the lowest class), else: nobody is there.
        status = 202 if fork.kept else min(fork.refusals, default=480)
        return [Send(connection, response_to(request, status, tag=new_tag(self._rng)))]

    def _upstream(self, fork: _Fork, response: Response, device: Number, now: Instant) -> list[Effect]:
        if fork.upstream is None:
            return []
        connection, _ = fork.upstream
        headers = response.headers.without_first("Via").without("P-Asserted-Identity")
        identity = Uri.of_number(device, self._settings.domain)
        headers = headers.appended("P-Asserted-Identity", f"<{identity.encode()}>")
        passed = Response(response.status, response.reason, headers, response.body)
        effects: list[Effect] = []
        for each, delay in self._pass_response(passed, device):
            send = Send(connection, each)
            if delay:
                self._later(now + delay, _sending(send))
            else:
                effects.append(send)
        return effects


def _sending(effect: Effect) -> Callable[[Instant], list[Effect]]:
    return lambda now: [effect]


def _to_keep(request: Request) -> Request:
    """Without the way back: the sender has its answer, so the device's goes no further than us."""
    return Request(request.method, request.uri, request.headers.without("Via"), request.body)
