"""A carrier core without sockets, a clock that stands still, and phones that are scripts."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from letterlock.carrier.accounts import Accounts
from letterlock.carrier.logic import Carriage, Hangup, Send
from letterlock.carrier.settings import Settings
from letterlock.carrier.tap import Tap
from letterlock.codec.sip import Headers, Request, Response
from letterlock.ids import number
from letterlock.sip.digest import DigestClient
from letterlock.sip.message import new_branch, response_to

DOMAIN = "rcs.example.test"
ALICE, BOB, CAROL = number("+15550100"), number("+15550101"), number("+15550102")
PASSWORDS = {ALICE: "alice-pw", BOB: "bob-pw", CAROL: "carol-pw"}


@dataclass(eq=False)
class Line:
    """One connection and what came in over it."""

    net: Net
    id: int
    port: int
    inbox: list[Request | Response] = field(default_factory=list)
    hung_up: str = ""

    def send(self, message: Request | Response) -> Line:
        self.net.perform(self.net.core.received(self.id, message, self.net.now))
        return self

    def request(self, method: str, uri: str, *headers: tuple[str, str], body: bytes = b"") -> Response | None:
        """Send a request and return its answer, None when there is none yet."""
        mark = len(self.inbox)
        self.send(self.build(method, uri, *headers, body=body))
        return next((item for item in self.inbox[mark:] if isinstance(item, Response)), None)

    def build(self, method: str, uri: str, *headers: tuple[str, str], body: bytes = b"") -> Request:
        self.net.serial += 1
        given = {name.lower() for name, _ in headers}
        basics = [
            ("Via", f"SIP/2.0/TCP 127.0.0.1:{self.port};branch={new_branch(self.net.rng)};rport"),
            ("Max-Forwards", "70"),
            ("From", f"<sip:{ALICE}@{DOMAIN}>;tag=t{self.net.serial}"),
            ("To", f"<{uri}>"),
            ("Call-ID", f"call{self.net.serial}"),
            ("CSeq", f"{self.net.serial} {method}"),
        ]
        kept = [item for item in basics if item[0].lower() not in given]
        return Request(method, uri, Headers([*kept, *headers]), body)

    def register(
        self,
        phone: str,
        instance: str | None = None,
        *,
        password: str | None = None,
        expires: int = 600,
        contact: str | None = None,
        username: str | None = None,
        algorithm: str = "SHA-256",
        extra: tuple[tuple[str, str], ...] = (),
    ) -> Response:
        """Both steps of it; returns the last answer."""
        aor = f"<sip:{phone}@{DOMAIN}>"
        tags = "+g.oma.sip-im;+g.gsma.rcs.cpm.pager-large"
        mark = f';+sip.instance="<urn:uuid:{instance}>"' if instance else ""
        at = contact or f"<sip:{phone}@127.0.0.1:{self.port};transport=tcp>{mark};{tags};expires={expires}"
        base = (("From", f"{aor};tag=r"), ("To", aor), ("Contact", at), *extra)
        first = self.request("REGISTER", f"sip:{DOMAIN}", *base)
        assert first is not None
        if first.status != 401:
            return first
        client = DigestClient(username or phone, password or PASSWORDS.get(phone, "?"), self.net.rng, (algorithm,))
        client.accept(first.headers.all("WWW-Authenticate"))
        answer = self.request(
            "REGISTER", f"sip:{DOMAIN}", *base, ("Authorization", client.credentials("REGISTER", f"sip:{DOMAIN}"))
        )
        assert answer is not None
        return answer

    def message(
        self, sender: str, recipient: str, body: bytes = b"hello", *extra: tuple[str, str], uri: str | None = None
    ) -> Response | None:
        headers = (
            ("From", f"<sip:{sender}@{DOMAIN}>;tag=m"),
            ("To", f"<sip:{recipient}@{DOMAIN}>"),
            ("Content-Type", "message/cpim"),
            *extra,
        )
        return self.request("MESSAGE", uri or f"sip:{recipient}@{DOMAIN}", *headers, body=body)

    def arrived(self) -> list[Request]:
        return [item for item in self.inbox if isinstance(item, Request)]

    def answers(self) -> list[Response]:
        return [item for item in self.inbox if isinstance(item, Response)]

    def answer(self, at: int = -1, status: int = 200, *headers: tuple[str, str]) -> None:
        """Answer an arrived request."""
        self.send(response_to(self.arrived()[at], status, tag="x", headers=headers))

    def answer_all(self, status: int = 200) -> int:
        """Answer what arrived, and what arrives because of that; how many."""
        done = 0
        while done < len(self.arrived()):
            self.answer(done, status)
            done += 1
        return done

    def drop(self) -> None:
        self.net.lines.pop(self.id, None)
        self.net.perform(self.net.core.disconnected(self.id, self.net.now))


class Net:
    """A carrier core and its lines."""

    def __init__(self, settings: Settings | None = None, accounts: Accounts | None = None, tap: Tap | None = None):
        source = random.Random(7)
        self.rng = source.randbytes
        self.now = 1_700_000_000_000
        self.serial = 0
        self.lines: dict[int, Line] = {}
        self.last = 0
        self.core = Carriage(
            settings or Settings(),
            accounts or Accounts.of(PASSWORDS),
            transport="TCP",
            host="127.0.0.1",
            port=5060,
            key=b"k" * 32,
            rng=self.rng,
            tap=tap,
        )

    def line(self) -> Line:
        self.last += 1
        line = Line(self, self.last, 40000 + self.last)
        self.lines[line.id] = line
        self.core.connected(line.id, "127.0.0.1", line.port)
        return line

    def phone(self, number: str, instance: str | None = None, **options: object) -> Line:
        """A line that has registered."""
        line = self.line()
        answer = line.register(number, instance, **options)  # type: ignore[arg-type]
        assert answer.status == 200, answer
        return line

    def pass_time(self, milliseconds: int) -> None:
        """Let every deadline in between fire."""
        end = self.now + milliseconds
        while (due := max(self.now, self.core.next_deadline())) <= end:
            self.now = due
            self.perform(self.core.on_deadline(self.now))
            if self.core.next_deadline() <= self.now:
                raise AssertionError("a deadline does not move on")
        self.now = end

    def perform(self, effects: list[Send | Hangup]) -> None:
        for effect in effects:
            line = self.lines.get(effect.connection)
            if line is None:
                continue
            if isinstance(effect, Hangup):
                line.hung_up = effect.reason
            else:
                line.inbox.append(effect.message)
