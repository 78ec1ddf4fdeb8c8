"""The carrier's proxy: who may send, what devices see, forking, store and forward for each device, refusals."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carrier.harness import ALICE, BOB, CAROL, DOMAIN, Net
from letterlock.carrier.accounts import Accounts
from letterlock.carrier.mailbox import MailboxLimits
from letterlock.carrier.settings import Settings
from letterlock.carrier.tap import Interference, Seen, delayed, dropped, duplicated, replaced, swallowed
from letterlock.codec.sip import Headers, Limits, Request, Response, StreamParser, Via
from letterlock.errors import DecodeError
from letterlock.sip.digest import DigestClient

ONE = "00000000-0000-4000-8000-000000000001"
TWO = "00000000-0000-4000-8000-000000000002"


def test_a_message_goes_through_byte_for_byte_and_the_answer_comes_back() -> None:
    net = Net()
    alice, bob = net.phone(ALICE), net.phone(BOB, ONE)
    body = bytes(range(256)) + b"\r\n\r\n\x00"
    assert alice.message(ALICE, BOB, body, ("Conversation-ID", "c1")) is None
    (request,) = bob.arrived()
    assert request.body == body
    assert request.headers.get("Conversation-ID") == "c1"
    assert request.headers.get("Max-Forwards") == "69"
    assert request.uri == f"sip:{BOB}@127.0.0.1:{bob.port};transport=tcp"
    assert [Via.parse(text).sent_by for text in request.headers.listed("Via")] == [
        "127.0.0.1:5060",
        f"127.0.0.1:{alice.port}",
    ]
    bob.answer()
    answer = alice.answers()[-1]
    assert answer.status == 200
    assert len(answer.headers.listed("Via")) == 1
    assert answer.headers.all("P-Asserted-Identity") == (f"<sip:{BOB}@{DOMAIN};user=phone>",)


def test_the_identity_is_written_by_us_and_by_nobody_else() -> None:
    net = Net()
    alice, bob = net.phone(ALICE), net.phone(BOB, ONE)
    alice.message(
        ALICE,
        BOB,
        b"x",
        ("P-Asserted-Identity", f"<sip:{CAROL}@{DOMAIN}>"),
        ("P-Asserted-Identity", f"<tel:{CAROL}>"),
        ("P-Preferred-Identity", f"<sip:{ALICE}@{DOMAIN}>"),
        ("P-Preferred-Service", "urn:x"),
        ("Proxy-Authorization", "Digest secret"),
        ("Route", "<sip:127.0.0.1:5060;transport=tcp;lr>"),
    )
    (request,) = bob.arrived()
    assert request.headers.all("P-Asserted-Identity") == (f"<sip:{ALICE}@{DOMAIN};user=phone>", f"<tel:{ALICE}>")
    assert request.headers.get("P-Asserted-Service") == "urn:x"
    for name in ("P-Preferred-Identity", "Proxy-Authorization", "Route"):
        assert name not in request.headers
    bob.answer(-1, 200, ("P-Asserted-Identity", f"<tel:{CAROL}>"))
    assert CAROL not in str(alice.answers()[-1].headers.items)


def test_speaking_for_another_number_is_refused() -> None:
    net = Net()
    alice, bob = net.phone(ALICE), net.phone(BOB, ONE)
    answer = alice.message(CAROL, BOB)
    assert answer is not None
    assert answer.status == 403
    answer = alice.message(ALICE, BOB, b"x", ("P-Preferred-Identity", f"<tel:{CAROL}>"))
    assert answer is not None
    assert answer.status == 403
    # Anonymous in From, known by its registration: the network says who it is.
    alice.request("MESSAGE", f"tel:{BOB}", ("From", "<sip:anonymous@anonymous.invalid>;tag=1"))
    assert bob.arrived()[-1].headers.all("P-Asserted-Identity")[1] == f"<tel:{ALICE}>"


def test_without_a_registration_each_request_needs_credentials() -> None:
    net = Net()
    bob, stranger = net.phone(BOB, ONE), net.line()
    refusal = stranger.message(ALICE, BOB)
    assert refusal is not None
    assert refusal.status == 407
    client = DigestClient(ALICE, "alice-pw", net.rng)
    client.accept(refusal.headers.all("Proxy-Authenticate"))
    uri = f"sip:{BOB}@{DOMAIN}"
    given = client.credentials("MESSAGE", uri)
    assert stranger.message(ALICE, BOB, b"x", ("Proxy-Authorization", given)) is None
    assert len(bob.arrived()) == 1
    # The same credentials again are a replay; those of another number are not Alice's.
    replay = stranger.message(ALICE, BOB, b"x", ("Proxy-Authorization", given))
    assert replay is not None
    assert replay.status == 407
    other = stranger.message(CAROL, BOB, b"x", ("Proxy-Authorization", client.credentials("MESSAGE", uri)))
    assert other is not None
    assert other.status == 403
    strict = Net(Settings(challenge_requests=True))
    answer = strict.phone(ALICE).message(ALICE, BOB)
    assert answer is not None
    assert answer.status == 407


def test_a_message_is_forked_to_all_devices_and_answered_when_one_took_it() -> None:
    net = Net()
    alice, first, second = net.phone(ALICE), net.phone(BOB, ONE), net.phone(BOB, TWO)
    alice.message(ALICE, BOB)
    assert len(first.arrived()) == len(second.arrived()) == 1
    branches = {Via.parse(line.arrived()[0].headers.listed("Via")[0]).branch for line in (first, second)}
    assert len(branches) == 2
    first.answer()
    assert [answer.status for answer in alice.answers()[2:]] == [200]
    second.answer(-1, 415)
    assert len(alice.answers()) == 3  # one final answer, whatever comes later


def test_a_message_to_the_own_number_goes_to_the_other_devices() -> None:
    net = Net()
    first, second = net.phone(ALICE, ONE), net.phone(ALICE, TWO)
    first.message(ALICE, ALICE)
    assert first.arrived() == []
    assert len(second.arrived()) == 1


def test_an_offline_phone_gets_its_messages_in_order_when_it_comes_back() -> None:
    net = Net()
    alice, bob = net.phone(ALICE), net.phone(BOB, ONE)
    bob.drop()
    for index in range(40):
        answer = alice.message(ALICE, BOB, b"%d" % index)
        assert answer is not None
        assert answer.status == 202
    assert net.core.mailbox.waiting(net.core.locations.of(BOB)[0].key)
    back = net.phone(BOB, ONE)
    assert len(back.arrived()) == 16  # some at a time
    assert back.answer_all() == 40
    assert [request.body for request in back.arrived()] == [b"%d" % index for index in range(40)]
    assert len(back.arrived()[0].headers.listed("Via")) == 1
    assert back.arrived()[0].headers.all("P-Asserted-Identity")[1] == f"<tel:{ALICE}>"
    # Their answers go no further: the sender has its own.
    assert {answer.status for answer in alice.answers()} == {401, 200, 202}
    assert len(alice.answers()) == 42
    assert not net.core.mailbox.waiting(net.core.locations.of(BOB)[0].key)


def test_each_device_gets_its_own_copy() -> None:
    """Two devices of one number, one there and one away: both get every message, each once."""
    net = Net()
    alice, first, second = net.phone(ALICE), net.phone(BOB, ONE), net.phone(BOB, TWO)
    second.drop()
    alice.message(ALICE, BOB, b"a")
    first.answer()
    assert alice.answers()[-1].status == 200
    first.drop()
    answer = alice.message(ALICE, BOB, b"b")
    assert answer is not None
    assert answer.status == 202
    for instance, expected in ((ONE, [b"b"]), (TWO, [b"a", b"b"])):
        back = net.phone(BOB, instance)
        back.answer_all()
        assert [request.body for request in back.arrived()] == expected


def test_a_copy_under_way_when_the_connection_breaks_is_kept() -> None:
    net = Net()
    alice, bob = net.phone(ALICE), net.phone(BOB, ONE)
    alice.message(ALICE, BOB, b"lost?")
    bob.drop()
    assert alice.answers()[-1].status == 202
    assert [request.body for request in net.phone(BOB, ONE).arrived()] == [b"lost?"]


def test_a_device_that_fails_for_now_is_tried_again_and_one_that_refuses_is_not() -> None:
    net = Net()
    alice, bob = net.phone(ALICE), net.phone(BOB, ONE)
    alice.message(ALICE, BOB, b"try")
    bob.answer(-1, 500)
    assert alice.answers()[-1].status == 202
    # What comes meanwhile queues behind it.
    answer = alice.message(ALICE, BOB, b"later")
    assert answer is not None
    assert answer.status == 202
    assert len(bob.arrived()) == 1
    net.pass_time(2_500)
    assert [request.body for request in bob.arrived()] == [b"try", b"try", b"later"]
    bob.answer(1)
    bob.answer(2)
    alice.message(ALICE, BOB, b"no")
    bob.answer(-1, 415)
    assert alice.answers()[-1].status == 415
    net.pass_time(60_000)
    assert len(bob.arrived()) == 4


def test_a_device_that_does_not_answer_times_out_and_its_copy_is_kept() -> None:
    net = Net()
    alice, bob = net.phone(ALICE), net.phone(BOB, ONE)
    alice.message(ALICE, BOB)
    net.pass_time(9_000)
    assert alice.answers()[-1].status == 200  # of its registration
    net.pass_time(1_500)
    assert alice.answers()[-1].status == 202
    net.pass_time(3_000)
    assert len(bob.arrived()) == 2
    # An answer to the copy that was given up is late and changes nothing.
    bob.answer(0)
    assert alice.answers()[-1].status == 202
    bob.answer(1)
    net.pass_time(60_000)
    assert len(bob.arrived()) == 2


def test_a_device_that_goes_away_for_good_stays_known_for_its_grace_and_no_longer() -> None:
    net = Net(Settings(grace_ms=60_000))
    alice, bob = net.phone(ALICE), net.phone(BOB, ONE)
    bob.register(BOB, ONE, expires=0)
    first = alice.message(ALICE, BOB)
    assert first is not None
    assert first.status == 202
    net.pass_time(62_000)
    second = alice.message(ALICE, BOB)
    assert second is not None
    assert second.status == 480
    assert net.phone(BOB, ONE).arrived() == []


def test_a_device_without_an_instance_is_not_stored_for() -> None:
    net = Net()
    alice, bob = net.phone(ALICE), net.phone(BOB)
    alice.message(ALICE, BOB)
    bob.answer(-1, 500)
    assert alice.answers()[-1].status == 500
    bob.drop()
    answer = alice.message(ALICE, BOB)
    assert answer is not None
    assert answer.status == 480


def test_sr_08_what_is_kept_is_bounded_by_count_bytes_and_age() -> None:
    limits = MailboxLimits(max_messages=3, max_bytes=100_000, max_total_bytes=90_000, max_age_ms=60_000)
    net = Net(Settings(mailbox=limits))
    alice = net.phone(ALICE)
    for phone in (BOB, CAROL):
        net.phone(phone, ONE).drop()

    def send(phone: str, size: int) -> int:
        answer = alice.message(ALICE, phone, bytes(size))
        assert answer is not None
        return answer.status

    assert [send(BOB, 10) for _ in range(4)] == [202, 202, 202, 503]
    assert [send(CAROL, 50_000), send(CAROL, 50_000)] == [202, 503]  # over the bytes of one device
    assert [send(CAROL, 40_000), send(CAROL, 5_000)] == [503, 202]  # over the bytes of all
    net.pass_time(62_000)
    assert send(BOB, 10) == 202
    assert len(net.phone(BOB, ONE).arrived()) == 1


def test_sr_08_headers_count_for_what_is_kept() -> None:
    limits = MailboxLimits(max_bytes=20_000)
    net = Net(Settings(mailbox=limits))
    alice, bob = net.phone(ALICE), net.phone(BOB, ONE)
    bob.drop()
    long = ("Subject", "x" * 6_000)
    assert [answer.status for _ in range(3) if (answer := alice.message(ALICE, BOB, b"", long))] == [202, 202, 503]


@pytest.mark.parametrize(("count", "length"), [(122, 10), (1, 8_000), (3, 5_200)])
def test_what_would_come_back_too_large_does_not_go_out(count: int, length: int) -> None:
    """A device's answer repeats every Via; over our own bounds it would end the device's connection, not the sender's."""
    net = Net()
    alice, bob = net.phone(ALICE), net.phone(BOB, ONE)
    via = ("Via", f"SIP/2.0/TCP 192.0.2.1;branch=z9hG4bK{'x' * length}")
    answer = alice.request("MESSAGE", f"sip:{BOB}@{DOMAIN}", *[via] * count)
    assert answer is not None
    assert answer.status == 513
    assert bob.arrived() == []


def test_options_do_not_wait_behind_kept_messages() -> None:
    net = Net()
    alice, bob = net.phone(ALICE), net.phone(BOB, ONE)
    bob.drop()
    alice.message(ALICE, BOB)
    bob = net.phone(BOB, ONE)
    assert alice.request("OPTIONS", f"sip:{BOB}@{DOMAIN}") is None
    assert [request.method for request in bob.arrived()] == ["MESSAGE", "OPTIONS"]


def test_a_kept_message_is_offered_again_after_a_moment_without_room() -> None:
    net = Net(Settings(max_open_branches=1))
    alice, bob, carol = net.phone(ALICE), net.phone(BOB, ONE), net.phone(CAROL, ONE)
    bob.drop()
    alice.message(ALICE, BOB)
    alice.message(ALICE, CAROL)  # the one branch that there is room for
    bob = net.phone(BOB, ONE)
    assert bob.arrived() == []
    carol.answer()
    net.pass_time(5_000)
    assert len(bob.arrived()) == 1


def test_options_reach_the_devices_and_their_tags_come_back() -> None:
    net = Net()
    alice, bob = net.phone(ALICE), net.phone(BOB, ONE)
    tags = f'<sip:{BOB}@127.0.0.1>;+g.gsma.rcs.mls.mls-version="v1";+g.3gpp.icsi-ref="urn%3Aurn-7%3Ax"'
    assert alice.request("OPTIONS", f"sip:{BOB}@{DOMAIN}") is None
    bob.answer(-1, 200, ("Contact", tags))
    assert alice.answers()[-1].headers.get("Contact") == tags
    bob.drop()
    for target, status in ((f"sip:{BOB}@{DOMAIN}", 480), (f"tel:{BOB}", 480), (f"sip:+15559999999@{DOMAIN}", 404)):
        answer = alice.request("OPTIONS", target)
        assert answer is not None
        assert answer.status == status
    assert not net.core.mailbox.waiting(net.core.locations.of(BOB)[0].key)
    own = alice.request("OPTIONS", f"sip:{DOMAIN}")
    assert own is not None
    assert own.status == 200


@pytest.mark.parametrize(
    ("method", "uri", "header", "status"),
    [
        ("MESSAGE", f"sip:{BOB}@{DOMAIN}", ("Max-Forwards", "0"), 483),
        ("MESSAGE", f"sip:{BOB}@{DOMAIN}", ("Max-Forwards", "many"), 400),
        ("MESSAGE", f"sip:{BOB}@{DOMAIN}", ("Via", "SIP/2.0/TCP a:1;branch=z9hG4bK1, SIP/2.0/TCP 127.0.0.1:5060"), 482),
        ("MESSAGE", f"sip:{BOB}@{DOMAIN}", ("Via", "nonsense"), 400),
        ("MESSAGE", f"sip:{BOB}@{DOMAIN}", ("Proxy-Require", "x-new"), 420),
        ("MESSAGE", f"sip:{BOB}@elsewhere.example", ("X", "y"), 403),
        ("MESSAGE", f"sip:{BOB}@{DOMAIN}", ("Route", "<sip:elsewhere.example;lr>"), 403),
        ("MESSAGE", f"sip:+15559999999@{DOMAIN}", ("X", "y"), 404),
        ("MESSAGE", f"sip:{CAROL}@{DOMAIN}", ("X", "y"), 480),
        ("MESSAGE", f"sip:@{DOMAIN}", ("X", "y"), 400),
        ("MESSAGE", "mailto:x@y", ("X", "y"), 416),
        ("PUBLISH", f"sip:{BOB}@{DOMAIN}", ("X", "y"), 405),
        ("MESSAGE", f"sip:{BOB}@{DOMAIN}", ("From", "nobody"), 400),
        ("MESSAGE", f"sip:{BOB}@{DOMAIN}", ("CSeq", "1 OPTIONS"), 400),
        ("REGISTER", f"sip:{DOMAIN}", ("To", "nobody"), 400),
    ],
)
def test_refusals(method: str, uri: str, header: tuple[str, str], status: int) -> None:
    net = Net()
    alice = net.phone(ALICE)
    net.phone(BOB, ONE)
    answer = alice.request(method, uri, header)
    assert answer is not None
    assert answer.status == status


def test_answers_count_only_from_the_connection_that_was_asked() -> None:
    net = Net()
    alice, bob, carol = net.phone(ALICE), net.phone(BOB, ONE), net.phone(CAROL)
    alice.message(ALICE, BOB)
    stolen = Response(200, "OK", bob.arrived()[0].headers)
    carol.send(stolen)
    carol.send(Response(200, "OK", Headers()))
    carol.send(Response(200, "OK", Headers((("Via", "nonsense"),))))
    assert alice.answers()[-1].headers.get(
        "CSeq",
    ) != bob.arrived()[0].headers.get("CSeq")
    bob.answer(-1, 180)
    bob.answer()
    assert [answer.status for answer in alice.answers()[2:]] == [200]


def test_lab_mode_knows_a_number_once_it_has_registered() -> None:
    net = Net(accounts=Accounts.lab("lab"))
    alice = net.phone("+15550001", password="lab")
    answer = alice.message("+15550001", "+15550002")
    assert answer is not None
    assert answer.status == 404
    net.phone("+15550002", ONE, password="lab").drop()
    answer = alice.message("+15550001", "+15550002")
    assert answer is not None
    assert answer.status == 202


# --- a hostile carrier ---------------------------------------------------------------------------
def hostile(how: object, method: str = "MESSAGE") -> Net:
    """A carrier that does this to requests of that method."""

    def tap(seen: Seen) -> Interference | None:
        if isinstance(seen.message, Request) and seen.message.method == method:
            return how(seen.message) if callable(how) else how  # type: ignore[return-value]
        return None

    return Net(tap=tap)


def test_a_tap_drops_swallows_delays_duplicates_and_replaces() -> None:
    def run(how: object) -> tuple[list[bytes], list[int], Net]:
        net = hostile(how)
        alice, bob = net.phone(ALICE), net.phone(BOB, ONE)
        alice.message(ALICE, BOB, b"x")
        bob.answer_all()
        return [item.body for item in bob.arrived()], [item.status for item in alice.answers()[2:]], net

    assert run(dropped())[:2] == ([], [])
    assert run(swallowed())[:2] == ([], [200])
    assert run(duplicated)[:2] == ([b"x", b"x"], [200])
    assert run(lambda message: replaced(Request(message.method, message.uri, message.headers, b"y")))[:2] == (
        [b"y"],
        [200],
    )
    bodies, statuses, net = run(lambda message: delayed(message, 5_000))
    assert (bodies, statuses) == ([], [])
    net.pass_time(5_001)
    (bob,) = [line for line in net.lines.values() if line.arrived()]
    bob.answer_all()
    assert [item.body for item in bob.arrived()] == [b"x"]


def test_a_tap_strips_tags_from_answers_and_forges_messages() -> None:
    def tap(seen: Seen) -> Interference | None:
        if isinstance(seen.message, Response) and "Contact" in seen.message.headers:
            answer = seen.message
            return replaced(Response(answer.status, answer.reason, answer.headers.without("Contact"), answer.body))
        return None

    net = Net(tap=tap)
    alice, bob = net.phone(ALICE), net.phone(BOB, ONE)
    alice.request("OPTIONS", f"sip:{BOB}@{DOMAIN}")
    bob.answer(-1, 200, ("Contact", "<sip:x@y>;+g.some.tag"))
    assert "Contact" not in alice.answers()[-1].headers
    forged = Request("MESSAGE", f"sip:{BOB}@{DOMAIN}", Headers((("P-Asserted-Identity", f"<tel:{ALICE}>"),)), b"z")
    net.perform(net.core.inject(forged, BOB, net.now))
    assert bob.arrived()[-1].body == b"z"
    bob.send(Response(200, "OK", bob.arrived()[-1].headers.appended("CSeq", "1 MESSAGE")))


def test_a_tap_sees_registrations() -> None:
    net = hostile(swallowed(403), "REGISTER")
    assert net.line().register(ALICE).status == 403
    assert net.core.locations.of(ALICE) == ()


# --- hostile input ---------------------------------------------------------------------------------
LIMITS = Limits(16_384, 128, 8_192, 65_536)
HONEST = (
    f"MESSAGE sip:{BOB}@{DOMAIN} SIP/2.0\r\nVia: SIP/2.0/TCP h:1;branch=z9hG4bKq\r\nMax-Forwards: 70\r\n"
    f"From: <sip:{ALICE}@{DOMAIN}>;tag=1\r\nTo: <sip:{BOB}@{DOMAIN}>\r\nCall-ID: c\r\nCSeq: 1 MESSAGE\r\n"
    f'Contact: <sip:a@b>;expires=5\r\nRoute: <sip:127.0.0.1;lr>\r\nProxy-Authorization: Digest username="x"\r\n'
    f"P-Preferred-Identity: <tel:{ALICE}>\r\nContent-Type: a/b\r\nContent-Length: 2\r\n\r\nhi"
).encode()


@settings(max_examples=300)
@given(
    st.lists(st.tuples(st.integers(0, len(HONEST) - 1), st.binary(min_size=1, max_size=3)), max_size=4),
    st.sampled_from([b"MESSAGE", b"REGISTER", b"INVITE", b"ACK", b"CANCEL", b"BYE", b"SUBSCRIBE", b"OPTIONS"]),
)
def test_sr_09_the_core_survives_any_message_that_parses(edits: list[tuple[int, bytes]], method: bytes) -> None:
    data = bytearray(HONEST.replace(b"MESSAGE", method))
    for at, piece in edits:
        data[at : at + len(piece)] = piece
    net = Net()
    alice, bob = net.phone(ALICE), net.phone(BOB, ONE)
    try:
        items = StreamParser(LIMITS).feed(bytes(data))
    except DecodeError:  # framing lost: the server hangs up, which is tested there
        return
    for item in items:
        if isinstance(item, Request | Response):
            alice.send(item)
            bob.answer_all()
            net.pass_time(1_000)


def test_malformed_messages_are_counted() -> None:
    net = Net(Settings(max_malformed=2))
    line = net.line()
    net.perform(net.core.malformed(line.id))
    assert not line.hung_up
    net.perform(net.core.malformed(line.id))
    assert line.hung_up
