"""One connection as bytes: two user agents talk through a pair of buffers, a hostile peer through hand-made bytes."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable

import pytest

from letterlock.codec.sip import Challenge, Credentials, Headers, Limits, Request, Response, Via, encode, parse_message
from letterlock.errors import DecodeError, InputError, LimitExceeded
from letterlock.sip.authenticator import Authenticator
from letterlock.sip.message import response_to, with_received
from letterlock.sip.transaction import Timers
from letterlock.sip.user_agent import UserAgent, UserAgentSettings
from letterlock.sip.user_agent_events import Acknowledged, Answered, FlowFailed, Received, TimedOut

LIMITS = Limits(65_536, 200, 8192, 262_144)
SETTINGS = UserAgentSettings(
    limits=LIMITS,
    timers=Timers(timeout_ms=32_000, absorb_ms=32_000),
    max_open=4,
    max_message=2000,
    ping_ms=100_000,
    pong_ms=10_000,
)


def rng_of(seed: str) -> Callable[[int], bytes]:
    counter = itertools.count()
    return lambda n: hashlib.shake_256(f"{seed}{next(counter)}".encode()).digest(n)


def agent(seed: str = "a") -> UserAgent:
    rng = rng_of(seed)
    return UserAgent(SETTINGS, "TCP", ("127.0.0.1", 4000), Authenticator("ana", "pw", rng), rng, 0)


def message(body: bytes = b"hello") -> Request:
    items = [
        ("From", "<sip:a@h>;tag=1"),
        ("To", "<sip:b@h>"),
        ("Call-ID", "c1"),
        ("CSeq", "1 MESSAGE"),
    ]
    return Request("MESSAGE", "sip:b@h", Headers(items), body)


def sent(user_agent: UserAgent) -> Request | Response:
    return parse_message(user_agent.data_to_send(), LIMITS)


def answer(request: Request | Response, status: int, *headers: tuple[str, str]) -> bytes:
    assert isinstance(request, Request)
    return encode(response_to(request, status, tag="t", headers=headers))


def test_request_and_response_between_two() -> None:
    a, b = agent("a"), agent("b")
    handle = a.send(message(), 0)
    (event,) = b.receive_data(a.data_to_send(), 1)
    assert isinstance(event, Received)
    assert event.request.body == b"hello"
    via = Via.parse(event.request.headers.get("Via") or "")
    assert (via.transport, via.sent_by) == ("TCP", "127.0.0.1:4000")
    assert {"rport", "alias"} <= {name for name, _ in via.params}
    assert event.request.headers.get("Max-Forwards") == "70"
    b.respond(event.key, 200, 2)
    (done,) = a.receive_data(b.data_to_send(), 3)
    assert isinstance(done, Answered)
    assert (done.handle, done.response.status) == (handle, 200)
    assert "tag=" in (done.response.headers.get("To") or "")
    assert a.in_flight == 0


def test_challenges_are_answered_inside() -> None:
    a = agent()
    handle = a.send(message(), 0)
    first = sent(a)
    challenge = Challenge("h", "n1", "SHA-256", ("auth",)).encode()
    assert a.receive_data(answer(first, 407, ("Proxy-Authenticate", challenge)), 1) == []
    second = sent(a)
    assert second.headers.get("CSeq") == "2 MESSAGE"
    assert second.headers.get("Via") != first.headers.get("Via")
    assert Credentials.parse(second.headers.get("Proxy-Authorization") or "").nc == 1
    (done,) = a.receive_data(answer(second, 200), 2)
    assert isinstance(done, Answered)
    assert done.handle == handle


def test_a_second_challenge_comes_out_as_the_answer() -> None:
    a = agent()
    a.send(message(), 0)
    challenge = ("WWW-Authenticate", Challenge("h", "n", "MD5").encode())
    assert a.receive_data(answer(sent(a), 401, challenge), 1) == []
    (done,) = a.receive_data(answer(sent(a), 401, challenge), 2)
    assert isinstance(done, Answered)
    assert done.response.status == 401


def test_provisional_stray_and_late_responses_are_dropped() -> None:
    a = agent()
    a.send(message(), 0)
    request = sent(a)
    assert a.receive_data(answer(request, 100), 1) == []
    (_,) = a.receive_data(answer(request, 200), 2)
    assert a.receive_data(answer(request, 500), 3) == []


def test_time_out() -> None:
    a = agent()
    handle = a.send(message(), 1000)
    a.receive_data(b"\r\n", 1500)
    assert a.next_deadline() == 33_000
    assert a.on_deadline(32_999) == []
    assert a.on_deadline(33_000) == [TimedOut(handle)]
    assert a.in_flight == 0


def test_a_silent_connection_is_given_up_with_the_request() -> None:
    a = agent()
    first = a.send(message(), 1000)
    second = a.send(message(), 1000)
    assert a.on_deadline(33_000) == [TimedOut(first), FlowFailed(), TimedOut(second)]
    b = agent()
    handle = b.send(message(), 1000)
    b.receive_data(b"\r\n", 2000)  # slow, but there
    assert b.on_deadline(33_000) == [TimedOut(handle)]


def test_connection_lost_names_what_was_open() -> None:
    a = agent()
    handles = [a.send(message(), 0) for _ in range(3)]
    assert a.connection_lost() == handles
    assert a.connection_lost() == []


def test_too_large_and_too_many_are_refused_before_anything_is_sent() -> None:
    """SR-08. Kamailio drops the connection without a word at its buffer size."""
    a = agent()
    with pytest.raises(LimitExceeded) as caught:
        a.send(message(b"x" * 2000), 0)
    assert caught.value.code == "sip.limit.message"
    assert a.data_to_send() == b""
    for _ in range(4):
        a.send(message(), 0)
    with pytest.raises(LimitExceeded):
        a.send(message(), 0)


def test_header_injection_is_refused() -> None:
    a = agent()
    bad = message()
    with pytest.raises(InputError):
        a.send(Request("MESSAGE", "sip:b@h", bad.headers.with_("To", "<sip:b@h>\r\nX: 1")), 0)
    assert a.data_to_send() == b""
    assert a.in_flight == 0


# --- keep-alive (RFC 5626) -------------------------------------------------------------------------------
def test_pings_are_answered() -> None:
    a = agent()
    assert a.receive_data(b"\r\n\r\n", 0) == []
    assert a.data_to_send() == b"\r\n"


def test_we_ping_and_insist_once_the_peer_has_answered_before() -> None:
    a = agent()
    assert a.next_deadline() == 100_000
    a.on_deadline(100_000)
    assert a.data_to_send() == b"\r\n\r\n"
    # This peer has never answered one: it may not know RFC 5626.
    assert a.next_deadline() == 200_000
    a.receive_data(b"\r\n", 150_000)
    a.on_deadline(200_000)
    assert a.next_deadline() == 210_000
    assert a.on_deadline(210_000) == [FlowFailed()]


def test_a_pong_in_time_keeps_the_flow() -> None:
    a = agent()
    a.receive_data(b"\r\n", 0)
    a.ping(1000)
    a.receive_data(b"\r\n", 2000)
    assert a.on_deadline(50_000) == []


# --- requests in ---------------------------------------------------------------------------------------
def incoming(*extra: tuple[str, str], method: str = "MESSAGE", branch: str = "z9hG4bKx", without: str = "") -> bytes:
    items = [
        ("Via", f"SIP/2.0/TCP h:1;branch={branch}"),
        ("Via", "SIP/2.0/TCP far:2;branch=z9hG4bKfar"),
        ("From", "<sip:a@h>;tag=1"),
        ("To", "<sip:b@h>"),
        ("Call-ID", "c1"),
        ("CSeq", f"1 {method}"),
        *extra,
    ]
    return encode(Request(method, "sip:b@h", Headers(item for item in items if item[0] != without)))


def test_a_response_carries_what_it_must() -> None:
    b = agent()
    (event,) = b.receive_data(incoming(), 0)
    assert isinstance(event, Received)
    b.respond(event.key, 200, 1)
    response = sent(b)
    assert response.headers.all("Via") == event.request.headers.all("Via")
    for name in ("From", "Call-ID", "CSeq"):
        assert response.headers.get(name) == event.request.headers.get(name)


def test_repeats_are_absorbed() -> None:
    b = agent()
    (event,) = b.receive_data(incoming(), 0)
    assert isinstance(event, Received)
    assert b.receive_data(incoming(), 1) == []
    assert b.data_to_send() == b""
    b.respond(event.key, 200, 2)
    first = b.data_to_send()
    b.respond(event.key, 500, 3)
    assert b.data_to_send() == b""
    assert b.receive_data(incoming(), 4) == []
    assert b.data_to_send() == first


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (incoming(without="From"), 400),
        (incoming(without="Call-ID"), 400),
        (incoming(("CSeq", "2 MESSAGE")), 400),
        (incoming(("From", "<sip:z@h>")), 400),
        (incoming(without="CSeq"), 400),
        (incoming(method="CANCEL"), 481),
        (incoming(("Require", "recipient-list-message")), 420),
    ],
)
def test_what_cannot_be_served_is_answered_inside(data: bytes, status: int) -> None:
    b = agent()
    assert b.receive_data(data, 0) == []
    response = sent(b)
    assert isinstance(response, Response)
    assert response.status == status


def test_420_names_the_extension() -> None:
    b = agent()
    b.receive_data(incoming(("Require", "x1, x2")), 0)
    assert sent(b).headers.get("Unsupported") == "x1, x2"


def test_ack_and_requests_without_via_are_not_answered() -> None:
    b = agent()
    (event,) = b.receive_data(incoming(method="ACK"), 0)
    assert isinstance(event, Acknowledged)
    assert b.receive_data(incoming(("From", "junk<"), method="ACK"), 0) == []
    assert b.receive_data(incoming(without="Via"), 0) == []
    assert b.data_to_send() == b""
    assert b.malformed == 1


def test_too_many_unanswered_requests_get_503() -> None:
    """SR-08."""
    b = agent()
    for i in range(4):
        assert len(b.receive_data(incoming(branch=f"z9hG4bK{i}"), 0)) == 1
    assert b.receive_data(incoming(branch="z9hG4bKmore"), 0) == []
    response = sent(b)
    assert isinstance(response, Response)
    assert (response.status, response.headers.get("Retry-After")) == (503, "5")


def test_malformed_messages_cost_nothing_and_lost_framing_ends_it() -> None:
    b = agent()
    assert b.receive_data(b"WHAT IS THIS SIP/2.0\r\nl: 2\r\n\r\nhi" + incoming(), 0) != []
    assert b.malformed == 1
    with pytest.raises(DecodeError):
        b.receive_data(b"garbage without any framing\r\n\r\n", 0)


def test_received_and_rport_are_added_for_a_server() -> None:
    request = parse_message(incoming(), LIMITS)
    assert isinstance(request, Request)
    request = Request(
        request.method, request.uri, request.headers.with_("Via", "SIP/2.0/TCP h:1;branch=z9hG4bKx;rport"), b""
    )
    via = Via.parse(with_received(request, "192.0.2.1", 7).headers.get("Via") or "")
    assert (via.params.get("received"), via.params.get("rport")) == ("192.0.2.1", "7")
    plain = Request("MESSAGE", "sip:x", Headers([("Via", "SIP/2.0/TCP 192.0.2.1:1;branch=z")]))
    assert with_received(plain, "192.0.2.1", 7) is plain


def test_credentials_that_make_a_message_too_large_cost_that_message_only() -> None:
    """Under the carrier's size without an answer to its challenge, over it with one: the connection lives on."""
    a = agent()
    other = a.send(message(), 0)
    a.data_to_send()
    size = len(encode(message())) + 200
    handle = a.send(message(b"x" * (2000 - size)), 0)
    challenge = Challenge("h", "n" * 300, "SHA-256", ("auth",)).encode()
    (done,) = a.receive_data(answer(sent(a), 407, ("Proxy-Authenticate", challenge)), 1)
    assert isinstance(done, Answered)
    assert (done.handle, done.response.status) == (handle, 513)
    assert a.in_flight == 1
    assert a.connection_lost() == [other]
