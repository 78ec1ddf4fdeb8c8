"""Non-INVITE transactions: matching, timer F, repeats absorbed (RFC 3261 section 17). No sleeping: time is a number."""

from __future__ import annotations

import pytest

from letterlock.codec.sip import Headers, Request, Response
from letterlock.errors import DecodeError, LimitExceeded, ProtocolError
from letterlock.sip.transaction import ClientTransactions, ServerTransactions, Timers, server_key

TIMERS = Timers(timeout_ms=32_000, absorb_ms=32_000)


def request(branch: str = "z9hG4bKa", method: str = "MESSAGE", sent_by: str = "h:1") -> Request:
    via = f"SIP/2.0/TCP {sent_by};branch={branch}"
    return Request(method, "sip:x", Headers([("Via", via), ("Call-ID", "c"), ("CSeq", f"1 {method}")]))


def response(status: int, branch: str = "z9hG4bKa", method: str = "MESSAGE", vias: int = 1) -> Response:
    items = [("Via", f"SIP/2.0/TCP h:1;branch={branch}")] * vias
    return Response(status, "", Headers([*items, ("CSeq", f"1 {method}")]))


def test_a_final_response_ends_the_client_transaction() -> None:
    table = ClientTransactions(TIMERS, 8)
    key = table.start(request(), 0)
    provisional = table.on_response(response(100))
    assert provisional is not None
    assert (provisional.key, provisional.final) == (key, False)
    final = table.on_response(response(200))
    assert final is not None
    assert final.final
    assert table.on_response(response(200)) is None  # a late one is dropped (timer K is 0)
    assert table.next_deadline() is None


def test_responses_match_by_branch_and_method_only() -> None:
    table = ClientTransactions(TIMERS, 8)
    table.start(request(), 0)
    for stray in (
        response(200, branch="z9hG4bKb"),
        response(200, method="OPTIONS"),
        response(200, vias=2),
        response(200, vias=0),
        Response(200, "", Headers([("Via", "junk"), ("CSeq", "1 MESSAGE")])),
        Response(200, "", Headers([("Via", "SIP/2.0/TCP h:1;branch=z9hG4bKa"), ("CSeq", "junk")])),
        Response(200, "", Headers([("Via", '"'), ("CSeq", "1 MESSAGE")])),
    ):
        assert table.on_response(stray) is None
    assert len(table) == 1


def test_timer_f_fires_in_order() -> None:
    table = ClientTransactions(TIMERS, 8)
    keys = [table.start(request(f"z9hG4bK{i}"), i * 1000) for i in range(3)]
    table.on_response(response(200, "z9hG4bK1"))
    assert table.next_deadline() == 32_000
    assert table.on_deadline(31_999) == []
    assert table.on_deadline(32_000) == [keys[0]]
    assert table.next_deadline() == 34_000
    assert table.on_deadline(90_000) == [keys[2]]
    assert table.next_deadline() is None


def test_client_table_is_bounded_and_wants_fresh_branches() -> None:
    """SR-08."""
    table = ClientTransactions(TIMERS, 2)
    table.start(request("z9hG4bK1"), 0)
    with pytest.raises(ProtocolError):
        table.start(request("z9hG4bK1"), 0)
    with pytest.raises(ProtocolError):
        table.start(request("no-cookie"), 0)
    table.start(request("z9hG4bK2"), 0)
    with pytest.raises(LimitExceeded):
        table.start(request("z9hG4bK3"), 0)
    assert len(table.abandon()) == 2
    assert len(table) == 0


def test_a_repeat_is_absorbed_and_answered_alike() -> None:
    table = ServerTransactions(TIMERS, 8)
    key = server_key(request())
    assert table.on_request(request(), key) == (True, None)
    assert table.on_request(request(), key) == (False, None)  # not answered yet: nothing to say
    assert table.on_response(key, response(100), 0)
    assert table.on_request(request(), key) == (False, response(100))
    assert table.on_response(key, response(200), 1000)
    assert table.on_request(request(), key) == (False, response(200))
    assert not table.on_response(key, response(500), 1001)  # one final answer only
    assert table.next_deadline() == 33_000
    table.on_deadline(32_999)
    assert len(table) == 1
    table.on_deadline(33_000)  # timer J
    assert table.on_request(request(), key) == (True, None)


def test_timer_j_of_zero_forgets_at_once() -> None:
    table = ServerTransactions(Timers(32_000, 0), 8)
    key = server_key(request())
    table.on_request(request(), key)
    table.on_response(key, response(200), 0)
    assert len(table) == 0
    assert table.next_deadline() is None


def test_server_table_is_bounded() -> None:
    """SR-08."""
    table = ServerTransactions(TIMERS, 3)
    for i in range(10):
        key = server_key(request(f"z9hG4bK{i}"))
        table.on_request(request(f"z9hG4bK{i}"), key)
        table.on_response(key, response(200), i)
    assert len(table) == 3
    for i in range(3):
        table.on_request(request(f"z9hG4bKx{i}"), (f"{i}",))
    with pytest.raises(LimitExceeded):
        table.on_request(request("z9hG4bKy"), ("y",))


def test_server_keys() -> None:
    assert server_key(request()) != server_key(request(sent_by="h:2"))
    assert server_key(request()) != server_key(request(method="OPTIONS"))
    assert server_key(request(method="ACK")) == server_key(request(method="INVITE"))
    # RFC 2543 branches name nothing by themselves.
    old = request("1")
    other = Request(old.method, old.uri, old.headers.with_("Call-ID", "d"))
    assert server_key(old) == server_key(old)
    assert server_key(old) != server_key(other)
    for bad in (Headers(), Headers([("Via", "junk")])):
        with pytest.raises(DecodeError):
            server_key(Request("MESSAGE", "sip:x", bad))
