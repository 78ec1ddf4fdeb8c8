"""Application servers: what is sent to them, what they may do, and that nobody else may do it."""

from __future__ import annotations

import pytest

from carrier.harness import ALICE, BOB, CAROL, DOMAIN, Line, Net
from carrier.talk import address, callee_side, caller_side, invite, methods, reply, statuses
from letterlock.carrier.servers import link_of
from letterlock.carrier.settings import ApplicationServer, Settings
from letterlock.codec.sip import Request, Response
from letterlock.sip.message import response_to

ONE = "00000000-0000-4000-8000-000000000001"
TWO = "00000000-0000-4000-8000-000000000002"
FOCUS = ApplicationServer("127.0.0.1", 7001, frozenset({"conference-factory"}), ("conf-",))
OTHER = ApplicationServer("127.0.0.1", 7002, frozenset({"echo"}))
FACTORY, CONFERENCE = f"sip:conference-factory@{DOMAIN}", f"sip:conf-17@{DOMAIN}"


class Lab(Net):
    """A carrier with a focus: `link` is where requests for it go, `focus` the connection that it sends its own over."""

    def __init__(self, settings: Settings | None = None) -> None:
        super().__init__(settings or Settings(application_servers=(FOCUS, OTHER)))
        self.link = Line(self, link_of(0), 7001)
        self.lines[self.link.id] = self.link
        self.last += 1
        self.focus = Line(self, self.last, 7001)
        self.lines[self.focus.id] = self.focus
        self.core.connected(self.focus.id, "127.0.0.1", 50_001, trusted=True)


def from_focus(lab: Lab, uri: str, *extra: tuple[str, str], method: str = "INVITE", body: bytes = b"x") -> Request:
    request = lab.focus.build(
        method,
        uri,
        ("From", f"<{CONFERENCE}>;tag=focus{lab.serial}"),
        ("To", f"<{uri}>"),
        ("Contact", f"<{CONFERENCE}>;isfocus"),
        ("P-Asserted-Identity", f"<{CONFERENCE}>"),
        *extra,
        body=body,
    )
    lab.focus.send(request)
    return request


@pytest.mark.parametrize("method", ["INVITE", "SUBSCRIBE", "REFER", "MESSAGE", "OPTIONS"])
@pytest.mark.parametrize("uri", [FACTORY, CONFERENCE, "sip:conf-17@127.0.0.1:7001", f"sips:conf-1@{DOMAIN}"])
def test_requests_for_its_users_go_to_the_server(method: str, uri: str) -> None:
    lab = Lab()
    alice = lab.phone(ALICE, ONE)
    invite(alice, ALICE, uri, method=method, body=b"list")
    request = lab.link.arrived()[-1]
    assert (request.method, request.uri, request.body) == (method, uri, b"list")
    assert request.headers.all("P-Asserted-Identity")[1] == f"<tel:{ALICE}>"
    reply(lab.link, 200, ("P-Asserted-Identity", f"<{CONFERENCE}>"), ("Contact", f"<{CONFERENCE}>;isfocus"))
    answer = alice.answers()[-1]
    assert answer.status == 200
    assert answer.headers.all("P-Asserted-Identity") == (f"<{CONFERENCE}>",)


def test_the_dialog_goes_on_in_both_directions() -> None:
    lab = Lab()
    alice = lab.phone(ALICE, ONE)
    invite(alice, ALICE, FACTORY)
    request = lab.link.arrived()[-1]
    reply(lab.link, 200, ("Contact", f"<{CONFERENCE}>;isfocus"))
    caller = caller_side(alice, alice.answers()[-1])
    caller.send("ACK", cseq=1)
    assert methods(lab.link) == ["INVITE", "ACK"]
    # The server's own requests come over its connection to our listener for servers.
    callee_side(lab.focus, request).send("BYE", ("P-Asserted-Identity", f"<{CONFERENCE}>"))
    assert methods(alice) == ["BYE"]
    assert alice.arrived()[0].headers.all("P-Asserted-Identity") == (f"<{CONFERENCE}>",)
    reply(alice, 200)
    assert lab.focus.answers()[-1].status == 200


def test_the_server_invites_and_its_invitations_ring_everywhere() -> None:
    lab = Lab()
    first, second = lab.phone(BOB, ONE), lab.phone(BOB, TWO)
    from_focus(lab, address(BOB))
    assert methods(first) == methods(second) == ["INVITE"]
    assert first.arrived()[0].headers.all("P-Asserted-Identity") == (f"<{CONFERENCE}>",)
    request = first.arrived()[0]
    reply(second, 180)
    reply(first, 200)
    assert methods(second) == ["INVITE", "CANCEL"]
    assert statuses(lab.focus, 0) == [100, 180, 200]
    assert lab.focus.answers()[-1].headers.all("P-Asserted-Identity") == (f"<sip:{BOB}@{DOMAIN};user=phone>",)
    caller_side(lab.focus, lab.focus.answers()[-1]).send("ACK", cseq=1)
    assert methods(first) == ["INVITE", "ACK"]
    # The phone's requests in that dialog go over the link.
    callee_side(first, request).send("BYE")
    assert methods(lab.link) == ["BYE"]


def test_a_notify_in_a_subscription_of_a_phone() -> None:
    lab = Lab()
    alice = lab.phone(ALICE, ONE)
    invite(alice, ALICE, CONFERENCE, ("Event", "conference"), method="SUBSCRIBE")
    request = lab.link.arrived()[-1]
    callee_side(lab.focus, request).send("NOTIFY", body=b"<conference-info/>")
    assert alice.arrived()[-1].body == b"<conference-info/>"
    reply(alice, 200)
    assert lab.focus.answers()[-1].status == 200


def test_its_messages_are_kept_for_those_that_are_away_unless_it_says_not_to() -> None:
    lab = Lab()
    bob = lab.phone(BOB, ONE)
    bob.drop()
    from_focus(lab, address(BOB), method="MESSAGE", body=b"kept")
    from_focus(lab, address(BOB), ("Request-Disposition", "no-fork, no-queue"), method="MESSAGE", body=b"not kept")
    assert statuses(lab.focus, 0) == [202, 480]
    back = lab.phone(BOB, ONE)
    assert [request.body for request in back.arrived()] == [b"kept"]
    assert back.arrived()[0].headers.all("P-Asserted-Identity") == (f"<{CONFERENCE}>",)


def test_one_server_reaches_another() -> None:
    lab = Lab()
    lab.lines[link_of(1)] = echo = Line(lab, link_of(1), 7002)
    from_focus(lab, f"sip:echo@{DOMAIN}", method="MESSAGE")
    assert methods(echo) == ["MESSAGE"]
    echo.send(response_to(echo.arrived()[0], 200, tag="e"))
    assert statuses(lab.focus, 0) == [200]


def test_nobody_there_and_unknown() -> None:
    lab = Lab()
    from_focus(lab, address(CAROL))
    from_focus(lab, f"sip:+15559999999@{DOMAIN}")
    from_focus(lab, "sip:x@elsewhere.example")
    assert [status for status in statuses(lab.focus, 0) if status != 100] == [480, 404, 403]


def test_a_server_that_nobody_knows_begins_no_dialog() -> None:
    lab = Lab()
    bob = lab.phone(BOB, ONE)
    invite(lab.focus, "nobody", address(BOB), ("Contact", "<sip:nobody@127.0.0.1:7999>"))
    assert statuses(lab.focus, 0) == [403]
    assert bob.arrived() == []


def test_a_server_that_does_not_listen_is_503_with_a_time_to_come_again() -> None:
    lab = Lab()
    alice = lab.phone(ALICE, ONE)
    for method in ("INVITE", "MESSAGE"):
        invite(alice, ALICE, FACTORY, method=method)
        lab.perform(lab.core.disconnected(link_of(0), lab.now))
        assert alice.answers()[-1].status == 503
        assert alice.answers()[-1].headers.get("Retry-After") == "5"
    invite(alice, ALICE, FACTORY)
    reply(lab.link, 200)
    assert alice.answers()[-1].status == 200


# --- not for phones -------------------------------------------------------------------------------------------
def test_nobody_registers_at_the_listener_for_servers() -> None:
    lab = Lab()
    answer = lab.focus.register(ALICE, ONE)
    assert answer.status == 403
    assert lab.core.locations.of(ALICE) == ()


def test_a_phone_is_no_server_whatever_it_claims() -> None:
    """Over the listener for phones a claim to be the focus is a claim to be somebody without a number."""
    lab = Lab()
    bob, alice, stranger = lab.phone(BOB, ONE), lab.phone(ALICE, ONE), lab.line()
    for line in (alice, stranger):
        mark = len(line.inbox)
        request = line.build(
            "MESSAGE",
            address(BOB),
            ("From", f"<{CONFERENCE}>;tag=1"),
            ("Contact", "<sip:conf-17@127.0.0.1:7001>;isfocus"),
            ("P-Asserted-Identity", f"<{CONFERENCE}>"),
        )
        line.send(request)
        if line is stranger:
            answer = line.inbox[mark]
            assert isinstance(answer, Response)
            assert answer.status == 407
    assert [request.headers.all("P-Asserted-Identity")[1] for request in bob.arrived()] == [f"<tel:{ALICE}>"]


def test_a_phone_does_not_speak_in_a_servers_dialog() -> None:
    lab = Lab()
    bob, carol = lab.phone(BOB, ONE), lab.phone(CAROL, ONE)
    from_focus(lab, address(BOB))
    reply(bob, 200)
    side = caller_side(carol, lab.focus.answers()[-1])
    before = len(bob.arrived())
    for method in ("BYE", "INFO"):
        answer = side.send(method)
        assert answer is not None
        assert answer.status == 403
    assert len(bob.arrived()) == before


def test_only_this_machine_and_named_hosts_connect_to_the_listener_for_servers() -> None:
    lab = Lab(Settings(application_servers=(ApplicationServer("192.0.2.7", 7001, frozenset({"x"})),)))
    for host, trusted in (("127.0.0.1", True), ("::1", True), ("192.0.2.7", True), ("192.0.2.8", False), ("x", False)):
        assert lab.core.trusts(host) is trusted


def test_servers_have_no_bound_on_calls_but_phones_have() -> None:
    """A focus invites a thousand members at once."""
    lab = Lab(Settings(application_servers=(FOCUS,), max_calls_per_connection=1, max_open_per_connection=1))
    alice, _ = lab.phone(ALICE, ONE), lab.phone(BOB, ONE)
    for _ in range(3):
        from_focus(lab, address(BOB))
        from_focus(lab, address(BOB), method="OPTIONS")
    assert statuses(lab.focus, 0) == [100, 100, 100]
    for _ in range(2):
        invite(alice, ALICE, address(BOB), method="OPTIONS")
    assert statuses(alice) == [503]


def test_a_server_added_later() -> None:
    lab = Lab()
    link = lab.core.serve(ApplicationServer("127.0.0.1", 7003, frozenset({"late"})))
    lab.lines[link] = late = Line(lab, link, 7003)
    alice = lab.phone(ALICE, ONE)
    invite(alice, ALICE, f"sip:late@{DOMAIN}", method="MESSAGE")
    assert methods(late) == ["MESSAGE"]
    assert lab.core.server_at(link).port == 7003
