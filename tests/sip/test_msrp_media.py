"""Offer and answer for message sessions: who connects whereto, what may be sent, what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from letterlock.codec.msrp import MsrpUri
from letterlock.codec.sdp import (
    Attribute,
    Connection,
    Media,
    Origin,
    SdpLimits,
    SessionDescription,
    decode_sdp,
    encode_sdp,
)
from letterlock.errors import ProtocolError
from letterlock.sip.msrp_media import (
    Direction,
    Fingerprint,
    MsrpMedia,
    Setup,
    agree,
    answer_description,
    answering_setup,
    matches_type,
    offer_description,
    read_answer,
    read_offer,
)

ORIGIN = Origin("-", 1, 1, Connection("192.0.2.1"))
OURS = MsrpMedia(
    (MsrpUri.parse("msrp://192.0.2.1:7000/aaaaaaaa;tcp"),),
    "192.0.2.1",
    7000,
    ("message/cpim", "application/im-iscomposing+xml"),
    ("text/plain", "message/imdn+xml"),
    max_size=100_000,
    setup=Setup.ACTPASS,
    cema=True,
    fingerprints=(),
    others=(Attribute("file-selector", 'name:"x.jpg"'),),
)
THEIRS = MsrpMedia(
    (MsrpUri.parse("msrp://192.0.2.2:8000/bbbbbbbb;tcp"),),
    "192.0.2.2",
    8000,
    ("message/cpim",),
    ("*",),
    setup=Setup.PASSIVE,
    cema=True,
)


def over_the_wire(description: SessionDescription) -> SessionDescription:
    return decode_sdp(encode_sdp(description), SdpLimits(8192, 128, 8))


def test_an_offer_and_its_answer_survive_the_wire() -> None:
    secure = replace(
        OURS,
        path=(MsrpUri.parse("msrps://192.0.2.1:7000/aaaaaaaa;tcp"),),
        fingerprints=(Fingerprint("sha-256", bytes(range(32))),),
        direction=Direction.SENDONLY,
    )
    offer = over_the_wire(offer_description(secure, ORIGIN))
    assert offer.media[0].protocol == "TCP/TLS/MSRP"
    assert read_offer(offer) == secure
    answer = over_the_wire(answer_description(offer, THEIRS, ORIGIN))
    assert read_answer(answer) == THEIRS


def test_other_media_are_refused_in_their_place() -> None:
    """RFC 3264 section 6."""
    offer = offer_description(OURS, ORIGIN)
    audio = Media("audio", 49170, "RTP/AVP", ("0",), attributes=(Attribute("x"),))
    offer = replace(offer, media=(audio, *offer.media, *offer.media))
    answer = over_the_wire(answer_description(offer, THEIRS, ORIGIN))
    assert [(line.kind, line.port) for line in answer.media] == [("audio", 0), ("message", 8000), ("message", 0)]
    with pytest.raises(ProtocolError):
        read_answer(answer)  # to an offer of one medium


# --- who connects: RFC 6135, RFC 4975 section 8.5 -----------------------------------------------------------------
@pytest.mark.parametrize(
    ("offered", "answered", "offerer_connects"),
    [
        (Setup.ACTPASS, Setup.PASSIVE, True),
        (Setup.ACTPASS, Setup.ACTIVE, False),
        (Setup.ACTIVE, Setup.PASSIVE, True),
        (Setup.PASSIVE, Setup.ACTIVE, False),
        (Setup.ACTPASS, None, True),
        (Setup.ACTIVE, None, True),
        (None, None, True),
        (None, Setup.PASSIVE, True),
    ],
)
def test_who_connects(offered: Setup | None, answered: Setup | None, offerer_connects: bool) -> None:
    offer, answer = replace(OURS, setup=offered), replace(THEIRS, setup=answered)
    assert agree(offer, answer, offerer=True).active is offerer_connects
    assert agree(answer, offer, offerer=False).active is not offerer_connects


@pytest.mark.parametrize(
    ("offered", "answered"),
    [
        (Setup.ACTIVE, Setup.ACTIVE),
        (Setup.PASSIVE, Setup.PASSIVE),
        (Setup.PASSIVE, None),
        (Setup.ACTPASS, Setup.ACTPASS),
        (None, Setup.ACTIVE),
    ],
)
def test_nobody_or_both_would_connect(offered: Setup | None, answered: Setup | None) -> None:
    with pytest.raises(ProtocolError) as caught:
        agree(replace(OURS, setup=offered), replace(THEIRS, setup=answered), offerer=True)
    assert caught.value.code == "sip.media.setup"


@pytest.mark.parametrize(
    ("offered", "reachable", "expected"),
    [
        (Setup.ACTPASS, True, Setup.PASSIVE),
        (Setup.ACTPASS, False, Setup.ACTIVE),
        (Setup.ACTIVE, True, Setup.PASSIVE),
        (None, True, Setup.PASSIVE),
        (Setup.PASSIVE, True, Setup.ACTIVE),
        (Setup.PASSIVE, False, Setup.ACTIVE),
    ],
)
def test_what_we_answer(offered: Setup | None, reachable: bool, expected: Setup) -> None:
    assert answering_setup(offered, reachable=reachable) is expected


@pytest.mark.parametrize("offered", [Setup.ACTIVE, None])
def test_nobody_can_be_reached(offered: Setup | None) -> None:
    with pytest.raises(ProtocolError):
        answering_setup(offered, reachable=False)


def test_holdconn_is_ignored() -> None:
    """RFC 6135 section 4.2.1."""
    offer = offer_description(replace(OURS, setup=None, others=(Attribute("setup", "holdconn"),)), ORIGIN)
    assert read_offer(offer).setup is None


# --- whereto: RFC 6714 --------------------------------------------------------------------------------------------
def test_with_cema_the_address_line_counts() -> None:
    anchored = replace(THEIRS, address="203.0.113.9", port=2855)
    agreed = agree(OURS, anchored, offerer=True)
    assert (agreed.address, agreed.port) == ("203.0.113.9", 2855)


def test_without_cema_the_path_counts() -> None:
    agreed = agree(OURS, replace(THEIRS, cema=False), offerer=True)
    assert (agreed.address, agreed.port) == ("192.0.2.2", 8000)
    relay = (MsrpUri.parse("msrp://relay.example:2855/r;tcp"), *THEIRS.path)
    agreed = agree(OURS, replace(THEIRS, cema=False, path=relay), offerer=True)
    assert (agreed.address, agreed.port) == ("relay.example", 2855)


def test_a_middlebox_that_says_nothing_is_not_passed() -> None:
    """Sections 4.2 and 4.3: refused, not guessed."""
    with pytest.raises(ProtocolError) as caught:
        agree(OURS, replace(THEIRS, cema=False, address="203.0.113.9"), offerer=True)
    assert caught.value.code == "sip.media.middlebox"


def test_a_relay_of_the_peer_that_nobody_hides_is_connected_to_by_its_path() -> None:
    relay = (MsrpUri.parse("msrp://203.0.113.9:2855/r;tcp"), *THEIRS.path)
    agreed = agree(OURS, replace(THEIRS, path=relay, address="203.0.113.9", port=2855), offerer=True)
    assert (agreed.address, agreed.port) == ("203.0.113.9", 2855)


# --- what may be sent ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("ours", "theirs", "may_send", "may_receive"),
    [
        (Direction.SENDRECV, Direction.SENDRECV, True, True),
        (Direction.SENDONLY, Direction.RECVONLY, True, False),
        (Direction.SENDRECV, Direction.SENDONLY, False, True),
        (Direction.RECVONLY, Direction.SENDRECV, False, True),
        (Direction.SENDRECV, Direction.INACTIVE, False, False),
        (Direction.SENDONLY, Direction.SENDONLY, False, False),
    ],
)
def test_direction(ours: Direction, theirs: Direction, may_send: bool, may_receive: bool) -> None:
    agreed = agree(replace(OURS, direction=ours), replace(THEIRS, direction=theirs), offerer=True)
    assert (agreed.may_send, agreed.may_receive) == (may_send, may_receive)


def test_types() -> None:
    """RFC 4975 section 8.6."""
    agreed = agree(THEIRS, OURS, offerer=False)
    assert agreed.takes("message/cpim", "text/plain;charset=UTF-8")
    assert agreed.takes("Message/CPIM", "message/cpim")  # a listed root type may be wrapped as well
    assert not agreed.takes("text/plain")  # only wrapped
    assert not agreed.takes("message/cpim", "image/png")
    assert agree(OURS, THEIRS, offerer=True).takes("message/cpim", "application/vnd.letterlock.signal")
    assert matches_type("text/html", ("text/*",))
    assert not matches_type("texts/html", ("text/*",))
    assert matches_type("text/html; charset=x", ("TEXT/HTML;x=y",))


def test_session_wide_attributes_are_defaults() -> None:
    offer = offer_description(replace(OURS, direction=Direction.SENDRECV), ORIGIN)
    line = replace(
        offer.media[0], attributes=tuple(a for a in offer.media[0].attributes if a.name not in ("setup", "sendrecv"))
    )
    offer = replace(offer, media=(line,), attributes=(Attribute("setup", "active"), Attribute("recvonly")))
    read = read_offer(over_the_wire(offer))
    assert (read.setup, read.direction) == (Setup.ACTIVE, Direction.RECVONLY)
