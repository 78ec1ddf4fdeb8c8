"""The strings by which a primary vouches for the RCC.16 key of a second device (SR-04, SR-21)."""

from __future__ import annotations

import dataclasses

import pytest

from crypto.deterministic import seeded_rng
from letterlock.client.accounts import KdsAccount
from letterlock.client.identity import Identity, linked_identity, primary_identity
from letterlock.client.linking import (
    Linking,
    decode_answer,
    decode_asking,
    encode_answer,
    encode_asking,
    joined,
    parts,
)
from letterlock.errors import DecodeError, InputError, LetterlockError
from letterlock.ids import DeviceId, number
from letterlock.rcc16.credentials.request import prove_possession
from letterlock.rcc16.enrolment.linking import LinkAnswer, LinkRequest
from letterlock.trust.enrolment import DeviceOffer
from rcc16.certificates import CRYPTO, key_pair

ANA = number("+15550100")
RNG = seeded_rng("linking")
LEAF = key_pair("linked leaf")
ACCOUNT = KdsAccount("https://kds.example", b"proof", "https://kds.example/anchors/3", 3, b"signer", None, 76)
ROOM = bytes(range(16)).hex()
SAID = Linking(LinkAnswer(b"information", b"pop"), ACCOUNT, {ROOM: "sip:conf-1@example"})


@pytest.fixture(scope="module")
def primary() -> Identity:
    return primary_identity(ANA, "phone", CRYPTO, RNG)


@pytest.fixture(scope="module")
def tablet(primary: Identity) -> Identity:
    return linked_identity(DeviceOffer(ANA, primary.participant_spki, DeviceId(2)), "tablet", CRYPTO, RNG)


def _asking(tablet: Identity) -> str:
    pop = prove_possession(ANA, CRYPTO.p256_from_spki(tablet.participant_spki), LEAF.public, LEAF.sign)
    return encode_asking(tablet, LinkRequest("client", LEAF.public, pop), CRYPTO, RNG)


def test_a_request_is_of_the_device_that_is_listed(tablet: Identity) -> None:
    asking = decode_asking(_asking(tablet))
    assert (asking.device, asking.request.leaf_public) == (2, LEAF.public)
    key = tablet.key_pair(CRYPTO).public
    asking.check(key, ANA, CRYPTO)
    other = linked_identity(DeviceOffer(ANA, tablet.participant_spki, DeviceId(3)), "", CRYPTO, RNG)
    for wrong, of in ((other.key_pair(CRYPTO).public, ANA), (key, number("+15550199"))):
        with pytest.raises(InputError) as refused:
            asking.check(wrong, of, CRYPTO)
        assert refused.value.code == "device.link"
    with pytest.raises(InputError):
        dataclasses.replace(asking, text=asking.text + b"x").check(key, ANA, CRYPTO)


def test_both_requests_travel_as_one_string(tablet: Identity) -> None:
    asking = _asking(tablet)
    assert parts(joined("ll-request-abc", asking)) == ("ll-request-abc", asking)
    assert parts(asking) == ("", asking)
    assert parts("ll-request-\nabc") == ("ll-request-abc", "")


def test_an_answer_is_of_the_primary_of_this_account(primary: Identity, tablet: Identity) -> None:
    answer = encode_answer(primary, SAID, CRYPTO)
    assert decode_answer(answer, tablet, CRYPTO) == SAID
    stranger = primary_identity(ANA, "", CRYPTO, RNG)
    with pytest.raises(InputError) as refused:
        decode_answer(encode_answer(stranger, SAID, CRYPTO), tablet, CRYPTO)
    assert refused.value.code == "device.link"
    with pytest.raises(InputError):
        encode_answer(tablet, SAID, CRYPTO)


def test_a_slip_of_copying_is_told(primary: Identity, tablet: Identity) -> None:
    answer, asking = encode_answer(primary, SAID, CRYPTO), _asking(tablet)
    for text in (
        "",
        answer[:-1],
        answer[:20] + "_" + answer[21:],
        asking,
        "ll-linked-",
        "ll-linked-AAAA",
        answer + "ä",
    ):
        with pytest.raises(DecodeError):
            decode_answer(text, tablet, CRYPTO)
    for text in ("", asking[:-1], answer, "ll-link-AQAAAAAAAAA"):
        with pytest.raises(LetterlockError):
            decode_asking(text)
