"""In-dialog requests by loose routing (RFC 3261 sections 16.4 and 16.12): to the other end, and from nobody else."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carrier.harness import ALICE, BOB, CAROL, DOMAIN, Line, Net
from carrier.talk import Side, address, callee_side, caller_side, invite, methods, reply, statuses, talking
from letterlock.carrier.settings import Settings
from letterlock.carrier.tap import Interference, Seen, dropped, replaced
from letterlock.codec.sip import Headers, NameAddr, Request
from letterlock.sip.digest import DigestClient

ONE = "00000000-0000-4000-8000-000000000001"
TWO = "00000000-0000-4000-8000-000000000002"


def pair(net: Net) -> tuple[Line, Line, Side, Side]:
    alice, bob = net.phone(ALICE, ONE), net.phone(BOB, ONE)
    return alice, bob, *talking(alice, bob, ALICE, BOB)


@pytest.mark.parametrize(
    "method", ["BYE", "UPDATE", "INFO", "INVITE", "SUBSCRIBE", "NOTIFY", "REFER", "PRACK", "MESSAGE"]
)
def test_both_sides_speak_in_the_dialog(method: str) -> None:
    net = Net()
    alice, bob, caller, callee = pair(net)
    for side, other, sender in ((caller, bob, ALICE), (callee, alice, BOB)):
        side.send(method, body=b"x")
        request = other.arrived()[-1]
        assert request.method == method
        assert request.uri == side.target  # not rewritten: the other end knows itself by it
        assert request.headers.all("P-Asserted-Identity") == (f"<sip:{sender}@{DOMAIN};user=phone>", f"<tel:{sender}>")
        for name in ("Route", "Record-Route"):
            assert name not in request.headers
        reply(other, 200, tag="ignored")
        assert side.line.answers()[-1].status == 200


def test_a_request_goes_to_the_device_that_answered_and_to_no_other() -> None:
    net = Net()
    alice, first, second = net.phone(ALICE, ONE), net.phone(BOB, ONE), net.phone(BOB, TWO)
    caller, _ = talking(alice, second, ALICE, BOB)
    before = len(first.arrived())
    caller.send("INFO")
    assert methods(second)[-1] == "INFO"
    assert len(first.arrived()) == before


def test_a_re_invite_is_a_call_of_its_own() -> None:
    net = Net()
    alice, bob, caller, callee = pair(net)
    callee.send("INVITE")
    assert bob.answers()[-1].status == 100
    reply(alice, 491)
    assert methods(alice) == ["INVITE", "ACK"]
    assert bob.answers()[-1].status == 491
    caller.send("INVITE")
    reply(bob, 200)
    caller.send("ACK")
    assert methods(bob) == ["INVITE", "ACK", "INVITE", "ACK"]


def test_requests_in_an_early_dialog() -> None:
    """PRACK and UPDATE come before the INVITE is answered (RFC 3262, RFC 3311)."""
    net = Net()
    alice, bob = net.phone(ALICE, ONE), net.phone(BOB, ONE)
    invite(alice, ALICE, address(BOB))
    reply(bob, 183)
    early = caller_side(alice, alice.answers()[-1])
    early.send("PRACK")
    assert methods(bob) == ["INVITE", "PRACK"]
    callee_side(bob, bob.arrived()[0]).send("UPDATE")
    assert methods(alice) == ["UPDATE"]


def test_a_subscription_is_a_dialog_too() -> None:
    """A NOTIFY comes from the notifier, along the route of the SUBSCRIBE, and may come before its answer (RFC 6665)."""
    net = Net()
    alice, bob = net.phone(ALICE, ONE), net.phone(BOB, ONE)
    for method in ("SUBSCRIBE", "REFER"):
        invite(alice, ALICE, address(BOB), ("Event", "x"), method=method)
        request = bob.arrived()[-1]
        callee_side(bob, request).send("NOTIFY")
        assert alice.arrived()[-1].method == "NOTIFY"
        reply(alice, 200)
        reply(bob, 202, at=-1)


def test_a_phone_that_reconnects_is_still_in_its_dialogs() -> None:
    net = Net()
    _, bob, caller, callee = pair(net)
    bob.drop()
    answer = caller.send("INFO")
    assert answer is not None
    assert answer.status == 480
    back = net.phone(BOB, ONE)
    caller.send("INFO")
    assert methods(back) == ["INFO"]
    Side(back, callee.target, callee.local, callee.remote, callee.call_id, callee.route).send("BYE")
    assert caller.line.arrived()[-1].method == "BYE"
    # The same number at another device is not in the dialog.
    other = net.phone(BOB, TWO)
    answer = Side(other, callee.target, callee.local, callee.remote, callee.call_id, callee.route).send("BYE")
    assert answer is not None
    assert answer.status == 403


def test_a_connection_that_breaks_in_mid_request_ends_it() -> None:
    net = Net()
    _, bob, caller, _ = pair(net)
    caller.send("UPDATE")
    bob.drop()
    assert caller.line.answers()[-1].status == 480
    caller.send("BYE")
    assert caller.line.answers()[-1].status == 480


def test_a_device_that_says_nothing_in_mid_dialog() -> None:
    net = Net()
    _, _, caller, _ = pair(net)
    caller.send("UPDATE")
    net.pass_time(11_000)
    assert caller.line.answers()[-1].status == 408


# --- who is refused --------------------------------------------------------------------------------------
def test_a_stranger_with_the_whole_route_is_refused() -> None:
    """Carol has seen the dialog's route, Call-ID and tags, and speaks in it as herself, as Alice and as nobody."""
    net = Net()
    alice, bob, caller, callee = pair(net)
    carol = net.phone(CAROL, ONE)
    before = len(alice.arrived()), len(bob.arrived())
    for side in (caller, callee):
        for who in (address(CAROL), None):
            stolen = Side(carol, side.target, side.local, side.remote, side.call_id, side.route)
            extra = () if who is None else (("P-Preferred-Identity", f"<{who}>"),)
            for method in ("BYE", "INFO", "INVITE"):
                answer = stolen.send(method, *extra)
                assert answer is not None
                assert answer.status == 403
            assert stolen.send("ACK") is None
    assert (len(alice.arrived()), len(bob.arrived())) == before
    assert carol.hung_up  # who goes on guessing is cut off


def test_a_route_is_good_for_its_own_dialog_only() -> None:
    net = Net()
    alice, bob, caller, _ = pair(net)
    before = len(bob.arrived())
    for changed in (
        {"call_id": "another"},
        {"local": caller.local.replace("caller", "other")},
        {"route": (caller.route[0].replace("<sip:d.", "<sip:d.n1"),)},
        {"route": (caller.route[0].replace(BOB[1:], CAROL[1:]),)},
        {"route": ("<sip:d.n1-2.s0.ff@127.0.0.1:5060;transport=tcp;lr>",)},
        {"route": ()},
        {"route": ("<sip:127.0.0.1:5060;transport=tcp;lr>",)},
        {"remote": NameAddr(NameAddr.parse(caller.remote).uri).encode()},
    ):
        fields = {
            "target": caller.target,
            "local": caller.local,
            "remote": caller.remote,
            "call_id": caller.call_id,
            "route": caller.route,
            **changed,
        }
        answer = Side(alice, **fields).send("BYE")  # type: ignore[arg-type]
        assert answer is not None
        assert answer.status == 481, changed
    assert len(bob.arrived()) == before


def test_sr_17_nobody_is_relayed_to_an_address_of_a_peers_choice() -> None:
    net = Net()
    alice, bob, caller, _ = pair(net)
    before = len(bob.arrived())
    foreign = ("<sip:evil.example;lr>",)
    for route in (
        foreign,
        caller.route + foreign,
        foreign + caller.route,
        caller.route + caller.route,
        ("<sip:127.0.0.1:9;lr>",),
        ("<tel:+15550100>",),
    ):
        side = Side(alice, caller.target, caller.local, caller.remote, caller.call_id, route)
        for method in ("BYE", "MESSAGE", "INVITE"):
            answer = side.send(method)
            assert answer is not None
            assert answer.status == 403
        invite(alice, ALICE, address(BOB), *(("Route", value) for value in foreign))
        assert alice.answers()[-1].status == 403
    # A preloaded route of ours that is no dialog's is how a phone sends at all.
    invite(alice, ALICE, address(BOB), ("Route", "<sip:127.0.0.1:5060;transport=tcp;lr>"))
    assert len(bob.arrived()) == before + 1
    # A dialog's route preloaded outside it.
    invite(alice, ALICE, address(BOB), *(("Route", value) for value in caller.route))
    assert alice.answers()[-1].status == 481
    assert len(bob.arrived()) == before + 1


def test_a_strict_router_is_understood() -> None:
    """Section 16.4: our route in the Request-URI, the target last in Route."""
    net = Net()
    alice, bob, caller, _ = pair(net)
    uri = NameAddr.parse(caller.route[0]).uri.encode()
    strict = Side(alice, uri, caller.local, caller.remote, caller.call_id, (f"<{caller.target}>",))
    strict.send("INFO")
    assert methods(bob)[-1] == "INFO"
    assert bob.arrived()[-1].uri == caller.target
    answer = Side(alice, uri, caller.local, caller.remote, caller.call_id, ()).send("INFO")
    assert answer is not None
    assert answer.status == 400


def test_a_loop_is_seen_in_a_dialog_too() -> None:
    net = Net()
    _, bob, caller, _ = pair(net)
    before = len(bob.arrived())
    answer = caller.send("INFO", ("Via", "SIP/2.0/TCP a:1;branch=z9hG4bK1, SIP/2.0/TCP 127.0.0.1:5060;branch=z9hG4bK2"))
    assert answer is not None
    assert answer.status == 482
    answer = caller.send("INFO", ("Max-Forwards", "0"))
    assert answer is not None
    assert answer.status == 483
    assert len(bob.arrived()) == before


def test_each_request_in_a_dialog_is_challenged_when_all_are() -> None:
    net = Net(Settings(challenge_requests=True))
    alice, bob = net.phone(ALICE, ONE), net.phone(BOB, ONE)

    def sign(line: Line, number: str, password: str, method: str, uri: str) -> tuple[str, str]:
        client = DigestClient(number, password, net.rng)
        client.accept(line.answers()[-1].headers.all("Proxy-Authenticate"))
        return ("Proxy-Authorization", client.credentials(method, uri))

    invite(alice, ALICE, address(BOB))
    assert alice.answers()[-1].status == 407
    invite(alice, ALICE, address(BOB), sign(alice, ALICE, "alice-pw", "INVITE", address(BOB)))
    reply(bob, 200)
    caller = caller_side(alice, alice.answers()[-1])
    caller.send("ACK")
    assert methods(bob) == ["INVITE", "ACK"]  # nobody can be challenged for an ACK
    answer = caller.send("BYE")
    assert answer is not None
    assert answer.status == 407
    # Another's credentials are good for the other's dialogs.
    answer = caller.send("BYE", sign(alice, CAROL, "carol-pw", "BYE", caller.target))
    assert answer is not None
    assert answer.status == 403
    caller.send("BYE")
    caller.send("BYE", sign(alice, ALICE, "alice-pw", "BYE", caller.target))
    assert methods(bob) == ["INVITE", "ACK", "BYE"]
    assert "Proxy-Authorization" not in bob.arrived()[-1].headers


def test_an_ack_of_nothing_is_dropped_without_an_answer() -> None:
    net = Net()
    alice, bob = net.phone(ALICE, ONE), net.phone(BOB, ONE)
    seen = len(alice.inbox)
    invite(alice, ALICE, address(BOB), method="ACK")
    alice.send(Request("ACK", address(BOB), Headers((("Via", "nonsense"),))))
    alice.send(Request("ACK", address(BOB), Headers()))
    assert len(alice.inbox) == seen
    assert bob.arrived() == []


@pytest.mark.parametrize("method", ["BYE", "UPDATE", "INFO", "PRACK", "NOTIFY"])
def test_what_belongs_into_a_dialog_is_refused_outside(method: str) -> None:
    net = Net()
    alice, bob = net.phone(ALICE, ONE), net.phone(BOB, ONE)
    invite(alice, ALICE, address(BOB), method=method)
    assert alice.answers()[-1].status == 481
    assert bob.arrived() == []


@settings(max_examples=200)
@given(st.integers(0, 200), st.sampled_from(["0", "f", "s", "n", ".", "-", "", "+", "%41", "é"]))
def test_no_route_but_ours_opens_a_dialog(at: int, piece: str) -> None:
    net = Net()
    alice, bob, caller, _ = pair(net)
    before = len(bob.arrived())
    text = caller.route[0]
    at %= len(text)
    changed = text[:at] + piece + text[at + 1 :]
    Side(alice, caller.target, caller.local, caller.remote, caller.call_id, (changed,)).send("INFO")
    token = text.partition("@")[0]
    assert len(bob.arrived()) == before or changed.partition("@")[0] == token or changed.lower() == text.lower()


# --- a hostile carrier ---------------------------------------------------------------------------------------
def test_taps_see_and_change_the_new_methods() -> None:
    seen: list[tuple[str, str | None, str | None]] = []
    plan: dict[str, Interference] = {}

    def tap(what: Seen) -> Interference | None:
        if isinstance(what.message, Request) and what.message.method != "REGISTER":
            seen.append((what.message.method, what.sender, what.recipient))
            return plan.get(what.message.method)
        return None

    net = Net(tap=tap)
    alice, bob, caller, callee = pair(net)
    callee.send("BYE")
    assert seen == [("INVITE", ALICE, BOB), ("ACK", ALICE, BOB), ("BYE", BOB, ALICE)]
    plan["INFO"] = dropped()
    plan["UPDATE"] = replaced(Request("UPDATE", caller.target, Headers((("X", "y"),)), b"evil"))
    plan["ACK"] = dropped()
    plan["CANCEL"] = dropped()
    before = len(bob.arrived())
    assert caller.send("INFO") is None
    caller.send("ACK")
    assert len(bob.arrived()) == before
    caller.send("UPDATE")
    assert bob.arrived()[-1].body == b"evil"
    # A CANCEL that a hostile carrier keeps to itself.
    from carrier.talk import cancel_of

    request = invite(alice, ALICE, address(BOB))
    reply(bob, 180)
    alice.send(cancel_of(request))
    assert methods(bob)[-1] == "INVITE"
    assert statuses(alice)[-1] == 180


def test_a_tap_changes_answers_to_an_invite_and_forges_a_bye() -> None:
    def tap(what: Seen) -> Interference | None:
        if not isinstance(what.message, Request) and what.message.status == 200 and b"path" in what.message.body:
            answer = what.message
            return replaced(type(answer)(answer.status, answer.reason, answer.headers, b"evil path"))
        return None

    net = Net(tap=tap)
    alice, bob, caller, _ = pair(net)
    invite(alice, ALICE, address(BOB))
    answer = reply(bob, 200)
    bob.send(type(answer)(200, "OK", answer.headers, b"path"))
    assert alice.answers()[-1].body == b"evil path"
    forged = caller.request("BYE", ("Route", ""))
    net.perform(net.core.inject(forged, BOB, net.now))
    assert methods(bob)[-1] == "BYE"
