"""Frames out of the wire log: whole ones whatever the pieces, and what each of them is as far as the carrier can tell."""

from __future__ import annotations

import pytest

from letterlock.apps.demo.frame import Frame
from letterlock.apps.demo.frames import Closed, Frames
from letterlock.apps.demo.framing import Framing
from letterlock.apps.demo.ledger import Ledger
from letterlock.apps.demo.network import DIRECTORY_PASSAGE
from letterlock.carrier.passage import FIRST_PASSAGE
from letterlock.carrier.wirelog import Record
from letterlock.codec.frame import FrameCopy, WireFrame, encode_frame
from letterlock.ids import AccountId, DeviceId
from letterlock.mls.wire.framing import ContentType, PrivateMessage

ANA, BEN = "+15550100", "+15550199"


def sip(start: str, *headers: str, body: bytes = b"") -> bytes:
    lines = [start, *headers, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


def register(number: str) -> bytes:
    return sip("REGISTER sip:lab SIP/2.0", f"To: <sip:{number}@lab>", "Call-ID: r", "CSeq: 1 REGISTER")


def message(content_type: str, content: bytes, *, call: str = "a") -> bytes:
    cpim = b"\r\n".join(
        (
            b"From: <sip:anonymous@anonymous.invalid>",
            b"NS: imdn <urn:ietf:params:imdn>",
            b"imdn.Message-ID: m-1",
            b"",
            b"Content-Type: " + content_type.encode(),
            b"",
            content,
        )
    )
    return sip(
        f"MESSAGE sip:{BEN}@lab SIP/2.0",
        f"From: <sip:{ANA}@lab>;tag=1",
        f"To: <sip:{BEN}@lab>",
        f"Call-ID: {call}",
        "CSeq: 1 MESSAGE",
        "Content-Type: message/cpim",
        body=cpim,
    )


SEALED = "application/vnd.letterlock.signal"
MSRP = (
    b"MSRP a1 SEND\r\nMessage-ID: 9\r\nByte-Range: 1-5/5\r\nContent-Type: text/plain\r\n\r\nhello\r\n-------a1$\r\n"
    b"MSRP a2 200 OK\r\n-------a2$\r\n"
)
HTTP = b"POST /v1/lists/query HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}"


@pytest.mark.parametrize(
    ("how", "data", "frames"),
    [
        ("sip", b"\r\n\r\n" + register(ANA) + message(SEALED, b"\x00\x01\r\n\r\n"), 3),
        ("msrp", MSRP, 2),
        ("http", HTTP * 2, 2),
    ],
)
@pytest.mark.parametrize("step", [1, 7, 1_000_000])
def test_frames_are_whole_whatever_the_pieces(how: str, data: bytes, frames: int, step: int) -> None:
    framing = Framing(how)
    found = [frame for at in range(0, len(data), step) for frame in framing.feed(data[at : at + step])]
    # Keep-alives may come in two pieces; everything else is one frame.
    assert len([frame for frame in found if frame.how != "ping"]) == frames - (how == "sip")
    assert b"".join(frame.data for frame in found) == data


def test_a_long_body_is_shown_as_it_comes() -> None:
    framing = Framing("http")
    head = b"PUT /file HTTP/1.1\r\nContent-Length: 200000\r\n\r\n"
    found = list(framing.feed(head + bytes(1_000))) + list(framing.feed(bytes(199_000) + HTTP))
    assert [frame.how for frame in found] == ["http", "piece", "piece", "http"]
    assert sum(len(frame.data) for frame in found[1:3]) == 200_000


class Log:
    """Records as the carrier writes them: connection 1 is Ana's, 2 Ben's."""

    def __init__(self) -> None:
        self.frames = Frames()
        self.ledger = Ledger()
        self.at = 1_000
        for connection, number in ((1, ANA), (2, BEN)):
            self.put("O", connection, b"tcp 127.0.0.1:1")
            self.put("r", connection, register(number))

    def put(self, kind: str, connection: int, payload: bytes) -> list[object]:
        self.at += 1_000
        changes = list(self.frames.feed(Record(kind, connection, self.at, payload)))
        for change in changes:
            self.ledger.note(change)
        return list(changes)

    @property
    def last(self) -> Frame:
        return list(self.frames.all)[-1]


def test_what_cannot_be_read_is_marked_and_nothing_else() -> None:
    log = Log()
    log.put("r", 1, message(SEALED, b"\x8f\x00ciphertext"))
    frame = log.last
    assert (frame.kind, frame.sender, frame.recipient, frame.message_id) == ("sealed", ANA, BEN, "m-1")
    begin, size = frame.sealed
    assert frame.data[begin : begin + size] == b"\x8f\x00ciphertext"
    log.put("r", 1, message("text/plain", b"hi", call="b"))
    assert (log.last.kind, log.last.sealed) == ("plain", (0, 0))
    log.put("r", 1, message("message/imdn+xml", b"<imdn/>", call="c"))
    assert log.last.kind == "receipt"


def test_of_a_frame_only_the_ciphertext_is_marked() -> None:
    """Accounts, device numbers and the list of devices are for everybody to read, and the page does not claim otherwise."""
    ciphertext = bytes(range(200))
    copies = (FrameCopy(DeviceId(2), 2, ciphertext),)
    frame = WireFrame(AccountId(bytes(16)), DeviceId(1), AccountId(bytes(16)), b"a signed list", copies)
    log = Log()
    log.put("r", 1, message(SEALED, encode_frame(frame)))
    begin, size = log.last.sealed
    assert log.last.data[begin : begin + size] == ciphertext
    assert (log.last.device, log.last.devices) == (1, (2,))


def test_of_a_groups_message_only_the_ciphertext_is_marked_and_of_its_changes_nothing() -> None:
    """Its id, its epoch and who is in it are for everybody on the way to read."""
    ciphertext = bytes(range(100, 200))
    private = PrivateMessage(b"group", 7, ContentType.APPLICATION, b"bound", b"from", ciphertext)
    log = Log()
    log.put("r", 1, message("message/mls", b"\x00\x01\x00\x02" + private.encode()))
    begin, size = log.last.sealed
    assert (log.last.kind, log.last.data[begin : begin + size]) == ("sealed", ciphertext)
    for at, control in enumerate(("message/mls-rcs-client", "message/mls-rcs-server", "message/mls-rcs")):
        log.put("r", 1, message(control, b"members", call=f"c{at}"))
        assert (log.last.kind, log.last.sealed) == ("control", (0, 0))


@pytest.mark.parametrize(
    ("content_type", "kind", "later"),
    [
        ("message/mls", "sealed", "chunk"),
        ("message/mls-rcs-client", "control", "control"),
        ("text/plain", "plain", "plain"),
    ],
)
def test_a_later_chunk_is_of_the_kind_of_its_message(content_type: str, kind: str, later: str) -> None:
    """It says itself only that it belongs to one."""
    log = Log()
    log.put("O", 3, b"tcp 127.0.0.1:1 msrp")
    first = b"From: <sip:a@lab>\r\n\r\nContent-Type: " + content_type.encode() + b"\r\n\r\nbegins"
    for span, body, flag in ((b"1-9/18", first, b"+"), (b"10-18/18", b"goes on\r\n\r\n", b"$")):
        head = b"MSRP a1 SEND\r\nMessage-ID: 9\r\nByte-Range: " + span + b"\r\nContent-Type: message/cpim\r\n\r\n"
        log.put("r", 3, head + body + b"\r\n-------a1" + flag + b"\r\n")
    assert [frame.kind for frame in list(log.frames.all)[-2:]] == [kind, later]
    begin, size = log.last.sealed
    assert log.last.data[begin : begin + size] == (b"goes on\r\n\r\n" if later == "chunk" else b"")


def test_what_was_passed_on_is_known_and_whether_it_was_changed() -> None:
    log = Log()
    log.put("r", 1, message(SEALED, b"one"))
    frame = log.last
    assert frame.copies == []
    log.put("s", 2, message(SEALED, b"one"))
    log.put("s", 2, message(SEALED, b"two"))
    assert [(copy.recipient, copy.changed) for copy in frame.copies] == [(BEN, False), (BEN, True)]
    # What nobody sent was made up.
    log.put("s", 1, message("message/imdn+xml", b"<imdn/>", call="forged"))
    assert log.last.made
    assert log.last.recipient == ANA


def chunk(message: str, span: str, body: bytes, flag: str = "$", to: str = "msrp://ben.example:2/s;tcp") -> bytes:
    head = (
        f"MSRP a1 SEND\r\nTo-Path: msrp://relay.example:1/t;tcp {to}\r\nMessage-ID: {message}\r\nByte-Range: {span}\r\n"
    )
    return head.encode() + b"Content-Type: message/cpim\r\n\r\n" + body + b"\r\n-------a1" + flag.encode() + b"\r\n"


def test_of_a_session_too_it_is_known_what_was_passed_on_and_whether_it_was_changed() -> None:
    """The relay cuts a message otherwise than it came; a focus gives one id to what it sends to two."""
    log = Log()
    for connection in (3, 4):
        log.put("O", connection, b"tcp 127.0.0.1:1 msrp")
    whole = b"From: <sip:a@lab>\r\n\r\nContent-Type: message/mls\r\n\r\nciphertext"
    begin, rest = whole[:30], whole[30:]
    log.put("r", 3, chunk("9", "1-30/60", begin, "+"))
    first = log.last
    log.put("r", 3, chunk("9", "31-60/60", rest))
    log.put("r", 3, chunk("9", "1-*/60", whole, to="msrp://cleo.example:3/s;tcp"))
    other = log.last
    assert first.copies == other.copies == []
    log.put("s", 4, chunk("9", "1-*/60", whole))
    log.put("s", 4, chunk("9", "1-*/60", whole[:-1] + b"!"))
    assert [copy.changed for copy in first.copies] == [False, True]
    log.put("s", 4, chunk("9", "1-40/60", whole[:40], "+"))
    log.put("s", 4, chunk("9", "41-60/60", b"?" * 20))
    assert [copy.changed for copy in first.copies] == [False, True, True]
    log.put("s", 4, chunk("9", "1-*/61", whole + b"!"))
    assert [copy.changed for copy in first.copies] == [False, True, True, True]
    assert other.copies == [], "which went to somebody else, or nowhere"
    assert log.put("s", 4, b"MSRP a2 200 OK\r\n-------a2$\r\n") == []


def test_the_ledger_counts_what_a_carrier_can_count() -> None:
    log = Log()
    for n in range(3):
        log.put("r", 1, message(SEALED, b"x", call=str(n)))
    log.put("r", 1, message("text/plain", b"hi", call="p"))
    (closed,) = log.put("C", 2, b"closed")
    assert closed == Closed(log.at, BEN)
    said = log.ledger.to_json()
    (pair,) = said["pairs"]
    assert (pair["one"], pair["other"], pair["sealed"], pair["plain"]) == (ANA, BEN, 3, 1)
    assert pair["first"] < pair["last"]
    assert {line["number"]: line["online"] for line in said["lines"]} == {ANA: True, BEN: False}


def test_look_ups_and_files_are_told_apart() -> None:
    log = Log()
    log.put("O", DIRECTORY_PASSAGE, b"tcp 127.0.0.1:1")
    body = b'{"number":"+15550199","since":0}'
    log.put("r", DIRECTORY_PASSAGE, b"POST /v1/lists/query HTTP/1.1\r\nContent-Length: 32\r\n\r\n" + body)
    assert (log.last.kind, log.last.recipient) == ("look-up", BEN)
    log.put("O", FIRST_PASSAGE, b"tcp 127.0.0.1:1")
    log.put("r", FIRST_PASSAGE, b"PUT /f HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc")
    assert log.last.kind == "file"
    assert log.ledger.to_json()["files"] == len(log.last.data)
    assert log.ledger.to_json()["each_file"] == [], "what is so small is talk about files"


def test_the_ledger_knows_when_a_file_went_and_how_large_it_was() -> None:
    log = Log()
    log.put("O", FIRST_PASSAGE, b"tcp 127.0.0.1:1")
    log.put("r", FIRST_PASSAGE, b"PUT /f HTTP/1.1\r\nContent-Length: 300000\r\n\r\n" + bytes(300_000))
    up = log.at
    log.put("r", FIRST_PASSAGE, b"GET /f HTTP/1.1\r\n\r\n")
    log.put("s", FIRST_PASSAGE, b"HTTP/1.1 206 Partial\r\nContent-Length: 500000\r\n\r\n" + bytes(500_000))
    assert log.ledger.to_json()["each_file"] == [
        {"at": up, "up": True, "size": 300_000},
        {"at": log.at, "up": False, "size": 500_000},
    ]
    assert log.ledger.to_json()["files"] > 800_000


def test_garbage_is_a_frame_of_its_own_or_waits() -> None:
    log = Log()
    for garbage in (b"\x00\xff\r\n\r\n", b"NOT SIP\r\n\r\n", b"MESSAGE x SIP/2.0\r\n: \r\n\r\n"):
        log.put("r", 1, garbage)
    assert log.last.data == b"MESSAGE x SIP/2.0\r\n: \r\n\r\n"
