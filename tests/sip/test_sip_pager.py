"""MESSAGE requests out and in (RFC 3428, rcs.md 2.3) and the feature tags of RCS (rcs.md 2.2)."""

from __future__ import annotations

import uuid
import zlib

import pytest

from letterlock.codec.sip import Headers, Limits, NameAddr, Params, Request, Response, Uri, encode, parse_message
from letterlock.errors import DecodeError, LimitExceeded
from letterlock.ids import ConversationId, conversation_of, message_id, number
from letterlock.sip.options import (
    CPM_LARGE,
    CPM_MESSAGE,
    LETTERLOCK_FEATURES,
    PAGER_LARGE,
    FeatureTags,
    features_of,
    options_headers,
    response_headers,
)
from letterlock.sip.pager import OutgoingMessage, PagerProfile, build_message, read_message

ANA, BEN = number("+15550100"), number("+15550199")
PROFILE = PagerProfile(Uri.parse("sip:+15550100@ims.example.test"), "ims.example.test", "IM-client/OMA1.0 test")
ROUTE = ("<sip:a.test;lr>", "<sip:b.test;lr>")
LIMITS = Limits(65_536, 200, 8192, 262_144)


def rng(n: int) -> bytes:
    return bytes(range(n))


def outgoing(body: bytes = b"cpim", *, large: bool = False) -> OutgoingMessage:
    return OutgoingMessage(BEN, message_id("m-1"), conversation_of(ANA, BEN), body, large)


# --- out ---------------------------------------------------------------------------------------------
def test_a_message_has_the_headers_of_rcs() -> None:
    request = build_message(PROFILE, outgoing(), ROUTE, rng)
    headers = request.headers
    assert request.method == "MESSAGE"
    assert request.uri == "sip:+15550199@ims.example.test;user=phone"
    assert headers.all("Route") == ROUTE
    assert headers.get("P-Preferred-Identity") == "<sip:+15550100@ims.example.test>"
    assert headers.get("P-Preferred-Service") == "urn:urn-7:3gpp-service.ims.icsi.oma.cpm.msg"
    assert headers.all("Accept-Contact") == (
        '*;+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.msg";require;explicit',
    )
    assert uuid.UUID(headers.get("Conversation-ID") or "").bytes == conversation_of(ANA, BEN)
    assert uuid.UUID(headers.get("Contribution-ID") or "").version == 4
    assert headers.get("Content-Type") == "message/cpim"
    assert NameAddr.parse(headers.get("From") or "").tag
    assert NameAddr.parse(headers.get("To") or "").tag is None
    assert parse_message(encode(request), LIMITS).body == b"cpim"


def test_a_large_message_says_so() -> None:
    headers = build_message(PROFILE, outgoing(large=True), (), rng).headers
    assert headers.get("P-Preferred-Service") == "urn:urn-7:3gpp-service.ims.icsi.oma.cpm.largemsg"
    first, second = headers.all("Accept-Contact")
    assert "oma.cpm.largemsg" in first
    assert second == "*;+g.gsma.rcs.cpm.pager-large"


def test_a_retry_has_the_same_contribution_and_another_call_id() -> None:
    first = build_message(PROFILE, outgoing(), (), rng).headers
    second = build_message(PROFILE, outgoing(), (), lambda n: bytes(n)).headers
    assert first.get("Contribution-ID") == second.get("Contribution-ID")
    assert first.get("Call-ID") != second.get("Call-ID")
    other = OutgoingMessage(BEN, message_id("m-2"), ConversationId(bytes(16)), b"", False)
    assert build_message(PROFILE, other, (), rng).headers.get("Contribution-ID") != first.get("Contribution-ID")


def test_peers_may_be_addressed_by_tel() -> None:
    profile = PagerProfile(PROFILE.identity, None, "x")
    assert build_message(profile, outgoing(), (), rng).uri == "tel:+15550199"


# --- in ----------------------------------------------------------------------------------------------
def incoming(*extra: tuple[str, str], body: bytes = b"cpim") -> Request:
    items = [
        ("From", "<sip:+15550111@evil.test>;tag=1"),
        ("To", "<sip:+15550199@ims.example.test>"),
        ("Content-Type", "message/cpim"),
        *extra,
    ]
    return Request("MESSAGE", "sip:+15550199@127.0.0.1:4000", Headers(items), body)


def read(request: Request, *, trust_from: bool = False) -> object:
    return read_message(request, max_body=1000, trust_from=trust_from)


def test_the_sender_is_who_the_network_asserts() -> None:
    asserted = ("P-Asserted-Identity", '"Ana" <sip:+15550100@ims.example.test>, <tel:+15550100>')
    message = read_message(incoming(asserted), max_body=1000, trust_from=False)
    assert (message.sender, message.recipient, message.body) == (ANA, BEN, b"cpim")
    # From is not proof, even where it is trusted for want of an assertion.
    assert read_message(incoming(asserted), max_body=1000, trust_from=True).sender == ANA


@pytest.mark.parametrize(
    "value",
    ["<sip:+15550100@x>, <tel:+15550101>", "<sip:ana@x>, <sip:ben@x>", "<sip:an%61@x>", "junk", ""],
)
def test_an_ambiguous_or_unreadable_assertion_is_none(value: str) -> None:
    request = incoming(("P-Asserted-Identity", value))
    assert read_message(request, max_body=1000, trust_from=True).sender is None


def test_from_counts_only_in_a_lab() -> None:
    assert read_message(incoming(), max_body=1000, trust_from=False).sender is None
    assert read_message(incoming(), max_body=1000, trust_from=True).sender == "+15550111"


def test_the_called_number_comes_first() -> None:
    request = incoming(("P-Called-Party-ID", "<tel:+15550177>"))
    assert read_message(request, max_body=1000, trust_from=False).recipient == "+15550177"


def raw_deflate(data: bytes) -> bytes:
    machine = zlib.compressobj(wbits=-15)
    return machine.compress(data) + machine.flush()


@pytest.mark.parametrize("packed", [zlib.compress(b"cpim" * 50), raw_deflate(b"cpim" * 50)])
def test_deflated_bodies_are_inflated(packed: bytes) -> None:
    """liblinphone deflates its receipts; some send the raw stream."""
    request = incoming(("Content-Encoding", "deflate"), body=packed)
    assert read_message(request, max_body=1000, trust_from=False).body == b"cpim" * 50


def test_a_deflate_bomb_is_refused() -> None:
    """SR-08."""
    with pytest.raises(LimitExceeded):
        read(incoming(("Content-Encoding", "deflate"), body=zlib.compress(bytes(50_000_000))))


@pytest.mark.parametrize(("encoding", "body"), [("br", b"x"), ("deflate", b"\xff" * 30), ("deflate", b"")])
def test_unknown_or_damaged_encodings_are_refused(encoding: str, body: bytes) -> None:
    with pytest.raises(DecodeError):
        read(incoming(("Content-Encoding", encoding), body=body))


def test_a_message_without_a_type_is_refused() -> None:
    request = incoming()
    for headers in (request.headers.without("Content-Type"), request.headers.with_("Content-Type", "junk")):
        with pytest.raises(DecodeError):
            read(Request(request.method, request.uri, headers, b""))


# --- feature tags ------------------------------------------------------------------------------------
def test_our_tags_are_one_parameter_with_a_list() -> None:
    pager = FeatureTags(icsi=frozenset({CPM_MESSAGE, CPM_LARGE}), bare=((PAGER_LARGE, ""),))
    assert pager.params().encode() == (
        ';+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.largemsg,'
        'urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.msg";+g.gsma.rcs.cpm.pager-large'
    )
    ours = LETTERLOCK_FEATURES.params()
    names = ["+g.3gpp.icsi-ref", "+g.3gpp.iari-ref", "+g.gsma.rcs.cpm.pager-large", "+g.gsma.rcs.botversion"]
    assert [name for name, _ in ours] == names
    assert FeatureTags.of_params(ours) == LETTERLOCK_FEATURES


def test_tags_survive_the_wire() -> None:
    tags = FeatureTags(
        frozenset({"oma.cpm.session", "mmtel"}),
        frozenset({"rcs.fthttp", "rcs.chatbot"}),
        (("+g.gsma.rcs.botversion", "#=1,#=2"), ("+g.gsma.rcs.isbot", "")),
    )
    assert FeatureTags.of_params(Params.parse(tags.params().encode())) == tags
    contact = Uri.parse("sip:+15550100@127.0.0.1:4000")
    request = Request("OPTIONS", "sip:x", options_headers(contact, tags))
    response = Response(200, "OK", Headers(response_headers(contact, tags)))
    for message in (request, response):
        assert features_of(parse_message(encode(message), LIMITS)) == tags


def test_tags_of_several_contacts_are_joined_and_unreadable_ones_passed_over() -> None:
    response = Response(
        200,
        "",
        Headers(
            [
                ("Contact", '<sip:a>;+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.one"'),
                ("Contact", "junk"),
                ("m", '<sip:b>;+g.3gpp.icsi-ref="URN%3aurn-7%3a3gpp-service.ims.icsi.two,%zz,other";+g.x'),
            ]
        ),
    )
    tags = features_of(response)
    assert tags is not None
    assert tags.icsi == {"one", "two"}
    assert tags.has("+G.X")
    assert not tags.has("+g.y")
    assert features_of(Response(200, "", Headers())) is None
