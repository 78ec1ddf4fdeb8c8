"""RFC 4475: what each torture message means to us, as a whole message and in a stream."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance_cases import Case, load_cases
from letterlock.codec.sip import (
    CSeq,
    Headers,
    Limits,
    Malformed,
    NameAddr,
    Request,
    Response,
    StreamParser,
    Uri,
    Via,
    encode,
    parse_message,
)
from letterlock.errors import DecodeError
from letterlock.sip.message import request_problem, response_to
from letterlock.sip.transaction import ClientTransactions, Timers

FOLDER = Path(__file__).parent.parent / "vectors" / "sip" / "rfc4475"
LIMITS = Limits(max_header_bytes=8192, max_headers=100, max_line=4096, max_body=65536)

CASES = [case for case in load_cases("sip") if case.source.startswith("RFC 4475")]
"""The verdicts are in tests/conformance/sip.toml, and test_conformance.py checks them."""


def load(name: str) -> bytes:
    return (FOLDER / f"{name}.dat").read_bytes()


def test_every_message_is_judged() -> None:
    assert {path.read_bytes() for path in FOLDER.glob("*.dat")} == {case.data for case in CASES}


@pytest.mark.parametrize("case", [case for case in CASES if case.accepted], ids=str)
def test_valid(case: Case) -> None:
    message = parse_message(case.data, LIMITS)
    if isinstance(message, Request):
        # What is echoed into a response must be writable.
        parse_message(encode(response_to(message, 200, tag="x")), LIMITS)
    again = parse_message(encode(message), LIMITS)
    assert again.body == message.body
    assert again.headers.without("Content-Length") == message.headers.without("Content-Length")


def test_wsinv_short_tortuous_invite() -> None:
    message = parse_message(load("wsinv"), LIMITS)
    assert isinstance(message, Request)
    assert [Via.parse(value).host for value in message.headers.listed("Via")] == [
        "192.0.2.2",
        "spindle.example.com",
        "192.168.255.111",
    ]
    assert CSeq.parse(message.headers.get("CSeq") or "") == CSeq(9, "INVITE")
    assert NameAddr.parse(message.headers.get("From") or "").display == 'J Rosenberg \\"'
    assert message.headers.get("NewFangledHeader") == "newfangled value continued newfangled value"
    assert message.headers.get("Subject") == ""


def test_intmeth_wide_range_of_characters() -> None:
    message = parse_message(load("intmeth"), LIMITS)
    assert isinstance(message, Request)
    assert message.method == "!interesting-Method0123456789_*+`.%indeed'~"
    assert NameAddr.parse(message.headers.get("To") or "").display == "BEL:\x07 NUL:\x00 DEL:\x7f"
    assert NameAddr.parse(message.headers.get("From") or "").display == "token1~` token2'+_ token3*%!.-"
    assert message.headers.get("Call-ID") == "intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{"
    assert Uri.parse(message.uri).host == "example.com"


def test_semiuri_user_part_holds_semicolons() -> None:
    message = parse_message(load("semiuri"), LIMITS)
    assert isinstance(message, Request)
    uri = Uri.parse(message.uri)
    assert (uri.user, uri.host) == ("user;par=u%40example.net", "example.com")


def test_escnull_and_esc01_stay_escaped() -> None:
    for name in ("escnull", "esc01", "esc02"):
        message = parse_message(load(name), LIMITS)
        assert isinstance(message, Request)
        Uri.parse(message.uri)


def test_unreason_utf8_reason() -> None:
    message = parse_message(load("unreason"), LIMITS)
    assert isinstance(message, Response)
    assert message.status == 200
    assert message.reason == "= 2**3 * 5**2 но сто девяносто девять - простое"


def test_dblreq_is_two_messages_in_a_stream() -> None:
    # The second one's body is longer than it says, which would end the stream: leave the surplus away.
    data = load("dblreq")
    body = data.index(b"Content-Length: 150\r\n\r\n") + 23
    items = StreamParser(LIMITS).feed(data[: body + 150])
    methods = [item.method for item in items if isinstance(item, Request)]
    assert methods == ["REGISTER", "INVITE"]


def test_mpart01_binary_body_is_untouched() -> None:
    data = load("mpart01")
    message = parse_message(data, LIMITS)
    assert message.body == data.partition(b"\r\n\r\n")[2]


def test_regbadct_contact_needs_brackets() -> None:
    message = parse_message(load("regbadct"), LIMITS)
    with pytest.raises(DecodeError):
        NameAddr.parse(message.headers.get("Contact") or "")


def test_baddn_display_name_needs_quotes() -> None:
    message = parse_message(load("baddn") + b"\r\n", LIMITS)
    assert isinstance(message, Request)
    assert request_problem(message) is not None


def test_bcast_and_scalarlg_answer_nothing_of_ours() -> None:
    table = ClientTransactions(Timers(32000, 0), 4)
    for name in ("bcast", "scalarlg"):
        message = parse_message(load(name), LIMITS)
        assert isinstance(message, Response)
        assert table.on_response(message) is None


@pytest.mark.parametrize("name", ["badvers", "bigcode", "ltgtruri", "lwsstart", "trws"])
def test_a_framed_bad_message_does_not_end_the_stream(name: str) -> None:
    good = encode(Request("OPTIONS", "sip:a.example", Headers([("X", "1")])))
    items = StreamParser(LIMITS).feed(load(name) + good)
    assert isinstance(items[0], Malformed)
    assert isinstance(items[-1], Request)
