"""A relay with its users (RFC 4976): who gets an address, what is carried and what is not, and what a failure looks
like to the sender."""

from __future__ import annotations

import random

import pytest

from letterlock.codec.msrp import (
    Body,
    ByteRange,
    End,
    FailureReport,
    Flag,
    Item,
    MsrpParser,
    MsrpUri,
    Request,
    Response,
    Status,
    encode_end,
    encode_head,
    encode_response,
)
from letterlock.codec.sip import Challenge
from letterlock.msrp import (
    CloseWanted,
    Connection,
    ConnectWanted,
    RelayGranted,
    RelayRefused,
    SendCompleted,
    SendFailed,
    Session,
    SessionBound,
    SessionTable,
)
from letterlock.sip.digest import DigestClient, digest_response, ha1
from msrp.pair import LIMITS, SETTINGS, Endpoint
from msrp.relays import RELAY, Network, authorized, both, network

HOME = MsrpUri.parse("msrps://home.invalid:2855/home123456;tcp")
OTHER = MsrpUri.parse("msrp://other.example.com:7777/other12345;tcp")


def _items(data: bytes) -> list[Item]:
    return MsrpParser(LIMITS).feed(data)


def _auth(headers: tuple[tuple[str, str], ...] = (), to: tuple[MsrpUri, ...] = (RELAY,)) -> bytes:
    request = Request("auth00001", "AUTH", to, (HOME,), headers=headers)
    return encode_head(request) + encode_end("auth00001", Flag.COMPLETE, after_body=False)


def _send(
    to: tuple[MsrpUri, ...],
    body: bytes | None = b"hello",
    *,
    transaction: str = "send00001",
    failure: FailureReport = FailureReport.YES,
    flag: Flag = Flag.COMPLETE,
    method: str = "SEND",
    byte_range: str = "1-*/*",
    sender: MsrpUri = OTHER,
) -> bytes:
    head = Request(
        transaction,
        method,
        to,
        (sender,),
        "message-1",
        ByteRange.parse(byte_range),
        failure_report=failure,
        status=Status(200) if method == "REPORT" else None,
        content_type=None if body is None else "text/plain",
    )
    return encode_head(head) + (body or b"") + encode_end(transaction, flag, after_body=body is not None)


def _say(net: Network, number: int, data: bytes) -> list[Item]:
    """Give bytes to the relay on a connection and read what it answers there."""
    net.relay.receive_data(number, data, net.now)
    return _items(net.relay.data_to_send(number, 1 << 20, net.now))


def _status(items: list[Item]) -> int:
    (answer,) = items
    assert isinstance(answer, Response)
    return answer.status


# --- addresses ---------------------------------------------------------------------------------------
def test_a_user_gets_an_address_for_his_password() -> None:
    net = network()
    number, alice, path = authorized(net, "alice", 1)
    (uri,) = path
    assert (uri.scheme, uri.host, uri.port) == ("msrps", "relay.example.test", 2855)
    assert uri.session is not None
    assert len(uri.session) == 20
    (granted,) = alice.of(RelayGranted)
    assert isinstance(granted, RelayGranted)
    assert granted.expires_ms == 3_600_000
    assert number not in net.closed


def test_the_challenge_and_the_proof_are_as_section_9_1_demands() -> None:
    """RFC 4976 section 9.1: qop and no auth-int, no MD5-sess, no domain; rspauth, cnonce, nc and qop in the 200."""
    net = network()
    number = net.relay.connected(secure=True, now=0)
    (answer,) = _say(net, number, _auth())
    assert isinstance(answer, Response)
    assert answer.status == 401
    challenges = [Challenge.parse(text) for text in answer.header_all("WWW-Authenticate")]
    assert [challenge.algorithm for challenge in challenges] == ["SHA-256", "MD5"]
    assert all(challenge.qop == ("auth",) and challenge.domain is None for challenge in challenges)
    # As the clause's example writes it: no uri, and MD5 meant by naming no algorithm.
    nonce = challenges[1].nonce
    secret = ha1("MD5", "alice", "relay.example.test", "one")
    response = digest_response(
        algorithm="MD5", ha1_hex=secret, method="AUTH", uri=RELAY.encode(), nonce=nonce, qop="auth", nc=1, cnonce="c1"
    )
    credentials = (
        f'Digest username="alice", realm="relay.example.test", nonce="{nonce}", qop=auth, nc=00000001, cnonce="c1", '
        f'response="{response}"'
    )
    (granted,) = _say(net, number, _auth((("Authorization", credentials),)))
    assert isinstance(granted, Response)
    assert granted.status == 200
    proof = digest_response(
        algorithm="MD5", ha1_hex=secret, method="", uri=RELAY.encode(), nonce=nonce, qop="auth", nc=1, cnonce="c1"
    )
    assert granted.header("Authentication-Info") == f'rspauth="{proof}", cnonce="c1", nc=00000001, qop=auth'


def test_a_wrong_password_gets_nothing_and_in_the_end_no_connection() -> None:
    """RFC 4976 section 6.3."""
    net = network()
    number, mallory = net.connect("mallory", 3)
    for _ in range(3):
        digest = DigestClient("alice", "guess", random.Random(1).randbytes)
        mallory.connection.authorize(RELAY.encode(), HOME.encode(), digest, None, 0)
    net.run()
    assert not mallory.of(RelayGranted)
    assert [event.status for event in mallory.of(RelayRefused)] == [401, 401, 0]  # type: ignore[union-attr]
    assert net.closed == {number: "wrong credentials"}


def test_no_auth_without_tls() -> None:
    """RFC 4976 section 9.2; SR-19."""
    net = network()
    number = net.relay.connected(secure=False, now=0)
    assert _status(_say(net, number, _auth())) == 403
    assert (
        _status(_say(network(require_tls=False), 1, _auth())[:0] or [Response("x" * 4, 401, (HOME,), (RELAY,))]) == 401
    )
    lab = network(require_tls=False)
    assert _status(_say(lab, lab.relay.connected(secure=False, now=0), _auth())) == 401


def test_auth_for_another_relay_is_not_passed_on() -> None:
    net = network()
    number, _, path = authorized(net, "alice", 1)
    extra = MsrpUri.parse("msrps://extra.example.com;tcp")
    assert _status(_say(net, number, _auth(to=(*path, extra)))) == 403


@pytest.mark.parametrize(("asked", "granted_s"), [(None, 3600), (60, 60), (600, 600), (5, 60), (90_000, 3600)])
def test_how_long_an_address_is_valid(asked: int | None, granted_s: int) -> None:
    """RFC 4976 sections 4.6 and 6.3: 423 with Min-Expires or Max-Expires, which the client then asks for."""
    net = network()
    _, alice = net.connect("alice", 1)
    digest = DigestClient("alice", "one", random.Random(1).randbytes)
    alice.connection.authorize(RELAY.encode(), HOME.encode(), digest, asked, 0)
    net.run()
    (granted,) = alice.of(RelayGranted)
    assert isinstance(granted, RelayGranted)
    assert granted.expires_ms == granted_s * 1000


def test_addresses_of_one_connection_are_bounded_and_asked_for_one_after_another() -> None:
    net = network()
    _, alice = net.connect("alice", 1)
    digest = DigestClient("alice", "one", random.Random(1).randbytes)
    for _ in range(5):
        alice.connection.authorize(RELAY.encode(), HOME.encode(), digest, None, 0)
    net.run()
    granted = [event.use_path for event in alice.of(RelayGranted)]  # type: ignore[union-attr]
    assert len(set(granted)) == 4
    assert [event.status for event in alice.of(RelayRefused)] == [403]  # type: ignore[union-attr]


# --- carrying ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("size", [0, 5, 2048, 2049, 300_000])
@pytest.mark.parametrize("chunk", [2048, 1 << 20])
def test_messages_are_carried_both_ways_and_reported(size: int, chunk: int) -> None:
    net = network()
    alice, bob = both(net, chunk=chunk)
    assert alice.of(SessionBound)
    assert bob.of(SessionBound)
    body = random.Random(size).randbytes(size)
    there = alice.send(body)
    back = bob.send(body[::-1], message_id="m-00000002")
    net.run()
    assert bob.bodies() == {"m-00000001": body}
    assert alice.bodies() == {"m-00000002": body[::-1]}
    assert alice.ends() == [SendCompleted(there, reported=True)]
    assert bob.ends() == [SendCompleted(back, reported=True)]


def test_the_paths_behind_the_relay() -> None:
    """RFC 4976 section 3: its address goes from the start of To-Path to the start of From-Path."""
    net = network()
    number, _, (token,) = authorized(net, "alice", 1)
    stranger = net.relay.connected(secure=False, now=0)
    assert _status(_say(net, stranger, _send((token, HOME)))) == 200
    request, *rest = _items(net.relay.data_to_send(number, 1 << 20, 0))
    assert isinstance(request, Request)
    assert (request.to_path, request.from_path) == ((HOME,), (token, OTHER))
    assert request.transaction != "send00001"
    assert request.message_id == "message-1"
    assert [bytes(item.data) for item in rest if isinstance(item, Body)] == [b"hello"]
    assert rest[-1] == End(Flag.COMPLETE)


@pytest.mark.parametrize(
    ("failure", "statuses"), [(FailureReport.YES, [200]), (FailureReport.PARTIAL, []), (FailureReport.NO, [])]
)
def test_the_previous_hop_is_answered_if_it_wants(failure: FailureReport, statuses: list[int]) -> None:
    net = network()
    _, _, (token,) = authorized(net, "alice", 1)
    stranger = net.relay.connected(secure=False, now=0)
    answers = _say(net, stranger, _send((token, HOME), failure=failure))
    assert [item.status for item in answers if isinstance(item, Response)] == statuses


def test_it_answers_the_peer_over_the_connection_that_the_peer_made() -> None:
    """The peer may be behind a NAT; and nobody takes its place while that connection lives."""
    net = network()
    number, alice, (token,) = authorized(net, "alice", 1)
    stranger = net.relay.connected(secure=False, now=0)
    _say(net, stranger, _send((token, HOME), None))
    thief = net.relay.connected(secure=False, now=0)
    _say(net, thief, _send((token, HOME), None))
    net.relay.receive_data(number, _send((token, OTHER), b"back", sender=HOME), 0)
    (request, *_) = [item for item in _items(net.relay.data_to_send(stranger, 1 << 20, 0)) if isinstance(item, Request)]
    assert request.to_path == (OTHER,)
    assert not [i for i in _items(net.relay.data_to_send(thief, 1 << 20, 0)) if isinstance(i, Request)]
    assert alice.events


def test_to_a_foreign_peer_a_connection_is_asked_for_once() -> None:
    net = network()
    number, _, (token,) = authorized(net, "alice", 1)
    net.relay.receive_data(number, _send((token, OTHER), b"one", sender=HOME), 0)
    net.relay.receive_data(number, _send((token, OTHER), b"two", transaction="send00002", sender=HOME), 0)
    (wanted,) = net.relay.events()
    assert isinstance(wanted, ConnectWanted)
    assert wanted.uri == OTHER
    assert net.relay.data_to_send(wanted.connection, 1 << 20, 0) == b""
    net.relay.opened(wanted.connection, 5)
    assert wanted.connection in net.relay.touched()
    data = net.relay.data_to_send(wanted.connection, 1 << 20, 5)
    assert [bytes(item.data) for item in _items(data) if isinstance(item, Body)] == [b"one", b"two"]


def test_connections_to_others_are_bounded_and_closed_when_nobody_uses_them() -> None:
    """SR-08; RFC 4976 section 6.5."""
    net = network()
    number, _, (token,) = authorized(net, "alice", 1)
    for count, status in enumerate((200, 200, 403)):
        peer = MsrpUri.parse(f"msrp://other{count}.example.com:7777/other12345;tcp")
        answer = _say(net, number, _send((token, peer), b"", transaction=f"t{count:07}", sender=HOME))
        assert _status(answer) == status
    first, second = net.relay.events()
    for event in (first, second):
        net.relay.opened(event.connection, 0)
        assert net.relay.data_to_send(event.connection, 1 << 16, 0)
    net.relay.receive_data(first.connection, b"", 200_000)
    net.relay.on_deadline(second.connection, 300_000)
    net.relay.on_deadline(first.connection, 300_000)
    assert [event for event in net.relay.events() if isinstance(event, CloseWanted)] == [
        CloseWanted(second.connection, "nobody uses it")
    ]
    peer = MsrpUri.parse("msrp://other9.example.com:7777/other12345;tcp")
    *reports, answer = _say(net, number, _send((token, peer), b"", transaction="t0000009", sender=HOME))
    assert sum(isinstance(item, Request) for item in reports) == 2  # of the two chunks that nobody has answered by now
    assert _status([answer]) == 200


def test_a_report_is_carried_with_its_body() -> None:
    net = network()
    number, _, (token,) = authorized(net, "alice", 1)
    stranger = net.relay.connected(secure=False, now=0)
    assert _say(net, stranger, _send((token, HOME), b"details", method="REPORT")) == []
    items = _items(net.relay.data_to_send(number, 1 << 20, 0))
    assert isinstance(items[0], Request)
    assert (items[0].method, items[0].from_path) == ("REPORT", (token, OTHER))
    assert [bytes(item.data) for item in items if isinstance(item, Body)] == [b"details"]


# --- what is not carried -----------------------------------------------------------------------------
def test_a_stranger_cannot_send_through_a_users_address_to_somebody_else() -> None:
    """RFC 4976 section 6.4: no open relay. Whatever the path says, it goes to the user and nowhere else."""
    net = network()
    number, _, (token,) = authorized(net, "alice", 1)
    stranger = net.relay.connected(secure=False, now=0)
    victim = MsrpUri.parse("msrp://192.0.2.1:25/victim;tcp")
    _say(net, stranger, _send((token, victim)))
    assert net.relay.events() == []
    (request, *_) = _items(net.relay.data_to_send(number, 1 << 20, 0))
    assert isinstance(request, Request)
    assert request.to_path == (victim,)


@pytest.mark.parametrize("which", ["unknown", "expired", "of a closed connection", "nothing behind it"])
def test_an_address_that_leads_nowhere_is_481(which: str) -> None:
    net = network()
    number, _, (token,) = authorized(net, "alice", 1)
    stranger = net.relay.connected(secure=False, now=0)
    to: tuple[MsrpUri, ...] = (token, HOME)
    if which == "unknown":
        to = (MsrpUri("msrps", RELAY.host, RELAY.port, "another"), HOME)
    elif which == "expired":
        net.now = 3_600_000
    elif which == "nothing behind it":
        to = (token,)
    else:
        net.relay.lost(number, 0)
    assert _status(_say(net, stranger, _send(to))) == 481
    assert _say(net, stranger, _send(to, failure=FailureReport.NO)) == []
    assert _say(net, stranger, _send(to, method="REPORT")) == []


def test_a_request_that_is_not_for_this_relay_ends_the_connection() -> None:
    """RFC 4976 section 6.2: "the relay immediately drops the corresponding connection"."""
    net = network()
    stranger = net.relay.connected(secure=False, now=0)
    net.relay.receive_data(stranger, _send((OTHER, HOME)), 0)
    assert net.relay.events() == [CloseWanted(stranger, "a request that is not for this relay")]


def test_unknown_methods_are_refused() -> None:
    net = network()
    number, _, (token,) = authorized(net, "alice", 1)
    request = Request("nick00001", "NICKNAME", (token, OTHER), (HOME,))
    data = encode_head(request) + encode_end("nick00001", Flag.COMPLETE, after_body=False)
    assert _status(_say(net, number, data)) == 501


def test_guessing_addresses_ends_the_connection() -> None:
    net = network()
    stranger = net.relay.connected(secure=False, now=0)
    for count in range(4):
        uri = MsrpUri("msrps", RELAY.host, RELAY.port, f"guess{count}")
        net.relay.receive_data(stranger, _send((uri, HOME)), 0)
    assert net.relay.events() == [CloseWanted(stranger, "nothing that could be served")]


def test_a_connection_that_says_nothing_is_closed() -> None:
    """RFC 4976 section 6.1."""
    net = network()
    stranger = net.relay.connected(secure=False, now=0)
    assert net.relay.next_deadline(stranger) == 30_000
    net.relay.on_deadline(stranger, 30_000)
    assert [type(event) for event in net.relay.events()] == [CloseWanted]
    assert net.relay.next_deadline(stranger) is None


# --- failures ----------------------------------------------------------------------------------------
def _report(net: Network, number: int) -> Request | None:
    requests = [i for i in _items(net.relay.data_to_send(number, 1 << 20, net.now)) if isinstance(i, Request)]
    return requests[0] if requests else None


@pytest.mark.parametrize("failure", FailureReport)
def test_what_the_next_hop_refuses_is_reported_to_the_sender(failure: FailureReport) -> None:
    """RFC 4976 section 6.4.3."""
    net = network()
    number, _, (token,) = authorized(net, "alice", 1)
    stranger = net.relay.connected(secure=False, now=0)
    _say(net, stranger, _send((token, HOME), failure=failure))
    (request, *_) = _items(net.relay.data_to_send(number, 1 << 20, 0))
    assert isinstance(request, Request)
    refusal = Response(request.transaction, 415, request.from_path[:1], request.to_path, "no such type")
    net.relay.receive_data(number, encode_response(refusal), 0)
    report = _report(net, stranger)
    if failure is FailureReport.NO:
        assert report is None
        return
    assert report is not None
    assert (report.method, report.to_path, report.from_path) == ("REPORT", (OTHER,), (token,))
    assert report.status == Status(415, "no such type")
    assert report.byte_range == ByteRange(1, 5, None)


@pytest.mark.parametrize("failure", FailureReport)
def test_what_the_next_hop_leaves_unanswered_is_reported_as_408(failure: FailureReport) -> None:
    """RFC 4976 section 6.4.1: only with Failure-Report yes is there a timer."""
    net = network()
    number, _, (token,) = authorized(net, "alice", 1)
    stranger = net.relay.connected(secure=False, now=0)
    _say(net, stranger, _send((token, HOME), failure=failure))
    net.relay.data_to_send(number, 1 << 20, 1000)
    net.relay.on_deadline(number, 31_000)
    report = _report(net, stranger)
    assert (report is not None) is (failure is FailureReport.YES)
    if report is not None:
        assert report.status == Status(408, "no answer from the next hop")


@pytest.mark.parametrize("taken", [True, False])
def test_what_was_under_way_to_a_lost_connection_is_reported(taken: bool) -> None:
    net = network()
    number, _, (token,) = authorized(net, "alice", 1)
    stranger = net.relay.connected(secure=False, now=0)
    _say(net, stranger, _send((token, HOME)))
    if taken:
        net.relay.data_to_send(number, 1 << 20, 0)
    net.relay.lost(number, 0)
    report = _report(net, stranger)
    assert report is not None
    assert report.status == Status(408, "the next hop is gone")
    assert report.byte_range == ByteRange(1, 5, None)


def test_a_sender_that_is_lost_in_mid_chunk_aborts_it_at_the_receiver() -> None:
    net = network()
    number, _, (token,) = authorized(net, "alice", 1)
    stranger = net.relay.connected(secure=False, now=0)
    data = _send((token, HOME), b"x" * 3000)
    net.relay.receive_data(stranger, data[:2000], 0)
    net.relay.lost(stranger, 0)
    items = _items(net.relay.data_to_send(number, 1 << 20, 0))
    assert items[-1] == End(Flag.ABORTED)


def test_a_first_send_that_fails_behind_the_relay_fails_the_session() -> None:
    net = network()
    _, alice, (path_a,) = authorized(net, "alice", 1)
    _, bob, (path_b,) = authorized(net, "bob", 2)
    a = MsrpUri.parse("msrps://alice.invalid:2855/alice1234567890;tcp")
    b = MsrpUri.parse("msrps://bob.invalid:2855/bob1234567890;tcp")
    alice.table.add(Session(a, (path_a, path_b, b), ("*",), 1 << 30, 2048))
    alice.session = a.session or ""
    alice.connection.open_session(alice.session, 0)
    number = alice.send(b"hello")
    net.run()
    # Bob knows of no such session: his 481 comes back as a report about the message.
    assert bob.bodies() == {}
    (end,) = alice.ends()
    assert isinstance(end, SendFailed)
    assert (end.message, end.status) == (number, 481)


# --- bounds ------------------------------------------------------------------------------------------
def test_who_sends_faster_than_the_other_takes_is_paused() -> None:
    """SR-08: memory is bounded by max_pending and what one read brings, not by the message."""
    net = network()
    alice, bob = both(net, chunk=1 << 20)
    slow = next(number for number, end in net.ends.items() if end is bob)
    net.stuck.add(slow)
    body = random.Random(4).randbytes(2_000_000)
    alice.send(body)
    net.run()
    feeding = next(number for number, end in net.ends.items() if end is alice)
    assert net.relay.paused(feeding)
    assert net.relay._hops[slow].pending <= 65_536 + 2 * 16_384
    net.stuck.clear()
    net.run()
    assert not net.relay.paused(feeding)
    assert bob.bodies() == {"m-00000001": body}
    assert net.relay._hops[slow].pending == 0


def test_a_connection_that_takes_nothing_for_long_is_closed_and_its_senders_hear_of_it() -> None:
    net = network()
    alice, bob = both(net, chunk=1 << 20)
    slow = next(number for number, end in net.ends.items() if end is bob)
    net.stuck.add(slow)
    number = alice.send(bytes(200_000))
    net.run()
    deadline = net.relay.next_deadline(slow)
    assert deadline == 60_000
    net.now = 60_000
    net.relay.on_deadline(slow, 60_000)
    net.run()
    assert net.closed[slow] == "it takes nothing"
    (end,) = alice.ends()
    assert isinstance(end, SendFailed)
    assert (end.message, end.status) == (number, 408)


def test_a_sender_that_does_not_take_its_answers_is_paused() -> None:
    net = network()
    _, _, (token,) = authorized(net, "alice", 1)
    stranger = net.relay.connected(secure=False, now=0)
    count = 0
    while not net.relay.paused(stranger):
        net.relay.receive_data(stranger, _send((token, HOME), b"", transaction=f"t{count:07}"), 0)
        count += 1
        assert count < 5000


def test_a_transaction_id_of_ours_in_the_body_divides_the_chunk() -> None:
    """The relay names its own chunks and must look for the name as any sender does (RFC 4975 section 7.1)."""
    net = network()
    number, _, (token,) = authorized(net, "alice", 1)
    stranger = net.relay.connected(secure=False, now=0)
    data = _send((token, HOME), b"x" * 3000 + b"MARK" + b"y" * 100)
    cut = data.index(b"MARK")
    net.relay.receive_data(stranger, data[:cut], 0)
    first = net.relay.data_to_send(number, 1 << 20, 0)
    name = first.split(b" ")[1]
    net.relay.receive_data(stranger, data[cut:].replace(b"MARK", b"\r\n-------" + name + b"$\r\n"), 0)
    items = _items(first + net.relay.data_to_send(number, 1 << 20, 0))
    body = b"".join(bytes(item.data) for item in items if isinstance(item, Body))
    assert body == b"x" * 3000 + b"\r\n-------" + name + b"$\r\n" + b"y" * 100
    assert [item.flag for item in items if isinstance(item, End)] == [Flag.CONTINUED, Flag.COMPLETE]


@pytest.mark.parametrize("to_relay", [True, False])
def test_cut_between_a_user_and_the_relay_at_every_byte(to_relay: bool) -> None:
    """Each message ends once at its sender, and is delivered only if it is there."""
    cut = 0
    while True:
        net = network()
        alice, bob = both(net, chunk=700)
        alice.events.clear()
        bob.events.clear()
        number = alice.send(b"a" * 1500)
        feeding = next(n for n, end in net.ends.items() if end is alice)
        passed, moved = 0, True
        while moved and passed < cut:
            data = alice.connection.data_to_send(1 << 16, 0)
            moved = bool(data)
            if to_relay:
                data = data[: cut - passed]
                passed += len(data)
            net.relay.receive_data(feeding, data, 0)
            del net.ends[feeding]
            moved |= net.step()
            net.ends[feeding] = alice
            back = net.relay.data_to_send(feeding, 1 << 16, 0)
            moved |= bool(back)
            if not to_relay:
                back = back[: cut - passed]
                passed += len(back)
            alice.connection.receive_data(back, 0)
            alice.gather()
        alice.connection.connection_lost("cut")
        alice.gather()
        del net.ends[feeding]
        net.relay.lost(feeding, 0)
        net.run()
        (end,) = alice.ends()
        assert end.message == number  # type: ignore[union-attr]
        if isinstance(end, SendCompleted):
            assert bob.bodies() == {"m-00000001": b"a" * 1500}
        started = len({event.message for event in bob.incoming_ends()})  # type: ignore[union-attr]
        assert started <= 1
        if passed < cut:
            break
        cut += 7


def test_a_new_connection_of_a_user_needs_new_addresses() -> None:
    """RFC 4976 section 6.3: "If the client's connection is closed and then reopened, the URI MUST be invalidated"."""
    net = network()
    number, _, (token,) = authorized(net, "alice", 1)
    net.relay.lost(number, 0)
    again = Endpoint(Connection(SETTINGS, SessionTable(), random.Random(7).randbytes, 0), SessionTable(), "")
    other = net.relay.connected(secure=True, now=0)
    net.ends[other] = again
    assert _status(_say(net, other, _send((token, OTHER), sender=HOME))) == 481
