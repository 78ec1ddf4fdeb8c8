"""The judge of credentials: verdicts, how long they are kept, and groups under it (RFC 9420 section 5.3; rcc16.md 1)."""

from __future__ import annotations

from typing import Any

import pytest

from crypto.deterministic import Deterministic, seeded_rng
from letterlock.errors import InvalidGroupMessage, InvalidRcc16
from letterlock.mls.group.group import Group
from letterlock.mls.key_packages import make_key_package
from letterlock.mls.wire.credential import Credential
from letterlock.mls.wire.proposals import Add
from letterlock.rcc16.credentials.anchors import TrustAnchors
from letterlock.rcc16.credentials.authentication import CertificateAuthentication
from letterlock.rcc16.credentials.checking import FOLLOWING, STRICT
from rcc16.certificates import DAY, NOW, Identity, Lab, key_pair
from rcc16.forging import ANA, forged


class Counting(Deterministic):
    """Counts what is verified for certificates."""

    def __init__(self) -> None:
        self.verified = 0

    def ecdsa_verify(self, *arguments: Any) -> None:
        self.verified += 1
        super().ecdsa_verify(*arguments)


def _judge(lab: Lab, crypto: Counting, *, remember: int = 100, **options: Any) -> CertificateAuthentication:
    return CertificateAuthentication(crypto, lab.anchors, options.get("policy", FOLLOWING), remember=remember)


def test_a_verdict() -> None:
    lab = Lab()
    person, judge = lab.enrol(ANA), lab.authentication()
    assert judge.validate(person.credential, person.leaf.public, NOW) is None
    assert judge.validate(person.credential, key_pair("other").public, NOW) == "the certificate is for another key"
    refused = judge.validate(forged(lab, vendor_id=9), person.leaf.public, NOW)
    assert refused is not None and "RCC-A.4.1-13" in refused


def test_identity_is_the_number() -> None:
    """Devices of one participant are one member; a renewed certificate names the same one."""
    lab = Lab()
    judge = lab.authentication()
    phone, tablet, other = lab.enrol(ANA), lab.enrol(ANA), lab.enrol("+15550199")
    assert judge.identity(phone.credential) == judge.identity(tablet.credential) == b"15550100"
    assert judge.identity(other.credential) != judge.identity(phone.credential)
    broken = Credential.x509([b"x"])
    assert judge.identity(broken) not in (b"", judge.identity(Credential.x509([b"y"])))


def test_what_was_judged_is_not_judged_again() -> None:
    """A commit to 1,000 members must not verify 1,000 chains."""
    lab, crypto = Lab(), Counting()
    judge = _judge(lab, crypto)
    people = [lab.enrol(f"+1555010{n}") for n in range(8)]
    for person in people:
        assert judge.validate(person.credential, person.leaf.public, NOW) is None
    # Of each person the leaf and the participant's signature; of the two authorities each once.
    assert crypto.verified == 2 * len(people) + 2
    for person in people:
        assert judge.validate(person.credential, person.leaf.public, NOW + DAY) is None
    assert crypto.verified == 2 * len(people) + 2


@pytest.mark.parametrize("end", ["leaf", "issuer", "window", "proof", "floor"])
def test_a_verdict_ends_with_whatever_ends_first(end: str) -> None:
    lab = Lab()
    policy = FOLLOWING
    changes: dict[str, Any] = {}
    if end == "issuer":
        lab.client_ca = lab.authority(lab.ica, "short", key_pair("short"), path_length=0, days=41)
    if end == "window":
        changes["window"] = (NOW, NOW + 40 * DAY)
    if end == "proof":
        changes["proof"] = lab.proof(ANA, key_pair(f"participant {ANA}").spki, days=40)
    if end == "floor":
        policy = STRICT
    days = {"leaf": 40, "floor": 70}.get(end, 75)
    credential = Credential.x509(lab.issue(lab.request(ANA, **changes), days=days))
    judge = lab.authentication(policy)
    certified = judge.certify(credential, NOW)
    assert abs(certified.until - NOW - 40 * DAY) <= DAY
    judge.certify(credential, certified.until - 1)
    with pytest.raises(InvalidRcc16):
        judge.certify(credential, certified.until)
    # A clock that is set back before the certificate starts does not find the kept verdict either.
    with pytest.raises(InvalidRcc16):
        judge.certify(credential, certified.since - 1)


def test_a_kept_verdict_answers_for_its_number_only() -> None:
    """SR-04."""
    lab = Lab()
    person, judge = lab.enrol(ANA), lab.authentication()
    judge.certify(person.credential, NOW, ANA)
    with pytest.raises(InvalidRcc16) as refused:
        judge.certify(person.credential, NOW, lab.enrol("+15550199").number)
    assert refused.value.rule == "RCC-A.4.1-09"


def test_as_many_verdicts_as_it_was_told_to_keep() -> None:
    """SR-08; the ones used last stay."""
    lab, crypto = Lab(), Counting()
    judge = _judge(lab, crypto, remember=2)
    first, second, third = (lab.enrol(f"+1555010{n}") for n in range(3))
    for person in (first, second, first, third):
        judge.certify(person.credential, NOW)
    count = crypto.verified
    judge.certify(first.credential, NOW)
    assert crypto.verified == count
    judge.certify(second.credential, NOW)
    assert crypto.verified > count


def test_refusals_are_not_kept() -> None:
    """Time may lift them."""
    lab = Lab()
    judge = lab.authentication()
    early = lab.enrol(ANA, now=NOW + 2 * DAY)
    assert judge.validate(early.credential, early.leaf.public, NOW) is not None
    assert judge.validate(early.credential, early.leaf.public, NOW + 2 * DAY) is None


def test_many_authorities_are_not_all_remembered() -> None:
    """SR-08: somebody with an intermediate authority makes others without end."""
    lab, crypto = Lab(), Counting()
    judge = _judge(lab, crypto, remember=1)
    for n in range(300):
        lab.client_ca = lab.authority(lab.ica, f"ca {n}", key_pair(f"ca {n % 3}"), path_length=0, days=100)
        judge.certify(lab.enrol(ANA, device=1).credential, NOW)
    assert len(judge._known._signed) <= 256
    assert len(judge._known._profiled) <= 256 + 3


# --- in a group ---------------------------------------------------------------------------------------------------------
def _group(lab: Lab, *people: Identity) -> list[Group]:
    rng = seeded_rng("group")
    first, *others = people
    group = Group.create(first.client, b"group", rng=rng, now=NOW)
    bundles = [make_key_package(other.client, NOW, rng, lifetime_seconds=70 * 86_400) for other in others]
    pending = group.commit([Add(bundle.key_package) for bundle in bundles], rng=rng, now=NOW)
    group.merge(pending, now=NOW)
    joined = [
        Group.join(other.client, bundle, pending.welcomes[0].message, now=NOW)
        for other, bundle in zip(others, bundles, strict=True)
    ]
    return [group, *joined]


def test_certified_people_make_a_group() -> None:
    lab = Lab()
    groups = _group(lab, lab.enrol("+15550100"), lab.enrol("+15550100"), lab.enrol("+15550199"))
    assert len({group.epoch_authenticator for group in groups}) == 1


def test_nobody_uncertified_is_added() -> None:
    """SR-04."""
    lab, stranger = Lab(), Lab("stranger")
    with pytest.raises(InvalidGroupMessage) as refused:
        _group(lab, lab.enrol("+15550100"), stranger.enrol("+15550199"))
    assert refused.value.rule == "MLS-5.3.1-01"
    assert "RCC-A.4.1-04" in str(refused.value)


def test_a_joiner_finds_somebody_uncertified_in_the_tree() -> None:
    """SR-04: the ghost was there before; who joins has other anchors than who made the group."""
    lab, stranger = Lab(), Lab("stranger")
    both = TrustAnchors(1, (*lab.anchors.certificates, *stranger.anchors.certificates))
    gullible = CertificateAuthentication(Deterministic(), both, FOLLOWING, remember=10)
    ana = lab.enrol("+15550100", authentication=gullible)
    ghost = stranger.enrol("+15550166", authentication=gullible)
    with pytest.raises(InvalidGroupMessage) as refused:
        _group(lab, ana, ghost, lab.enrol("+15550199"))
    assert refused.value.rule == "MLS-5.3.1-01"
