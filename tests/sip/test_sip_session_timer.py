"""RFC 4028: who refreshes, how long, and what happens when nobody does."""

from __future__ import annotations

from dataclasses import replace

import pytest

from letterlock.codec.sip import Headers, Request, Response, encode
from letterlock.sip.session import SessionState
from letterlock.sip.session_events import Ended, Established, Offered, Refused, Reoffered
from letterlock.sip.session_timer import SessionTimer, TimerPolicy, minimum_of, too_short
from sip.pair import SESSION, Pair, Side, response, with_, without

POLICY = TimerPolicy(1800, 90)


def update(*headers: tuple[str, str]) -> Request:
    return Request("UPDATE", "sip:b@h", Headers(headers))


def ok(*headers: tuple[str, str]) -> Response:
    return Response(200, "OK", Headers(headers))


# --- Table 2 of section 9 ---------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("supports", "asked", "refresher", "we_refresh"),
    [
        (False, "1800", "uas", True),
        (False, "1800;refresher=uas", "uas", True),
        (True, "1800", "uac", False),
        (True, "1800;refresher=uac", "uac", False),
        (True, "1800;refresher=uas", "uas", True),
        (True, "1800;refresher=both", "uac", False),
    ],
)
def test_who_refreshes(supports: bool, asked: str, refresher: str, we_refresh: bool) -> None:
    supported = (("Supported", "timer"),) if supports else ()
    timer, headers = SessionTimer.of_request(update(*supported, ("Session-Expires", asked)), POLICY)
    assert timer is not None and timer.we_refresh is we_refresh
    assert dict(headers)["Session-Expires"] == f"1800;refresher={refresher}"
    # "the UAS MUST place a Require header field into the response" when the caller refreshes; never for one that cannot.
    assert ("Require" in dict(headers)) is supports


@pytest.mark.parametrize(
    ("asked", "least", "granted"),
    [("4000", None, 1800), ("600", None, 600), ("4000", "3000", 3000), ("99999999999", None, 1800)],
)
def test_the_interval_is_shortened_but_not_below_min_se(asked: str, least: str | None, granted: int) -> None:
    minimum = (("Min-SE", least),) if least else ()
    timer, _ = SessionTimer.of_request(update(("Supported", "timer"), ("Session-Expires", asked), *minimum), POLICY)
    assert timer is not None and timer.interval_s == granted


def test_nobody_asks_and_nobody_can() -> None:
    assert SessionTimer.of_request(update(), POLICY) == (None, ())
    timer, _ = SessionTimer.of_request(update(("Supported", "timer")), POLICY)
    assert timer is not None and timer.interval_s == 1800  # section 9: we ask for one


@pytest.mark.parametrize("value", ["", "x", "-5", "1800;refresher", '1800;refresher="'])
def test_what_cannot_be_read_is_no_timer_or_a_sound_one(value: str) -> None:
    timer = SessionTimer.of_response(ok(("Session-Expires", value)), 0)
    assert timer is None or timer.interval_s >= 90
    SessionTimer.of_request(update(("Supported", "timer"), ("Session-Expires", value)), POLICY)


def test_no_session_expires_is_no_expiration() -> None:
    assert SessionTimer.of_response(ok(), 0) is None


def test_a_refresh_keeps_roles_and_names_the_largest_minimum() -> None:
    assert dict(SessionTimer(1800, True).refresh_headers())["Session-Expires"] == "1800;refresher=uac"
    headers = dict(SessionTimer(100, False, least_s=300).refresh_headers())
    assert headers["Session-Expires"] == "300;refresher=uas"
    assert headers["Min-SE"] == "300"


def test_too_short_is_only_told_to_who_understands() -> None:
    policy = TimerPolicy(1800, 600)
    assert too_short(update(("Supported", "timer"), ("Session-Expires", "100")), policy)
    assert not too_short(update(("Session-Expires", "100")), policy)
    assert not too_short(update(("Supported", "timer")), policy)


@pytest.mark.parametrize(("value", "expected"), [("300", 300), ("90", None), ("x", None), ("", None)])
def test_minimum_of_a_422(value: str, expected: int | None) -> None:
    assert minimum_of(ok(("Min-SE", value))) == expected


# --- two ends ---------------------------------------------------------------------------------------------------
def test_the_caller_refreshes_at_half_time_and_the_session_lives() -> None:
    pair = Pair()
    ours = pair.a.call(pair.now)
    pair.settle()
    pair.pass_time(4 * 900_000 + 10)
    assert pair.log.count("a: UPDATE") == pair.log.count("b: 200 UPDATE") == 4
    assert ours.state is pair.b.session.state is SessionState.RUNNING


def test_without_update_the_refresh_is_the_same_offer_again() -> None:
    pair = Pair(b=Side("b", replace(SESSION, allow="INVITE, ACK, BYE")))
    pair.a.call(pair.now)
    pair.settle()
    pair.pass_time(900_010)
    assert pair.log[4:] == ["a: INVITE", "b: 100 INVITE", "b: 200 INVITE", "a: ACK"]
    assert pair.b.events(Reoffered) == []
    assert len(pair.b.events(Established)) == 1


def test_a_caller_that_is_gone_is_noticed_before_the_end() -> None:
    """Section 10: BYE 32 seconds, or a third of the interval, before the end."""
    pair = Pair()
    pair.a.call(pair.now)
    pair.settle()
    begin = pair.now
    pair.lost = lambda message: True
    pair.pass_time(1_767_000)
    assert pair.b.events(Ended) == []
    pair.pass_time(begin + 1_768_001 - pair.now)
    assert pair.b.events(Ended) == [Ended("the session was not refreshed", by_peer=True)]
    assert pair.log.count("b: BYE") == 1
    # The caller's refresh went unanswered: it has ended as well.
    assert pair.a.events(Ended) == [Ended("the peer does not answer", by_peer=True)]


@pytest.mark.parametrize(("status", "reason"), [(481, "the peer does not know the session any more"), (500, "")])
def test_a_refused_refresh(status: int, reason: str) -> None:
    """Section 10: 408 and 481 end it at once; after another refusal it lives until shortly before its end."""
    pair = Pair()
    ours = pair.a.call(pair.now)
    pair.settle()
    pair.lost = lambda message: isinstance(message, Request) and message.method == "UPDATE"
    pair.now += 900_000
    pair.a.tick(pair.now)
    (refresh,) = pair.a.sent()
    pair.a.feed(response(refresh, status), pair.now)
    if reason:
        assert pair.a.events(Ended) == [Ended(reason, by_peer=True)]
        return
    assert ours.state is SessionState.RUNNING
    assert ours.next_deadline() == 1_000_000 + 1_768_000
    pair.pass_time(868_001)
    assert [ended.reason for ended in pair.a.events(Ended)] == ["the session was not refreshed"]


def test_422_to_a_call_makes_it_ask_for_more() -> None:
    pair = Pair(
        Side("a", replace(SESSION, timer=TimerPolicy(100, 90))),
        Side("b", replace(SESSION, timer=TimerPolicy(1800, 300))),
    )
    ours = pair.a.call(pair.now)
    pair.settle()
    assert pair.log[:6] == ["a: INVITE", "b: 100 INVITE", "b: 422 INVITE", "a: ACK", "a: INVITE", "b: 100 INVITE"]
    first, second = pair.b.received[:2]
    assert second.headers.get("Min-SE") == "300"
    assert second.headers.get("Session-Expires") == "300"
    assert first.headers.get("Call-ID") == second.headers.get("Call-ID")
    assert first.headers.get("From") == second.headers.get("From")
    assert second.headers.get("CSeq") == "2 INVITE"
    assert ours.state is SessionState.RUNNING
    assert len(pair.b.events(Offered)) == 1


@pytest.mark.parametrize("headers", [(), (("Min-SE", "junk"),), (("Min-SE", "90"),)])
def test_a_422_that_names_nothing_is_a_refusal(headers: tuple[tuple[str, str], ...]) -> None:
    a = Side("a")
    a.call(0)
    (invite,) = a.sent()
    a.feed(response(invite, 422, *headers, tag="b"), 1)
    assert [refused.status for refused in a.events(Refused)] == [422]


def test_422_for_ever_ends() -> None:
    a = Side("a")
    a.call(0)
    for round_ in range(10):
        sent = [m for m in a.sent() if isinstance(m, Request) and m.method == "INVITE"]
        if not sent:
            break
        a.feed(response(sent[0], 422, ("Min-SE", str(2000 + round_)), tag="b"), 1)
    assert round_ == 4
    assert [refused.status for refused in a.events(Refused)] == [422]


def test_a_refresh_that_is_too_short_is_refused_and_harms_nothing() -> None:
    pair = Pair(b=Side("b", replace(SESSION, timer=TimerPolicy(1800, 300))))
    pair.a.call(pair.now)
    pair.settle()
    dialog = pair.a.told[0].usage.dialog  # type: ignore[union-attr]
    assert dialog is not None
    _, request = dialog.request(
        "UPDATE", (("Supported", "timer"), ("Session-Expires", "100"), ("Contact", "<sip:a@h>"))
    )
    pair.b.feed(encode(with_(request, "Via", "SIP/2.0/TCP h;branch=z9hG4bKx")), pair.now)
    (refused,) = [m for m in pair.b.sent() if isinstance(m, Response)]
    assert (refused.status, refused.headers.get("Min-SE")) == (422, "300")


def test_a_peer_without_timers_is_refreshed_by_nobody() -> None:
    a = Side("a")
    session = a.call(0)
    (invite,) = a.sent()
    assert isinstance(invite, Request)
    a.feed(response(without(invite, "Supported"), 200, ("Contact", "<sip:b@h>"), tag="b", body=b"x"), 1)
    assert session.state is SessionState.RUNNING
    assert session.next_deadline() is None
