"""Getting and keeping a certificate (rcc16.md 1.6 to 1.8): asked for in time, adopted only if it holds and is ours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from letterlock.conversation_seam import PublishKeyPackages, RenewCertificate
from letterlock.errors import DecodeError, InputError, InvalidRcc16
from letterlock.mls.wire.credential import Credential
from letterlock.rcc16.credentials.anchors import TrustAnchors
from letterlock.rcc16.credentials.leaf import expires_at, read_leaf
from letterlock.rcc16.credentials.request import check_request
from letterlock.rcc16.enrolment.enrolment import Enrolment, Upkeep
from letterlock.rcc16.enrolment.linking import LinkAnswer
from letterlock.rcc16.enrolment.records import LEAF, PACKAGES
from letterlock.rcc16.enrolment.settings import ParticipantKey
from letterlock.rcc16.policy import CIPHER_SUITE
from rcc16.certificates import CRYPTO, DAY, HOME_KDS, NOW, VENDOR, Lab, key_pair
from rcc16.enrolled import ANA, PARTICIPANT, Device, settings
from rcc16.refusing import refuses

Act = Callable[[], object]


# --- the first time ---------------------------------------------------------------------------------------------
def test_enrolling() -> None:
    lab, device = Lab(), Device()
    assert device.enrolment.leaf_key(device.state) is None
    first = device.upkeep()
    assert first.requests == (RenewCertificate("certificate"),)
    assert not first.needs_link
    assert device.enrolment.client(device.state, NOW) is None
    assert device.enrolment.authentication(device.state) is None

    request = device.request(lab)
    assert request.participant_public == PARTICIPANT.public
    check_request(
        request,
        number=ANA,
        vendor_id=VENDOR,
        home_kds=HOME_KDS,
        acs_spki=lab.acs_key.spki,
        now=NOW,
        crypto=CRYPTO,
    )
    device.adopt(lab, lab.issue(request))
    client = device.enrolment.client(device.state, NOW)
    assert client is not None
    assert client.suite.number == CIPHER_SUITE
    assert len(client.credential.certificates) == 3
    key = device.enrolment.leaf_key(device.state)
    assert key is not None and key.public == client.signature_key == request.leaf_public != PARTICIPANT.public
    CRYPTO.p256_verify(key.public, b"x", key.sign(b"x"))
    assert client.authentication is device.enrolment.authentication(device.state)
    assert not device.enrolment.ready(device.state, NOW)


def test_the_client_is_the_same_object_while_nothing_changes() -> None:
    device = Device().enrolled(Lab())
    assert device.enrolment.client(device.state, NOW) is device.enrolment.client(device.state, NOW + DAY)


def test_a_root_that_is_sent_along_is_not_carried_in_every_leaf() -> None:
    lab, device = Lab(), Device()
    device.upkeep()
    device.adopt(lab, (*lab.issue(device.request(lab)), lab.root.certificate.der))
    client = device.enrolment.client(device.state, NOW)
    assert client is not None and len(client.credential.certificates) == 3


def test_the_leaf_key_is_made_once() -> None:
    """RCC.16: the key stays, also over renewals and lost answers."""
    lab, device = Lab(), Device()
    device.upkeep()
    before = device.request(lab)
    device.now += 3 * DAY
    device.upkeep()
    after = device.request(lab)
    assert (before.leaf_public, before.subject) == (after.leaf_public, after.subject)


def test_an_expired_certificate_makes_no_client() -> None:
    device = Device().enrolled(Lab())
    assert device.enrolment.client(device.state, NOW + 70 * DAY) is not None
    assert device.enrolment.client(device.state, NOW + 76 * DAY) is None
    assert not device.enrolment.ready(device.state, NOW + 76 * DAY)
    assert device.enrolment.authentication(device.state) is not None


# --- when it is asked for -------------------------------------------------------------------------------------------
def test_a_request_that_is_not_answered_comes_again_later_and_later() -> None:
    device = Device()
    times = []
    for _ in range(12):
        step = device.upkeep()
        if step.requests:
            times.append(device.now)
        assert step.next_at is not None and step.next_at > device.now
        device.now = step.next_at
    gaps = [(b - a) // 1000 for a, b in pairwise(times)]
    assert gaps == [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600, 3600, 3600]


def test_nothing_is_asked_twice_at_once() -> None:
    device = Device()
    assert device.upkeep().requests
    assert not device.upkeep().requests


def test_it_is_renewed_long_before_the_floor() -> None:
    """rcc16.md 1.6: under 30 days this device would block all its groups."""
    lab, device = Lab(), Device().enrolled(Lab())
    device.published()
    end = expires_at(device.client.credential)
    device.now = end - 45 * DAY - 1
    assert not _asks(device.upkeep())
    device.now = end - 45 * DAY
    assert _asks(device.upkeep())
    device.adopt(lab, lab.issue(device.request(lab), now=device.now))
    assert expires_at(device.client.credential) > end
    assert not _asks(device.upkeep())


def test_short_certificates_are_not_asked_for_again_and_again() -> None:
    lab, device = Lab(), Device()
    device.upkeep()
    device.adopt(lab, lab.issue(device.request(lab), days=33))
    assert not _asks(device.upkeep())
    device.now += 12 * DAY
    assert _asks(device.upkeep())


def test_what_could_not_be_had_changes_nothing_but_the_anchors() -> None:
    lab, device = Lab(), Device().enrolled(Lab())
    before = device.enrolment.client(device.state, NOW)
    device.state.apply(device.enrolment.adopt(device.state, None, (), NOW))
    assert device.enrolment.client(device.state, NOW) is before
    newer = TrustAnchors(2, lab.anchors.certificates, frozenset({lab.ica.certificate.serial}))
    device.state.apply(device.enrolment.adopt(device.state, None, newer.entries(), NOW))
    assert device.enrolment.client(device.state, NOW) is None  # our own authority was revoked


def _asks(step: Upkeep) -> bool:
    return any(isinstance(request, RenewCertificate) for request in step.requests)


# --- what is adopted ----------------------------------------------------------------------------------------------------
def _adopting(change: Callable[[Lab, Device], tuple[bytes, ...]]) -> Act:
    lab, device = Lab(), Device()
    device.upkeep()
    chain = change(lab, device)

    def act() -> None:
        before = dict(device.state.records)
        try:
            device.adopt(lab, chain)
        except InvalidRcc16:
            assert device.state.records == before
            assert device.enrolment.client(device.state, NOW) is None
            raise

    return act


@refuses("RCC-P.1.8-09")
def test_a_certificate_for_another_key() -> Act:
    """A KDS that has a key of its own certified for our number."""
    return _adopting(lambda lab, device: lab.issue(_with_key(lab, device)))


def _with_key(lab: Lab, device: Device) -> Any:
    key = key_pair("the server's")
    return lab.request(ANA, participant=PARTICIPANT, leaf=key, subject=device.request(lab).subject)


@refuses("RCC-P.1.8-10")
def test_a_certificate_that_names_another_participant() -> Act:
    def change(lab: Lab, device: Device) -> tuple[bytes, ...]:
        ours = device.request(lab)
        other = key_pair("another participant")
        key = device.enrolment.leaf_key(device.state)
        assert key is not None
        leaf = replace(key_pair("x"), public=key.public, sign=key.sign)
        return lab.issue(lab.request(ANA, participant=other, leaf=leaf, subject=ours.subject))

    return _adopting(change)


@refuses("RCC-A.4.1-09")
def test_a_certificate_for_another_number() -> Act:
    def change(lab: Lab, device: Device) -> tuple[bytes, ...]:
        key = device.enrolment.leaf_key(device.state)
        assert key is not None
        leaf = replace(key_pair("x"), public=key.public, sign=key.sign)
        return lab.issue(lab.request("+15550199", participant=PARTICIPANT, leaf=leaf))

    return _adopting(change)


@refuses("RCC-A.4.1-10")
def test_a_certificate_under_the_floor() -> Act:
    return _adopting(lambda lab, device: lab.issue(device.request(lab), days=29))


@refuses("RCC-A.4.1-04")
def test_a_certificate_of_another_network() -> Act:
    return _adopting(lambda lab, device: Lab("another").issue(device.request(lab)))


@refuses("RCC-A.4.1-14")
def test_a_renewed_certificate_under_another_name() -> Act:
    lab, device = Lab(), Device().enrolled(Lab())
    key = device.enrolment.leaf_key(device.state)
    assert key is not None
    leaf = replace(key_pair("x"), public=key.public, sign=key.sign)
    chain = lab.issue(lab.request(ANA, participant=PARTICIPANT, leaf=leaf))
    return lambda: device.adopt(lab, chain)


@refuses("RCC-P.1.7-03")
def test_older_anchors() -> Act:
    """SR-22."""
    lab, device = Lab(), Device().enrolled(Lab())
    newer, older = TrustAnchors(5, lab.anchors.certificates), TrustAnchors(4, lab.anchors.certificates)
    device.state.apply(device.enrolment.adopt(device.state, None, newer.entries(), NOW))
    return lambda: device.enrolment.adopt(device.state, None, older.entries(), NOW)


def test_a_tolerant_network() -> None:
    lab, device = Lab(), Device(tolerant=True)
    device.upkeep()
    device.adopt(lab, lab.issue(device.request(lab), days=10))
    assert device.client.signature_key


def test_what_the_caller_must_not_do() -> None:
    lab, device = Lab(), Device()
    with pytest.raises(InputError):
        device.enrolment.request(device.state, b"", NOW)
    with pytest.raises(InputError):
        device.adopt(lab, lab.enrol(ANA).chain)
    with pytest.raises(InputError):
        Enrolment(CRYPTO, ANA, None, settings(one_time_packages=0))
    with pytest.raises(InputError):
        device.enrolment.link_request(device.state, PARTICIPANT.spki)
    with pytest.raises(InputError):
        device.enrolment.adopt_link(device.state, LinkAnswer(b"", b""), PARTICIPANT.spki, NOW)
    with pytest.raises(DecodeError):
        device.enrolment.adopt(device.state, None, (b"x",), NOW)


def test_secrets_are_not_shown() -> None:
    """SR-10."""
    device = Device().enrolled(Lab())
    device.published()
    own, package = device.state.get(LEAF), device.state.get(next(iter(device.state.scan(PACKAGES))))
    for shown in (repr(own), repr(device.enrolment.leaf_key(device.state)), repr(device.client)):
        assert repr(own.private) not in shown and own.private.hex() not in shown and "sign=" not in shown
    assert repr(package.row)[2:-1] not in repr(package)


# --- linked devices -----------------------------------------------------------------------------------------------------
def test_a_linked_device_enrols_by_the_primarys_word() -> None:
    lab, primary, linked = Lab(), Device().enrolled(Lab()), Device(linked=True, seed="linked")
    step = linked.upkeep()
    assert step.needs_link and not step.requests
    with pytest.raises(InputError):
        linked.enrolment.request(linked.state, b"", NOW)
    asked = linked.enrolment.link_request(linked.state, PARTICIPANT.spki)
    answer = primary.enrolment.answer_link(asked, NOW)
    linked.state.apply(linked.enrolment.adopt_link(linked.state, answer, PARTICIPANT.spki, NOW))
    step = linked.upkeep()
    assert step.requests == (RenewCertificate("certificate"),) and not step.needs_link
    request = linked.request(lab)
    check_request(
        request, number=ANA, vendor_id=VENDOR, home_kds=HOME_KDS, acs_spki=lab.acs_key.spki, now=NOW, crypto=CRYPTO
    )
    linked.adopt(lab, lab.issue(request))
    leaf, first = read_leaf(linked.client.credential), read_leaf(primary.client.credential)
    assert leaf.participant.participant_spki == first.participant.participant_spki
    assert leaf.key != first.key and leaf.certificate.subject != first.certificate.subject
    assert leaf.number == first.number
    assert any(isinstance(request, PublishKeyPackages) for request in linked.upkeep().requests)


def test_a_linked_device_asks_for_a_fresh_word_before_it_renews() -> None:
    primary, linked = Device().enrolled(Lab()), Device(linked=True, seed="linked")
    linked.upkeep()
    asked = linked.enrolment.link_request(linked.state, PARTICIPANT.spki)
    answer = primary.enrolment.answer_link(asked, NOW)
    linked.state.apply(linked.enrolment.adopt_link(linked.state, answer, PARTICIPANT.spki, NOW))
    linked.now += 46 * DAY
    step = linked.upkeep()
    assert step.needs_link and not step.requests


@refuses("RCC-P.1.8-02")
def test_nobody_has_anothers_key_linked() -> Act:
    """SR-04."""
    primary, linked = Device().enrolled(Lab()), Device(linked=True, seed="linked")
    linked.upkeep()
    asked = linked.enrolment.link_request(linked.state, PARTICIPANT.spki)
    other = replace(asked, leaf_public=key_pair("leaf of somebody").public)
    return lambda: primary.enrolment.answer_link(other, NOW)


def test_only_the_primary_answers() -> None:
    linked = Device(linked=True)
    linked.upkeep()
    asked = linked.enrolment.link_request(linked.state, PARTICIPANT.spki)
    with pytest.raises(InputError):
        linked.enrolment.answer_link(asked, NOW)


@refuses("RCC-P.1.8-11", "garbage", "another device", "another participant", "too late")
def test_the_answer_is_for_this_device(place: str) -> Act:
    """SR-04, SR-22."""
    primary, linked, other = Device().enrolled(Lab()), Device(linked=True, seed="1"), Device(linked=True, seed="2")
    for device in (linked, other):
        device.upkeep()
    who = other if place == "another device" else linked
    answer = primary.enrolment.answer_link(who.enrolment.link_request(who.state, PARTICIPANT.spki), NOW)
    if place == "garbage":
        answer = LinkAnswer(b"\x30\x00", answer.csr_pop)
    expected = key_pair("other").spki if place == "another participant" else PARTICIPANT.spki
    now = NOW + 91 * DAY if place == "too late" else NOW
    return lambda: linked.enrolment.adopt_link(linked.state, answer, expected, now)


def test_participant_keys_live_where_they_live() -> None:
    """A hardware token signs: it is asked for ParticipantInformation and for the number, and nothing else."""
    asked: list[bytes] = []

    def token(message: bytes) -> bytes:
        asked.append(message)
        return PARTICIPANT.sign(message)

    device = Device(participant=ParticipantKey(PARTICIPANT.spki, token))
    device.upkeep()
    request = device.request(Lab())
    assert len(asked) == 2
    assert asked[0][0] == 0x30 and asked[1].startswith(b"tel:+15550100")
    assert Credential.x509(Lab().issue(request)).certificates
