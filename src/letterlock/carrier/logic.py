"""Every decision of the carrier, without sockets and clocks: messages in, effects out.

A request is screened, then its sender is established (`identity`), then it goes to the registrar, to the other end of
its dialog (`dialogs`), to an application server or to all devices of a number: by `calls` when it is an INVITE, by
`forks` when it is anything else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..codec.sip import NameAddr, Params, Request, Response, Uri, Via
from ..errors import DecodeError
from ..ids import Instant, Number, Rng
from ..sip.digest_server import DigestServer
from ..sip.message import new_tag, request_problem, response_to, with_received
from .accounts import Accounts
from .answers import Answers, Upstream
from .branches import Branches, Target
from .calls import Calls
from .dialogs import DeviceEnd, Dialogs, End, ServerEnd
from .effects import Effect, Hangup, Send
from .forks import Forks
from .identity import Identity, Sender, guessed
from .location import Locations
from .mailbox import Mailbox
from .pager import Pager
from .registrar import Registrar
from .screening import ALLOW, BEGINS_DIALOG, Problem, Screen
from .servers import Servers, link_of
from .settings import ApplicationServer, Settings
from .tap import Message, Tap
from .tapping import Tapping

__all__ = ["Carriage", "Effect", "Hangup", "Send"]

_HOUSEKEEPING_MS = 1000


@dataclass(slots=True)
class _Peer:
    """One open connection. `trusted` when an application server is at its other end."""

    host: str
    port: int
    trusted: bool
    failures: int = 0
    malformed: int = 0


class Carriage:
    """The whole of it. `transport` is TCP or TLS, `host` and `port` where it listens for phones, `server_port` where
    it listens for application servers."""

    def __init__(
        self,
        settings: Settings,
        accounts: Accounts,
        *,
        transport: str,
        host: str,
        port: int,
        key: bytes,
        rng: Rng,
        tap: Tap | None = None,
        server_port: int | None = None,
    ) -> None:
        self.locations = Locations(settings.grace_ms)
        self.mailbox = Mailbox(settings.mailbox)
        self._settings = settings
        self._accounts = accounts
        self._tapping = Tapping(tap, lambda request, status: self._answer(request, Problem(status)))
        self._rng = rng
        sent_by = Via(transport, f"[{host}]" if ":" in host else host, port, Params())
        own = Uri("sip", None, sent_by.host, port, Params((("transport", transport.lower()), ("lr", None))))
        names = frozenset({settings.domain, host, sent_by.host})
        digest = DigestServer(
            settings.domain, key, accounts.password_of, algorithms=settings.algorithms, qop=settings.qop
        )
        self._servers = Servers(settings.application_servers)
        more_ports = () if server_port is None else (server_port,)
        self._screen = Screen(settings, self._servers, names, sent_by.host, port, more_ports)
        self._identity = Identity(settings, self.locations, digest, rng)
        self._registrar = Registrar(settings, digest, self.locations, f"<{own.encode()}>", rng)
        self._dialogs = Dialogs(own, key)
        self._branches = Branches(sent_by, rng)
        answers = Answers(settings.domain, self._tapping.response, self._tapping.later, rng)
        self._pager = Pager(settings, self.locations, self.mailbox, self._branches)
        self._forks = Forks(settings, self._branches, self._pager, answers)
        self._calls = Calls(settings, self._branches, answers)
        self._peers: dict[int, _Peer] = {}
        self._housekeeping_at: Instant = 0
        for index, server in enumerate(settings.application_servers):
            self._peers[link_of(index)] = _Peer(server.host, server.port, trusted=True)

    # --- input -------------------------------------------------------------------------------------
    def connected(self, connection: int, host: str, port: int, *, trusted: bool = False) -> None:
        """A peer opened a connection; `trusted` when it did so at the listener for application servers."""
        self._peers[connection] = _Peer(host, port, trusted)

    def serve(self, server: ApplicationServer) -> int:
        """One more application server; the connection that its link has."""
        link = link_of(self._servers.add(server))
        self._peers[link] = _Peer(server.host, server.port, trusted=True)
        return link

    def server_at(self, link: int) -> ApplicationServer:
        """Whom to connect to for a link."""
        return self._servers[-1 - link]

    def trusts(self, host: str) -> bool:
        """Whether a connection to the listener for application servers may come from there."""
        return self._servers.are_at(host)

    def received(self, connection: int, message: Message, now: Instant) -> list[Effect]:
        """One message from a peer. Never raises on hostile input."""
        if connection not in self._peers:
            return []
        try:
            if isinstance(message, Response):
                return self._branches.on_response(connection, message, now)
            return self._request(connection, message, now)
        except DecodeError as error:
            if isinstance(message, Response) or message.method == "ACK":
                return []
            return [Send(connection, response_to(message, 400, f"Bad Request ({error.code})", tag=self._tag()))]

    def malformed(self, connection: int) -> list[Effect]:
        """A framed message that did not parse."""
        peer = self._peers[connection]
        peer.malformed += 1
        return [Hangup(connection, "malformed messages")] if peer.malformed >= self._settings.max_malformed else []

    def disconnected(self, connection: int, now: Instant) -> list[Effect]:
        """The connection is gone, and with it every contact on it: none stays behind to be tried in vain.

        A link counts as gone when its server cannot be reached; it is opened again for the next request.
        """
        if connection not in self._peers:
            return []
        if connection > 0:
            del self._peers[connection]
        forgotten = [device for device in self.locations.on(connection) if self.locations.release(device, now)]
        self.mailbox.forget(device.key for device in forgotten)
        return self._branches.on_disconnect(connection, now) + self._calls.on_disconnect(connection, now)

    def on_deadline(self, now: Instant) -> list[Effect]:
        """Do what is due."""
        effects = self._tapping.on_deadline(now)
        effects += self._branches.on_deadline(now) + self._pager.on_deadline(now)
        self._calls.on_deadline(now)
        if self._housekeeping_at <= now:
            self._housekeeping_at = now + _HOUSEKEEPING_MS
            _, forgotten = self.locations.expire(now)
            self.mailbox.forget(device.key for device in forgotten)
            self.mailbox.expire(now)
        return effects

    def next_deadline(self) -> Instant:
        """When to call `on_deadline` next, at the latest."""
        times = [self._housekeeping_at]
        for part in (self._tapping, self._branches, self._pager, self._calls):
            deadline = part.next_deadline()
            if deadline is not None:
                times.append(deadline)
        return min(times)

    def inject(self, request: Request, phone: Number, now: Instant) -> list[Effect]:
        """Forge: send a request to all devices of a number as if somebody had sent it. For tests of hostile carriers."""
        return self._to_number(None, request, phone, Sender(None, None), now)

    def has_registered(self, connection: int) -> bool:
        """Whether a number is bound over this connection."""
        return bool(self.locations.on(connection))

    # --- requests ------------------------------------------------------------------------------------
    def _request(self, connection: int, request: Request, now: Instant) -> list[Effect]:
        peer = self._peers[connection]
        problem = request_problem(request)
        if problem is not None:
            return self._refused(connection, request, Problem(*problem), counts=False)
        request = with_received(request, peer.host, peer.port)
        if request.method == "CANCEL":
            return self._cancel(connection, request, now)
        if request.method == "ACK" and self._calls.acknowledged((connection, request)):
            return []
        screened = self._screen.check(request)
        if isinstance(screened, Problem):
            return self._refused(connection, request, screened, counts=False)
        request = screened.request
        if request.method == "REGISTER":
            if peer.trusted:
                # The listener for application servers knows no phones, whatever their credentials are.
                return self._refused(connection, request, Problem(403, "No registrar"))
            return self._register(connection, request, now)
        if screened.token is not None:
            return self._in_dialog(connection, request, screened.token, now)
        sender = Sender(None, None) if peer.trusted else self._identity.sender(connection, request, now)
        if isinstance(sender, Problem):
            return self._refused(connection, request, sender)
        return self._out_of_dialog(connection, request, sender, now)

    def _refused(self, connection: int, request: Request, problem: Problem, *, counts: bool = True) -> list[Effect]:
        """Answer, and hang up on a peer that only guesses. Nothing is ever answered to an ACK."""
        if request.method == "ACK":
            return []
        response = self._answer(request, problem)
        return self._counted(connection, request, response) if counts else [Send(connection, response)]

    def _counted(self, connection: int, request: Request, response: Response) -> list[Effect]:
        effects: list[Effect] = [Send(connection, response)]
        peer = self._peers.get(connection)
        if peer is not None:
            peer.failures += guessed(request, response)
            if peer.failures > self._settings.max_auth_failures:
                effects.append(Hangup(connection, "authentication failed too often"))
        return effects

    def _register(self, connection: int, request: Request, now: Instant) -> list[Effect]:
        def registered(upstream: Upstream | None, message: Request, now: Instant) -> list[Effect]:
            response, bound = self._registrar.register(connection, message, now)
            if response.status in (401, 403):
                return self._counted(connection, message, response)
            effects: list[Effect] = [Send(connection, response)]
            for device in bound:
                effects += self._pager.hand_over(device, now)
            return effects

        address = NameAddr.parse(request.headers.get("To") or "").uri
        return self._tapping.request((connection, request), request, address.number, None, registered, now)

    def _cancel(self, connection: int, request: Request, now: Instant) -> list[Effect]:
        """Section 16.10. It is believed because it comes over the INVITE's connection and names its branch."""

        def cancelled(upstream: Upstream | None, message: Request, now: Instant) -> list[Effect]:
            effects = self._calls.cancel((connection, message), now)
            return self._refused(connection, message, Problem(481), counts=False) if effects is None else effects

        sender = next((device.number for device in self.locations.on(connection)), None)
        return self._tapping.request(
            (connection, request), request, sender, Uri.parse(request.uri).number, cancelled, now
        )

    def _in_dialog(self, connection: int, request: Request, token: str, now: Instant) -> list[Effect]:
        """Section 16.12: along the route that we recorded, to the other end of this dialog and to nobody else."""
        pairs = self._dialogs.ends(token, request.headers)
        if not pairs:
            return self._refused(connection, request, Problem(481), counts=False)
        mine = next((pair for pair in pairs if self._is_at(connection, pair[0])), None)
        if mine is None:
            return self._refused(connection, request, Problem(403, "Not your dialog"))
        sender, receiver = (end.number if isinstance(end, DeviceEnd) else None for end in mine)
        if self._settings.challenge_requests and sender is not None and request.method != "ACK":
            proven = self._identity.proven(request, now)
            if proven != sender:
                problem = proven if isinstance(proven, Problem) else Problem(403, "Not your number")
                return self._refused(connection, request, problem)

        def forward(upstream: Upstream | None, message: Request, now: Instant) -> list[Effect]:
            target = self._target(mine[1], message.uri)
            if message.method == "ACK":
                return [] if target is None else [Send(target.connection, self._branches.copy(message, target.uri))]
            copies = [] if target is None else [(target, message)]
            return self._sent(upstream, message, copies, now)

        outward = self._identity.outward(request, sender)
        return self._tapping.request((connection, request), outward, sender, receiver, forward, now)

    def _out_of_dialog(self, connection: int, request: Request, sender: Sender, now: Instant) -> list[Effect]:
        uri = Uri.parse(request.uri)
        upstream = (connection, request)
        if request.method == "ACK":
            return []  # for an answer that was not ours, and without a dialog
        if request.method == "OPTIONS" and uri.scheme != "tel" and uri.user is None:
            own = Problem(200, "", (("Allow", ALLOW), ("Accept", "message/cpim")))
            return [Send(connection, self._answer(request, own))]
        server, phone = self._servers.serving(uri), uri.number
        if server is None and (phone is None or not (self._accounts.has(phone) or self.locations.of(phone))):
            return self._refused(connection, request, Problem(404), counts=False)
        if request.method in BEGINS_DIALOG and self._end_of(sender, request) is None:
            # What comes back in the dialog could not be brought to it.
            reason = "Unknown application server" if sender.number is None else "Register first"
            return self._refused(connection, request, Problem(403, reason), counts=False)

        def forward(upstream: Upstream | None, message: Request, now: Instant) -> list[Effect]:
            if server is not None:
                copy = (Target(link_of(server), message.uri, None), self._recorded(message, sender, ServerEnd(server)))
                return self._sent(upstream, message, [copy], now)
            return self._to_number(upstream, message, phone or Number(""), sender, now)

        outward = self._identity.outward(request, sender.number)
        return self._tapping.request(
            upstream, outward, sender.number, None if server is not None else phone, forward, now
        )

    # --- onward ----------------------------------------------------------------------------------------
    def _to_number(
        self, upstream: Upstream | None, request: Request, phone: Number, sender: Sender, now: Instant
    ) -> list[Effect]:
        """To every device of a number but the one that it came from."""
        mine = None if upstream is None or sender.number != phone else upstream[0]
        devices = [device for device in self.locations.of(phone) if mine is None or device.connection != mine]
        copies = [
            (
                Target(device.connection, device.uri, device.key),
                self._recorded(request, sender, self._dialogs.device_end(device)),
            )
            for device in devices
            if device.connection is not None
        ]
        if request.method != "MESSAGE" or _asks_not_to_wait(request):
            return self._sent(upstream, request, copies, now)
        away = [device for device in devices if device.connection is None]
        return self._forks.forward(upstream, copies, now, away=away, keep=request, bounded=self._is_bounded(upstream))

    def _sent(
        self, upstream: Upstream | None, request: Request, copies: Sequence[tuple[Target, Request]], now: Instant
    ) -> list[Effect]:
        how = self._calls.forward if request.method == "INVITE" else self._forks.forward
        return how(upstream, copies, now, bounded=self._is_bounded(upstream))

    def _recorded(self, request: Request, sender: Sender, receiver: End) -> Request:
        """With our Record-Route, when it may begin a dialog and somebody is at its other end."""
        if request.method not in BEGINS_DIALOG:
            return request
        end = self._end_of(sender, request)
        if end is None:
            return request
        headers = request.headers.prepended("Record-Route", self._dialogs.record_route(request, end, receiver))
        return Request(request.method, request.uri, headers, request.body)

    def _end_of(self, sender: Sender, request: Request) -> End | None:
        if sender.device is not None:
            return self._dialogs.device_end(sender.device)
        index = self._servers.sender_of(request) if sender.number is None else None
        return None if index is None else ServerEnd(index)

    def _is_at(self, connection: int, end: End) -> bool:
        """Whether this connection belongs to an end of a dialog, now."""
        if isinstance(end, ServerEnd):
            return self._peers[connection].trusted
        device = self._dialogs.device_at(end, self.locations)
        return device is not None and device.connection == connection

    def _target(self, end: End, uri: str) -> Target | None:
        """How to reach an end of a dialog: over the connection that it has now, under the name that the sender knows."""
        if isinstance(end, ServerEnd):
            return Target(link_of(end.index), uri, None) if end.index < len(self._servers) else None
        device = self._dialogs.device_at(end, self.locations)
        if device is None or device.connection is None:
            return None
        return Target(device.connection, uri, device.key)

    def _is_bounded(self, upstream: Upstream | None) -> bool:
        peer = None if upstream is None else self._peers.get(upstream[0])
        return peer is not None and not peer.trusted

    # --- help ----------------------------------------------------------------------------------------
    def _answer(self, request: Request, problem: Problem) -> Response:
        return response_to(request, problem.status, problem.reason, tag=self._tag(), headers=problem.headers)

    def _tag(self) -> str:
        return new_tag(self._rng)


def _asks_not_to_wait(request: Request) -> bool:
    """`Request-Disposition: no-queue` (RFC 3841 section 9.1): the sender would rather hear that nobody is there."""
    given = [text.lower() for text in request.headers.listed("Request-Disposition")]
    return "no-queue" in given
