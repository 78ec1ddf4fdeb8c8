"""Addresses, parameters, Via, CSeq and digest headers."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from letterlock.codec.sip import (
    Challenge,
    Credentials,
    CSeq,
    Headers,
    NameAddr,
    Params,
    Uri,
    Via,
    delta_seconds,
    media_type,
    quote,
    split_list,
    unquote,
)
from letterlock.errors import DecodeError
from letterlock.ids import number

URIS = [
    "sip:+15550100@example.test;user=phone",
    "sip:alice:secret@example.test:5070;transport=tcp;lr?Subject=x",
    "sips:[2001:db8::1]:5061;transport=tls",
    "sip:example.test",
    "tel:+15550100;phone-context=example.test",
    "sip:user;par=u%40example.net@example.com",
    "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
]


@pytest.mark.parametrize("text", URIS)
def test_uris_are_written_as_read(text: str) -> None:
    assert Uri.parse(text).encode() == text


def test_uri_parts() -> None:
    uri = Uri.parse("SIP:alice:pw@Example.TEST:5070;transport=TCP?x=y")
    assert (uri.scheme, uri.user, uri.password, uri.host, uri.port) == ("sip", "alice", "pw", "example.test", 5070)
    assert uri.params.get("Transport") == "TCP"
    assert uri.headers == "x=y"
    assert uri.address == "sip:alice:pw@example.test:5070"
    assert "pw" not in repr(uri)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tel:+1-555-0100", "+15550100"),
        ("tel:+15550100;ext=1", "+15550100"),
        ("sip:+15550100@example.test;user=phone", "+15550100"),
        ("sip:+1(555)0100;phone-context=x@example.test", "+15550100"),
        ("sip:15550100@example.test", None),
        ("tel:5550100;phone-context=+1", None),
        ("sip:alice@example.test", None),
        ("sip:example.test", None),
        ("http:+15550100", None),
    ],
)
def test_the_number_in_an_address(text: str, expected: str | None) -> None:
    assert Uri.parse(text).number == expected


def test_addresses_of_numbers() -> None:
    assert Uri.of_number(number("+15550100")).encode() == "tel:+15550100"
    assert Uri.of_number(number("+15550100"), "h.test").encode() == "sip:+15550100@h.test;user=phone"


@pytest.mark.parametrize(
    "text",
    ["", "sip:", "sip", "a b", "sip:a@", "sip:@b", "sip:a@b:", "sip:a@b:99999", "sip:a@b:-1", "sip:a@[::1", "tel:abc x",
     "sip:a b@c", "sip:a@b;=x", "sip:a@b;x=", "sip:a@b?", "sip:a%zz@b", "sip:a@b c", "tel:", "sip:a<b@c", "sip:a@b;;"],
)  # fmt: skip
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(DecodeError):
        Uri.parse(text)


@pytest.mark.parametrize(
    ("text", "display", "uri", "tag"),
    [
        ('"A. \\"B\\" C" <sip:a@b;x=y>;tag=1', 'A. "B" C', "sip:a@b;x=y", "1"),
        ("Alice  <sip:a@b>", "Alice", "sip:a@b", None),
        ("<tel:+15550100>;tag=z", "", "tel:+15550100", "z"),
        ("sip:a@b;tag=9", "", "sip:a@b", "9"),
        ("sip:a@b", "", "sip:a@b", None),
        ('"<sip:not@this>" <sip:a@b>', "<sip:not@this>", "sip:a@b", None),
        ('sip:a@b;x="<y>"', "", "sip:a@b", None),
    ],
)
def test_name_addr(text: str, display: str, uri: str, tag: str | None) -> None:
    address = NameAddr.parse(text)
    assert (address.display, address.uri.encode(), address.tag) == (display, uri, tag)
    assert NameAddr.parse(address.encode()) == address


@pytest.mark.parametrize(
    "text",
    ["", "<>", "<sip:a@b", '"unclosed <sip:a@b>', '"x" sip:a@b', "a, b <sip:a@b>", "<sip:a@b> junk", "sip:a@b?x=y",
     "<sip:a@b>;tag=a b", "<sip:a@b>;=1"],
)  # fmt: skip
def test_what_is_no_name_addr(text: str) -> None:
    with pytest.raises(DecodeError):
        NameAddr.parse(text)


def test_contact_with_feature_tags_is_written_as_read() -> None:
    text = (
        '<sip:+15550100@127.0.0.1:4000;transport=tcp>;+sip.instance="<urn:uuid:0-1>"'
        ';+g.3gpp.icsi-ref="urn%3Aa,urn%3Ab";+g.gsma.rcs.cpm.pager-large;reg-id=1;expires=60'
    )
    contact = NameAddr.parse(text)
    assert contact.encode() == text
    assert contact.params.get("+SIP.instance") == "<urn:uuid:0-1>"
    assert contact.params.get("+g.3gpp.icsi-ref") == "urn%3Aa,urn%3Ab"
    assert contact.params.get("+g.gsma.rcs.cpm.pager-large") == ""
    assert contact.params.get("absent") is None


def test_params_are_set_in_place() -> None:
    params = Params.parse(";a=1;B;c=3").with_("b", "x y").with_("d", None).without("C")
    assert params.encode() == ';a=1;B="x y";d'
    assert "B" in params
    assert "c" not in params


def test_lists_are_split_outside_quotes_and_brackets() -> None:
    assert split_list('<sip:a,b@c>, "d,e" <sip:f>;x="1,2" ,g') == ["<sip:a,b@c>", '"d,e" <sip:f>;x="1,2"', "g"]
    headers = Headers([("Route", "<sip:a;lr>, <sip:b;lr>"), ("route", "<sip:c;lr>")])
    assert headers.listed("ROUTE") == ("<sip:a;lr>", "<sip:b;lr>", "<sip:c;lr>")
    assert headers.without_first("Route").listed("Route") == ("<sip:b;lr>", "<sip:c;lr>")
    assert headers.prepended("Route", "<sip:z;lr>").listed("Route")[0] == "<sip:z;lr>"
    for text in ('"a', "<a", "a>", '<a"b', '"a\\"'):
        with pytest.raises(DecodeError):
            split_list(text)


def test_headers_are_replaced_and_taken_away() -> None:
    headers = Headers([("One", "1"), ("To", "x"), ("t", "y"), ("Two", "2")])
    assert list(headers.with_("to", "z")) == [("One", "1"), ("to", "z"), ("Two", "2")]
    assert list(headers.without("t")) == [("One", "1"), ("Two", "2")]
    assert headers.all("To") == ("x", "y")
    assert "T" in headers


def test_via() -> None:
    via = Via.parse("SIP / 2.0 / tcp  First.example.com : 4000 ; branch=z9hG4bKx;received=192.0.2.1;rport")
    assert (via.transport, via.host, via.port, via.branch) == ("TCP", "first.example.com", 4000, "z9hG4bKx")
    assert via.sent_by == "first.example.com:4000"
    assert via.encode() == "SIP/2.0/TCP first.example.com:4000;branch=z9hG4bKx;received=192.0.2.1;rport"
    assert Via.parse("SIP/2.0/TLS [2001:db8::9:1]:5061;branch=z9hG4bKy").sent_by == "[2001:db8::9:1]:5061"
    for text in ("", "SIP/2.0/TCP", "SIP/3.0/TCP a", "SIP/2.0/TCP a:b", "SIP/2.0/TCP ;branch=1", "HTTP/2.0/TCP a"):
        with pytest.raises(DecodeError):
            Via.parse(text)


def test_cseq() -> None:
    assert CSeq.parse("  009   MESSAGE ") == CSeq(9, "MESSAGE")
    assert CSeq(7, "OPTIONS").encode() == "7 OPTIONS"
    for text in ("", "1", "x MESSAGE", "-1 MESSAGE", "2147483648 MESSAGE", "1 ME(SSAGE", "1 A B", "١ MESSAGE"):
        with pytest.raises(DecodeError):
            CSeq.parse(text)


def test_delta_seconds() -> None:
    assert delta_seconds("3600") == 3600
    assert delta_seconds("18000;duration=3600") == 18000
    assert delta_seconds("120 (I'm in a meeting)") == 120
    assert delta_seconds("0" * 5000 + "7") == 7
    assert delta_seconds("9" * 5000) == 2**32 - 1
    for text in ("", "-1", "x", "1x", "١", "1.5"):
        with pytest.raises(DecodeError):
            delta_seconds(text)


def test_media_type() -> None:
    assert media_type("Message/CPIM; charset=x") == "message/cpim"
    for text in ("", "message", "/", "a/b c"):
        with pytest.raises(DecodeError):
            media_type(text)


@given(st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\r\n"), max_size=60))
def test_quoting_is_undone_exactly(text: str) -> None:
    assert unquote(quote(text)) == text
    assert split_list(f"{quote(text)}, x") == [quote(text), "x"]


def test_challenge() -> None:
    text = (
        'Digest realm="a, \\"b\\"", domain="sip:x", nonce="n==", opaque="o", stale=TRUE, algorithm=SHA-256, '
        'qop="auth, auth-int"'
    )
    challenge = Challenge.parse(text)
    assert challenge.realm == 'a, "b"'
    assert challenge.stale
    assert challenge.qop == ("auth", "auth-int")
    assert Challenge.parse(challenge.encode()) == challenge


def test_kamailio_challenge_without_qop_and_algorithm() -> None:
    challenge = Challenge.parse('Digest realm="rcs.example.test", nonce="Zx4"')
    assert (challenge.algorithm, challenge.qop, challenge.stale) == (None, (), False)


def test_credentials() -> None:
    credentials = Credentials("u", "r", "n", "sip:x", "0" * 32, "MD5", "op", "auth", "c", 10)
    assert Credentials.parse(credentials.encode()) == credentials
    assert "nc=0000000a" in credentials.encode()
    assert "000000000000" not in repr(credentials)
    blank = Credentials("u", "r", "", "sip:x", "")
    assert Credentials.parse(blank.encode()) == blank


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Basic abc",
        "Digest",
        'Digest realm="x"',
        'Digest username="u", realm="r", nonce="n", uri="x", response="1", username="v"',
        'Digest username="u", realm="r", nonce="n", uri="x", response="1", nc=1',
        'Digest username="u", realm="r", nonce="n", uri="x", response="1", nc=-0000001',
        'Digest username="u", realm="r", nonce="n", uri="x", response="1", junk',
        'Digest username="u, realm="r", nonce="n", uri="x", response="1"',
    ],
)
def test_what_are_no_credentials(text: str) -> None:
    with pytest.raises(DecodeError):
        Credentials.parse(text)


PARSERS = [Uri, NameAddr, Via, CSeq, Params, Challenge, Credentials]
ODD = st.text(st.sampled_from('sipdtel:@;,<>="\\ +?%[]/2.0TCPDigest\t\x00é'), max_size=60)


@given(st.one_of(st.text(max_size=60), ODD))
def test_any_text_gives_a_value_or_decode_error(text: str) -> None:
    """SR-09."""
    for parser in PARSERS:
        for prefix in ("", "sip:", '"a" <sip:', "SIP/2.0/TCP a;", "Digest ", ";"):
            try:
                parser.parse(prefix + text)  # type: ignore[attr-defined]
            except DecodeError:
                continue
    for function in (split_list, delta_seconds, media_type, unquote):
        try:
            function(text)
        except DecodeError:
            continue


@pytest.mark.parametrize(
    "text",
    ['"' * 60_000, "<" * 60_000, "\\" * 60_000, ";" * 60_000, "," * 60_000, '"\\' * 30_000, "a=" * 30_000, "<>" * 30_000,
     "sip:" * 15_000, "@" * 60_000, " " * 60_000, "0" * 60_000],
)  # fmt: skip
def test_long_repetitions_take_linear_time(text: str) -> None:
    """SR-09: no grammar backtracks. A quadratic one would need minutes."""
    began = time.process_time()
    for parser in PARSERS:
        for prefix in ("", "sip:", '"a" <sip:', "SIP/2.0/TCP a;x=", "Digest realm="):
            try:
                parser.parse(prefix + text)  # type: ignore[attr-defined]
            except DecodeError:
                continue
    for function in (split_list, delta_seconds, media_type, unquote):
        try:
            function(text)
        except DecodeError:
            continue
    assert time.process_time() - began < 5
