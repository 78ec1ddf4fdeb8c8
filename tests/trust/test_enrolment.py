"""Offer and request strings: copied wrongly, for another account, or by another's device (SR-04)."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from letterlock import trust
from letterlock.errors import DecodeError, DeviceListError
from letterlock.ids import DeviceId
from letterlock.trust import labels
from letterlock.trust.enrolment import DeviceOffer, confirmation_digits
from trust.people import CRYPTO, NOW, Device, Owner

ANA = Owner.make("+15550100")
OFFER = trust.encode_offer(trust.offer_for(ANA.list))
TABLET = Device.make("tablet", 2, mls=True)
ENTRY = TABLET.entry(ANA.number, ANA.spki)
REQUEST = trust.encode_request(ENTRY)


def test_a_device_is_added_by_two_strings() -> None:
    offer = trust.decode_offer(OFFER, CRYPTO)
    assert offer == DeviceOffer(ANA.number, ANA.spki, DeviceId(2))
    entry = trust.decode_request(REQUEST, ANA.list, CRYPTO)
    added = trust.add_device(ANA.list, entry, sign=ANA.sign, crypto=CRYPTO, now=NOW)
    assert added.device(DeviceId(2)) == dataclasses.replace(ENTRY, added_at=NOW)
    assert confirmation_digits(entry) == confirmation_digits(ENTRY)
    assert confirmation_digits(entry) != confirmation_digits(Device.make("other", 2).entry(ANA.number, ANA.spki))


def test_line_breaks_of_terminals_and_mail_do_no_harm() -> None:
    folded = "\n ".join(REQUEST[i : i + 40] for i in range(0, len(REQUEST), 40))
    assert trust.decode_request(folded + "\n", ANA.list, CRYPTO) == trust.decode_request(REQUEST, ANA.list, CRYPTO)


def test_every_slip_of_copying_is_noticed() -> None:
    for text, decode in (
        (OFFER, lambda t: trust.decode_offer(t, CRYPTO)),
        (REQUEST, lambda t: trust.decode_request(t, ANA.list, CRYPTO)),
    ):
        for place in range(len(text) - 1):
            other = "A" if text[place] != "A" else "B"
            for slip in (text[:place] + other + text[place + 1 :], text[:place] + text[place + 1 :]):
                with pytest.raises(DecodeError):
                    decode(slip)


def test_strings_are_not_taken_for_each_other() -> None:
    with pytest.raises(DecodeError) as caught:
        trust.decode_offer(REQUEST, CRYPTO)
    assert caught.value.code == "enrolment.kind" and "primary" in caught.value.hint


def test_a_request_for_another_account_is_refused_sr04() -> None:
    ben = Owner.make("+15550101")
    with pytest.raises(DeviceListError) as caught:
        trust.decode_request(REQUEST, ben.list, CRYPTO)
    assert caught.value.code == "device_list.counter_signature"


def test_a_request_for_a_taken_device_is_refused() -> None:
    owner = Owner.make("+15550100")
    owner.add(2)
    with pytest.raises(DeviceListError, match="listed already"):
        trust.decode_request(REQUEST, owner.list, CRYPTO)


def test_the_primary_place_is_never_offered() -> None:
    forged = trust.encode_offer(DeviceOffer(ANA.number, ANA.spki, DeviceId(1)))
    with pytest.raises(DecodeError):
        trust.decode_offer(forged, CRYPTO)


def repacked(text: str, prefix: str, change: Callable[[bytes], bytes]) -> str:
    """The same string about other content, with a checksum that fits."""
    data = base64.urlsafe_b64decode(text[len(prefix) :] + "==")[:-6]
    body = change(data)
    checksum = hashlib.sha256(labels.ENROLMENT_CHECKSUM + prefix.encode() + body).digest()[:6]
    return prefix + base64.urlsafe_b64encode(body + checksum).decode().rstrip("=")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda body: b"\x02" + body[1:], "enrolment.version"),
        (lambda body: body + b"\x00", "tls.trailing"),
        (lambda body: body[:-1], "tls.truncated"),
    ],
)
def test_a_fitting_checksum_is_not_enough(change: Callable[[bytes], bytes], code: str) -> None:
    with pytest.raises(DecodeError) as caught:
        trust.decode_offer(repacked(OFFER, "ll-offer-", change), CRYPTO)
    assert caught.value.code == code
    with pytest.raises(DecodeError) as caught:
        trust.decode_request(repacked(REQUEST, "ll-request-", change), ANA.list, CRYPTO)
    assert caught.value.code == code


def test_an_offer_names_a_real_key_and_number_sr12() -> None:
    spki = ANA.spki[:-1] + bytes((ANA.spki[-1] ^ 1,))
    for change in (lambda body: body.replace(ANA.spki, spki), lambda body: body.replace(b"+1555", b"1+555")):
        with pytest.raises(DecodeError) as caught:
            trust.decode_offer(repacked(OFFER, "ll-offer-", change), CRYPTO)
        assert caught.value.code == "enrolment.malformed"


@given(st.text(max_size=300), st.sampled_from(["", "ll-offer-", "ll-request-"]))
def test_any_text_is_a_string_of_ours_or_refused(text: str, prefix: str) -> None:
    for decode in (
        lambda t: trust.decode_offer(t, CRYPTO),
        lambda t: trust.decode_request(t, ANA.list, CRYPTO),
    ):
        with pytest.raises(DecodeError):
            decode(prefix + text)
