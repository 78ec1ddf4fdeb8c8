"""What somebody tries who has read the code: credentials that pass for others, certificates that two readers read
differently, work that costs the victim more than the attacker (SR-04, SR-08, SR-09, SR-23)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from time import process_time
from typing import Any

import pytest

from crypto.deterministic import seeded_rng
from letterlock.codec import der
from letterlock.codec.tls import opaque
from letterlock.codec.x509 import Extension
from letterlock.errors import DecodeError, InvalidGroupMessage, InvalidRcc16
from letterlock.mls.group.group import Group
from letterlock.mls.key_packages import make_key_package
from letterlock.mls.wire.credential import Credential
from letterlock.mls.wire.proposals import Add
from letterlock.rcc16.credentials.checking import FOLLOWING, STRICT
from letterlock.rcc16.credentials.labels import ANCHOR_LIST, IDENTITY_PROOF, LEAF_POSSESSION
from letterlock.rcc16.credentials.leaf import read_leaf
from letterlock.rcc16.credentials.oids import (
    ACS_PARTICIPANT_INFORMATION,
    AUTHORITY_INFORMATION_ACCESS,
    BASIC_CONSTRAINTS,
    SUBJECT_ALT_NAME,
)
from letterlock.rcc16.credentials.packages import check_claimed
from letterlock.rcc16.credentials.participant import decode_participant_information
from letterlock.rcc16.credentials.proof import decode_proof
from letterlock.rcc16.credentials.request import CertificateRequest, check_request
from rcc16.certificates import CRYPTO, HOME_KDS, NOW, Lab, key_pair
from rcc16.forging import ANA, check, forged, names_of, under


def _refused(act: Callable[[], object]) -> str:
    with pytest.raises(InvalidRcc16) as refused:
        act()
    return refused.value.rule or ""


# --- a credential that passes for another one ---------------------------------------------------------------------------
def _disguised(credential: Credential) -> Credential:
    """A basic credential with the same bytes behind its type as this chain has."""
    basic = Credential.basic(b"".join(map(opaque, credential.certificates)))
    assert basic.body == credential.body
    return basic


def test_a_kept_verdict_is_of_a_chain_and_of_nothing_that_looks_like_it() -> None:
    """SR-04: a name that reads like a certified chain, where the chain was judged before."""
    lab = Lab()
    person, judge = lab.enrol(ANA), lab.authentication()
    disguised = _disguised(person.credential)
    assert judge.validate(person.credential, person.leaf.public, NOW) is None
    assert judge.validate(disguised, person.leaf.public, NOW) is not None
    assert _refused(lambda: judge.certify(disguised, NOW, ANA)) == "RCC-A.4.1-01"


def test_nobody_hides_in_a_group_behind_a_name_like_a_chain() -> None:
    """SR-04: an insider adds a device that every phone with a kept verdict takes, and nobody can put a number to."""
    lab = Lab()
    ana, ben = lab.enrol(ANA), lab.enrol("+15550199")
    rng = seeded_rng("disguise")
    ghost = replace(ben.client, credential=_disguised(ben.credential))
    assert ben.authentication.validate(ben.credential, ben.leaf.public, NOW) is None
    assert ana.authentication.validate(ben.credential, ben.leaf.public, NOW) is None
    bundle = make_key_package(ghost, NOW, rng, lifetime_seconds=70 * 86_400)
    assert _refused(
        lambda: check_claimed(bundle.message, ben.number, ana.authentication, NOW, max_bytes=1 << 16)
    ).startswith("RCC-A.4.1")
    group = Group.create(ana.client, b"group", rng=rng, now=NOW)
    with pytest.raises(InvalidGroupMessage) as refused:
        group.commit([Add(bundle.key_package)], rng=rng, now=NOW)
    assert refused.value.rule == "MLS-5.3.1-01"


@pytest.mark.parametrize("policy", [STRICT, FOLLOWING], ids=["strict", "following"])
def test_certificates_in_another_order_or_twice(policy: Any) -> None:
    lab = Lab()
    leaf, client_ca, ica = lab.enrol(ANA, device=1).chain
    root = lab.root.certificate.der
    for chain in (
        (leaf, ica, client_ca),
        (leaf, leaf, client_ca, ica),
        (leaf, client_ca, client_ca, ica),
        (leaf, client_ca, ica, ica),
        (leaf, client_ca, ica, root, root),
        (client_ca, ica),
        (root,),
        (leaf,),
    ):
        _refused(check(lab, Credential.x509(chain), policy=policy))


def test_a_member_is_no_authority() -> None:
    """SR-04: whoever has a leaf certificate signs one for another number."""
    lab = Lab()
    ben = lab.enrol("+15550199")
    victim = under(lab, ben.chain[0], ben.leaf, *ben.chain[1:])
    assert _refused(check(lab, victim)) in ("RCC-A.4.1-08", "RCC-A.2-01")
    assert _refused(check(lab, victim, policy=FOLLOWING)) in ("RCC-A.4.1-08", "RCC-A.2-01")


# --- which number ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "uris",
    [
        (b"tel:+15550100", b"tel:+15550199"),
        (b"tel:+15550100", b"tel:+15550100"),
        (b"tel:+15550100\x00.example.test",),
        (b"tel:+15550100\n",),
        (b"tel:+1555\xd9\xa0100",),
        (b"tel: +15550100",),
        (b"tel:15550100",),
        (b"tel:+",),
        (b"tel:+;phone-context=+15550100",),
        (b"sip:+15550100@example.test",),
        (b"",),
        (),
    ],
)
def test_names_that_are_not_one_number(uris: tuple[bytes, ...]) -> None:
    lab = Lab()
    credential = forged(lab, names=names_of(*uris))
    assert _refused(check(lab, credential)) == "RCC-A.3.8-01"
    assert _refused(check(lab, credential, of=None)) == "RCC-A.3.8-01"


@pytest.mark.parametrize(
    "uri", [b"TEL:+15550100", b"Tel:+1-555-0100", b"tel:+15550100;ext=+15550199", b"tel:+1.555(0100)"]
)
def test_spellings_of_one_number_are_one_member(uri: bytes) -> None:
    """rcc16.md 1.1: cut at the semicolon, digits only."""
    lab = Lab()
    credential = forged(lab, names=names_of(uri))
    check(lab, credential)()
    assert lab.authentication().identity(credential) == b"15550100"


def test_a_number_beside_another_kind_of_name() -> None:
    lab = Lab()
    for tag in (0x81, 0x82, 0x87, 0xA4, 0xA6):
        value = der.sequence(der.tagged(0x86, b"tel:+15550100"), der.tagged(tag, b"x"))
        assert _refused(check(lab, forged(lab, names=value))) == "RCC-A.3.8-01"
        value = der.sequence(der.tagged(tag, b"x"), der.tagged(0x86, b"tel:+15550100"))
        assert _refused(check(lab, forged(lab, names=value))) == "RCC-A.3.8-01"


# --- two readers ----------------------------------------------------------------------------------------------------------
def test_what_follows_a_value_inside_an_extension() -> None:
    lab = Lab()
    honest = forged(lab)
    leaf = read_leaf(honest).certificate
    for oid in (SUBJECT_ALT_NAME, BASIC_CONSTRAINTS):
        extension = leaf.extension(oid) or Extension(oid, False, der.sequence())
        spoilt = extension._replace(value=extension.value + b"\x05\x00")
        names = spoilt.value if oid == SUBJECT_ALT_NAME else None
        _refused(check(lab, forged(lab, names=names, extensions={oid: spoilt})))


@pytest.mark.parametrize("where", ["first", "last"])
def test_names_of_several_parts(where: str) -> None:
    """SR-09: what cannot be judged is read by somebody all the same."""
    pair = [der.sequence(der.object_identifier(f"2.5.4.{n}"), der.utf8_string("x")) for n in (3, 10)]
    double, single = der.set_of(pair), der.set_of(pair[:1])
    subject = der.sequence(*((double, single) if where == "first" else (single, double)))
    lab = Lab()
    credential = forged(lab, subject=subject)
    assert read_leaf(credential).number == ANA
    assert _refused(check(lab, credential)) == "RCC-A.3-04"


def test_critical_extensions_that_nobody_looks_at() -> None:
    """RFC 5280 section 4.2, in the tolerant mode, too."""
    lab = Lab()
    for oid in (AUTHORITY_INFORMATION_ACCESS, "2.5.29.30", "2.5.29.36"):
        credential = forged(lab, extensions={oid: Extension(oid, True, b"\x30\x00")})
        assert _refused(check(lab, credential, policy=replace(STRICT, tolerant=True))) == "RCC-A.3-09"
    proof = Extension(ACS_PARTICIPANT_INFORMATION, True, lab.proof(ANA, key_pair("x").spki))
    assert _refused(check(lab, forged(lab, extensions={proof.oid: proof}))) == "RCC-A.3.8.10-02"


# --- signatures for something else (SR-23) ----------------------------------------------------------------------------------
def test_no_text_of_one_kind_is_one_of_another() -> None:
    """What the participant, leaf and ACS keys sign begins differently for each purpose."""
    starts = [b"\x30", b"tel:+", IDENTITY_PROOF, LEAF_POSSESSION, ANCHOR_LIST]
    for one in starts:
        assert [other for other in starts if other.startswith(one) or one.startswith(other)] == [one]


def test_a_signature_of_one_kind_does_not_pass_for_another() -> None:
    """The participant key signs for a certificate, and its number; one is put in the place of the other."""
    lab = Lab()
    request = lab.request(ANA)
    information = decode_participant_information(request.participant_information)
    for change in (
        {"csr_pop": information.signature},
        {"csr_pop": request.leaf_pop},
        {"leaf_pop": request.csr_pop},
        {"participant_information": request.participant_information.replace(information.signature, request.csr_pop)},
    ):
        _refused(lambda change=change: _checked(lab, replace(request, **change)))  # type: ignore[misc]
    _checked(lab, request)


def _checked(lab: Lab, request: CertificateRequest) -> None:
    check_request(
        request,
        number=ANA,
        vendor_id=lab.vendor_id,
        home_kds=HOME_KDS,
        acs_spki=lab.acs_key.spki,
        now=NOW,
        crypto=CRYPTO,
    )


# --- work -----------------------------------------------------------------------------------------------------------------------
def _seconds(act: Callable[[], object]) -> float:
    def once() -> float:
        begin = process_time()
        with suppress(DecodeError, InvalidRcc16):
            act()
        return process_time() - begin

    return min(once() for _ in range(3))


def test_a_certificate_full_of_extensions_costs_what_its_size_costs() -> None:
    lab = Lab()

    def stuffed(count: int) -> Callable[[], object]:
        extensions = {oid: Extension(oid, False, b"\x05\x00") for oid in (f"1.3.6.1.4.1.{n}" for n in range(count))}
        credential = forged(lab, extensions=extensions)
        return lambda: check(lab, credential)()

    assert _seconds(stuffed(640)) < 16 * _seconds(stuffed(80)) + 0.01


def test_numbers_of_any_size_end_in_one_error() -> None:
    """SR-09: thousands of digits are more than CPython turns into text."""
    lab = Lab()
    huge = der.tagged(der.INTEGER, b"\x7f" + bytes(3_000))
    constraints = Extension(BASIC_CONSTRAINTS, True, der.sequence(der.boolean(True), huge))
    _refused(check(lab, forged(lab, extensions={BASIC_CONSTRAINTS: constraints})))
    _refused(check(lab, forged(lab, serial=1 << 8 * 3_000)))
    _refused(check(lab, forged(lab, serial=-(1 << 8 * 3_000))))


@pytest.mark.parametrize("expires, over", [(0, True), (2**64 - 1, False)])
def test_proofs_at_the_ends_of_time(expires: int, over: bool) -> None:
    assert decode_proof(expires.to_bytes(8, "big") + b"\x00").expired(NOW) is over
