"""Messages between two endpoints: chunks, ranges, turns, reports, refusals (RFC 4975 sections 5.1 and 7)."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from letterlock.codec.msrp import (
    Body,
    ByteRange,
    End,
    FailureReport,
    Flag,
    Item,
    MsrpParser,
    Request,
    Response,
    Status,
    encode_end,
    encode_head,
    encode_response,
)
from letterlock.errors import InputError, LimitExceeded
from letterlock.msrp import (
    BytesSource,
    MessageBroken,
    MessageReceived,
    MessageStarted,
    SendCompleted,
    SendFailed,
    SendProgressed,
    SessionFailed,
)
from msrp.pair import ALICE, BOB, LIMITS, Pair, pair
from msrp.pair import settings as changed


def _items(data: bytes) -> list[Item]:
    return MsrpParser(LIMITS).feed(data)


def _requests(data: bytes) -> list[Request]:
    return [item for item in _items(data) if isinstance(item, Request)]


def _answers(data: bytes) -> list[int]:
    return [item.status for item in _items(data) if isinstance(item, Response)]


def _chunk(
    body: bytes,
    byte_range: str,
    flag: Flag,
    *,
    transaction: str = "t0000001",
    message_id: str = "m-00000001",
    failure_report: FailureReport = FailureReport.YES,
    success_report: bool = True,
    content_type: str = "text/plain",
) -> bytes:
    """A SEND to Bob as a foreign implementation may write it."""
    head = Request(
        transaction,
        "SEND",
        (BOB,),
        (ALICE,),
        message_id,
        ByteRange.parse(byte_range),
        success_report,
        failure_report,
        None,
        content_type,
    )
    return encode_head(head) + body + encode_end(transaction, flag, after_body=True)


def _bob(made: Pair, data: bytes, now: int = 0) -> bytes:
    """Give bytes to Bob and get what he sends."""
    made.bob.connection.receive_data(data, now)
    made.bob.gather()
    return made.bob.connection.data_to_send(1 << 20, now)


class Dripping:
    """A source that has bytes now and then."""

    def __init__(self, *pieces: bytes | None) -> None:
        self._pieces = list(pieces)

    def read(self, limit: int) -> bytes | None:
        if not self._pieces:
            return b""
        piece = self._pieces[0]
        if piece is None or len(piece) <= limit:
            self._pieces.pop(0)
            return piece
        self._pieces[0] = piece[limit:]
        return piece[:limit]


# --- whole messages --------------------------------------------------------------------------------
@pytest.mark.parametrize("size", [0, 1, 2047, 2048, 2049, 4096, 10_000])
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("chunk", [2048, 100_000])
def test_a_message_arrives_and_is_reported(size: int, known: bool, chunk: int) -> None:
    made = pair(chunk=chunk)
    body = bytes(i % 251 for i in range(size))
    number = made.alice.send(body, size=size if known else None)
    made.run()
    assert made.bob.bodies() == {"m-00000001": body}
    assert made.alice.ends() == [SendCompleted(number, reported=True)]
    assert made.bob.of(MessageReceived) == [MessageReceived(1, size)]


def test_a_message_is_cut_in_chunks_of_2048_with_their_ranges() -> None:
    """RFC 4975 sections 5.1 and 7.1.1."""
    made = pair()
    made.alice.send(bytes(5000))
    data = made.alice.connection.data_to_send(1 << 20, 0)
    requests = _requests(data)
    assert [r.byte_range for r in requests] == [
        ByteRange(1, 2048, 5000),
        ByteRange(2049, 4096, 5000),
        ByteRange(4097, 5000, 5000),
    ]
    assert [item.flag for item in _items(data) if isinstance(item, End)] == [
        Flag.CONTINUED,
        Flag.CONTINUED,
        Flag.COMPLETE,
    ]
    assert {r.message_id for r in requests} == {"m-00000001"}
    assert all(r.success_report for r in requests)
    assert len({r.transaction for r in requests}) == 3


def test_a_large_chunk_has_an_open_end() -> None:
    """RFC 4975 section 7.1.1: any chunk of more than 2048 octets has "*" for its end."""
    made = pair(chunk=100_000)
    made.alice.send(bytes(5000))
    (request,) = _requests(made.alice.connection.data_to_send(1 << 20, 0))
    assert request.byte_range == ByteRange(1, None, 5000)


def test_nothing_is_written_as_1_0_0() -> None:
    made = pair()
    made.alice.send(b"")
    (request,) = _requests(made.alice.connection.data_to_send(1 << 20, 0))
    assert request.byte_range == ByteRange(1, 0, 0)
    assert request.content_type == "text/plain"


def test_an_answer_interrupts_a_large_chunk() -> None:
    """RFC 4975 section 7.1.1: "MUST be interrupted if the sender needs to send pending responses"."""
    made = pair(chunk=1 << 20)
    made.alice.send(bytes(100_000))
    first = made.alice.connection.data_to_send(10_000, 0)
    made.alice.connection.receive_data(
        encode_head(Request("bob00001", "SEND", (ALICE,), (BOB,), "m-from-bob"))
        + encode_end("bob00001", Flag.COMPLETE, after_body=False),
        0,
    )
    second = made.alice.connection.data_to_send(10_000, 0)
    items = _items(first + second)
    kinds = [type(item) for item in items if not isinstance(item, Body)]
    assert kinds == [Request, End, Response, Request]
    assert [item.flag for item in items if isinstance(item, End)] == [Flag.CONTINUED]
    started = [item for item in items if isinstance(item, Request)][1]
    sent = sum(len(item.data) for item in items[: items.index(started)] if isinstance(item, Body))
    assert started.byte_range == ByteRange(sent + 1, None, 100_000)


def test_messages_take_turns() -> None:
    """RFC 4975 section 7.1.1: each gets a chance; a small one does not wait for a large one."""
    made = pair(chunk=1 << 20)
    made.alice.send(bytes(1_000_000), message_id="large-one")
    made.alice.connection.data_to_send(50_000, 0)
    made.alice.send(b"quick", message_id="small-one")
    data = made.alice.connection.data_to_send(60_000, 0)
    # The rest of the open chunk comes first, so the parser starts at the first head.
    requests = _requests(data[data.index(b"MSRP ") :])
    assert requests[0].message_id == "small-one"
    made.run()
    # Both arrive, however they were divided.
    made = pair(chunk=1 << 20)
    bodies = {f"message-{i}": bytes([i]) * (70_000 + i) for i in range(4)}
    for name, body in bodies.items():
        made.alice.send(body, message_id=name)
    made.run()
    assert made.bob.bodies() == bodies


def test_a_source_may_have_nothing_for_a_while() -> None:
    made = pair(chunk=1 << 20)
    source = Dripping(b"a" * 3000, None, b"b" * 10, None)
    number = made.alice.send(b"", size=None, source=source)
    made.run()
    assert made.bob.body(1) == b"a" * 3000
    assert not made.alice.ends()
    # Another message is not held up by it: its chunk is interrupted.
    made.alice.send(b"other", message_id="m-00000002")
    made.run()
    assert made.bob.bodies() == {"m-00000002": b"other"}
    made.alice.connection.resume(number)
    made.run()
    assert not [e for e in made.alice.ends() if e.message == number]  # type: ignore[union-attr]
    made.alice.connection.resume(number)
    made.run()
    assert made.bob.bodies()["m-00000001"] == b"a" * 3000 + b"b" * 10
    assert SendCompleted(number, reported=True) in made.alice.ends()


def test_a_source_that_ends_early_aborts_the_message() -> None:
    made = pair()
    number = made.alice.send(b"x" * 3000, size=5000)
    made.run()
    assert made.alice.ends() == [SendFailed(number, 0, "the content ended early")]
    assert made.bob.of(MessageBroken) == [MessageBroken(1, "given up by its sender")]


def test_a_source_that_has_more_than_its_size_is_cut_there() -> None:
    made = pair()
    made.alice.send(b"x" * 3000, size=2500)
    made.run()
    assert made.bob.bodies() == {"m-00000001": b"x" * 2500}


class Echo:
    """A body that repeats the transaction id of the chunk that is carrying it, as only an insider could."""

    def __init__(self, made: Pair, size: int) -> None:
        self._made = made
        self._left = size
        self.seen: list[str] = []
        self.body = b""

    def read(self, limit: int) -> bytes:
        sender = self._made.alice.connection._sender
        chunk = sender.writer._chunk
        needle = b"" if chunk is None else chunk.transaction.encode()
        if needle:
            self.seen.append(chunk.transaction)  # type: ignore[union-attr]
        piece = (b"ab\r\n-------" + needle + b"$\r\n" + needle[:5])[: min(limit, self._left)]
        self._left -= len(piece)
        self.body += piece
        return piece


def test_a_transaction_id_in_the_body_ends_the_chunk_in_front_of_it() -> None:
    """RFC 4975 section 7.1: the end-line may not stand in the body, also not across two pieces."""
    made = pair(chunk=1 << 20)
    source = Echo(made, 1500)
    made.alice.send(b"", size=1500, source=source)
    data = b""
    while piece := made.alice.connection.data_to_send(40, 0):
        data += piece
    items = _items(data)
    assert source.seen
    assert b"".join(bytes(item.data) for item in items if isinstance(item, Body)) == source.body
    carried: dict[str, bytes] = {}
    for item in items:
        if isinstance(item, Request):
            carried[transaction := item.transaction] = b""
        elif isinstance(item, Body):
            carried[transaction] += bytes(item.data)
    assert len(carried) > 10
    assert not [name for name, body in carried.items() if name.encode() in body]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 9000), st.sampled_from([700, 2048, 5000, 1 << 20]), st.booleans()), max_size=6),
    st.lists(st.integers(1, 4000), min_size=1, max_size=30),
    st.booleans(),
)
def test_many_messages_both_ways_arrive_whole(
    messages: list[tuple[int, int, bool]], limits: list[int], known: bool
) -> None:
    """Whatever the sizes, the chunks, the pieces and the turns."""
    made = pair()
    for index, (size, chunk, from_alice) in enumerate(messages):
        end = made.alice if from_alice else made.bob
        body = bytes((index + i) % 256 for i in range(size))
        end.send(body, message_id=f"message-{index}", size=size if known else None, chunk=chunk)
    at = 0
    while made.step(limits[at % len(limits)]):
        at += 1
    for end, peer, way in ((made.alice, made.bob, True), (made.bob, made.alice, False)):
        expected = {
            f"message-{index}": bytes((index + i) % 256 for i in range(size))
            for index, (size, _, from_alice) in enumerate(messages)
            if from_alice is way
        }
        assert peer.bodies() == expected
        assert len(end.ends()) == len(expected)
        assert all(isinstance(event, SendCompleted) for event in end.ends())


# --- reports and answers ---------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("failure", "answers"), [(FailureReport.YES, [200]), (FailureReport.PARTIAL, []), (FailureReport.NO, [])]
)
def test_which_chunks_are_answered(failure: FailureReport, answers: list[int]) -> None:
    """RFC 4975 sections 7.1.4 and 7.2."""
    made = pair()
    data = _chunk(b"hello", "1-5/5", Flag.COMPLETE, failure_report=failure, success_report=False)
    assert _answers(_bob(made, data)) == answers


@pytest.mark.parametrize(
    ("failure", "answers"), [(FailureReport.YES, [415]), (FailureReport.PARTIAL, [415]), (FailureReport.NO, [])]
)
def test_which_refusals_are_told(failure: FailureReport, answers: list[int]) -> None:
    made = pair(accept=("message/cpim",))
    data = _chunk(b"hello", "1-5/5", Flag.COMPLETE, failure_report=failure)
    assert _answers(_bob(made, data)) == answers
    assert not made.bob.events


def test_success_is_reported_when_the_owner_confirms_and_not_before() -> None:
    """SR-06; RFC 4975 section 7.1.3."""
    made = pair()
    made.bob.confirms = False
    number = made.alice.send(b"hello")
    made.run()
    assert made.bob.of(MessageReceived)
    assert not made.alice.ends()
    made.bob.connection.confirm(1)
    made.run()
    assert made.alice.ends() == [SendCompleted(number, reported=True)]
    made.bob.connection.confirm(1)
    made.run()
    assert len(made.alice.ends()) == 1


def test_a_report_has_the_paths_turned_round_and_the_whole_range() -> None:
    made = pair()
    data = _bob(made, _chunk(b"hello", "1-*/*", Flag.COMPLETE))
    (report,) = _requests(data)
    assert (report.method, report.to_path, report.from_path) == ("REPORT", (ALICE,), (BOB,))
    assert (report.message_id, report.byte_range) == ("m-00000001", ByteRange(1, 5, 5))
    assert report.status == Status(200, "OK")


def test_no_success_report_where_none_was_asked_for() -> None:
    made = pair()
    number = made.alice.send(b"hello", success_report=False)
    made.run()
    assert made.bob.of(MessageReceived)
    assert made.alice.ends() == [SendCompleted(number, reported=False)]
    assert not _requests(_bob(made, _chunk(b"x", "1-1/1", Flag.COMPLETE, message_id="other", success_report=False)))


def test_the_owner_may_reject_what_came_whole() -> None:
    """RFC 4975 section 7.1.4: 200 first, a failure report later."""
    made = pair()
    made.bob.confirms = False
    number = made.alice.send(b"hello")
    made.run()
    made.bob.connection.reject(1, 403, "not now")
    made.run()
    assert made.alice.ends() == [SendFailed(number, 403, "not now")]


def test_the_owner_may_refuse_what_is_arriving_and_the_sender_stops() -> None:
    """RFC 4975 section 10.5: no further chunks after a 413; the open one is interrupted."""
    made = pair(chunk=1 << 20)
    number = made.alice.send(bytes(1_000_000))
    made.step(20_000)
    (started,) = made.bob.of(MessageStarted)
    assert isinstance(started, MessageStarted)
    made.bob.connection.refuse(started.message, 413, "no room")
    made.run()
    assert made.alice.ends() == [SendFailed(number, 413, "no room")]
    assert made.bob.of(MessageBroken) == [MessageBroken(started.message, "no room")]
    assert not made.bob.of(MessageReceived)
    assert len(made.bob.body(started.message)) < 100_000
    # And the connection goes on.
    made.alice.send(b"next", message_id="m-00000002")
    made.run()
    assert made.bob.bodies() == {"m-00000002": b"next"}


def test_partial_reports_add_up() -> None:
    """RFC 4975 section 7.1.3: reports cover ranges, not chunks."""
    made = pair()
    made.bob.confirms = False
    number = made.alice.send(bytes(5000))
    made.run()
    for byte_range, through in (("3001-5000/5000", 0), ("1-1000/5000", 1000), ("900-3000/5000", 5000)):
        report = Request(
            "r0000001", "REPORT", (ALICE,), (BOB,), "m-00000001", ByteRange.parse(byte_range), status=Status(200)
        )
        made.alice.connection.receive_data(
            encode_head(report) + encode_end("r0000001", Flag.COMPLETE, after_body=False), 0
        )
        made.alice.gather()
        progress = made.alice.of(SendProgressed)
        assert (progress[-1].reported if progress else 0) == through  # type: ignore[union-attr]
    assert made.alice.ends() == [SendCompleted(number, reported=True)]


@pytest.mark.parametrize("byte_range", ["1-4999/5000", "2-5000/5000", "1-0/0", "5000-9999/9999"])
def test_a_report_of_a_part_is_not_one_of_all(byte_range: str) -> None:
    made = pair()
    made.bob.confirms = False
    made.alice.send(bytes(5000))
    made.run()
    report = Request(
        "r0000001", "REPORT", (ALICE,), (BOB,), "m-00000001", ByteRange.parse(byte_range), status=Status(200)
    )
    made.alice.connection.receive_data(encode_head(report) + encode_end("r0000001", Flag.COMPLETE, after_body=False), 0)
    made.alice.gather()
    assert not made.alice.ends()


def test_a_report_before_all_is_sent_says_nothing_of_the_rest() -> None:
    """A peer that claims the end of a message which it cannot have."""
    made = pair(chunk=1 << 20)
    number = made.alice.send(bytes(100_000))
    made.step(20_000)
    report = Request(
        "r0000001", "REPORT", (ALICE,), (BOB,), "m-00000001", ByteRange(1, 100_000, 100_000), status=Status(200)
    )
    made.alice.connection.receive_data(encode_head(report) + encode_end("r0000001", Flag.COMPLETE, after_body=False), 0)
    made.alice.gather()
    assert not made.alice.ends()
    made.run()
    assert made.alice.ends() == [SendCompleted(number, reported=True)]


@pytest.mark.parametrize("what", ["unknown message", "other namespace", "other session"])
def test_reports_that_mean_nothing(what: str) -> None:
    """RFC 4975 section 7.1.2: "it SHOULD silently ignore the REPORT"."""
    made = pair()
    made.bob.confirms = False
    made.alice.send(b"hello")
    made.run()
    report = Request(
        "r0000001",
        "REPORT",
        (ALICE if what != "other session" else BOB,),
        (BOB,),
        "m-00000001" if what != "unknown message" else "m-00000009",
        ByteRange(1, 5, 5),
        status=Status(200, "", "001" if what == "other namespace" else "000"),
    )
    made.alice.connection.receive_data(encode_head(report) + encode_end("r0000001", Flag.COMPLETE, after_body=False), 0)
    made.alice.gather()
    assert not made.alice.events
    assert made.alice.connection.data_to_send(1 << 20, 0) == b""


@pytest.mark.parametrize(
    ("status", "session_too"), [(413, False), (415, False), (400, False), (408, True), (481, True)]
)
def test_a_failure_report_ends_the_message_and_for_lost_bytes_the_session(status: int, session_too: bool) -> None:
    """RFC 4975 section 7.3.2."""
    made = pair()
    made.bob.confirms = False
    number = made.alice.send(b"hello")
    made.run()
    report = Request(
        "r0000001", "REPORT", (ALICE,), (BOB,), "m-00000001", ByteRange(1, 5, 5), status=Status(status, "so")
    )
    made.alice.connection.receive_data(encode_head(report) + encode_end("r0000001", Flag.COMPLETE, after_body=False), 0)
    made.alice.gather()
    assert made.alice.ends() == [SendFailed(number, status, "so")]
    assert bool(made.alice.of(SessionFailed)) is session_too


@pytest.mark.parametrize(
    ("status", "session_too"),
    [(400, False), (403, False), (413, False), (415, False), (408, False), (481, True), (506, True)],
)
def test_an_error_answer_ends_the_message(status: int, session_too: bool) -> None:
    """RFC 4975 section 10."""
    made = pair()
    number = made.alice.send(bytes(5000))
    (first, *_) = _requests(made.alice.connection.data_to_send(2500, 0))
    made.alice.connection.receive_data(encode_response(Response(first.transaction, status, (ALICE,), (BOB,), "so")), 0)
    made.alice.gather()
    assert made.alice.ends() == [SendFailed(number, status, "so")]
    assert bool(made.alice.of(SessionFailed)) is session_too
    rest = made.alice.connection.data_to_send(1 << 20, 0)
    assert b"m-00000001" not in rest or rest.rstrip().endswith(b"#")


# --- order -----------------------------------------------------------------------------------------
@settings(max_examples=120, deadline=None)
@given(
    st.binary(min_size=1, max_size=60),
    st.lists(st.tuples(st.integers(0, 59), st.integers(1, 20)), max_size=12),
    st.randoms(use_true_random=False),
)
def test_chunks_in_any_order_and_overlapping_make_the_message(
    body: bytes, extra: list[tuple[int, int]], rng: object
) -> None:
    """RFC 4975 section 7.3.1: "Receivers MUST not assume that the chunks will be delivered in order"."""
    cuts = sorted({0, len(body), *(start % len(body) for start, _ in extra)})
    chunks = [(start, body[start:end], end == len(body)) for start, end in itertools.pairwise(cuts)]
    chunks += [(start, body[start : start + size], False) for start, size in extra if start < len(body)]
    rng.shuffle(chunks)  # type: ignore[attr-defined]
    made = pair(settings=changed(max_gaps=64))
    data = b"".join(
        _chunk(
            piece, f"{start + 1}-*/{len(body)}", Flag.COMPLETE if last else Flag.CONTINUED, transaction=f"t{index:07}"
        )
        for index, (start, piece, last) in enumerate(chunks)
    )
    answers = _answers(_bob(made, data))
    assert answers == [200] * len(chunks)
    # Chunks behind the completion belong to it and start nothing anew, unless they are its first bytes.
    assert made.bob.bodies()["m-00000001"] == body
    assert len(made.bob.of(MessageReceived)) == 1


def test_of_what_overlaps_beyond_a_gap_the_last_wins_and_of_what_was_handed_out_the_first() -> None:
    made = pair()
    _bob(made, _chunk(b"AAAA", "5-8/8", Flag.COMPLETE, transaction="t0000001"))
    _bob(made, _chunk(b"BB", "6-7/8", Flag.CONTINUED, transaction="t0000002"))
    _bob(made, _chunk(b"ccc", "1-3/8", Flag.CONTINUED, transaction="t0000003"))
    _bob(made, _chunk(b"ddd", "2-4/8", Flag.CONTINUED, transaction="t0000004"))
    assert made.bob.bodies() == {"m-00000001": b"cccdABBA"}


def test_a_message_that_comes_again_is_shown_as_a_repeat() -> None:
    """RFC 4975 section 5.4: not without warning; whether it is one only its reader can tell (SR-05)."""
    made = pair()
    for _ in range(2):
        _bob(made, _chunk(b"hello", "1-5/5", Flag.COMPLETE))
    started = made.bob.of(MessageStarted)
    assert [event.repeat for event in started if isinstance(event, MessageStarted)] == [False, True]
    assert len(made.bob.of(MessageReceived)) == 2


def test_late_chunks_of_a_complete_message_are_answered_and_not_shown() -> None:
    made = pair()
    _bob(made, _chunk(b"hello", "1-5/5", Flag.COMPLETE))
    made.bob.events.clear()
    assert _answers(_bob(made, _chunk(b"llo", "3-5/5", Flag.COMPLETE, transaction="t0000002"))) == [200]
    assert not made.bob.events


def test_what_is_left_of_a_refused_message_is_refused_too() -> None:
    made = pair(max_size=10)
    assert _answers(_bob(made, _chunk(b"hello world", "1-*/*", Flag.CONTINUED))) == [413]
    assert made.bob.of(MessageBroken) == [MessageBroken(1, "the message is too large")]
    made.bob.events.clear()
    for start in (12, 1):
        answer = _bob(made, _chunk(b"again", f"{start}-*/*", Flag.COMPLETE, transaction=f"t{start:07}"))
        assert _answers(answer) == [413]
    assert not made.bob.events


# --- what callers get wrong ------------------------------------------------------------------------
@pytest.mark.parametrize(
    "options",
    [
        {"message_id": "abc"},
        {"message_id": "a" * 33},
        {"message_id": "with space"},
        {"content_type": "text/plain\r\nX: y"},
        {"headers": (("Content-ID", "a\r\nb"),)},
    ],
)
def test_what_cannot_be_sent_is_refused_at_once(options: dict[str, object]) -> None:
    made = pair()
    with pytest.raises(InputError):
        made.alice.send(b"hello", **options)  # type: ignore[arg-type]
    assert made.alice.connection.data_to_send(100, 0) == b""


def test_a_message_id_is_used_once_at_a_time_and_messages_are_bounded() -> None:
    made = pair(settings=changed(max_outgoing=2))
    made.alice.send(b"one")
    with pytest.raises(InputError):
        made.alice.send(b"again")
    made.alice.send(b"two", message_id="m-00000002")
    with pytest.raises(LimitExceeded):
        made.alice.send(b"three", message_id="m-00000003")
    made.run()
    made.alice.send(b"one again")
    made.run()
    assert len(made.alice.ends()) == 3


def test_a_session_of_another_connection_cannot_be_used() -> None:
    made = pair()
    with pytest.raises(InputError):
        made.alice.connection.send(
            made.bob.session, "text/plain", BytesSource(b""), 0, message_id="m-1", success_report=False
        )
