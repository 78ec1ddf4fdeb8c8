"""A server has many connections: what comes over one is answered over it, what begins goes over another."""

from __future__ import annotations

import random
from typing import NoReturn

import pytest

from decoders import mutated
from letterlock.codec.sip import Request, Response, encode
from letterlock.errors import DecodeError
from letterlock.sip.effects import Body
from letterlock.sip.session import Session, SessionState
from letterlock.sip.session_events import Ended, Established, InDialog
from letterlock.sip.user_agent_events import Received
from sip.pair import AGENT, ANSWER, Pair, Side, response, with_


def test_a_dialog_outlives_its_connection() -> None:
    """The call came over one connection; a request in it comes over another, and ours go over a third."""
    pair = Pair()
    pair.a.call(pair.now)
    pair.settle()
    server = pair.b
    first, second = server.agent, Side("b2").agent
    server.told += server.layer.agent_lost(first, pair.now)
    server.agent = second
    session = server.session
    assert session.state is SessionState.RUNNING
    ours = pair.a.told[0].usage
    _, effects = ours.request("INFO")  # type: ignore[union-attr]
    pair.a.do(ours, effects, pair.now)
    pair.settle()
    assert len(server.events(InDialog)) == 1
    server.do(session, session.hang_up(pair.now, "x"), pair.now)
    assert first.data_to_send() == b""
    pair.settle()
    assert pair.a.events(Ended) == [Ended("the peer hung up", by_peer=True)]


def test_an_answer_goes_back_over_the_connection_of_its_request() -> None:
    pair = Pair()
    pair.a.call(pair.now)
    (invite,) = pair.a.sent()
    server = pair.b
    listener = server.agent
    server.take = server.begin
    server.feed(encode(invite), pair.now)
    outward = Side("out").agent
    server.agent = outward
    server.do(server.session, server.session.accept(ANSWER, pair.now), pair.now)
    assert b"SIP/2.0 200" in listener.data_to_send()
    assert outward.data_to_send() == b""
    server.told += server.layer.on_deadline(pair.now + 500)
    assert b"SIP/2.0 200" in listener.data_to_send()  # and so does its repetition


def test_cancel_over_the_connection_of_the_invite() -> None:
    pair = Pair()
    pair.b.take = pair.b.begin
    session = pair.a.call(pair.now)
    pair.settle()
    inward = pair.a.agent
    pair.a.agent = Side("a2").agent
    pair.a.do(session, session.hang_up(pair.now, "x"), pair.now)
    assert pair.a.agent.data_to_send() == b""
    assert inward.data_to_send().startswith(b"CANCEL")


def test_requests_in_a_dialog_that_is_not_there() -> None:
    b = Side("b")
    headers = Pair().a
    headers.call(0)
    (invite,) = headers.sent()
    assert isinstance(invite, Request)
    for method in ("BYE", "INVITE", "UPDATE", "NOTIFY"):
        request = Request(method, invite.uri, invite.headers)
        request = with_(with_(request, "CSeq", f"1 {method}"), "To", "<sip:b@h>;tag=gone")
        b.feed(encode(with_(request, "Via", f"SIP/2.0/TCP h;branch=z9hG4bK{method}")), 0)
        assert [m.status for m in b.sent() if isinstance(m, Response) and m.status > 100] == [481]
    ack = with_(with_(Request("ACK", invite.uri, invite.headers), "CSeq", "1 ACK"), "To", "<sip:b@h>;tag=gone")
    b.feed(encode(with_(ack, "Via", "SIP/2.0/TCP h;branch=z9hG4bKack")), 0)
    assert b.sent() == []


def test_a_request_too_large_to_send_fails_like_one_that_is_not_answered() -> None:
    a = Side("a")
    session = a.call(0, body=Body("application/sdp", bytes(AGENT.max_message)))
    assert session.over
    assert len(a.layer) == 0


def test_repeated_invites_make_one_call() -> None:
    """RFC 6026: in the Accepted state a repeated INVITE is absorbed; before it is answered again."""
    pair = Pair()
    pair.b.take = pair.b.begin
    pair.a.call(pair.now)
    (invite,) = pair.a.sent()
    calls: list[Received] = []
    begin = pair.b.begin
    pair.b.take = lambda event, now: (calls.append(event), begin(event, now))[1]
    for _ in range(2):
        pair.b.feed(encode(invite), pair.now)
    assert [m.status for m in pair.b.sent() if isinstance(m, Response)] == [100, 100]
    pair.b.do(pair.b.session, pair.b.session.accept(ANSWER, pair.now), pair.now)
    pair.b.feed(encode(invite), pair.now)
    assert [m.status for m in pair.b.sent() if isinstance(m, Response)] == [200]
    assert len(calls) == 1


def test_answers_to_an_invite_after_it_was_forgotten_are_dropped() -> None:
    """RFC 6026: timer M."""
    a = Side("a")
    a.call(0)
    (invite,) = a.sent()
    accepted = response(invite, 200, ("Contact", "<sip:b@h>"), tag="b", body=b"x")
    a.feed(accepted, 1)
    assert len(a.events(Established)) == 1
    a.sent()
    a.feed(accepted, 2)
    assert [m.method for m in a.sent() if isinstance(m, Request)] == ["ACK"]
    a.tick(32_002)
    a.feed(accepted, 32_003)
    assert a.sent() == []


@pytest.mark.parametrize("seed", range(150))
def test_hostile_traffic_harms_nothing(seed: int) -> None:
    """SR-09: mutated messages of a real call, a change of it and a subscription, at an end that is in the middle of them."""
    rng = random.Random(seed)
    pair = Pair()
    ours = pair.a.call(pair.now)
    recorded: list[bytes] = []
    pair.lost = lambda message: recorded.append(encode(message)) is not None
    pair.settle()
    pair.a.do(ours, ours.offer(Body("application/sdp", b"other"), pair.now), pair.now)
    pair.settle()
    for step in range(40):
        data = mutated(rng.choice(recorded), rng)
        for side in (pair.a, pair.b):
            try:
                side.feed(data, pair.now + step)
            except DecodeError:
                side.agent = Side(f"{side.name}{step}").agent  # the framing is lost: another connection
            side.sent()
    for side in (pair.a, pair.b):
        # The stream may stand in the middle of a message: go on over another connection.
        side.told += side.layer.agent_lost(side.agent, pair.now)
        side.agent = Side(f"{side.name} again").agent
    pair.lost = lambda message: False
    pair.pass_time(4_000_000)
    for side in (pair.a, pair.b):
        for usage in [*side.layer._usages.values()]:
            assert isinstance(usage, Session)
            side.do(usage, usage.hang_up(pair.now, "x"), pair.now)
    pair.settle()
    pair.pass_time(100_000)
    assert len(pair.a.layer) == len(pair.b.layer) == 0


class Unscanned(dict):  # type: ignore[type-arg]
    """A table that nobody looks through."""

    def __iter__(self) -> NoReturn:
        raise AssertionError("looked through")

    items = keys = values = __iter__  # type: ignore[assignment]


def test_a_session_that_ends_does_not_look_through_what_all_others_have() -> None:
    """SR-08: a focus ends thousands at once. What is of one is found by it, and nothing of it stays."""
    pair = Pair()
    pair.b.take = pair.b.accept
    session = pair.a.call(pair.now)
    pair.settle()
    tables = ("_handles", "_calls", "_origins", "_invites")
    for side in (pair.a, pair.b):
        for name in tables:
            setattr(side.layer, name, Unscanned(getattr(side.layer, name)))
    pair.a.do(session, session.hang_up(pair.now, "x"), pair.now)
    pair.settle()
    assert pair.b.events(Ended)
    for side in (pair.a, pair.b):
        assert len(side.layer) == 0
        assert [len(getattr(side.layer, name)) for name in (*tables, "_asked", "_asking")] == [0] * 6


def test_only_the_last_of_many_invites_of_a_dialog_is_remembered() -> None:
    """SR-08: a peer that asks the same again and again costs nothing more each time."""
    pair = Pair()
    pair.b.take = pair.b.accept
    session = pair.a.call(pair.now)
    pair.settle()
    for number in range(5):
        pair.a.do(session, session.offer(Body("application/sdp", b"offer"), pair.now), pair.now)
        pair.settle()
        assert len(pair.b.layer._invites) == 1, number
    pair.a.do(session, session.hang_up(pair.now, "x"), pair.now)
    pair.settle()
    assert len(pair.b.layer) == len(pair.b.layer._asking) == 0
