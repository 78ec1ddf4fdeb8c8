"""Sessions between two ends: set up, refused, taken back, forked, changed, ended; silence and disorder on the way."""

from __future__ import annotations

import pytest

from letterlock.codec.sip import Challenge, CSeq, NameAddr, Request, Response, encode
from letterlock.errors import DecodeError, LimitExceeded, ProtocolError
from letterlock.sip.effects import Body, Respond
from letterlock.sip.session import Session, SessionState
from letterlock.sip.session_events import (
    Answered,
    Ended,
    Established,
    InDialog,
    Offered,
    Refused,
    Renegotiated,
    Reoffered,
    Ringing,
)
from sip.pair import ANSWER, OFFER, SESSION, Pair, Side, response, with_


def established() -> tuple[Pair, Session, Session]:
    pair = Pair()
    session = pair.a.call(pair.now)
    pair.settle()
    assert session.state is pair.b.session.state is SessionState.RUNNING
    return pair, session, pair.b.session


# --- set up and end ---------------------------------------------------------------------------------------
def test_a_call_from_invite_to_bye() -> None:
    pair, ours, theirs = established()
    assert pair.log == ["a: INVITE", "b: 100 INVITE", "b: 200 INVITE", "a: ACK"]
    (established_a,) = pair.a.events(Established)
    assert established_a.body == ANSWER
    assert pair.b.events(Offered) == [Offered(OFFER)]
    assert pair.b.events(Established) == [Established(None)]
    pair.b.do(theirs, theirs.hang_up(pair.now, "done"), pair.now)
    pair.settle()
    assert pair.log[-2:] == ["b: BYE", "a: 200 BYE"]
    assert ours.over and theirs.over
    assert pair.a.events(Ended) == [Ended("the peer hung up", by_peer=True)]
    assert pair.b.events(Ended) == [Ended("done", by_peer=False)]
    assert len(pair.a.layer) == len(pair.b.layer) == 0


def test_both_hang_up_at_once() -> None:
    pair, ours, theirs = established()
    pair.a.do(ours, ours.hang_up(pair.now, "x"), pair.now)
    pair.b.do(theirs, theirs.hang_up(pair.now, "y"), pair.now)
    pair.settle()
    assert ours.over and theirs.over
    assert len(pair.a.events(Ended)) == len(pair.b.events(Ended)) == 1


def test_it_rings_before_somebody_decides() -> None:
    pair = Pair()
    pair.b.take = pair.b.begin
    session = pair.a.call(pair.now)
    pair.settle()
    pair.b.do(pair.b.session, pair.b.session.ring(), pair.now)
    pair.settle()
    assert pair.a.events(Ringing) == [Ringing(180)]
    assert session.state is SessionState.CALLING
    pair.b.do(pair.b.session, pair.b.session.refuse(486, "busy"), pair.now)
    pair.settle()
    (refused,) = pair.a.events(Refused)
    assert refused.status == 486
    assert pair.log[-2:] == ["b: 486 INVITE", "a: ACK"]
    assert len(pair.a.layer) == len(pair.b.layer) == 0


def test_all_answers_to_one_invite_carry_one_tag() -> None:
    """RFC 3261 section 12.1.1: the tag of the 180 is that of the 200, or they would be two dialogs."""
    pair = Pair()
    pair.b.take = pair.b.begin
    pair.a.call(pair.now)
    pair.settle()
    b = pair.b.session
    pair.b.do(b, b.ring(), pair.now)
    pair.b.do(b, b.accept(ANSWER, pair.now), pair.now)
    tags = {NameAddr.parse(m.headers.get("To") or "").tag for m in pair.b.sent() if isinstance(m, Response)}
    assert len(tags) == 1


def test_a_challenged_call_acknowledges_with_the_number_and_credentials_of_the_last_invite() -> None:
    """RFC 3261 section 13.2.2.4."""
    a = Side("a")
    a.call(0)
    (invite,) = a.sent()
    challenge = ("Proxy-Authenticate", Challenge("h", "n1", "SHA-256", ("auth",)).encode())
    a.feed(response(invite, 407, challenge, tag="p"), 1)
    ack, again = a.sent()
    assert isinstance(ack, Request) and isinstance(again, Request)
    assert (ack.method, ack.headers.get("CSeq")) == ("ACK", "1 ACK")
    assert ack.headers.get("Via") == invite.headers.get("Via")
    assert again.headers.get("CSeq") == "2 INVITE"
    a.feed(response(again, 200, ("Contact", "<sip:b@127.0.0.1>"), tag="b"), 2)
    (ack,) = a.sent()
    assert isinstance(ack, Request)
    assert (ack.method, ack.headers.get("CSeq"), ack.uri) == ("ACK", "2 ACK", "sip:b@127.0.0.1")
    assert ack.headers.get("Proxy-Authorization") == again.headers.get("Proxy-Authorization")
    (session,) = {told.usage for told in a.told}
    assert isinstance(session, Session)
    a.do(session, session.hang_up(3, "x"), 3)
    (bye,) = a.sent()
    assert bye.headers.get("CSeq") == "3 BYE"


# --- CANCEL -------------------------------------------------------------------------------------------------
def test_a_call_is_taken_back_while_it_rings() -> None:
    pair = Pair()
    pair.b.take = pair.b.begin
    session = pair.a.call(pair.now)
    pair.settle()
    pair.a.do(session, session.hang_up(pair.now, "x"), pair.now)
    pair.settle()
    assert pair.log[-4:] == ["a: CANCEL", "b: 200 CANCEL", "b: 487 INVITE", "a: ACK"]
    (refused,) = pair.a.events(Refused)
    assert refused.status == 487
    assert pair.b.events(Ended) == [Ended("the peer took the call back", by_peer=True)]
    assert len(pair.a.layer) == len(pair.b.layer) == 0


def test_a_cancel_waits_for_the_first_answer() -> None:
    """RFC 3261 section 9.1: nothing is known to be there that it could take back."""
    a = Side("a")
    session = a.call(0)
    (invite,) = a.sent()
    a.do(session, session.hang_up(1, "x"), 1)
    assert a.sent() == []
    a.feed(response(invite, 100), 2)
    (cancel,) = a.sent()
    assert isinstance(cancel, Request)
    assert (cancel.method, cancel.headers.get("CSeq")) == ("CANCEL", "1 CANCEL")
    assert cancel.headers.get("Via") == invite.headers.get("Via")


def test_an_answer_that_crosses_the_cancel_is_ended() -> None:
    pair = Pair()
    pair.b.take = pair.b.begin
    session = pair.a.call(pair.now)
    pair.settle()
    pair.b.do(pair.b.session, pair.b.session.accept(ANSWER, pair.now), pair.now)
    pair.a.do(session, session.hang_up(pair.now, "x"), pair.now)
    pair.settle()
    assert "a: BYE" in pair.log
    assert session.over and pair.b.session.over
    assert pair.a.events(Established) == []
    assert len(pair.a.layer) == len(pair.b.layer) == 0


def test_nobody_answers_a_cancel() -> None:
    """Section 9.1: 64*T1 after it the call is over."""
    a = Side("a")
    session = a.call(0)
    (invite,) = a.sent()
    a.feed(response(invite, 180, tag="b"), 100)
    a.do(session, session.hang_up(1000, "x"), 1000)
    a.tick(33_000)
    (refused,) = a.events(Refused)
    assert refused.status == 487
    assert len(a.layer) == 0


def test_cancel_for_nothing() -> None:
    """Section 9.2: 481."""
    pair = Pair()
    pair.b.take = pair.b.begin
    pair.a.call(pair.now)
    (invite,) = pair.a.sent()
    assert isinstance(invite, Request)
    stray = with_(Request("CANCEL", invite.uri, invite.headers), "CSeq", "1 CANCEL")
    pair.b.feed(encode(stray), 0)
    assert [m.status for m in pair.b.sent() if isinstance(m, Response)] == [481]


# --- silence ------------------------------------------------------------------------------------------------
def test_timer_b() -> None:
    a = Side("a")
    a.call(0)
    a.sent()
    a.tick(31_999)
    assert a.events(Refused) == []
    a.tick(32_000)
    (refused,) = a.events(Refused)
    assert refused.status == 408
    assert len(a.layer) == 0


def test_ringing_has_an_end() -> None:
    pair = Pair()
    pair.b.take = pair.b.begin
    pair.a.call(pair.now)
    pair.settle()
    pair.b.do(pair.b.session, pair.b.session.ring(), pair.now)
    pair.settle()
    pair.pass_time(SESSION.ring_ms + 1)
    assert [refused.status for refused in pair.a.events(Refused)] in ([408], [480])
    assert len(pair.a.layer) == len(pair.b.layer) == 0


def test_a_2xx_is_repeated_until_its_ack_comes_and_then_given_up() -> None:
    """RFC 3261 section 13.3.1.4, over a way that loses behind the first hop."""
    pair = Pair()
    pair.lost = lambda message: isinstance(message, Request) and message.method == "ACK"
    pair.a.call(pair.now)
    pair.settle()
    start = pair.now
    pair.pass_time(31_000)
    repeats = pair.log.count("b: 200 INVITE")
    assert repeats == 10  # at 0, .5, 1.5, 3.5, 7.5, then every 4 seconds
    assert pair.log.count("a: ACK") == repeats
    pair.pass_time(32_001 - (pair.now - start))
    assert pair.b.events(Ended) == [Ended("no acknowledgement", by_peer=True)]
    assert pair.log[-2:] == ["b: BYE", "a: 200 BYE"]
    assert len(pair.a.layer) == len(pair.b.layer) == 0


def test_a_lost_ack_is_made_good_by_the_next() -> None:
    pair = Pair()
    lost = iter([True])
    pair.lost = lambda message: isinstance(message, Request) and message.method == "ACK" and next(lost, False)
    pair.a.call(pair.now)
    pair.settle()
    assert pair.b.events(Established) == []
    pair.pass_time(2000)
    assert len(pair.b.events(Established)) == 1
    assert pair.log.count("b: 200 INVITE") == 2


def test_hanging_up_before_the_ack_waits_for_it() -> None:
    """Section 15: "The callee's UA MUST NOT send a BYE on a confirmed dialog until it has received an ACK"."""
    pair = Pair()
    lost = iter([True])
    pair.lost = lambda message: isinstance(message, Request) and message.method == "ACK" and next(lost, False)
    pair.a.call(pair.now)
    pair.settle()
    b = pair.b.session
    pair.b.do(b, b.hang_up(pair.now, "x"), pair.now)
    pair.settle()
    assert "b: BYE" not in pair.log
    pair.pass_time(1000)
    assert pair.log[-2:] == ["b: BYE", "a: 200 BYE"]
    assert len(pair.a.layer) == len(pair.b.layer) == 0


def test_nobody_answers_a_bye() -> None:
    pair, ours, _ = established()
    pair.lost = lambda message: True
    pair.a.do(ours, ours.hang_up(pair.now, "x"), pair.now)
    pair.settle()
    pair.pass_time(32_001)
    assert ours.over
    assert len(pair.a.layer) == 0


def test_a_refusal_whose_ack_is_lost_is_forgotten() -> None:
    """Timer H."""
    pair = Pair()
    pair.b.take = pair.b.begin
    pair.lost = lambda message: isinstance(message, Request) and message.method == "ACK"
    pair.a.call(pair.now)
    pair.settle()
    pair.b.do(pair.b.session, pair.b.session.refuse(486), pair.now)
    pair.settle()
    pair.pass_time(40_000)
    assert pair.b.agent.next_deadline() > pair.now + 1_000_000


def test_a_call_without_a_connection_fails_at_once() -> None:
    a = Side("a")
    a.connected = False
    a.call(0)
    (refused,) = a.events(Refused)
    assert refused.status == 408
    assert len(a.layer) == 0


def test_a_lost_connection_fails_what_is_unanswered() -> None:
    a = Side("a")
    a.call(0)
    a.told += a.layer.agent_lost(a.agent, 1)
    assert [refused.status for refused in a.events(Refused)] == [408]


# --- forks ----------------------------------------------------------------------------------------------------
CONTACT = (("Contact", "<sip:b@127.0.0.1>"),)


def test_a_second_device_that_answers_is_acknowledged_and_ended() -> None:
    """RFC 3261 section 13.2.2.4."""
    a = Side("a")
    session = a.call(0)
    (invite,) = a.sent()
    for tag in ("one", "two"):
        a.feed(response(invite, 180, *CONTACT, tag=tag), 1)
    assert a.events(Ringing) == [Ringing(180), Ringing(180)]
    a.feed(response(invite, 200, *CONTACT, tag="two", body=b"answer"), 2)
    a.feed(response(invite, 200, ("Contact", "<sip:c@127.0.0.1>"), tag="one", body=b"answer"), 3)
    ack, other_ack, bye = a.sent()
    assert isinstance(ack, Request) and isinstance(other_ack, Request) and isinstance(bye, Request)
    assert [m.method for m in (ack, other_ack, bye)] == ["ACK", "ACK", "BYE"]
    assert (other_ack.uri, bye.uri) == ("sip:c@127.0.0.1", "sip:c@127.0.0.1")
    assert NameAddr.parse(bye.headers.get("To") or "").tag == "one"
    assert session.state is SessionState.RUNNING
    assert session.dialog is not None and session.dialog.remote.tag == "two"
    assert len(a.events(Established)) == 1
    a.feed(response(invite, 200, *CONTACT, tag="two"), 4)
    a.feed(response(invite, 200, ("Contact", "<sip:c@127.0.0.1>"), tag="one"), 4)
    assert [m.method for m in a.sent() if isinstance(m, Request)] == ["ACK", "ACK"]
    a.feed(response(bye, 481), 5)
    assert session.state is SessionState.RUNNING


def test_more_devices_than_anybody_has_are_not_remembered() -> None:
    """SR-08."""
    a = Side("a")
    a.call(0)
    (invite,) = a.sent()
    for i in range(40):
        a.feed(response(invite, 200, *CONTACT, tag=f"t{i}"), 1)
    assert sum(isinstance(m, Request) and m.method == "BYE" for m in a.sent()) <= 16


@pytest.mark.parametrize("headers", [(), CONTACT * 2, (("Contact", "<tel:+1>"),), (("Contact", "junk<"),)])
def test_an_answer_that_makes_no_dialog(headers: tuple[tuple[str, str], ...]) -> None:
    a = Side("a")
    a.call(0)
    (invite,) = a.sent()
    a.feed(response(invite, 200, *headers, tag="b"), 1)
    assert [refused.status for refused in a.events(Refused)] == [500]


def test_an_early_dialog_is_not_hung_up_by_who_is_called() -> None:
    a = Side("a")
    a.call(0)
    (invite,) = a.sent()
    a.feed(response(invite, 183, *CONTACT, tag="b"), 1)
    for method, status in (("BYE", 481), ("UPDATE", 491)):
        request = Request(
            method,
            "sip:a@127.0.0.1",
            invite.headers.with_("To", invite.headers.get("From") or "")
            .with_("From", "<sip:b@h>;tag=b")
            .with_("CSeq", f"7 {method}")
            .with_("Via", f"SIP/2.0/TCP h;branch=z9hG4bK{method}"),
            b"offer",
        )
        a.feed(encode(request), 2)
        assert [m.status for m in a.sent() if isinstance(m, Response)] == [status]


# --- requests in the dialog -----------------------------------------------------------------------------------
def in_dialog(pair: Pair, method: str, *changes: tuple[str, str], number: int = 100, body: bytes = b"") -> Request:
    """A request of b in the dialog, by hand."""
    b = pair.b.session
    assert b.dialog is not None
    _, request = b.dialog.request(method, (("Contact", "<sip:b@127.0.0.1>"),), body)
    request = with_(request, "CSeq", CSeq(number, method).encode())
    request = with_(request, "Via", f"SIP/2.0/TCP h;branch=z9hG4bK{method}{number}{len(pair.log)}")
    for name, value in changes:
        request = with_(request, name, value)
    return request


def answers(side: Side) -> list[int]:
    return [m.status for m in side.sent() if isinstance(m, Response) and m.status > 100]


def test_requests_of_nobody_and_out_of_order() -> None:
    pair, ours, _ = established()
    other = ("From", "<sip:b@h>;tag=other")
    pair.a.feed(encode(in_dialog(pair, "BYE", other)), pair.now)
    assert answers(pair.a) == [481]
    pair.a.feed(encode(in_dialog(pair, "BYE", ("Call-ID", "other"), number=101)), pair.now)
    assert answers(pair.a) == [481]
    pair.a.feed(encode(in_dialog(pair, "INFO", number=102)), pair.now)
    ((key, request),) = [(event.key, event.request) for event in pair.a.events(InDialog)]
    assert request.method == "INFO"
    pair.a.do(ours, [Respond(key, 200)], pair.now)
    assert answers(pair.a) == [200]
    pair.log.append("")
    pair.a.feed(encode(in_dialog(pair, "BYE", number=102)), pair.now)
    assert answers(pair.a) == [500]
    assert ours.state is SessionState.RUNNING


def test_a_request_of_ours_and_its_answer() -> None:
    pair, ours, theirs = established()
    ref, effects = ours.request("INFO", (("Info-Package", "x"),), Body("text/plain", b"hi"))
    pair.a.do(ours, effects, pair.now)
    pair.settle()
    (event,) = pair.b.events(InDialog)
    assert event.request.body == b"hi"
    pair.b.do(theirs, [Respond(event.key, 469)], pair.now)
    pair.settle()
    ((answered_ref, answered),) = [(event.ref, event.response) for event in pair.a.events(Answered)]
    assert answered_ref == ref and answered is not None and answered.status == 469
    pair.a.do(ours, ours.hang_up(pair.now, "x"), pair.now)
    with pytest.raises(ProtocolError):
        ours.request("INFO")


def test_481_to_any_request_ends_the_session() -> None:
    """RFC 3261 section 12.2.1.2."""
    pair, ours, theirs = established()
    _, effects = ours.request("INFO")
    pair.a.do(ours, effects, pair.now)
    pair.settle()
    (event,) = pair.b.events(InDialog)
    pair.b.do(theirs, [Respond(event.key, 481)], pair.now)
    pair.settle()
    assert len(pair.a.events(Ended)) == 1
    assert len(pair.a.layer) == 0


def test_too_many_dialogs() -> None:
    """SR-08."""
    a = Side("a")
    for _ in range(4):
        a.call(0)
    with pytest.raises(LimitExceeded):
        a.call(0)


def test_an_invite_that_makes_no_dialog_is_refused() -> None:
    pair = Pair()
    a = pair.a.call(pair.now)
    (invite,) = pair.a.sent()
    assert isinstance(invite, Request) and a.state is SessionState.CALLING
    with pytest.raises(DecodeError):
        Session.called(SESSION, (), with_(invite, "Contact", "junk"), "<sip:b@h>", pair.b.rng)


# --- other offers in a running session ----------------------------------------------------------------------
NEW = Body("application/sdp", b"another offer")


def test_another_offer_is_answered() -> None:
    pair, ours, theirs = established()
    pair.a.do(ours, ours.offer(NEW, pair.now), pair.now)
    pair.settle()
    assert pair.b.events(Reoffered) == [Reoffered(NEW)]
    pair.b.do(theirs, theirs.answer(Body("application/sdp", b"another answer"), pair.now), pair.now)
    pair.settle()
    assert pair.a.events(Renegotiated) == [Renegotiated(200, Body("application/sdp", b"another answer"))]
    assert pair.log[-1] == "a: ACK"
    assert len(pair.b.events(Established)) == 1  # once, not for every ACK


def test_another_offer_is_refused_and_the_session_goes_on() -> None:
    pair, ours, theirs = established()
    pair.a.do(ours, ours.offer(NEW, pair.now), pair.now)
    pair.settle()
    pair.b.do(theirs, theirs.refuse_offer(488, pair.now), pair.now)
    pair.settle()
    assert pair.a.events(Renegotiated) == [Renegotiated(488, None)]
    assert ours.state is theirs.state is SessionState.RUNNING


def test_the_same_offer_changes_nothing_and_is_answered_at_once() -> None:
    """RFC 4975 section 8.4."""
    pair, ours, _ = established()
    pair.a.do(ours, ours.offer(OFFER, pair.now), pair.now)
    pair.settle()
    assert pair.b.events(Reoffered) == []
    assert pair.a.events(Renegotiated) == [Renegotiated(200, ANSWER)]


def test_offers_that_meet_are_both_made_again_after_a_while() -> None:
    """RFC 3261 section 14.1: 491, then 2.1 to 4 seconds for who chose the Call-ID, 0 to 2 for the other."""
    pair, ours, theirs = established()
    mine, yours = Body("application/sdp", b"mine"), Body("application/sdp", b"yours")
    pair.a.do(ours, ours.offer(mine, pair.now), pair.now)
    pair.b.do(theirs, theirs.offer(yours, pair.now), pair.now)
    pair.settle()
    assert pair.log.count("a: 491 INVITE") == pair.log.count("b: 491 INVITE") == 1
    a_at, b_at = ours.next_deadline(), theirs.next_deadline()
    assert a_at is not None and b_at is not None
    assert 2100 <= a_at - pair.now <= 4000
    assert 0 <= b_at - pair.now <= 2000
    pair.pass_time(2050)
    assert pair.a.events(Reoffered) == [Reoffered(yours)]
    pair.a.do(ours, ours.answer(ANSWER, pair.now), pair.now)
    pair.settle()
    pair.pass_time(2000)
    assert pair.b.events(Reoffered) == [Reoffered(mine)]
    pair.b.do(theirs, theirs.answer(ANSWER, pair.now), pair.now)
    pair.settle()
    assert pair.a.events(Renegotiated) == pair.b.events(Renegotiated) == [Renegotiated(200, ANSWER)]


def test_an_offer_behind_an_unanswered_one_is_told_to_wait() -> None:
    """Section 14.2: 500 with Retry-After."""
    pair, ours, _ = established()
    pair.a.feed(encode(in_dialog(pair, "INVITE", number=101, body=b"first")), pair.now)
    pair.a.feed(encode(in_dialog(pair, "INVITE", number=102, body=b"second")), pair.now)
    (refused,) = [m for m in pair.a.sent() if isinstance(m, Response) and m.status > 100]
    assert refused.status == 500
    assert 0 <= int(refused.headers.get("Retry-After") or "99") <= 10
    assert pair.a.events(Reoffered) == [Reoffered(Body("", b"first"))]
    assert ours.state is SessionState.RUNNING


def test_hanging_up_leaves_no_offer_unanswered() -> None:
    """Section 15.1.2: 487."""
    pair, ours, theirs = established()
    pair.a.do(ours, ours.offer(NEW, pair.now), pair.now)
    pair.settle()
    pair.b.do(theirs, theirs.hang_up(pair.now, "x"), pair.now)
    pair.settle()
    assert "b: 487 INVITE" in pair.log
    assert len(pair.a.layer) == len(pair.b.layer) == 0


def test_an_offer_that_nobody_answers_ends_the_session() -> None:
    pair, ours, _ = established()
    pair.lost = lambda message: isinstance(message, Request) and message.method == "INVITE"
    pair.a.do(ours, ours.offer(NEW, pair.now), pair.now)
    pair.settle()
    pair.pass_time(32_001)
    assert pair.a.events(Ended) == [Ended("the peer does not answer", by_peer=True)]
    assert len(pair.a.layer) == len(pair.b.layer) == 0


def test_an_invite_without_an_offer_gets_ours() -> None:
    pair, _, _ = established()
    pair.a.feed(encode(in_dialog(pair, "INVITE", number=101)), pair.now)
    (answer,) = [m for m in pair.a.sent() if isinstance(m, Response) and m.status == 200]
    assert answer.body == OFFER.data


def test_a_target_refresh_moves_the_peer() -> None:
    """Section 12.2.2: the Contact of a re-INVITE is where later requests go."""
    pair, ours, _ = established()
    pair.a.feed(encode(in_dialog(pair, "UPDATE", ("Contact", "<sip:b@127.0.0.9:99>"), number=101)), pair.now)
    assert answers(pair.a) == [200]
    pair.a.do(ours, ours.hang_up(pair.now, "x"), pair.now)
    (bye,) = pair.a.sent()
    assert isinstance(bye, Request) and bye.uri == "sip:b@127.0.0.9:99"
