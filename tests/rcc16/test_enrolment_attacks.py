"""A KDS that answers so that we work, somebody who uses up our packages, a primary that answers wrongly (SR-08, SR-13)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from letterlock.conversation_seam import RenewCertificate
from letterlock.mls.wire.key_package import KeyPackage
from letterlock.mls.wire.message import decode_message
from letterlock.mls.wire.proposals import RFC_PROPOSALS
from letterlock.rcc16.credentials.anchors import TrustAnchors
from letterlock.rcc16.enrolment.linking import LinkAnswer
from letterlock.rcc16.enrolment.records import ANCHORS, PACKAGES, UPKEEP
from rcc16.certificates import DAY, NOW, SUITE, Lab, key_pair
from rcc16.enrolled import ANA, PARTICIPANT, Device
from rcc16.refusing import refuses
from rcc16.world import World

MINUTE = 60_000


def _asks(device: Device) -> bool:
    return any(isinstance(request, RenewCertificate) for request in device.upkeep().requests)


def _reference(message: bytes) -> str:
    package = decode_message(message, RFC_PROPOSALS, 1 << 16)
    assert isinstance(package, KeyPackage)
    return SUITE.key_package_ref(package.encoded).hex()


def test_a_kds_that_gives_the_old_certificate_again_is_not_asked_in_a_loop() -> None:
    lab, device = Lab(), Device().enrolled(Lab())
    chain = device.client.credential.certificates
    device.now = NOW + 35 * DAY
    asked = 0
    for _ in range(60):
        if _asks(device):
            asked += 1
            device.adopt(lab, chain)
        device.now += MINUTE
    assert 2 <= asked <= 7  # 1, 2, 4, 8, 16 and 32 minutes apart


def test_a_kds_whose_certificates_are_due_at_once_makes_no_pool_a_second() -> None:
    """The shape is within the profile: 76 days, of which 40 are over."""
    lab, device = Lab(), Device()
    asked = 0
    for _ in range(60):
        if _asks(device):
            asked += 1
            device.adopt(lab, lab.issue(device.request(lab), now=device.now - 40 * DAY))
            device.published()
        device.now += MINUTE
    assert asked <= 7
    schedule = device.state.get(UPKEEP)
    assert schedule is not None and schedule.pool <= asked
    device.adopt(lab, lab.issue(device.request(lab), now=device.now))
    device.now += MINUTE
    assert not _asks(device)
    schedule = device.state.get(UPKEEP)
    assert schedule is not None and schedule.certificate_failures == 0


def test_somebody_who_uses_up_packages_all_day_does_not_fill_the_store() -> None:
    """SR-08: a malicious KDS needs nobody else; each pool that it makes us publish is kept for Welcomes on their way."""
    device = Device(one_time_packages=1, kept_pools=8).enrolled(Lab())
    pools = []
    for _ in range(30):
        pools.append(device.published())
        schedule = device.state.get(UPKEEP)
        assert schedule is not None
        device.state.apply({UPKEEP: replace(schedule, urgent=True)})
        device.now += MINUTE
    assert all(pools)
    assert len(list(device.state.scan(PACKAGES))) == 8 * 2
    held = {_reference(message) for pool in pools[-8:] for message in pool}
    assert {key.name.rpartition("/")[2] for key in device.state.scan(PACKAGES)} == held


@refuses("RCC-P.1.8-11", "another number", "another key", "nothing")
def test_a_primary_that_does_not_ask_for_the_number(place: str) -> Callable[[], object]:
    """Found out now and not by a KDS that refuses for 45 days."""
    primary, linked = Device().enrolled(Lab()), Device(linked=True, seed="tablet")
    linked.upkeep()
    request = linked.enrolment.link_request(linked.state, PARTICIPANT.spki)
    answer = primary.enrolment.answer_link(request, NOW)
    signed = {
        "another number": PARTICIPANT.sign(b"tel:+15550199" + PARTICIPANT.public),
        "another key": key_pair("other").sign(b"tel:" + ANA.encode() + PARTICIPANT.public),
        "nothing": b"",
    }[place]
    crooked = LinkAnswer(answer.participant_information, signed)
    return lambda: linked.enrolment.adopt_link(linked.state, crooked, PARTICIPANT.spki, NOW)


@pytest.mark.parametrize("answer", ["nothing", "a revoked authority's", "garbage"])
def test_a_withdrawn_authority_does_not_keep_the_list_that_withdraws_it_from_us(answer: str) -> None:
    """rcc16.md 1.7: whose authority was revoked is the one who answers; the list counts without his certificate."""
    phone = World().phone(ANA)
    lab = phone.world.lab
    chain = {
        "nothing": None,
        "a revoked authority's": phone.protocol.enrolment.client(phone.state, NOW).credential.certificates,  # type: ignore[union-attr]
        "garbage": (b"x", b"y"),
    }[answer]
    newer = TrustAnchors(2, lab.anchors.certificates, frozenset({lab.client_ca.certificate.serial}))
    entries = newer.entries()
    phone.do(lambda: phone.protocol.enrolled(phone.state, "certificate", chain, entries, phone.world.now, phone.rng))
    assert phone.state.get(ANCHORS) == entries
    assert phone.protocol.enrolment.client(phone.state, phone.world.now) is None
    older = lab.anchors.entries()
    phone.do(lambda: phone.protocol.enrolled(phone.state, "certificate", chain, older, phone.world.now, phone.rng))
    assert phone.state.get(ANCHORS) == entries


def test_whose_authority_was_revoked_asks_another_one_at_once() -> None:
    lab, device = Lab(), Device().enrolled(Lab())
    assert not _asks(device)
    newer = TrustAnchors(2, lab.anchors.certificates, frozenset({lab.client_ca.certificate.serial}))
    device.state.apply(device.enrolment.adopt(device.state, None, newer.entries(), device.now))
    assert _asks(device)
    assert not _asks(device)
    lab.client_ca = lab.authority(lab.ica, "second", key_pair("second"), path_length=0, days=200)
    chain = lab.issue(device.request(lab), now=device.now)
    device.state.apply(device.enrolment.adopt(device.state, chain, (), device.now))
    device.now += 2 * MINUTE
    assert not _asks(device)
    assert device.client.credential.certificates == chain
