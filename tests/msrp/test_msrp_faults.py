"""Connections that end anywhere, peers that never answer, never read, or are hostile: every message gets exactly one
end, with a reason, and memory stays bounded (SR-08)."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from letterlock.codec.msrp import (
    ByteRange,
    FailureReport,
    Flag,
    MsrpParser,
    MsrpUri,
    Request,
    Response,
    Status,
    encode_end,
    encode_head,
    encode_response,
)
from letterlock.errors import InputError
from letterlock.msrp import (
    Connection,
    Disconnected,
    Event,
    MessageBroken,
    MessageReceived,
    MessageStarted,
    SendCompleted,
    SendFailed,
    Session,
    SessionBound,
    SessionFailed,
    SessionTable,
)
from msrp.pair import ALICE, BOB, LIMITS, SETTINGS, Endpoint, Pair, endpoint, pair
from msrp.pair import settings as changed


def check_ends(end: Endpoint, sent: list[int]) -> None:
    """Exactly one end of each message, in both directions."""
    ours = Counter(event.message for event in end.of(SendCompleted, SendFailed))  # type: ignore[union-attr]
    assert ours == Counter(sent)
    started = Counter(event.message for event in end.of(MessageStarted))  # type: ignore[union-attr]
    ended = Counter(event.message for event in end.of(MessageReceived, MessageBroken))  # type: ignore[union-attr]
    assert started == ended
    assert all(event.reason for event in end.of(SendFailed, MessageBroken))  # type: ignore[union-attr]


def lose(made: Pair, reason: str = "connection lost") -> None:
    for end in (made.alice, made.bob):
        end.connection.connection_lost(reason)
        end.gather()
        assert isinstance(end.events[-1], Disconnected)


BODY = bytes(range(100))


def _until(cut: int, to_bob: bool, success: bool) -> tuple[Pair, int, int]:
    """Send a message of three chunks over a connection that ends after `cut` bytes in one direction.

    Returns also how many bytes went in that direction.
    """
    made = pair(chunk=40)
    number = made.alice.send(BODY, success_report=success)
    passed = 0
    moved = True
    while moved and passed < cut:
        moved = False
        for source, target, counted in ((made.alice, made.bob, to_bob), (made.bob, made.alice, not to_bob)):
            data = source.connection.data_to_send(1 << 16, 0)
            source.gather()
            if counted:
                data = data[: cut - passed]
                passed += len(data)
            if data:
                moved = True
                target.connection.receive_data(data, 0)
                target.gather()
    return made, number, passed


@pytest.mark.parametrize("to_bob", [True, False])
@pytest.mark.parametrize("success", [True, False])
def test_a_connection_cut_at_every_byte(to_bob: bool, success: bool) -> None:
    """Delivered or failed with a reason, never both and never none; and delivered only if it is there."""
    _, _, total = _until(1 << 30, to_bob, success)
    outcomes: set[tuple[bool, bool]] = set()
    for cut in range(total + 1):
        made, number, passed = _until(cut, to_bob, success)
        assert passed == cut
        lose(made)
        check_ends(made.alice, [number])
        check_ends(made.bob, [])
        (end,) = made.alice.ends()
        arrived = made.bob.bodies() == {"m-00000001": BODY}
        completed = isinstance(end, SendCompleted)
        if completed:
            assert arrived
        elif isinstance(end, SendFailed):
            assert end.reason == "connection lost"
        outcomes.add((arrived, completed))
    # Not there; there and not known to be, when the answers are cut; there and known.
    assert outcomes == {(False, False), (True, True)} | (set() if to_bob else {(True, False)})


@dataclass
class _Network:
    """Two directions that deliver some of what was sent, later."""

    made: Pair
    wires: tuple[bytearray, bytearray]

    def write(self, limit: int) -> None:
        for end, wire in zip((self.made.alice, self.made.bob), self.wires, strict=True):
            wire += end.connection.data_to_send(limit, self.made.now)
            end.gather()

    def read(self, which: int, size: int) -> None:
        end = (self.made.bob, self.made.alice)[which]
        data = bytes(self.wires[which][:size])
        del self.wires[which][:size]
        end.connection.receive_data(data, self.made.now)
        end.gather()


_ACTIONS = st.one_of(
    st.tuples(st.just("send"), st.booleans(), st.integers(0, 6000)),
    st.tuples(st.just("write"), st.just(True), st.integers(1, 5000)),
    st.tuples(st.just("read"), st.booleans(), st.integers(1, 5000)),
    st.tuples(st.just("abort"), st.booleans(), st.integers(0, 5)),
    st.tuples(st.just("refuse"), st.booleans(), st.integers(0, 5)),
    st.tuples(st.just("wait"), st.just(True), st.integers(0, 40_000)),
    st.tuples(st.just("release"), st.booleans(), st.integers(0, 9)),
)


@settings(max_examples=250, deadline=None)
@given(
    st.lists(_ACTIONS, max_size=30),
    st.booleans(),
    st.sampled_from([700, 2048, 1 << 20]),
    st.sampled_from(FailureReport),
)
def test_whatever_happens_each_message_ends_once(
    actions: list[tuple[str, bool, int]], heals: bool, chunk: int, failure: FailureReport
) -> None:
    made = pair(chunk=chunk)
    network = _Network(made, (bytearray(), bytearray()))
    sent: dict[bool, list[int]] = {True: [], False: []}
    bodies: dict[str, bytes] = {}
    for index, (action, way, number) in enumerate(actions):
        end = made.alice if way else made.bob
        if action == "send" and end.connection.sessions:
            bodies[f"message-{index}"] = body = random.Random(index).randbytes(number)
            sent[way].append(
                end.send(body, message_id=f"message-{index}", success_report=number % 2 == 0, failure_report=failure)
            )
        elif action == "write":
            network.write(number)
        elif action == "read":
            network.read(int(way), number)
        elif action == "abort" and sent[way]:
            end.connection.abort(sent[way][number % len(sent[way])])
        elif action == "refuse":
            end.connection.refuse(number, 413, "no")
        elif action == "wait":
            made.now += number
            end.connection.on_deadline(made.now)
        elif action == "release" and number == 0:
            end.connection.release_session(end.session)
        end.gather()
    if heals:
        for _ in range(200):
            network.write(1 << 16)
            network.read(0, 1 << 20)
            network.read(1, 1 << 20)
        for end in (made.alice, made.bob):
            for _ in range(8):
                made.now += 200_000
                end.connection.on_deadline(made.now)
                end.gather()
    else:
        lose(made)
    check_ends(made.alice, sent[True])
    check_ends(made.bob, sent[False])
    for end, peer in ((made.alice, made.bob), (made.bob, made.alice)):
        for name, body in peer.bodies().items():
            assert body == bodies[name]
        assert end.connection._sender._messages == {}
        assert end.connection._sender._transactions == {}
        assert end.connection._sender._streams == {}
        assert end.connection._receiver._messages == {}
        assert end.connection._receiver.held == 0


# --- silence ---------------------------------------------------------------------------------------
def test_a_chunk_without_an_answer_fails_its_message_after_30_seconds() -> None:
    """RFC 4975 section 7.1.1: from its last byte on."""
    made = pair()
    number = made.alice.send(b"hello", success_report=False)
    made.alice.connection.data_to_send(1 << 16, 5_000)
    assert made.alice.connection.next_deadline() == 35_000
    made.alice.connection.on_deadline(34_999)
    made.alice.gather()
    assert not made.alice.ends()
    made.alice.connection.on_deadline(35_000)
    made.alice.gather()
    assert made.alice.ends() == [SendFailed(number, 408, "no answer")]
    assert made.alice.connection.next_deadline() is None


def test_with_failure_report_partial_silence_is_success() -> None:
    made = pair()
    number = made.alice.send(b"hello", success_report=False, failure_report=FailureReport.PARTIAL)
    made.alice.connection.data_to_send(1 << 16, 0)
    made.alice.gather()
    assert not made.alice.ends()
    made.alice.connection.on_deadline(30_000)
    made.alice.gather()
    assert made.alice.ends() == [SendCompleted(number, reported=False)]


def test_with_failure_report_no_a_message_ends_with_its_last_byte() -> None:
    made = pair()
    number = made.alice.send(b"hello", success_report=False, failure_report=FailureReport.NO)
    made.alice.connection.data_to_send(1 << 16, 0)
    made.alice.gather()
    assert made.alice.ends() == [SendCompleted(number, reported=False)]


def test_a_message_without_its_report_fails_in_time_and_partial_reports_extend_it() -> None:
    made = pair()
    made.bob.confirms = False
    number = made.alice.send(bytes(5000))
    made.run()
    assert made.alice.connection.next_deadline() == 120_000
    report = Request("r0000001", "REPORT", (ALICE,), (BOB,), "m-00000001", ByteRange(1, 10, 5000), status=Status(200))
    made.alice.connection.receive_data(
        encode_head(report) + encode_end("r0000001", Flag.COMPLETE, after_body=False), 50_000
    )
    assert made.alice.connection.next_deadline() == 170_000
    made.alice.connection.on_deadline(170_000)
    made.alice.gather()
    assert made.alice.ends() == [SendFailed(number, 408, "no report of its delivery")]


def test_a_first_request_without_an_answer_fails_the_session() -> None:
    made = pair(opened=False)
    made.alice.connection.open_session(made.alice.session, 0)
    number = made.alice.send(b"hello")
    made.alice.connection.data_to_send(1 << 16, 0)
    made.alice.connection.on_deadline(30_000)
    made.alice.gather()
    assert SessionFailed(made.alice.session, 408, "no answer to the first request") in made.alice.events
    check_ends(made.alice, [number])


def test_a_connection_that_opens_no_session_is_closed() -> None:
    """RFC 4976 section 6.1 has 30 seconds for relays; an endpoint does the same."""
    made = pair(opened=False)
    assert made.bob.connection.next_deadline() == 30_000
    made.bob.connection.on_deadline(30_000)
    made.bob.gather()
    assert made.bob.events == [Disconnected("msrp.unbound", "no session was opened in time")]


def test_a_message_that_stops_arriving_is_given_up() -> None:
    made = pair(chunk=1 << 20)
    made.alice.send(bytes(100_000))
    made.step(20_000)
    made.bob.connection.on_deadline(59_999)
    made.bob.gather()
    assert not made.bob.of(MessageBroken)
    made.bob.connection.on_deadline(60_000)
    made.bob.gather()
    assert made.bob.of(MessageBroken) == [MessageBroken(1, "its sender fell silent")]
    assert made.bob.connection.next_deadline() is None


def test_a_peer_that_does_not_answer_a_keep_alive_is_gone() -> None:
    made = pair(settings=changed(keepalive_ms=10_000))
    assert made.alice.connection.next_deadline() == 10_000
    made.now = 10_000
    made.alice.connection.on_deadline(10_000)
    made.run()
    assert not made.alice.of(Disconnected)
    assert not made.bob.of(MessageStarted)
    made.alice.connection.on_deadline(20_000)
    assert made.alice.connection.data_to_send(1 << 16, 20_000)
    made.alice.connection.on_deadline(50_000)
    made.alice.gather()
    assert made.alice.of(Disconnected) == [Disconnected("msrp.silent", "the peer does not answer")]


# --- sessions --------------------------------------------------------------------------------------
def test_the_first_send_binds_and_its_answer_does() -> None:
    """RFC 4975 section 5.4."""
    made = pair(opened=False)
    made.alice.connection.open_session(made.alice.session, 0)
    made.run()
    assert made.alice.events == [SessionBound(made.alice.session)]
    assert made.bob.events == [SessionBound(made.bob.session)]
    assert made.bob.connection.sessions == {made.bob.session}


def test_a_session_is_on_one_connection_only() -> None:
    """RFC 4975 section 5.4: "If the session is already in use, it MUST reject the request with a 506 response"."""
    made = pair()
    second = Endpoint(
        Connection(SETTINGS, made.bob.table, random.Random(5).randbytes, 0), made.bob.table, made.bob.session
    )
    intruder = endpoint(ALICE, BOB, seed=6)
    intruder.connection.open_session(intruder.session, 0)
    other = Pair(intruder, second)
    other.run()
    assert intruder.of(SessionFailed) == [SessionFailed(intruder.session, 506, "the session is on another connection")]
    assert not second.events
    made.alice.send(b"still works")
    made.run()
    assert made.bob.bodies() == {"m-00000001": b"still works"}


def test_a_session_may_move_when_its_connection_is_gone() -> None:
    made = pair()
    made.bob.connection.connection_lost("gone")
    again = Endpoint(
        Connection(SETTINGS, made.bob.table, random.Random(5).randbytes, 0), made.bob.table, made.bob.session
    )
    alice = endpoint(ALICE, BOB, seed=6)
    alice.connection.open_session(alice.session, 0)
    Pair(alice, again).run()
    assert again.events == [SessionBound(made.bob.session)]


def test_several_sessions_share_a_connection_and_one_ends_alone() -> None:
    made = pair()
    for end, local, peer in (
        (made.alice, "msrp://alicepc.example.com:7777/second1;tcp", "msrp://bob.example.com:8888/second2;tcp"),
        (made.bob, "msrp://bob.example.com:8888/second2;tcp", "msrp://alicepc.example.com:7777/second1;tcp"),
    ):
        end.table.add(Session(MsrpUri.parse(local), (MsrpUri.parse(peer),), ("*",), 1 << 20, 2048))
    made.alice.connection.open_session("second1", 0)
    made.run()
    assert made.bob.connection.sessions == {made.bob.session, "second2"}
    first = made.alice.send(bytes(50_000))
    made.alice.session = "second1"
    second = made.alice.send(b"in the second", message_id="m-00000002")
    made.step(3000)
    made.alice.connection.release_session(ALICE.session or "")
    made.bob.connection.release_session(BOB.session or "")
    made.run()
    made.alice.gather()
    assert SendFailed(first, 0, "the session was closed") in made.alice.ends()
    assert SendCompleted(second, reported=True) in made.alice.ends()
    assert made.bob.bodies() == {"m-00000002": b"in the second"}
    assert not made.alice.of(SessionFailed)


# --- hostile peers ---------------------------------------------------------------------------------
def _send(
    body: bytes | None, byte_range: str, flag: Flag, transaction: str, message_id: str, to: object = BOB
) -> bytes:
    head = Request(
        transaction,
        "SEND",
        (to,),  # type: ignore[arg-type]
        (ALICE,),
        message_id,
        ByteRange.parse(byte_range),
        content_type=None if body is None else "text/plain",
    )
    return encode_head(head) + (body or b"") + encode_end(transaction, flag, after_body=body is not None)


def test_endless_headers_end_the_connection() -> None:
    made = pair()
    made.bob.connection.receive_data(b"MSRP d93kswow SEND\r\n", 0)
    for _ in range(100):
        made.bob.connection.receive_data(b"X-A: " + b"y" * 1000 + b"\r\n", 0)
        made.bob.gather()
        assert made.bob.connection.buffered < LIMITS.max_line * LIMITS.max_headers
    assert made.bob.events[-1] == Disconnected("msrp.limit.headers", "the peer sent what is not MSRP: too many headers")


def test_a_flood_of_tiny_chunks_beyond_gaps_is_bounded() -> None:
    """SR-08: pieces, bytes and messages."""
    made = pair()
    count = 0
    for message in range(100):
        for position in range(3, 60, 2):
            data = _send(b"x", f"{position}-*/*", Flag.CONTINUED, f"t{count:07}", f"message-{message}")
            made.bob.connection.receive_data(data, 0)
            made.bob.connection.data_to_send(1 << 20, 0)
            count += 1
        made.bob.gather()
    connection = made.bob.connection
    assert connection._receiver.held <= SETTINGS.max_gap_bytes
    assert len(connection._receiver._messages) <= SETTINGS.max_incoming
    assert len(connection._receiver._ended) <= SETTINGS.remembered
    check_ends_later(made.bob)


def check_ends_later(end: Endpoint) -> None:
    end.connection.connection_lost("over")
    end.gather()
    check_ends(end, [])


def test_bytes_beyond_gaps_are_bounded_over_all_messages() -> None:
    made = pair()
    for message in range(10):
        data = _send(bytes(20_000), "100-*/*", Flag.CONTINUED, f"t{message:07}", f"message-{message}")
        made.bob.connection.receive_data(data, 0)
        made.bob.gather()
        assert made.bob.connection._receiver.held <= SETTINGS.max_gap_bytes
    assert made.bob.of(MessageBroken)
    check_ends_later(made.bob)


def test_messages_that_are_never_finished_are_bounded() -> None:
    made = pair()
    answers = b""
    for message in range(SETTINGS.max_incoming + 5):
        made.bob.connection.receive_data(
            _send(b"x", "1-*/*", Flag.CONTINUED, f"t{message:07}", f"message-{message}"), 0
        )
        answers += made.bob.connection.data_to_send(1 << 16, 0)
    statuses = [item.status for item in MsrpParser(LIMITS).feed(answers) if isinstance(item, Response)]
    assert statuses == [200] * SETTINGS.max_incoming + [413] * 5


@pytest.mark.parametrize(
    "byte_range", ["1-*/9223372036854775807", "9223372036854775806-*/9223372036854775807", "9223372036854775807-*/*"]
)
def test_giant_ranges_take_no_memory(byte_range: str) -> None:
    """RFC 4975 section 14.5: "sanity checking on byte-range values before allocating such buffers"."""
    made = pair(max_size=10_000)
    made.bob.connection.receive_data(_send(b"x" * 100, byte_range, Flag.CONTINUED, "t0000001", "message-1"), 0)
    (answer,) = MsrpParser(LIMITS).feed(made.bob.connection.data_to_send(1 << 16, 0))
    assert isinstance(answer, Response)
    assert answer.status == 413
    assert made.bob.connection.buffered == 0


def test_a_peer_that_asks_and_does_not_read_is_not_read_from() -> None:
    made = pair()
    count = 0
    while not made.bob.connection.congested:
        made.bob.connection.receive_data(_send(None, "1-0/0", Flag.COMPLETE, f"t{count:07}", f"message-{count}"), 0)
        count += 1
        assert count < 1000
    assert made.bob.connection.buffered < 2 * SETTINGS.max_control
    made.bob.connection.data_to_send(1 << 20, 0)
    assert not made.bob.connection.congested


def test_messages_that_nobody_confirms_pause_the_reading_and_fail_nothing() -> None:
    made = pair()
    made.bob.confirms = False
    numbers = [made.alice.send(b"x", message_id=f"message-{i}") for i in range(SETTINGS.max_unconfirmed + 1)]
    assert not made.bob.connection.congested
    made.run()
    assert made.bob.connection.congested
    for event in made.bob.of(MessageReceived):
        made.bob.connection.confirm(event.message)  # type: ignore[union-attr]
    assert not made.bob.connection.congested
    made.run()
    assert made.alice.ends() == [SendCompleted(number, reported=True) for number in numbers]


def test_a_stranger_who_tries_session_ids_is_cut_off() -> None:
    made = pair(opened=False)
    for count in range(SETTINGS.max_strikes):
        assert not made.bob.events
        to = MsrpUri.parse(f"msrp://bob.example.com:8888/guess{count};tcp")
        made.bob.connection.receive_data(_send(None, "1-0/0", Flag.COMPLETE, f"t{count:07}", "message-1", to), 0)
        made.bob.gather()
    assert made.bob.events == [Disconnected("msrp.strikes", "the peer has no session here")]


def test_answers_and_reports_from_nowhere_mean_nothing() -> None:
    made = pair()
    number = made.alice.send(b"hello")
    made.alice.connection.data_to_send(1 << 16, 0)
    for count in range(50):
        made.alice.connection.receive_data(encode_response(Response(f"t{count:07}", 481, (ALICE,), (BOB,))), 0)
    made.alice.gather()
    assert not made.alice.events
    made.alice.connection.connection_lost("over")
    made.alice.gather()
    check_ends(made.alice, [number])


def test_a_report_binds_no_session() -> None:
    """Only a SEND does (RFC 4975 section 5.4)."""
    made = pair(opened=False)
    report = Request("r0000001", "REPORT", (BOB,), (ALICE,), "m-00000001", status=Status(200))
    made.bob.connection.receive_data(encode_head(report) + encode_end("r0000001", Flag.COMPLETE, after_body=False), 0)
    assert made.bob.connection.sessions == frozenset()
    assert made.bob.connection.data_to_send(1 << 16, 0) == b""


def test_chunks_are_not_begun_while_too_many_wait_for_an_answer() -> None:
    made = pair(settings=changed(max_transactions=3))
    made.alice.send(bytes(20_000))
    sent = made.alice.connection.data_to_send(1 << 20, 0)
    assert sent.count(b"MSRP ") == 3
    assert not made.alice.connection.wants_to_send
    made.bob.connection.receive_data(sent, 0)
    made.run()
    assert made.bob.bodies() == {"m-00000001": bytes(20_000)}


def test_a_large_message_is_never_held() -> None:
    """100 MB in pieces: neither side holds more than one piece."""
    made = pair(chunk=1 << 30)
    size = 100_000_000

    class Zeros:
        left = size

        def read(self, limit: int) -> bytes:
            piece = bytes(min(limit, self.left))
            self.left -= len(piece)
            return piece

    number = made.alice.send(b"", size=size, source=Zeros())
    handed = 0
    most = 0
    ends: list[Event] = []
    while True:
        data = made.alice.connection.data_to_send(1 << 20, 0)
        made.bob.connection.receive_data(data, 0)
        for event in made.bob.connection.events():
            if isinstance(event, MessageReceived):
                made.bob.connection.confirm(event.message)
            elif not isinstance(event, MessageStarted):
                handed += len(event.data)  # type: ignore[union-attr]
        back = made.bob.connection.data_to_send(1 << 20, 0)
        made.alice.connection.receive_data(back, 0)
        ends += [event for event in made.alice.connection.events() if isinstance(event, SendCompleted)]
        most = max(most, made.alice.connection.buffered, made.bob.connection.buffered)
        if not data and not back:
            break
    assert handed == size
    assert ends == [SendCompleted(number, reported=True)]
    assert most < 100


def test_an_id_is_not_shared_by_two_sessions_of_a_table() -> None:
    table = SessionTable()
    session = Session(ALICE, (BOB,), ("*",), 1, 1)
    table.add(session)
    with pytest.raises(InputError):
        table.add(session)
