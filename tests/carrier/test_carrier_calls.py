"""INVITE through the carrier (RFC 3261 sections 16.6 to 16.10): forking, who wins, CANCEL and its races, timers, bounds."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carrier.harness import ALICE, BOB, CAROL, DOMAIN, Line, Net
from carrier.talk import OFFER, address, callee_side, caller_side, cancel_of, invite, methods, reply, statuses
from letterlock.carrier.settings import Settings
from letterlock.codec.sip import CSeq, Request, Response, Via

ONE = "00000000-0000-4000-8000-000000000001"
TWO = "00000000-0000-4000-8000-000000000002"
MINUTE = 60_000


def two_devices(net: Net) -> tuple[Line, Line, Line]:
    return net.phone(ALICE, ONE), net.phone(BOB, ONE), net.phone(BOB, TWO)


def test_an_invite_goes_through_with_our_route_and_the_identity_that_we_assert() -> None:
    net = Net()
    alice, bob = net.phone(ALICE, ONE), net.phone(BOB, ONE)
    invite(
        alice, ALICE, address(BOB), ("Record-Route", "<sip:evil.example;lr>"), ("P-Asserted-Identity", f"<tel:{CAROL}>")
    )
    assert statuses(alice) == [100]
    (request,) = bob.arrived()
    assert request.body == OFFER
    assert request.uri == f"sip:{BOB}@127.0.0.1:{bob.port};transport=tcp"
    (recorded,) = request.headers.listed("Record-Route")
    assert recorded.startswith("<sip:d.")
    assert recorded.endswith("@127.0.0.1:5060;transport=tcp;lr>")
    # The route names the number, which both know; the instance of the other's device is nobody's business.
    assert ONE not in recorded
    assert request.headers.all("P-Asserted-Identity") == (f"<sip:{ALICE}@{DOMAIN};user=phone>", f"<tel:{ALICE}>")
    reply(bob, 180)
    reply(bob, 200, ("P-Asserted-Identity", f"<tel:{CAROL}>"))
    ringing, answer = alice.answers()[-2:]
    assert (ringing.status, answer.status) == (180, 200)
    assert answer.headers.listed("Record-Route") == (recorded,)
    assert answer.headers.all("P-Asserted-Identity") == (f"<sip:{BOB}@{DOMAIN};user=phone>",)
    assert len(answer.headers.listed("Via")) == 1
    caller_side(alice, answer).send("ACK", cseq=5)
    assert methods(bob) == ["INVITE", "ACK"]
    assert bob.arrived()[1].body == b""


def test_trying_is_ours_and_is_not_passed_on() -> None:
    net = Net()
    alice, bob = net.phone(ALICE), net.phone(BOB, ONE)
    invite(alice, ALICE, address(BOB))
    reply(bob, 100)
    reply(bob, 183)
    assert statuses(alice) == [100, 183]


def test_two_devices_ring_and_the_first_to_answer_wins() -> None:
    net = Net()
    alice, first, second = two_devices(net)
    invite(alice, ALICE, address(BOB))
    for line, tag in ((first, "a"), (second, "b")):
        reply(line, 180, tag=tag)
    assert statuses(alice) == [100, 180, 180]
    reply(first, 200, tag="a")
    assert statuses(alice) == [100, 180, 180, 200]
    assert methods(second) == ["INVITE", "CANCEL"]
    cancelled, cancel = second.arrived()
    # Section 9.1: the same Request-URI, Call-ID, To, From, number and topmost Via, so that the device can match it.
    assert cancel.uri == cancelled.uri
    assert cancel.headers.listed("Via") == cancelled.headers.listed("Via")[:1]
    for name in ("Call-ID", "To", "From"):
        assert cancel.headers.get(name) == cancelled.headers.get(name)
    assert cancel.headers.get("Reason") == 'SIP;cause=200;text="Call completed elsewhere"'
    reply(second, 200)
    reply(second, 487, at=0, tag="b")
    assert methods(second) == ["INVITE", "CANCEL", "ACK"]
    assert (second.arrived()[2].headers.get("To") or "").endswith(";tag=b")
    assert statuses(alice) == [100, 180, 180, 200]  # the loser's 487 is ours alone


def test_a_cancel_waits_until_the_device_has_said_something() -> None:
    """Section 9.1: before a provisional answer a CANCEL might overtake its INVITE."""
    net = Net()
    alice, first, second = two_devices(net)
    invite(alice, ALICE, address(BOB))
    reply(first, 200)
    assert methods(second) == ["INVITE"]
    reply(second, 100)
    assert methods(second) == ["INVITE", "CANCEL"]
    reply(second, 180, at=0)
    assert methods(second) == ["INVITE", "CANCEL"]
    assert statuses(alice) == [100, 200]


def test_two_answers_cross_and_both_reach_the_caller() -> None:
    """Section 16.7 step 5: every 2xx is passed on; the caller ends the dialog that it does not want, by its own route."""
    net = Net()
    alice, first, second = two_devices(net)
    invite(alice, ALICE, address(BOB))
    reply(first, 180)
    reply(second, 180)
    reply(first, 200, tag="a")
    reply(second, 200, at=0, tag="b")
    assert statuses(alice) == [100, 180, 180, 200, 200]
    for answer, line, other in zip(alice.answers()[-2:], (first, second), (second, first), strict=True):
        before = len(other.arrived())
        side = caller_side(alice, answer)
        side.send("ACK", cseq=1)
        side.send("BYE")
        assert methods(line)[-2:] == ["ACK", "BYE"]
        assert len(other.arrived()) == before
        reply(line, 200)
    assert statuses(alice)[-2:] == [200, 200]


def test_a_late_answer_after_a_timeout_is_passed_on_and_a_very_late_one_is_not() -> None:
    net = Net()
    alice, bob = net.phone(ALICE), net.phone(BOB, ONE)
    invite(alice, ALICE, address(BOB))
    net.pass_time(33_000)
    assert statuses(alice) == [100, 408]
    reply(bob, 200)
    assert statuses(alice) == [100, 408, 200]
    reply(bob, 200)  # repeated by the device, which waits for its ACK (section 13.3.1.4)
    assert statuses(alice) == [100, 408, 200, 200]
    net.pass_time(40_000)
    reply(bob, 200)
    assert statuses(alice) == [100, 408, 200, 200]


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ((486, 480), 486),
        ((404, 603), 603),
        ((302, 486), 302),
        ((500, 486), 486),
        ((486, 415), 415),
        ((503, 503), 500),
        ((488, 600), 600),
    ],
)
def test_the_best_of_the_refusals_is_what_the_caller_hears(answers: tuple[int, int], expected: int) -> None:
    """Section 16.7 step 6."""
    net = Net()
    alice, first, second = two_devices(net)
    request = invite(alice, ALICE, address(BOB))
    for line, status in zip((first, second), answers, strict=True):
        assert statuses(alice) == [100]
        reply(line, status, ("Warning", f'399 x "{status}"'))
    assert statuses(alice) == [100, expected]
    final = alice.answers()[-1]
    if expected != 500:
        assert final.headers.get("Warning") == f'399 x "{expected}"'
    alice.send(cancel_of(request, "ACK"))
    assert methods(first) == methods(second) == ["INVITE", "ACK"]  # ours; the caller's goes no further


def test_a_refusal_brings_along_what_the_caller_needs_to_ask_better() -> None:
    net = Net()
    alice, first, second = two_devices(net)
    invite(alice, ALICE, address(BOB))
    reply(first, 422, ("Min-SE", "120"))
    reply(second, 486)
    assert alice.answers()[-1].headers.get("Min-SE") == "120"
    invite(alice, ALICE, address(BOB))
    reply(first, 401, ("WWW-Authenticate", 'Digest realm="a", nonce="1"'))
    reply(second, 407, ("Proxy-Authenticate", 'Digest realm="b", nonce="2"'))
    # Step 7: the challenges of all.
    final = alice.answers()[-1].headers
    assert "WWW-Authenticate" in final
    assert "Proxy-Authenticate" in final


def test_a_6xx_stops_the_others_and_is_passed_on_when_they_have_stopped() -> None:
    net = Net()
    alice, first, second = two_devices(net)
    invite(alice, ALICE, address(BOB))
    reply(second, 180)
    reply(first, 603)
    assert methods(second) == ["INVITE", "CANCEL"]
    assert statuses(alice) == [100, 180]
    reply(second, 487, at=0)
    assert statuses(alice) == [100, 180, 603]


def test_a_2xx_after_a_6xx_goes_to_the_caller() -> None:
    net = Net()
    alice, first, second = two_devices(net)
    invite(alice, ALICE, address(BOB))
    reply(second, 180)
    reply(first, 603)
    reply(second, 200, at=0)
    assert statuses(alice) == [100, 180, 200]


def test_the_caller_cancels() -> None:
    net = Net()
    alice, first, second = two_devices(net)
    request = invite(alice, ALICE, address(BOB))
    reply(first, 180)
    alice.send(cancel_of(request))
    assert statuses(alice) == [100, 180, 200]  # of the CANCEL
    assert CSeq.parse(alice.answers()[-1].headers.get("CSeq") or "").method == "CANCEL"
    assert methods(first) == ["INVITE", "CANCEL"]
    assert methods(second) == ["INVITE"]
    reply(second, 180)
    assert methods(second) == ["INVITE", "CANCEL"]
    for line in (first, second):
        reply(line, 200)
        reply(line, 487, at=0)
    assert statuses(alice)[3:] == [180, 487]
    assert methods(first) == methods(second) == ["INVITE", "CANCEL", "ACK"]
    alice.send(cancel_of(request, "ACK"))
    alice.send(cancel_of(request))
    assert statuses(alice)[5:] == [481]  # nothing is left to cancel


def test_an_answer_crosses_the_cancel() -> None:
    """Section 9.1: the CANCEL has no effect on a device that has answered, and the caller gets its 2xx."""
    net = Net()
    alice, bob = net.phone(ALICE), net.phone(BOB, ONE)
    request = invite(alice, ALICE, address(BOB))
    reply(bob, 180)
    alice.send(cancel_of(request))
    reply(bob, 200, at=0)
    reply(bob, 200, at=1)
    assert statuses(alice) == [100, 180, 200, 200]
    caller_side(alice, alice.answers()[-1]).send("ACK", cseq=1)
    assert methods(bob) == ["INVITE", "CANCEL", "ACK"]


def test_a_cancel_after_the_final_answer_changes_nothing() -> None:
    net = Net()
    alice, first, _ = two_devices(net)
    request = invite(alice, ALICE, address(BOB))
    reply(first, 200)
    alice.send(cancel_of(request))
    assert statuses(alice) == [100, 200, 200]
    assert methods(first) == ["INVITE"]


def test_a_device_that_does_not_heed_the_cancel_does_not_hold_the_caller() -> None:
    net = Net()
    alice, bob = net.phone(ALICE), net.phone(BOB, ONE)
    request = invite(alice, ALICE, address(BOB))
    reply(bob, 180)
    alice.send(cancel_of(request))
    net.pass_time(33_000)
    assert statuses(alice) == [100, 180, 200, 487]


def test_an_ack_before_there_is_an_answer_ends_nothing() -> None:
    net = Net()
    alice, bob = net.phone(ALICE), net.phone(BOB, ONE)
    request = invite(alice, ALICE, address(BOB))
    reply(bob, 180)
    alice.send(cancel_of(request, "ACK"))
    alice.send(cancel_of(request))
    assert statuses(alice) == [100, 180, 200]
    assert methods(bob) == ["INVITE", "CANCEL"]


def test_only_the_callers_own_connection_cancels() -> None:
    net = Net()
    alice, bob, carol = net.phone(ALICE), net.phone(BOB, ONE), net.phone(CAROL, ONE)
    request = invite(alice, ALICE, address(BOB))
    reply(bob, 180)
    carol.send(cancel_of(request))
    assert statuses(carol) == [481]
    assert methods(bob) == ["INVITE"]


def test_timer_c_ends_what_rings_for_too_long_and_ringing_winds_it_back() -> None:
    """Section 16.8: a CANCEL, for it has said something."""
    net = Net()
    alice, bob = net.phone(ALICE), net.phone(BOB, ONE)
    invite(alice, ALICE, address(BOB))
    reply(bob, 180)
    net.pass_time(3 * MINUTE)
    reply(bob, 180)
    net.pass_time(3 * MINUTE)
    reply(bob, 100)  # does not count
    net.pass_time(MINUTE // 4)
    assert methods(bob) == ["INVITE", "CANCEL"]
    reply(bob, 487, at=0)
    assert statuses(alice) == [100, 180, 180, 487]


def test_a_connection_that_breaks_while_it_rings_is_a_device_that_is_not_there() -> None:
    net = Net()
    alice, first, second = two_devices(net)
    invite(alice, ALICE, address(BOB))
    reply(first, 180)
    first.drop()
    assert statuses(alice) == [100, 180]
    second.drop()
    assert statuses(alice) == [100, 180, 480]


def test_a_caller_that_is_gone_rings_nobody() -> None:
    net = Net()
    alice, first, second = two_devices(net)
    invite(alice, ALICE, address(BOB))
    reply(first, 180)
    alice.drop()
    assert methods(first) == ["INVITE", "CANCEL"]
    reply(second, 200)  # crossing: nobody can acknowledge it, and the device ends it for want of an ACK
    reply(first, 487, at=0)
    assert methods(first) == ["INVITE", "CANCEL", "ACK"]
    net.pass_time(4 * MINUTE)


@pytest.mark.parametrize(
    ("uri", "status"),
    [
        (address(CAROL), 480),
        (f"sip:+15559999999@{DOMAIN}", 404),
        ("sip:x@elsewhere.example", 403),
        (f"sip:conf-1@{DOMAIN}", 404),
    ],
)
def test_nobody_there_unknown_and_elsewhere(uri: str, status: int) -> None:
    """As Kamailio answers."""
    net = Net()
    alice = net.phone(ALICE)
    invite(alice, ALICE, uri)
    assert statuses(alice)[-1] == status


def test_who_has_not_registered_begins_no_dialog() -> None:
    """What comes back in it could not be brought to them. Credentials alone are good for a MESSAGE."""
    net = Net(Settings(challenge_requests=True))
    bob, line = net.phone(BOB, ONE), net.line()
    first = invite(line, ALICE, address(BOB))
    client_answer = line.answers()[-1]
    assert client_answer.status == 407
    from letterlock.sip.digest import DigestClient

    client = DigestClient(ALICE, "alice-pw", net.rng)
    client.accept(client_answer.headers.all("Proxy-Authenticate"))
    invite(line, ALICE, address(BOB), ("Proxy-Authorization", client.credentials("INVITE", first.uri)))
    assert line.answers()[-1].status == 403
    assert bob.arrived() == []


def test_the_own_number_rings_at_the_other_devices() -> None:
    net = Net()
    first, second = net.phone(ALICE, ONE), net.phone(ALICE, TWO)
    invite(first, ALICE, address(ALICE))
    assert methods(first) == []
    assert methods(second) == ["INVITE"]


def test_numbers_behind_one_connection_reach_each_other() -> None:
    """A gateway registers many numbers over one connection."""
    net = Net()
    line = net.phone(ALICE, ONE)
    assert line.register(BOB, TWO).status == 200
    invite(line, ALICE, address(BOB))
    assert methods(line) == ["INVITE"]
    reply(line, 200)
    caller_side(line, line.answers()[-1]).send("BYE")
    assert methods(line) == ["INVITE", "BYE"]


def test_the_same_invite_again_is_absorbed() -> None:
    net = Net()
    alice, bob = net.phone(ALICE), net.phone(BOB, ONE)
    request = invite(alice, ALICE, address(BOB))
    alice.send(request)
    assert methods(bob) == ["INVITE"]
    assert statuses(alice) == [100]


def test_an_invite_without_a_branch_of_rfc_3261_is_refused() -> None:
    net = Net()
    alice, bob = net.phone(ALICE), net.phone(BOB, ONE)
    invite(alice, ALICE, address(BOB), ("Via", "SIP/2.0/TCP 127.0.0.1:40001;branch=old"))
    assert statuses(alice) == [400]
    assert bob.arrived() == []


def test_sr_08_calls_are_bounded_for_each_peer_and_in_all() -> None:
    net = Net(Settings(max_calls=3, max_calls_per_connection=2))
    alice, bob, carol = net.phone(ALICE), net.phone(BOB, ONE), net.phone(CAROL, ONE)
    for _ in range(3):
        invite(alice, ALICE, address(BOB))
    assert statuses(alice) == [100, 100, 503]
    assert alice.answers()[-1].headers.get("Retry-After") == "5"
    for _ in range(2):
        invite(carol, CAROL, address(BOB))
    assert statuses(carol) == [100, 503]
    # What was refused and acknowledged makes room again at once, what was answered after a while.
    reply(bob, 486, at=0)
    alice.send(cancel_of(_sent_by(alice, bob.arrived()[0]), "ACK"))
    invite(alice, ALICE, address(BOB))
    assert statuses(alice)[-1] == 100
    reply(bob, 200, at=1)
    invite(alice, ALICE, address(BOB))
    assert statuses(alice)[-1] == 503
    net.pass_time(40_000)
    invite(alice, ALICE, address(BOB))
    assert statuses(alice)[-1] == 100


def _sent_by(line: Line, arrived: Request) -> Request:
    """The request as its sender sent it, from what came of it."""
    headers = arrived.headers.without_first("Via")
    return Request(arrived.method, address(BOB), headers)


def test_sr_08_open_branches_are_bounded() -> None:
    net = Net(Settings(max_open_branches=1))
    alice, first, second = two_devices(net)
    invite(alice, ALICE, address(BOB))
    assert methods(first) + methods(second) == ["INVITE"]
    ringing = first if first.arrived() else second
    reply(ringing, 486)
    assert statuses(alice) == [100, 486]


@pytest.mark.parametrize("method", ["INVITE", "SUBSCRIBE", "REFER"])
def test_sr_08_what_would_come_back_too_large_does_not_go_out(method: str) -> None:
    net = Net()
    alice, bob = net.phone(ALICE), net.phone(BOB, ONE)
    for extra in ([("X", "y" * 8_000)], [("X", "y")] * 121, [("X", "y" * 5_200)] * 3):
        invite(alice, ALICE, address(BOB), *extra, method=method)
        assert statuses(alice)[-1] == 513
    assert bob.arrived() == []


def test_sr_08_bodies_under_way_are_bounded_and_a_call_that_rings_holds_none() -> None:
    net = Net(Settings(max_open_bytes=100_000))
    alice, bob = net.phone(ALICE), net.phone(BOB, ONE)
    for _ in range(3):
        invite(alice, ALICE, address(BOB), body=bytes(60_000))
    assert statuses(alice) == [100, 100, 100]
    assert all(not leg.sent.body for call in net.core._calls._calls.values() for leg in call.legs)
    for _ in range(2):
        invite(alice, ALICE, address(BOB), body=bytes(60_000), method="OPTIONS")
    assert statuses(alice) == [100, 100, 100, 503]
    reply(bob, 200)
    invite(alice, ALICE, address(BOB), body=bytes(60_000), method="OPTIONS")
    assert methods(bob)[-1] == "OPTIONS"
    assert len(methods(bob)) == 5


def test_sr_08_nothing_is_left_of_calls_that_are_over() -> None:
    net = Net()
    alice, first, second = two_devices(net)
    for ending in ("taken", "refused", "cancelled", "silent", "gone"):
        request = invite(alice, ALICE, address(BOB))
        if ending == "taken":
            reply(first, 200)
        elif ending == "refused":
            reply(first, 486)
            reply(second, 486)
        elif ending == "cancelled":
            reply(first, 180)
            alice.send(cancel_of(request))
        elif ending == "gone":
            alice.drop()
    net.pass_time(10 * MINUTE)
    core = net.core
    assert len(core._branches) == 0
    assert not core._calls._calls
    assert not core._calls._of
    assert not core._branches._on
    assert not core._branches._timers._at


def test_answers_count_only_from_the_connection_and_for_the_method_that_was_asked() -> None:
    net = Net()
    alice, bob, carol = net.phone(ALICE), net.phone(BOB, ONE), net.phone(CAROL, ONE)
    invite(alice, ALICE, address(BOB))
    request = bob.arrived()[0]
    carol.send(Response(200, "OK", request.headers))
    bob.send(Response(200, "OK", request.headers.with_("CSeq", "1 CANCEL")))
    bob.send(Response(200, "OK", request.headers.without("CSeq")))
    assert statuses(alice) == [100]
    assert Via.parse(request.headers.listed("Via")[0]).sent_by == "127.0.0.1:5060"


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["invite", "answer", "cancel", "ack", "drop", "back", "wait", "bye"]),
        st.integers(0, 2),
        st.sampled_from([100, 180, 183, 200, 202, 302, 404, 486, 487, 503, 603]),
    ),
    max_size=30,
)


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_whatever_happens_a_caller_hears_one_refusal_or_answers_and_nothing_stays(
    steps: list[tuple[str, int, int]],
) -> None:
    """Section 16.7: exactly one final answer that is none of 2xx, or one or more 2xx (also after it, when late)."""
    net = Net()
    alice, *phones = two_devices(net)
    callees = [*phones]
    sent: list[Request] = []
    for what, who, status in steps:
        callee = callees[who % 2]
        if what == "invite" and alice.id in net.lines:
            sent.append(invite(alice, ALICE, address(BOB)))
        elif what == "answer" and callee.arrived():
            asked = [index for index, item in enumerate(callee.arrived()) if item.method != "ACK"]
            reply(callee, status, at=asked[status % len(asked)], tag=f"t{who}")
        elif what in ("cancel", "ack") and sent and alice.id in net.lines:
            alice.send(cancel_of(sent[-1], what.upper()))
        elif what == "drop":
            callee.drop()
        elif what == "back" and callee.id not in net.lines:
            callees[who % 2] = net.phone(BOB, (ONE, TWO)[who % 2])
        elif what == "wait":
            net.pass_time(status * 100)
        elif what == "bye" and (
            good := [a for a in alice.answers() if a.status == 200 and "Record-Route" in a.headers]
        ):
            caller_side(alice, good[-1]).send("BYE")
    net.pass_time(15 * MINUTE)
    heard: dict[str, list[int]] = {}
    for answer in alice.answers()[2:]:
        if CSeq.parse(answer.headers.get("CSeq") or "").method == "INVITE" and answer.status >= 200:
            heard.setdefault(answer.headers.get("Call-ID") or "", []).append(answer.status)
    for request in sent:
        finals = heard.get(request.headers.get("Call-ID") or "", [])
        assert finals, "a caller was left without an answer"
        assert len([status for status in finals if status >= 300]) <= 1
    assert not net.core._calls._calls
    assert len(net.core._branches) == 0


def test_the_callee_speaks_in_the_dialog_too() -> None:
    net = Net()
    alice, bob = net.phone(ALICE), net.phone(BOB, ONE)
    invite(alice, ALICE, address(BOB))
    request = bob.arrived()[0]
    reply(bob, 200)
    callee_side(bob, request).send("BYE")
    assert methods(alice) == ["BYE"]
    reply(alice, 200)
    assert bob.answers()[-1].status == 200
